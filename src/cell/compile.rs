//! Compiles guests ahead of time: into a file in memory that the broker then seals and keeps. The
//! broker has it done by a one-shot child, which has neither the cache nor its key.

use std::{io::Write, path::Path, process::Stdio};

use anyhow::{Context, ensure};
use wasmparser::{Operator, Parser, Payload};

use super::{
    artefact::{Artefacts, Stored, memory_file},
    catalogue::Catalogue,
    engine,
};

/// Compiles the module `name` and writes its artefact to `out`.
///
/// # Errors
/// No such module; it breaks a rule that fork rests on; `out` cannot be written.
pub fn compile(name: &str, mut out: impl Write) -> anyhow::Result<()> {
    let module = Catalogue::shipped()?.module(name);
    let module = module.with_context(|| format!("no module is called {name:?}"))?;
    let bytes = module.bytes()?;
    check_forkable(&bytes).with_context(|| format!("the guest {name:?} cannot be run"))?;
    let engine = engine::compiler().map_err(anyhow::Error::msg)?;
    let artefact = engine
        .precompile_module(&bytes)
        .map_err(anyhow::Error::msg)?;
    out.write_all(&artefact)
        .and_then(|()| out.flush())
        .with_context(|| format!("the artefact of {name:?} cannot be written"))
}

/// Fills the cache with what it lacks, in this process; `compiled` is told each name.
///
/// # Errors
/// As [`compile`], or the cache cannot be written.
pub fn warm(cache: &Path, compiled: impl Fn(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let artefacts = Artefacts::open(cache)?;
    for name in artefacts.take_cached()? {
        let artefact = memory_file(&name)?;
        compile(&name, &artefact)?;
        let Stored(stored) = artefacts.admit(&name, artefact)?;
        stored.with_context(|| format!("the cache {} cannot be written", cache.display()))?;
        compiled(&name)?;
    }
    Ok(())
}

/// Has the module `name` compiled by a child, which `command` starts as this program, and takes
/// what it made.
///
/// # Errors
/// The child cannot be started or fails.
pub async fn in_child(
    mut command: std::process::Command,
    artefacts: &Artefacts,
    name: &str,
) -> anyhow::Result<()> {
    let artefact = memory_file(name)?;
    command.args(["compile", name]);
    command.stdin(Stdio::null()).stdout(artefact.try_clone()?);
    let mut command = tokio::process::Command::from(command);
    let status = command.kill_on_drop(true).status().await?;
    // It has a descriptor of the file for its child.
    drop(command);
    ensure!(status.success(), "the compiler ended with {status}");
    let Stored(stored) = artefacts.admit(name, artefact)?;
    if let Err(error) = stored {
        tracing::warn!(name, %error, "a compiled guest cannot be cached");
    }
    Ok(())
}

/// Fork copies linear memory and one global, the stack pointer: nothing else may change while a
/// guest runs, and its data must lie above its stack.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other sections of a module say nothing about fork"
)]
fn check_forkable(wasm: &[u8]) -> anyhow::Result<()> {
    let mut mutable_globals = 0;
    let mut stack_top = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global?;
                    mutable_globals += u32::from(global.ty.mutable);
                    if global.ty.mutable
                        && let Operator::I32Const { value } =
                            global.init_expr.get_operators_reader().read()?
                    {
                        stack_top = value;
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    ensure!(!memory?.shared, "its memory is shared between threads");
                }
            }
            Payload::DataSection(data) => {
                for segment in data {
                    if let wasmparser::DataKind::Active { offset_expr, .. } = segment?.kind
                        && let Operator::I32Const { value } =
                            offset_expr.get_operators_reader().read()?
                    {
                        ensure!(value >= stack_top, "its data lies below its stack");
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader()? {
                    let changes_table = matches!(
                        operator?,
                        Operator::TableSet { .. }
                            | Operator::TableGrow { .. }
                            | Operator::TableFill { .. }
                            | Operator::TableCopy { .. }
                            | Operator::TableInit { .. }
                    );
                    ensure!(!changes_table, "it changes its function table");
                }
            }
            _ => {}
        }
    }
    ensure!(
        mutable_globals <= 1,
        "it has {mutable_globals} mutable globals; only the stack pointer may be one"
    );
    Ok(())
}
