//! One component with all it asks for found, ready to be instantiated.

use std::{
    fmt,
    fs::File,
    io::{Read as _, Seek as _},
};

use anyhow::{bail, ensure};
use wasmtime::{
    Engine,
    component::{
        Component, InstancePre, Linker,
        types::{ComponentItem, Type},
    },
};

use super::host::{Host, link};

/// A mapped component.
pub struct ComponentTool {
    pub(super) engine: Engine,
    pub(super) pre: InstancePre<Host>,
    pub(super) entry: Entry,
}

/// How it is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// The function `run` of this interface, without arguments.
    Command(String),
    /// `run: func(input: string) -> result<string, string>`.
    Typed,
}

impl fmt::Debug for ComponentTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComponentTool({:?})", self.entry)
    }
}

impl ComponentTool {
    /// Maps an artefact and finds all that it imports.
    ///
    /// # Errors
    /// It was compiled by another engine, is too large for an instance, asks for what components are
    /// not given, or cannot be entered.
    #[expect(
        unsafe_code,
        reason = "wasmtime cannot check that an artefact is its own output"
    )]
    pub fn load(engine: &Engine, mut artefact: File) -> anyhow::Result<Self> {
        let mut code = Vec::new();
        artefact.rewind()?;
        artefact.read_to_end(&mut code)?;
        // SAFETY: the broker had it compiled by a process of ours, or found its tag to fit, and sealed
        // it: it is what our compiler made, copied here.
        let component = unsafe { Component::deserialize(engine, &code) };
        let component = component.map_err(anyhow::Error::msg)?;
        component
            .initialize_copy_on_write_image()
            .map_err(anyhow::Error::msg)?;
        let entry = entry(engine, &component)?;
        let mut linker = Linker::new(engine);
        link(&mut linker).map_err(anyhow::Error::msg)?;
        let pre = linker.instantiate_pre(&component);
        let pre = pre.map_err(|error| anyhow::anyhow!("cannot be run: {error:#}"))?;
        Ok(Self {
            engine: engine.clone(),
            pre,
            entry,
        })
    }
}

fn entry(engine: &Engine, component: &Component) -> anyhow::Result<Entry> {
    let exports = component.component_type();
    for (name, item) in exports.exports(engine) {
        if name.starts_with("wasi:cli/run@0.2.") && is_interface(&item.ty) {
            return Ok(Entry::Command(name.to_owned()));
        }
    }
    let Some(ComponentItem::ComponentFunc(run)) = exports.get_export(engine, "run").map(|e| e.ty)
    else {
        bail!("exports neither `wasi:cli/run@0.2` nor a function `run`");
    };
    let parameters: Vec<_> = run.params().map(|(_, ty)| ty).collect();
    let results: Vec<_> = run.results().collect();
    let fits = parameters == [Type::String]
        && matches!(&results[..], [Type::Result(result)]
            if result.ok() == Some(Type::String) && result.err() == Some(Type::String));
    ensure!(
        fits,
        "exports a function `run` of another type than `func(input: string) -> result<string, string>`"
    );
    Ok(Entry::Typed)
}

fn is_interface(item: &ComponentItem) -> bool {
    matches!(item, ComponentItem::ComponentInstance(_))
}
