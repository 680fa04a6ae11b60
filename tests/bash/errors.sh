# Syntax errors and what still runs, statuses of failing things.

### syntax error status
bash -c 'if true; then' 2>/dev/null; echo $?; bash -c 'echo )' 2>/dev/null; echo $?; bash -c ';;' 2>/dev/null; echo $?
### syntax error in this very script
echo before; if
### lines before a syntax error run
echo one
echo two
fi
echo three
### syntax error on the same line runs nothing of it
echo a; echo b; )
### unexpected done
for i in 1 2; do echo $i; done
done
### syntax error message token
bash -c 'echo a; )' 2>&1
### syntax error message end of file
bash -c 'if true' 2>&1
### syntax error in a file
printf 'echo ok\nfi\necho no\n' > s; bash s 2>&1; echo $?
### syntax error in source goes on
printf 'echo ok\nfi\n' > s; . ./s 2>/dev/null; echo "after $?"
### syntax error in eval goes on
eval 'fi' 2>/dev/null; echo "after $?"
### unclosed brace
bash -c 'f() { echo a' 2>/dev/null; echo $?
### unclosed parenthesis
bash -c '(echo a' 2>/dev/null; echo $?
### unclosed substitution in double quotes
bash -c 'echo "$(ls"' 2>/dev/null; echo $?
### empty compound body
bash -c 'if true; then fi' 2>/dev/null; echo $?; bash -c 'while true; do done' 2>/dev/null; echo $?; bash -c '{ }' 2>/dev/null; echo $?
### missing in and do
bash -c 'for x a b; do :; done' 2>/dev/null; echo $?; bash -c 'case x { a) ;; }' 2>/dev/null; echo $?
### double semicolon
bash -c 'echo a;; echo b' 2>/dev/null; echo $?; bash -c 'echo a; ; echo b' 2>/dev/null; echo $?
### pipe without command
bash -c '| cat' 2>/dev/null; echo $?; bash -c 'echo a |' 2>/dev/null; echo $?; bash -c 'echo a | | cat' 2>/dev/null; echo $?
### and without command
bash -c '&& echo' 2>/dev/null; echo $?; bash -c 'true &&' 2>/dev/null; echo $?
### redirect without target
bash -c 'echo a >' 2>/dev/null; echo $?; bash -c 'cat < ; echo x' 2>/dev/null; echo $?
### bad substitution
bash -c 'echo ${a b}; echo next' 2>/dev/null; echo $?; bash -c 'echo ${}' 2>/dev/null; echo $?
### bad function name
bash -c '1f() { :; }; echo ok' 2>/dev/null; echo $?; bash -c 'function a.b { echo dots; }; a.b'
### bad arithmetic goes to the next line
echo $((1 +)) 2>/dev/null; echo same line
echo next line
### bad array subscript
a=(1); echo ${a[]} 2>/dev/null; echo same
echo next
### division by zero skips the line
echo $((1/0)); echo same line
echo next line $?
### unset error stops the script
: ${nope:?must be set}; echo same
echo next
### unset error in function
f() { : "${1:?need an argument}"; echo ok; }; f x; (f) 2>/dev/null; echo $?
### readonly in function
readonly r=1; f() { r=2; echo in; }; f 2>/dev/null; echo "after $?"
### readonly local
readonly r=1; f() { local r=2; echo "[$r]"; }; f 2>/dev/null; echo $?
### readonly for loop
readonly i=1; for i in 1 2; do echo $i; done 2>/dev/null; echo $?
### command not found in the middle
echo a; nosuch_x 2>/dev/null; echo "b $?"
### command not found in condition and list
if nosuch_x 2>/dev/null; then :; else echo else; fi; nosuch_x 2>/dev/null || echo or
### command not found in pipeline
nosuch_x 2>/dev/null | cat; echo "${PIPESTATUS[@]}"
### command not found in substitution
x=$(nosuch_x 2>/dev/null); echo "[$x] $?"
### empty string as command
"" 2>/dev/null; echo $?; '' 2>/dev/null || echo failed
### slash command missing
/no/such 2>/dev/null; echo $?; no/such 2>/dev/null; echo $?; touch f; f/x 2>/dev/null; echo $?
### command_not_found_handle
command_not_found_handle() { echo "handler: $*"; return 9; }; nosuch_x a b; echo $?
### exit statuses of programs
ls none 2>/dev/null; echo $?; grep x none 2>/dev/null; echo $?; cat none 2>/dev/null; echo $?; diff a b 2>/dev/null; echo $?; cp none x 2>/dev/null; echo $?; mkdir a/b 2>/dev/null; echo $?; rmdir none 2>/dev/null; echo $?
### messages of programs
cat none 2>&1; ls none 2>&1; grep x none 2>&1; mkdir a/b 2>&1; rm none 2>&1; cp none x 2>&1
### messages without file
head -1 none 2>&1; wc none 2>&1; sort none 2>&1; mv none x 2>&1; rmdir none 2>&1; cut -f1 none 2>&1
### messages with directory
mkdir d; cat d 2>&1; rm d 2>&1; cp d e 2>&1; grep x d 2>&1; sed p d 2>&1; touch d/f; rmdir d 2>&1
### exit with too many arguments
(exit 1 2) 2>/dev/null; echo $?
### return in subshell of function
f() { (return 3); echo $?; }; f
### break outside a loop
break 2>/dev/null; echo $?; continue 2>/dev/null; echo $?
### break in subshell of a loop
for i in 1 2; do (break; echo in) 2>/dev/null; echo $i; done
### recursion ends by limit of function nesting
FUNCNEST=50; f() { f; }; (f) 2>/dev/null; echo $?
### errors keep earlier output
echo kept; cat none 2>/dev/null && echo no; exit 8
### cd into missing and and
cd none 2>/dev/null && echo no; pwd
### unknown option of a program
ls --nosuch 2>/dev/null; echo $?; cat --nosuch 2>/dev/null; echo $?; grep --nosuch x 2>/dev/null; echo $?; sort --nosuch 2>/dev/null; echo $?
### line numbers in messages
nosuch_a 2>&1
echo
nosuch_b 2>&1
### line numbers in a file
printf 'echo\nnosuch_c\n' > s; bash s 2>&1
### message in a function and subshell
f() {
  nosuch_d
}
f 2>&1; (nosuch_e) 2>&1; echo $(nosuch_f 2>&1)
### too long loop of errors
for i in 1 2 3; do cat none$i 2>/dev/null || echo "miss $i"; done
### status of the whole script is that of the last command
true; false
### errors stay within eval and source
f() { eval 'echo ${x!}; echo same
echo next'; echo after; }; f 2>/dev/null; echo 'echo $((1/0)); echo same' > s; . ./s 2>/dev/null; echo here
