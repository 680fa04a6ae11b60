//! Hostile files of a log: whatever they hold, reading, joining, verifying and exporting end, and
//! nothing that does not hold is called good.
#![no_main]

use hotcell::audit::checkpoint::notes;
use hotcell::audit::verify::{Anchors, verify};
use hotcell::audit::{Calls, Format, Names, Reader};
use libfuzzer_sys::fuzz_target;

/// The key of a log that the seeds may hold. Nobody has its other half.
const KEY: &str = "hotcell/2d6ab00268178079/serve+48618a17+AUfaxkYU51lPKE42TXk1AWkHk+d9G+hM+H74L+ND1Msh";

fuzz_target!(|input: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let names = Names::new(folder.path(), "t");
    // The first byte says where the input is cut into two files and a file of checkpoints.
    let (Some(&at), rest) = (input.first(), input.get(1..).unwrap_or_default()) else {
        return;
    };
    let (full, rest) = rest.split_at(rest.len() * usize::from(at % 16) / 16);
    let (active, checkpoints) = rest.split_at(rest.len() * usize::from(at / 16) / 16);
    let write = |path, bytes: &[u8]| std::fs::write(path, bytes).is_ok();
    let _written = write(names.public_key(), KEY.as_bytes())
        && write(names.full(0), full)
        && write(names.active(), active)
        && write(names.checkpoints(), checkpoints);
    let Ok(reader) = Reader::open(folder.path(), "t") else {
        return;
    };
    for entry in Calls::of(reader) {
        let Ok(entry) = entry else { break };
        if let Some(call) = entry.call() {
            for format in [Format::Ocsf, Format::Ecs, Format::Cef, Format::Otel] {
                assert!(!format.line("t", &call).contains('\n'));
            }
        }
    }
    let text = String::from_utf8_lossy(checkpoints);
    assert!(notes(&text).concat().len() <= text.len());
    // Only what was signed can be good.
    if let Ok(report) = verify(&names, &Anchors::default()) {
        assert!(report.checkpoints > 0 && report.signed > 0);
    }
});
