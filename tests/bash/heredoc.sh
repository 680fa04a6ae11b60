# Here-documents and here-strings.

### plain
cat <<EOF
hello
  world
EOF
### expands
v=x; cat <<EOF
$v ${v}y $(echo sub) `echo tick` $((1+1)) \$v \\ "q" 'q' ~ * {a,b}
EOF
### quoted keeps
v=x; cat <<'EOF'
$v $(echo sub) `x` \$ \\ "q"
EOF
### double quoted and escaped delimiter
v=x
cat <<"EOF"
$v
EOF
cat <<\EOF
$v
EOF
cat <<E"O"F
$v
EOF
### strip tabs
cat <<-EOF
	one
		two
	  three
	EOF
echo end
### strip tabs quoted
cat <<-'EOF'
	$v	kept
	EOF
### strip tabs in function
f() {
	cat <<-EOF
		indented
		$1
	EOF
}
f arg
### backslash newline joins
cat <<EOF
one \
two
three\\
four
EOF
### backslash newline kept when quoted
cat <<'EOF'
one \
two
EOF
### empty
cat <<EOF
EOF
echo "[$(cat <<EOF
EOF
)]"
### create a file
cat > f.txt <<'EOF'
line 1
	tab $x
EOF
cat f.txt; wc -l < f.txt
### redirect after delimiter
cat <<EOF > out
text
EOF
cat out
### append
echo a > f; cat >> f <<EOF
b
EOF
cat f
### two on one line
cat <<A; cat <<B
from a
A
from b
B
### two for one command takes the last
cat <<A <<B
first
A
second
B
### on different descriptors
cat /dev/fd/3 <<A 3<<B
zero
A
three
B
### in pipeline
cat <<EOF | tr a-z A-Z
shout
EOF
### pipeline continues after the body
cat <<EOF |
c
a
b
EOF
sort
### in and list
cat <<EOF && echo after
body
EOF
### to while read
while IFS= read -r line; do echo "[$line]"; done <<EOF
  a  b
c\\d
EOF
### in command substitution
x=$(cat <<EOF
in $(echo nested)
EOF
); echo "$x"
### in function
f() { cat <<EOF
arg $1
EOF
}; f a; f b
### in if and loop
for i in 1 2; do cat <<EOF
loop $i
EOF
done; if true; then cat <<EOF
branch
EOF
fi
### in subshell and group
( cat <<EOF
sub
EOF
); { cat; } <<EOF
group
EOF
### in case
case a in a) cat <<EOF
case body
EOF
;; esac
### delimiter with other characters
cat <<END-OF_FILE.1
body
END-OF_FILE.1
### delimiter with space needs exact line
cat <<EOF
EOF 
 EOF
xEOF
EOF
### bash program by heredoc
bash <<'EOF'
x=5
echo "inner $x $((x*2))"
EOF
### bash -s with arguments by heredoc
bash -s -- one two <<'EOF'
echo "$2 $1"
EOF
### awk program file by heredoc
cat > p.awk <<'EOF'
{ s += $1 }
END { print "sum", s }
EOF
seq 4 | awk -f p.awk
### nested heredocs
bash <<'OUTER'
cat <<INNER
inner $((1+1))
INNER
echo outer
OUTER
### heredoc script file run
cat > s.sh <<'EOF'
#!/bin/bash
for a in "$@"; do echo "arg: $a"; done
EOF
chmod +x s.sh; ./s.sh x 'y z'
### expands default with quotes
cat <<EOF
${u:-"quoted default"} ${u:-plain}
EOF
### positional
set -- a b; cat <<EOF
$1 $2 $# $* "$@"
EOF
### array
a=(x "y z"); cat <<EOF
${a[@]} ${#a[@]} ${a[1]}
EOF
### error substitution keeps going
cat <<EOF
a$(exit 3)b
EOF
echo $?
### missing end delimiter
bash -c 'cat <<EOF
body' 2>/dev/null; echo $?
### long
{ echo 'cat <<EOF'; seq 5000; echo EOF; } > s; bash s | tail -1; bash s | wc -l
### larger than a pipe
{ echo 'cat <<EOF'; for i in {1..3000}; do echo "0123456789012345678901234567890123456789 $i"; done; echo EOF; } > s; bash s | wc -c
### unread heredoc
true <<EOF
nobody reads this
EOF
echo $?
### here-string
cat <<< hello; v='a  b'; cat <<< $v; cat <<< "$v"; cat <<< 'x'"y"
### here-string empty and newline
cat <<< '' | od -An -c; cat <<< $'a\nb'
### here-string to read
read a b <<< "one two three"; echo "$a|$b"
### here-string substitution
tr a-z A-Z <<< "$(echo sub)"
### here-string no glob and no split
touch x; cat <<< *; cat <<< {a,b}
### here-string on descriptor
cat 3<<< three <&3
### here-string in loop
while read x; do echo "<$x>"; done <<< "$(printf '1\n2\n')"
### unicode heredoc
cat <<EOF
äöü € 日本
EOF
### heredoc with comment-like and special lines
cat <<'EOF'
# not a comment
<<NOT
$(not run)
EOF
### dollar single quote in unquoted heredoc
cat <<EOF
$'a\tb' "x" 'y'
EOF
### heredoc with trailing backslash at last line
cat <<EOF
last \\
EOF
### heredoc then command on next line
cat <<EOF
x
EOF
echo y
### python-like file with indentation
cat > m.py <<'EOF'
def f(x):
    """doc $x"""
    return {"a": x, 'b': [1, 2]}
EOF
grep -c . m.py; sed -n '2p' m.py
### json file
name=demo; cat > c.json <<EOF
{
  "name": "$name",
  "cost": "\$5",
  "path": "C:\\\\dir"
}
EOF
cat c.json
### eval with heredoc
eval 'cat <<EOF
evaluated $((3*3))
EOF'
