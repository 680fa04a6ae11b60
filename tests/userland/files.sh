# Making, copying, moving, removing; modes and times.

### mkdir parents
mkdir -p a/b/c; find a | sort; mkdir a; echo $?
### mkdir mode
mkdir -m 700 d; stat -c %a d; mkdir -m u=rwx,go=rx e; stat -c %a e
### mkdir verbose
mkdir -pv x/y
### mkdir umask
umask 077; mkdir d; touch f; stat -c '%a %n' d f
### rmdir
mkdir -p a/b; rmdir a; echo $?; rmdir -p a/b; ls
### rm
touch a b; rm a; ls; rm nofile; echo $?; rm -f nofile; echo $?
### rm directory
mkdir -p d/e; touch d/e/f; rm d; echo $?; rm -r d; ls; mkdir d; rm -d d; ls
### rm verbose
touch a; mkdir d; touch d/x; rm -rv a d
### rm read-only
touch f; chmod 444 f; rm -f f; ls
### rm many
mkdir -p d/{a,b,c}/{x,y}; touch d/{a,b,c}/{x,y}/f; rm -rf d; ls
### cp
printf hi > a; cp a b; cat b; mkdir d; cp a d; ls d; cp nofile x; echo $?
### cp keeps the executable bit
printf x > a; chmod 755 a; cp a b; stat -c %a b; chmod 600 a; cp a c; stat -c %a c
### cp over keeps the old mode
printf x > a; chmod 755 a; printf y > b; chmod 644 b; cp a b; stat -c %a b; cat b
### cp directory without -r
mkdir d; cp d e; echo $?
### cp recursive
mkdir -p d/e; printf 1 > d/f; printf 2 > d/e/g; cp -r d c; find c | sort; cp -r d c; find c | sort
### cp archive
mkdir d; printf x > d/f; chmod 640 d/f; touch -d '2020-01-01' d/f; ln -s f d/l; cp -a d e; stat -c '%a %Y %F' e/f e/l | head -1; readlink e/l
### cp preserve
printf x > a; chmod 741 a; touch -d '2020-01-01' a; cp -p a b; stat -c '%a %Y' b
### cp several
touch a b; mkdir d; cp a b d; ls d; cp a b nodir; echo $?
### cp target directory
touch a b; mkdir d; cp -t d a b; ls d
### cp links
printf x > a; cp -s a b; readlink b; cp -l a c; stat -c %h a
### cp no dereference
printf x > a; ln -s a l; cp l f; stat -c %F f; cp -P l m; stat -c %F m
### cp same file
printf x > a; cp a a; echo $?
### cp no clobber
printf 1 > a; printf 2 > b; cp -n a b; cat b
### cp update
printf 1 > a; printf 2 > b; touch -d '2020-01-01' a; cp -u a b; cat b
### cp verbose
touch a; cp -v a b; mkdir d; cp -rv d e
### cp backup
printf 1 > a; printf 2 > b; cp -b a b; ls; cat b~; cp --backup=numbered a b; ls
### cp parents
mkdir -p x/y; touch x/y/f; mkdir d; cp --parents x/y/f d; find d | sort
### cp into itself
mkdir d; cp -r d d/e; echo $?
### cp to missing folder
touch a; cp a no/b; echo $?
### cp dot contents
mkdir s t; touch s/a s/.b; cp -r s/. t; ls -A t
### mv
printf hi > a; mv a b; cat b; ls; mkdir d; mv b d; ls d; mv nofile x; echo $?
### mv directory into directory
mkdir a b; touch a/x; mv a b; find b | sort
### mv no clobber
printf 1 > a; printf 2 > b; mv -n a b; cat b; ls
### mv several
touch a b; mkdir d; mv a b d; ls . d
### mv verbose
touch a; mv -v a b
### mv same file
touch a; mv a a; echo $?
### mv into itself
mkdir d; mv d d/e; echo $?
### mv to tmp and back
printf x > f; chmod 750 f; t=$(mktemp -d); mv f $t/g; ls; mv $t/g .; stat -c %a g; cat g; rmdir $t
### mv backup
printf 1 > a; printf 2 > b; mv -b a b; ls; cat b b~
### mv directory over file
mkdir d; touch f; mv d f; echo $?
### touch
touch a; test -e a; echo $?; touch -c b; ls; touch -d '2021-02-03 04:05:06' a; stat -c %y a | cut -c1-19
### touch by stamp
touch -t 202102030405.06 a; stat -c %Y a; touch -r a b; stat -c %Y b; touch -d @1000 c; stat -c %Y c
### touch access only
touch -d '2020-01-01' a; touch -a -d '2021-01-01' a; stat -c '%X %Y' a
### ln
printf x > a; ln a b; stat -c %h a; ln -s a s; cat s; ln -s a s; echo $?; ln -sf b s; readlink s; ln -sfn a s; readlink s
### ln into directory
touch a; mkdir d; ln -s ../a d; readlink d/a; ln -s ../a d/; echo $?
### ln verbose
touch a; ln -sv a b
### ln relative
mkdir -p a/b; touch a/f; ln -sr a/f a/b/l; readlink a/b/l
### readlink
mkdir -p a/b; touch a/f; ln -s ../f a/b/l; readlink a/b/l; readlink -f a/b/l | sed 's#.*/a/#a/#'; readlink a/f; echo $?; readlink -f nofile/x; echo $?
### realpath
mkdir -p a/b; ln -s a/b l; realpath l | sed 's#.*/##'; realpath --relative-to=a a/b; realpath -m x/../y | sed 's#.*/##'; realpath -e nofile; echo $?
### chmod octal and symbolic
touch f; for m in 644 755 u+x go-r a=r u=rwx,g=rx,o= +x -w =r ug+rw,o-rwx; do chmod $m f; stat -c "%a $m" f; done
### chmod recursive
mkdir -p d/e; touch d/f d/e/g; chmod -R 700 d; find d | sort | xargs stat -c '%a %n'; chmod -R a+rX,go-w d; find d | sort | xargs stat -c '%a %n'
### chmod verbose
touch f; chmod 644 f; chmod -v 600 f; chmod -v 600 f; chmod -c 600 f; chmod -c 644 f
### chmod errors
chmod 644 nofile; echo $?; touch f; chmod 999 f; echo $?; chmod u+q f; echo $?
### chmod reference
touch a b; chmod 751 a; chmod --reference=a b; stat -c %a b
### chmod and run
printf '#!/bin/bash\necho ran\n' > s; chmod +x s; ./s
### install
printf x > a; install a b; stat -c %a b; install -m 600 a c; stat -c %a c; install -d x/y; ls x; install -D a p/q/r; find p | sort
### stat
printf hello > f; chmod 644 f; stat -c '%s %n %a %A %F %h %u %g %f' f; mkdir d; stat -c '%F %a' d; ln -s f l; stat -c '%F %N' l; stat -L -c %F l
### stat printf
printf hello > f; stat --printf '%s\t%n\n' f; stat -c '[%10s] [%-10s] [%010s]' f
### stat times
touch -d '2021-02-03 04:05:06.123456789' f; stat -c '%y|%Y|%.3Y' f
### stat empty and missing
touch f; stat -c %F f; stat nofile; echo $?
### stat blocks
head -c 5000 /dev/zero > f; stat -c '%b %B %o' f
### du
mkdir -p a/b; head -c 10000 /dev/zero > a/f; head -c 5000 /dev/zero > a/b/g; du -b a/f; du -s --apparent-size -b a/f; du -k a/f
### du tree
mkdir -p a/b; head -c 10000 /dev/zero > a/f; du -a a | sort -k2; du -sh a | cut -f2; du -d1 a | cut -f2
### du total
head -c 10000 /dev/zero > a; head -c 10000 /dev/zero > b; du -c a b
### mktemp
f=$(mktemp ./tXXXXXX); stat -c '%a %F' $f; d=$(mktemp -d dXXXX); stat -c '%a %F' $d; mktemp -u ./xXXXX | wc -c
### mktemp in tmp
f=$(mktemp); case $f in /tmp/tmp.*) echo ok; esac; rm $f
### truncate
printf hello > f; truncate -s 2 f; cat f; truncate -s 10 f; stat -c %s f; truncate -s +5 f; stat -c %s f
### unlink and link
touch a; link a b; stat -c %h a; unlink b; ls
### tee
printf 'x\n' | tee a b; cat a b; printf 'y\n' | tee -a a >/dev/null; cat a
### sync
touch f; sync f; echo $?; sync; echo $?
### shred
printf secret > f; shred -u f; ls
### dd
printf 'hello world' > f; dd if=f of=g bs=1 skip=6 2>/dev/null; cat g; dd if=f bs=5 count=1 2>/dev/null; echo; dd if=/dev/zero of=z bs=1024 count=3 2>/dev/null; stat -c %s z
### owners that stay
touch f; chown nosuch f 2>&1; chgrp nosuch f 2>&1; chown 2>&1; chown root 2>&1; chown "$(id -un)" f; echo $?; chgrp "$(id -gn)" f; echo $?; chown "$(id -u):$(id -g)" nofile 2>&1; echo $?
### sizes rounded up
for n in 1023 1025 10241 1047552 1047553 1048577; do head -c $n /dev/zero > f; du -bh f; done
### names with escapes
touch $'a\nb' "it's"; stat -c %N $'a\nb' "it's"
