# Pipelines: concurrency, statuses, broken pipes.

### two stages
echo hello | tr a-z A-Z
### five stages
printf '%s\n' c b a b c | sort | uniq -c | sort -rn | awk '{print $2, $1}' | head -2
### pipestatus
true | false | (exit 3); echo "${PIPESTATUS[@]}"
### pipestatus of a single command
false; echo "${PIPESTATUS[0]} ${#PIPESTATUS[@]}"
### pipestatus is replaced by next command
true | false; x="${PIPESTATUS[*]}"; echo "$x"; echo "${PIPESTATUS[*]}"
### pipefail last failure
set -o pipefail; true | (exit 2) | (exit 3) | true; echo $?
### pipefail all fine
set -o pipefail; true | true; echo $?
### pipefail off
false | true; echo $?
### pipefail with set -e
set -eo pipefail; echo before; false | cat; echo not reached
### pipe stderr too
{ echo out; echo err >&2; } |& sort
### pipe stderr of missing command
nosuchcommand_xyz |& sed 's/^/got: /'
### yes head
yes | head -1
### yes head status
yes | head -1 >/dev/null; echo "${PIPESTATUS[@]}"
### yes head pipefail
set -o pipefail; yes | head -3; echo $?
### endless loop ended by head
while :; do echo y; done | head -3
### endless loop counted
while :; do echo y; done | head -3 | wc -l
### endless subshell ended by head
(while true; do echo x; done) | head -2
### endless function ended by head
f() { while true; do echo f; done; }; f | head -2
### loop in the middle
seq 5 | while read n; do echo $((n*n)); done | paste -sd+
### variables set in pipeline are lost
x=1; echo 5 | read x; echo $x
### lastpipe keeps variables
shopt -s lastpipe; echo 5 | read x; echo $x
### lastpipe with while
shopt -s lastpipe; n=0; seq 4 | while read v; do n=$((n+v)); done; echo $n
### group at the end reads twice
seq 5 | { read a; read b; echo "$a $b"; cat; }
### head then cat share a pipe by read
printf '1\n2\n3\n' | (read x; echo "first $x"; cat)
### head then cat share a file
seq 3 > f; (head -1; cat) < f
### if in pipeline
echo a | if read x; then echo "got $x"; else echo none; fi
### for into pipe
for i in 3 1 2; do echo $i; done | sort
### case in pipeline
echo b | case x in x) cat ;; esac
### function in both ends
gen() { printf '%s\n' "$@"; }; up() { tr a-z A-Z; }; gen a b | up
### subshell pipestatus
(exit 1) | (exit 2) | (exit 3); a=("${PIPESTATUS[@]}"); echo ${#a[@]} ${a[@]}
### builtin echo into grep status
echo abc | grep -q x; echo $?
echo abc | grep -q b; echo $?
### negated pipeline with pipefail
set -o pipefail; ! false | true; echo $?
### stdin of first stage is the shell's
printf 'a\nb\n' > f; { cat | tr a-z A-Z; } < f
### pipe into bash
echo 'echo from script $((1+2))' | bash
### pipe into bash -s
echo 'echo $1 $2' | bash -s one two
### tee splits
printf 'x\ny\n' | tee copy | wc -l; cat copy
### tee into process substitution
printf '3\n1\n2\n' | tee >(sort > sorted) | cat; sleep 0.2; cat sorted
### long data through several stages
seq 20000 | grep 7 | sed 's/7/x/' | tail -1
### bigger than the pipe buffer
head -c 300000 /dev/zero | tr '\0' a | wc -c
### cat many through loop
for i in 1 2 3; do seq 1000; done | wc -l
### xargs at the end
printf '%s\n' a b c | xargs echo got
### pipeline in command substitution
echo "n=$(seq 10 | grep -c 1)"
### pipeline in background
seq 3 | tac & wait; echo end
### newline after pipe
seq 3 |

 tac
### comment after pipe
seq 2 | # numbers
 cat
### sigpipe in subshell status
(yes; echo "status $?" >&2) | head -1
### ignored sigpipe lets writer see the error
(trap '' PIPE; while echo x; do :; done 2>/dev/null; echo ended >&2) 2>err | head -1; cat err
### printf to closed reader
printf 'a\n' | true; echo "${PIPESTATUS[1]}"
### exit in pipeline stage
echo a | exit 5; echo $?
### return status of while read at end of file
printf 'a\nb' | while read l; do echo "[$l]"; done; echo $?
### last line without newline
printf 'a\nb' | while read l || [ -n "$l" ]; do echo "[$l]"; done
### errexit inside pipeline stage
set -e; (echo a; false; echo b) | cat; echo c
### PIPESTATUS after if
if true | false; then :; else echo "${PIPESTATUS[*]}"; fi
