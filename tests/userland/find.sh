# find and xargs. Folders have no order, so listings are sorted.

### everything
mkdir -p a/b; touch a/f a/b/g h; find . | sort; find a | sort; find | sort; find a h | sort; find nofile; echo $?
### names
mkdir d; touch d/x.py d/y.txt d/X.PY d/.hid; find . -name '*.py' | sort; find . -iname '*.py' | sort; find . -name '.*' | sort; find . -not -name '*.py' -type f | sort; find . ! -name '*.py' -type f | sort; find . -name '[xy].*' | sort; find . -name '?.py'
### types
mkdir d; touch f; ln -s f l; find . -type f; find . -type d | sort; find . -type l; find . -type f,l | sort; find -L . -type f | sort; find . -xtype f | sort
### paths
mkdir -p src/a node_modules/x; touch src/a/f.js node_modules/x/g.js; find . -path './src/*' | sort; find . -path ./node_modules -prune -o -name '*.js' -print; find . -not -path '*/node_modules/*' -name '*.js'; find . -ipath '*SRC*' | sort; find . -wholename './src/a/f.js'
### depth
mkdir -p a/b/c; touch a/b/c/f; find . -maxdepth 1 | sort; find . -mindepth 2 -maxdepth 3 | sort; find . -maxdepth 0; find a -depth; find a -mindepth 1 -maxdepth 1 -type d
### operators
touch a b c; find . -name a -o -name b | sort; find . \( -name a -o -name b \) -print | sort; find . -type f -a -name a; find . -name a -or -name c | sort; find . ! \( -name a -o -name b \) -type f; find . -name a , -name b | sort; find . -type f -name a -print -o -name b -print | sort
### exec
printf 'x\n' > a; printf 'y\n' > b; find . -type f -exec cat {} \; | sort; find . -name a -exec echo got {} \;; find . -type f -exec echo {} + | tr ' ' '\n' | sort; find . -name a -exec grep -l x {} \; ; find . -name a -exec false \; -print; find . -name a -exec true \; -print; find . -type f -exec nosuch {} \; 2>/dev/null; echo $?
### exec several
for i in 1 2 3; do echo $i > f$i; done; find . -name 'f*' -exec cat {} + | sort; find . -name 'f*' -exec sh -c 'echo "$#"' sh {} +; find . -name f1 -execdir echo {} \;; find . -name f1 -execdir pwd \; | wc -l; find . -name 'f*' -exec false {} +; echo $?
### exec inside word
touch a.txt; find . -name '*.txt' -exec echo x{}y \;
### delete
mkdir -p d/e; touch d/f d/e/g; find d -name g -delete; find . | sort; find d -delete; find .; touch x y; find . -type f -delete; ls
### empty
mkdir d e; touch e/f g; printf x > h; find . -empty | sort; find . -type d -empty
### size
head -c 100 /dev/zero > a; head -c 2000 /dev/zero > b; head -c 3000000 /dev/zero > c; touch z; find . -type f -size +1k | sort; find . -size -2 -type f | sort; find . -size +1M; find . -size 100c; find . -type f -size 0; find . -size +500c -size -1M | sort; find . -type f -size 1 
### times
touch new; touch -d '10 days ago' old; touch -d '90 minutes ago' mid; find . -type f -mtime +5; find . -type f -mtime -5 | sort; find . -type f -mmin -60; find . -type f -mmin +60 | sort; find . -newer mid -type f; find . -type f -mtime 0 | sort; find . -type f -not -newer mid | sort; find . -type f -newermt '2 days ago' | sort; find . -type f ! -newermt '2020-01-01'; find . -type f -mtime 10
### permissions
touch a b c; chmod 644 a; chmod 755 b; chmod 600 c; find . -perm 644; find . -type f -perm -u+x; find . -type f -perm /111; find . -type f -perm -600 | sort; find . -type f -executable; find . -perm u=rw,go=r -type f; find . -type f ! -perm -o+r
### owner
touch a; find . -user 1000 -type f; find . -uid 1000 -type f; find . -nouser; find . -user root -name a; find . -user nosuchuser; echo $?
### printf
mkdir d; printf hello > d/f; chmod 640 d/f; touch -d '2024-01-02 03:04:05' d/f; find d -type f -printf '%p %f %h %s %m %M %y %d %P\n'; find d -printf '%y %p\n' | sort; find d -name f -printf '%TY-%Tm-%Td %TH:%TM\n'; find d -name f -printf '%T+ %T@\n'; find d -name f -printf '%10s|%-10f|%%\t\\\n'; find d -name f -printf '%t %Ty\n'; find . -name d -printf '[%P] [%h] [%H]\n'
### print0 and xargs
touch 'a b' c; find . -type f -print0 | sort -z | xargs -0 -n1 echo; find . -type f -print0 | tr '\0' '\n' | sort
### fprint
touch a b; find . -type f -fprint out; sort out | grep -v out
### quit
touch a b c; find . -type f -quit; find . -type f -print -quit | wc -l
### prune several
mkdir -p .git src target; touch .git/x src/y target/z; find . \( -name .git -o -name target \) -prune -o -type f -print; find . -type d -name target -prune -o -print | sort
### regex
touch abc abd xyz; find . -regex '.*/ab.'  | sort; find . -regex '.*\(c\|z\)' | sort; find . -regextype posix-extended -regex '.*/(abc|xyz)' | sort; find . -iregex '.*ABC'; find . -regextype egrep -regex '.*/a.+'  | sort
### ls action
printf hello > f; chmod 644 f; find . -name f -ls | awk '{print $3, $4, $7, $11}'
### links and samefile
touch a; ln a b; ln -s a s; find . -links 2 | sort; find . -samefile a | sort; find . -lname a; find . -lname 'x*'; find -L . -samefile a | sort
### trailing slash and dot
mkdir d; touch d/f; find d/ | sort; find ./d -name f; find . -name d; find d/. -name f
### bad expressions
find . -name; echo $?; find . -nosuch; echo $?; find . \( -name a; echo $?; find . -type q; echo $?; find . -exec echo; echo $?; find -name a b; echo $?
### xargs
echo a b c | xargs; echo a b c | xargs -n1; echo a b c | xargs echo x; printf 'a b\nc\n' | xargs -I{} echo [{}]; printf 'a\nb\n' | xargs -I% sh -c 'echo %%'; printf '"a b" c\n' | xargs -n1; printf "a\\\\ b\n" | xargs -n1; printf 'a\0b c\0' | xargs -0 -n1; printf 'a,b' | xargs -d, -n1; printf '' | xargs echo none; printf '' | xargs -r echo none
### xargs statuses
echo a | xargs false; echo $?; echo a | xargs nosuch 2>/dev/null; echo $?; echo a | xargs sh -c 'exit 255'; echo $?; echo a b | xargs -n1 sh -c 'exit 3'; echo $?; echo a | xargs sh -c 'exit 0'; echo $?
### xargs lines and traces
printf 'a b\nc d\n' | xargs -L1; printf 'a b\nc d\ne\n' | xargs -L2; echo a | xargs -t echo 2>&1; printf '1\n2\n3\n4\n' | xargs -n2; printf 'a\nb\nEND\nc\n' | xargs -E END; seq 5 | xargs -n 2 -P 2 | sort
### xargs with files
printf 'x\n' > a; printf 'y\n' > b; ls a b | xargs cat; ls | xargs grep -l x; ls | xargs -I{} cp {} {}.bak; ls; find . -name '*.bak' | xargs rm; ls; echo a b | xargs wc -l; seq 3 > l; xargs -a l echo
### xargs big
seq 100000 | xargs echo | wc -l; seq 1000 | xargs -n 100 echo | wc -l; seq 10 | xargs -s 20 echo
### access tests
touch a; chmod 444 a; find . -name a -readable; find . -name a -writable; find . -name a -executable
### xargs quotes trouble
echo "it's" | xargs; echo $?
### what is refused
mkdir d; cd d; for e in -bogus -name '-o -name x' '-name x extra' '-type q' '-type f,' '-size 3q' '( -name x' '-name x )' '!' '-name x -o' '-mtime x' '-user nosuch' '-newer nofile' '-exec'; do find . $e 2>&1; done; ln -s .. up; find -L . 2>&1; echo $?; find nofile 2>&1
### execdir names
mkdir d; find / -maxdepth 0 -execdir echo {} \;; find . -maxdepth 0 -execdir echo {} \;; find d -execdir echo {} \;
### xargs reads words as GNU does
printf '"" a\nb ""' | xargs -n1 echo -; printf "c '" | xargs echo; printf 'a b \nc\nd\\ \ne\n' | xargs -L1 echo; printf 'a STOP' | xargs -E STOP; printf 'a\0b c\n' | xargs echo 2>/dev/null
### xargs options
echo a b c | xargs -n ' +2' echo; printf 'aAb' | xargs -d '\x+0x41' echo; printf 'a\nb\n' | xargs -a - echo; mkdir d; xargs -a d echo x; printf "it's\ta b\n" | xargs -d '\n' -t 2>&1; printf 'abc\n' | xargs -I{} -s 8 echo {} {}; echo $?; xargs -n 0 2>&1 </dev/null; echo $?
### types that are none
touch f; find . -type é 2>/dev/null; echo $?; find . -type fé 2>/dev/null; echo $?
