# Functions, locals, recursion, return codes.

### both spellings
f() { echo f; }
function g { echo g; }
function h() { echo h; }
f; g; h
### arguments
f() { echo "$# [$1] [$2] [$*]"; }; f a "b c"; f
### arguments restored after call
set -- outer; f() { echo "$1"; set -- changed; echo "$1"; }; f inner; echo "$1"
### return value
f() { return 5; }; f; echo $?
### return without value
f() { false; return; }; f; echo $?
### status of last command
f() { true; false; }; f; echo $?
### return value wraps
f() { return 257; }; f; echo $?
### return outside function
return 3 2>/dev/null; echo $?
### return negative
f() { return -1; }; f; echo $?
### local hides
x=1; f() { local x=2; echo $x; }; f; echo $x
### global assignment
f() { x=5; }; f; echo $x
### dynamic scope
g() { echo "$x"; x=changed; }; f() { local x=local; g; echo "$x"; }; x=global; f; echo "$x"
### local without value is unset
x=1; f() { local x; echo "[${x-unset}]"; }; f
### local several
f() { local a=1 b c=3; echo "$a [$b] $c"; }; f; echo "[$a$b$c]"
### local array
a=(g); f() { local a=(x y); echo "${a[@]}"; }; f; echo "${a[@]}"
### local with status
f() { local x=$(false); echo $?; local y; y=$(false); echo $?; }; f
### local outside function
local x=1 2>/dev/null; echo $?
### local inherits with -I
x=outer; f() { local -I x; echo "$x"; x=in; }; f; echo "$x"
### unset local reveals
x=g; f() { local x=l; unset x; echo "[${x-unset}]"; }; f; echo "$x"
### unset in callee
g() { unset x; }; f() { local x=1; g; echo "[${x-unset}]"; }; x=0; f
### recursion factorial
fact() { (( $1 <= 1 )) && { echo 1; return; }; echo $(( $1 * $(fact $(($1 - 1))) )); }; fact 10
### recursion fibonacci
fib() { if (($1 < 2)); then echo $1; else echo $(( $(fib $(($1-1))) + $(fib $(($1-2))) )); fi; }; fib 9
### recursion with return value variable
sum() { local n=$1; if ((n==0)); then REPLY=0; else sum $((n-1)); ((REPLY+=n)); fi; }; sum 100; echo $REPLY
### mutual recursion
even() { (($1==0)) && return 0; odd $(($1-1)); }; odd() { (($1==0)) && return 1; even $(($1-1)); }
even 10 && echo even; odd 10 || echo not odd
### redefine
f() { echo 1; }; f; f() { echo 2; }; f
### function redefines itself
f() { echo first; f() { echo second; }; }; f; f
### nested definition
outer() { inner() { echo inner; }; }; outer; inner
### unset function
f() { echo f; }; unset -f f; f 2>/dev/null; echo $?
### unset prefers variable
f=1; f() { echo func; }; unset f; echo "[${f-unset}]"; f; unset f; f 2>/dev/null; echo $?
### function shadows builtin
echo() { builtin echo "my: $*"; }; echo hi; unset -f echo; echo hi
### command skips functions
ls() { echo fake; }; touch a; ls; command ls
### function named like program in pipeline
cat() { tr a-z A-Z; }; echo abc | cat
### body can be any compound
f() for i in "$@"; do echo "<$i>"; done
g() if [ "$1" = y ]; then echo yes; else echo no; fi
h() (x=sub; echo $x)
k() [[ $1 == a* ]]
x=main; f 1 2; g y; h; echo $x; k abc && echo k
### redirection of a definition
f() { echo out; echo err >&2; } > log 2>&1; f; cat log
### input redirection of a call
f() { while read l; do echo "[$l]"; done; }; f <<< $'a\nb'
### funcname
f() { echo "${FUNCNAME[0]} ${#FUNCNAME[@]}"; g; }; g() { echo "${FUNCNAME[@]:0:2}"; }; f
### bash_lineno and caller
f() {
  caller
  caller 0
}
f
### lineno in function
echo $LINENO
f() {
  echo $LINENO
}
f
### declare -f prints definition
f() { echo "a $1"; if true; then echo b; fi; }
declare -f f
### declare -F prints name
f() { :; }; g() { :; }; declare -F f; declare -F
### type of function
f() { echo hi; }; type f; type -t f
### function with dash and dots
my-func.sh() { echo dashed; }; my-func.sh
### export -f into bash
f() { echo "from parent $1"; }; export -f f; bash -c 'f x'
### function not exported
f() { :; }; bash -c 'f' 2>/dev/null; echo $?
### function in command substitution
f() { x=changed; echo out; }; x=orig; y=$(f); echo "$x $y"
### temporary assignment visible in function
f() { echo "$v"; }; v=temp f; echo "[$v]"
### temporary assignment exported in function
f() { bash -c 'echo "$v"'; }; v=temp f
### positional beyond nine
f() { echo "${10} $10"; }; f a b c d e f g h i j
### shift in function
f() { while [ $# -gt 0 ]; do echo "$1 of $#"; shift; done; }; f a b c
### pass all arguments on
g() { echo "$#:$1:$2"; }; f() { g "$@"; g $@; g "$*"; }; f "a b" c
### default argument idiom
greet() { local name=${1:-world}; echo "hello $name"; }; greet; greet bob
### returning by nameref
f() { local -n out=$1; out="set by f"; }; f result; echo "$result"
### return in sourced file
echo 'echo a; return 4; echo b' > s; . ./s; echo $?
### trap return
f() { trap 'echo returned' RETURN; echo body; }; f
### function exit ends script
f() { exit 6; }; f; echo no
### exit in function in subshell
f() { exit 6; }; (f); echo $?
### deep recursion
d() { (($1 == 0)) || d $(($1-1)); }; d 200; echo fine
### FUNCNEST limits recursion
FUNCNEST=20; f() { f; }; f 2>/dev/null; echo $?
### readonly function
f() { echo 1; }; readonly -f f; f() { echo 2; } 2>/dev/null; f
### local dash restores options
f() { local -; set -f; echo *; }; touch a b; f; echo *
### positional in arithmetic
add() { echo $(($1 + $2)); }; add 3 4
### comments and blank lines in body
f() {
  # a comment

  echo body   # trailing

}
f
### keyword function without parens and subshell body
function f ( echo sub )
f
### names with expansions
$f-g() { :; } 2>/dev/null; echo $?
### listing of conditions and quotes
f() { [[ x && ! ( a == b ) ]]; echo $'a\tb' $"c"; }; declare -f f
