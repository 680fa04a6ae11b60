//! AUD-01: every way to tamper with a log of 10,000 records is found, and the first bad record is
//! named. Without `HOTCELL_FULL=1` a sample of the records is tampered with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use hotcell::audit::proof::{self, Proven};
use hotcell::audit::verify::{self, Anchors, Fault};
use hotcell::audit::{
    Asked, Audit, Finished, Intent, Keeping, Names, PolicyInForce, Verdict, Verifier,
};

/// Records of the log under attack, at least.
const RECORDS: u64 = 10_000;
/// Records tampered with in each way when not all are.
const SAMPLE: u64 = 12;

fn intent(id: &str) -> Intent<'_> {
    Intent {
        request_id: id.into(),
        decision: Verdict::Allow,
        agent: "ann".into(),
        door: "http".into(),
        session: "default".into(),
        tool: "bash".into(),
        request: Asked {
            fields: vec![("command".into(), format!("echo {id}").into())],
            ..Asked::default()
        },
        request_sha256: "00".repeat(32),
        rule: "tool".into(),
        line: 4,
        reason: None,
        policy: PolicyInForce {
            name: "default".into(),
            version: 1,
            sha256: "11".repeat(32).into(),
        },
        lane: "wasm".into(),
        confinement: "none".into(),
        limits: None,
        idempotency_sha256: None,
    }
}

fn outcome(id: &str) -> Finished<'_> {
    Finished {
        request_id: id.into(),
        exit_code: Some(0),
        stopped_by: None,
        error: None,
        duration_us: 5,
        usage: None,
        stdout_bytes: 3,
        stderr_bytes: 0,
        changed: Vec::new(),
        changed_more: false,
        denied: Vec::new(),
    }
}

/// Writes a closed log with at least so many records, in several files.
fn write_log(folder: &Path, records: u64) {
    let keeping = Keeping {
        segment_bytes: 1 << 20,
        reserve_bytes: 1 << 20,
        ..Keeping::default()
    };
    let audit = Audit::open(folder, "t", &keeping).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut number = 0;
        while number < records / 2 {
            let mut waiting = Vec::new();
            for _ in 0..100 {
                let id = format!("call-{number}");
                waiting.push(audit.intent(&intent(&id)));
                audit.finished(&outcome(&id));
                number += 1;
            }
            for mut durable in waiting {
                durable.wait().await.unwrap();
            }
        }
        audit.close().await.unwrap();
    });
}

/// A log in memory, to be written tampered with, and the place where it is checked.
struct Attacked {
    place: tempfile::TempDir,
    /// The files as lines, oldest first.
    files: Vec<(PathBuf, Vec<Vec<u8>>)>,
    anchors: Anchors,
}

impl Attacked {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        write_log(place.path(), RECORDS);
        let names = Names::new(place.path(), "t");
        let full = names
            .full_files()
            .unwrap()
            .into_iter()
            .map(|(_, path)| path);
        let paths: Vec<_> = full.chain([names.active()]).collect();
        assert!(paths.len() > 2);
        let lines = |path: &PathBuf| {
            let text = fs::read(path).unwrap();
            text.split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect()
        };
        let files = paths
            .iter()
            .map(|path| (path.clone(), lines(path)))
            .collect();
        let key = Some(Verifier::read(&names.public_key()).unwrap());
        let anchors = Anchors {
            key,
            checkpoints: Vec::new(),
        };
        Self {
            place,
            files,
            anchors,
        }
    }

    fn names(&self) -> Names {
        Names::new(self.place.path(), "t")
    }

    fn records(&self) -> usize {
        self.files.iter().map(|(_, lines)| lines.len()).sum()
    }

    /// Which file holds a record, and where.
    fn find(&self, record: usize) -> (usize, usize) {
        let mut before = 0;
        for (index, (_, lines)) in self.files.iter().enumerate() {
            if record < before + lines.len() {
                return (index, record - before);
            }
            before += lines.len();
        }
        panic!("no record {record}");
    }

    fn write(&self, file: usize, lines: &[Vec<u8>]) {
        fs::write(&self.files[file].0, lines.concat()).unwrap();
    }

    fn restore(&self, file: usize) {
        self.write(file, &self.files[file].1);
    }

    fn verdict(&self) -> Result<(), Fault> {
        verify::verify(&self.names(), &self.anchors).map(|_| ())
    }

    /// Tampers with the lines of a record's file; the first bad record must be `named`.
    #[track_caller]
    fn detected(&self, record: usize, named: &[usize], change: impl Fn(&mut Vec<Vec<u8>>, usize)) {
        let (file, at) = self.find(record);
        let mut lines = self.files[file].1.clone();
        change(&mut lines, at);
        self.write(file, &lines);
        match self.verdict() {
            Err(Fault::Record { seq, .. } | Fault::Gap { seq, .. }) => {
                let seq = usize::try_from(seq).unwrap();
                assert!(named.contains(&seq), "record {record}: named {seq}");
            }
            other => panic!("record {record}: {other:?}"),
        }
        self.restore(file);
    }

    fn sample(&self) -> Vec<usize> {
        let records = self.records();
        if std::env::var_os("HOTCELL_FULL").is_some() {
            return (0..records).collect();
        }
        let step = records / usize::try_from(SAMPLE).unwrap();
        let mut sample: Vec<_> = (0..records).step_by(step).collect();
        // The ends of the log and of its files are where a check forgets something.
        let mut before = 0;
        for (_, lines) in &self.files {
            let end = before + lines.len();
            sample.extend([before, before + 1, end - 1, end.saturating_sub(2)]);
            before += lines.len();
        }
        sample.sort_unstable();
        sample.dedup();
        sample
    }
}

#[test]
fn every_changed_record_is_found_and_named() {
    let log = Attacked::new();
    log.verdict().unwrap();
    let last = log.records() - 1;
    for record in log.sample() {
        // A changed byte at a place that moves through the line. The record whose link no longer
        // fits may be named where nothing tells which of the two was changed.
        log.detected(record, &[record], |lines, at| {
            let line = &mut lines[at];
            let place = (record * 7919) % (line.len() - 1);
            line[place] ^= 1;
        });
        log.detected(record, &[record], |lines, at| lines[at][10] ^= 4);
        // A zero byte ends a file's records, so what is behind it is missing.
        log.detected(record, &[record], |lines, at| {
            let place = (record * 104_729) % lines[at].len();
            lines[at][place] = 0;
        });
        // Swapped with the next one of its file, repeated, or with a changed copy before it: of two
        // records with one number either may be named.
        let (file, at) = log.find(record);
        if at + 1 < log.files[file].1.len() {
            log.detected(record, &[record], |lines, at| lines.swap(at, at + 1));
            log.detected(record, &[record + 1], |lines, at| {
                lines.insert(at, lines[at].clone())
            });
            log.detected(record, &[record, record + 1], |lines, at| {
                let text = String::from_utf8(lines[at].clone()).unwrap();
                lines.insert(at, text.replace("\"boot\":\"", "\"boot\":\"x").into_bytes());
            });
        }
        log.detected(record, &[record, record + 1], |lines, at| {
            lines.remove(at);
        });
        // Cut off from here on; the file before it may be the last one then.
        log.detected(record, &[record, record + 1], |lines, at| {
            lines.truncate(at)
        });
        if record < last {
            log.detected(record, &[record], |lines, at| {
                let half = lines[at].len() / 2;
                lines[at].truncate(half);
            });
        }
    }
    log.verdict().unwrap();
}

#[test]
fn files_that_are_repeated_missing_or_of_another_log_are_found() {
    let log = Attacked::new();
    let other = Attacked::new();
    let first_of = |file: usize| -> usize { log.files[..file].iter().map(|(_, l)| l.len()).sum() };
    let found = |named: usize| match log.verdict() {
        Err(Fault::Record { seq, .. }) => assert_eq!(usize::try_from(seq).unwrap(), named),
        other => panic!("{other:?}"),
    };
    // A file twice, under the number that comes next.
    let names = log.names();
    let twice = names.full(log.records() as u64 + 7);
    fs::copy(&log.files[0].0, &twice).unwrap();
    assert!(log.verdict().is_err());
    fs::remove_file(twice).unwrap();
    // A file in the middle is gone; so is the first.
    fs::remove_file(&log.files[1].0).unwrap();
    found(first_of(1));
    log.restore(1);
    fs::remove_file(&log.files[0].0).unwrap();
    found(0);
    log.restore(0);
    // Spliced with a log of the same shape.
    fs::write(&log.files[1].0, other.files[1].1.concat()).unwrap();
    found(first_of(1));
    log.restore(1);
    // A whole other log, with its own key beside it, against the key that was kept.
    for (own, others) in log.files.iter().zip(&other.files) {
        fs::write(&own.0, others.1.concat()).unwrap();
    }
    assert!(log.verdict().is_err());
    for file in 0..log.files.len() {
        log.restore(file);
    }
    log.verdict().unwrap();
    let theirs = Anchors {
        key: Some(Verifier::read(&other.names().public_key()).unwrap()),
        checkpoints: Vec::new(),
    };
    assert!(matches!(
        verify::verify(&names, &theirs),
        Err(Fault::Checkpoint { .. })
    ));
}

#[test]
fn old_missing_or_forged_checkpoints_are_found() {
    let log = Attacked::new();
    let names = log.names();
    let text = fs::read_to_string(names.checkpoints()).unwrap();
    let notes = hotcell::audit::checkpoint::notes(&text);
    assert!(notes.len() > 1);
    // An old checkpoint put back over the newest.
    fs::write(names.checkpoints(), format!("{}\n", notes[0])).unwrap();
    assert!(matches!(log.verdict(), Err(Fault::Record { .. })));
    // The size of a checkpoint changed, and its signature with another byte.
    fs::write(names.checkpoints(), text.replacen('1', "2", 1)).unwrap();
    assert!(matches!(log.verdict(), Err(Fault::Checkpoint { .. })));
    // Rewritten behind the first file, and every later checkpoint dropped.
    fs::write(names.heads(), "").unwrap();
    let full = names.full_files().unwrap();
    let first = fs::read_to_string(names.full_checkpoints(0)).unwrap();
    fs::write(names.checkpoints(), first).unwrap();
    let kept: Vec<_> = full
        .iter()
        .skip(1)
        .map(|(first, _)| {
            let path = names.full_checkpoints(*first);
            let text = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            (path, text)
        })
        .collect();
    match log.verdict() {
        Err(Fault::Record { what, .. }) => assert!(what.contains("may be rewritten"), "{what}"),
        other => panic!("{other:?}"),
    }
    for (path, text) in kept {
        fs::write(path, text).unwrap();
    }
    for path in [names.checkpoints(), names.heads()] {
        fs::write(path, "").unwrap();
    }
    for (first, _) in names.full_files().unwrap() {
        fs::remove_file(names.full_checkpoints(first)).unwrap();
    }
    assert!(
        matches!(log.verdict(), Err(Fault::Record { .. })),
        "without any checkpoint"
    );
}

/// Someone who owns the key's folder may cut the log and its checkpoints together. Only what was
/// kept elsewhere tells.
#[test]
fn a_log_cut_with_its_checkpoints_is_found_with_one_kept_elsewhere() {
    let log = Attacked::new();
    let names = log.names();
    let kept = log.place.path().join("kept.txt");
    let text = fs::read_to_string(names.checkpoints()).unwrap();
    let notes = hotcell::audit::checkpoint::notes(&text);
    fs::write(&kept, notes.last().unwrap()).unwrap();
    let key = log.anchors.key.clone().unwrap();
    let old = key.check(&notes[0]).unwrap();
    let last = log.files.len() - 1;
    let first: usize = log.files[..last].iter().map(|(_, lines)| lines.len()).sum();
    let left = usize::try_from(old.size).unwrap() - first;
    log.write(last, &log.files[last].1[..left]);
    fs::write(names.checkpoints(), format!("{}\n", notes[0])).unwrap();
    log.verdict().unwrap(); // the limit of what the log itself can tell
    let anchors = Anchors {
        key: Some(key),
        checkpoints: vec![kept],
    };
    match verify::verify(&names, &anchors) {
        Err(Fault::Record { seq, what, .. }) => {
            assert_eq!(seq, old.size);
            assert!(what.contains("missing"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

/// A rewriter who has no key can link all records anew, and the tree then is another one.
#[test]
fn a_log_that_was_linked_anew_is_not_what_was_signed() {
    use sha2::Digest as _;
    let log = Attacked::new();
    let last = log.files.len() - 1;
    let mut lines = log.files[last].1.clone();
    let named = |line: &Vec<u8>| line.windows(5).any(|text| text == b"\"ann\"");
    let changed = lines.iter().position(named).unwrap();
    let text = String::from_utf8(lines[changed].clone()).unwrap();
    lines[changed] = text.replace("\"ann\"", "\"eve\"").into_bytes();
    for at in changed + 1..lines.len() {
        let hash = sha2::Sha256::digest(&lines[at - 1][..lines[at - 1].len() - 1]);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = String::from_utf8(lines[at].clone()).unwrap();
        let from = text.find("\"prev\":\"").unwrap() + 8;
        lines[at] = [&text[..from], &hex, &text[from + 64..]]
            .concat()
            .into_bytes();
    }
    log.write(last, &lines);
    match log.verdict() {
        Err(Fault::Record { what, .. }) => assert!(what.contains("rewritten"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn proofs_from_a_log_over_several_files_hold_for_someone_without_it() {
    let log = Attacked::new();
    let names = log.names();
    let key = log.anchors.key.clone().unwrap();
    let mut signed = verify::checkpoints(&names, &log.anchors, &key).unwrap();
    let newest = signed.pop().unwrap();
    for record in log.sample() {
        let seq = record as u64;
        let ranges = proof::inclusion_ranges(seq, newest.size);
        let (_, hashes) = verify::collect(&names, &log.anchors, ranges).unwrap();
        let (file, at) = log.find(record);
        let line = &log.files[file].1[at];
        let line = &line[..line.len() - 1];
        let text = proof::inclusion_text(seq, line, &hashes.unwrap(), &newest);
        match proof::check(&text, &key) {
            Ok(Proven::Included {
                index, line: read, ..
            }) => {
                assert_eq!((index, read.as_slice()), (seq, line));
            }
            other => panic!("{other:?}"),
        }
    }
    for old in &signed {
        let ranges = proof::consistency_ranges(old.size, newest.size);
        let (_, hashes) = verify::collect(&names, &log.anchors, ranges).unwrap();
        let text = proof::consistency_text(&hashes.unwrap(), old, &newest);
        assert!(matches!(proof::check(&text, &key), Ok(Proven::Grew { .. })));
    }
}

/// What the program says on the command line, for a copy of a log.
#[test]
fn the_commands_read_a_copy_and_tell_good_from_bad_by_their_exit_code() {
    let place = tempfile::tempdir().unwrap();
    write_log(place.path(), 200);
    let run = |words: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hotcell"))
            .args(["audit", "--folder"])
            .arg(place.path())
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = run(&["verify"]);
    assert!(
        code == 0 && text.starts_with("t: good: 203 records"),
        "{text}"
    );
    let (code, text) = run(&["show", "--request", "call-7"]);
    assert_eq!((code, text.lines().count()), (0, 1), "{text}");
    assert!(text.contains("ann/default  bash  exit 0") && text.ends_with("echo call-7\n"));
    let (_, text) = run(&["show", "--json", "--request", "call-7"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(run(&["show", "--decision", "deny"]), (0, String::new()));
    let (_, text) = run(&["tail", "--log", "t", "-n", "3"]);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.lines().last().unwrap().contains("#202  stop"),
        "{text}"
    );
    for format in ["ocsf", "ecs", "cef", "otel"] {
        let (code, text) = run(&["export", "--format", format]);
        assert_eq!((code, text.lines().count()), (0, 100), "{format}");
    }
    let (_, old) = run(&["checkpoint", "--log", "t"]);
    let kept = place.path().join("kept");
    fs::write(&kept, &old).unwrap();
    let (code, proof) = run(&["prove", "--log", "t", "--record", "5"]);
    assert_eq!(code, 0);
    let file = place.path().join("proof");
    fs::write(&file, &proof).unwrap();
    let check = ["prove", "--log", "t", "--check", file.to_str().unwrap()];
    assert_eq!(run(&check).0, 0);
    fs::write(&file, proof.replacen("index 5", "index 6", 1)).unwrap();
    assert_eq!(run(&check).0, 1);
    let names = Names::new(place.path(), "t");
    let text = fs::read_to_string(names.active()).unwrap();
    fs::write(names.active(), text.replace("echo call-7", "echo call-8")).unwrap();
    let (code, text) = run(&[
        "verify",
        "--log",
        "t",
        "--checkpoint",
        kept.to_str().unwrap(),
    ]);
    assert!(code == 1 && text.starts_with("t: BAD: record"), "{text}");
    assert_eq!(run(&["verify", "--log", "absent"]).0, 1);
}
