# Special variables and the environment.

### question mark
false; echo $?; true; echo $?; (exit 77); echo $?
### dollar underscore
echo a b c > /dev/null; echo $_; : x y; echo "$_"
### hash at star
set -- a b c; echo "$# $@ $*"
### zero
echo $0; bash -c 'echo $0' name; echo 'echo $0' > s; bash s; bash ./s
### LINENO
echo $LINENO
echo $LINENO; echo $LINENO

echo $LINENO
### RANDOM and SRANDOM are numbers
[[ $RANDOM =~ ^[0-9]+$ ]] && echo ok; [[ $SRANDOM =~ ^[0-9]+$ ]] && echo ok
### SECONDS
SECONDS=10; ((SECONDS >= 10 && SECONDS < 13)) && echo ok
### EPOCHSECONDS
[[ $EPOCHSECONDS =~ ^[0-9]{10}$ ]] && [[ $EPOCHREALTIME =~ ^[0-9]{10}.[0-9]{6}$ ]] && echo ok
### BASH_VERSION
[[ $BASH_VERSION == 5.* ]] && echo ok; ((BASH_VERSINFO[0] >= 5)) && echo ok; echo ${#BASH_VERSINFO[@]}
### HOME PWD USER
echo $HOME $PWD; echo "$USER"; cd /; echo $PWD $OLDPWD
### IFS default
printf '%q\n' "$IFS"
### PATH
echo $PATH
### PATH changed
mkdir b; printf '#!/bin/bash\necho mine\n' > b/tool; chmod +x b/tool; PATH=$PWD/b:$PATH; tool; PATH=/none; tool 2>/dev/null; echo $?
### PATH empty
PATH=; ls 2>/dev/null; echo $?; echo builtin works
### PATH with current directory
printf '#!/bin/sh\necho dot\n' > mytool; chmod +x mytool; PATH=.:$PATH mytool; PATH=:/bin; mytool
### environment of a child
A=1 bash -c 'echo $A'; export B=2; bash -c 'echo $B'; C=3; bash -c 'echo "[$C]"'
### env -i
env -i bash -c 'echo "[$HOME]"'; env -i X=1 env
### env sets and unsets
env A=1 B=2 bash -c 'echo $A$B'; export Z=1; env -u Z bash -c 'echo "[$Z]"'
### names of the environment
env | cut -d= -f1 | sort | tr '\n' ' '
### SHLVL
bash -c 'echo $((SHLVL))' > a; bash -c 'bash -c "echo \$SHLVL"' > b; echo $(( $(cat b) - $(cat a) ))
### UID EUID
echo $UID $EUID; id -u; (UID=5) 2>/dev/null; echo $?
### PPID readonly
(PPID=1) 2>/dev/null; echo $?; [[ $PPID =~ ^[0-9]+$ ]] && echo ok
### BASH_SOURCE and FUNCNAME
echo 'echo "${BASH_SOURCE[0]}"; f() { echo "${FUNCNAME[0]} ${BASH_SOURCE[0]}"; }; f' > s; bash ./s; . ./s
### script directory idiom
mkdir d; echo 'DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"; echo $DIR' > d/s; bash d/s; . d/s
### sourced or run idiom
echo '[[ ${BASH_SOURCE[0]} == "$0" ]] && echo run || echo sourced' > s; bash s; . ./s
### BASH_ARGV0
BASH_ARGV0=renamed; echo $0
### HOSTNAME OSTYPE MACHTYPE set
[ -n "$HOSTNAME" ] && [ -n "$OSTYPE" ] && [ -n "$MACHTYPE" ] && [ -n "$HOSTTYPE" ] && echo set
### GROUPS
[[ ${GROUPS[0]} =~ ^[0-9]+$ ]] && echo ok
### OPTIND default
echo $OPTIND $OPTERR
### PS4 and PS1
echo "[$PS4] [${PS1-unset}]"
### COLUMNS not set in scripts
echo "[${COLUMNS-unset}]"
### assignment forms
a=1 b="x y" c='z' d=$(echo s) e=$((1+1)) f= ; echo "$a|$b|$c|$d|$e|$f"
### append
s=ab; s+=cd; echo $s; declare -i n=5; n+=3; echo $n; u+=new; echo $u
### invalid name
1x=5 2>/dev/null; echo $?; a-b=1 2>/dev/null; echo $?
### names are case sensitive
x=1 X=2; echo $x$X
### underscore names
_=1; _a=2; __=3; echo $_a$__
### value with equals
v=a=b=c; echo $v; export w=x=y; env | grep ^w=
### value with newline in environment
export M=$'l1\nl2'; bash -c 'echo "$M" | wc -l'
### unicode value
export U='ünï'; bash -c 'echo $U ${#U}'
### unset special
unset IFS; v='a b'; set -- $v; echo $#
### local changes of PATH in function
f() { local PATH=/none; type -P cat || echo hidden; }; f; type -P cat
### exported function variable not shown
f() { :; }; export -f f; env | grep -c 'BASH_FUNC_f'
### printenv
export P=1; printenv P; printenv NOPE; echo $?
### LANG and TZ
echo $LANG $TZ; date -d @0 +%Z%z 2>/dev/null
### readonly variables of bash
(SHELLOPTS=x) 2>/dev/null; echo $?; (BASHOPTS=x) 2>/dev/null; echo $?
### DIRSTACK
echo ${DIRSTACK[0]}; mkdir d; pushd d >/dev/null; echo ${#DIRSTACK[@]}
### REPLY and MAPFILE defaults
read <<< x; echo $REPLY; mapfile <<< y; echo ${MAPFILE[0]}
### PIPESTATUS copied
true | false; s=("${PIPESTATUS[@]}"); echo ${s[1]}
### BASH_COMMAND in trap
trap 'echo "$BASH_COMMAND"' EXIT; echo last
### BASH_EXECUTION_STRING
bash -c 'echo "$BASH_EXECUTION_STRING"'
### BASH_ENV is read by scripts
echo 'echo from env file' > e; echo 'echo main' > s; BASH_ENV=./e bash s
### ENV is not read by bash
echo 'echo no' > e; ENV=./e bash -c 'echo yes'
### TIMEFORMAT
TIMEFORMAT='timed'; { time :; } 2>&1
### HISTCONTROL and friends harmless
HISTCONTROL=ignoreboth HISTSIZE=10; echo $HISTSIZE
### circular references end the line
declare -n one=two two=one; one=1; echo same
echo next $?
### reference to a quoted key
declare -A m=(['a b']=c); declare -n r='m["a b"]'; echo "$r"; r=d; echo "${m[a b]}"
### list before a command is text
show() { echo "$L"; }; L=(a b) show; echo "${L-none}"
### readonly under errexit
set -e
readonly fixed=1
fixed=2 2>/dev/null
echo not reached
### last argument after assignments
: a b; x=1; echo "[$_]"; declare -a list=(1 2); echo $_
### SHLVL of what takes the shell's place
export SHLVL=3; (bash -c 'echo $SHLVL'); (true; bash -c 'echo $SHLVL' 2>/dev/null); bash -c 'echo $SHLVL' & wait
### circular references to elements
declare -n r='s[0]' s='r[0]' 2>/dev/null; echo "${r-none}" 2>/dev/null; declare -n x=y y=x; echo "[${x[k]}] ${#x[@]}" 2>/dev/null; [[ -v x[k] ]]; echo $?
### a reference to its own element
declare -n a='a[0]'; echo $?; echo "${a-none}"
### a local reference to its own element
f() { local -n a='a[0]'; echo $?; }; f
### a reference whose subscript is itself
(declare -n r="s[r]"; echo "$r") 2>&1 | grep -c "recursion level"
