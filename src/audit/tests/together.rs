//! When the disk is asked: at once for few calls, for many when the first of them waits.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::audit::queue::Durable;

/// A disk that counts how often it is waited for.
#[derive(Debug)]
struct Counted {
    file: File,
    syncs: Arc<AtomicU32>,
}

impl Storage for Counted {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        Storage::write_all_at(&self.file, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        Storage::reserve(&self.file, offset, bytes)
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

fn counted(folder: &Path, calls_at_once: usize) -> (Audit, Arc<AtomicU32>) {
    let syncs = Arc::new(AtomicU32::new(0));
    let mut log = open_log_with(folder, Keeping::default());
    let path = Names::new(folder, "t").active();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let disk = Counted {
        file,
        syncs: syncs.clone(),
    };
    log.replace_storage(Box::new(disk));
    let patience = Patience {
        calls_at_once,
        ..Patience::default()
    };
    let audit = Audit {
        writer: Writer::start_with(log, patience).unwrap(),
        clock: Arc::new(Clock::new().unwrap()),
    };
    (audit, syncs)
}

fn intents(audit: &Audit, count: u32) -> Vec<Durable> {
    let one = |number: u32| audit.intent(&intent(&number.to_string()));
    (0..count).map(one).collect()
}

#[tokio::test]
async fn one_sync_is_enough_for_all_calls_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, syncs) = counted(folder.path(), 1);
    for round in 1..=20 {
        let mut calls = intents(&audit, 50);
        for call in &mut calls {
            call.wait().await.unwrap();
            call.wait().await.unwrap();
        }
        // The first one's at once, one for all others, and more where this test was held up.
        let syncs = syncs.load(Ordering::SeqCst);
        assert!(syncs <= round * 10, "{syncs} syncs in {round} rounds");
    }
    audit.close().await.unwrap();
    let written = events(folder.path());
    let intents = written.iter().filter(|event| event.starts_with("intent"));
    assert_eq!(intents.count(), 1_000);
}

#[tokio::test]
async fn what_nobody_waits_for_is_written_soon() {
    for calls_at_once in [0, 1, usize::MAX] {
        let folder = tempfile::tempdir().unwrap();
        let (audit, _) = counted(folder.path(), calls_at_once);
        let _under_way = intents(&audit, 3);
        let path = folder.path().join("t.jsonl");
        let began = std::time::Instant::now();
        while fs::read_to_string(&path).unwrap().lines().count() < 5 {
            assert!(began.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
