use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::base::time::{SystemClock, Timestamp};

fn gone(letter: u64) -> Record {
    Record::Gone { letter }
}

fn begin(dlq: &str) -> Record {
    Record::Begin(Box::new(Begin {
        replay: "r1".into(),
        profile: "p".into(),
        dlq: dlq.into(),
        dlq_created: Timestamp::UNIX_EPOCH,
        dlq_last_seq: 0,
        who: "ann@host".into(),
        filter: String::new(),
        reason: None,
        plan: "00".into(),
        count: 1,
        how: How::default(),
    }))
}

fn folder(at: &tempfile::TempDir) -> Folder {
    Folder::new(at.path(), SystemClock::shared())
}

#[tokio::test]
async fn what_was_committed_is_read_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    let mut journal = folder.create("r1").unwrap();
    let selected = Record::Selected {
        targets: vec![("s".into(), "t".into())],
        letters: vec![(7, "h".into(), 0)],
    };
    journal.commit(vec![begin("d"), selected]).await.unwrap();
    journal.commit(vec![gone(7)]).await.unwrap();
    drop(journal);
    let (_journal, standings) = folder.open("r1").unwrap();
    assert_eq!(standings.begin.as_ref().unwrap().replay.as_ref(), "r1");
    assert_eq!(standings.counts().gone, 1);
    assert_eq!(folder.of("d", Timestamp::UNIX_EPOCH).unwrap().len(), 1);
    assert_eq!(folder.of("other", Timestamp::UNIX_EPOCH).unwrap().len(), 0);
}

#[tokio::test]
async fn a_journal_has_one_holder() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    let journal = folder.create("r1").unwrap();
    assert!(matches!(folder.open("r1"), Err(JournalError::Busy(_))));
    drop(journal);
    assert!(folder.open("r1").is_ok());
    assert!(folder.create("r1").is_err(), "a replay's id is its own");
}

#[tokio::test]
async fn a_torn_line_is_cut_off_before_anything_is_appended() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    let mut journal = folder.create("r1").unwrap();
    journal.commit(vec![begin("d"), gone(1)]).await.unwrap();
    let path = journal.path().to_owned();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let (mut journal, _) = folder.open("r1").unwrap();
    journal.commit(vec![gone(2)]).await.unwrap();
    let lines = line::read_all::<Entry>(&fs::read(&path).unwrap()).unwrap();
    assert!(!lines.torn);
    assert_eq!(lines.entries[1].record, gone(2));
}

#[tokio::test]
async fn damage_in_the_middle_is_named_with_its_line() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    let mut journal = folder.create("r1").unwrap();
    journal.commit(vec![begin("d"), gone(1), gone(2)]).await.unwrap();
    let path = journal.path().to_owned();
    drop(journal);
    let text = fs::read_to_string(&path)
        .unwrap()
        .replacen("\"letter\":1", "\"letter\":9", 1);
    fs::write(&path, text).unwrap();
    let error = folder.open("r1").unwrap_err();
    assert!(matches!(error, JournalError::Damaged { line: 2, .. }), "{error}");
}

struct Full {
    file: File,
    room: Arc<AtomicUsize>,
}

impl Medium for Full {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.room.load(Ordering::Relaxed).min(bytes.len());
        self.room.fetch_sub(room, Ordering::Relaxed);
        self.file.append(&bytes[..room])?;
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_written_any_more() {
    let place = tempfile::tempdir().unwrap();
    let room = Arc::new(AtomicUsize::new(1_000));
    let folder = folder(&place).with_medium(move |file| {
        Box::new(Full {
            file,
            room: room.clone(),
        })
    });
    let mut journal = folder.create("r1").unwrap();
    journal.commit(vec![begin("d")]).await.unwrap();
    let error = journal.commit((0..20).map(gone).collect()).await.unwrap_err();
    assert!(error.to_string().contains("make room on that disk"), "{error}");
    assert!(matches!(
        journal.commit(vec![gone(1)]).await,
        Err(JournalError::Broken(_))
    ));
    drop(journal);
    let (_journal, standings) = folder.open("r1").unwrap();
    assert!(standings.begin.is_some());
}
