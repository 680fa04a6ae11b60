//! Compiled guests as the broker holds them: in sealed memory files that cells inherit. A cell can
//! map one as code; nobody can change it any more, nor the cache's file behind it.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::{FromRawFd, OwnedFd},
    path::Path,
    sync::Arc,
    thread::{self, available_parallelism},
};

use anyhow::{Context, ensure};
use parking_lot::Mutex;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::{
    cache::{ARTEFACT_BYTES_MAX, Cache, Unfit},
    catalogue::{Catalogue, ModuleEntry, NEEDED_FIRST},
};

/// The number under which a cell finds its first artefact; the others follow.
pub const FIRST_NUMBER: i32 = super::starter::OWNER_MAP_NUMBER + 1;

/// Threads that read the cache at once. Chosen: the largest artefact is a third of all bytes.
const THREADS_MAX: usize = 4;

/// The artefacts that cells can be started with, and the cache they come from.
#[derive(Debug)]
pub struct Artefacts {
    cache: Cache,
    held: Mutex<BTreeMap<&'static str, Arc<File>>>,
}

impl Artefacts {
    /// Opens the cache, and no artefact yet.
    ///
    /// # Errors
    /// The cache's folder is not private, or the engine cannot be built.
    pub fn open(cache: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            cache: Cache::open(cache)?,
            held: Mutex::default(),
        })
    }

    /// Takes every artefact that the cache has; answers which modules it lacks, most needed first.
    ///
    /// # Errors
    /// The shipped guests cannot be read.
    pub fn take_cached(&self) -> anyhow::Result<Vec<String>> {
        let modules = Mutex::new(in_order()?.into_iter());
        let refused = Mutex::new(Vec::new());
        let take_them = || {
            loop {
                let module = modules.lock().next();
                let Some(module) = module else { return };
                match self.take(module) {
                    Ok(()) | Err(Unfit::Absent) => {}
                    Err(reason) => refused.lock().push(format!("{}: {reason}", module.name)),
                }
            }
        };
        let threads = available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(take_them);
            }
            take_them();
        });
        let mut refused = refused.into_inner();
        refused.sort();
        if !refused.is_empty() {
            tracing::warn!(?refused, "cached guests are compiled again");
        }
        self.missing()
    }

    /// Takes the artefact of one module from the cache.
    ///
    /// # Errors
    /// The cache has none that fits; it is then to be compiled.
    pub fn take(&self, module: &'static ModuleEntry) -> Result<(), Unfit> {
        let artefact = memory_file(&module.name)?;
        self.cache.read(&self.cache.key_of(module), &artefact)?;
        seal(&artefact)?;
        self.held.lock().insert(&module.name, Arc::new(artefact));
        Ok(())
    }

    /// The modules that are not held, most needed first.
    ///
    /// # Errors
    /// The shipped guests cannot be read.
    pub fn missing(&self) -> anyhow::Result<Vec<String>> {
        let held = self.held.lock();
        let modules = in_order()?.into_iter();
        let absent = modules.filter(|module| !held.contains_key(&*module.name));
        Ok(absent.map(|module| module.name.clone()).collect())
    }

    /// Takes what was compiled for the module `name` into a [`memory_file`], which nobody can
    /// change from here on, and writes it into the cache.
    ///
    /// # Errors
    /// No such module; nothing was compiled; somebody can still write to it.
    pub fn admit(&self, name: &str, artefact: File) -> anyhow::Result<Stored> {
        let module = Catalogue::shipped()?.module(name);
        let module = module.with_context(|| format!("no module is called {name:?}"))?;
        seal(&artefact).with_context(|| format!("the artefact of {name:?} is still written to"))?;
        let length = artefact.metadata()?.len();
        ensure!(
            (1..=ARTEFACT_BYTES_MAX).contains(&length),
            "the artefact of {name:?} has {length} bytes; it must have 1 to {ARTEFACT_BYTES_MAX}"
        );
        let stored = self.cache.write(&self.cache.key_of(module), &artefact);
        self.held.lock().insert(&module.name, Arc::new(artefact));
        Ok(Stored(stored))
    }

    /// Where compiled code is kept.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What a new cell gets: module names and a descriptor of its own for each.
    ///
    /// # Errors
    /// The process may have no more descriptors.
    pub fn for_cell(&self) -> io::Result<Vec<(String, OwnedFd)>> {
        let held = self.held.lock();
        let own = |(name, file): (&&str, &Arc<File>)| {
            Ok(((*name).to_owned(), OwnedFd::from(file.try_clone()?)))
        };
        held.iter().map(own).collect()
    }
}

/// Whether an artefact that is held could be written into the cache, too.
#[derive(Debug)]
#[must_use = "without a stored artefact the next start compiles again"]
pub struct Stored(pub io::Result<()>);

/// Every shipped module, those that make a cell ready first.
fn in_order() -> anyhow::Result<Vec<&'static ModuleEntry>> {
    let mut modules: Vec<_> = Catalogue::shipped()?.modules.iter().collect();
    modules.sort_by_key(|module| !NEEDED_FIRST.contains(&module.name.as_str()));
    Ok(modules)
}

/// The artefacts that this process was started with: descriptors of the modules `names`, in this
/// order, behind the socket's.
#[expect(
    unsafe_code,
    reason = "an inherited descriptor has no owner until it is named"
)]
pub fn inherited(names: &[String]) -> impl Iterator<Item = (String, File)> {
    names.iter().zip(FIRST_NUMBER..).map(|(name, number)| {
        // SAFETY: the pool starts cells with an artefact under each of these numbers, and nothing
        // else in this process owns them; a process started otherwise fails when it maps one.
        let file = unsafe { File::from_raw_fd(number) };
        (name.clone(), file)
    })
}

/// An empty file in memory that can be sealed. It can be mapped as code, but not executed by name.
///
/// # Errors
/// The process may have no more descriptors.
pub fn memory_file(name: &str) -> io::Result<File> {
    let usual = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(name, usual | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know the flag.
        Err(rustix::io::Errno::INVAL) => memfd_create(name, usual),
        made => made,
    };
    Ok(File::from(file?))
}

/// Makes what the file holds final, for every descriptor of it.
pub fn seal(file: &File) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    Ok(fcntl_add_seals(file, seals)?)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::FileExt};

    use rustix::fs::fcntl_get_seals;

    use super::*;
    use crate::cell::{engine, kernel::Code, programs::Programs, wasi};

    fn file(content: &[u8]) -> File {
        let file = memory_file("test").unwrap();
        (&file).write_all(content).unwrap();
        file
    }

    fn names(artefacts: &Artefacts) -> Vec<String> {
        let given = artefacts.for_cell().unwrap().into_iter();
        given.map(|(name, _)| name).collect()
    }

    #[test]
    fn what_was_admitted_is_there_for_cells_and_for_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::open(folder.path()).unwrap();
        let missing = artefacts.take_cached().unwrap();
        assert_eq!(missing.len(), Catalogue::shipped().unwrap().modules.len());
        assert!(
            missing[..2]
                .iter()
                .all(|name| NEEDED_FIRST.contains(&&**name))
        );
        assert!(names(&artefacts).is_empty());
        artefacts.admit("sh", file(b"code")).unwrap().0.unwrap();
        assert_eq!(names(&artefacts), ["sh"]);

        let next = Artefacts::open(folder.path()).unwrap();
        assert_eq!(next.take_cached().unwrap(), missing_without(&missing, "sh"));
        assert_eq!(names(&next), ["sh"]);

        let place = {
            let names = std::fs::read_dir(folder.path()).unwrap();
            let mut paths = names.map(|entry| entry.unwrap().path());
            paths.find(|path| path.extension().is_some()).unwrap()
        };
        let mut bytes = std::fs::read(&place).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&place, bytes).unwrap();
        let third = Artefacts::open(folder.path()).unwrap();
        assert_eq!(third.take_cached().unwrap(), missing);
        assert!(names(&third).is_empty());
    }

    fn missing_without(missing: &[String], name: &str) -> Vec<String> {
        let others = missing.iter().filter(|other| *other != name);
        others.cloned().collect()
    }

    #[test]
    fn what_is_no_artefact_is_not_admitted() {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::open(folder.path()).unwrap();
        assert!(artefacts.admit("sh", file(b"")).is_err());
        assert!(artefacts.admit("no such module", file(b"code")).is_err());
        assert!(names(&artefacts).is_empty());
    }

    #[test]
    fn what_cells_are_given_cannot_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::open(folder.path()).unwrap();
        let compiler = file(b"code");
        let childs = compiler.try_clone().unwrap();
        // The twin: until it is admitted, its writer can write.
        childs.write_at(b"C", 0).unwrap();
        artefacts.admit("sh", compiler).unwrap().0.unwrap();
        let cells = File::from(artefacts.for_cell().unwrap().remove(0).1);
        for mut held in [childs, cells] {
            assert!(held.write_at(b"x", 0).is_err());
            assert!(held.write_all(b"x").is_err());
            assert!(held.set_len(0).is_err());
            assert!(held.set_len(4096).is_err());
            assert!(fcntl_add_seals(&held, SealFlags::FUTURE_WRITE).is_err());
            let seals = fcntl_get_seals(&held).unwrap();
            assert!(seals.contains(SealFlags::WRITE | SealFlags::SEAL));
            let mut content = [0; 4];
            held.read_at(&mut content, 0).unwrap();
            assert_eq!(&content, b"Code");
        }
    }

    /// A sealed artefact can be mapped as code, and another engine's cannot.
    #[test]
    fn a_sealed_artefact_is_loaded() {
        let wasm = wat::parse_str("(module (memory 1) (data (i32.const 0) \"x\"))").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::open(folder.path()).unwrap();
        let ours = engine::compiler()
            .unwrap()
            .precompile_module(&wasm)
            .unwrap();
        let others = wasmtime::Engine::default();
        let others = others.precompile_module(&wasm).unwrap();
        artefacts.admit("sh", file(&ours)).unwrap().0.unwrap();
        artefacts.admit("files", file(&others)).unwrap().0.unwrap();

        let engine = engine::engine().unwrap();
        let programs = Programs::new(wasi::linker(&engine).unwrap()).unwrap();
        for (name, descriptor) in artefacts.for_cell().unwrap() {
            let loaded = programs.load(&name, descriptor.into());
            assert_eq!(loaded.is_ok(), name == "sh", "{name}: {loaded:?}");
            let Some(Code::Guest(module)) = programs.find_first(&name) else {
                panic!("{name} is no guest");
            };
            assert_eq!(module.ready_now().is_some(), name == "sh");
        }
    }
}
