# $(( )), (( )), let and declare -i.

### operators
echo $((7+3)) $((7-3)) $((7*3)) $((7/3)) $((7%3)) $((2**10)) $((-7/2)) $((-7%3))
### precedence
echo $((1+2*3)) $(((1+2)*3)) $((2**3**2)) $((-2**2)) $((10-4-3)) $((1<<2+1))
### comparison and logic
echo $((1<2)) $((2<=1)) $((1==1)) $((1!=1)) $((1&&0)) $((0||2)) $((!5)) $((!0))
### bit operators
echo $((6&3)) $((6|3)) $((6^3)) $((~5)) $((1<<4)) $((-16>>2))
### ternary
x=5; echo $((x>3?10:20)) $((x<3?1:x<6?2:3))
### assignment operators
x=10; echo $((x+=5)) $((x-=3)) $((x*=2)) $((x/=5)) $((x%=3)) $((x<<=3)) $((x|=1)) $((x^=2)) $((x&=6)) $((x>>=1)); echo $x
### increment
x=5; echo $((x++)) $((++x)) $((x--)) $((--x)); echo $x
### comma
echo $((a=1, b=2, a+b)); echo $a $b
### bases
echo $((0x1f)) $((010)) $((2#1011)) $((16#ff)) $((36#z)) $((64#_)) $((8#17))
### invalid octal
(echo $((08))) 2>/dev/null; echo $?; echo $((10#08))
### variables with and without dollar
a=3 b=4; echo $((a*b)) $(($a*$b)) $((${a}+b)) $(( a + $b ))
### unset and empty are zero
unset u; e=; echo $((u)) $((e)) $((u+1))
### expression in variable
e='1+2'; echo $((e*3)) $(($e*3))
### recursive variable
a=b b=c c=7; echo $((a))
### string that is no number
s=abc; echo $((s)); s='1 2'; (echo $((s))) 2>/dev/null; echo $?
### division by zero
(echo $((1/0))) 2>/dev/null; echo $?; (echo $((1%0))) 2>/dev/null; echo $?
### division by zero message
(echo $((1/0))) 2>&1
### syntax error message
(echo $((1+))) 2>&1; (echo $((1 2))) 2>&1
### 64 bit wrap
echo $((9223372036854775807)) $((9223372036854775807+1)) $((-9223372036854775808))
### negative exponent
(echo $((2**-1))) 2>/dev/null; echo $?; echo $((0**0))
### double parenthesis status
((5)); echo $?; ((0)); echo $?; ((1>2)); echo $?; ((x=0)); echo $?; ((x=3)); echo $?
### increment from zero status
i=0; ((i++)); echo "$? $i"; ((++i)); echo "$? $i"
### let
let x=5+3 y=x*2; echo $x $y; let 'z = x > y'; echo "$z $?"; let 0; echo $?
### let with quotes and spaces
let "a = 3 * (2 + 1)"; echo $a; let a++ a+=2; echo $a
### declare -i
declare -i n=3+4; n+=5; echo $n; n='2*8'; echo $n; n=abc; echo $n
### arithmetic in subscript and slice
a=(1 2 3); s=abcdef; echo ${a[1+1]} ${s:1+1:2*1}
### nested substitution
echo $(( $(echo 3) + $(( 2 * 2 )) ))
### short circuit side effects
x=0; ((1 || (x=5))); echo $x; ((0 && (x=5))); echo $x
### spaces and newlines
echo $((
  1 +
  2
))
### old form
echo $[1+2] $[ 3 * 4 ]
### arithmetic in for and while
for ((i=10; i>0; i-=3)); do echo -n "$i "; done; echo; while ((i++ < 2)); do echo -n "$i "; done; echo
### gcd
gcd() { local a=$1 b=$2; while ((b)); do ((t=a%b, a=b, b=t)); done; echo $a; }; gcd 48 36; gcd 17 5
### primes
for ((n=2; n<40; n++)); do p=1; for ((d=2; d*d<=n; d++)); do ((n%d==0)) && { p=0; break; }; done; ((p)) && echo -n "$n "; done; echo
### fibonacci
a=0 b=1; for i in {1..20}; do echo -n "$a "; ((c=a+b, a=b, b=c)); done; echo
### collatz
n=27 s=0; while ((n!=1)); do ((n = n%2 ? 3*n+1 : n/2, s++)); done; echo $s
### power loop
r=1; for i in {1..62}; do ((r*=2)); done; echo $r
### random is in range
for i in 1 2 3 4 5; do ((RANDOM >= 0 && RANDOM < 32768)) || echo bad; done; echo ok
### random seed repeats
RANDOM=42; a="$RANDOM $RANDOM"; RANDOM=42; b="$RANDOM $RANDOM"; [ "$a" = "$b" ] && echo same
### leading zeros and printf
printf '%d %d %x %o\n' 010 0x10 255 8
### unary operators
x=3; echo $((-x)) $((+x)) $((- -x)) $((!!x)) $((~~x))
### bash arithmetic does not float
(echo $((1.5+1))) 2>/dev/null; echo $?
### awk does float
awk 'BEGIN { printf "%.2f\n", 10/3 }'
### character code
printf '%d\n' "'A" "'é"; printf "\\$(printf %03o 66)\n"
### hexadecimal loop
for i in {9..12}; do printf '%x ' $i; done; echo
### associative increment
declare -A m; ((m[x]+=5, m[x]++)); echo ${m[x]}
### comparison with strings in arithmetic
a=5; (( a == 5 )) && echo eq; (( a != 5 )) || echo ne; (( a >= 3 && a <= 7 )) && echo between
### assignment in condition
if (( (n = 4) > 3 )); then echo "n=$n"; fi
### parenthesised command vs arithmetic
((echo sub1); (echo sub2)) | cat
### expr program
expr 3 + 4; expr 10 / 3; expr 5 \* 2; expr length hello; expr 1 \> 2; echo $?
### seq arithmetic
seq 1 2 9 | paste -sd+ | { read e; echo $((e)); }
### dollar in arithmetic quotes
x=2; echo $(( "$x" * 3 )) $(( ${x}0 + 1 ))
### pre decrement of literal is double minus
x=5; echo $((3 - -x)) $((3--x)) 2>/dev/null
