//! `shasum [-a ALGORITHM] [OPTION]... [FILE]...`: the `shaNsum` program of its algorithm.

use std::{
    ffi::{OsStr, OsString},
    os::wasi::ffi::{OsStrExt, OsStringExt},
};

use crate::uutils;

const ALGORITHMS: [&str; 5] = ["1", "224", "256", "384", "512"];

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let (mut algorithm, mut others) = (b"1".to_vec(), Vec::new());
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        let glued = bytes
            .strip_prefix(b"--algorithm=")
            .or_else(|| bytes.strip_prefix(b"-a").filter(|glued| !glued.is_empty()));
        if let Some(glued) = glued {
            algorithm = glued.to_vec();
        } else if matches!(bytes, b"-a" | b"--algorithm") {
            algorithm = rest.next().unwrap_or_default().into_vec();
        } else {
            others.push(argument);
        }
    }
    let Some(algorithm) = ALGORITHMS
        .iter()
        .find(|known| known.as_bytes() == algorithm)
    else {
        eprintln!(
            "{name}: Unrecognized algorithm {}; known are: {}\nType {name} -h for help",
            OsStr::from_bytes(&algorithm).display(),
            ALGORITHMS.join(" ")
        );
        return 1;
    };
    let program = format!("sha{algorithm}sum");
    let all = std::iter::once(OsString::from(&program)).chain(others);
    uutils::run(&program, all).unwrap_or(1)
}
