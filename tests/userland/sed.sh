# sed: scripts as agents write them.

### n 2 4p
seq 5 | sed -n '2,4p'
### 2d
seq 5 | sed '2d'
### d
seq 5 | sed '$d'
### n
seq 5 | sed -n '$='
### n 2 3p
seq 10 | sed -n '2~3p'
### n 3 6 p
seq 10 | sed -n '/3/,/6/p'
### n 0 1 p
seq 10 | sed -n '0,/1/p'
### 3 2d
seq 10 | sed '/3/,+2d'
### n 3 4p
seq 10 | sed -n '3,~4p'
### s l L 2
echo hello | sed 's/l/L/2'
### s l L g
echo hello | sed 's/l/L/g'
### E s w w 2 1
echo hello world | sed -E 's/(\w+) (\w+)/\2 \1/'
### E s a ab X
echo ab | sed -E 's/a|ab/X/'
### s
echo foo.bar | sed 's/\./-/'
### s a x g
echo aaa | sed 's/a*/x/g'
### s a x g 2
echo baaac | sed 's/a*/x/g'
### y abc xyz
echo "a b c" | sed 'y/abc/xyz/'
### N s n
printf 'a\nb\n' | sed 'N;s/\n/-/'
### a N ba s n g
printf 'a\nb\nc\n' | sed ':a;N;$!ba;s/\n/,/g'
### n H x s n g p
printf 'a\nb\nc\n' | sed -n 'H;${x;s/\n/,/g;p}'
### 1 G h d
printf 'a\nb\nc\n' | sed '1!G;h;$!d'
### a foo
echo hi | sed 'a\foo'
### a foo bar
echo hi | sed 'a foo bar'
### i foo
echo hi | sed 'i\  foo'
### c changed
echo hi | sed 'c\changed'
### 1i first second
printf 'a\nb\n' | sed '1i\
first\
second'
### 2c X
printf 'a\nb\nc\n' | sed '2c\X'
### 1 2c X
printf '1\n2\n3\n' | sed '1,2c\X'
### s U
echo hello | sed 's/.*/\U&/'
### s b u 1 g
echo hello world | sed 's/\b\(.\)/\u\1/g'
### s L s u
echo HELLO | sed 's/.*/\L&/;s/^./\u&/'
### n s l L gp
echo hello | sed -n 's/l/L/gp'
### s L x I
echo hello | sed 's/L/x/I'
### s n g
echo 'a,b,c' | sed 's/,/\n/g'
### e s x y e s 1 2
echo "x=1" | sed -e 's/x/y/' -e 's/1/2/'
### 2q
seq 3 | sed '2q'
### 2q5 echo
seq 3 | sed '2q5'; echo $?
### 2Q
seq 3 | sed '2Q'
### 2 d
seq 5 | sed '2!d'
### n l
printf 'a\tb\n' | sed -n l
### s s
echo "foo(bar)" | sed 's/(/[/;s/)/]/'
### s X g
echo aXbXc | sed 's/X/\&/g'
### n d
seq 4 | sed 'n;d'
### N P D
seq 4 | sed '$!N;P;D'
### E s s w s s w s 1 2
echo "key = value" | sed -E 's/^\s*(\w+)\s*=\s*(\w+)\s*$/\1:\2/'
### i s x z f1 cat f1
printf 'x\ny\n' > f1; sed -i 's/x/z/' f1; cat f1
### i bak s x z f2 cat f2 f2 bak
printf 'x\ny\n' > f2; sed -i.bak 's/x/z/' f2; cat f2 f2.bak
### i e 1i top e a bottom f3 cat f3
printf 'x\ny\n' > f3; sed -i -e '1i top' -e '$a bottom' f3; cat f3
### x r f3 f4
printf 'x\ny\n' > f4; sed '/x/r f3' f4
### w out1 f4 cat out1
printf 'x\ny\n' > f4; sed 'w out1' f4; cat out1
### s a x41
printf 'a\n' | sed 's/a/\x41/'
### s g
printf 'a.b.c\n' | sed 's/\./\\./g'
### foo s X b s bar Y
printf 'foo\nbar\n' | sed '/foo/{s//X/;b};s/bar/Y/'
### e foo b end e s e end
printf 'foo\nbar\n' | sed -e '/foo/b end' -e 's/^/-/' -e ':end'
### s o 0 t s f F
printf 'foo\n' | sed 's/o/0/;t;s/f/F/'
### s x 0 T s f F
printf 'foo\n' | sed 's/x/0/;T;s/f/F/'
### N n D
printf 'a\n\n\n\nb\n' | sed '/^$/N;/\n$/D'
### s space
printf 'trail  \n' | sed 's/[[:space:]]*$//'
### s b B
printf 'abc' | sed 's/b/B/'
### s 2
printf 'a\nb' | sed '$!s/$/,/'
### 2 h d G
seq 3 | sed '2{h;d};${G}'
### sed
seq 3 | sed =
### s a b w out3 cat out3
echo a | sed 's/a/b/w out3'; cat out3
### s a 2 X
echo aab | sed 's/a\{2\}/X/'
### E s foo bar g
echo 'foobar' | sed -E 's/(foo|bar)+/<&>/g'
### E s abc 1 X
echo abcabc | sed -E 's/(abc)\1/X/'
### z s a x od c
printf 'a\0b\0' | sed -z 's/a/x/' | od -c
### f scr
echo 's/a/b/' > scr; echo a | sed -f scr
### n 2 4p 2
seq 10 | sed -n '/2/,4p'
### 5 2d
seq 10 | sed '5,2d'
### s Q
echo "it's" | sed "s/'/Q/"
### e 1d e a
printf 'a\nb\n' | sed -e 1d -e '$a\'
### line1 a after
printf 'line1\nline2\n' | sed '/line1/a\
after'
### 2i indented
printf 'l1\nl2\nl3\n' | sed '2i\ \ indented'
### s x a b
printf 'x\n' | sed 's/x/a\
b/'
### s X g 2
printf 'é\n' | sed 's/./X/g'
### y e
printf 'aé\n' | sed 'y/é/e/'
### echo
echo x | sed '}' ; echo $?
### s a b echo
echo x | sed 's/a/b' ; echo $?
### p nofile echo
sed p nofile; echo $?
### s a b 2g
printf 'aaa\n' | sed 's/a/b/2g'
### N N s n g
printf 'one\ntwo\n' | sed 'N;N;s/\n/+/g'
### N s n 2
printf 'one\ntwo\nthree\n' | sed '$!{N;s/\n/+/}'
### s f oo u 1 U 2 E x
printf 'foo\n' | sed 's/\(f\)\(oo\)/\u\1\U\2\E-x/'
### 0 2d
printf 'a\nb\nc\n' | sed '0~2d'
### a b d
printf 'a\nb\nc\n' | sed '/a/,/b/{//!d}'
### START END START n END d
printf 'START\nx\ny\nEND\nz\n' | sed '/START/,/END/{/START/n;/END/!d}'
### s X g 3
printf 'aa bb\n' | sed 's/\<./X/g'
### s X g 4
printf 'aa bb\n' | sed 's/.\>/X/g'
### s a b X
printf 'aab\n' | sed 's/a\+b/X/'
### s a b X 2
printf 'b\n' | sed 's/a\|b/X/'
### s a X
printf '*a\n' | sed 's/*a/X/'
### s a b c X
printf 'a^b$c\n' | sed 's/a^b$c/X/'
### s b a 1
printf 'a\n' | sed 's/\(b\)*a/[\1]/'
### n p f1 f3
printf 'z\ny\n' > f1; printf 'top\nz\nbottom\n' > f3; sed -n '$p' f1 f3
### s n p f1 f3
printf 'z\ny\n' > f1; printf 'top\nz\nbottom\n' > f3; sed -s -n '$p' f1 f3
### n F f1
printf 'z\ny\n' > f1; printf 'top\nz\nbottom\n' > f3; sed -n 'F' f1
### s z q w dev stdout f1
printf 'z\ny\n' > f1; printf 'top\nz\nbottom\n' > f3; sed 's/z/q/;w /dev/stdout' f1
### 1R f3
printf 'z\ny\n' > f1; printf 'top\nz\nbottom\n' > f3; printf 'a\nb\n' | sed '1R f3'
### n 2 N N p
printf 'a\nb\nc\nd\ne\n' | sed -n '2{N;N;p}'
### comment s x y another
printf 'x\n' | sed '# comment
s/x/y/ # another'
### s b n P D
printf 'abc\n' | sed 's/b/\n/;P;D'
### s x o101 d066 x43
printf 'x\n' | sed 's/x/[\o101\d066\x43]/'
### n l 2
printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\001\n' | sed -n l
### flags with blanks, and ranges to a multiple
echo HeLLo | sed 's/l/x/I g'; echo 121 | sed 's/1/x/ p ;s/2/y/ w out'; cat out; seq 12 | sed -n '4,~4p'; seq 7 | sed '4,~2d'; for f in gg pp '1 2' 0; do echo 1 | sed "s/1/x/$f" 2>&1; done
