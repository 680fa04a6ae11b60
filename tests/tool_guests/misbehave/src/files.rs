//! What it can reach of the file system.

use std::fs;

pub fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {path:?}: {error}"))
}

pub fn write(path: &str, text: &str) -> Result<String, String> {
    fs::write(path, text)
        .map(|()| format!("wrote {} bytes", text.len()))
        .map_err(|error| format!("cannot write {path:?}: {error}"))
}

pub fn list(path: &str) -> Result<String, String> {
    let fault = |error| format!("cannot list {path:?}: {error}");
    let mut names = fs::read_dir(path)
        .map_err(fault)?
        .map(|entry| entry.map(|entry| format!("{}\n", entry.file_name().to_string_lossy())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fault)?;
    names.sort();
    Ok(names.concat())
}

pub fn open_many(path: &str) -> Result<String, String> {
    let mut files = Vec::new();
    loop {
        match fs::File::open(path) {
            Ok(file) => files.push(file),
            Err(error) => return Ok(format!("opened {} times, then: {error}", files.len())),
        }
    }
}
