# Background jobs and wait.

### wait for all
(echo a) & wait; (echo b) & wait; echo c
### wait status
(exit 3) & wait $!; echo $?
### wait several pids gives the last
(exit 1) & a=$!; (exit 2) & b=$!; wait $a $b; echo $?
### wait all gives zero
(exit 1) & (exit 2) & wait; echo $?
### wait twice remembers
(exit 4) & p=$!; wait $p; echo $?; wait $p; echo $?
### wait -n
(sleep 0.3; exit 3) & (exit 5) & wait -n; echo $?; wait -n; echo $?; wait -n; echo $?
### wait -n -p
(exit 2) & p=$!; wait -n -p who; echo "$? $([ $who = $p ] && echo same)"
### bang is the last pid
: & [ -n "$!" ] && echo set; wait
### background group and function
f() { echo "f $1"; }; f 1 & wait; { echo g; } & wait
### background pipeline
printf 'b\na\n' | sort & wait
### background list needs grouping
false && echo no || echo yes & wait
### background loop
for i in 1 2 3; do (echo $i > f$i) & done; wait; cat f1 f2 f3
### background variables do not come back
x=1; { x=2; } & wait; echo $x
### background stdin is empty
cat & wait; echo end
### parallel is parallel
SECONDS=0; for i in 1 2 3 4 5; do sleep 0.4 & done; wait; (( SECONDS < 2 )) && echo fast
### collect statuses
pids=(); for i in 0 1 2; do (exit $i) & pids+=($!); done; for p in "${pids[@]}"; do wait $p; echo $?; done
### background with redirect
echo out > f & wait; cat f
### jobs lists running
sleep 5 & jobs; kill %1; wait 2>/dev/null
### jobs with pids only
sleep 5 & p=$!; [ "$(jobs -p)" = "$p" ] && echo same; kill $p
### jobs count
sleep 5 & sleep 5 & jobs | wc -l; kill %1 %2; wait 2>/dev/null
### jobs of finished
true & p=$!; wait $p; jobs; echo none
### job specs
sleep 5 & sleep 6 & jobs -l | sed 's/ *[0-9][0-9]* / PID /' ; kill %sleep 2>/dev/null; kill %% %-; wait 2>/dev/null
### disown
sleep 1 & disown; jobs; echo $?; kill $!
### fg without job control
sleep 0.1 & fg 2>/dev/null; echo $?; wait
### wait for unknown job
wait %5 2>/dev/null; echo $?
### nohup
nohup echo hi 2>/dev/null; nohup sh -c 'exit 3' 2>/dev/null; echo $?
### producer and consumer by file
(for i in 1 2 3; do echo $i; done > q) & wait; while read x; do echo "got $x"; done < q
### limit of parallel jobs
run() { sleep 0.05; echo "done $1" >> log; }; n=0; for i in 1 2 3 4; do run $i & ((++n % 2 == 0)) && wait; done; wait; sort log
### subshell waits only its own
sleep 0.2 & (wait; echo sub); wait; echo main
### background in function
f() { (echo bg) & wait $!; echo "fg $?"; }; f
### background exit status after output
out=$( (echo x; exit 3) & wait $!; echo $?); echo $out
### nested background
( (echo inner) & wait; echo outer ) & wait
### async command list order
{ sleep 0.1; echo second; } & echo first; wait
### xargs parallel
seq 4 | xargs -P 4 -I{} echo {} | sort
### xargs -n and -P
seq 6 | xargs -n 2 -P 3 echo | sort
### kill all background at end
sleep 30 & sleep 30 & kill $(jobs -p) ; wait; echo cleaned
### background set -e
set -e; false & wait || echo failed; echo on
### time limit by background
(sleep 10) & p=$!; (sleep 0.1; kill $p) & wait $p; echo $?
### zombie free loop
for i in {1..30}; do : & done; wait; echo ok
### last background of pipeline
sleep 0 | (exit 6) & wait $!; echo $?
### wait returns immediately for ended child
true & p=$!; sleep 0.1; wait $p; echo $?
### coproc is a job
coproc cat; jobs | sed 's/  *$//' ; kill %1; wait 2>/dev/null
### set -m job numbers
set -m; sleep 5 & jobs %1; kill %1; wait %1 2>/dev/null; echo $?
### trap CHLD
trap 'echo child' CHLD; sleep 0.05 & wait; trap - CHLD
### BASHPID differs in background
echo $BASHPID > a; (echo $BASHPID > b) & wait; cmp -s a b; echo $?
### dollar dollar same in background
a=$$; ([ $$ = $a ] && echo same) & wait
