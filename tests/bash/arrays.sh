# Indexed and associative arrays, namerefs.

### create and read
a=(x "y z" w); echo "${a[0]} ${a[1]} ${a[2]} ${a} ${#a[@]}"
### at and star
a=(1 "2 3" 4); printf '<%s>' "${a[@]}"; echo; printf '<%s>' "${a[*]}"; echo; printf '<%s>' ${a[@]}; echo
### star with IFS
a=(1 2 3); IFS=,; echo "${a[*]}"; echo "${a[@]}"
### append
a=(1); a+=(2 3); a+=("4 5"); echo "${#a[@]} ${a[-1]}"; a[0]+=x; echo ${a[0]}; a+=z; echo ${a[0]}
### sparse
a=(); a[5]=five; a[2]=two; echo "${#a[@]} ${!a[@]} ${a[@]}"; a+=(six); echo "${!a[@]}"
### explicit indexes
a=([3]=c [1]=a x); declare -p a
### negative index
a=(1 2 3); echo ${a[-1]} ${a[-3]}; a[-1]=z; echo ${a[@]}
### negative index out of range
a=(1); (echo ${a[-2]}) 2>/dev/null; echo $?
### unset element
a=(1 2 3); unset 'a[1]'; echo "${#a[@]} ${!a[@]}"; unset a; echo "${#a[@]}"
### unset last element
a=(1 2 3); unset 'a[-1]'; echo "${a[@]}"
### slices
a=(0 1 2 3 4 5); echo "${a[@]:2}" "${a[@]:1:2}" "${a[@]: -2}" "${a[*]:0:1}"
### slice of sparse
a=([2]=b [5]=e [9]=i); echo "${a[@]:3}" "${a[@]:5:1}"
### index arithmetic
a=(a b c d); i=1; echo ${a[i+1]} ${a[$i]} ${a[i*2]} "${a[$((i+2))]}"; a[i++]=X; echo "$i ${a[@]}"
### copy keeps elements
a=("x y" z); b=("${a[@]}"); echo ${#b[@]} "${b[0]}"
### element length
a=(one three); echo ${#a[0]} ${#a[1]} ${#a}
### operations per element
a=(foo.c bar.c); echo "${a[@]%.c}" "${a[@]/o/0}" "${a[@]//o/0}" "${a[@]#f}" "${a[@]^}" "${a[@]/%/.bak}" "${a[@]/#/pre-}"
### element operators
a=(hello); echo ${a[0]:1:3} ${a[0]^^} ${a[9]:-none} ${a[0]/l/L}
### empty array expands to nothing
a=(); set -- "${a[@]}"; echo $#; echo "${a[@]:-empty}" "${a[*]+set}"
### iterate
a=("a b" c); for x in "${a[@]}"; do echo "[$x]"; done; for i in "${!a[@]}"; do echo "$i=${a[i]}"; done
### from glob
touch b a; f=(*); echo "${#f[@]} ${f[*]}"
### from command split
a=($(echo x y z)); echo ${#a[@]}
### from string by IFS
IFS=, read -ra a <<< "x,y z,,w"; declare -p a
### brace range
a=({1..5}); echo "${#a[@]} ${a[-1]}"
### multi line with comments
a=(
  one # first
  "two words"

  three
)
echo "${#a[@]}: ${a[1]}"
### declare -p array
declare -a a=(1 "2 3" $'x\ny'); declare -p a
### declare empty array
declare -a e; declare -p e; echo "${#e[@]}"
### scalar becomes element zero
v=x; echo "${v[0]} ${#v[@]}"; v[1]=y; echo "${v[@]}"
### array to scalar writes element zero
a=(1 2); a=x; echo "${a[@]}"
### assignment of array in function is global
f() { arr=(in f); }; f; echo "${arr[@]}"
### pass array by name
f() { local -n ref=$1; ref+=(more); echo "${#ref[@]}"; }; a=(1 2); f a; echo "${a[@]}"
### stack and queue
s=(); s+=(1); s+=(2); s+=(3); echo "${s[-1]}"; unset 's[-1]'; echo "${s[-1]}"; s=("${s[@]:1}"); echo "${s[@]}"
### sort an array
a=(c b a); IFS=$'\n' sorted=($(sort <<< "${a[*]}")); unset IFS; echo "${sorted[@]}"
### join and split
a=(x y z); s=$(IFS=-; echo "${a[*]}"); echo $s; IFS=- read -ra b <<< $s; echo ${#b[@]}
### in test
a=(x y); [[ " ${a[*]} " == *" y "* ]] && echo has; [[ -v a[1] ]] && echo set; [[ -v a[7] ]] || echo unset
### readonly array
declare -ar a=(1 2); (a[0]=9) 2>/dev/null; echo $?; echo ${a[0]}
### integer array
declare -ia n=(1+1 2*3); n+=(4+4); n[0]+=5; echo "${n[@]}"
### reverse
a=(1 2 3 4); for ((i=${#a[@]}-1; i>=0; i--)); do echo -n "${a[i]} "; done; echo
### quoted at with neighbours
a=(1 2 3); printf '<%s>' "pre${a[@]}post"; echo
### mapfile
printf 'l1\nl 2\nl3' > f; mapfile -t m < f; echo "${#m[@]} [${m[1]}]"; mapfile m < f; printf '%s' "${m[@]}" | od -An -c | tail -1
### mapfile options
seq 10 > f; mapfile -t -s 2 -n 3 m < f; echo "${m[@]}"; mapfile -t -O 5 m < <(echo x); echo "${!m[@]}"; mapfile -t -d , m < <(printf 'a,b,c'); echo "${#m[@]} ${m[2]}"
### readarray default name
readarray <<< $'a\nb'; echo "${#MAPFILE[@]}"
### array in arithmetic
a=(3 4); echo $((a[0]*a[1])) $((a)); ((a[0]++, a[1]+=10)); echo "${a[@]}"
### arrays and positional
a=(x "y z"); set -- "${a[@]}"; echo "$# $2"; b=("$@"); echo "${#b[@]}"
### compare lengths with unset holes
a=(1 2 3); unset 'a[0]'; echo "${a[0]-hole} ${a[@]:0:1} ${!a[*]}"
### associative create and read
declare -A m=([one]=1 [two]=2); echo "${m[one]} ${m[two]} ${#m[@]} [${m[none]}]"
### associative assign
declare -A m; m[a]=1; m["b c"]=2; k=d; m[$k]=3; m[e]+=x; m[e]+=y; for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done | sort
### associative append list
declare -A m=([a]=1); m+=([b]=2 [a]=9); echo "${m[a]} ${m[b]} ${#m[@]}"
### associative key value list
declare -A m=(k1 v1 k2 v2); echo "${m[k1]} ${m[k2]}"
### associative unset
declare -A m=([a]=1 [b]=2); unset 'm[a]'; echo "${!m[@]}"; unset m; echo "${#m[@]}"
### associative test
declare -A m=([x]=); [[ -v m[x] ]] && echo set; [[ -v m[y] ]] || echo no; [ "${m[x]+yes}" ] && echo yes
### associative count words
declare -A c; for w in a b a c a b; do ((c[$w]++)); done; for k in "${!c[@]}"; do echo "$k ${c[$k]}"; done | sort
### associative with odd keys
declare -A m; m['a.b-c/d']=1; m['*']=2; m['x y']=3; echo "${m['a.b-c/d']} ${m['*']} ${m[x y]}"
### associative in arithmetic
declare -A m=([n]=5); echo $((m[n]+1)); ((m[n]*=2)); echo ${m[n]}
### associative declare -p
declare -A m=([only]='v "q"'); declare -p m
### associative local
f() { local -A m=([k]=local); echo "${m[k]}"; }; declare -A m=([k]=global); f; echo "${m[k]}"
### associative from loop
declare -A m; while IFS== read -r k v; do m[$k]=$v; done <<< $'name=bob\nage=7'; echo "${m[name]} is ${m[age]}"
### associative values transformed
declare -A m=([k]=abc); echo "${m[k]^^} ${m[k]:1} ${m[k]/b/-} ${#m[k]}"
### associative without declaration is indexed
unset q; q[foo]=1; q[bar]=2; echo "${#q[@]} ${q[0]}"
### associative subscript is evaluated once
declare -A m; i=1; m[$i]=a; m[$((i+1))]=b; echo "${m[1]}${m[2]}"
### nameref basics
x=1; declare -n r=x; echo $r; r=2; echo $x; echo ${!r}
### nameref to array element
a=(1 2 3); declare -n r='a[1]'; echo $r; r=x; echo "${a[@]}"
### nameref to whole array
a=(1 2); declare -n r=a; r+=(3); echo "${r[@]} ${#r[@]} ${r[2]}"
### nameref to associative
declare -A m=([k]=v); f() { local -n h=$1; h[new]=n; echo "${h[k]}"; }; f m; echo "${m[new]}"
### nameref unset
x=1; declare -n r=x; unset r; echo "[${x-gone}]"; declare -n r=x; unset -n r; echo "[${r-none}]"
### nameref in for
a=1 b=2; declare -n r; for r in a b; do r=$((r*10)); done; echo $a $b
### nameref to unset creates
declare -n r=fresh; r=new; echo $fresh
### swap by nameref
swap() { local -n p=$1 q=$2; local t=$p; p=$q; q=$t; }; x=1 y=2; swap x y; echo $x $y
### array from nul separated
touch 'a b' c; mapfile -d '' -t f < <(printf '%s\0' *); echo "${#f[@]} ${f[0]}"
### nested arrays by name
row0=(1 2) row1=(3 4); for r in row0 row1; do declare -n row=$r; echo "${row[*]}"; done
### element assignment with spaces in subscript
a[ 1 + 1 ]=x; echo "${!a[@]}"
### printf -v into element
printf -v 'a[2]' '%03d' 7; echo "${a[2]}"; declare -A m; printf -v 'm[k]' hi; echo "${m[k]}"
### read into element
read 'a[1]' <<< hello; echo "${a[1]}"
### declare array with quotes on the whole
declare -a 'a=(1 2)'; echo "${#a[@]}"
### export of array stays inside
a=(1 2); export a; bash -c 'echo "[${a-none}]"'
### list to an element
a=(1 2); a[0]=(3 4); echo same
echo "$? ${a[*]}"
### empty subscripts
a[]=x 2>/dev/null; echo same
echo "${#a[@]}"; b=(5); echo $((b[]+1)) 2>/dev/null
### operator within a list
eval 'a=(1 & 2)' 2>/dev/null; echo ${a-none}; eval 'echo a=(1)' 2>/dev/null; echo $?; declare b=(1 2); echo ${#b[@]}
### quoted default of an empty array
e=(); set -- "${e[@]+plus}" "${e[@]-minus}"; echo $# "$@"
### subscripts with IFS empty
a=(x y z); IFS=; printf '[%s]' ${!a[*]} "${!a[*]}" ${!a[@]}; echo
