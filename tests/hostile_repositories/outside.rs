//! What lies outside a hostile repository: a folder that must not change, a secret that must not be
//! read, somebody who listens, processes that must not be left.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// The outside of one repository.
pub struct Outside {
    top: tempfile::TempDir,
    pub port: u16,
    /// Words by which processes that it leaves are found.
    pub mark: String,
    calls: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    listens: Option<JoinHandle<()>>,
}

/// Every name below a folder, with what it holds.
pub type Contents = BTreeMap<PathBuf, Vec<u8>>;

impl Outside {
    pub fn make(secret: &str, number: usize) -> Self {
        let top = tempfile::tempdir().unwrap();
        for folder in ["out", "home/.ssh", "home/.cargo"] {
            fs::create_dir_all(top.path().join(folder)).unwrap();
        }
        for file in [
            "out/canary",
            "home/.ssh/id_hostile",
            "home/.cargo/credentials.toml",
        ] {
            fs::write(top.path().join(file), format!("{secret}\n")).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (calls, over) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let port = listener.local_addr().unwrap().port();
        let (counted, ends) = (Arc::clone(&calls), Arc::<AtomicBool>::clone(&over));
        let listens = std::thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                if ends.load(Ordering::Acquire) {
                    break;
                }
                counted.fetch_add(1, Ordering::AcqRel);
                drop(caller);
            }
        });
        Self {
            top,
            port,
            // A number of seconds that nobody else sleeps.
            mark: format!("{}.{number}", 40_000 + std::process::id()),
            calls,
            over,
            listens: Some(listens),
        }
    }

    pub fn out(&self) -> PathBuf {
        self.top.path().join("out")
    }

    pub fn home(&self) -> PathBuf {
        self.top.path().join("home")
    }

    /// How many called up to now: who called before us is counted when we are hung up on.
    pub fn calls(&self) -> usize {
        let mut us = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let _hung_up = us.read(&mut [0]);
        self.calls.fetch_sub(1, Ordering::AcqRel) - 1
    }

    /// Processes that were left.
    pub fn left(&self) -> Vec<i32> {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let ours = all.filter(|entry| {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            words == format!("sleep\0{}\0", self.mark).as_bytes()
        });
        let numbers = ours.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        numbers.collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Whoever waits for callers has to be called.
        let _gone = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(listens) = self.listens.take() {
            let _ended = listens.join();
        }
        for process in self.left() {
            if let Some(process) = rustix::process::Pid::from_raw(process) {
                let _gone = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            }
        }
    }
}

/// What a folder holds; links are not followed.
pub fn contents(top: &Path) -> Contents {
    let mut found = Contents::new();
    let mut left = vec![top.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let holds = if kind.is_dir() {
                left.push(path.clone());
                Vec::new()
            } else if kind.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec()
            } else {
                fs::read(&path).unwrap_or_default()
            };
            found.insert(path, holds);
        }
    }
    found
}

/// Whether a text is anywhere in these.
pub fn holds(contents: &Contents, text: &str) -> bool {
    let within = |bytes: &[u8]| {
        let mut windows = bytes.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    contents
        .iter()
        .any(|(path, bytes)| within(path.as_os_str().as_bytes()) || within(bytes))
}
