# Redirections of every form.

### output and append
echo a > f; echo b >> f; cat f; echo c > f; cat f
### input
echo hi > f; cat < f; wc -c < f
### stderr apart
{ echo out; echo err >&2; } > o 2> e; cat o; echo --; cat e
### order matters
{ echo out; echo err >&2; } 2>&1 > o; echo --; cat o
{ echo out; echo err >&2; } > o 2>&1; echo --; cat o
### both at once
{ echo out; echo err >&2; } &> f; sort f; { echo more >&2; } &>> f; wc -l < f
### both old form
{ echo out; echo err >&2; } >& f; sort f
### dev null
echo gone > /dev/null; { echo x; echo y >&2; } > /dev/null 2>&1; cat /dev/null; echo $?
### only redirection creates
> a; >> b; 2> c; ls
### redirection before command
> f echo hi; cat f; < f cat; 2>/dev/null ls none; echo $?
### redirection in the middle
echo a > f b; cat f
### several outputs last wins
echo x > a > b; cat a; echo -; cat b
### noclobber
set -C; echo a > f; (echo b > f) 2>/dev/null; echo $?; cat f; echo c >| f; cat f; echo d >> f; cat f
### noclobber allows dev null
set -o noclobber; echo x > /dev/null; echo $?
### noclobber message
set -C; > f; (> f) 2>&1
### missing input
cat < none 2>/dev/null; echo $?; echo after
### missing input message
cat < none 2>&1; (cat < none) 2>&1; { cat < none; } 2>&1
### cannot create
echo x > nodir/f 2>/dev/null; echo $?; mkdir d; (echo x > d) 2>/dev/null; echo $?
### cannot create message
(echo x > nodir/f) 2>&1; mkdir d; (echo x > d) 2>&1
### failed redirection skips the command
echo hi > /none/x 2>/dev/null && echo no; echo $?
### failed redirection of group
{ echo a; } < none 2>/dev/null; echo $?; (echo a) < none 2>/dev/null; echo $?; while read x; do :; done < none 2>/dev/null; echo $?
### failed redirection on special builtin does not exit
: < none 2>/dev/null; echo "still $?"
### ambiguous redirect
touch 'a b'; v='x y'; (echo hi > $v) 2>/dev/null; echo $?; echo hi > "$v"; ls
### empty file name
(echo x > "") 2>/dev/null; echo $?
### exec redirects the shell
exec 3>&1 > f; echo in file; exec >&3 3>&-; echo back; cat f
### exec input
printf 'l1\nl2\nl3\n' > f; exec < f; read a; read b; echo "$a $b"; cat
### exec numbered input
printf '1\n2\n3\n' > f; exec 3< f; read -u 3 a; read b <&3; cat <&3; echo "$a $b"; exec 3<&-
### exec closed descriptor is an error
exec 3<&-; (cat <&3) 2>/dev/null; echo $?
### duplicate and restore
exec 4>&1; exec > f; echo hidden; exec >&4 4>&-; cat f
### swap outputs
({ echo out; echo err >&2; } 3>&1 1>&2 2>&3 3>&-) 2>/dev/null | sed "s/^/piped /"
### swap into variables
x=$( { echo out; echo err >&2; } 2>&1 >/dev/null ); echo "$x"
### named descriptor
exec {fd}> f; echo one >&$fd; echo two >&$fd; exec {fd}>&-; cat f
### named descriptor at least ten
exec {fd}< /dev/null; ((fd >= 10)) && echo ok; exec {fd}<&-
### named descriptor read
printf 'a\nb\n' > f; exec {in}< f; while read -u $in l; do echo "<$l>"; done; exec {in}<&-
### named descriptor for a block
{ echo x >&$out; } {out}> f; cat f
### move descriptor
exec 3> f; exec 4>&3-; echo moved >&4; (echo gone >&3) 2>/dev/null; echo $?; exec 4>&-; cat f
### read write
echo hello > f; exec 3<> f; read -u 3 x; echo "$x"; echo more >&3; exec 3>&-; cat f
### read write overwrites in place
printf 'abcdef' > f; exec 3<> f; printf XY >&3; exec 3>&-; cat f; echo
### shared offset
printf 'a\nb\nc\n' > f; { read x; read y; } < f; echo $x $y; { head -1 >/dev/null; cat; } < f
### shared offset between writers
{ echo 1; (echo 2); bash -c 'echo 3'; } > f; cat f
### append from several
(echo a; echo b) >> f & (echo c) >> f & wait; sort f
### two appends interleave
for i in 1 2 3; do echo "o$i"; echo "e$i" >&2; done >> log 2>> log; cat log
### close stdout
(echo x >&-) 2>/dev/null; echo $?
### close stdin
cat <&- 2>/dev/null; echo $?
### closing descriptor in subshell only
exec 3> f; (exec 3>&-; echo x >&3) 2>/dev/null; echo y >&3; exec 3>&-; cat f
### duplicate from variable
n=1; echo to one >&$n; echo w 1>&$n
### stderr to stdout in pipe
ls none 2>&1 | wc -l
### dev stdout and stderr
echo a > /dev/stdout; echo b > /dev/stderr 2>/dev/null; { echo c > /dev/stderr; } 2>&1
### dev stdin
echo piped | cat /dev/stdin; echo x | cat - /dev/null
### dev fd
echo x | cat /dev/fd/0; cat /dev/fd/3 3<<< three
### function with redirect
f() { echo "$1"; cat; } ; f arg <<< in > out; cat out
### loop reads one file writes another
printf '1\n2\n3\n' > in; while read n; do echo $((n*2)); done < in > out; cat out
### nested loops on two descriptors
printf 'a\nb\n' > x; printf '1\n2\n' > y; while read -u 3 l && read -u 4 m; do echo "$l$m"; done 3< x 4< y
### reading and writing the same file truncates
echo abc > f; cat < f > f; wc -c < f
### command substitution from file
echo content > f; x=$(< f); echo "[$x]"; x=$(<f); echo "$x"
### file with spaces and glob target
echo a > "x y"; cat < x\ y; cat < x*
### tee and redirect
echo a | tee f > g; cat f g
### compound with several redirects
if true; then echo o; echo e >&2; fi > o 2> e; cat o e
### case and arithmetic with redirects
case a in a) echo case;; esac > f; cat f; (( 1 / 1 )) 2> g; [[ a == a ]] > h; ls
### here-doc and file redirect together
cat <<EOF > f 2>&1
text
EOF
cat f
### redirect in subshell assignment
x=$(echo hidden > f; echo shown); echo $x; cat f
### printf to descriptor
printf '%s\n' err >&2 2>/dev/null; printf '%s\n' a b >&1
### inherited by child bash
exec 5> f; bash -c 'echo from child >&5'; exec 5>&-; cat f
### file descriptor is inherited for reading
printf 'x\ny\n' > f; exec 6< f; bash -c 'read l <&6; echo "child $l"'; read -u 6 l; echo "parent $l"
### output to itself as input via temp
printf 'c\na\nb\n' > f; sort f > t && mv t f; cat f; sort -r -o f f; cat f
### bad descriptor status
echo x >&9 2>/dev/null; echo $?; (echo x >&99) 2>/dev/null; echo $?
### bad descriptor message
(echo x >&9) 2>&1
### digits glued to words are not descriptors
echo a2>f; cat f; echo 2 >f; cat f; echo x\2>f; cat f
### clobber operator without noclobber
echo a >| f; cat f
### umask decides modes
umask 077; > a; umask 027; > b; stat -c '%a %n' a b
### permission denied
echo x > f; chmod 000 f; cat f 2>/dev/null; echo $?; (echo y > f) 2>/dev/null; echo $?
### truncation with colon
echo abc > f; : > f; [ -s f ] || echo empty
### order of left to right with failing
(echo a > x < none > y) 2>/dev/null; ls
### a substituted writer gets all that was written
exec 3>&1 > >(tr a-z A-Z); echo shown; exec >&3 3>&-; sleep 0.5
