//! The catalogue of programs: which module runs a name, and whether it is compiled yet.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::File,
    sync::{Arc, OnceLock},
};

use tokio::sync::watch;
use wasmtime::{InstancePre, Linker};

#[cfg(feature = "components")]
use super::component::{self, ComponentTool};
use super::{
    catalogue::Catalogue,
    kernel::{Code, Guest},
};

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
    fn unloaded(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            pre: OnceLock::new(),
            tried: watch::channel(false).0,
        })
    }

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
    /// The one tool there is, whatever it is called, in a cell for one.
    tool: Option<Code>,
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
        let mut programs = Self::empty(linker);
        for entry in &Catalogue::shipped()?.modules {
            let name = entry.name.clone();
            let module = Module::unloaded(&name);
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

    fn empty(linker: Linker<Guest>) -> Self {
        Self {
            linker,
            modules: BTreeMap::new(),
            by_program: HashMap::new(),
            names: Vec::new(),
            tool: None,
        }
    }

    /// One tool of the operator's own, not loaded yet, and no guests.
    pub fn of_tool(linker: Linker<Guest>, name: &str) -> Self {
        let mut programs = Self::empty(linker);
        let module = Module::unloaded(name);
        programs.tool = Some(Code::Guest(Arc::clone(&module)));
        programs.modules.insert(name.to_owned(), module);
        programs
    }

    /// One component, from its code, with the engine it needs.
    ///
    /// # Errors
    /// The code cannot be mapped, or asks for what no tool is given.
    #[cfg(feature = "components")]
    pub fn of_component(artefact: File) -> anyhow::Result<(wasmtime::Engine, Self)> {
        let engine = component::engine().map_err(anyhow::Error::msg)?;
        let tool = ComponentTool::load(&engine, artefact)?;
        let mut programs = Self::empty(Linker::new(&engine));
        programs.tool = Some(Code::Component(Arc::new(tool)));
        Ok((engine, programs))
    }

    /// As with the feature `components`: there are none.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "components"))]
    pub fn of_component(_: File) -> anyhow::Result<(wasmtime::Engine, Self)> {
        anyhow::bail!(super::tool_file::NO_COMPONENTS)
    }

    /// The module that runs `program`: a name of `/bin`.
    pub fn find(&self, program: &str) -> Option<Arc<Module>> {
        self.by_program.get(program).cloned()
    }

    /// The code for an order's first process: a program, an internal module by its name, or the
    /// tool that the cell is for.
    pub fn find_first(&self, name: &str) -> Option<Code> {
        if let Some(tool) = &self.tool {
            return Some(tool.clone());
        }
        let found = self.find(name).or_else(|| self.modules.get(name).cloned());
        found.map(Code::Guest)
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
