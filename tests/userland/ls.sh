# ls: listings as agents ask for them. Dates and inode numbers are left out.

### names in order
touch b a C .hidden; mkdir d; ls
### all
touch b a .hidden; ls -a
### almost all
touch b a .hidden; ls -A
### one per line with classes
mkdir d; touch f; printf x > run; chmod 755 run; ln -s f l; ls -1F
### long without times
printf hello > f; chmod 640 f; mkdir d; chmod 750 d; ls -l | tail -n +2 | cut -d' ' -f1-2
### total
printf hello > f; head -c 10000 /dev/zero > g; ls -l | head -1
### long numeric
printf hello > f; ls -ln f | cut -c1-30
### long link
ln -s target l; ls -l l | grep -o 'l -. target'
### set bits
touch f; chmod 1777 f; ls -l f | cut -c1-10; chmod 1666 f; ls -l f | cut -c1-10
### directory itself
mkdir d; touch d/x; ls -d d; ls -ld d | cut -c1-10
### several operands
mkdir d e; touch d/x e/y f; ls f d e
### recursive
mkdir -p a/b/c; touch a/x a/b/y; ls -R
### sort by size
printf aaa > a; printf b > b; printf cc > c; ls -S; ls -Sr
### sort by time
touch -d '2024-01-01' old; touch -d '2024-06-01' mid; touch -d '2025-01-01' new; ls -t; ls -tr
### time style
touch -d '2024-01-02 03:04:05' f; ls -l --time-style=long-iso f | awk '{print $6, $7}' 2>/dev/null || true
### time style full iso
touch -d '2024-01-02 03:04:05' f; ls -l --time-style=full-iso f | cut -d' ' -f6-
### old file shows year
touch -d '2020-01-02 03:04:05' f; ls -l f | cut -d' ' -f6-
### time style format
touch -d '2024-01-02 03:04:05' f; ls -l --time-style=+%Y f | cut -d' ' -f6-
### human sizes
head -c 2000 /dev/zero > a; head -c 3000000 /dev/zero > b; ls -lh | tail -n +2 | cut -d' ' -f5
### block sizes
head -c 5000 /dev/zero > a; ls -s
### missing
ls nofile; echo $?
### missing beside present
touch f; ls f nofile; echo $?
### commas
touch a b c; ls -m
### columns
touch a b c; ls -C
### quoting
touch 'a b' c; ls; ls -Q; ls -b
### escapes in shell style
touch 'a b' "it's"; ls --quoting-style=shell
### file type marks
mkdir d; touch f; ls -p
### extension sort
touch b.c a.txt z.c; ls -X
### version sort
touch f10 f9 f1; ls -v
### unsorted is all there
touch a b c; ls -U | sort
### directories first
touch a; mkdir z; ls --group-directories-first
### ignore
touch a.o a.c; ls -I '*.o'; ls --hide='*.c'
### glob
touch a.txt b.txt c.md; ls *.txt
### empty directory
mkdir e; ls e; ls -l e
### no group and no owner
printf hi > f; ls -go f | cut -c1-15
### dereference
printf hello > f; ln -s f l; ls -lL l | cut -d' ' -f1,5
### zero terminated
touch a b; ls --zero | tr '\0' ';'
### dangling link
ln -s nowhere l; ls; ls l
### unicode names
touch é ü; ls
