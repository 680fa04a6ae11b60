# awk: programs as agents write them. The oracle is the system's awk, whichever it is.

### print 2
printf 'a b c\nd e f\n' | awk '{print $2}'
### F print 2 NF
printf 'a:b\n' | awk -F: '{print $2, NF}'
### s 1 END print s
seq 10 | awk '{s+=$1} END {print s}'
### NR 2 NR 4
seq 5 | awk 'NR==2,NR==4'
### NR 2
seq 5 | awk 'NR%2'
### c 1 2 END for k in c print k c k sort
printf 'a 1\nb 2\na 3\n' | awk '{c[$1]+=$2} END {for (k in c) print k, c[k]}' | sort
### BEGIN printf 5 2f 5s 03d x c e n 3 14159
awk 'BEGIN {printf "%5.2f|%-5s|%03d|%x|%c|%e\n", 3.14159, "ab", 7, 255, 65, 12345.678}'
### BEGIN print length hello substr hello 2
awk 'BEGIN {print length("hello"), substr("hello",2,3), index("hello","l"), toupper("a"), tolower("B")}'
### BEGIN n split a b c x print n x 1 x 3
awk 'BEGIN {n=split("a,b,c",x,","); print n, x[1], x[3]}'
### gsub l L print
echo hello | awk '{gsub(/l/,"L"); print}'
### n gsub l print n 0
echo hello | awk '{n=gsub(/l/,"[&]"); print n, $0}'
### sub l print
echo hello | awk '{sub(/l+/,"<&>"); print}'
### BEGIN if match foobar o print RSTART RLE
awk 'BEGIN {if (match("foobar", /o+/)) print RSTART, RLENGTH}'
### v x 5 BEGIN print x 2
awk -v x=5 'BEGIN {print x*2}'
### BEGIN FS OFS 1 1 print
printf 'a,b,c\n' | awk 'BEGIN{FS=","; OFS="-"} {$1=$1; print}'
### print NR 0
printf 'x\ny\n' | awk '{print NR": "$0}'
### 3 c print print NF
printf 'a b\n' | awk '{$3="c"; print; print NF}'
### BEGIN while i 3 i if i 2 continue print
awk 'BEGIN {while (i<3) {i++; if (i==2) continue; print i}}'
### BEGIN for i 0 i 3 i print i do j while j
awk 'BEGIN {for (i=0;i<3;i++) print i; do {j++} while (j<5); print j}'
### function f n return n 1 1 n f n 1 BEGIN
awk 'function f(n) {return n<=1?1:n*f(n-1)} BEGIN {print f(5)}'
### k print m z print n
printf 'k v\n' | awk '/k/ {print "m"} !/z/ {print "n"}'
### 1 1
printf '1\n2\n3\n' | awk '$1>1'
### print out cat out
printf 'a\n' | awk '{print > "out"}' ; cat out
### BEGIN echo hi getline x print x
awk 'BEGIN {"echo hi" | getline x; print x}'
### print sort
printf 'b\na\n' | awk '{print | "sort"}'
### BEGIN system echo sys
awk 'BEGIN {system("echo sys")}'
### NR 1 getline print
printf 'l1\nl2\nl3\n' | awk 'NR==1{getline; print}'
### print NF NF 1
printf 'a b c\n' | awk '{print $NF, $(NF-1)}'
### BEGIN print a b 1 2 print 1 1 0 a b 2 10
awk 'BEGIN {print "a" "b" 1+2; print 1==1.0, "a"<"b", 2<10, "2"<"10"}'
### print 1 2
printf '2 10\n' | awk '{print ($1<$2)}'
### BEGIN a x 1 if x in a print yes delete a
awk 'BEGIN {a["x"]=1; if ("x" in a) print "yes"; delete a["x"]; if (!("x" in a)) print "no"}'
### BEGIN a 1 2 3 for k in a split k p SUBSE
awk 'BEGIN {a[1,2]=3; for (k in a) {split(k,p,SUBSEP); print p[1], p[2]}}'
### BEGIN RS print NR 1
printf 'a\n\nb\nc\n' | awk 'BEGIN{RS=""} {print NR, $1}'
### BEGIN RS print
printf 'a;b;c' | awk 'BEGIN{RS=";"} {print}'
### print toupper substr 1 1 1 substr 1 2
printf 'foo bar\n' | awk '{print toupper(substr($1,1,1)) substr($1,2)}'
### print 1 dev stderr 2 1
printf 'x 1\ny 2\n' | awk '{print $1 > "/dev/stderr"}' 2>&1
### END print NR 0
printf 'x 1\ny 2\n' | awk 'END{print NR, $0}'
### print FILENAME FNR f f
printf 'a b\nc d\n' > f; awk '{print FILENAME, FNR}' f f
### BEGIN exit 3 echo
awk 'BEGIN {exit 3}'; echo $?
### NR 1 next print
printf 'a\nb\n' | awk 'NR==1{next} {print}'
### BEGIN print int 3 9 sqrt 16 exp 0 log 1
awk 'BEGIN {print int(3.9), sqrt(16), exp(0), log(1), sin(0), cos(0), atan2(0,-1)}'
### BEGIN printf s s n a b printf d n 50
awk 'BEGIN {printf "%s %s\n", "a", "b"; printf("%d%%\n", 50)}'
### BEGIN print 3 2 2 10 2 3
awk 'BEGIN {print -3 % 2, 2^10, 2**3}'
### BEGIN x A x x B print x print length dev
awk 'BEGIN {x = "A"; x = x "B"; print x; print length()}' </dev/null
### print 2 print 3
printf 'one  two\tthree\n' | awk '{print $2; print $3}'
### F print 2
printf 'a|b|c\n' | awk -F'|' '{print $2}'
### F 0 9 print 1 2 3
printf 'a1b22c\n' | awk -F'[0-9]+' '{print $1 $2 $3}'
### F print 2 2
printf 'abc\n' | awk -F '' '{print $2}'
### F t print 2
printf 'a\tb c\n' | awk -F'\t' '{print $2}'
### BEGIN printf s no newline
awk 'BEGIN { printf "%s", "no newline" }'
### BEGIN print ENVIRON HOME
awk 'BEGIN{print ENVIRON["HOME"] != ""}'
### BEGIN print ARGC ARGV 1 x
awk 'BEGIN{print ARGC, ARGV[1]}' x
### print 1 2 print 2 0
printf '5 apples\n' | awk '{print $1 * 2; print $2 + 0}'
### for i NF i 0 i printf s s i i 1 n
printf 'a b c d\n' | awk '{for (i=NF;i>0;i--) printf "%s%s", $i, (i>1?" ":"\n")}'
### a NR 1 END for i 1 i NR i for j i 1 j NR
printf '3\n1\n2\n' | awk '{a[NR]=$1} END {for(i=1;i<=NR;i++) for(j=i+1;j<=NR;j++) if (a[j]<a[i]) {t=a[i];a[i]=a[j];a[j]=t} for(i=1;i<=NR;i++) print a[i]}'
### F 1 y print 2
printf 'x=1\ny=2\n' | awk -F= '$1=="y"{print $2}'
### start f 1 next end f 0 f a nstart nb nc
awk '/start/{f=1;next} /end/{f=0} f' <<< $'a\nstart\nb\nc\nend\nd'
### n 0 for i 1 i NF i if seen i n print n
printf 'a a b\n' | awk '{n=0; for(i=1;i<=NF;i++) if(!seen[$i]++) n++; print n}'
### seen 0
printf '%s\n' a b a | awk '!seen[$0]++'
### F NR 1 print 1 is 2
printf 'name,age\nbob,5\n' | awk -F, 'NR>1{print $1" is "$2}'
### BEGIN m 1 1 m m 1 END print m
printf '10\n9\n' | awk 'BEGIN{m=-1} $1>m{m=$1} END{print m}'
### l NR 0 END for i NR i i print l i
printf 'a\nb\nc\n' | awk '{l[NR]=$0} END{for(i=NR;i;i--) print l[i]}'
### 0 o
printf 'foo\n' | awk '$0 ~ "o+"'
### print 0 f y n
printf 'foo\n' | awk '{print ($0 ~ /^f/) ? "y" : "n"}'
### BEGIN while echo a echo b getline line 0
awk 'BEGIN { while (("echo a; echo b" | getline line) > 0) print "got " line }'
### BEGIN while getline line f 0 print line
printf 'a\nb\n' > f; awk 'BEGIN { while ((getline line < "f") > 0) print line; close("f") }'
### BEGIN printf d d n 5 42 5 42
awk 'BEGIN { printf "%*d|%-*d|\n", 5, 42, 5, 42 }'
### BEGIN print index foobar bar print match
awk 'BEGIN { print index("foobar", "bar"); print match("abc", /z/) ; print RSTART, RLENGTH}'
### BEGIN 0 a b c print NF NF 2 print
awk 'BEGIN { $0 = "a b c"; print NF; NF = 2; print }'
### BEGIN s sprintf 05d 42 print s
awk 'BEGIN { s = sprintf("%05d", 42); print s }'
### BEGIN print 1 print 2 dev stdout
awk 'BEGIN { print 1; print 2 > "/dev/stdout" }'
### f prog f 2 dev null printf BEGIN print f
awk -f prog f 2>/dev/null; printf 'BEGIN{print "from file"}\n' > prog; awk -f prog
### print 1 2 1 txt k v cat k txt
awk '{ print $1, $2 > $1".txt" }' <<< $'k v'; cat k.txt
### BEGIN print a tb n q 101
awk 'BEGIN { print "a\tb\\n\"q\"" "\101" }'
### BEGIN print 0 1 a 3
awk 'BEGIN { print !0, !1, !"", !"a", -"3" }'
### BEGIN i 5 print i i i i print i
awk 'BEGIN { i = 5; print i++, ++i, i--, --i; print i }'
### BEGIN x 3 x 2 x 2 x 10 print x
awk 'BEGIN { x += 3; x *= 2; x ^= 2; x %= 10; print x }'
### BEGIN print 1 2 a b cat 2 2 dev null
awk 'BEGIN { print 1 > 2 ? "a" : "b" }'; cat 2 2>/dev/null
### BEGIN CONVFMT 2g a 3 14159 b a print b O
awk 'BEGIN { CONVFMT = "%.2g"; a = 3.14159; b = a ""; print b; OFMT="%.3f"; print 3.14159 }'
