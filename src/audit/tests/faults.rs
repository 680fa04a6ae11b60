//! Logs that someone forged or cut, disks that hang, and what a crash leaves in between.

use super::*;
use crate::audit::verify::{Anchors, Fault, Report, verify};

const FEW: usize = 2;

fn verdict(names: &Names) -> Result<Report, Fault> {
    verify(names, &Anchors::default())
}

fn refused(names: &Names) -> String {
    let clock = Arc::new(Clock::new().unwrap());
    let opened = Log::open(names.clone(), keeping(), clock);
    opened.unwrap_err().to_string()
}

fn write_calls(log: &mut Log, calls: u32) {
    for number in 0..calls {
        log.add("intent", &intent(&number.to_string()));
        log.add("outcome", &outcome(&number.to_string()));
        log.commit().unwrap();
    }
}

fn few_kept() -> Keeping {
    Keeping {
        segments_max: FEW,
        ..keeping()
    }
}

#[test]
fn a_history_that_begins_behind_the_last_checkpoint_is_not_continued() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = Names::new(own.path(), "t");
    let others = Names::new(other.path(), "t");
    let mut log = open_log(own.path());
    write_calls(&mut log, 20);
    die(log);
    fs::copy(names.key(), others.key()).unwrap();
    let mut longer = open_log(other.path());
    write_calls(&mut longer, 80);
    die(longer);
    fs::copy(others.active(), names.active()).unwrap();
    assert!(refused(&names).contains("its last checkpoint signed"));
    // Without any checkpoint nothing could be compared either.
    fs::remove_file(names.checkpoints()).unwrap();
    fs::remove_file(names.heads()).unwrap();
    assert!(refused(&names).contains("its last checkpoint signed 0"));
    fs::remove_file(names.active()).unwrap();
    assert!(refused(&names).contains("its last checkpoint signed 0"));
}

#[tokio::test]
async fn a_log_that_someone_cuts_in_place_fails_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path(), "t", &keeping()).unwrap();
    audit.intent(&intent("1")).wait().await.unwrap();
    let path = folder.path().join("t.jsonl");
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(10).unwrap();
    assert!(audit.intent(&intent("2")).wait().await.is_err());
    assert!(!audit.healthy());
}

#[test]
fn two_lines_that_became_one_are_a_torn_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open_log(folder.path());
    log.add("intent", &intent("a"));
    die(log);
    let mut chain: Option<Chain> = None;
    for stored in Reader::open(folder.path(), "t").unwrap() {
        let line = stored.unwrap().line;
        let chain = chain.get_or_insert_with(|| Chain::at_segment(&line).unwrap().0);
        chain.follow(&line).unwrap();
    }
    let path = folder.path().join("t.jsonl");
    let mut bytes = records(&path);
    let body = b"\"time\":\"t\",\"event\":\"intent\",\"requestId\":\"half{\"seq\":4";
    chain.unwrap().append(&mut bytes, body);
    fs::write(&path, bytes).unwrap();
    // What was kept of an earlier end is not overwritten.
    let names = Names::new(folder.path(), "t");
    fs::write(names.torn(3, 0), "kept").unwrap();
    die(open_log(folder.path()));
    let expected = ["torn", "start", "interrupted a"];
    assert_eq!(events(folder.path())[3..], expected);
    assert_eq!(fs::read(names.torn(3, 0)).unwrap(), b"kept");
    assert!(
        fs::read(names.torn(3, 1))
            .unwrap()
            .starts_with(b"{\"seq\":3")
    );
    verdict(&names).unwrap();
}

#[test]
fn files_past_the_rule_are_deleted_at_start_too_and_the_log_holds() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    let mut log = open_log(folder.path());
    write_calls(&mut log, 40);
    die(log);
    let early = fs::read_to_string(names.heads()).unwrap();
    let early = checkpoint::notes(&early).remove(0);
    assert!(names.full_files().unwrap().len() > FEW);
    die(open_log_with(folder.path(), few_kept()));
    let full = names.full_files().unwrap();
    assert_eq!(full.len(), FEW);
    assert_eq!(verdict(&names).unwrap().first, full[0].0);
    // A checkpoint kept elsewhere that is older than what is left says nothing.
    let kept = folder.path().join("kept");
    fs::write(&kept, early).unwrap();
    let anchors = Anchors {
        key: None,
        checkpoints: vec![kept],
    };
    let fault = verify(&names, &anchors).unwrap_err().to_string();
    assert!(fault.contains("give a newer one"), "{fault}");
    // One more file gone than the record says.
    fs::remove_file(&full[0].1).unwrap();
    match verdict(&names) {
        Err(Fault::Record { seq, what, .. }) => {
            assert_eq!(seq, full[0].0);
            assert!(what.contains("no signed record says"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_no_file_can_be_begun_checkpoints_do_not_pile_up() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    fs::create_dir(names.next()).unwrap();
    let mut log = open_log(folder.path());
    write_calls(&mut log, 40);
    assert!(names.full_files().unwrap().is_empty());
    let text = fs::read_to_string(names.checkpoints()).unwrap();
    assert_eq!(checkpoint::notes(&text).len(), 1, "the first commit's");
    assert!(!names.heads().exists());
    fs::remove_dir(names.next()).unwrap();
    assert!(log.close().is_ok());
    verdict(&names).unwrap();
}

#[test]
fn zeros_written_ahead_are_no_records_and_go_when_the_log_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    let path = names.active();
    let sizes = || {
        (
            fs::metadata(&path).unwrap().len(),
            records(&path).len() as u64,
        )
    };
    let mut follower = Follower::new(names.clone());
    let mut follow = || {
        let mut seen = 0;
        follower.more(|_| seen += 1).unwrap();
        seen
    };
    let fails = Arc::new(AtomicU8::new(WORKS));
    let mut log = open_log(folder.path());
    let file = File::options().write(true).open(&path).unwrap();
    log.replace_storage(Box::new(Disk { file, fails }));
    log.add("intent", &intent("a"));
    log.commit().unwrap();
    let (ahead, first) = sizes();
    assert!(ahead > first + 10_000, "no blank: {ahead} {first}");
    assert_eq!(follow(), 3);
    log.add("outcome", &outcome("a"));
    log.commit().unwrap();
    let (same, second) = sizes();
    assert!(second > first, "{first} {second}");
    assert_eq!(same, ahead, "the record went where zeros were");
    assert_eq!(follow(), 1);
    assert_eq!(events(folder.path()).len(), 4);
    assert_eq!(verdict(&names).unwrap().unended, 0);
    // A crash leaves them: nothing is torn by that.
    die(log);
    let mut log = open_log(folder.path());
    log.commit().unwrap();
    assert_eq!(events(folder.path())[4..], ["start"]);
    log.close().unwrap();
    let (closed, records) = sizes();
    assert_eq!(closed, records);
    let report = verdict(&names).unwrap();
    assert!(report.closed && report.unended == 0);
}

#[test]
fn what_a_crash_wrote_only_the_later_part_of_is_a_torn_end() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    die(open_log(folder.path()));
    let end = records(&names.active()).len() as u64;
    let file = File::options().write(true).open(names.active()).unwrap();
    Storage::write_all_at(&file, b"later\n", end + 5000).unwrap();
    let fault = verdict(&names).unwrap_err();
    assert!(matches!(fault, Fault::Gap { seq: 2, .. }), "{fault}");
    die(open_log(folder.path()));
    assert_eq!(events(folder.path())[2..], ["torn", "start"]);
    let torn = fs::read(names.torn(2, 0)).unwrap();
    assert!(torn.len() == 5006 && torn.ends_with(b"\0later\n"));
    verdict(&names).unwrap();
}

#[test]
fn no_zeros_are_written_where_no_room_is_reserved() {
    for why in [NO_ROOM_TO_RESERVE, CANNOT_RESERVE] {
        let folder = tempfile::tempdir().unwrap();
        let fails = Arc::new(AtomicU8::new(why));
        let names = Names::new(folder.path(), "t");
        let mut log = open_log(folder.path());
        let file = File::options().write(true).open(names.active()).unwrap();
        log.replace_storage(Box::new(Disk { file, fails }));
        log.commit().unwrap();
        let bytes = fs::metadata(names.active()).unwrap().len();
        assert_eq!(bytes, records(&names.active()).len() as u64, "{why}");
    }
}

#[test]
fn a_zero_byte_in_a_record_that_is_not_signed_yet_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    let mut log = open_log(folder.path());
    log.commit().unwrap();
    log.add("intent", &intent("a"));
    log.add("outcome", &outcome("a"));
    die(log);
    assert!(verdict(&names).unwrap().signed < 4);
    let mut bytes = fs::read(names.active()).unwrap();
    let third = bytes.split_inclusive(|byte| *byte == b'\n').take(2);
    let at: usize = third.map(<[u8]>::len).sum();
    bytes[at + 9] = 0;
    fs::write(names.active(), bytes).unwrap();
    let fault = verdict(&names).unwrap_err();
    assert!(matches!(fault, Fault::Gap { seq: 2, .. }), "{fault}");
}

#[test]
fn zeros_without_end_are_not_read_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    die(open_log(folder.path()));
    let file = File::options().write(true).open(names.active()).unwrap();
    file.set_len(8 << 40).unwrap();
    assert!(
        verdict(&names)
            .unwrap_err()
            .to_string()
            .contains("longer than")
    );
    assert!(refused(&names).contains("cannot read"));
    assert!(
        Reader::open(folder.path(), "t")
            .unwrap()
            .last()
            .unwrap()
            .is_err()
    );
    let since = crate::audit::recent::Since::now(Duration::from_secs(900));
    assert!(crate::audit::recent::begun_keys(&names, &since, 9).is_err());
}

const IMPATIENT: Patience = Patience {
    stalled_after: Duration::from_millis(300),
    close_max: Duration::from_millis(300),
    calls_at_once: 1,
};

#[tokio::test]
async fn a_disk_that_hangs_makes_the_record_unhealthy_and_its_end_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicU8::new(WORKS));
    let audit = audit_on_disk_with(folder.path(), &fails, IMPATIENT);
    audit.intent(&intent("1")).wait().await.unwrap();
    fails.store(HANGS, Ordering::SeqCst);
    let mut hanging = audit.intent(&intent("2"));
    assert!(audit.healthy());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!audit.healthy());
    assert!(audit.intent(&intent("3")).is_refused());
    fails.store(WORKS, Ordering::SeqCst);
    hanging.wait().await.unwrap();
    audit.flush().await.unwrap();
    assert!(audit.healthy());
    let text = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    assert!(text.contains("\"refused\":1,\"lost\":0"), "{text}");
    fails.store(HANGS, Ordering::SeqCst);
    let began = std::time::Instant::now();
    assert!(audit.close().await.is_err());
    drop(audit);
    assert!(began.elapsed() < Duration::from_secs(2));
    fails.store(WORKS, Ordering::SeqCst);
}

#[tokio::test]
async fn a_writer_that_panics_fails_those_who_wait_and_the_record_is_unhealthy() {
    let folder = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicU8::new(WORKS));
    let audit = audit_on_disk(folder.path(), &fails);
    fails.store(PANICS, Ordering::SeqCst);
    let mut first = audit.intent(&intent("1"));
    let mut second = audit.intent(&intent("2"));
    assert!(first.wait().await.is_err());
    assert!(second.wait().await.is_err());
    assert!(audit.flush().await.is_err());
    assert!(!audit.healthy());
}

#[test]
fn only_names_of_plain_letters_are_logs() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["serve", "run-2", "a_b", "\u{1b}[2J", "a b", "", "a.00"] {
        fs::write(folder.path().join(format!("{name}.jsonl")), "").unwrap();
    }
    let logs = Names::logs(folder.path()).unwrap();
    assert_eq!(logs, ["a_b", "run-2", "serve"]);
}

#[test]
fn keys_are_whole_or_absent_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::new(folder.path(), "t");
    // What a crash left of the first attempt.
    fs::write(folder.path().join("t.new.key"), "PRIVATE+KEY+ho").unwrap();
    die(open_log(folder.path()));
    die(open_log(folder.path()));
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["t.checkpoints", "t.jsonl", "t.key", "t.lock", "t.pub"]
    );
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(names.key()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
