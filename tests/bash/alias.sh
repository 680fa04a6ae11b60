# Aliases; scripts must switch them on.

### off in scripts
alias hi='echo hello'
hi 2>/dev/null; echo $?
### on with shopt
shopt -s expand_aliases
alias hi='echo hello'
hi there
### definition takes effect on the next line
shopt -s expand_aliases
alias a='echo one'; a 2>/dev/null
a
### trailing space expands the next word
shopt -s expand_aliases
alias run='echo ' word='replaced'
run word word
### alias of alias and recursion stops
shopt -s expand_aliases
alias b='echo b' a='b and'
alias ls='ls -d'
a x
mkdir d; ls d
### quoted is not expanded
shopt -s expand_aliases
alias hi='echo hello'
\hi 2>/dev/null; echo $?; 'hi' 2>/dev/null; echo $?
### unalias
shopt -s expand_aliases
alias hi='echo hello'
unalias hi
hi 2>/dev/null; echo $?
unalias nosuch 2>/dev/null; echo $?
### unalias all
alias a=b c=d; unalias -a; alias; echo $?
### listing
alias b='x y' a="it's"; alias; alias b; alias none 2>/dev/null; echo $?
### alias with shell syntax
shopt -s expand_aliases
alias loop='for i in 1 2; do echo $i; done'
alias begin='{' end='}'
loop
begin echo grouped; end
### alias in function is fixed at definition
shopt -s expand_aliases
alias g='echo old'
f() { g; }
alias g='echo new'
f
g
### alias only in command position
shopt -s expand_aliases
alias x='echo X'
echo x; x x
### alias after assignment and redirection
shopt -s expand_aliases
alias show='echo shown'
v=1 show
> f show; cat f
### alias in pipeline and substitution
shopt -s expand_aliases
alias up='tr a-z A-Z'
echo abc | up
echo $(echo def | up)
### type of alias
shopt -s expand_aliases
alias hi='echo hello'
type -t hi
type hi
### alias not exported
shopt -s expand_aliases
alias hi='echo hello'
bash -c 'hi' 2>/dev/null; echo $?
### function overrides alias lookup order
shopt -s expand_aliases
f() { echo function; }
alias f='echo alias'
f
\f
### BASH_ALIASES
alias k='echo v'; echo "${BASH_ALIASES[k]}"
### aliases that hold pieces of a loop
shopt -s expand_aliases
alias L1='for ' L2='L1 ' n1='i ' n2='n1 ' IN='in '
L2 n2 IN 1 2; do echo $i; done
