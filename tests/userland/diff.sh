# diff and cmp. Times in headers are replaced by labels.

### normal
printf 'a\nb\nc\n' > x; printf 'a\nB\nc\nd\n' > y; diff x y; echo $?; diff x x; echo $?; diff y x
### unified
seq 20 > x; seq 20 | sed '5d;12s/$/!/' > y; diff -u --label x --label y x y; diff -U1 --label x --label y x y; diff -U0 --label x --label y x y; diff -u0 --label x --label y x y | head -3
### context
printf 'a\nb\nc\n' > x; printf 'a\nc\nd\n' > y; diff -c --label x --label y x y; diff -C1 --label x --label y x y
### brief and same
printf 'a\n' > x; printf 'b\n' > y; diff -q x y; echo $?; diff -s x x; diff -q x x; echo $?
### no newline
printf 'a\nb' > x; printf 'a\nb\n' > y; diff x y; diff -u --label x --label y x y; printf 'a' > z; diff x z
### white space
printf 'a b\nc\n' > x; printf 'a  b \nc\n' > y; diff -b x y; echo $?; diff -w x y; echo $?; diff -Z x y; echo $?; printf 'A\n' > p; printf 'a\n' > q; diff -i p q; echo $?
### blank lines
printf 'a\n\nb\n' > x; printf 'a\nb\n' > y; diff -B x y; echo $?; diff x y
### recursive
mkdir -p l/s r/s; printf 1 > l/a; printf 2 > r/a; printf x > l/only; printf y > r/s/new; diff -r l r; echo $?; diff -rq l r; diff -rN l r | head -20; diff l r
### new file
printf 'a\n' > x; diff -uN --label o --label n nofile x; diff x nofile; echo $?
### exclude
mkdir l r; printf 1 > l/a.o; printf 2 > r/a.o; printf 1 > l/b; printf 2 > r/b; diff -r -x '*.o' l r
### binary
printf 'a\0b' > x; printf 'a\0c' > y; diff x y; echo $?; diff -q x y; diff -a x y
### ed and side by side
printf 'a\nb\nc\n' > x; printf 'a\nX\nc\nd\n' > y; diff -e x y; diff -y -W 40 x y; diff -y --suppress-common-lines -W 40 x y
### function
printf 'int f()\n{\n a;\n b;\n c;\n d;\n e;\n}\n' > x; sed 's/e;/E;/' x > y; diff -up --label x --label y x y
### ignore matching
printf '# 1\na\n' > x; printf '# 2\na\n' > y; diff -I '^#' x y; echo $?
### stdin and folders
printf 'a\n' > x; mkdir d; printf 'b\n' > d/x; printf 'c\n' | diff x -; diff x d; diff -r d d; echo $?
### shortest script
printf 'a\nb\nc\na\nb\nb\na\n' > x; printf 'c\nb\na\nb\na\nc\n' > y; diff x y
### repeated lines shift
printf '{\n a\n}\n\n{\n b\n}\n' > x; printf '{\n a\n}\n\n{\n n\n}\n\n{\n b\n}\n' > y; diff x y; diff -u --label x --label y x y
### large
seq 3000 > x; seq 3000 | sed '100,200d;1500s/$/x/;2999a new' > y; diff x y | md5sum; diff -u --label x --label y x y | md5sum
### options
diff; echo $?; printf 'a\n' > x; diff x; echo $?; diff -Q x x; echo $?
### cmp
printf 'abc\n' > x; printf 'abd\n' > y; cmp x y; echo $?; cmp x x; echo $?; cmp -s x y; echo $?; cmp -l x y; cmp -b x y; printf 'ab' > z; cmp x z; echo $?; cmp -n 2 x y; echo $?; cmp -i 3 x y; echo $?; cmp x nofile; echo $?; cmp z - < x
