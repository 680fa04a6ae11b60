# Command and process substitution.

### strips trailing newlines
x=$(printf 'a\n\n\n'); echo "[$x]"; x=$(printf '\n\na'); echo "[$x]"
### inner newlines
x=$(printf 'a\nb\n'); echo "$x"; echo $x
### nested
echo $(echo a $(echo b $(echo c)))
### backtick nesting
echo `echo a \`echo b\``
### status
x=$(exit 3); echo $?; echo $(exit 3); echo $?
### in word
echo pre$(echo mid)post "a$(echo b)c"
### splits and globs
touch f1 f2; echo $(echo 'f*') "$(echo 'f*')"
### variables stay inside
x=1; y=$(x=2; echo $x); echo "$x $y"
### cd stays inside
mkdir d; x=$(cd d; pwd); echo "$x"; pwd
### exit stays inside
x=$(echo a; exit; echo b); echo "$x"
### with quotes inside quotes
echo "$(echo "x  $(echo "y  z")")"
### with parentheses and case
echo $(case a in a) echo one;; esac) "$( (echo sub) )"
### with comment
echo $(echo a # comment )
)
### with heredoc
echo "$(cat <<E
h
E
)"
### file read
printf 'a\nb\n' > f; echo "$(<f)"; echo $(< f)
### empty
x=$(); echo "[$x] $?"; x=$(:); echo "[$x]"
### stderr passes
x=$(echo err >&2) 2>/dev/null; echo "[$x]"; x=$(echo err 2>&1 >&2) 2>/dev/null; y=$( { echo e >&2; } 2>&1); echo "$y"
### fifty nested
s='echo x'; for i in {1..50}; do s="echo \$($s)"; done; eval "$s"
### long output
x=$(seq 10000); echo ${#x}
### null bytes are dropped
x=$(printf 'a\0b') 2>/dev/null; echo "${#x} $x"
### in arithmetic, arrays, conditions
a=($(seq 3)); echo $(( $(echo 2) * ${a[2]} )); [[ $(echo a) == a ]] && echo y; if [ "$(echo b)" = b ]; then echo z; fi
### in for and case
for i in $(seq 3); do echo $i; done; case $(echo k) in k) echo case;; esac
### in assignment prefix
V=$(echo v) env | grep ^V=
### function called
f() { echo "f$1"; }; echo "$(f 1)$(f 2)"
### set -e is off inside by default
set -e; x=$(false; echo kept); echo "$x"
### inherit_errexit
shopt -s inherit_errexit; set -e; x=$(false; echo kept) || echo "failed [$x]"
### assignment failing under set -e
set -e; x=$(false); echo no
### local hides failure under set -e
set -e; f() { local x=$(false); echo reached; }; f
### pipeline inside
x=$(printf '3\n1\n2\n' | sort | head -1); echo $x
### background inside is waited for through the pipe
x=$( (sleep 0.05; echo late) & echo early); echo "$x"
### subshell variable BASH_SUBSHELL
echo $BASH_SUBSHELL $(echo $BASH_SUBSHELL) $(echo $(echo $BASH_SUBSHELL)); (echo $BASH_SUBSHELL)
### double dollar is stable
[ "$$" = "$(echo $$)" ] && echo same; (  [ "$$" = "$BASHPID" ] || echo differs )
### process substitution read
cat <(echo a) <(echo b)
### process substitution diff
diff <(printf '1\n2\n') <(printf '1\n3\n'); echo $?
### process substitution to while
n=0; while read x; do ((n+=x)); done < <(seq 4); echo $n
### process substitution write
echo hello > >(tr a-z A-Z > out); sleep 0.2; cat out
### process substitution tee
seq 3 | tee >(wc -l > count) > /dev/null; sleep 0.2; cat count
### process substitution comm and join
comm -12 <(printf 'a\nb\nc\n') <(printf 'b\nc\nd\n'); join <(printf '1 x\n2 y\n') <(printf '1 p\n2 q\n')
### process substitution paste
paste -d, <(seq 3) <(seq 4 6)
### process substitution with variables and functions
v=val; f() { echo "$v $1"; }; cat <(f arg) <(v=inner; f x); echo $v
### process substitution is a file name
f=$(echo <(:)); case $f in /dev/fd/*) echo path;; esac
### process substitution nested
cat <(cat <(echo inner)) <(sort <(printf 'b\na\n'))
### process substitution with source
. <(echo 'x=sourced; echo in'); echo $x
### process substitution to mapfile
mapfile -t a < <(printf 'x\ny z\n'); echo "${#a[@]} ${a[1]}"
### process substitution reader leaves early
head -1 < <(yes)
### process substitution unread
true <(echo x); echo $?
### process substitution status by wait
: <(exit 4); wait $!; echo $?
### grep pattern file by process substitution
printf 'apple\nbanana\ncherry\n' | grep -f <(printf 'an\nch\n')
### process substitution in function argument
f() { cat "$1"; echo "n=$#"; }; f <(echo data)
### output and error to different substitutions
{ echo o; echo e >&2; } > >(sed 's/^/out:/' > o) 2> >(sed 's/^/err:/' > e); sleep 0.2; cat o e
### dollar paren with arithmetic look
echo $( (echo 1) ; echo 2 ) $((1+(2*3)))
### unterminated
bash -c 'echo $(echo a' 2>/dev/null; echo $?; bash -c 'echo `echo a' 2>/dev/null; echo $?
### substitution in default and pattern
unset u; echo ${u:-$(echo d)}; v=abc; echo ${v/$(echo b)/$(echo X)} ${v:$(echo 1)}
### keeps exit status for next
false; echo "$(echo $?)"; (exit 4); x=$?$(echo); echo $x
### eval of substitution
eval "$(echo 'echo evaled; y=1')"; echo $y
### printf in substitution keeps spaces quoted
x="$(printf '%5s|%-5s|' a b)"; echo "$x"
### command -v in substitution
if [ -n "$(command -v cat)" ]; then echo have; fi; [ -z "$(command -v nothing_here)" ] && echo none
