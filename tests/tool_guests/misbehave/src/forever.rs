//! What does not end by itself.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
};

pub fn turn() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Frames stay on the host's stack: there is nothing to keep in linear memory. The rotation keeps the
/// compiler from making a loop of it.
#[inline(never)]
pub fn recurse(depth: u64) -> u64 {
    if depth == 0 {
        return 1;
    }
    recurse(depth.wrapping_add(1)).rotate_left(7) ^ depth
}

/// Goes on after errors, as long as the host lets it.
pub fn flood(mut stream: impl Write) -> ! {
    let line = [b"flood ".repeat(1000), b"\n".to_vec()].concat();
    loop {
        let _ = stream.write_all(&line);
    }
}

/// A JSON string of as much as the memory holds, or half of what 32 bits can address.
pub fn answer() -> String {
    let mut text = String::from("\"");
    while text.len() < (1 << 31) - (1 << 21) && text.try_reserve(1 << 20).is_ok() {
        // One byte stays for the quote at the end.
        let free = text.capacity() - text.len() - 1;
        text.extend(std::iter::repeat_n('x', free));
    }
    text.push('"');
    text
}

pub fn reread(path: &str) -> Result<String, String> {
    let mut file = File::open(path).map_err(|error| format!("cannot open {path:?}: {error}"))?;
    let mut buffer = [0; 4096];
    loop {
        file.rewind()
            .and_then(|()| file.read(&mut buffer))
            .map_err(|error| format!("cannot read {path:?}: {error}"))?;
    }
}

pub fn read_standard_input() -> ! {
    let mut buffer = [0; 4096];
    loop {
        let _ = io::stdin().lock().read(&mut buffer);
    }
}
