# grep: flags as agents use them. Recursive output is sorted: folders have no order.

### plain
printf 'apple\nbanana\ncherry\n' > f; grep an f; echo $?; grep zzz f; echo $?; grep a nofile; echo $?
### numbers and names
printf 'apple\nbanana\n' > f; printf 'grape\n' > g; grep -n a f; grep a f g; grep -H a f; grep -h a f g; grep -nH a f; grep -c a f g; grep -b a f
### files with and without
printf 'x\n' > a; printf 'y\n' > b; grep -l x a b; grep -L x a b; grep -lv x a b; grep -lZ x a | od -c
### quiet and silent
printf 'x\n' > a; grep -q x a; echo $?; grep -q z a; echo $?; grep -s x nofile; echo $?; grep -qs x nofile a; echo $?
### ignore case invert whole
printf 'Foo\nfoo bar\nfoobar\n' > f; grep -i foo f; grep -v foo f; grep -w foo f; grep -x Foo f; grep -iw FOO f; grep -vc foo f; grep -ix 'FOO BAR' f
### word at edges
printf 'foo_bar\nfoo-bar\n_foo\nfoo\nxfoo foo\n' | grep -w foo
### extended
printf 'ab\naab\nb\nac\n' > f; grep -E 'a+b' f; grep -E '^(ab|b)$' f; grep -E 'a{2}' f; grep -E 'a?b' f; grep -E 'x|c' f; grep -E '^.{2}$' f
### basic
printf 'a+b\naab\na|b\n(x)\n' > f; grep 'a+b' f; grep 'a\+b' f; grep 'a|b' f; grep '(x)' f; grep '\(a\)\1' f; grep 'a\|x' f; grep 'a\{2\}' f; grep '^*' f; grep '\.' f
### fixed
printf 'a.b\naxb\n[x]\n' > f; grep -F a.b f; grep -F '[x]' f; grep -F -e a.b -e '[x]' f; fgrep . f; grep -Fx 'a.b' f; grep -Fw a f
### perl
printf 'foo123\nfoobar\nbar\n' > f; grep -P '\d+' f; grep -P 'foo(?=bar)' f; grep -oP 'foo\K.*' f; grep -P '^(?!foo)' f; grep -oP '(?<=foo)\d+' f; grep -P '\bbar\b' f; grep -oP '\w+?\d' f
### only matching
printf 'foo bar foo\nbaz\n' > f; grep -o foo f; grep -on foo f; grep -ob foo f; grep -oE '[a-z]+' f; echo ab | grep -oE 'a|ab'; grep -o 'o*' f; grep -oi FOO f; grep -c -o foo f
### context
seq 20 > f; grep -A1 5 f; grep -B1 5 f; grep -C1 5 f; grep -A2 -B1 '^1' f; grep -n -C1 7 f; grep -5 '^10$' f; grep -A1 -e 3 -e 4 f; grep --no-group-separator -A1 5 f; grep --group-separator=XX -A0 5 f
### context overlapping
printf 'a\nx\nb\nx\nc\nd\ne\nx\n' | grep -n -C1 x
### max count
printf 'a\na\na\n' > f; grep -m1 a f; grep -m2 -c a f; grep -m1 -A1 a f; grep -m 1 -n a f f; grep -m0 a f; echo $?; printf 'a\nb\nc\na\n' | grep -m1 -A5 a
### patterns
printf 'a\nb\nc\n' > f; grep -e a -e c f; printf 'a\nb\n' > p; grep -f p f; grep 'a
c' f; grep -vf p f; printf '' > empty; grep -f empty f; echo $?; grep '' f; grep -c '^' f
### recursive
mkdir -p d/e .git; printf 'x1\n' > d/a.py; printf 'x2\n' > d/e/b.py; printf 'x3\n' > d/c.txt; printf 'x4\n' > .git/z; grep -r x | sort; grep -r x d | sort; grep -rn x d | sort; grep -rl x . | sort; grep -rh x d | sort; grep -rc x d | sort
### include and exclude
mkdir -p d/e node_modules; printf 'x\n' | tee d/a.py d/e/b.js d/c.txt node_modules/m.js > /dev/null; grep -r --include='*.py' x . | sort; grep -r --include='*.{py,js}' x . | sort; grep -rl --include=*.js --include=*.py x . | sort; grep -r --exclude='*.txt' x . | sort; grep -rl --exclude-dir=node_modules x . | sort; grep -rl --exclude-dir={node_modules,e} x . | sort
### recursive links
mkdir d; printf 'x\n' > d/f; ln -s f d/l; ln -s d dd; grep -r x d | sort; grep -R x d | sort; grep -r x dd | sort
### directory without -r
mkdir d; grep x d; echo $?; grep -s x d; echo $?; grep -d skip x d; echo $?
### stdin
printf 'a\n' | grep a; printf 'a\n' | grep a -; printf 'a\n' | grep -H a; printf 'a\n' | grep --label=L -H a; printf 'a\n' | grep -n a -
### binary
printf 'a\0b\nabc\n' > f; grep a f; echo $?; grep -a a f | od -c; grep -c a f; grep -l a f; grep -I a f; echo $?; grep -o b f; printf '\377a\n' | grep a; printf 'ok a\n\377a\nend a\n' | grep a; printf '\377a\n' | grep -c a; printf '\377b\nxa\n' | grep a
### null data
printf 'a\0b\0' | grep -z a | od -c
### color
echo hello world | grep --color=always o; echo hello | grep --color=never l; echo hello | grep --color=auto l; printf 'x\n' > f; grep --color=always -nH x f
### classes
printf 'a1\nB2\n c\n-\n' > f; grep '[[:upper:]]' f; grep '[[:digit:]]' f; grep '^[[:space:]]' f; grep '[^[:alnum:] ]' f; grep '[]-]' f; grep '[a-]' f; grep '^[^a]' f; grep '\w\W\?' f; grep '\s' f
### anchors and escapes
printf 'a^b\n$x\nab\n' > f; grep 'a^b' f; grep '$x' f; grep '^a' f; grep 'b$' f; grep '\$' f; grep -E '\^' f; grep '\<ab\>' f; grep '\bab' f; grep -E 'a\b' f
### empty alternation and repetition
printf 'a\n\nab\n' > f; grep -E 'a|' f; grep -E '(a|)b' f; grep -E '()' f | wc -l; grep -E 'a**' f | wc -l; grep -E '^$' f | wc -l; grep -E 'a{,2}$' f; grep -E 'a{1' f; echo 'a{1' | grep -E 'a{1'; echo 'a{x' | grep -E 'a{x'; echo '{1}' | grep -E '{1}'
### bad expressions
echo a | grep '\('; echo $?; echo a | grep -E 'a)'; echo $?; echo a | grep '[a'; echo $?; echo a | grep -E '*a'; echo $?; echo a | grep 'a\{1'; echo $?; grep; echo $?
### unicode
printf 'é\nnaïve\nÜber\n' > f; grep 'na.ve' f; grep -i 'über' f; grep -o '.' f | head -1; grep '[[:alpha:]]ber' f
### no final newline
printf 'a\nb' | grep b; printf 'a\nb' | grep -c ''; printf 'b' | grep -v a; printf '' | grep -c x
### options after operands
printf 'x\n' > f; grep x f -n; grep -- -x f; echo $?; printf -- '-x\n' | grep -e -x; printf -- '-x\n' | grep -- -x
### back references
printf 'abab\nabba\n' > f; grep -E '(a)(b)\1\2' f; grep '\(.\)\(.\)\2\1' f; grep -E '^(.)\1' f; echo aa | grep -oE '(a)\1'
### long options
printf 'Foo\nbar\n' > f; grep --ignore-case foo f; grep --count o f; grep --line-number bar f; grep --invert-match bar f; grep --regexp=bar f; grep --max-count=1 . f; grep --files-with-matches F f; grep --after-context=1 Foo f; grep --word-regexp bar f; grep --only-matching ba f; grep --quiet x f; echo $?
### initial tab
printf 'x\n' > f; grep -T x f; grep -nT x f; grep -HnT x f
### many patterns
seq 1000 | grep -E '^(1|2|3)00$|^99' | paste -sd,; seq 100 | grep -c -e 1 -e 2; seq 290 400 > p; seq 300 | grep -xF -f p | tail -2
### context at file bounds
seq 3 > a; seq 3 > b; grep -A1 3 a b; grep -C1 1 a b; grep -h -B1 2 a b
### count zero files
printf 'x\n' > a; printf '' > b; grep -c x a b; grep -L x a b; echo $?
### code search
mkdir s; printf 'def main():\n    pass\n\nclass A:\n    def f(self):\n        return 1\n' > s/m.py; grep -rn 'def ' s; grep -n '^class\|^def' s/m.py; grep -rnE '^\s*def \w+\(' s; grep -c return s/m.py; grep -n -A2 'class' s/m.py; grep -rn --include=*.py 'self' s
