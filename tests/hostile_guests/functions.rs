//! The host functions as the host registers them, read from its source: a new one is tested
//! without being listed here.

use std::fmt::Write;

const REGISTER: &str = include_str!("../../src/cell/wasi/register.rs");

/// A host function: where it is imported from, its parameters, its result.
pub struct Function {
    module: &'static str,
    pub name: String,
    pub parameters: Vec<(String, Type)>,
    result: Option<Type>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Type {
    I32,
    I64,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }
}

const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// Every host function.
pub fn all() -> Vec<Function> {
    let mut functions = Vec::new();
    let mut module = PREVIEW_1;
    for line in REGISTER.lines().map(str::trim) {
        if line.starts_with("fn hotcell(") {
            module = "hotcell";
        }
        let Some((name, rest)) = line
            .strip_suffix(");")
            .and_then(|line| line.split_once("::"))
            .and_then(|(_, call)| call.split_once('('))
        else {
            continue;
        };
        let parameter = |text: &str| {
            let (name, ty) = text.split_once(": ")?;
            let ty = match ty {
                "u32" | "i32" => Type::I32,
                "u64" | "i64" => Type::I64,
                _ => return None,
            };
            Some((name.to_owned(), ty))
        };
        let texts = rest.split(", ").filter(|text| !text.is_empty());
        let Some(parameters) = texts.map(parameter).collect() else {
            continue;
        };
        if name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c == '_' || c == '2')
        {
            functions.push(Function {
                module,
                name: name.to_owned(),
                parameters,
                result: Some(Type::I32),
            });
        }
    }
    functions.push(Function {
        module: PREVIEW_1,
        name: "proc_exit".to_owned(),
        parameters: vec![("code".to_owned(), Type::I32)],
        result: None,
    });
    functions.push(Function {
        module: "hotcell",
        name: "sig_take".to_owned(),
        parameters: Vec::new(),
        result: Some(Type::I64),
    });
    functions
}

/// The import lines of every host function, each under its own name.
pub fn imports(functions: &[Function]) -> String {
    let mut text = String::new();
    for function in functions {
        let parameters: Vec<_> = function
            .parameters
            .iter()
            .map(|(_, ty)| ty.name())
            .collect();
        let result = function
            .result
            .map(|ty| format!(" (result {})", ty.name()))
            .unwrap_or_default();
        writeln!(
            text,
            "(import {:?} {:?} (func ${} (param {}){result}))",
            function.module,
            function.name,
            function.name,
            parameters.join(" ")
        )
        .unwrap();
    }
    text
}
