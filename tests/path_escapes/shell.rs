//! Shell commands that try to get out, each beside the same command on a file inside.

use serde_json::json;

use crate::{
    cases::{Case, Want, pairs},
    world::{INSIDE, Wall, World},
};

/// A command on a file `{}`: what its twin inside prints.
const ON_FILES: &[(&str, &str)] = &[
    ("cat {}", INSIDE),
    ("cat < {}", INSIDE),
    ("head -c 99 {}", INSIDE),
    ("tail -n 1 {}", INSIDE),
    ("tac {}", INSIDE),
    ("sort {}", INSIDE),
    ("grep . {}", INSIDE),
    ("sed p {}", INSIDE),
    ("tr a a < {}", INSIDE),
    ("cut -c1- {}", INSIDE),
    ("read -r line < {}; echo \"$line\"", INSIDE),
    ("mapfile lines < {}; echo \"${lines[0]}\"", INSIDE),
    ("echo \"$(< {})\"", INSIDE),
    ("exec 5< {}; cat <&5", INSIDE),
    ("paste {} {}", INSIDE),
    ("cp {} stolen && cat stolen", INSIDE),
    ("mv {} stolen && cat stolen", INSIDE),
    ("ln {} stolen && cat stolen", INSIDE),
    ("ln -s {} stolen; ls -l stolen", "stolen"),
    ("ln -s \"$PWD/{}\" stolen; ls stolen", "stolen"),
    ("cat sub/a {}", INSIDE),
    ("tee copied < {}", INSIDE),
    ("echo x > {}; echo done $?", "done 0"),
    ("echo x >> {}; echo done $?", "done 0"),
    ("echo x >| {}; echo done $?", "done 0"),
    ("echo x <> {}; echo done $?", "done 0"),
    ("echo x &> {}; echo done $?", "done 0"),
    (": > {}; echo done $?", "done 0"),
    ("exec 5> {}; echo x >&5; echo done", "done"),
    ("echo x | tee {}; echo done", "done"),
    ("echo x | tee -a {}; echo done", "done"),
    ("cp inside.txt {}; echo done $?", "done"),
    ("mv sub/a {}; echo done $?", "done 0"),
    ("mv -f sub/a {}; echo done $?", "done 0"),
    ("rm -f {}; echo done $?", "done 0"),
    ("unlink {}; echo done", "done"),
    ("touch {}; echo done $?", "done 0"),
    ("touch -d 2001-01-01 {}; echo done", "done"),
    ("truncate -s 0 {}; echo done", "done"),
    ("chmod 777 {}; echo done", "done"),
    ("dd if=inside.txt of={} 2>&1; echo done", "done"),
    ("sed -i s/a/b/ {}; echo done", "done"),
    ("mkdir {}; echo done", "done"),
    ("rmdir {}; echo done", "done"),
    ("readlink {}; echo done", "done"),
    (". {}; echo done", "done"),
    ("bash {}; echo done", "done"),
    ("{}; echo done", "done"),
    ("cmp {} inside.txt; diff {} sub/a; echo done", "done"),
    ("test -e {} && wc {}; echo done", "done"),
    ("cat inside.txt {} > joined; cat joined", INSIDE),
    ("find {} -type f -exec cat {} \\;; echo done", "done"),
    ("echo {} | xargs cat", INSIDE),
    ("printf '%s\\n' {}* {}?; echo done", "done"),
    ("trap 'cat {}' EXIT", INSIDE),
    ("(cd / && cat \"$OLDPWD\"/{}); echo done", "done"),
    ("cat {} & wait; echo done", "done"),
    ("set -- {}; cat \"$1\"", INSIDE),
    ("ENV={} BASH_ENV={} bash -c 'echo done'", "done"),
];

/// A command on the folder outside (`{}`), or on its twin inside.
const ON_FOLDERS: &[(&str, &str)] = &[
    ("cd {} && cat secret.txt", INSIDE),
    ("cd {}; cat secret.txt 2>/dev/null; echo done", "done"),
    ("cd -P {} && cat secret.txt", INSIDE),
    ("cd {}/deep && cat ../secret.txt", INSIDE),
    ("cd {}/deep/.. && cat secret.txt", INSIDE),
    ("pushd {} && cat secret.txt", INSIDE),
    ("CDPATH={} ; cd deep && cat inner.txt", INSIDE),
    ("ls {}", "secret.txt"),
    ("ls -la {}/", "secret.txt"),
    ("ls -R {}", "secret.txt"),
    ("echo {}/*", "secret.txt"),
    ("echo {}/*/*", "inner.txt"),
    ("for f in {}/*; do cat \"$f\"; done 2>/dev/null", INSIDE),
    ("find {}/ -type f", "secret.txt"),
    ("grep -r . {}/", INSIDE),
    ("cp -r {}/ stolen; cat stolen/secret.txt", INSIDE),
    ("mv {} stolen; cat stolen/secret.txt", INSIDE),
    ("mv {}/secret.txt stolen; cat stolen", INSIDE),
    ("rm -f {}/secret.txt; echo done $?", "done 0"),
    ("rmdir {}/empty; echo done", "done"),
    ("mkdir {}/made; echo done $?", "done 0"),
    ("mkdir -p {}/made/more; echo done $?", "done 0"),
    ("echo x > {}/made; echo done $?", "done 0"),
    ("touch {}/made; echo done $?", "done 0"),
    ("ln -s /workspace {}/made; echo done $?", "done 0"),
    ("ln inside.txt {}/made; echo done", "done"),
    ("mv inside.txt {}/; echo done $?", "done 0"),
    ("mv inside.txt {}/made; echo done $?", "done 0"),
    ("cp inside.txt {}/; echo done $?", "done 0"),
    ("chmod 700 {}/deep; echo done", "done"),
    ("mv {}/deep {}/moved; echo done", "done"),
    ("cat {}/deep/../secret.txt", INSIDE),
    ("PATH={}:$PATH; script.sh; echo done", "done"),
    ("{}/script.sh; echo done", "done"),
    (
        "cd {} && cd .. && ls && cat outside/secret.txt; echo done",
        "done",
    ),
    (
        "ln -s {} again; cat again/secret.txt; echo x > again/made; echo done",
        "done",
    ),
    ("ln -sfn {} race; cat race/secret.txt; echo done", "done"),
];

/// Commands that make their own way out.
const ON_THEIR_OWN: &[&str] = &[
    "ln -s .. l; cat l/outside/secret.txt",
    "ln -s ../outside l; cat l/secret.txt; echo x > l/made",
    "ln -s ../outside/ l; cat l/secret.txt; echo x > l/made",
    "ln -s /proc/self/root l; ls l; cat l/etc/shadow",
    "ln -s ../outside/secret.txt l; echo x > l; cat l",
    "ln -s ../outside/made l; echo x > l; touch l; cp inside.txt l",
    "mkdir d; ln -s ../../outside d/l; cat d/l/secret.txt; mv d e; cat e/l/secret.txt",
    "mkdir d; cd d; mv ../d ../sub/d; cat ../../outside/secret.txt ../../../outside/secret.txt",
    "mkdir d; cd d; rmdir ../d; cat ../../outside/secret.txt; echo x > ../../outside/made",
    "ln -s a b; ln -s b a; cat a; echo x > a",
    "ln fifo f2; ln shared s2; echo x > s2",
    "ln rel-file l; cat l; echo x > l",
    "ln abs-file l; cat l; echo x >> l",
    "mv rel-dir moved; cat moved/secret.txt; echo x > moved/made",
    "mv sub/parent-link .; cat parent-link/secret.txt",
    "cp -a rel-dir copied; cat copied/secret.txt",
    "cp -r . /tmp/all; cat /tmp/all/rel-file /tmp/all/rel-dir/secret.txt",
    "cp -rL . /tmp/all; find /tmp/all",
    "ln -s /workspace/../outside /tmp/l; cat /tmp/l/secret.txt",
    "cat /tmp/../outside/secret.txt /tmp/../../outside/secret.txt",
    "ln -s ../outside /tmp/l; cat /tmp/l/secret.txt; ln -s ../../outside /tmp/m; cat /tmp/m/secret.txt",
    "mkdir -p a/b/c; cd a/b/c; ln -s ../../../../outside l; cat l/secret.txt; cd l; cat secret.txt",
    "cd ..; ls; cat outside/secret.txt; echo x > made",
    "cd /; ls; cat outside/secret.txt; cd outside",
    "cat ..//outside/secret.txt ../././outside/secret.txt",
    "for i in {1..50}; do cd ..; done; ls; cat outside/secret.txt",
    "p=..; for i in {1..30}; do p=$p/..; cat $p/outside/secret.txt; done",
    "echo ../*; echo ../*/*; echo /*/*; shopt -s globstar; echo ../**",
    "shopt -s dotglob; echo .*/*; echo ../.*/*",
    "cat ~root/.bashrc ~/../outside/secret.txt ~+/../outside/secret.txt ~-/x",
    "cat /proc/self/environ /proc/1/environ /proc/self/cwd/../outside/secret.txt /proc/self/root/etc/shadow",
    "ls -la /proc /proc/self /proc/self/fd /sys /root /home /var",
    "for n in 0 1 2 3 4 5 6 7 8 9 10 20 30; do cat /proc/self/fd/$n/../outside/secret.txt /dev/fd/$n/../outside/secret.txt; done",
    "exec 5< .; cat /dev/fd/5/../outside/secret.txt /proc/self/fd/5/../outside/secret.txt; ls /dev/fd/5/",
    "exec 5< ..; ls /dev/fd/5; cat /dev/fd/5/outside/secret.txt",
    "echo x > /dev/tcp/127.0.0.1/80; cat < /dev/tcp/127.0.0.1/22; echo x > /dev/udp/127.0.0.1/53",
    "cat < zero | head -c 5; head -c 5 zero; echo x > zero",
    "cat disk; echo x > disk; dd if=disk count=1",
    "cat fifo & echo x > fifo & wait",
    "cat < fifo",
    "echo x > fifo",
    "echo x >> fifo",
    "exec 3<> fifo; echo x >&3",
    "cat socket; echo x > socket",
    "mkfifo p; mknod n c 1 3; mknod d b 7 0; cat n d",
    "env; printenv HOST_SECRET; echo $HOST_SECRET; set",
    "rm -f rel-file abs-file rel-dir chain-* dangling-*; rm -rf sub race; ls",
    "rm -rf rel-dir slash-dir sub/parent-link; ls rel-dir",
    "rm -r rel-dir/; rm -rf slash-dir/; rm -rf sub/parent-link/",
    "chmod -R 777 .; chmod 777 rel-dir rel-file abs-file sub/parent-link/deep",
    "touch -h rel-file; touch rel-file rel-dir dangling-rel dangling-abs",
    "touch -r inside.txt rel-file rel-dir/secret.txt; touch -d @0 sub/parent-link/secret.txt",
    "find . -exec cat {} +; find -L . -exec cat {} +; find -L . -type f | xargs cat",
    "find -L . -name '*.txt' -delete; find rel-dir/ -delete",
    "grep -r . .; grep -R . .; grep -r . sub rel-dir",
    "cat *; cat */*; cat */*/*; cat **/*",
    "ls -laR; ls -laRL",
    "for f in * */*; do head -c 99 \"$f\"; echo x >> \"$f\"; done",
    "for f in * */*; do cp inside.txt \"$f\"; mv -f \"$f\" moved-$RANDOM; done",
    "for f in * */*; do [ -d \"$f\" ] && (cd \"$f\" && cat secret.txt; echo x > made); done",
    "for f in rel* abs* slash* dang* chain* via* fd-*; do : > $f; rm -f $f/secret.txt; mkdir $f/made; done",
    "for l in rel-dir abs-dir up up2 slash-dir; do ln -s /workspace $l/made; ln inside.txt $l/made; done",
    "for l in rel-dir abs-dir slash-dir sub/again; do mv $l/secret.txt got; mv inside.txt $l/; done",
    "mv rel-dir/secret.txt rel-dir/deep; mv rel-dir/deep .; mv sub/parent-link/deep got",
    "ln rel-dir/secret.txt got; ln -L rel-file got2; ln -P rel-file got3; cat got got2 got3",
    "rmdir rel-dir/empty slash-dir/empty sub/parent-link/empty up/outside/empty",
    "cd -P up; pwd; ls; cd -L /workspace/up/outside; pwd; cat secret.txt",
    "cd rel-dir/..; pwd; ls; cat outside/secret.txt",
    "HOME=/workspace/../outside; cd; cat secret.txt; cat ~/secret.txt",
    "PWD=/outside; OLDPWD=/workspace/../outside; cd -; cat secret.txt",
    "cat $'../outside/secret.txt' \"..\"/'outside'/secret.txt .\"\"./outside/secret.txt",
    "x=../outside; y=secret.txt; cat $x/$y \"${x}/${y}\" \"$(echo $x/$y)\"",
    "eval 'cat ../outside/secret.txt'; bash -c 'cat ../outside/secret.txt'; (cat ../outside/secret.txt)",
    "xargs -a ../outside/secret.txt echo; echo ../outside/secret.txt | xargs cat",
    "source ../outside/script.sh; bash ../outside/script.sh; ../outside/script.sh; exec ../outside/script.sh",
    "cat <(cat ../outside/secret.txt); cat ../outside/secret.txt | cat; diff <(cat rel-file) inside.txt",
    "n=$(printf 'n%.0s' {1..255}); mkdir $n; cd $n; cat ../../outside/secret.txt",
    "for i in {1..60}; do mkdir dddddddddddddddddddddddddddddddddddd; cd dddddddddddddddddddddddddddddddddddd; done; cat ../../../outside/secret.txt; pwd | wc -c",
    "umask 0; echo x > rel-dir/made; mkdir -m 777 rel-dir/made",
    "set -o noclobber; echo x > dangling-rel; echo x > dangling-abs; echo x > rel-file",
];

/// The shell calls: every command, on every path when `full`, else on a fair share of them.
pub fn all(world: &World, full: bool, wall: Wall) -> Vec<Case> {
    let pairs = pairs(world);
    let mut cases = Vec::new();
    for (index, (template, said)) in ON_FILES.iter().enumerate() {
        let each = if full { pairs.len() } else { 3 };
        for pair in chosen(&pairs, index, each) {
            cases.push(bash(
                pair.plan,
                &template.replace("{}", &quoted(&pair.outside)),
                Want::Contained,
            ));
        }
        cases.push(bash(
            "PATH-08",
            &template.replace("{}", "inside-dir/secret.txt"),
            Want::Done(said),
        ));
    }
    let folders = folders(world);
    for (index, (template, said)) in ON_FOLDERS.iter().enumerate() {
        let each = if full { folders.len() } else { 3 };
        for folder in chosen(&folders, index, each) {
            cases.push(bash(
                "PATH-08",
                &template.replace("{}", &quoted(folder)),
                Want::Contained,
            ));
        }
        let twin = format!(
            "mkdir inside-dir/empty; echo 'echo done' > inside-dir/script.sh; {}",
            template.replace("{}", "/workspace/inside-dir")
        );
        cases.push(bash("PATH-08", &twin, Want::Done(said)));
    }
    // These sweep over all they can reach, which without the wall is the machine.
    if wall == Wall::Stands {
        cases.extend(
            ON_THEIR_OWN
                .iter()
                .map(|command| bash("PATH-08", command, Want::Contained)),
        );
    }
    cases
}

fn bash(plan: &'static str, command: &str, want: Want) -> Case {
    // Each call starts from the same folder and state, and a command that waits ends soon.
    let script = format!("cd /workspace\n{command}\n");
    Case::new(
        plan,
        "bash",
        json!({"command": script, "timeout_ms": 5000}),
        want,
    )
}

fn folders(world: &World) -> Vec<String> {
    let host = world.around.display();
    let mut folders: Vec<String> = [
        "../outside",
        "/workspace/../outside",
        "rel-dir",
        "abs-dir",
        "up/outside",
        "slash-dir",
        "slash-dot",
        "sub/parent-link",
        "sub/deeper/parent-link",
        "sub/again",
        "proc-cwd/../outside",
        "fd-up-3",
        "fd-up-5",
        "../workspace_evil",
        "inside-dir/../../outside",
        "/outside",
    ]
    .map(str::to_owned)
    .into();
    folders.push(format!("{host}/outside"));
    folders.push(format!("proc-root{host}/outside"));
    folders.push(format!("root{host}/outside"));
    folders
}

/// `each` of `items`, others for each `index`.
fn chosen<T>(items: &[T], index: usize, each: usize) -> impl Iterator<Item = &T> {
    (0..each).map(move |n| &items[(index * each + n) % items.len()])
}

fn quoted(path: &str) -> String {
    format!("'{path}'")
}
