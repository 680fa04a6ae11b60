# Parameter expansion, braces, tilde, word splitting.

### default when unset or empty
unset u; e=; v=x; echo "[${u-d}] [${e-d}] [${v-d}] [${u:-d}] [${e:-d}] [${v:-d}]"
### alternative
unset u; e=; v=x; echo "[${u+a}] [${e+a}] [${v+a}] [${u:+a}] [${e:+a}] [${v:+a}]"
### assign default
unset u; e=; echo "${u=one} ${e=two} ${e:=three}"; echo "$u $e"
### error when unset
(unset u; echo "${u?gone}") 2>/dev/null; echo $?
(e=; echo "${e:?empty}") 2>/dev/null; echo $?
### error message text
unset u; (echo ${u:?is not set}) 2>&1; echo $?
(echo ${u?}) 2>&1; (echo ${u:?}) 2>&1
### default holds expansions
a=1; unset u; echo "${u:-$a $(echo sub) $((1+1))}"
### default is not run when set
v=x; echo "${v:-$(echo ran >&2)}"
### default with quotes and spaces
unset u; printf '<%s>' ${u:-a "b c" d}; echo; printf '<%s>' "${u:-a "b c" d}"; echo
### nested defaults
unset a b; c=deep; echo "${a:-${b:-${c}}}"
### default with single quotes inside double
unset u; echo "${u:-'x'}" ${u:-'x y'}
### default with braces and escaped brace
unset u; echo "${u:-a\}b}" ${u:-{x\}}
### length
v=hello; e=; echo "${#v} ${#e} ${#}"; set -- a b; echo ${#} ${#@} ${#*}
### length unicode
v='äöü€'; echo ${#v}
### remove shortest prefix
v=a/b/c.tar.gz; echo "${v#*/} ${v##*/}"
### remove suffix
v=a/b/c.tar.gz; echo "${v%.*} ${v%%.*}"
### remove with no match
v=abc; echo "${v#x} ${v%x} ${v##} ${v%%*}"
### basename and dirname idioms
p=/usr/local/lib/x.so; f=${p##*/}; echo "$f ${f%.*} ${f##*.} ${p%/*}"
### remove with class
v=123abc456; echo "${v##[0-9]*[0-9]} ${v#[0-9]} ${v%%[0-9]*} ${v%[0-9]}"
### remove with quoted pattern
v='*star*'; echo "${v#'*'} ${v#\*} ${v%"*"}"
### remove with variable pattern
v=aXbXc; p='*X'; echo "${v#$p} ${v##$p} ${v#"$p"}"
### substitute first and all
v=banana; echo "${v/a/o} ${v//a/o} ${v/x/y}"
### substitute anchored
v=banana; echo "${v/#b/B} ${v/%a/A} ${v/#a/X} ${v/%b/X}"
### substitute delete
v=a-b-c; echo "${v//-} ${v/-/} ${v//-/}"
### substitute pattern greedy
v=aaabbb; echo "${v/a*b/X} ${v//[ab]/-} ${v/?/_}"
### substitute slash
v=a/b/c; echo "${v//\//:} ${v////.}"
### substitute with quoted replacement
v=abc; r='x y'; echo "${v/b/$r}" "${v/b/"$r"}"
### substitute ampersand is literal or match
v=abc; echo "${v/b/[&]}" "${v/b/[\&]}"
shopt -u patsub_replacement; echo "${v/b/[&]}"
### substitute empty pattern
v=abc; echo "${v//}" "${v/}"
### substitute newline
v=$'a\nb\nc'; echo "${v//$'\n'/,}"
### substring
v=abcdef; echo "${v:2} ${v:2:3} ${v:0:1} ${v:10}|"
### substring negative
v=abcdef; echo "${v: -2} ${v: -4:2} ${v:1:-1} ${v:(-3)}"
### substring with arithmetic
v=abcdef; n=2; echo "${v:n:n+1} ${v:$n:$((n-1))} ${v:n*2}"
### substring out of range
v=abc; echo "[${v:5}] [${v:1:0}] [${v: -9}]"
### substring of positional
set -- a b c d; echo "${@:2}" "${@:2:2}" "${@: -1}" "${*:1:2}"
### substring positional zero
f() { echo "${@:1:1}"; }; f x y; set -- p q; echo "${@:0:1}"
### case change
v='hello World'; echo "${v^} ${v^^} ${v,} ${v,,} ${v~~}"
v=HELLO; echo "${v,} ${v,,}"
### case change by pattern
v=banana; echo "${v^^[an]} ${v^b} ${v^^b}"
### transform quote
v="it's a \"test\""; echo "${v@Q}"; w=plain; echo "${w@Q}"; n=$'a\nb'; echo "${n@Q}"
### transform case
v=heLLo; echo "${v@U} ${v@u} ${v@L}"
### transform escape
v='a\tb\n'; printf '%s|' "${v@E}"; echo
### transform attributes
declare -i n=1; declare -r r=1; declare -a a=(1); declare -A m; declare -x e=1; echo "${n@a} ${r@a} ${a@a} ${m@a} ${e@a}"
### transform assignment
v='a b'; echo "${v@A}"; declare -i n=5; echo "${n@A}"; a=(1 'x y'); echo "${a[@]@A}"
### transform arrays
a=(one two); echo "${a[@]@U}" "${a[@]@Q}"
### transform keys and values
declare -A m=([k]=v); echo "${m[@]@K}"; a=(x y); echo "${a[@]@K}"; echo "${a[@]@k}"
### indirect
a=b; b=c; echo "${!a}"
### indirect with operators
n=v; v=hello; unset u; m=u; echo "${!n:1:3} ${!n/l/L} ${!m:-none} ${!n^^} ${#v}"
### indirect array element
a=(x y z); r='a[1]'; echo "${!r}"; r='a[@]'; echo "${!r}"
### indirect positional
set -- one two three; i=2; echo "${!i}"; echo "${!#}"
### names by prefix
abc_1=x abc_2=y; echo "${!abc_@}" "${!abc_*}"
### at and star
set -- 'a b' c; printf '<%s>' "$@"; echo; printf '<%s>' "$*"; echo; printf '<%s>' $@; echo; printf '<%s>' $*; echo
### star with IFS
set -- a b c; IFS=,; echo "$*"; IFS=; echo "$*"; unset IFS; echo "$*"
### at embedded in words
set -- 1 2 3; printf '<%s>' "x$@y"; echo; set --; printf '<%s>' "x$@y"; echo; printf '<%s>' "$@"; echo
### assign star and at
set -- a b; IFS=-; v="$*"; w="$@"; x=$*; echo "$v|$w|$x"
### word splitting default
v='  a   b
c	d '; printf '<%s>' $v; echo
### word splitting other IFS
IFS=:; v=a::b:; printf '<%s>' $v; echo; IFS=': '; v='a : b::c'; printf '<%s>' $v; echo
### IFS empty no split
IFS=; v='a b'; printf '<%s>' $v; echo
### splitting only of expansions
IFS=x; echo axb; v=axb; echo $v "$v"
### no splitting in assignment
v='a   b'; w=$v; echo "$w"
### no splitting in double bracket and case
v='a b'; [[ $v = 'a b' ]] && echo same; case $v in 'a b') echo same;; esac
### empty unquoted disappears
e=; set -- $e "$e" a; echo $#
### quoted null joined
e=; printf '<%s>' ""$e a"$e"b; echo
### splitting joins with neighbours
v='a b'; printf '<%s>' x${v}y; echo; printf '<%s>' $v$v; echo
### brace list
echo a{b,c,d}e {x,y}{1,2} {a,b{1,2},c}
### brace range
echo {1..5} {5..1} {a..e} {e..a..2} {1..10..3} {01..03} {-2..2}
### brace range padded and stepped
echo {001..010..4} {10..1..-3} {a..c..1}
### brace not expanded
echo {a} {} { , } {1..} {a..} a{,} "{a,b}" '{a,b}' \{a,b}
### brace empty element
echo x{,y,}z
### brace with quotes and variables
v=1; echo {"a b",c} {$v,2} {1..$v}
### brace before other expansion
a=x b=y; echo ${a}{1,2} $\{a,b} {$a,$b}
### brace nested ranges
echo {{1..3},{a..c}}
### brace in assignment is not expanded
v={a,b}; echo $v
### mkdir with braces
mkdir -p p/{src/{a,b},test}; find p -type d | sort
### tilde
HOME=/home/me; echo ~ ~/x "~" '~' a~ \~ ~/"a b"
### tilde in assignment
HOME=/h; v=~/a:~/b; echo "$v"; w="~/a"; echo "$w"
### tilde plus and minus
mkdir d; cd d; echo ~-; echo ~+; cd - >/dev/null
### order of expansions
v='$(echo no)'; echo $v "$v"; w='*'; touch f1; echo $w "$w"
### adjacent parameter syntax
a=1; ab=2; echo "$ab ${a}b $a-b $a.b ${a}${ab}"
### special digits
set -- a b; echo "$1$2 $10 ${10-none}"
### bad substitution status
(echo ${a b}) 2>/dev/null; echo $?
### expansion in here string and redirect
v='a b'; cat <<< $v; f=out; echo x > $f; cat out
### unset with nounset
(set -u; echo $nope; echo not) 2>/dev/null; echo $?
(set -u; echo ${nope-ok} ${nope:+x} "$@"; echo fine); echo $?
### nounset message
(set -u; echo "$nope") 2>&1
### length of last argument idioms
set -- one three; echo "${#1} ${#2}"
### escaped dollar and backtick
v=1; echo "\$v \`x\` \\ \" $v" '$v'
### expansion result is not reparsed
v='a; echo b'; echo $v; v='x > y'; echo $v; ls
### quoting removal only of original
v='"q"'; echo $v \"q\" "'q'"
### nested substitution in pattern
path=/a/b/c; echo "${path#$(dirname $path)/}"
### trim spaces idiom
v='   pad  '; v="${v#"${v%%[![:space:]]*}"}"; v="${v%"${v##*[![:space:]]}"}"; echo "[$v]"
### replace with extglob
shopt -s extglob
v='  many   spaces  '; echo "[${v//+( )/ }]"; v=foo.tar.gz; echo "${v%%.@(tar|gz)*}"
### repeat string idiom
printf -v line '%*s' 10 ''; echo "${line// /=}"
### substring loop
v=abc; for ((i=0; i<${#v}; i++)); do echo "${v:i:1}"; done
### tilde in arguments like assignments
HOME=/h; echo x=~ x=~:~ ~:y 1x=~ --o=~; z=${unset-~:~}; echo "$z"
### tilde in anchored patterns
HOME=/h; x=/h/a; echo "${x/#~/Z}" "${x#~}" "${x//~/z}"
### empty offset
(s=abc; echo ${s:}) 2>/dev/null; echo $?
