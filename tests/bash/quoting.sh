# Quotes and escapes.

### single quotes keep everything
echo 'a $b `c` \d "e"'
### double quotes
v=x; echo "a $v $(echo s) $((1+1)) \$v \\ \" \` 'q' \n"
### backslash outside
echo a\ b \$v \\ \" \' \* a\
b
### backslash newline in double quotes
echo "a\
b"
### newline in quotes
echo 'a
b' "c
d"
### ansi c
echo $'a\tb\nc\\d\'e"f\x41\101\u00e9\e[0m' | cat -v
### ansi c more escapes
printf '%s' $'\a\b\f\r\v\0x' | od -An -c
### ansi c control and unicode
printf '%s' $'\cA\u20ac\U1F600' | od -An -tx1
### locale quotes
echo $"hello"
### ansi c not inside double quotes
echo "$'a\tb'"
### concatenation
echo a'b'"c"\d$'e'
### empty arguments
set -- '' "" $'' x; echo $#
### quote in quote
echo "it's" 'say "hi"' 'it'\''s' "say \"hi\""
### dollar at end
echo "a$" a$ "$" $ '$'
### dollar before other
echo "$%" "$/" $. "$ x"
### quotes inside parameter default
unset u; echo "${u:-"a  b"}" "${u:-a  b}" ${u:-"a  b"}
### quotes inside command substitution inside quotes
echo "$(echo "a  b" 'c  d')"
### nested three deep
echo "$(echo "$(echo "$(echo "x  y")")")"
### backticks
echo `echo a` "`echo "b  c"`" `echo \`echo nested\``
### backslash in backticks
v=5; echo `echo \$v` `echo '\$v'` "`echo \\$v`"
### glob characters quoted
touch a b; echo "*" '*' \* *
### hash in words
echo a#b '#c' \#d # comment
### semicolon and operators quoted
echo 'a;b' "c|d" e\&f
### history bang is inert
echo "hi!" hi!there '!x'
### escaped newline in single quotes
echo 'a\
b'
### heredoc-like text quoted
echo "<<EOF"
### unterminated single quote
bash -c "echo 'abc" 2>/dev/null; echo $?
### unterminated double quote
bash -c 'echo "abc' 2>/dev/null; echo $?
### quoted array subscript characters
declare -A m; m["a b"]=1; m['c]d']=2; echo "${m["a b"]} ${m['c]d']}"
### printf %q
printf '%q\n' plain 'a b' "it's" '' $'a\nb' 'a$b' '~x' 'x~' 'a*b' 'é'
### quote and reuse by eval
v="it's \"a\" \$x"; eval "w=$(printf %q "$v")"; echo "$w"; eval "w=${v@Q}"; echo "$w"
### tabs kept
echo "a	b"; printf '%s\n' 'a	b' | od -An -c
### carriage return in script text
printf 'a\r\nb\r\n' | while IFS= read -r l; do echo "${l%$'\r'}"; done
### unicode text
echo 'grüße €  日本'; v='日本'; echo "${v:1}"
### quoted tilde and brace
echo "~" "{a,b}" '{1..3}'
### line joined keyword
ec\
ho joined
### single in double in substitution
echo "$(echo 'a "b" c')" '"' "'"
### unpaired single quote inside double quoted default is an error
v=; echo "${v:-it's}"
### escapes of echo -e
echo -e 'a\tb\\n\x41\0101\u00e9'; echo -e 'stop\chere'; echo; echo -E 'a\tb'
### echo flags
echo -n a; echo -ne 'b\n'; echo -nx; echo -- -n; echo -e; echo -nE 'x\n'; echo
### xpg echo
shopt -s xpg_echo; echo 'a\tb'; shopt -u xpg_echo; echo 'a\tb'
### double quoted backslash others stay
echo "\a\z\'\(\)"
### quote char in case pattern
case "a'b" in *\'*) echo has quote;; esac
### quoted newline in for list
for x in "a
b" c; do printf '[%s]' "$x"; done; echo
### word with mixed quoting in redirect
echo x > "a b".'t'xt; cat a\ b.txt
### quoting in arithmetic
echo $(( "1" + 2 )); (( "3" > 2 )) && echo yes
