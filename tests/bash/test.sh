# test, [ ] and [[ ]].

### string operators
[ abc = abc ]; echo $?; [ abc != abc ]; echo $?; [ -z "" ]; echo $?; [ -n "" ]; echo $?; [ abc ]; echo $?; [ ]; echo $?
### numeric operators
for op in -eq -ne -lt -le -gt -ge; do [ 3 $op 5 ]; echo -n "$? "; [ 5 $op 5 ]; echo $?; done
### string order
[ a \< b ]; echo $?; [[ b < a ]]; echo $?; [[ B > a ]]; echo $?
### non number is an error
[ abc -eq 1 ] 2>/dev/null; echo $?
### non number message
[ abc -eq 1 ] 2>&1; [ 1 2 3 4 5 ] 2>&1; [ a b ] 2>&1; echo $?
### missing bracket
[ a = a 2>&1; echo $?
### file kinds
touch f; mkdir d; ln -s f l; ln -s none broken
for x in f d l broken none; do for o in -e -f -d -L -h -s -r; do [ $o $x ] && echo -n "$o "; done; echo ": $x"; done
### file modes
echo x > f; chmod 600 f; [ -r f ]; echo $?; [ -w f ]; echo $?; [ -x f ]; echo $?; chmod +x f; [ -x f ]; echo $?
### file age
touch -d 2020-01-01 old; touch -d 2021-01-01 new; [ new -nt old ]; echo $?; [ new -ot old ]; echo $?; [ none -ot old ]; echo $?
### same file
touch a; ln a b; ln -s a c; [ a -ef b ] && echo hard; [ a -ef c ] && echo sym; touch d; [ a -ef d ] || echo no
### fifo and devices
[ -c /dev/null ] && echo char; [ -p /dev/null ] || echo nofifo; [ -b /dev/null ] || echo noblock; [ -S /dev/null ] || echo nosock
### terminal
[ -t 0 ]; echo $?; [ -t 9 ]; echo $?
### not and and or
[ ! a = b ]; echo $?; [ a = a -a b = b ]; echo $?; [ a = b -o b = b ]; echo $?; [ ! -e x -a -n y ]; echo $?
### parentheses in test
[ \( a = a \) -a \( b = c -o d = d \) ]; echo $?
### ambiguous arguments
[ ! ]; echo $?; [ -n ]; echo $?; [ = ]; echo $?; [ ! = ! ]; echo $?; [ "(" = ")" ]; echo $?
### variable set
x=1; unset y; e=; [ -v x ]; echo $?; [ -v y ]; echo $?; [ -v e ]; echo $?
### option set
set -e; [ -o errexit ] && echo on; set +e; [ -o errexit ] || echo off
### test command
test 1 -lt 2 && echo yes; test -d . && echo dir; test; echo $?
### unquoted empty variable
e=; [ -n $e ] && echo surprising; [ -n "$e" ] || echo right; [ $e = a ] 2>/dev/null; echo $?
### double bracket no splitting
v='a b'; e=; [[ $v == 'a b' ]]; echo $?; [[ -n $e ]]; echo $?; [[ -z $e ]]; echo $?
### double bracket glob
[[ hello.txt == *.txt ]]; echo $?; [[ hello == "h*" ]]; echo $?; [[ abc == [a-c]?c ]]; echo $?; p='h*'; [[ hello == $p ]]; echo $?; [[ hello == "$p" ]]; echo $?
### double bracket single equals and not
[[ a = a ]]; echo $?; [[ a != b* ]]; echo $?
### double bracket logic
[[ a == a && b == b ]]; echo $?; [[ a == b || b == b ]]; echo $?; [[ ! a == b ]]; echo $?; [[ ( a == b || c == c ) && d == d ]]; echo $?
### double bracket short circuit
[[ a == b && $(echo ran >&2) ]] 2>err; cat err; echo $?
### regex
[[ abc123 =~ ^[a-z]+([0-9]+)$ ]]; echo $? ${BASH_REMATCH[0]} ${BASH_REMATCH[1]}
### regex groups
[[ 2024-05-17 =~ ([0-9]{4})-([0-9]{2})-([0-9]{2}) ]] && echo "${BASH_REMATCH[@]:1} ${#BASH_REMATCH[@]}"
### regex in variable
re='^(foo|bar)[[:space:]]+(.*)$'; [[ "bar  baz qux" =~ $re ]] && echo "1=${BASH_REMATCH[1]} 2=${BASH_REMATCH[2]}"
### regex quoted is literal
[[ a.c =~ a"."c ]]; echo $?; [[ abc =~ a"."c ]]; echo $?; [[ 'a+b' =~ "+" ]]; echo $?
### regex no match clears
[[ abc =~ b ]]; [[ abc =~ z ]]; echo "$? ${#BASH_REMATCH[@]}"
### regex optional group
[[ ac =~ a(b)?c ]]; echo "$? [${BASH_REMATCH[1]}] ${#BASH_REMATCH[@]}"
### regex invalid
[[ a =~ '[' ]]; echo $?; re='('; [[ a =~ $re ]] 2>/dev/null; echo $?
### regex classes and anchors
for s in "foo_1" "1foo" "" "a b"; do [[ $s =~ ^[[:alpha:]_][[:alnum:]_]*$ ]] && echo "'$s' name" || echo "'$s' no"; done
### regex case insensitive
shopt -s nocasematch; [[ HELLO =~ ell ]]; echo $?; [[ ABC == abc ]]; echo $?
### regex leftmost longest
[[ xabcabc =~ (abc)+ ]]; echo "${BASH_REMATCH[0]}"; [[ foobar =~ foo|foobar ]]; echo "${BASH_REMATCH[0]}"
### regex alternation and space
[[ "a b" =~ a\ b ]]; echo $?; [[ "x=1" =~ ^([^=]+)=(.*)$ ]]; echo "${BASH_REMATCH[1]},${BASH_REMATCH[2]}"
### regex loop over matches
s='a1b22c333'; while [[ $s =~ [0-9]+ ]]; do echo "${BASH_REMATCH[0]}"; s=${s#*"${BASH_REMATCH[0]}"}; done
### double bracket numbers
[[ 5 -gt 3 ]]; echo $?; x=4; [[ x -eq 4 ]]; echo $?; [[ 2+2 -eq x ]]; echo $?; [[ 010 -eq 8 ]]; echo $?
### double bracket files
touch f; [[ -f f && ! -d f ]]; echo $?; [[ -e f* ]]; echo $?
### double bracket variable set
declare -A m=([k]=1); a=(1); [[ -v m[k] ]]; echo $?; [[ -v a[3] ]]; echo $?; [[ -v HOME ]]; echo $?
### double bracket over lines
[[ a == a &&
   b == b ]] && echo both
### double bracket nameref
x=1; declare -n r=x; [[ -R r ]]; echo $?; [[ -R x ]]; echo $?
### double bracket extglob without option
[[ foobar == +(foo|bar) ]]; echo $?; [[ foobar == !(foo) ]]; echo $?; [[ a == @(a|b) ]]; echo $?
### quoted parts of patterns
v='a*b'; [[ 'a*b' == a"*"b ]]; echo $?; [[ axb == a"*"b ]]; echo $?; [[ "$v" == *"*"* ]]; echo $?
### double bracket syntax error
bash -c '[[ a == ]]' 2>/dev/null; echo $?; bash -c '[[ a b ]]' 2>/dev/null; echo $?
### bracket with glob operand
touch one; [ -e o* ]; echo $?; touch once; [ -e o* ] 2>/dev/null; echo $?
### test of integers with spaces
[ " 5 " -eq 5 ]; echo $?; [ +5 -eq 5 ]; echo $?; [ -5 -lt 0 ]; echo $?
### string with dash
[ -f = -f ]; echo $?; [ "-e" ]; echo $?; [ "$(echo -n)" ] || echo empty
### isset idioms
f() { [ $# -eq 0 ] && { echo usage; return 1; }; echo "args $#"; }; f; f a
