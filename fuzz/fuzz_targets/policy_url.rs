//! Any text as a URL: what is read is a plain name, a port and a path, and stands in the text.
#![no_main]

use hotcell::policy::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(target) = Target::read(text) else {
        return;
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    assert!(target.host.bytes().all(plain), "{target:?}");
    assert!(target.host.parse::<std::net::IpAddr>().is_err(), "{target:?}");
    let after_scheme = &text["https://".len()..];
    assert!(after_scheme.to_ascii_lowercase().starts_with(&target.host), "{target:?}");
    assert!(target.port > 0 && target.path.starts_with('/') && !target.path.contains("/../"));
    // Another reader sees the same place.
    let again = format!("https://{}:{}{}", target.host, target.port, target.path);
    assert_eq!(Target::read(&again), Ok(target));
});
