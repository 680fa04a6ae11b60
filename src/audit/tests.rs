//! The write path over a disk that fails, a program that dies, and files that fill up.

mod faults;
mod together;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::audit::chain::Chain;
use crate::audit::queue::Patience;
use crate::audit::segment::{Identity, Storage};
use crate::audit::*;

/// A small log, with files of a few records.
fn keeping() -> Keeping {
    Keeping {
        segment_bytes: 4096,
        segments_max: 1000,
        reserve_bytes: 64 << 10,
        blank_bytes: 32 << 10,
        ..Keeping::default()
    }
}

pub(super) fn intent(id: &str) -> Intent<'_> {
    Intent {
        request_id: id.into(),
        decision: Verdict::Allow,
        agent: "ann".into(),
        door: "http".into(),
        session: "default".into(),
        tool: "bash".into(),
        request: Asked {
            fields: vec![("command".into(), "echo hi".into())],
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

pub(super) fn outcome(id: &str) -> Finished<'_> {
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

fn open_log(folder: &Path) -> Log {
    open_log_with(folder, keeping())
}

fn open_log_with(folder: &Path, keeping: Keeping) -> Log {
    let clock = Arc::new(Clock::new().unwrap());
    Log::open(Names::new(folder, "t"), keeping, clock).unwrap()
}

/// The events of a log as `event` or `event id`, after following its chain over all files.
fn events(folder: &Path) -> Vec<String> {
    let mut chain: Option<Chain> = None;
    let mut events = Vec::new();
    for stored in Reader::open(folder, "t").unwrap() {
        let stored = stored.unwrap();
        let chain = chain.get_or_insert_with(|| Chain::at_segment(&stored.line).unwrap().0);
        chain.follow(&stored.line).unwrap();
        let (common, record) = stored.record().unwrap();
        let id = match record {
            Record::Intent(intent) => format!(" {}", intent.request_id),
            Record::Outcome(outcome) => format!(" {}", outcome.request_id),
            Record::Interrupted(call) => format!(" {}", call.request_id),
            Record::Log(_) => String::new(),
        };
        events.push(format!("{}{id}", common.event));
    }
    events
}

/// A disk that works, is full, or fails, as a number says.
#[derive(Debug)]
struct Disk {
    file: File,
    fails: Arc<AtomicU8>,
}

const WORKS: u8 = 0;
const FULL: u8 = 1;
const EIO: u8 = 2;
const HALF_WRITES: u8 = 3;
const UNSYNCED: u8 = 4;
const NO_ROOM_TO_RESERVE: u8 = 5;
const HANGS: u8 = 6;
const PANICS: u8 = 7;
const CANNOT_RESERVE: u8 = 8;

impl Disk {
    fn error(&self, number: i32) -> io::Result<()> {
        let _ = self;
        Err(io::Error::from_raw_os_error(number))
    }
}

impl Storage for Disk {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.fails.load(Ordering::SeqCst) {
            FULL => self.error(libc::ENOSPC),
            EIO => self.error(libc::EIO),
            HALF_WRITES => {
                Storage::write_all_at(&self.file, &bytes[..bytes.len() / 2], offset)?;
                self.error(libc::ENOSPC)
            }
            _ => Storage::write_all_at(&self.file, bytes, offset),
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self.fails.load(Ordering::SeqCst) {
            UNSYNCED => self.error(libc::EIO),
            PANICS => panic!("a fault of the writer's own"),
            HANGS => {
                while self.fails.load(Ordering::SeqCst) == HANGS {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        match self.fails.load(Ordering::SeqCst) {
            NO_ROOM_TO_RESERVE => self.error(libc::ENOSPC),
            CANNOT_RESERVE => self.error(libc::EOPNOTSUPP),
            _ => Storage::reserve(&self.file, offset, bytes),
        }
    }

    fn release(&self, length: u64) -> io::Result<()> {
        Storage::release(&self.file, length)
    }

    fn identity(&self) -> io::Result<Identity> {
        self.file.identity()
    }

    fn overwrites(&self) -> bool {
        true
    }
}

fn audit_on_disk(folder: &Path, fails: &Arc<AtomicU8>) -> Audit {
    audit_on_disk_with(folder, fails, Patience::default())
}

fn audit_on_disk_with(folder: &Path, fails: &Arc<AtomicU8>, patience: Patience) -> Audit {
    let one_file = Keeping {
        segment_bytes: 1 << 20,
        ..keeping()
    };
    let mut log = open_log_with(folder, one_file);
    let path = Names::new(folder, "t").active();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let fails = fails.clone();
    log.replace_storage(Box::new(Disk { file, fails }));
    Audit {
        writer: Writer::start_with(log, patience).unwrap(),
        clock: Arc::new(Clock::new().unwrap()),
    }
}

#[tokio::test]
async fn records_are_on_disk_in_order_when_durable_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path(), "t", &keeping()).unwrap();
    audit.intent(&intent("1")).wait().await.unwrap();
    assert_eq!(events(folder.path()), ["segment", "start", "intent 1"]);
    audit.finished(&outcome("1"));
    audit.intent(&intent("2")).wait().await.unwrap();
    assert_eq!(events(folder.path())[3..], ["outcome 1", "intent 2"]);
    audit.finished(&outcome("2"));
    audit.close().await.unwrap();
    assert_eq!(events(folder.path())[5..], ["outcome 2", "stop"]);
    assert!(audit.intent(&intent("3")).wait().await.is_err());
    drop(audit);
    let again = Audit::open(folder.path(), "t", &keeping()).unwrap();
    again.close().await.unwrap();
    assert_eq!(events(folder.path())[6..], ["stop", "start", "stop"]);
}

#[tokio::test]
async fn many_callers_share_syncs_over_many_files_and_all_records_arrive_once() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Arc::new(Audit::open(folder.path(), "t", &keeping()).unwrap());
    for round in 0..4 {
        let calls: Vec<_> = (0..50)
            .map(|number: u32| {
                let (audit, id) = (audit.clone(), (round * 50 + number).to_string());
                tokio::spawn(async move {
                    audit.intent(&intent(&id)).wait().await.unwrap();
                    audit.finished(&outcome(&id));
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }
    audit.close().await.unwrap();
    let mut found = events(folder.path());
    assert!(Names::new(folder.path(), "t").full_files().unwrap().len() > 1);
    found.retain(|event| event.contains(' '));
    found.sort();
    let mut expected: Vec<_> = (0..200)
        .flat_map(|number| [format!("intent {number}"), format!("outcome {number}")])
        .collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_failing_disk_refuses_intents_and_loses_no_outcome() {
    for fault in [FULL, EIO, HALF_WRITES, UNSYNCED] {
        let folder = tempfile::tempdir().unwrap();
        let fails = Arc::new(AtomicU8::new(WORKS));
        let audit = audit_on_disk(folder.path(), &fails);
        audit.intent(&intent("answered")).wait().await.unwrap();
        fails.store(fault, Ordering::SeqCst);
        audit.finished(&outcome("answered"));
        assert!(audit.intent(&intent("unlucky")).wait().await.is_err());
        assert!(!audit.healthy());
        audit.finished(&outcome("unlucky")); // it ran beside its intent; its answer was withheld
        assert!(audit.intent(&intent("refused")).wait().await.is_err());
        fails.store(WORKS, Ordering::SeqCst);
        for _ in 0..100 {
            if audit.healthy() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(audit.healthy(), "the disk is tried again without a call");
        audit.intent(&intent("later")).wait().await.unwrap();
        audit.close().await.unwrap();
        let expected = [
            "segment",
            "start",
            "intent answered",
            "outcome answered",
            "intent unlucky",
            "outcome unlucky",
            "trouble",
            "intent later",
            "stop",
        ];
        assert_eq!(events(folder.path()), expected, "fault {fault}");
        let text = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
        assert!(text.contains("\"refused\":1,\"lost\":0"), "{text}");
    }
}

#[tokio::test]
async fn without_room_to_reserve_calls_are_refused_and_open_ones_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicU8::new(WORKS));
    let audit = audit_on_disk(folder.path(), &fails);
    fails.store(NO_ROOM_TO_RESERVE, Ordering::SeqCst);
    let mut begun = Vec::new();
    for number in 0..1000 {
        let id = number.to_string();
        if audit.intent(&intent(&id)).wait().await.is_err() {
            break;
        }
        begun.push(id);
    }
    assert!(!audit.healthy());
    assert!((2..1000).contains(&begun.len()), "{} calls", begun.len());
    for id in &begun {
        audit.finished(&outcome(id));
    }
    audit.close().await.unwrap();
    let events = events(folder.path());
    let closed = events
        .iter()
        .filter(|event| event.starts_with("outcome"))
        .count();
    assert_eq!(closed, begun.len());
}

#[tokio::test]
async fn a_log_that_someone_removes_or_replaces_fails_loudly() {
    for replaced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::open(folder.path(), "t", &keeping()).unwrap();
        audit.intent(&intent("1")).wait().await.unwrap();
        let path = folder.path().join("t.jsonl");
        let content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if replaced {
            fs::write(&path, content).unwrap();
        }
        assert!(audit.intent(&intent("2")).wait().await.is_err());
        assert!(!audit.healthy());
    }
}

/// A file's bytes without the blank behind them.
fn records(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes[..end.map_or(0, |at| at + 1)].to_vec()
}

/// Leaves a log as a program does that is killed.
fn die(mut log: Log) {
    log.commit().unwrap();
    drop(log);
}

#[test]
fn a_crash_leaves_interrupted_calls_and_its_torn_end_is_cut_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open_log(folder.path());
    log.add("intent", &intent("done"));
    log.add("outcome", &outcome("done"));
    log.add("intent", &intent("under way"));
    die(log);
    let path = folder.path().join("t.jsonl");
    let end = records(&path).len() as u64;
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    Storage::write_all_at(&file, b"{\"seq\":5,\"prev\":\"half a rec", end).unwrap();
    die(open_log(folder.path()));
    let expected = ["torn", "start", "interrupted under way"];
    assert_eq!(events(folder.path())[5..], expected);
    let torn = Names::new(folder.path(), "t").torn(5, 0);
    assert_eq!(fs::read(torn).unwrap(), b"{\"seq\":5,\"prev\":\"half a rec");
    die(open_log(folder.path()));
    assert_eq!(
        events(folder.path())[8..],
        ["start"],
        "interrupted only once"
    );
}

#[test]
fn a_call_that_was_open_over_a_full_file_is_interrupted_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open_log(folder.path());
    log.add("intent", &intent("long"));
    for number in 0..20 {
        log.add("intent", &intent(&number.to_string()));
        log.add("outcome", &outcome(&number.to_string()));
        log.commit().unwrap();
    }
    die(log);
    assert!(Names::new(folder.path(), "t").full_files().unwrap().len() > 2);
    die(open_log(folder.path()));
    assert_eq!(events(folder.path()).last().unwrap(), "interrupted long");
}

#[test]
fn a_crash_between_two_files_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    let mut log = open_log(folder.path());
    log.add("intent", &intent("a"));
    die(log);
    fs::rename(names.active(), names.full(0)).unwrap();
    die(open_log(folder.path()));
    let expected = [
        "segment",
        "start",
        "intent a",
        "segment",
        "start",
        "interrupted a",
    ];
    assert_eq!(events(folder.path()), expected);
    // And where not even the new file's first record is whole.
    fs::rename(names.active(), names.full(3)).unwrap();
    fs::write(names.active(), b"{\"seq\":6,\"pr").unwrap();
    die(open_log(folder.path()));
    assert_eq!(events(folder.path())[6..], ["segment", "torn", "start"]);
    die(open_log(folder.path()));
    assert_eq!(events(folder.path())[9..], ["start"]);
}

#[test]
fn a_log_that_is_not_what_was_signed_is_not_continued() {
    let check = |change: &dyn Fn(&Names), part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        let mut log = open_log(folder.path());
        log.add("intent", &intent("a"));
        log.add("outcome", &outcome("a"));
        assert!(log.close().is_ok());
        drop(log);
        change(&names);
        let clock = Arc::new(Clock::new().unwrap());
        let error = Log::open(names, keeping(), clock).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let edit = |names: &Names, edit: &dyn Fn(String) -> String| {
        let text = fs::read_to_string(names.active()).unwrap();
        fs::write(names.active(), edit(text)).unwrap();
    };
    check(
        &|names| fs::remove_file(names.active()).unwrap(),
        "ends with 0 records",
    );
    check(
        &|names| {
            edit(names, &|text| {
                let text = text.replace("echo hi", "echo ho");
                text.lines().take(4).map(|l| format!("{l}\n")).collect()
            });
        },
        "changed at record 3",
    );
    check(
        &|names| {
            edit(names, &|text| {
                text.lines().take(3).map(|l| format!("{l}\n")).collect()
            })
        },
        "changed at record 3",
    );
    let forged = |names: &Names| {
        let text = fs::read_to_string(names.checkpoints()).unwrap();
        let text = text.replace("\n4\n", "\n3\n").replace("\n5\n", "\n6\n");
        fs::write(names.checkpoints(), text).unwrap();
    };
    check(&forged, "no checkpoint of this log's key");
}

#[test]
fn a_torn_checkpoint_is_cut_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    die(open_log(folder.path()));
    let text = fs::read_to_string(names.checkpoints()).unwrap();
    fs::write(names.checkpoints(), format!("{text}hotcell/t")).unwrap();
    let mut log = open_log(folder.path());
    assert!(log.close().is_ok());
    let report = verify::verify(&names, &verify::Anchors::default()).unwrap();
    assert_eq!((report.next, report.signed), (4, 4));
}

#[test]
fn one_log_has_one_writer_and_programs_side_by_side_get_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let first = Audit::open_free(folder.path(), "t", &keeping()).unwrap();
    let second = Audit::open_free(folder.path(), "t", &keeping()).unwrap();
    assert!(matches!(
        Audit::open(folder.path(), "t", &keeping()),
        Err(AuditError::InUse { .. })
    ));
    drop((first, second));
    let _again = Audit::open_free(folder.path(), "t", &keeping()).unwrap();
    assert_eq!(Names::logs(folder.path()).unwrap(), ["t", "t-2"]);
}

#[test]
fn old_files_are_deleted_and_their_heads_stay() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    let few = Keeping {
        segments_max: 2,
        ..keeping()
    };
    let clock = Arc::new(Clock::new().unwrap());
    let mut log = Log::open(names.clone(), few, clock).unwrap();
    for number in 0..40 {
        log.add("intent", &intent(&number.to_string()));
        log.commit().unwrap();
    }
    assert!(log.close().is_ok());
    let full = names.full_files().unwrap();
    assert_eq!(full.len(), 2);
    let heads = fs::read_to_string(names.heads()).unwrap();
    let notes = checkpoint::notes(&heads);
    assert!(notes.len() > 4);
    let events = events(folder.path());
    assert!(events.iter().any(|event| event == "retired"));
    assert!(full[0].0 > 0);
    let report = verify::verify(&names, &verify::Anchors::default()).unwrap();
    assert_eq!(report.first, full[0].0);
}
