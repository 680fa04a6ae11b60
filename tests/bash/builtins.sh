# Builtins: read, printf, getopts, declare, cd, eval, source, type and others.

### read splits
read a b c <<< "one two three four"; echo "$a|$b|$c"; read a b c <<< "one"; echo "$a|$b|$c"
### read REPLY keeps spaces
read <<< "  a  b  "; echo "[$REPLY]"; read x <<< "  a  b  "; echo "[$x]"
### read raw and backslash
read x <<< 'a\tb\\c'; echo "$x"; read -r x <<< 'a\tb\\c'; echo "$x"
### read continues lines
read x <<< $'one\\\ntwo'; echo "$x"; read -r x <<< $'one\\\ntwo'; echo "$x"
### read array
read -a w <<< "a b  c"; echo "${#w[@]} ${w[2]}"
### read count
read -n 3 x <<< abcdef; echo "$x"; read -N 4 x <<< $'a\nbcd'; echo "$x"
### read delimiter
read -d : x <<< "a b:c"; echo "$x"; printf 'x\0y\0' | while IFS= read -r -d '' i; do echo "<$i>"; done
### read IFS
IFS=, read a b <<< "1,2,3"; echo "$a|$b"; IFS= read -r l <<< "  pad "; echo "[$l]"; IFS=: read -r u _ id _ <<< "root:x:0:0"; echo "$u $id"
### read trailing delimiters
IFS=: read a b <<< "1:2:"; echo "[$a][$b]"; IFS=: read a b c <<< "1::3"; echo "[$a][$b][$c]"; IFS=: read a b <<< "1:2::"; echo "[$b]"
### read end of file
read x < /dev/null; echo $?; printf 'partial' | { read x; echo "$? $x"; }
### read timeout on empty
read -t 0.05 x < <(sleep 0.3); echo $(( $? > 128 ))
### read descriptor
exec 3<<< $'l1\nl2'; read -u 3 a; read -u 3 b; echo $a $b
### read prompt is silent without terminal
read -p 'prompt> ' x <<< v; echo $x
### read invalid name
read 1x <<< v 2>/dev/null; echo $?
### read into several with escape
read a b <<< 'one\ two three'; echo "$a|$b"
### printf basics
printf '%s %d %5.2f %x %c\n' str 42 3.14159 255 xyz
### printf repeats the format
printf '%s-%s\n' a b c; printf '[%s]' 1 2 3; echo; printf 'none\n' a b
### printf padding
printf '[%5s][%-5s][%05d][%+d][%5d]\n' ab cd 42 7 -3; printf '[%*s][%-*s]\n' 6 x 6 y; printf '[%.2s]\n' abcdef
### printf numbers
printf '%d %i %u %o %X %e %g\n' 10 -5 7 8 255 12345.678 0.0001; printf '%#x %#o\n' 255 8
### printf q
printf '%q %q %q\n' 'a b' "x'y" ''; printf '%q\n' $'tab\there'
### printf b
printf '%b|' 'a\tb\n' 'c\x41' 'stop\c no' more; echo
### printf v
printf -v x '%03d' 7; echo $x; printf -v y '%s,' a b c; echo "${y%,}"
### printf escapes in format
printf 'a\tb\n\x41\101\u00e9\\\n'; printf '%%\n'; printf '\x00' | wc -c
### printf invalid number
printf '%d\n' abc 2>/dev/null; echo $?; printf '%d\n' 3x 2>/dev/null; echo $?
### printf missing arguments
printf '%s|%d|\n'; printf '%s %s\n' one
### printf character codes
printf '%d %d\n' "'a" '"b'
### printf time
TZ=UTC printf '%(%Y-%m-%d %H:%M:%S)T\n' 0; printf '%(%F)T\n' 86400
### printf bad directive
printf '%z\n' 2>/dev/null; echo $?; printf 2>/dev/null; echo $?
### printf double dash
printf -- '-%s\n' a; printf -- '--\n'
### echo forms
echo; echo -n; echo a  b   c; echo 'a\nb'; echo -e 'a\nb'; echo - -x
### getopts
while getopts 'ab:c' o -a -b val -c rest 2>/dev/null; do echo "$o ${OPTARG-}"; done; echo $OPTIND
### getopts function
f() { local OPTIND o; while getopts ':hn:v' o; do case $o in h) echo help;; n) echo "n=$OPTARG";; v) echo v;; :) echo "missing $OPTARG";; \?) echo "bad $OPTARG";; esac; done; shift $((OPTIND-1)); echo "rest $*"; }
f -v -n 5 x y; f -hvn7 -- -z; f -q; f -n
### getopts clustered and stops
set -- -ab file -c; while getopts abc o; do echo $o; done; echo "$OPTIND $1"; shift $((OPTIND-1)); echo "$@"
### getopts errors to stderr
getopts ab o -z 2>&1; echo "$o $?"
### cd and pwd
mkdir -p a/b; cd a; pwd; cd b; pwd; cd ..; pwd; cd -; cd; pwd
### cd errors
cd none 2>/dev/null; echo $?; touch f; cd f 2>/dev/null; echo $?; cd a b 2>/dev/null; echo $?
### cd messages
cd none 2>&1; touch f; cd f 2>&1; cd a b 2>&1
### cd logical and physical
mkdir -p real/x; ln -s real/x link; cd link; pwd; pwd -P; cd ..; pwd; cd link; cd -P ..; pwd
### cd OLDPWD and PWD
mkdir d; cd d; echo $OLDPWD $PWD; cd "$OLDPWD"; echo $PWD
### CDPATH
mkdir -p p/t; CDPATH=p; cd t; pwd
### pushd popd dirs
mkdir a b; pushd a >/dev/null; pushd ../b; dirs; popd; popd; dirs -v
### eval
eval echo a b; x='echo "q  q"'; eval $x; eval "$x"; eval; echo $?; eval 'a=1; b=2'; echo $a$b
### eval status and syntax error
eval false; echo $?; eval 'if' 2>/dev/null; echo $?; eval "exit_code() { return 3; }; exit_code"; echo $?
### source
echo 'y=$1; echo "in $# $1"; z=9' > s; . ./s arg; echo $y $z; source ./s; set -- p q; . ./s; echo $1
### source missing
. ./none 2>/dev/null; echo $?
### source by PATH
mkdir d; echo 'echo from path' > d/lib; PATH=$PWD/d:$PATH; . lib
### source changes positional only inside
echo 'set -- x y z; echo $#' > s; set -- 1; . ./s a b; echo $#
### exec replaces
(exec echo replaced; echo no); echo $?
### exec missing
(exec nosuch_x) 2>/dev/null; echo $?; (exec ./none) 2>/dev/null; echo $?
### exec with name and environment
(exec -a custom bash -c 'echo $0'); (exec env -i A=1 bash -c 'echo $A')
### command
command echo a; command -v echo; command -v cat; command -V cat; command -v if; command -v nosuch_x; echo $?
### type
type -t echo cat if nosuch_x; type cat; type echo; type if; type nosuch_x 2>/dev/null; echo $?
### type -a and -p
type -p cat; type -P echo; type -a true
### which
which cat ls; which nosuch_x; echo $?
### hash
hash cat; hash -t cat; hash -r; hash nosuch_x 2>/dev/null; echo $?
### builtin
builtin echo b; builtin nosuch_x 2>/dev/null; echo $?
### enable
enable -n test; type -t test; enable test; type -t test
### declare attributes
declare -i n=5; declare -r r=1; declare -l low=ABC; declare -u up=abc; echo $n $low $up; declare -p n r low up
### declare print missing
declare -p nosuch_var 2>/dev/null; echo $?
### declare global in function
f() { declare -g g=1; declare l=2; }; f; echo "$g [${l-}]"
### declare remove attribute
declare -i n=1; declare +i n; n=1+1; echo $n; declare -x e=1; declare +x e; env | grep ^e= ; echo $?
### declare several
declare a=1 b=2 c; echo "$a $b ${c-unset}"; declare -p c
### typeset
typeset -i t=3*3; echo $t
### export
export A=1 B; B=2; C=3; env | grep -E '^[ABC]=' | sort; export -n A; env | grep -c '^A='; export -p | grep 'B='
### readonly
readonly R=1; (R=2) 2>/dev/null; echo $?; echo $R; (unset R) 2>/dev/null; echo $?; readonly -p | grep ' R='
### readonly assignment ends the line
bash -c 'readonly R=1; R=2; echo no
echo next line' 2>/dev/null; echo $?
### readonly message
(readonly R=1; R=2) 2>&1; (readonly R; unset R) 2>&1
### unset
x=1; unset x; echo "[${x-none}]"; unset nothing; echo $?; unset -v a b; f() { :; }; unset -f f; echo $?
### shift
set -- a b c d; shift; echo $1; shift 2; echo $1; shift 5; echo "$? $#"; shift; echo $#
### shift too many message
set --; shift; echo $?; set -- a; shift 2 2>/dev/null; echo "$? $1"
### set positional from IFS
IFS=:; set -- $(echo a:b:c); echo $#
### let true false colon
:; echo $?; true; echo $?; false; echo $?
### umask
umask; umask 077; umask; umask -S; umask u=rwx,g=rx,o=; umask
### times and ulimit exist
times > /dev/null; echo $?; ulimit -n > /dev/null; echo $?
### wait without children
wait; echo $?; wait 99999 2>/dev/null; echo $?
### help exists
help > /dev/null; echo $?; type -t help
### history and fc are quiet
history; echo $?
### bind and complete do not fail scripts
complete -W 'a b' cmd 2>/dev/null; echo $?; compgen -W 'apple banana avocado' a
### compgen lists
f_one() { :; }; f_two() { :; }; compgen -A function f_; v_one=1; compgen -v v_; compgen -b ech
### mapfile callback
mapfile -t -c 2 -C 'echo cb' a < <(seq 4); echo ${#a[@]}
### mapfile from descriptor
exec 4< <(printf 'a\nb\n'); mapfile -t -u 4 m; echo "${m[1]}"
### test as builtin and program
type -t test [; /bin/test 1 = 1; echo $?; env test a = b; echo $?
### true as program
/bin/true; echo $?; env false; echo $?
### kill builtin lists
kill -l 15; kill -l INT
### pwd options
mkdir d; ln -s d l; cd l; pwd -L; pwd -P; builtin pwd
### return in nested source
echo 'return 7' > a; echo '. ./a; echo $?' > b; . ./b
### caller at top
caller; echo $?
### exit in sourced file
echo 'exit 5' > s; (. ./s; echo no); echo $?
### local options of declare in function
f() { declare -i x=1+1; local -r y=2; local -a z=(1 2); local -u w=up; echo $x $y ${#z[@]} $w; }; f
### unknown option status
cd -z 2>/dev/null; echo $?; read -z 2>/dev/null; echo $?; declare -z 2>/dev/null; echo $?; export -z 2>/dev/null; echo $?
### suspend and logout are builtins
type -t suspend logout disown fg bg
### printf to array of fields
printf '%-10s|%6s|\n' name size a.txt 12 long-name.txt 3456
### complete prints what it was told
complete -o nospace -W 'one two' -P '<' cmd; complete -F make cmd2; complete -p cmd cmd2; complete -r cmd; complete -p cmd 2>/dev/null; echo $?
### compgen words and filters
compgen -W 'alpha beta "al ias"' al; compgen -W 'aa ab' -X '&b' a; compgen -A keyword wh; compgen -A nothing 2>/dev/null; echo $?
### compgen with a function
pick() { COMPREPLY=(red green); echo "asked for $2"; }; compgen -F pick r 2>/dev/null; echo "${COMPREPLY-none}"
### compgen of files
mkdir -p d/sub; touch d/file; compgen -f d/; compgen -d d/; compgen -f d/none; echo $?
### history from a file
printf 'one\ntwo\nthree\n' > h; HISTFILE=h; history -r; history 2; history -d 1; history | wc -l; history -s four five; history -w; cat h
### history wrong argument
history many 2>/dev/null; echo $?; history -z 2>/dev/null; echo $?
### hash counts and names
hash -p /some/where tool; hash -t tool; hash -p /else other; hash -t tool other; hash -d tool; hash -t tool 2>/dev/null; echo $?; hash -r; hash
### ulimit lowered
ulimit -S -n 64; ulimit -n; ulimit -S -n 32; ulimit -n
### mapfile options together
printf 'a\nb\nc\n' > f; mapfile -tn2 x < f; echo "${x[@]}"; mapfile -ts1 y < f; echo "${y[@]}"; mapfile FUNCNAME < f; echo $?
### pushd and popd usage
pushd -q 2>/dev/null; echo $?; pushd a b 2>/dev/null; echo $?; popd word 2>/dev/null; echo $?
### readonly with array letters
readonly -a none; declare -p none; readonly -A pair=([k]=v); declare -p pair; a=(1); readonly -A a; echo $?; declare -p a
### test groups before comparing
test 1 -eq 1 -a '(' = ')'; echo $?; test '(' = ')'; echo $?
### ulimit takes several limits
ulimit -n 512 -u 100; echo $?; ulimit -n; ulimit -u; ulimit -S -n 300 -c 0; ulimit -n; ulimit -nf 500; echo $?; ulimit -n 200 -c; echo $?; ulimit -n 100 -y; echo $?; ulimit -n
