# Text programs.

### cat
printf 'a\n\n\nb\t\n' > f; cat f; cat -n f; cat -A f; cat -s f; cat -b f; cat -E f; cat f f | wc -l; cat nofile; echo $?; printf x | cat - f
### head
seq 20 > f; head f; head -n 3 f; head -3 f; head -c 5 f; head -n -17 f; head -n 1 f f; head -q -n1 f f; head -c -45 f; seq 5 | head -2
### tail
seq 20 > f; tail f; tail -n 3 f; tail -3 f; tail -n +18 f; tail -c 5 f; tail -c +48 f; tail -n 1 f f; tail -q -n 1 f f; seq 5 | tail -n +4; seq 5 | tail -n 2; seq 5 | tail -2; tail -n 0 f; printf 'a\nb' | tail -n 1
### wc
printf 'one two\nthree\n' > f; wc f; wc -l f; wc -w < f; wc -c f; wc -m f; wc -L f; wc f f; printf 'é\n' | wc -m; printf 'é\n' | wc -c; wc -l < f; printf '' | wc
### nl
printf 'a\n\nb\n' > f; nl f; nl -ba f; nl -b a -w 3 -s ': ' f; nl -v 10 -i 5 f; nl -n rz f; nl -n ln f
### sort
printf 'b\na\nC\nB\n' | sort; printf '10\n9\n2\n' | sort; printf '10\n9\n2\n' | sort -n; printf '10\n9\n2\n' | sort -rn; printf 'b\na\nC\nB\n' | sort -f
### sort keys
printf 'x 3\ny 1\nz 2\n' | sort -k2; printf 'x 3\ny 1\nz 2\n' | sort -k2,2nr; printf 'a,3\nb,1\n' | sort -t, -k2n; printf 'a:b:3\na:a:3\n' | sort -t: -k3,3 -k2,2
### sort unique stable human month version
printf 'a\nb\na\n' | sort -u; printf '1K\n2M\n3\n' | sort -h; printf 'Feb\nJan\n' | sort -M; printf 'f10\nf9\n' | sort -V; printf 'b 1\na 1\n' | sort -s -k2; printf '1.5\n1.25\n1e2\n' | sort -g
### sort check and output
printf 'a\nb\n' | sort -c; echo $?; printf 'b\na\n' | sort -c 2>/dev/null; echo $?; printf 'b\na\n' > f; sort -o f f; cat f; sort -m f f; printf 'b\0a\0' | sort -z | tr '\0' '\n'
### uniq
printf 'a\na\nb\na\n' | uniq; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d; printf 'a\na\nb\n' | uniq -u; printf 'A\na\n' | uniq -i; printf 'x a\ny a\n' | uniq -f1; printf 'xa\nya\n' | uniq -s1; printf 'a\na\nb\n' | uniq -D
### cut
printf 'a:b:c\nd:e:f\n' > f; cut -d: -f2 f; cut -d: -f1,3 f; cut -d: -f2- f; cut -c1-3 f; cut -b2 f; cut -d: --complement -f2 f; cut -d: -f1,2 --output-delimiter=- f; echo nodelim | cut -d: -f1; echo nodelim | cut -s -d: -f1; printf 'a\tb\n' | cut -f2
### tr
echo hello | tr a-z A-Z; echo hello | tr -d l; echo aabbcc | tr -s a-c; echo hello | tr -c 'a-z\n' '-'; echo 'a b' | tr ' ' '\n'; echo hello | tr '[:lower:]' '[:upper:]'; echo abc123 | tr -d '[:digit:]'; echo abc | tr abc x; echo 'a  b' | tr -s ' '; echo hello | tr -cd 'hl\n'
### paste
printf '1\n2\n' > a; printf 'x\ny\nz\n' > b; paste a b; paste -d, a b; paste -s a; paste -sd+ a; seq 4 | paste - -
### comm
printf 'a\nb\nc\n' > a; printf 'b\nc\nd\n' > b; comm a b; comm -12 a b; comm -23 a b; comm -13 a b; comm -3 a b
### join
printf '1 a\n2 b\n' > a; printf '1 x\n3 y\n' > b; join a b; join -a1 a b; join -v2 a b; join -o 1.2,2.2 a b; printf 'a,1\n' > c; printf 'a,2\n' > d; join -t, c d
### seq
seq 3; seq 2 4; seq 1 2 7; seq -w 8 10; seq -s, 3; seq 3 -1 1; seq 0.5 0.5 2; seq -f '%03g' 2; seq 5 1
### tac and rev of lines
printf 'a\nb\nc\n' | tac; printf 'a\nb' | tac; printf 'a,b,c' | tac -s,
### fold and fmt
printf 'aaaaabbbbbccccc\n' | fold -w 5; printf 'aaa bbb ccc\n' | fold -s -w 5; printf 'a b c d e f g\n' | fmt -w 8
### expand
printf 'a\tb\n' | expand; printf 'a\tb\n' | expand -t 4; printf '        a\n' | unexpand; printf '    a   b\n' | unexpand -a -t 4
### split
seq 10 > f; split -l 4 f x; ls; cat xab; split -b 5 f y; ls y*; split -d -l 5 f z; ls z*; split -n 2 f w; ls w*; split -l 5 --additional-suffix=.txt f q; ls q*
### csplit
seq 10 > f; csplit -s f 4 8; ls; cat xx01; csplit f /5/ ; ls
### base64
printf 'hello world' | base64; printf 'hello' | base64 -w0; echo; echo aGVsbG8= | base64 -d; echo; head -c 100 /dev/zero | base64; printf 'aGVs\nbG8=\n' | base64 -d; printf hi | base32
### checksums
printf hello > f; md5sum f; sha1sum f; sha256sum f; sha512sum f; sha224sum f; cksum f; b2sum f; sum f; printf hello | sha256sum
### checksum files
printf hello > f; sha256sum f > s; sha256sum -c s; echo x > f; sha256sum -c s; echo $?; sha256sum --status -c s; echo $?; md5sum --tag f
### od
printf 'hello\n\0\1' | od -c; printf 'hello' | od -A x -t x1z; printf 'ab' | od -An -tx1; printf 'abcd' | od -t x2; printf '\1\0' | od -An -td2; printf 'abc' | od -An -c; head -c 40 /dev/zero | od; printf 'hello world\n' | od -A d -t x1 -N 5 -j 2
### numfmt
numfmt --to=iec 2048; numfmt --from=iec 2K; numfmt --to=iec-i 1048576; numfmt --grouping 1000
### expr
expr 1 + 2; expr 3 \* 4; expr 7 / 2; expr 7 % 3; expr length hello; expr substr hello 2 3; expr index hello l; expr hello : 'h\(.*\)o'; expr a = a; expr 1 \> 2; echo $?; expr abc : 'b'; echo $?; expr 1 + a; echo $?; expr \( 1 + 2 \) \* 3
### factor
factor 12 97 1001; seq 5 | factor
### tsort
printf 'a b\nb c\n' | tsort
### shuf
seq 10 | shuf | sort -n | paste -sd,; shuf -i 1-5 | wc -l; shuf -n 2 -e a b c | wc -l; shuf -e only
### date
date -d '2024-01-02 03:04:05' '+%Y-%m-%d %H:%M:%S %j %A %B %a %b %s %u %p'; date -u -d @0; date -d '2024-01-31 +1 day' +%F; date -d 'yesterday' +%F | wc -c; date -d '2024-02-28 + 2 days' +%F; date -I -d 2024-05-06; date -R -d @0; date +%Z; date -d '2024-01-01T00:00:00Z' +%s; date -d 'next monday' +%a; date --iso-8601=seconds -d @0; date -d bogus; echo $?
### date of file
touch -d '2020-01-02 03:04:05' f; date -r f '+%F %T'
### basename and dirname
basename /a/b.txt; basename /a/b.txt .txt; basename -a a/b c/d; basename -s .c x.c y.c; dirname /a/b/c; dirname a; dirname /a; basename /; dirname a/b c/d
### printf program
env printf '%s-%d\n' a 1 b 2; env printf '%05.2f|%-5s|%x|%o|%c\n' 3.14159 ab 255 8 z; env printf '\x41\101\n'; env printf '%b' 'a\tb\n'; env printf '%q\n' 'a b'
### echo program
env echo -e 'a\tb'; env echo -n x; env echo; env echo -E 'a\tb'
### test program
env test 1 -eq 1; echo $?; env [ a = b ]; echo $?; touch f; chmod 755 f; env test -x f; echo $?; chmod 644 f; env test -x f; echo $?; env test -r f -a -w f; echo $?; env test -s f; echo $?; env test -d .; echo $?; ln -s f l; env test -L l; echo $?; env test f -ef l; echo $?
### env
env -i A=1 B=2 env; env A=1 printenv A; env -u HOME printenv HOME; echo $?; env nosuch; echo $?; env -i /bin/echo hi; env FOO=bar env | grep FOO; env -S 'A=1 printenv A'; env -C / pwd
### printenv
FOO=x printenv FOO; printenv NOSUCH; echo $?; A=1 B=2 printenv A B
### timeout
timeout 5 echo hi; timeout 0.2 sleep 5; echo $?; timeout -s KILL 0.2 sleep 5; echo $?; timeout 5 false; echo $?; timeout 1 nosuch; echo $?; timeout --preserve-status 0.2 sleep 5; echo $?; timeout 1; echo $?; timeout bogus ls; echo $?
### nohup and nice
nohup echo hi; nohup nosuch 2>/dev/null; echo $?; nice echo x; nice -n 5 echo y
### id
id -u; id -g; id -G; id nosuch; echo $?; id -u root; id root
### true and false
env true; echo $?; env false; echo $?
### which
which nosuch; echo $?; which ls | sed 's#.*/##'; which -a nosuch ls | wc -l
### yes
yes | head -2; yes a b | head -1
### sleep
sleep 0.1; echo $?; sleep x; echo $?; sleep 0
### pr
printf 'a\nb\n' | pr -t; seq 3 | pr -tn
### ptx
printf 'hello world\n' | ptx | head -3
### mixed
printf 'b 2\na 1\nc 3\nb 5\n' | sort | uniq | cut -d' ' -f1 | uniq -c | sort -rn | head -1 | tr -s ' '
### pathchk and misc
pathchk a/b; echo $?; nproc | wc -l; uname -s; tty; echo $?
### tr with classes and ranges
echo 'Hello World 123' | tr -d '[:space:]'; echo; echo 'Hello' | tr 'A-Za-z' 'N-ZA-Mn-za-m'; printf 'a\r\nb\r\n' | tr -d '\r'; echo abc | tr 'a-c' '[X*]'
### long lines and no newline
printf 'no newline' | sort; printf 'x' | cut -c1; printf 'a b' | wc -l; printf 'q' | head -1; printf 'q' | tail -1; printf 'z' | uniq
### devices
cat /dev/null; echo $?; cat /dev/null > e; wc -c e; head -c 3 /dev/zero | od -c; head -c 5 /dev/urandom | wc -c; cat /dev/stdin < e; wc -c /dev/null; grep x /dev/null; echo $?; tail -n 1 /dev/null; sort /dev/null; cp /dev/null f2; wc -c < f2
### pr columns
seq 9 | pr -t -2; seq 9 | pr -t -3 -a; seq 5 | pr -t -2 -s:; seq 5 | pr -t -2 -S' | '; seq 6 | pr -t -3 -n; seq 7 | pr -t -4 -w 30; printf 'a\tb\nlong enough to be cut off somewhere before its end, surely\nc\n' | pr -t -2
### pr files side by side
seq 2 > a; seq 4 > b; pr -m -t a b; pr -m -t -n b a; pr -m -t -J a b; pr -m -t -w 20 a b
### pr pages
seq 30 | pr -D D -h head -l 20; seq 30 | pr -D D -h head -l 20 +2; seq 30 | pr -D D -h head --pages=2:2 -l 20 -d; printf 'x\f\ny' | pr -D D -h h -F; seq 8 | pr -t -o 3 -n:3; printf 'a\001\377' | pr -t -v; pr -l x 2>&1; pr -0 2>&1; pr -Z 2>&1; echo $?
### fmt costs
w() { echo 'One sentence ends here. Another, with commas; and (parentheses) follows!  It goes on "quoted" for a while.'; printf '\n   indented words in a row\nnext line of words\n\ttabbed words\n'; }; w | fmt -w 30; w | fmt -20; w | fmt -s -w 25; w | fmt -t -w 40; w | fmt -c -w 40; w | fmt -u -w 35 -g 30; printf '> a b c d e f\n> g h\nplain\n' | fmt -p '>' -w 10; seq 2000 | fmt | cksum; fmt -w 20 -g 30 2>&1
### nl joins blank lines across sections
printf 'a\n\n\\:\\:\n\nb\n' | nl -ba -l2
### sort merges without sorting
printf 'b\na\n' > f; printf 'c\n' > g; sort -m f g; sort -m -u g f g; sort -mr g f; sort -m -o f f g; cat f
### tabs after the list
printf 'a\tb\tc\td\te\n' | expand -t 2,5,/3; printf 'a\tb\tc\td\te\n' | expand -t 2,5,+3
### wrong options
sort -Z 2>&1; head --nope 2>&1; cut -f 2>&1; head --lines 2>&1; nl --number-width 2>&1; head -n x 2>&1; cat --help | head -1
### closed input
cat <&-; echo $?; cut -c1 <&-; echo $?; tr a b <&-; echo $?; md5sum <&-; echo $?
### env says what it does
env -v -u FOO A=b echo 'a b' 2>&1; env nosuch 2>&1; timeout 1 nosuch 2>&1; sleep x 2>&1
