# trap, signals, kill.

### exit
trap 'echo bye' EXIT; echo hi
### exit status kept
trap 'echo bye' EXIT; exit 3
### exit trap sees status
trap 'echo "status $?"' EXIT; (exit 5)
### exit trap can change status
trap 'exit 9' EXIT; exit 1
### exit trap by number and name
trap 'echo zero' 0; trap -p EXIT
### exit in subshell
(trap 'echo sub bye' EXIT; echo in sub); echo out
### exit trap not inherited by subshell
trap 'echo parent' EXIT; (echo sub); x=$(echo cs); echo $x
### exit trap reset
trap 'echo no' EXIT; trap - EXIT; echo end
### exit trap in function
f() { trap 'echo from f' EXIT; }; f; echo main
### exit trap runs on errexit and nounset
bash -c 'set -e; trap "echo t1" EXIT; false'; bash -c 'set -u; trap "echo t2" EXIT; echo $nope' 2>/dev/null
### cleanup idiom
d=work; mkdir $d; (trap 'rm -rf "$d"' EXIT; touch $d/x; ls); ls
### signal to self
trap 'echo got usr1' USR1; kill -USR1 $$; echo after
### several signals
trap 'echo sig' USR1 USR2; kill -USR1 $$; kill -s USR2 $$; kill -SIGUSR1 $$; echo end
### signal number variants
trap 'echo term' TERM; kill $$; kill -15 $$; kill -TERM $$; echo alive
### ignored signal
trap '' TERM; kill -TERM $$; echo alive
### default again
bash -c 'trap "echo x" TERM; trap - TERM; kill -TERM $$; echo no'; echo $?
### death by signal status
bash -c 'kill -TERM $$'; echo $?; bash -c 'kill -KILL $$'; echo $?; bash -c 'kill -INT $$'; echo $?
### death by hangup and pipe
bash -c 'kill -HUP $$'; echo $?; bash -c 'kill -PIPE $$'; echo $?; bash -c 'kill -USR1 $$'; echo $?
### trap runs after foreground command
trap 'echo trapped' USR1; (sleep 0.1; kill -USR1 $$) & sleep 0.3; echo done; wait
### wait interrupted by signal
trap 'echo trapped' USR1; (sleep 0.1; kill -USR1 $$) & sleep 5 & p=$!; wait $p; echo $?; kill $p
### trap with loop
n=0; trap '((n++))' USR1; for i in 1 2 3; do kill -USR1 $$; done; echo $n
### kill child
sleep 10 & p=$!; kill $p; wait $p; echo $?
### kill child hard
sleep 10 & p=$!; kill -9 $p; wait $p 2>/dev/null; echo $?
### child trap
(trap 'echo child; exit 7' TERM; while :; do sleep 0.02; done) & p=$!; sleep 0.2; kill $p; wait $p; echo $?
### kill zero asks
sleep 5 & p=$!; kill -0 $p && echo alive; kill $p; wait $p 2>/dev/null; kill -0 $p 2>/dev/null; echo $?
### kill without such process
kill 999999 2>/dev/null; echo $?; kill 2>/dev/null; echo $?; kill notapid 2>/dev/null; echo $?
### kill list
kill -l TERM; kill -l 9; kill -l 137; kill -l HUP INT
### trap -p
trap 'echo "a b"' USR1; trap '' USR2; trap -p USR1 USR2; trap
### trap list names
trap -l | tr '\t' '\n' | head -3 | sed 's/^ *//'
### trap invalid signal
trap 'x' NOSUCH 2>/dev/null; echo $?
### ERR
trap 'echo "err $?"' ERR; false; (exit 3); true; false || true; if false; then :; fi; echo end
### ERR not in functions by default
trap 'echo err' ERR; f() { false; echo in; }; f; echo out
### ERR in functions with errtrace
set -E; trap 'echo "err in ${FUNCNAME[0]:-main}"' ERR; f() { false; echo in; }; f; echo out
### ERR and line
trap 'echo "line $LINENO"' ERR
true
false
f() {
  false
}
f
### ERR of pipeline
trap 'echo err' ERR; false | true; true | false; set -o pipefail; false | true; echo end
### ERR in subshell
trap 'echo err' ERR; (false; echo a); echo b
### ERR reset
trap 'echo err' ERR; trap - ERR; false; echo end
### DEBUG
trap 'echo "+ $BASH_COMMAND"' DEBUG; x=1; echo hi; trap - DEBUG; echo quiet
### DEBUG of compound
trap 'echo "d: $BASH_COMMAND"' DEBUG; for i in 1 2; do echo $i; done; if [ 1 = 1 ]; then :; fi; trap - DEBUG
### DEBUG not in functions
trap 'echo "d: $BASH_COMMAND"' DEBUG; f() { echo in f; }; f; trap - DEBUG
### DEBUG in functions with functrace
set -T; trap 'echo "d: $BASH_COMMAND"' DEBUG; f() { echo in f; }; f; trap - DEBUG
### RETURN
f() { trap 'echo ret; trap - RETURN' RETURN; echo body; return 2; }; f; echo $?
### RETURN for source
echo 'echo sourced' > s; trap 'echo returned' RETURN; . ./s; trap - RETURN
### trap keeps exit status
trap 'false' USR1; true; kill -USR1 $$; echo $?
### trap body with quotes
v=set; trap "echo $v" USR1; v=later; kill -USR1 $$; trap 'echo $v' USR1; kill -USR1 $$
### trap in loop break
trap 'stop=1' USR1; stop=; for i in 1 2 3; do [ -n "$stop" ] && break; echo $i; [ $i = 2 ] && kill -USR1 $$; done
### trap exit order
trap 'echo exit' EXIT; trap 'echo term; exit 5' TERM; kill -TERM $$; echo no
### nested exit in trap function
cleanup() { echo "clean $1"; exit 4; }; trap 'cleanup arg' EXIT; exit 2
### ignored signals are inherited
trap '' USR1; bash -c 'kill -USR1 $$; echo survived'
### handled signals are reset in children
trap 'echo parent' USR1; bash -c 'kill -USR1 $$; echo no'; echo $?
### subshell resets traps
trap 'echo parent' USR1; (trap -p USR1 | wc -l; kill -USR1 $BASHPID; echo no); echo $?
### INT in background is ignored
(sleep 0.3; echo finished) & p=$!; sleep 0.05; kill -INT $p; wait $p; echo $?
### kill by job
sleep 10 & kill %1; wait %1 2>/dev/null; echo $?
### kill group of processes
for i in 1 2 3; do sleep 10 & done; kill $(jobs -p); wait 2>/dev/null; echo $?
### timeout kills
timeout 0.2 sleep 5; echo $?
### timeout with signal and trap
timeout -s USR1 0.2 bash -c 'trap "echo usr1; exit 3" USR1; while :; do sleep 0.05; done'; echo $?
### timeout preserve status
timeout --preserve-status 0.2 sleep 5; echo $?
### timeout kill after
timeout -k 0.2 0.2 bash -c 'trap "" TERM; while :; do sleep 0.05; done'; echo $?
### timeout of quick command
timeout 5 echo fine; echo $?; timeout 5 false; echo $?; timeout 1 nosuch_x 2>/dev/null; echo $?
### exit trap after exec does not run
bash -c 'trap "echo no" EXIT; exec true'; echo $?
### stop at sigpipe in script
bash -c 'for i in 1 2 3 4 5; do echo $i; done' | head -2
### trap with multiple commands and newline
trap 'echo one
echo two; echo three' EXIT; :
### exit trap not double
trap 'echo once' EXIT INT TERM; kill -TERM $$; echo after
### killing waits for status 128 plus
(kill -TERM $BASHPID) ; echo $?; (kill -9 $BASHPID); echo $?
### DEBUG for each stage
trap 'echo d' DEBUG; echo a | cat; trap - DEBUG
### RETURN after source names the caller
echo : > s; set -T; f() { . ./s; }; trap 'echo "r ${FUNCNAME[0]-top}"' RETURN; f
