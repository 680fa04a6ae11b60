# tar and gzip. Listings with owners and times would name this machine's, so they are cut.

### tar create list extract
mkdir -p d/e; echo hi > d/f; ln -s f d/l; printf x > 'd/a b'; tar -cf a.tar d; tar -tf a.tar | sort; mkdir out; tar -xf a.tar -C out; (cd out; find . | sort); cat out/d/f 'out/d/a b'; readlink out/d/l
### tar verbose and old style
mkdir d; echo 1 > d/one; tar cvf a.tar d; tar tf a.tar; tar xvf a.tar d/one; tar -cvvf b.tar d/one --owner=root --group=root | cut -c1-31; tar tvf b.tar | cut -c1-31
### tar and gzip
mkdir d; seq 100 > d/n; tar czf a.tgz d; tar tzf a.tgz; tar tf a.tgz; gzip -t a.tgz; echo $?; tar xzOf a.tgz d/n | tail -n 1; tar caf b.tar.gz d; gzip -dc b.tar.gz | tar tf -; cat a.tgz | tar tf -; echo $?; cat a.tgz | tar tzf - | wc -l
### tar through pipes
mkdir -p d to; echo x > d/f; tar cf - d | tar xf - -C to; cat to/d/f; tar cvf - d 2>/dev/null | tar tf -; tar -c d | tar -t
### tar strips leading names
mkdir -p p/q; echo a > p/q/f; tar cf a.tar "$PWD/p/q/f"; tar tf a.tar | sed 's/.*p/p/'; tar cf b.tar -C p q; tar tf b.tar; mkdir o; tar xf b.tar -C o --strip-components=1; ls o; tar xf b.tar --strip-components 5; echo $?; tar cPf c.tar "$PWD/p/q/f"; tar tPf c.tar
### tar refuses dots on the way out
mkdir d e; echo x > e/f; cd d; tar cPf ../a.tar ../e/f; rm ../e/f; tar xf ../a.tar; echo $?; ls -A ../e . ; tar tf ../a.tar
### tar exclude
mkdir -p p/node_modules/m p/src; touch p/a.txt p/b.log p/src/c.log p/node_modules/m/x; tar cf a.tar --exclude='*.log' --exclude=node_modules p; tar tf a.tar | sort; printf '*.txt\nsrc\n' > list; tar cf b.tar -X list p; tar tf b.tar | sort; tar tf b.tar --exclude='*.log' | sort; tar cf c.tar p --exclude=src; echo $?; tar tf c.tar | wc -l
### tar names from lists
echo a > a; echo b > b; echo c > c; printf 'a\n\nc\n' > list; tar cf x.tar -T list; tar tf x.tar; printf 'a\0b\0' | tar --null -T - -cf y.tar; tar tf y.tar; tar cf z.tar -T nolist; echo $?
### tar selects members
mkdir -p p/d; echo 1 > p/one; echo 2 > p/d/two; echo 3 > p/three; tar --sort=name -cf a.tar p; tar tf a.tar p/d; tar tf a.tar --wildcards '*o*'; mkdir o; tar xf a.tar -C o p/one p/d; find o -type f | sort; tar tf a.tar p/none; echo $?
### tar modes times and links
umask 027; echo x > f; chmod 664 f; touch -d @1000000 f; ln f g; tar cf a.tar f g; rm f g; tar xf a.tar; stat -c '%a %Y %h' f g; rm f; tar xpf a.tar f; stat -c '%a %Y' f; mkdir d; touch -d @2000000 d; tar cf d.tar d; rmdir d; tar xf d.tar; stat -c %Y d
### tar append update delete
echo 1 > a; echo 2 > b; tar cf x.tar a; tar rf x.tar b; tar tf x.tar; touch -d '2001-01-01' a; tar uf x.tar a; tar tf x.tar | wc -l; tar --delete -f x.tar a; tar tf x.tar; tar xOf x.tar b; tar czf y.tgz a; tar rf y.tgz b; echo $?
### tar compares
echo 1 > a; tar cf x.tar a; tar df x.tar; echo $?; echo 22 > a; tar df x.tar | grep -v time; rm a; tar df x.tar 2>/dev/null; echo $?
### tar renames
mkdir d; echo 1 > d/f; tar --sort=name --transform='s/^d/new/' -cvf a.tar d; tar tf a.tar; tar xf a.tar --xform='s,^new/,,' new/f; cat f; tar --transform 's/\(f\)$/[\1]/;s/d/D/' -cf b.tar d/f; tar tf b.tar
### tar long names
n=$(printf 'x%.0s' {1..120}); mkdir "$n"; echo deep > "$n/$n"; ln -s "$n/$n" l; tar cf a.tar "$n" l; rm -r "$n" l; tar xf a.tar; cat l; tar tf a.tar | wc -c
### tar keeps and overwrites
echo old > f; tar cf a.tar f; echo new > f; tar xkf a.tar; echo $?; cat f; tar xf a.tar --skip-old-files; echo $?; cat f; tar xf a.tar; cat f
### tar delays links that lead out
mkdir w; ln -s /none w/abs; ln -s ../x w/up; ln -s y w/in; tar cf a.tar w; rm -r w; tar xf a.tar; readlink w/abs w/up w/in
### tar messages
tar 2>/dev/null; echo $?; tar -cf x.tar 2>/dev/null; echo $?; tar -cxf x.tar 2>/dev/null; echo $?; tar --nonsense 2>/dev/null; echo $?; tar -tf none.tar; echo $?; echo junk > junk; tar -tf junk; echo $?; : > empty; tar -tf empty; echo $?; tar -xzf junk; echo $?; tar -cf x.tar none; echo $?; tar -C none -xf junk; echo $?
### tar truncated
head -c 3000 /dev/zero > f; tar cf a.tar f; head -c 2000 a.tar > b.tar; tar tf b.tar; echo $?; tar xf b.tar; echo $?; tar czf c.tgz f; head -c 60 c.tgz > d.tgz; tar tzf d.tgz > /dev/null; echo $?
### tar sizes in records
echo x > f; tar cf a.tar f; wc -c < a.tar; tar cf - f | wc -c; tar cf a.tar --no-recursion . ; tar tf a.tar
### tar puts folders in the place of links
mkdir real d; echo keep > real/own; echo 1 > d/f; tar cf a.tar d; rm -r d; ln -s real d; tar xf a.tar; echo $?; stat -c %F d; ls real; rm -r d; ln -s real d; tar xf a.tar --keep-directory-symlink; echo $?; stat -c %F d; ls real
### tar overwrites no file through a link
echo new > f; tar cf a.tar f; echo old > other; rm f; ln -s other f; tar xf a.tar --overwrite; echo $?; cat other f; stat -c %F f
### tar links again to what leads out
ln -s ../up a; ln a b; tar --sort=name -cf x.tar a b; rm a b; tar xf x.tar; readlink a b; ls
### tar refuses a mode that is none
echo 1 > f; tar --mode=bogus -cf x.tar f; echo $?; ls; tar --mode=u+w,go=r -cf x.tar f; echo $?
### tar removes only what it holds
mkdir d; echo y > d/g; tar cf a.tar --remove-files d/g none 2>/dev/null; echo $?; ls d; tar tf a.tar
### gzip replaces and restores
seq 100 > f; cp f g; chmod 640 f; touch -d @1000000 f; gzip f; ls; stat -c '%a %Y' f.gz; gunzip f.gz; cmp f g; stat -c '%a %Y' f; gzip -k f; ls; gzip -d -c f.gz | tail -n 1; zcat f.gz | head -n 1; gzip -c f | gunzip | wc -l
### gzip streams
printf 'pipe\n' | gzip -9 | gzip -dc; printf 'a\n' | gzip > x.gz; printf 'b\n' | gzip >> x.gz; zcat x.gz; zcat < x.gz; zcat x.gz x.gz | wc -l; echo plain | gzip -cdf; head -c 200000 /dev/zero | gzip -1 | zcat | wc -c
### gzip suffixes and folders
echo 1 > a; gzip -S .zz a; ls; gunzip -S .zz a.zz; mkdir -p r/s; echo 2 > r/b; echo 3 > r/s/c; gzip -r r; find r -type f | sort; gunzip -r r; find r -type f | sort; echo 4 > t.tgz; gzip t.tgz; echo $?; gzip -c t.tgz > u.tgz; gunzip u.tgz; ls
### gzip tests and names
echo 1 > a; gzip -k a; gzip -t a.gz; echo $?; mv a.gz b.gz; gunzip -kN b.gz; ls; gzip -n < a | od -An -tx1 -N10; echo junk > j.gz; gzip -t j.gz; echo $?; gzip -lq a.gz 2>/dev/null; echo $?
### gzip messages
gzip none; echo $?; mkdir d; gzip d; echo $?; echo 1 > f; gzip -k f; gzip -k f < /dev/null; echo $?; gunzip f; echo $?; gzip f.gz; echo $?; printf junk > j.gz; zcat j.gz; echo $?; (cat f.gz; echo more) > t.gz; zcat t.gz; echo $?; head -c 15 f.gz > h.gz; gunzip h.gz; echo $?
### gzip leaves links alone
mkdir d; echo 1 > d/f; ln -s d l; gzip -r l; echo $?; ls d; ln d/f g; gzip g; echo $?; gzip -k g; ls; gzip -f g; echo $?; ls; ln d/f h; ln d/f i; gzip -q h; echo $?
### gzip names of any bytes
n=$'\xff\xfen'; echo 1 > "$n"; gzip "$n"; for f in *; do printf %q\\n "$f"; done; gunzip -N "$n.gz"; for f in *; do printf %q\\n "$f"; done
### gunzip without a stored name
echo 1 | gzip > a.gz; gunzip -N a.gz; echo $?; cat a; echo 2 > b; gzip -n b; gunzip -N b.gz; echo $?; cat b
### strings
printf 'ab\0abcd\nxyz\1longer text\tx\303\251tail' > s; strings s; strings -n 2 s; strings -t x s; strings -t d -n 5 s; strings -f s; strings -3 s; strings < s | wc -l; strings -s , s; echo; strings none; echo $?
### more without a terminal
printf 'a\n\nb\n' > f; more < f; more f; more f f; more none; echo $?
