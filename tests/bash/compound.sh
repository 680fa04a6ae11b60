# if, for, while, until, case, select and arithmetic for.

### if elif else
for x in 1 2 3; do if [ $x = 1 ]; then echo one; elif [ $x = 2 ]; then echo two; else echo other; fi; done
### if status without branch
if false; then echo x; fi; echo $?
### if one line forms
if true; then echo a; fi; if true
then
  echo b
fi
### nested if
if true; then if false; then echo a; else echo b; fi; fi
### for in words
for i in a "b c" d; do echo "<$i>"; done
### for over nothing
for i in; do echo x; done; echo "status $?"
### for over positional
set -- x "y z"; for i; do echo "<$i>"; done
### for over positional with do on next line
set -- 1 2
for i
do
  echo $i
done
### for over glob
touch b.txt a.txt c.log; for f in *.txt; do echo "$f"; done
### for over glob without match
for f in *.none; do echo "$f"; done
### for over brace range
for i in {1..3}; do echo -n "$i "; done; echo
### for over substitution splits
for w in $(echo a b; echo c); do echo "[$w]"; done
### for with braces instead of do
for i in 1 2; { echo $i; }
### for variable stays
for i in 1 2 3; do :; done; echo $i
### c style for
for ((i=0; i<3; i++)); do echo $i; done
### c style for with commas
for ((i=0, j=10; i<j; i+=3, j-=2)); do echo "$i $j"; done
### c style for empty parts
i=0; for ((;;)); do ((i++ >= 2)) && break; echo $i; done
### c style for with braces
for ((i=3; i>0; i--)) { echo $i; }
### c style for spaces and dollar
n=3; for (( i = 0 ; i < $n ; i++ )) ; do echo -n $i; done; echo
### while
i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done
### while with several conditions
i=0; while echo "check $i"; ((i<2)); do ((i++)); done
### until
i=3; until ((i==0)); do echo $i; ((i--)); done
### while never run status
while false; do :; done; echo $?
### break and continue
for i in 1 2 3 4 5; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
### break two levels
for i in 1 2; do for j in a b; do [ $j = b ] && break 2; echo $i$j; done; done; echo out
### continue two levels
for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; echo never; done
### break more levels than there are
for i in 1 2; do break 9; done; echo $?
### break status
for i in 1; do false; break; done; echo $?
### loop with redirected input
printf 'a\nb\n' > f; while read l; do echo "[$l]"; done < f
### loop with redirected output
for i in 1 2; do echo $i; done > f; cat f
### while read keeps variables
n=0; while read x; do ((n+=x)); done <<< $'1\n2\n3'; echo $n
### case literal
for x in a b z; do case $x in a) echo A;; b) echo B;; *) echo other;; esac; done
### case alternatives
for x in yes Y no; do case "$x" in [Yy]|[Yy]es) echo y;; n|no) echo n;; esac; done
### case pattern with quotes
x='*'; case $x in '*') echo star;; esac; case abc in "a*") echo lit;; a*) echo glob;; esac
### case leading parenthesis
case b in (a) echo 1;; (b) echo 2;; esac
### case fall through
case a in a) echo 1 ;& b) echo 2 ;; c) echo 3;; esac
### case test next
case abc in a*) echo 1 ;;& *b*) echo 2 ;;& x) echo 3;; *c) echo 4;; esac
### case no match status
false; case x in y) echo;; esac; echo $?
### case empty branch
case a in a) ;; esac; echo $?
### case with last branch without separator
case a in a) echo x
esac
### case variable pattern
p='a*'; case abc in $p) echo unquoted;; esac; case abc in "$p") echo quoted;; *) echo no;; esac
### case character classes
for c in a 5 ' ' _; do case $c in [[:alpha:]]) echo alpha;; [[:digit:]]) echo digit;; [[:space:]]) echo space;; *) echo other;; esac; done
### case extglob
shopt -s extglob
for f in a.tar.gz b.zip c.txt; do case $f in *.@(tar.gz|zip)) echo archive;; !(*.zip)) echo plain;; esac; done
### case with substitution in word
case $(echo hello) in h*o) echo ok;; esac
### case nocasematch
shopt -s nocasematch; case HELLO in hello) echo same;; esac
### case negated bracket
for c in a b; do case $c in [!a]) echo "$c not a";; [^b]) echo "$c not b";; esac; done
### case in function with return
f() { case $1 in -h) echo help; return 0;; *) return 3;; esac; }; f -h; f x; echo $?
### select from input
select x in one two three; do echo "got $x"; break; done <<< 2 2>/dev/null
### select invalid choice
select x in one two; do echo "[$x] $REPLY"; [ -n "$x" ] && break; done 2>/dev/null <<< $'9\n1'
### select at end of input
select x in a b; do echo $x; done < /dev/null 2>/dev/null; echo "status $?"
### select menu
PS3='? '; select x in aa bb; do break; done 2>&1 <<< 1
### double parenthesis as condition
if ((2 > 1)); then echo yes; fi; ((0)) || echo zero
### double bracket as condition
if [[ abc == a* ]]; then echo match; fi
### nested loops with labels
for i in {1..3}; do for ((j=i; j<=3; j++)); do printf '%d%d ' $i $j; done; done; echo
### while true with counter
c=0; while true; do ((++c > 4)) && break; done; echo $c
### until with command list
until false || [ -e done ]; do touch done; echo made; done
### loop status is last command
for i in 1 2; do [ $i = 1 ]; done; echo $?
### return inside loop inside function
f() { for i in 1 2 3; do [ $i = 2 ] && return $i; done; }; f; echo $?
### loop in subshell in background
(for i in 1 2; do echo $i; done) & wait
### coproc talks
coproc cat; echo hi >&${COPROC[1]}; read -u ${COPROC[0]} x; echo "got $x"; exec {COPROC[1]}>&-; wait; echo $?
### named coproc
coproc UP { tr a-z A-Z; }; echo abc >&${UP[1]}; fd=${UP[1]}; exec {fd}>&-; cat <&${UP[0]}
### empty body with colon
for i in 1 2; do :; done; while ! :; do :; done; echo fine
### keyword on new lines
while
  [ "${n:-0}" -lt 2 ]
do
  n=$((n+1))
  echo "n=$n"
done
