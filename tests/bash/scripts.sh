# bash started again: bash, sh, ./script, shebangs, arguments.

### shebang bash
printf '#!/bin/bash\necho "$0 $1 $#"\n' > s; chmod +x s; ./s a b
### shebang sh
printf '#!/bin/sh\necho sh "$1"\n' > s; chmod +x s; ./s x
### shebang env
printf '#!/usr/bin/env bash\na=(1 2)\necho ${#a[@]}\n' > s; chmod +x s; ./s
### shebang with option
printf '#!/bin/bash -e\nfalse\necho no\n' > s; chmod +x s; ./s; echo $?
### shebang with space
printf '#! /bin/bash\necho spaced\n' > s; chmod +x s; ./s
### shebang of other program
printf '#!/bin/cat\nline\n' > s; chmod +x s; ./s
### shebang awk
printf '#!/usr/bin/awk -f\n{ print "line:", $0 }\n' > s; chmod +x s; echo x | ./s
### shebang sed
printf '#!/bin/sed -f\ns/a/b/\n' > s; chmod +x s; echo aaa | ./s
### shebang missing interpreter
printf '#!/no/such/interp\necho x\n' > s; chmod +x s; ./s 2>/dev/null; echo $?
### no shebang is run by bash
printf 'echo no shebang $1\na=(1)\necho ${a[0]}\n' > s; chmod +x s; ./s arg
### empty file is run
: > s; chmod +x s; ./s; echo $?
### absolute path
printf '#!/bin/bash\necho abs\n' > s; chmod +x s; $PWD/s
### script in subfolder
mkdir d; printf '#!/bin/bash\npwd; echo $0\n' > d/s; chmod +x d/s; d/s; cd d; ../d/s
### exit status of a script
printf '#!/bin/bash\nexit 42\n' > s; chmod +x s; ./s; echo $?
### bash file
echo 'echo "file $0 $1"; exit 3' > s.sh; bash s.sh x; echo $?; sh s.sh y; echo $?
### bash -c arguments
bash -c 'echo $0 $1 $2 $#' zero one two; bash -c 'echo $#'
### bash -c quoting
bash -c "echo 'single' \"double\" \$((1+1))"
### bash -c nested
bash -c 'bash -c "bash -c \"echo deep\""'
### bash options and -c
bash -ec 'false; echo no'; echo $?; bash -uc 'echo $nope' 2>/dev/null; echo $?; bash -xc 'echo a' 2>&1
### bash from stdin
echo 'echo from stdin; exit 4' | bash; echo $?
### script reads rest of its own stdin
printf 'read x\nthis line is data\necho "got $x"\n' | bash
### bash -s
echo 'echo $# $1' | bash -s -- a b
### bash -n
echo 'echo hi; if' > s; bash -n s 2>/dev/null; echo $?; echo 'echo fine' > s; bash -n s; echo $?
### bash missing file
bash none.sh 2>/dev/null; echo $?; bash none.sh 2>&1
### bash of a directory
mkdir d; bash d 2>/dev/null; echo $?
### sh runs posix
sh -c 'x=1; [ $x = 1 ] && echo ok; echo $0'
### sh syntax error status
sh -c 'if' 2>/dev/null; echo $?; bash -c 'for' 2>/dev/null; echo $?
### variables do not leak back
x=1; bash -c 'x=2'; echo $x; export y=1; bash -c 'y=2; echo $y'; echo $y
### cwd does not leak back
mkdir d; bash -c 'cd d; pwd'; pwd
### functions do not leak in
f() { echo f; }; bash -c 'type f' >/dev/null 2>&1; echo $?
### options do not leak in
set -e; bash -c 'false; echo went on'
### script calls script
printf '#!/bin/bash\necho outer; ./inner "$1"\n' > outer; printf '#!/bin/bash\necho "inner $1"\n' > inner; chmod +x outer inner; ./outer arg
### script sources library
mkdir lib; echo 'greet() { echo "hi $1"; }' > lib/l.sh; printf '#!/bin/bash\n. "$(dirname "$0")/lib/l.sh"\ngreet bob\n' > m; chmod +x m; ./m
### script recursion
printf '#!/bin/bash\n(( $1 == 0 )) && { echo bottom; exit; }\necho $1\n"$0" $(( $1 - 1 ))\n' > r; chmod +x r; ./r 3
### script with here-document and stdin
printf '#!/bin/bash\ncat <<EOF\nusage: $0\nEOF\nread x; echo "in $x"\n' > s; chmod +x s; echo data | ./s
### script argument parsing
cat > opt.sh <<'EOF'
#!/bin/bash
verbose=0 out=
while [[ $# -gt 0 ]]; do
  case $1 in
    -v|--verbose) verbose=1; shift ;;
    -o|--out) out=$2; shift 2 ;;
    --out=*) out=${1#*=}; shift ;;
    --) shift; break ;;
    -*) echo "unknown: $1" >&2; exit 2 ;;
    *) break ;;
  esac
done
echo "v=$verbose o=$out rest=$*"
EOF
chmod +x opt.sh; ./opt.sh -v --out=x a b; ./opt.sh -o y -- -z; ./opt.sh --bad 2>/dev/null; echo $?
### exec in script
printf '#!/bin/bash\nexec echo replaced "$@"\necho no\n' > s; chmod +x s; ./s a b
### script ends with failing command
echo 'true; false' > s; bash s; echo $?
### script with carriage returns fails
printf 'echo a\r\n' > s; bash s | od -An -c
### script removes itself
printf '#!/bin/bash\nrm -- "$0"\necho still running\n' > s; chmod +x s; ./s; ls
### executable by PATH
mkdir bin; printf '#!/bin/sh\necho tool $1\n' > bin/tool; chmod +x bin/tool; PATH="$PWD/bin:$PATH"; tool x; command -v tool; which tool
### not executable in PATH is skipped
mkdir a b; echo 'echo a' > a/t; echo 'echo b' > b/t; chmod +x b/t; PATH=$PWD/a:$PWD/b:$PATH; t
### chmod changes what runs
echo 'echo ran' > s; ./s 2>/dev/null; echo $?; chmod u+x s; ./s; chmod -x s; ./s 2>/dev/null; echo $?
### env runs a script
printf '#!/bin/bash\necho "A=$A"\n' > s; chmod +x s; env A=5 ./s; A=6 ./s
### timeout runs a script
printf '#!/bin/bash\necho quick\nsleep 5\n' > s; chmod +x s; timeout 0.3 ./s; echo $?
### xargs runs bash -c
printf 'a\nb c\n' | xargs -d '\n' -n1 bash -c 'echo "<$1>"' _
### find runs bash -c
touch 'x y.txt' z.txt; find . -name '*.txt' -exec bash -c 'for f; do echo "${f##*/}"; done' _ {} + | sort
### standard input shared with child
printf 'one\ntwo\nthree\n' | { read a; bash -c 'read b; echo "child $b"'; read c; echo "parent $a $c"; }
### standard error of child
bash -c 'echo out; echo err >&2' 2>/dev/null; bash -c 'echo out; echo err >&2' 2>&1 >/dev/null
### many small children
for i in $(seq 20); do bash -c "echo -n $i,"; done; echo
### symlinked script
printf '#!/bin/bash\necho "$(basename "$0")"\n' > real; chmod +x real; ln -s real linked; ./linked; readlink linked
### busy script with trap
cat > s <<'EOF'
#!/bin/bash
set -euo pipefail
tmp=work.$1
trap 'rm -f "$tmp"' EXIT
echo data > "$tmp"
wc -l < "$tmp"
EOF
chmod +x s; ./s 1; ls
### login and interactive variables
bash -c 'shopt -q login_shell || echo no login; [[ $- == *i* ]] || echo no interactive'
### bash version option
bash --version | head -1 | grep -c 'GNU bash, version 5'
### unknown bash option
bash --nosuch 2>/dev/null; echo $?
### double dash before file
echo 'echo "$1"' > s; bash -- s arg
### command string after options
bash -o pipefail -c 'false | true; echo $?'; bash +e -c 'echo ok'
### long argument
a=$(printf '%*s' 50000 ''); bash -c 'echo ${#1}' _ "$a"
### many arguments
set -- $(seq 2000); bash -c 'echo $#' _ "$@"
### echo program apart from builtin
/bin/echo -e 'a\tb'; env echo plain; env printf '%s\n' x
