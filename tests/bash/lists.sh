# Lists, groups, subshells and exit statuses of commands.

### sequence and status
true; echo $?; false; echo $?
### and or left associative
false && echo a || echo b
true || echo c && echo d
false || false && echo never
echo "last $?"
### negation
! true; echo $?
! false; echo $?
! false && echo yes
if ! grep -q x /dev/null; then echo none; fi
### negation of pipeline
! true | false; echo $?
! false | true; echo $?
### double negation needs space
! ! true; echo $?
### subshell keeps outer variables
x=1; (x=2; echo $x); echo $x
### subshell exit status
(exit 7); echo $?
(exit 300); echo $?
(false; true); echo $?
### group sets outer variables
x=1; { x=2; echo $x; }; echo $x
### group redirection
{ echo a; echo b; } > out; cat out
### subshell redirection and cd
mkdir d; (cd d; echo hi > f; pwd); pwd; cat d/f
### nested subshells
(echo a; (echo b; (echo c; exit 3); echo $?); echo d)
### exit in group ends shell
echo a; { echo b; exit 4; }; echo c
### exit in subshell does not
(echo b; exit 4); echo "c $?"
### background then wait
{ echo bg; } & wait; echo fg
### newline separates like semicolon
echo a
echo b
# a comment
echo c # trailing comment
echo d#not
### line continuation
echo one \
  two \
three
### continued lists
true &&
  echo and
false ||
  echo or
echo a |
  tr a b
### colon and true arguments
: ignored args $(echo x); echo $?
### command not found status
nosuchcommand_xyz 2>/dev/null; echo $?
### command not found message
nosuchcommand_xyz 2>&1
### not executable status
echo 'echo hi' > f; ./f 2>/dev/null; echo $?
### directory as command
mkdir d; ./d 2>/dev/null; echo $?
### missing path as command
./missing 2>/dev/null; echo $?
### missing path message
./missing 2>&1; echo $?
### not executable message
echo 'echo hi' > f; ./f 2>&1; echo $?
### directory message
mkdir d; ./d 2>&1; echo $?
### exit without argument uses last status
(false; exit); echo $?
(true; exit); echo $?
### exit with non number
(exit abc) 2>/dev/null; echo $?
### exit negative wraps
(exit -1); echo $?
(exit 256); echo $?
### assignment only status
x=$(false); echo $?
x=$(true); echo $?
x=1; echo $?
### assignment status with two substitutions
x=$(false) y=$(true); echo $?
x=$(true) y=$(exit 3); echo $?
### empty command after expansion
empty=; $empty; echo $?
$(false); echo $?
$(exit 9); echo $?
### temporary assignment
x=outer; x=inner env | grep '^x='; echo "$x"
### temporary assignment not used in same expansion
x=outer; x=inner echo "$x"
### temporary assignment for builtin read
IFS=: read a b c <<< "1:2:3"; echo "$a-$b-$c"; printf '%q\n' "$IFS"
### several assignments in order
a=1 b=$a c=$b; echo "$a $b $c"
### quoted command word
"echo" quoted; 'echo' single; ec"ho" mixed
### command from variable with words
cmd="echo a b"; $cmd
### command in variable with quotes is split plainly
cmd='echo "a b"'; $cmd
### redirect only command
> made; test -e made && echo exists; echo $?
### list inside condition
if false; true; then echo yes; fi
### deep grouping
{ { { echo deep; }; }; }; ( ( ( echo sub ) ) )
### exit status of empty subshell body with redirect
( : ) > /dev/null; echo $?
### last status through cat
true | false | true; echo $?
### semicolon background newline
sleep 0.01 & echo started; wait; echo done
### time keyword prints to stderr
time true 2>/dev/null; echo $?
### bang in words
echo ! a!b
### reserved words as arguments
echo if then else fi for do done case esac while in function { } time
### reserved word quoted is a command
"if" 2>/dev/null; echo $?
### long and list
a=0; for i in 1 2 3 4 5; do [ $i = 3 ] && continue; a=$((a+i)); done; echo $a
