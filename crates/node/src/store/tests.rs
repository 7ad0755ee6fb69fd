//! What is written is there, and what is not ours is refused.

use super::*;
use s3rec_job::{JobEvent, JobState};
use s3rec_wire::record::Record;
use s3rec_wire::v1;

const EVENTS: Table = Table("events");

fn event(message: &str) -> JobEvent {
    JobEvent {
        message: message.into(),
        ..JobEvent::default()
    }
}

#[test]
fn records_survive_and_are_listed_by_prefix() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        assert!(store.get::<JobEvent>(EVENTS, "a/1").unwrap().is_none());
        for key in ["b/1", "a/2", "a/1"] {
            store.put(EVENTS, key, &event(key)).unwrap();
        }
    }
    let store = Store::open(directory.path()).unwrap();
    let listed = store.list::<JobEvent>(EVENTS, "a/").unwrap();
    let keys: Vec<_> = listed.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a/1", "a/2"]);
    assert_eq!(store.get(EVENTS, "b/1").unwrap(), Some(event("b/1")));
}

#[test]
fn records_are_removed_by_key_and_by_prefix_with_what_is_written_beside() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    for key in ["a", "a/1", "a/2", "ab/1", "b/1"] {
        store.put(EVENTS, key, &event(key)).unwrap();
    }
    let last = store.last::<JobEvent>(EVENTS, "a/").unwrap();
    assert_eq!(last, Some(("a/2".into(), event("a/2"))));
    assert_eq!(store.last::<JobEvent>(EVENTS, "c/").unwrap(), None);
    let other = Table("others");
    store
        .change(&[
            Change::RemoveAll(EVENTS, "a/"),
            Change::Remove(EVENTS, "b/1"),
            Change::Remove(EVENTS, "not there"),
            Change::Put(other, "x", event("x").to_row()),
        ])
        .unwrap();
    assert_eq!(store.keys(EVENTS).unwrap(), ["a", "ab/1"]);
    assert_eq!(store.keys(other).unwrap(), ["x"]);
    assert!(store.keys(Table("never made")).unwrap().is_empty());
}

#[test]
fn others_are_shut_out_of_a_directory_made_before() {
    let directory = tempfile::tempdir().unwrap();
    let mode = || directory.path().metadata().unwrap().permissions().mode() & 0o777;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    Store::open(directory.path()).unwrap();
    assert_eq!(mode(), 0o700);
}

#[test]
fn a_store_is_opened_once() {
    let directory = tempfile::tempdir().unwrap();
    let _store = Store::open(directory.path()).unwrap();
    assert!(matches!(
        Store::open(directory.path()),
        Err(StoreError::InUse { .. })
    ));
}

/// As version 1 left it when its daemon was killed in a round, and updated since.
#[test]
fn a_job_that_ran_under_version_1_gets_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let state = |state: v1::JobState, round| v1::JobEvent {
        job_id: "job".into(),
        state: state.into(),
        round,
        ..v1::JobEvent::default()
    };
    {
        let store = Store::open(directory.path()).unwrap();
        let running = state(v1::JobState::Running, 3);
        let finished = v1::JobEvent {
            job_id: "other".into(),
            ..state(v1::JobState::Finished, 9)
        };
        let rows = [
            (EVENTS, "job/0000000000", running.to_record()),
            (EVENTS, "other/0000000000", finished.to_record()),
        ];
        store.put_all(&rows).unwrap();
        store.set_schema(1);
    }
    let journal = crate::journal::Journal::open(&Store::open(directory.path()).unwrap());
    let journal = journal.unwrap();
    let ended = journal.last("job").unwrap();
    assert_eq!((ended.state, ended.round), (JobState::Failed, 3));
    assert!(ended.message.contains("propose"), "{}", ended.message);
    assert_eq!(journal.last("other").unwrap().round, 9);
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        store.set_schema(99);
    }
    assert!(matches!(
        Store::open(directory.path()),
        Err(StoreError::Newer { actual: 99, .. })
    ));
}
