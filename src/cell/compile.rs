//! Compiles guests ahead of time, in a child of its own, into a cache that only we can write.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use wasmparser::{Operator, Parser, Payload};

use super::{
    catalogue::{Catalogue, ModuleEntry},
    engine,
};

/// Where the compiled artefact of a module belongs. Another engine refuses what it finds there
/// and has it compiled again.
pub fn cache_file(cache: &Path, module: &ModuleEntry) -> PathBuf {
    let digest = module.sha256.get(..16).unwrap_or(&module.sha256);
    cache.join(format!(
        "{}-{digest}-{}.cwasm",
        module.name,
        env!("CARGO_PKG_VERSION")
    ))
}

/// Makes the cache folder, or checks that nobody else can write what we map as code.
///
/// # Errors
/// The folder belongs to another user or is writable by others.
pub fn check_cache(cache: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(cache)
        .with_context(|| format!("the cache folder {} cannot be made", cache.display()))?;
    let found = fs::metadata(cache)?;
    let own = found.uid() == rustix::process::geteuid().as_raw();
    ensure!(
        own && found.mode() & 0o022 == 0,
        "the cache folder {} must belong to the user that runs hotcell and be writable by \
         nobody else: it holds native code; chmod go-w it or name another with XDG_CACHE_HOME",
        cache.display()
    );
    Ok(())
}

/// Names of the modules that the cache lacks, in the catalogue's order.
///
/// # Errors
/// The shipped guests cannot be read.
pub fn missing(cache: &Path) -> anyhow::Result<Vec<String>> {
    let modules = Catalogue::shipped()?.modules.iter();
    let absent = modules.filter(|module| !cache_file(cache, module).exists());
    Ok(absent.map(|module| module.name.clone()).collect())
}

/// Compiles the module `name` into the cache.
///
/// # Errors
/// No such module; it breaks a rule that fork rests on; the cache cannot be written.
pub fn compile(cache: &Path, name: &str) -> anyhow::Result<()> {
    check_cache(cache)?;
    let module = Catalogue::shipped()?.module(name);
    let module = module.with_context(|| format!("no module is called {name:?}"))?;
    let bytes = module.bytes()?;
    check_forkable(&bytes).with_context(|| format!("the guest {name:?} cannot be run"))?;
    let engine = engine::engine().map_err(anyhow::Error::msg)?;
    let artefact = engine
        .precompile_module(&bytes)
        .map_err(anyhow::Error::msg)?;
    let place = cache_file(cache, module);
    let unfinished = place.with_extension(format!("{}.part", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(&artefact))
        .and_then(|()| fs::rename(&unfinished, &place));
    if written.is_err() {
        let _removed = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("the cache file {} cannot be written", place.display()))
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
