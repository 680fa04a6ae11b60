//! What to use in place of a program that is not here.

use crate::{builtins, names::Map, shell::Shell, system};

/// Well-known programs and what does their work here, the best first.
const SUBSTITUTES: &[(&str, &str)] = &[
    ("rg", "grep"),
    ("ag", "grep"),
    ("ack", "grep"),
    ("egrep", "grep -E"),
    ("fgrep", "grep -F"),
    ("fd", "find"),
    ("fdfind", "find"),
    ("locate", "find"),
    ("bat", "cat"),
    ("batcat", "cat"),
    ("most", "cat"),
    ("exa", "ls"),
    ("eza", "ls"),
    ("lsd", "ls"),
    ("tree", "find"),
    ("vi", "sed"),
    ("vim", "sed"),
    ("nvim", "sed"),
    ("nano", "sed"),
    ("ed", "sed"),
    ("emacs", "sed"),
    ("perl", "sed or awk"),
    ("gawk", "awk"),
    ("mawk", "awk"),
    ("gsed", "sed"),
    ("ggrep", "grep"),
    ("python", "python3"),
    ("python2", "python3"),
    ("pypy", "python3"),
    ("ipython", "python3"),
    ("gojq", "jq"),
    ("yq", "jq"),
    ("hd", "hexdump -C"),
    ("dc", "bc"),
    ("bzip2", "gzip"),
    ("xz", "gzip"),
    ("gzcat", "gzip -dc"),
    ("pigz", "gzip"),
    ("7z", "zip"),
    ("zsh", "bash"),
    ("dash", "sh"),
    ("ksh", "bash"),
    ("fish", "bash"),
    ("md5", "md5sum"),
    ("shasum", "sha1sum or sha256sum"),
    ("ncdu", "du"),
    ("pgrep", "jobs -p"),
    ("gdate", "date"),
    ("tput", "printf"),
    ("man", "help"),
];

/// Programs agents often try that have no counterpart here.
const ABSENT: &[&str] = &[
    "apt",
    "apt-get",
    "aptitude",
    "dnf",
    "yum",
    "apk",
    "pacman",
    "brew",
    "snap",
    "dpkg",
    "rpm",
    "pip",
    "pip3",
    "pipx",
    "uv",
    "poetry",
    "conda",
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "node",
    "deno",
    "bun",
    "tsc",
    "cargo",
    "rustc",
    "go",
    "gcc",
    "g++",
    "clang",
    "cc",
    "make",
    "cmake",
    "ninja",
    "java",
    "javac",
    "mvn",
    "gradle",
    "ruby",
    "gem",
    "php",
    "composer",
    "dotnet",
    "docker",
    "podman",
    "kubectl",
    "systemctl",
    "service",
    "journalctl",
    "sudo",
    "su",
    "ssh",
    "scp",
    "rsync",
    "curl",
    "wget",
    "git",
    "gh",
    "tmux",
    "screen",
    "openssl",
    "gpg",
    "aws",
    "gcloud",
    "az",
    "psql",
    "mysql",
    "sqlite3",
    "redis-cli",
    "mongo",
    "ip",
    "ifconfig",
    "netstat",
    "ss",
    "ping",
    "nc",
    "nmap",
    "top",
    "htop",
    "strace",
    "gdb",
    "nginx",
    "pytest",
    "terraform",
    "ffmpeg",
];

/// ` (here: grep; programs are listed by: ls /bin)`, or the nearest name.
pub fn hint(shell: &mut Shell, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).into_owned();
    let known = SUBSTITUTES
        .iter()
        .find(|(absent, _)| *absent == name)
        .map(|(_, here)| *here);
    let present = |shell: &mut Shell, here: &str| {
        let first = here.split(' ').next().unwrap_or(here).as_bytes().to_vec();
        builtins::find(&first).is_some() || shell.search_path(&first).is_some()
    };
    if let Some(here) = known
        && present(shell, here)
    {
        return format!(" (here: {here}; programs are listed by: ls /bin)");
    }
    if ABSENT.contains(&name.as_str()) {
        return " (not available here; programs are listed by: ls /bin)".into();
    }
    match nearest(shell, &name) {
        Some(near) => format!(" (nearest: {near}; programs are listed by: ls /bin)"),
        None => String::new(),
    }
}

fn nearest(shell: &Shell, name: &str) -> Option<String> {
    if name.len() < 3 || name.len() > 32 {
        return None;
    }
    let mut names: Map<String, ()> = Map::default();
    for program in system::list(b"/bin").unwrap_or_default() {
        names.insert(String::from_utf8_lossy(&program).into_owned(), ());
    }
    for builtin in builtins::names() {
        names.insert(builtin.to_owned(), ());
    }
    for function in shell.functions.keys() {
        names.insert(String::from_utf8_lossy(function).into_owned(), ());
    }
    let most = if name.len() < 5 { 1 } else { 2 };
    names
        .into_keys()
        .map(|known| (distance(name, &known), known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// Edits between two names, a swap of neighbours counting one.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let width = right.len() + 1;
    let mut table = vec![0; (left.len() + 1) * width];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            let at = i * width + j;
            if i == 0 || j == 0 {
                table[at] = i + j;
                continue;
            }
            let same = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (table[at - width] + 1)
                .min(table[at - 1] + 1)
                .min(table[at - width - 1] + same);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(table[at - 2 * width - 2] + 1);
            }
            table[at] = best;
        }
    }
    table.last().copied().unwrap_or(usize::MAX)
}
