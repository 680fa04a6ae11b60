# Pathname expansion.

### star question bracket
touch a1 a2 b1 ab abc; echo a* ?1 [ab]1 a[!1] a[0-9]
### sorted
touch c B a A b; LC_ALL=C; echo *
### hidden files
touch .h v; echo *; echo .[!.]*; echo .h*
### dotglob
touch .h v; shopt -s dotglob; echo *
### no match stays
echo *.none [x]y
### nullglob
shopt -s nullglob; echo *.none end; for f in *.none; do echo no; done; a=(*.none); echo ${#a[@]}
### failglob
shopt -s failglob; (echo *.none; echo no) 2>/dev/null; echo $?
### noglob
touch a; set -f; echo *; set +f; echo *
### directories
mkdir d e; touch d/x e/y f; echo */; echo */*; echo d/*
### path components
mkdir -p a/b c/b; touch a/b/1 c/b/2; echo */b/*; echo ?/b/[12]
### globstar
mkdir -p a/b/c; touch 1 a/2 a/b/3 a/b/c/4; shopt -s globstar; echo **; echo **/*[0-9]; echo a/**; echo **/
### globstar off
mkdir -p a/b; touch a/x a/b/y; echo **/x; echo **
### globstar by extension
mkdir -p s/t; touch m.py s/n.py s/t/o.py s/t/p.txt; shopt -s globstar; for f in **/*.py; do echo $f; done
### extglob
shopt -s extglob
touch a.c b.c a.h ab abab x
echo !(*.c); echo *.@(c|h); echo +(ab); echo ?(a)b; echo *(ab)
### extglob negative of several
shopt -s extglob
touch keep1 keep2 drop1; rm !(keep*); ls
### nocaseglob
touch Abc aBd; shopt -s nocaseglob; echo a*
### quoted parts
touch 'a*b' axb; echo a"*"b a\*b 'a*b'; echo a*b
### special names
touch -- -x 'sp ace' 'new
line'; for f in *; do printf '%q\n' "$f"; done
### character classes
touch a 1 _ A; echo [[:alpha:]] [[:digit:]] [[:upper:]]
### range and literal bracket
touch a b c ']' -; echo [a-b] []] [-] [!a-c]
### escaped in bracket
touch a '\'; echo [\\a]
### in variable
touch x1 x2; p='x*'; echo $p "$p"
### not in assignment
touch x1; v=x*; echo "$v"; echo $v
### in array
touch 'a b' c; a=(*); echo ${#a[@]}
### in for
touch 'one two' three; for f in *; do echo "[$f]"; done
### slash not matched by star
mkdir d; touch d/f; echo d*f; echo d?f
### leading dot needs dot
mkdir .d; touch .d/x; echo */x .*/x
### GLOBIGNORE
touch a.txt b.txt c.log; GLOBIGNORE='*.log'; echo *
### dot and dot dot are skipped
touch .a; echo .*
### symlinks to directories
mkdir d; touch d/x; ln -s d l; echo */x; shopt -s globstar; echo **/x
### broken symlink matches
ln -s none broken; echo br*
### count files idiom
touch a b c; set -- *; echo $#
### case of no permission directory
mkdir p; touch p/x; chmod 000 p; echo p/*; chmod 755 p
### many files
mkdir m; cd m; for i in {1..300}; do : > f$i; done; set -- *; echo $#; echo f1*0
### brace and glob
touch a.c a.h b.c; echo {a,b}.*; echo *.{c,h}
### glob after tilde and variables
mkdir -p $HOME/q; touch $HOME/q/z; for f in ~/q/*; do basename $f; done; d=$HOME/q; for f in "$d"/*; do basename "$f"; done
### glob in double bracket right side only
touch abc; [[ a* == abc ]]; echo $?; [[ abc == a* ]]; echo $?
### glob in redirection target
touch only; echo x > onl*; cat only
### unicode names
touch ä ö 日; echo ?; echo [äö]
### trailing slash and dots
mkdir d; touch d/a; echo d/./* ./d/* d/../d/*
### absolute
touch a b; for f in $PWD/*; do echo $f; done
### compgen glob
touch g1 g2; compgen -G 'g*' | sort; compgen -G 'none*'; echo $?
### pattern in substring removal like glob
v=aXbXc; echo ${v#*X} ${v%[X]*}
### nullglob with arguments of command
shopt -s nullglob; set -- *.a *.b x; echo $#
### extglob in function needs option when parsed
shopt -s extglob
f() { case $1 in +([0-9])) echo number;; ?(-)+([0-9])) echo negative;; *) echo other;; esac; }; f 12; f -3; f a
### globskipdots
shopt -u globskipdots; touch .x; echo .*
