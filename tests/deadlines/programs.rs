//! Programs that end only because something ends them.

/// What a script may take before it is small no more: goals differ above this.
pub const SMALL_MIB: u64 = 64;

/// A script, or a guest of our own.
pub struct Program {
    pub name: &'static str,
    pub script: &'static str,
    /// Linear memory of its largest process.
    pub memory_mib: u64,
    /// What it runs, where that is no shipped program.
    pub guest: Option<Guest>,
}

/// A guest that repeats one instruction over all of its memory but a page.
pub struct Guest {
    pub name: &'static str,
    pub instruction: Instruction,
}

#[derive(Clone, Copy)]
pub enum Instruction {
    Fill,
    Copy,
}

const fn script(name: &'static str, script: &'static str) -> Program {
    Program {
        name,
        script,
        memory_mib: SMALL_MIB,
        guest: None,
    }
}

const fn large(name: &'static str, script: &'static str) -> Program {
    Program {
        name,
        script,
        memory_mib: 256,
        guest: None,
    }
}

const fn storm(
    (name, program, script): (&'static str, &'static str, &'static str),
    instruction: Instruction,
    memory_mib: u64,
) -> Program {
    Program {
        name,
        script,
        memory_mib,
        guest: Some(Guest {
            name: program,
            instruction,
        }),
    }
}

pub const PROGRAMS: &[Program] = &[
    // The product of 2^61 - 1 and 2^64 - 59: hours of arithmetic without a host call.
    script(
        "64 loops without a call",
        "for i in {1..64}; do factor 42535295865117307778430344311653531707 & done; wait",
    ),
    script(
        "64 shells in a loop",
        "for i in {1..64}; do while :; do :; done & done; wait",
    ),
    script("sleep", "sleep 1000"),
    script(
        "sleep that ignores every signal",
        "trap '' TERM INT HUP; while :; do sleep 1000; done",
    ),
    script("pipe that nobody reads", "yes | sleep 1000"),
    script("pipe that nobody writes", "sleep 1000 | cat"),
    script("endless output to nowhere", "yes > /dev/null"),
    script(
        "output that is kept in part",
        "while :; do echo flood; echo flood >&2; done",
    ),
    script(
        "pipelines of six, again and again",
        "while :; do echo x | cat | cat | cat | cat | cat > /dev/null; done",
    ),
    script(
        "forks, twenty at once",
        "while :; do for i in {1..20}; do (:) & done; wait; done",
    ),
    script(
        "programs started one after the other",
        "while :; do /bin/true; done",
    ),
    script(
        "substitutions in substitutions",
        "while :; do x=$(x=$(x=$(x=$(echo y)))); done",
    ),
    script(
        "recursion to its end",
        "while :; do (f() { f; }; f) 2> /dev/null; done",
    ),
    script(
        "memory grown until it is refused",
        "while :; do (x=xxxxxxxxxxxxxxxx; for i in {1..22}; do x=$x$x; done); done 2> /dev/null",
    ),
    script(
        "memory filled up to 64 MiB again and again",
        "while :; do x=xxxxxxxxxxxxxxxx; for i in {1..21}; do x=$x$x; done; done",
    ),
    large(
        "memory filled up to 256 MiB by a program",
        "while :; do head -c 200000000 /dev/zero | tail -c 200000000 > /dev/null; done",
    ),
    script(
        "patterns of the shell against a long line",
        "x=$(head -c 100000 /dev/zero | tr '\\0' a); \
         while :; do case $x in *a*a*a*a*a*a*a*b) ;; esac; y=${x//a*a*b/}; done",
    ),
    script(
        "expressions of the shell against a long line",
        "x=$(head -c 100000 /dev/zero | tr '\\0' a); while :; do [[ $x =~ ((a*)*)*b ]]; done",
    ),
    script(
        "expressions of grep, sed and awk against long lines",
        "while :; do head -c 3000000 /dev/zero | tr '\\0' a | grep -cE '((a|aa)+)+b' & \
         head -c 3000000 /dev/zero | tr '\\0' a | sed -nE 's/((a*)*)*b/x/p' & \
         head -c 3000000 /dev/zero | tr '\\0' a | awk '/((a*)*)*b/' & wait; done > /dev/null",
    ),
    script(
        "folders made, listed and removed",
        "while :; do mkdir -p d/{1..20}/{1..20}; echo d/*/*/.. > /dev/null; rm -r d; done",
    ),
    script(
        "links in a circle and long paths",
        "ln -sf b a; ln -sf a b; p=$(printf '/../workspace%.0s' {1..300}); \
         while :; do cat a $p/a; done 2> /dev/null",
    ),
    script(
        "files written and cut",
        "while :; do head -c 1000000 /dev/zero > f; : > f; done",
    ),
    script(
        "a number of a million digits",
        "echo '3^300000000 % 7' | bc",
    ),
    script(
        "sums and packing without end",
        "sha512sum /dev/zero & gzip < /dev/zero > /dev/null & wait",
    ),
    storm(
        ("memory.fill of 16 MiB", "fill_16", "/bin/fill_16"),
        Instruction::Fill,
        16,
    ),
    storm(
        ("memory.copy in 16 MiB", "copy_16", "/bin/copy_16"),
        Instruction::Copy,
        16,
    ),
    storm(
        ("memory.fill of 64 MiB", "fill_64", "/bin/fill_64"),
        Instruction::Fill,
        64,
    ),
    storm(
        ("memory.copy in 64 MiB", "copy_64", "/bin/copy_64"),
        Instruction::Copy,
        64,
    ),
    storm(
        ("memory.fill of 256 MiB", "fill_256", "/bin/fill_256"),
        Instruction::Fill,
        256,
    ),
    storm(
        ("memory.copy in 256 MiB", "copy_256", "/bin/copy_256"),
        Instruction::Copy,
        256,
    ),
];

impl Program {
    /// A debug build alone takes guests that are not shipped.
    pub fn can_be_run(&self) -> bool {
        cfg!(debug_assertions) || self.guest.is_none()
    }

    /// The text of its guest.
    pub fn text(&self, guest: &Guest) -> String {
        // A slot holds 4,096 pages, and a page of its own is the stack's.
        let pages = (self.memory_mib * 16).min(4_090);
        let bytes = (pages - 1) << 16;
        let instruction = match guest.instruction {
            Instruction::Fill => format!(
                "(memory.fill (i32.const 65536) (i32.const 90) (i32.const {}))",
                bytes as u32
            ),
            // A byte further each time: neither a copy to the same place nor one of disjoint halves.
            Instruction::Copy => format!(
                "(memory.copy (i32.const 65537) (i32.const 65536) (i32.const {}))",
                (bytes - 1) as u32
            ),
        };
        format!(
            "(module (memory (export \"memory\") {pages})\n\
             (func (export \"_start\") (loop $again {instruction} (br $again))))"
        )
    }
}

/// Puts the shipped guests and those of ours into a folder that a debug build takes them from.
pub fn write(folder: &std::path::Path) -> Result<(), String> {
    use sha2::Digest as _;
    use std::fmt::Write as _;

    let failed = |what: &std::path::Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let dist = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    for entry in std::fs::read_dir(&dist).map_err(failed(&dist))? {
        let path = entry.map_err(failed(&dist))?.path();
        let name = path.file_name().ok_or("a file without a name")?;
        std::fs::copy(&path, folder.join(name)).map_err(failed(&path))?;
    }
    let place = folder.join("manifest.toml");
    let mut manifest = std::fs::read_to_string(&place).map_err(failed(&place))?;
    for program in PROGRAMS {
        let Some(guest) = &program.guest else {
            continue;
        };
        let wasm = wat::parse_str(program.text(guest)).map_err(|error| error.to_string())?;
        let name = guest.name;
        let file = folder.join(format!("{name}.wasm.zst"));
        let packed = zstd::encode_all(&*wasm, 1).map_err(failed(&file))?;
        std::fs::write(&file, packed).map_err(failed(&file))?;
        let digest = sha2::Sha256::digest(&wasm);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        write!(
            manifest,
            "\n[[module]]\nname = {name:?}\nfile = \"{name}.wasm.zst\"\nsha256 = {digest:?}\n\
             programs = [{name:?}]\n"
        )
        .map_err(|error| error.to_string())?;
    }
    std::fs::write(&place, manifest).map_err(failed(&place))
}
