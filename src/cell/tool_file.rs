//! Looks into a tool's file and compiles it. Runs in a sealed process: what it reads is hostile.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use anyhow::{Context as _, bail, ensure};
use wasmparser::{ExternalKind, Parser, Payload, Validator};

use super::engine;
use crate::policy::{Found, TOOL_BYTES_MAX, ToolKind, ToolWorld};

/// Most names of imports, and of exports, that are told of a file; of the others nothing is known
/// that matters. Chosen: far above what compilers write.
const NAMES_MAX: usize = 4_096;
/// Longest of them, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Seconds of a processor that looking and compiling may take. Chosen: ten times what a tool of the
/// largest size takes.
pub const CPU_SECONDS_MAX: u64 = 60;

/// Compiles what is in `wasm` into `artefact`; says what was found.
///
/// # Errors
/// It is no tool of this kind; why, for the operator.
pub fn compile(kind: ToolKind, mut wasm: &File, mut artefact: &File) -> anyhow::Result<Found> {
    let mut bytes = Vec::new();
    wasm.rewind()?;
    wasm.take(TOOL_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let mut found = look(kind, &bytes)?;
    let began = std::time::Instant::now();
    let compiled = match kind {
        ToolKind::Module => engine::compiler().and_then(|engine| engine.precompile_module(&bytes)),
        ToolKind::Component => component(&bytes),
    };
    let compiled = compiled.map_err(|error| anyhow::anyhow!("cannot be compiled: {error:#}"))?;
    found.compile_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    artefact.write_all(&compiled)?;
    Ok(found)
}

#[cfg(feature = "components")]
use with_components::{component, look_at_component as of_component};

#[cfg(feature = "components")]
mod with_components {
    use wasmparser::ComponentExternalKind;

    use super::{Found, Names, Parser, Payload, ToolWorld, found, is_valid};
    use crate::cell::component::{compiler, features};
    use anyhow::Context as _;

    pub(super) fn component(bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
        compiler().and_then(|engine| engine.precompile_component(bytes))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is inside of a component is its own affair"
    )]
    pub(super) fn look_at_component(bytes: &[u8]) -> anyhow::Result<Found> {
        is_valid(bytes, features())?;
        let (mut imports, mut exports) = (Names::default(), Names::default());
        let mut world = None;
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        imports.add(import?.name.name);
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export?;
                        let name = export.name.name;
                        if name.starts_with("wasi:cli/run@0.2.")
                            && export.kind == ComponentExternalKind::Instance
                        {
                            world = Some(ToolWorld::Command);
                        } else if name == "run" && export.kind == ComponentExternalKind::Func {
                            world.get_or_insert(ToolWorld::Typed);
                        }
                        exports.add(name);
                    }
                }
                _ => {}
            }
        }
        let world = world.context(
            "exports neither `wasi:cli/run@0.2` nor `run: func(input: string) -> result<string, string>`",
        )?;
        Ok(found(world, imports, exports))
    }
}

#[cfg(not(feature = "components"))]
fn component(_: &[u8]) -> wasmtime::Result<Vec<u8>> {
    Err(wasmtime::Error::msg(NO_COMPONENTS))
}

#[cfg(not(feature = "components"))]
fn of_component(_: &[u8]) -> anyhow::Result<Found> {
    bail!(NO_COMPONENTS)
}

/// What a build without the feature `components` says of one.
#[cfg(not(feature = "components"))]
pub const NO_COMPONENTS: &str = "is a component, and this hotcell was built without them";

/// What a file is, whatever it is said to be.
///
/// # Errors
/// It is no WebAssembly.
pub fn kind(bytes: &[u8]) -> anyhow::Result<ToolKind> {
    match (Parser::is_core_wasm(bytes), Parser::is_component(bytes)) {
        (true, _) => Ok(ToolKind::Module),
        (_, true) => Ok(ToolKind::Component),
        _ => bail!("is no WebAssembly: it begins with other bytes"),
    }
}

fn look(said: ToolKind, bytes: &[u8]) -> anyhow::Result<Found> {
    let kind = kind(bytes)?;
    ensure!(kind == said, "is a {}, not a {}", kind.name(), said.name());
    match kind {
        ToolKind::Module => {
            is_valid(bytes, engine::FEATURES)?;
            module(bytes)
        }
        ToolKind::Component => of_component(bytes),
    }
}

fn is_valid(bytes: &[u8], features: wasmparser::WasmFeatures) -> anyhow::Result<()> {
    let valid = Validator::new_with_features(features).validate_all(bytes);
    valid
        .map(drop)
        .context("is not valid, or uses what tools may not")
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other sections of a module say nothing about what it needs"
)]
fn module(bytes: &[u8]) -> anyhow::Result<Found> {
    let (mut imports, mut exports) = (Names::default(), Names::default());
    let (mut starts, mut has_memory) = (false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    imports.add(&format!("{}::{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    starts |= export.name == "_start" && export.kind == ExternalKind::Func;
                    has_memory |= export.name == "memory" && export.kind == ExternalKind::Memory;
                    exports.add(export.name);
                }
            }
            _ => {}
        }
    }
    ensure!(
        starts,
        "exports no function `_start`: build it as a program, not as a library"
    );
    ensure!(has_memory, "exports no memory `memory`");
    Ok(found(ToolWorld::Command, imports, exports))
}

fn found(world: ToolWorld, imports: Names, exports: Names) -> Found {
    Found {
        world,
        imports: imports.0,
        exports: exports.0,
        compile_us: 0,
    }
}

#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn add(&mut self, name: &str) {
        if self.0.len() < NAMES_MAX {
            let kept = name.get(..name.floor_char_boundary(NAME_BYTES_MAX));
            self.0.push(kept.unwrap_or_default().to_owned());
        }
    }
}
