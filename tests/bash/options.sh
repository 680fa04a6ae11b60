# set, shopt, errexit, nounset, xtrace.

### errexit stops
set -e; echo a; false; echo b
### errexit in and or lists
set -e; false && true; echo a; false || true; echo b; true && false; echo c
### errexit in conditions
set -e; if false; then :; fi; while false; do :; done; ! true; ! false; echo here
### errexit function in condition is ignored
set -e; f() { false; echo continued; }; if f; then echo ok; fi; f || echo no; f; echo never
### errexit in subshell
set -e; (false; echo no); echo never
### errexit subshell in or list
set -e; (false; echo yes) || echo or; echo end
### errexit pipeline takes the last
set -e; false | true; echo a; true | false; echo b
### errexit with assignment
set -e; x=$(exit 3); echo no
### errexit and local
set -e; f() { local x=$(false); echo "in f"; }; f; export y=$(false); echo out
### errexit in command substitution in argument
set -e; echo "$(false)x"; echo still
### errexit in arithmetic
set -e; ((1)); echo a; ((0)); echo b
### errexit increments trap
set -e; i=0; ((i++)) || true; echo $i; let i=5; let i=0; echo no
### errexit in loops
set -e; for i in 1 2; do [ $i = 1 ] && echo one; done; echo after
### errexit last in function
set -e; f() { [ 1 = 2 ] && echo x; }; f; echo never
### errexit off again
set -e; set +e; false; echo go
### errexit group
set -e; { false; } || echo caught; { echo a; false; echo b; }
### errexit with exit trap
set -e; trap 'echo trap $?' EXIT; false; echo no
### errexit keeps status
set -e; (exit 42)
### errexit in eval and source
set -e; echo 'false; echo no' > s; . ./s || echo src; eval 'false'; echo never
### errexit test bracket
set -e; [ -f none ] || echo none; [[ -f none ]] && echo x; [ -d . ]; echo ok; [ -f none ]; echo no
### errexit negation of function
set -e; f() { false; }; ! f; echo a; if ! f; then echo b; fi
### errexit in case and here
set -e; case $(false; echo v) in v) echo matched;; esac; cat <<< "$(false)"; echo ok
### nounset
set -u; echo "${x-}"; echo "${#}"; echo "$@"; echo $nope; echo no
### nounset with positional
set -u; f() { echo "${1:-none}"; echo "$1"; }; f; echo no
### nounset arrays
set -u; a=(); echo "${a[@]}" "${#a[@]}"; a=(1); (echo "${a[5]}") 2>/dev/null; echo $?
### nounset in subshell
set -u; (echo $nope) 2>/dev/null; echo "$?"
### nounset in arithmetic
set -u; (echo $((nope+1))) 2>/dev/null; echo $?
### euo pipefail
set -euo pipefail; echo start; cat none 2>/dev/null | sort; echo no
### euo pipefail with grep
set -euo pipefail; n=$(printf 'a\n' | grep -c z || true); echo "n=$n"
### xtrace
{ set -x; echo a "b c"; x=1; [ $x = 1 ]; set +x; } 2>&1
### xtrace to descriptor
exec 5> trace; BASH_XTRACEFD=5; set -x; echo "hi there"; x='a b'; y=$x; for i in 1 2; do :; done; set +x; cat trace
### xtrace PS4
exec 5> trace; BASH_XTRACEFD=5; PS4='>> '; set -x; echo hi; set +x; cat trace
### xtrace nested
exec 5> t; BASH_XTRACEFD=5; set -x; x=$(echo $(echo deep)); set +x; cat t
### xtrace compound
exec 5> t; BASH_XTRACEFD=5; f() { local v=$1; ((v > 0)); [[ $v == 1 ]]; }; set -x; f 1; case a in a) echo c;; esac; if true; then :; fi; set +x; cat t
### xtrace of arrays and redirects
exec 5> t; BASH_XTRACEFD=5; set -x; a=(1 "2 3"); echo "${a[@]}" > o; a[1]=x; set +x; cat t
### xtrace of pipeline
exec 5> t; BASH_XTRACEFD=5; set -x; echo one | cat; set +x; sort t
### xtrace quoting
exec 5> t; BASH_XTRACEFD=5; set -x; : '' 'a b' "it's" $'n\nl' '$v' plain; set +x; cat t
### verbose
bash -vc 'echo a
echo b' 2>&1
### noexec checks syntax only
bash -nc 'echo hi'; echo $?; bash -nc 'if' 2>/dev/null; echo $?
### noglob
touch a; set -f; echo *; set +f; echo *
### allexport
set -a; X=1; set +a; Y=2; env | grep -E '^[XY]='
### set with positional
set -- a b c; echo $# $2; set -- ; echo $#; set x y; echo $1
### set dash keeps
set -- -e foo; echo "$1"; set -; echo "$#"; set - p q; echo "$1"
### set with plus and minus
set -ef; case $- in *e*f*|*f*e*) echo both;; esac; set +ef; case $- in *e*) echo e;; *) echo none;; esac
### set -o listing
set -o | grep -E '^(errexit|pipefail|noclobber)'; set -o pipefail; set -o | grep pipefail
### set +o output is input
set -o pipefail; set +o | grep -E 'pipefail|errexit'
### shopt query
shopt -q extglob; echo $?; shopt -s extglob; shopt -q extglob; echo $?; shopt extglob nullglob
### shopt output form
shopt -p nullglob; shopt -s nullglob; shopt -p nullglob; shopt -u nullglob
### shopt unknown
shopt -s nosuchoption 2>/dev/null; echo $?
### shopt set option form
shopt -so pipefail; shopt -o pipefail; shopt -uo pipefail; shopt -qo pipefail; echo $?
### SHELLOPTS and BASHOPTS
set -u; case :$SHELLOPTS: in *:nounset:*) echo yes;; esac; shopt -s nullglob; case :$BASHOPTS: in *:nullglob:*) echo yes;; esac
### dollar minus
set -e; [[ $- == *e* ]] && echo has e; [[ $- == *i* ]] || echo not interactive
### options in bash arguments
bash -eu -o pipefail -c 'echo $SHELLOPTS' | tr : '\n' | grep -E 'errexit|nounset|pipefail'
### posix mode by argument
bash --posix -c 'shopt -qo posix && echo posix'
### shopt by argument
bash -O extglob -c 'case aab in +(a)b) echo ok;; esac'
### noclobber option name
set -o noclobber; [[ -o noclobber ]] && echo on
### options are restored after subshell
(set -e); [[ -o errexit ]] || echo off
### invalid option
set -o nosuch 2>/dev/null; echo $?; set -Z 2>/dev/null; echo $?
### expand_aliases default off
alias hi='echo hello'; hi 2>/dev/null; echo $?
### assoc_expand_once and others can be set
shopt -s lastpipe dotglob globstar && shopt lastpipe dotglob globstar
### keyword option
set -k; f() { echo "$x $#"; }; f x=5 a; set +k
### onecmd
bash -t -c 'echo a
echo b'; echo $?
### braceexpand off
set +B; echo {a,b}; set -B; echo {a,b}
### privileged history and others accepted
set +H; set -h; set -o nolog; echo $?
### errtrace and functrace
set -E; trap 'echo err' ERR; f() { false; true; }; f; set +E; f
### failing command in ERR under errexit
set -e; trap 'echo "ERR $?"' ERR; false
### set prints variables
v_one='a b'; set | grep '^v_one='
### cdable_vars
mkdir d; target=$PWD/d; shopt -s cdable_vars; cd target >/dev/null; basename $PWD
### autocd is not for scripts
mkdir d; shopt -s autocd; d 2>/dev/null; echo $?
### extdebug off declare -F
f() { :; }; declare -F f
### localvar_inherit
shopt -s localvar_inherit; x=out; f() { local x; echo $x; }; f
### checkwinsize and huponexit are known
shopt -s checkwinsize huponexit; echo $?
### gnu error format
shopt -s gnu_errfmt; (nosuchcmd_zz) 2>/dev/null; echo $?
### compat ignored
BASH_COMPAT=5.0; echo $BASH_COMPAT
### xtrace of declarations
exec 2>&1; set -x; export one=1; declare -a list=(1 'a b'); V=2 true 2>/dev/null; [[ ! -z x ]]; ((  one = 3 )); for ((i=0;i<1;i++)); do :; done
### errexit that begins in a negated function
f() { set -e; false; echo no; }; ! f; echo after
