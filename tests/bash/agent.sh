# What coding agents really type: files by here-document, search, edit, run, count.

### create and show a file
cat > hello.py <<'EOF'
def main():
    print("hello")

if __name__ == "__main__":
    main()
EOF
cat hello.py && wc -l hello.py
### create a tree and list it
mkdir -p src/app tests && touch src/app/{main,util}.py tests/test_main.py README.md && find . -type f | sort
### number lines
printf 'one\n\nthree\n' > f; nl -ba f; cat -n f; nl f
### show a range
seq 1 30 > f; sed -n '5,8p' f; head -n 3 f; tail -n 2 f; sed -n '$p' f; head -n -27 f; tail -n +29 f
### number and cut a range
seq 101 130 > f; nl -ba f | sed -n '10,12p'; awk 'NR>=3 && NR<=4 {print NR": "$0}' f
### replace in place
printf 'foo = 1\nbar = foo\n' > f; sed -i 's/foo/baz/g' f; cat f
### replace with other delimiter and groups
echo 'path=/usr/local/lib' > f; sed -i 's|/usr/local|/opt|' f; cat f; sed -E 's/([a-z]+)=(.*)/\2 <- \1/' f
### insert and delete lines
printf 'a\nb\nc\n' > f; sed -i '2i inserted' f; sed -i '/^c$/d' f; sed -i '1a after' f; sed -i '$a last' f; cat f
### replace a line by number
printf 'a\nb\nc\n' > f; sed -i '2s/.*/changed/' f; sed -i '3c new' f; cat f
### in place with backup
echo a > f; sed -i.bak 's/a/b/' f; cat f f.bak
### several edits
printf 'x\ny\nz\n' > f; sed -e 's/x/1/' -e 's/y/2/' -e '/z/d' f
### grep recursively
mkdir -p a/b; printf 'import os\nimport sys\n' > a/x.py; echo 'import os' > a/b/y.py; echo 'import os' > a/n.txt; grep -rn 'import os' a --include='*.py' | sort
### grep variants
printf 'Alpha\nbeta\nGamma alpha\n' > f; grep -i alpha f; grep -c a f; grep -v beta f; grep -n -w alpha f; grep -o 'm.' f; grep -E '^(A|b)' f; grep -l beta f; grep -q zeta f || echo none
### grep context
seq 10 > f; grep -n -A1 -B1 5 f; grep -C1 '^3$' f; grep -m1 1 f
### grep exclude dirs
mkdir -p src node_modules; echo TODO > src/a; echo TODO > node_modules/b; grep -rl TODO . --exclude-dir=node_modules
### grep files without match and counts
echo x > a; echo y > b; grep -L x a b; grep -c x a b; grep -h . a b; grep -H x a
### grep fixed and regex specials
printf 'a.b\naxb\n[x]\n' > f; grep -F 'a.b' f; grep 'a\.b' f; grep -F '[x]' f; grep -e a -e x f | wc -l
### grep perl regex
printf 'id=42\nid=x\n' > f; grep -P 'id=\d+' f; grep -oP '(?<=id=)\w+' f
### find by name and type
mkdir -p d/e; touch d/a.js d/e/b.js d/c.ts; find d -name '*.js' | sort; find d -type d | sort; find d -not -name '*.js' -type f; find d -maxdepth 1 -type f | sort
### find with exec
mkdir d; echo 1 > d/a; echo 2 > d/b; find d -type f -exec cat {} \; | sort; find d -type f -exec wc -c {} + | tail -1; find d -name a -exec rm {} \;; ls d
### find with path and prune
mkdir -p p/.git/x p/src; touch p/.git/x/f p/src/f; find p -path '*/.git' -prune -o -type f -print; find p -type f -not -path '*/.git/*'
### find with size, empty, newer
mkdir d; : > d/empty; echo data > d/full; find d -type f -empty; find d -type f -size +0c | sort; touch -d '2000-01-01' d/old; find d -newer d/old -type f | sort; find d -mtime +1000
### find and xargs
mkdir d; echo hello > 'd/a b.txt'; echo hello > d/c.txt; find d -name '*.txt' -print0 | sort -z | xargs -0 grep -l hello; find d -type f | wc -l
### find delete and or
touch a.o b.o c.c d.h; find . -name '*.o' -delete; ls; find . \( -name '*.c' -o -name '*.h' \) | sort
### count lines of code
mkdir s; seq 10 > s/a.py; seq 5 > s/b.py; find s -name '*.py' | sort | xargs wc -l; cat s/*.py | wc -l
### sort and count words
printf 'the cat the dog a cat the end\n' | tr ' ' '\n' | sort | uniq -c | sort -k1,1nr -k2 | awk '{print $1, $2}'
### top of a log
cat > log <<'EOF'
GET /a 200
GET /b 404
GET /a 200
POST /a 500
EOF
awk '{print $2}' log | sort | uniq -c | sort -rn | awk '{print $2": "$1}'; awk '$3 >= 400 {n++} END {print n}' log; cut -d' ' -f1 log | sort -u
### awk one-liners
printf 'a 1\nb 2\nc 3\n' > f; awk '{s+=$2} END {print s, s/NR}' f; awk -F' ' 'NR==2 {print $1}' f; awk '{print NF, $NF}' f; awk '/b/{print "has b"}' f; awk 'BEGIN{for(i=0;i<3;i++) printf "%d ", i; print ""}'
### awk with separators and variables
printf 'x:1\ny:2\n' > f; awk -F: -v k=y '$1==k {print $2}' f; awk 'BEGIN{FS=":"; OFS=","} {$1=$1; print}' f; awk -F: '{a[$1]=$2} END {print a["x"]+a["y"]}' f
### awk functions
echo 'Hello World' | awk '{print toupper($1), length($2), substr($2,1,3), index($0,"o")}'; echo a-b-c | awk '{n=split($0,p,"-"); print n, p[3]; gsub(/-/,"+"); print}'
### cut and paste and tr
printf 'a,b,c\nd,e,f\n' > f; cut -d, -f2 f; cut -d, -f1,3 f; cut -c1-3 f; paste -d: f f; tr ',' '\t' < f | cut -f3; tr -d ',' < f; tr -s a < f; echo abc | tr a-c A-C
### sort options
printf '10 b\n9 a\n100 c\n' > f; sort f; sort -n f; sort -k2 f; sort -rn f; sort -t' ' -k2,2r f; printf '1.10\n1.9\n' | sort -V; printf 'b\na\nb\n' | sort -u
### head and tail of a pipe
seq 100 | head -n 5 | tail -n 1; seq 100 | tail -n 3 | head -n 1; seq 5 | tail -c 4; seq 5 | head -c 4
### diff of two files
printf 'a\nb\nc\n' > x; printf 'a\nB\nc\nd\n' > y; diff x y; echo $?; diff -q x y; diff x x && echo same
### unified diff without times
printf '1\n2\n3\n' > x; printf '1\nTwo\n3\n' > y; diff -u x y | tail -n +3; diff -u --label old --label new x y
### diff of folders
mkdir a b; echo 1 > a/f; echo 2 > b/f; echo x > a/only; diff -rq a b; diff -r a b
### cmp
echo abc > x; echo abd > y; cmp x y; echo $?; cmp -s x x; echo $?
### tee and append
echo start | tee log; echo more | tee -a log >/dev/null; cat log
### copy move remove
mkdir d; echo x > a; cp a b; cp -r d e; mv b d/; cp a d/c; ls d; rm -r d; rm -f none; ls
### copy tree and compare
mkdir -p s/t; echo 1 > s/t/f; cp -r s copy; diff -r s copy && echo identical; cp -a s/. into 2>/dev/null || mkdir into && cp -a s/. into/; find into | sort
### symlinks
echo x > t; ln -s t l; readlink l; cat l; ls -l l | awk '{print $1, $NF}'; rm l; cat t; ln -sf t l; test -L l && echo link
### absolute links and realpath
mkdir d; echo x > d/f; ln -s $PWD/d/f abs; cat abs; realpath abs; readlink -f abs; cd d; realpath ../abs .
### permissions
touch f; chmod 644 f; stat -c '%a %A' f; chmod u+x,go-r f; stat -c '%a' f; chmod 755 f; ls -l f | cut -c1-10; mkdir d; stat -c %F d f
### make executable and run
cat > run.sh <<'EOF'
#!/bin/bash
echo "running with $# args: $*"
EOF
chmod +x run.sh && ./run.sh a b; bash run.sh; ls -l run.sh | cut -c1-10
### timeout around a command
timeout 5 echo in time; timeout 0.1 sleep 3; echo $?; timeout 1 bash -c 'exit 7'; echo $?
### which and command -v
which bash cat grep; command -v sed; command -v nosuch || echo missing; type cd | head -1
### xargs forms
echo a b c | xargs; echo a b c | xargs -n1; printf 'x\ny\n' | xargs -I{} echo "<{}>"; echo 1 2 3 4 | xargs -n2 echo pair; printf 'a b\0c\0' | xargs -0 -n1 echo; echo | xargs echo empty; echo | xargs -r echo never
### read a file line by line
printf 'name=x\n# comment\n\nkey=v=w\n' > c; while IFS='=' read -r k v; do [[ -z $k || $k == \#* ]] && continue; echo "$k -> $v"; done < c
### config from env file
printf 'A=1\nB="two words"\n' > .env; set -a; . ./.env; set +a; echo "$A $B"; env | grep -c '^B='
### and chain with cd
mkdir -p proj/src && cd proj && echo 'x' > src/f && ls src && cd .. && pwd
### redirect both and inspect
{ echo ok; ls none; } > out.log 2>&1; echo "exit $?"; wc -l < out.log; tail -1 out.log
### rename many
touch a.txt b.txt c.txt; for f in *.txt; do mv "$f" "${f%.txt}.md"; done; ls
### replace in many files
mkdir s; echo 'old' > s/a; echo 'old old' > s/b; grep -rl old s | sort | xargs sed -i 's/old/new/g'; cat s/a s/b
### check for files before use
for f in a b; do if [ -f $f ]; then echo "$f there"; else echo "$f missing"; touch $f; fi; done; ls
### compare outputs of a test
printf '#!/bin/bash\necho $(( $1 * 2 ))\n' > dbl; chmod +x dbl; pass=0; for t in 1:2 2:4 3:7; do in=${t%:*} want=${t#*:}; got=$(./dbl $in); if [ "$got" = "$want" ]; then ((pass++)); else echo "FAIL $in: got $got want $want"; fi; done; echo "passed $pass"
### json-ish by grep and sed
cat > package.json <<'EOF'
{
  "name": "demo",
  "version": "1.2.3",
  "scripts": { "test": "jest" }
}
EOF
grep '"version"' package.json | sed -E 's/.*"version": "([^"]+)".*/\1/'; sed -i 's/"version": "1.2.3"/"version": "1.2.4"/' package.json; grep -n version package.json
### csv report
printf 'name,qty\napple,3\npear,5\n' > d.csv; tail -n +2 d.csv | while IFS=, read -r n q; do printf '%-8s %3d\n' "$n" "$q"; done; awk -F, 'NR>1 {t+=$2} END {print "total", t}' d.csv; sort -t, -k2 -nr d.csv | head -1
### multi-line replacement by awk
printf 'start\nold\nend\n' > f; awk '/start/{print; print "new"; skip=1; next} /end/{skip=0} !skip' f > g && mv g f; cat f
### extract block between markers
printf 'x\nBEGIN\na\nb\nEND\ny\n' > f; sed -n '/BEGIN/,/END/p' f; sed -n '/BEGIN/,/END/{//!p}' f; awk '/BEGIN/{f=1;next} /END/{f=0} f' f
### join lines and split
printf 'a\nb\nc\n' | paste -sd, ; printf 'a,b,c' | tr ',' '\n'; echo; printf 'a\nb\n' | tr '\n' ' '; echo; seq 6 | xargs -n3; seq 4 | paste - -
### hashes and encodings
printf hello > f; sha256sum f; md5sum f; base64 f; echo aGVsbG8= | base64 -d; echo; cksum f; printf abc | od -c; printf abc | od -An -tx1
### file sizes
head -c 2048 /dev/zero > f; stat -c %s f; wc -c f; ls -l f | awk '{print $5}'; find . -size 4 -name f
### file listing
mkdir d; touch b a .h d/x; ls; ls -a; ls -1; ls -d */; ls -A; ls -R; ls -p
### ls sorting
echo 1 > small; seq 100 > big; touch -d 2020-01-01 old; ls -S | head -1; ls -t | tail -1; ls -r
### dates that are fixed
date -u -d '2024-02-29' +%Y-%m-%d; date -u -d @0 '+%H:%M:%S %j'; date -u -d '2024-01-31 +1 day' +%F
### sequences and loops
for i in $(seq -w 8 11); do echo "file_$i"; done; seq -s, 5; seq 10 -3 1 | xargs; printf '%s\n' item{1..3}
### basename dirname
basename /a/b.txt; basename /a/b.txt .txt; dirname /a/b.txt; dirname f; basename -s .c x.c y.c; dirname a/b c/d
### mktemp in the workspace
d=$(mktemp -d -p .); [ -d "$d" ] && echo dir; f=$(mktemp ./tmp.XXXX); [ -f "$f" ] && echo file; rm -r "$d" "$f"; ls
### disk use of a folder
mkdir d; head -c 100000 /dev/zero > d/f; [ $(du -sk d | cut -f1) -ge 96 ] && echo big enough; du -s --apparent-size -B1 d/f | cut -f1
### background server idiom
(for i in 1 2 3; do echo tick $i; sleep 0.02; done) > server.log 2>&1 & pid=$!; wait $pid; cat server.log
### retry loop
n=0; until [ $n -ge 3 ]; do n=$((n+1)); ./flaky 2>/dev/null && break; echo "attempt $n failed"; done; echo "gave up after $n"
### todo report
mkdir -p s; printf 'x\n# TODO: one\n' > s/a; printf '# TODO: two\n' > s/b; grep -rn TODO s | sort | awk -F: '{print $1" line "$2}'
### makefile like steps
set -e; mkdir -p build; echo 'int x;' > a.c; for s in *.c; do o=build/${s%.c}.o; if [ ! -e $o ] || [ $s -nt $o ]; then cp $s $o; echo "built $o"; fi; done; ls build
### version comparison
v1=1.10.0 v2=1.9.5; if [ "$(printf '%s\n' $v1 $v2 | sort -V | tail -1)" = $v1 ]; then echo "$v1 newer"; fi; IFS=. read -r a b c <<< $v1; echo $((b+1))
### function library and usage text
usage() { cat <<EOF
Usage: tool [-h] NAME
  -h  help
EOF
}; [ $# -eq 0 ] && usage; usage | wc -l
### progress through a list with failures
ok=0 bad=0; for c in true false true; do if $c; then ok=$((ok+1)); else bad=$((bad+1)); fi; done; echo "$ok ok, $bad bad"
### patch by hand with ed-like sed
printf 'def f():\n    return 1\n' > m.py; sed -i '/^def f/a\    # note' m.py; sed -i 's/^\(\s*\)return 1/\1return 2/' m.py; cat -A m.py
### long pipeline with counts
seq 1 100 | awk '$1%3==0' | grep -v 9 | sort -rn | head -5 | tr '\n' ' '; echo
### here-document into a program in a pipe
cat <<'EOF' | grep -v '^#' | sort
b
# c
a
EOF
### split and reassemble
seq 10 > f; split -l 4 f part.; ls part.*; cat part.* | cmp - f && echo same
### set operations
printf '1\n2\n3\n' > a; printf '2\n3\n4\n' > b; comm -12 a b; comm -23 a b; sort a b | uniq -d; sort a b | uniq -u; grep -vxFf a b
### swap two files
echo A > a; echo B > b; mv a t && mv b a && mv t b; cat a b
### tac and rev
printf '1\n2\n3\n' | tac; echo abc | rev
### fold and format
echo 'the quick brown fox jumps' | fold -w 10; echo 'the quick brown fox jumps' | fold -s -w 10; echo 'a b c d e f' | fmt -w 5
### expand and column work
printf 'a\tb\n' | expand -t 4; printf 'a    b\n' | unexpand -a -t 4 | od -An -c
### install and link
echo x > f; install -m 755 f g; stat -c %a g; install -d p/q; test -d p/q && echo made; ln f h; stat -c %h f
### truncate and dd
truncate -s 10 f; wc -c < f; printf 'abcdef' > g; dd if=g bs=1 skip=2 count=3 2>/dev/null; echo; dd if=/dev/zero of=z bs=1024 count=2 2>/dev/null; stat -c %s z
### shuf with one answer and numfmt
shuf -n 3 -e a a a; seq 5 | shuf | sort -n | xargs; numfmt --to=iec 2048
### test of exit codes in a chain
(exit 2) || echo "failed with $?"; (exit 0) && echo fine; false; [ $? -eq 1 ] && echo one
### spaces in names everywhere
mkdir 'my dir'; echo hi > 'my dir/my file.txt'; cat my\ dir/*.txt; for f in my*/*; do wc -c < "$f"; basename "$f"; done; find . -name 'my file*' -print0 | xargs -0 ls
### cd .. and relative files
mkdir d; echo top > f; cd d; cat ../f; pwd; realpath .; cd ..; cat ./f
### environment and program in one line
NAME=bob bash -c 'echo "hi $NAME"'; DEBUG=1 env | grep DEBUG; echo "[$NAME]"
### stat and touch
touch -d '2024-03-01 10:00:00' f; stat -c '%y' f | cut -c1-19; date -u -r f +%F; touch -r f g; [ f -nt g ] || [ g -nt f ] || echo same age
### inspect unknown file
printf 'MZ\0\1' > b; head -c 2 b; echo; od -An -tx1 b; wc -c < b; grep -c MZ b
### big file paging
seq 100000 > f; sed -n '50000p' f; awk 'NR==99999' f; tail -n 1 f; wc -l < f; head -n 50000 f | tail -n 1
### word frequency of a script
declare -A n; while read -r w; do n[$w]=$(( ${n[$w]:-0} + 1 )); done < <(printf '%s\n' a b a); for w in "${!n[@]}"; do echo "$w ${n[$w]}"; done | sort
### menu of subcommands
main() { case ${1:-} in init) echo init;; build) shift; echo "build $*";; '') echo usage; return 1;; *) echo "unknown $1"; return 2;; esac; }; main init; main build a b; main; echo $?; main x; echo $?
### stack trace on error
trap 'echo "error on line $LINENO"' ERR
set -E
f() {
  false
}
f
### id and whoami like checks
[ "$(id -u)" -ne 0 ] && echo not root; [ -w . ] && echo writable; [ -w /bin ] || echo protected
### environment report
for v in HOME PWD LANG TZ; do printf '%s=%s\n' $v "${!v}"; done
