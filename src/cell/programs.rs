//! The catalogue of programs: which module runs a name, and whether it is compiled yet.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::File,
    sync::{Arc, OnceLock},
};

use tokio::sync::watch;
use wasmtime::{InstancePre, Linker};

use super::{catalogue::Catalogue, kernel::Guest};

/// A guest module and, once compiled and mapped, what instances are made from.
pub struct Module {
    pub name: String,
    pre: OnceLock<InstancePre<Guest>>,
    /// Whether loading was tried; `pre` says how it went.
    tried: watch::Sender<bool>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({})", self.name)
    }
}

/// The module could not be compiled or mapped.
#[derive(Debug)]
pub struct NotLoaded;

impl Module {
    /// Waits until the module is compiled; the wait ends with the call's wall limit.
    ///
    /// # Errors
    /// It could not be.
    pub async fn ready(&self) -> Result<&InstancePre<Guest>, NotLoaded> {
        if self.pre.get().is_none() {
            let mut tried = self.tried.subscribe();
            tried
                .wait_for(|tried| *tried)
                .await
                .map_err(|_| NotLoaded)?;
        }
        self.pre.get().ok_or(NotLoaded)
    }

    /// The module, if it is compiled.
    pub fn ready_now(&self) -> Option<&InstancePre<Guest>> {
        self.pre.get()
    }
}

/// Every module by name and every program name of `/bin`.
pub struct Programs {
    linker: Linker<Guest>,
    modules: BTreeMap<String, Arc<Module>>,
    by_program: HashMap<String, Arc<Module>>,
    /// The names in `/bin`, sorted.
    names: Vec<String>,
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Programs({})", self.names.len())
    }
}

impl Programs {
    /// An empty catalogue: every name known, no module loaded.
    ///
    /// # Errors
    /// The guests' manifest cannot be read.
    pub fn new(linker: Linker<Guest>) -> anyhow::Result<Self> {
        let mut programs = Self {
            linker,
            modules: BTreeMap::new(),
            by_program: HashMap::new(),
            names: Vec::new(),
        };
        for entry in &Catalogue::shipped()?.modules {
            let (tried, _) = watch::channel(false);
            let name = entry.name.clone();
            let module = Arc::new(Module {
                name: name.clone(),
                pre: OnceLock::new(),
                tried,
            });
            for program in &entry.programs {
                programs
                    .by_program
                    .insert(program.clone(), Arc::clone(&module));
                programs.names.push(program.clone());
            }
            programs.modules.insert(name, module);
        }
        programs.names.sort();
        Ok(programs)
    }

    /// The module that runs `program`: a name of `/bin`.
    pub fn find(&self, program: &str) -> Option<Arc<Module>> {
        self.by_program.get(program).cloned()
    }

    /// The module for an order's first process: a program, or an internal module by its name.
    pub fn find_first(&self, name: &str) -> Option<Arc<Module>> {
        self.find(name).or_else(|| self.modules.get(name).cloned())
    }

    /// The names in `/bin`, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Maps the compiled artefact as the module `name`. Everything is mapped when this answers:
    /// instances made later map no code and make no files.
    ///
    /// # Errors
    /// No such module, or the artefact was compiled by another engine.
    #[expect(
        unsafe_code,
        reason = "wasmtime cannot check that an artefact is its own output"
    )]
    pub fn load(&self, name: &str, artefact: File) -> anyhow::Result<()> {
        let module = self.modules.get(name);
        let module = module.ok_or_else(|| anyhow::anyhow!("no module is called {name:?}"))?;
        // SAFETY: the broker found its tag to fit, for this module and this engine, and sealed it
        // (`artefact::Artefacts`): it is what our compiler made, and cannot change while mapped.
        let code =
            unsafe { wasmtime::Module::deserialize_open_file(self.linker.engine(), artefact) };
        let code = code.map_err(anyhow::Error::msg)?;
        code.initialize_copy_on_write_image()
            .map_err(anyhow::Error::msg)?;
        let pre = self
            .linker
            .instantiate_pre(&code)
            .map_err(anyhow::Error::msg)?;
        if module.pre.set(pre).is_ok() {
            module.tried.send_replace(true);
        }
        Ok(())
    }

    /// Lets nobody wait for the module any longer: it cannot be had.
    pub fn give_up(&self, name: &str) {
        if let Some(module) = self.modules.get(name) {
            module.tried.send_replace(true);
        }
    }
}
