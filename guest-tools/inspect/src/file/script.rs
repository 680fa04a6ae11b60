//! Scripts, by the interpreter on their first line.

/// How a script is described around its encoding, and its type.
pub struct Script {
    pub before: String,
    /// Whether the encoding stands in the description.
    pub encoding: bool,
    pub mime: &'static str,
}

/// Reads a `#!` line.
pub fn find(start: &[u8]) -> Option<Script> {
    let line = start.strip_prefix(b"#!")?;
    let end = line.iter().position(|b| *b == b'\n').unwrap_or(line.len());
    let line = String::from_utf8_lossy(&line[..end]).trim().to_owned();
    let mut words = line.split_whitespace();
    let program = words.next()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let name = match name {
        "env" => {
            let mut words = words.filter(|word| !word.starts_with('-') && !word.contains('='));
            words.next()?
        }
        name => name,
    };
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (what, mime) = match stem {
        "sh" => ("POSIX shell script", "text/x-shellscript"),
        "dash" => ("Neil Brown's ash script", "text/x-shellscript"),
        "bash" => ("Bourne-Again shell script", "text/x-shellscript"),
        "zsh" => ("Paul Falstad's zsh script", "text/x-shellscript"),
        "ksh" => ("Korn shell script", "text/x-shellscript"),
        "csh" => ("C shell script", "text/x-shellscript"),
        "tcsh" => ("Tenex C shell script", "text/x-shellscript"),
        "fish" => ("fish shell script", "text/x-shellscript"),
        "python" | "pypy" => ("Python script", "text/x-script.python"),
        "ruby" => ("Ruby script", "text/x-ruby"),
        "awk" => ("awk script", "text/x-awk"),
        "gawk" => ("GNU awk script", "text/x-gawk"),
        "php" => ("PHP script", "text/x-php"),
        "lua" => ("Lua script", "text/x-lua"),
        "make" => ("makefile script", "text/x-makefile"),
        "perl" => {
            return Some(Script {
                before: "Perl script text executable".to_owned(),
                encoding: false,
                mime: "text/x-perl",
            });
        }
        "node" => {
            return Some(Script {
                before: "Node.js script executable".to_owned(),
                encoding: true,
                mime: "application/javascript",
            });
        }
        _ => {
            return Some(Script {
                before: format!("a {line} script"),
                encoding: true,
                mime: "text/plain",
            });
        }
    };
    Some(Script {
        before: what.to_owned(),
        encoding: true,
        mime,
    })
}
