//! `hotcell tool …`: what an operator asks of a tool of their own before a policy names it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;

use crate::app;
use crate::cell::check_file;
use crate::cli::{Common, say};
use crate::config::Settings;
use crate::policy::{ToolCode, ToolKind, ToolWorld};

#[derive(Debug, clap::Args)]
pub(super) struct ToolArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says what a file is, what it needs, and what a policy must say for it
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// A WebAssembly module or component
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Reads a kind as policies and command lines write it.
pub(super) fn kind(text: &str) -> Result<ToolKind, String> {
    let mut kinds = [ToolKind::Module, ToolKind::Component].into_iter();
    let known = kinds.find(|kind| kind.name() == text);
    known.ok_or_else(|| format!("`{text}` is not one of module, component"))
}

pub(super) fn main(args: &ToolArgs) -> anyhow::Result<u8> {
    let Command::Check(args) = &args.command;
    let config = Settings::collect(&args.common.flags())?.check()?;
    let compiler = app::tool_compiler(&config)?;
    let shown = args.file.display();
    match check_file(&*compiler, &args.file) {
        Ok((code, bytes)) => {
            say(&report(&args.file, &code, bytes))?;
            Ok(0)
        }
        Err(fault) => anyhow::bail!("the file `{shown}` {fault}"),
    }
}

fn report(file: &Path, code: &ToolCode, bytes: u64) -> String {
    let found = &code.found;
    let world = match (code.kind, found.world) {
        (ToolKind::Module, _) => {
            "a program for WASI preview 1: JSON in on standard input, text out"
        }
        (ToolKind::Component, ToolWorld::Command) => {
            "a program for WASI 0.2 (wasi:cli/run): JSON in on standard input, text out"
        }
        (ToolKind::Component, ToolWorld::Typed) => {
            "the function run(input: string) -> result<string, string>: JSON in, JSON out"
        }
    };
    let compiled = match found.compile_us {
        0 => "before; its code is in the cache".to_owned(),
        micros => format!("in {:.2} s", Duration::from_micros(micros).as_secs_f64()),
    };
    let list = |names: &[String]| match names.is_empty() {
        true => "none".to_owned(),
        // What a file says of itself is nobody's word for what follows.
        false => {
            let names: Vec<_> = names
                .iter()
                .map(|name| name.escape_debug().to_string())
                .collect();
            names.join("\n            ")
        }
    };
    let name = name_for(file);
    let needs = needs(found.imports.iter().map(String::as_str));
    format!(
        "kind        {}\nworld       {world}\nsize        {bytes} bytes\nsha256      {}\n\
         compiled    {compiled}\nimports     {}\nexports     {}\nneeds       {needs}\n\n\
         # For a policy; delete what the tool does not need.\n\
         [[tool]]\nname = \"{name}\"\ndescription = \"…\"\nkind = \"{}\"\nfile = \"{}\"\n\
         sha256 = \"{}\"\n{}reason = \"…\"\n[tool.input]\ntype = \"object\"\n",
        code.kind.name(),
        code.sha256,
        list(&found.imports),
        list(&found.exports),
        code.kind.name(),
        file.display().to_string().escape_debug(),
        code.sha256,
        match needs.starts_with("files") {
            true => "mounts = [{ guest = \"/workspace\", access = \"read-only\" }]\n",
            false => "",
        },
    )
}

/// What may have to be granted, by what is imported.
fn needs<'a>(mut imports: impl Iterator<Item = &'a str>) -> &'static str {
    let files =
        |name: &str| name.contains("path_open") || name.starts_with("wasi:filesystem/preopens");
    match imports.any(files) {
        true => "files, perhaps: name the folders it is to see in `mounts`",
        false => "no folder",
    }
}

fn name_for(file: &Path) -> String {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("tool");
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '-' | '_') => letter,
        _ => '-',
    };
    stem.chars().map(plain).collect()
}
