//! Programs that a fresh Debian does not have, so that the userland suite cannot ask the system:
//! the answers here are those of the originals, as they gave them once.

use serde_json::json;

use crate::process::Server;

/// Runs each command in one workspace and compares what it prints.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    for (command, expected) in cases {
        let reply = server.execute(&json!({"tool": "bash", "input": {"command": command}}));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body["output"], *expected, "{command}");
    }
}

#[test]
fn bc_calculates_and_truncates_as_gnu_bc() {
    check(&[
        (
            "echo 'scale=2; 10/3; -7/2; 100.50*1.0825' | bc",
            "3.33\n-3.50\n108.7912\n",
        ),
        (
            "echo '2^100; -2^2; 2^3^2; 7%4; -7%3' | bc",
            "1267650600228229401496703205376\n4\n512\n3\n-1\n",
        ),
        ("echo 'obase=16; 255; ibase=16; FF' | bc", "FF\nFF\n"),
        (
            "echo '.5; 0.00; 1.50; 5==5; 3<2' | bc",
            ".5\n0\n1.50\n1\n0\n",
        ),
        (
            "printf 'define f(n){\\nif(n<=1)return 1;\\nreturn n*f(n-1)\\n}\\nf(20)\\n' | bc",
            "2432902008176640000\n",
        ),
        (
            "echo 'for(i=0;i<3;i++)a[i]=i*i; a[2]; print \"x\\n\"; length(123.45)' | bc",
            "4\nx\n5\n",
        ),
        (
            "echo 'scale=10; 4*a(1); e(1); l(2); s(1); c(1)' | bc -l",
            "3.1415926532\n2.7182818284\n.6931471805\n.8414709848\n.5403023058\n",
        ),
        (
            "echo 'scale=4; sqrt(2)' | bc; echo '3^150' | bc",
            "1.4142\n36998848503512697292470078245169664418647310038972297381518440530174\\\n8249\n",
        ),
        ("echo '1/0' | bc 2>/dev/null; echo $?", "0\n"),
    ]);
}

#[test]
fn xxd_and_hexdump_show_and_revert_bytes() {
    check(&[
        (
            "printf 'Hi there, world!\\n' | xxd",
            "00000000: 4869 2074 6865 7265 2c20 776f 726c 6421  Hi there, world!\n00000010: 0a                                       .\n",
        ),
        (
            "printf 'Hi' | xxd -p; echo 4869 | xxd -r -p; echo",
            "4869\nHi\n",
        ),
        (
            "printf 'abc' > b; xxd b | xxd -r; echo; xxd -i b",
            "abc\nunsigned char b[] = {\n  0x61, 0x62, 0x63\n};\nunsigned int b_len = 3;\n",
        ),
        (
            "printf 'Hi' | hexdump -C",
            "00000000  48 69                                             |Hi|\n00000002\n",
        ),
        (
            "head -c 64 /dev/zero | hexdump",
            "0000000 0000 0000 0000 0000 0000 0000 0000 0000\n*\n0000040\n",
        ),
        (
            "printf abc | hexdump -ve '1/1 \"%02x.\"'; echo",
            "61.62.63.\n",
        ),
    ]);
}

#[test]
fn column_makes_tables_and_fills_lines() {
    check(&[
        (
            "printf 'a b c\\nfoo bar baz\\n' | column -t",
            "a    b    c\nfoo  bar  baz\n",
        ),
        (
            "printf 'a,,c\\n1,2,3\\n' | column -t -s, -o '|'",
            "a| |c\n1|2|3\n",
        ),
        (
            "printf 'x 1\\nyy 22\\n' | column -t -R 2 -N k,v",
            "k    v\nx    1\nyy  22\n",
        ),
        ("printf 'a\\nb\\nc\\n' | column", "a\tb\tc\n"),
        (
            "printf 'x 1\\n' | column -J -N k,v",
            "{\n   \"table\": [\n      {\n         \"k\": \"x\",\n         \"v\": \"1\"\n      }\n   ]\n}\n",
        ),
    ]);
}

#[test]
fn file_tells_text_scripts_and_common_formats() {
    check(&[
        (
            "echo hi > t; printf '#!/bin/bash\\n' > s; printf '{\"a\": 1}\\n' > j; : > e; mkdir d; ln -s t l; file *",
            "d: directory\ne: empty\nj: JSON text data\nl: symbolic link to t\ns: Bourne-Again shell script, ASCII text executable\nt: ASCII text\n",
        ),
        (
            "printf 'a\\r\\n' > crlf; printf 'é' > u; printf '\\0\\1' > b; file -b crlf u b",
            "ASCII text, with CRLF line terminators\nUnicode text, UTF-8 text, with no line terminators\ndata\n",
        ),
        (
            "file --mime-type -b j s b; file -bi t",
            "application/json\ntext/x-shellscript\napplication/octet-stream\ntext/plain; charset=us-ascii\n",
        ),
        (
            "printf '\\0asm\\1\\0\\0\\0' > w; tar cf a.tar t; file -b w a.tar; file none",
            "WebAssembly (wasm) binary module version 0x1 (MVP)\nPOSIX tar archive (GNU)\nnone: cannot open `none' (No such file or directory)\n",
        ),
    ]);
}

#[test]
fn less_prints_files_where_there_is_no_terminal() {
    check(&[(
        "printf '1\\n2\\n' > f; less f; less -R < f; cat f | less -S; less none",
        "1\n2\n1\n2\n1\n2\nnone: No such file or directory\n",
    )]);
}

#[test]
fn bc_answers_long_chains_and_deep_calls() {
    check(&[
        (
            "{ printf 1; printf '+1%.0s' {1..100000}; echo; } | bc",
            "100001\n",
        ),
        (
            "echo 'scale=70000; 1/3' | BC_LINE_LENGTH=0 bc | wc -c",
            "70002\n",
        ),
        (
            "printf 'define f(n){if(n<=0){return 0;};return n+f(n-1)}\\nf(990)\\n' | bc",
            "490545\n",
        ),
        (
            "p=$(printf -- '-(%.0s' {1..70}); q=$(printf ')%.0s' {1..70}); \
             printf 'define f(n){if(n<=0){return 0;};return %sf(n-1)%s}\\nf(900)\\n7\\n' \"$p\" \"$q\" | bc 2>&1",
            "Runtime error: more than 5000 calls and operands within each other; use a loop\n7\n",
        ),
    ]);
}

#[test]
fn xxd_takes_lines_of_any_length() {
    check(&[
        ("printf 'x%.0s' {1..100} | xxd -p -c 0 | wc -l", "1\n"),
        ("head -c 100000 /dev/zero | xxd -p -c 0 | wc -c", "200001\n"),
        (
            "head -c 100 /dev/zero | xxd -p -c 99999999999 | wc -l",
            "1\n",
        ),
        ("head -c 100 /dev/zero | xxd -c 0 | wc -l", "7\n"),
    ]);
}

#[test]
fn file_names_of_any_length_and_large_gzip_files() {
    check(&[
        (
            "n=$(printf '%070000d' 1); file \"$n\" x | tail -n 1 | wc -c",
            "70046\n",
        ),
        (
            "head -c 1500000 /dev/urandom | gzip -n > r.gz; file r.gz",
            "r.gz: gzip compressed data, from Unix, original size modulo 2^32 1500000\n",
        ),
    ]);
}

/// Whoever owns a session's folder must be able to open it again.
#[test]
fn a_workspace_keeps_its_owners_rights() {
    check(&[
        (
            "chmod 000 /workspace 2>/dev/null; echo $?; chmod 0 . 2>/dev/null; echo $?; cd /tmp; \
             chmod a-rwx . 2>/dev/null; echo $?; chmod 700 /workspace; echo $?; mkdir /workspace/d; \
             chmod 000 /workspace/d; echo $?; chmod 700 /workspace/d; echo $?",
            "1\n1\n1\n0\n0\n0\n",
        ),
        ("ls /workspace", "d\n"),
    ]);
}

/// What the originals do otherwise, and lose data by.
#[test]
fn archives_keep_what_could_be_lost() {
    check(&[
        (
            "mkdir d; echo x > d/f; echo y > d/g; chmod 000 d/f; \
             tar cf a.tar --remove-files d/f d/g 2>/dev/null; echo $?; ls d; tar tf a.tar",
            "2\nf\nd/g\n",
        ),
        (
            "echo data > n.gz; gzip -fc n.gz > m; mv m n.gz; gunzip -fN n.gz 2>/dev/null; echo $?; \
             zcat n.gz; ls",
            "1\ndata\na.tar\nd\nn.gz\n",
        ),
        (
            "mkdir e; cd e; printf '9 size=3\\n' > p; echo hi > f; tar cf a.tar p f; \
             sum=$(dd if=a.tar bs=1 skip=148 count=7 2>/dev/null); \
             printf x | dd of=a.tar bs=1 seek=156 conv=notrunc 2>/dev/null; \
             printf '%07o' $((8#$sum + 72)) | dd of=a.tar bs=1 seek=148 conv=notrunc 2>/dev/null; \
             tar tf a.tar; cp a.tar b.tar; tar rf b.tar p 2>/dev/null; echo $?; \
             tar --delete -f b.tar f 2>/dev/null; echo $?; cmp a.tar b.tar && echo same",
            "f\n2\n2\nsame\n",
        ),
        (
            "mkdir w; cd w; ln -s /none f; tar cf a.tar f; rm f; echo x > f; tar rf a.tar f; rm f; \
             tar xf a.tar; stat -c '%F %s' f; tar xf a.tar --overwrite; stat -c '%F %s' f",
            "regular file 2\nregular file 2\n",
        ),
        (
            "echo 1 > t; tar --transform 's/t/\\U&/' -cf t.tar t 2>/dev/null; echo $?",
            "2\n",
        ),
    ]);
}
