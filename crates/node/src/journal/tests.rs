//! What is stored of a job, what watchers see of it, and what is forgotten.

use super::*;
use tokio_stream::StreamExt;

fn event(state: JobState) -> JobEvent {
    JobEvent {
        job: "job".into(),
        state,
        ..JobEvent::default()
    }
}

#[test]
fn an_end_that_was_cut_short_is_made_up_for() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        let journal = Journal::open(&store).unwrap();
        journal.record(event(JobState::Running)).unwrap();
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            journal.end(event(JobState::Cancelled), || {
                std::panic::resume_unwind(Box::new(()))
            })
        }));
        assert!(killed.is_err());
        assert_eq!(journal.last("job").unwrap().state, JobState::Running);
    }
    let store = Store::open(directory.path()).unwrap();
    let journal = Journal::open(&store).unwrap();
    assert_eq!(journal.last("job").unwrap().state, JobState::Cancelled);
    assert_eq!(journal.history("job").unwrap().len(), 2);
    // And no second time.
    assert_eq!(
        Journal::open(&store).unwrap().history("job").unwrap().len(),
        2
    );
}

#[tokio::test]
async fn ended_jobs_have_no_place_in_memory_and_take_no_more_events() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let journal = Journal::open(&store).unwrap();
    for number in 0..20 {
        let job = |state| JobEvent {
            job: format!("job-{number}"),
            ..event(state)
        };
        journal.record(job(JobState::Proposed)).unwrap();
        let watched = journal.watch(&format!("job-{number}")).unwrap();
        journal.end(job(JobState::Cancelled), || {}).unwrap();
        assert_eq!(watched.collect::<Vec<_>>().await.len(), 2);
        // A late word of a call that was cut off.
        journal.record(job(JobState::Running)).unwrap();
        journal.notify(job(JobState::Running));
        journal.end(job(JobState::Failed), || {}).unwrap();
    }
    let asked = ["unknown", "job-3"];
    for job in asked {
        journal.awaits(job, Some(Party::Social));
        let _ = journal.follow(job);
        let _ = journal.watch(job).unwrap();
    }
    assert!(journal.lock().open.is_empty());
    assert!(journal.open_jobs().is_empty() && journal.newest().is_empty());
    for journal in [journal.clone(), Journal::open(&store).unwrap()] {
        assert_eq!(journal.state("job-7"), JobState::Cancelled);
        assert_eq!(journal.last("job-7").unwrap().state, JobState::Cancelled);
        assert_eq!(journal.history("job-7").unwrap().len(), 2);
        assert_eq!(journal.ended().unwrap().len(), 20);
        let counts = journal.ended_by_state();
        assert_eq!(counts[&JobState::Cancelled], 20);
    }
}

#[test]
fn a_job_is_forgotten_once_it_has_ended_and_with_all_that_belongs_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let journal = Journal::open(&store).unwrap();
    let others = Table("others");
    for job in ["job", "job2"] {
        let of = |state| JobEvent {
            job: job.into(),
            ..event(state)
        };
        journal.record(of(JobState::Proposed)).unwrap();
        journal.record(of(JobState::Approved)).unwrap();
        store.put(others, job, &event(JobState::Running)).unwrap();
    }
    assert!(
        !journal
            .forget("job", vec![Change::Remove(others, "job")])
            .unwrap()
    );
    assert!(!journal.shorten("job").unwrap());
    assert_eq!(store.keys(others).unwrap().len(), 2);
    journal.end(event(JobState::Failed), || {}).unwrap();

    assert!(journal.shorten("job").unwrap());
    assert!(!journal.shorten("job").unwrap());
    let left = journal.history("job").unwrap();
    assert_eq!((left.len(), left[0].state), (1, JobState::Failed));

    assert!(
        journal
            .forget("job", vec![Change::Remove(others, "job")])
            .unwrap()
    );
    assert_eq!(store.keys(others).unwrap(), ["job2"]);
    assert!(journal.history("job").unwrap().is_empty());
    assert_eq!(journal.state("job"), JobState::Unknown);
    // Nothing late brings it back.
    journal.end(event(JobState::Cancelled), || {}).unwrap();
    let again = Journal::open(&store).unwrap();
    assert_eq!(again.last("job"), None);
    assert_eq!(again.history("job2").unwrap().len(), 2);
    assert_eq!(again.open_jobs(), ["job2"]);
}

#[tokio::test]
async fn watchers_see_the_past_and_then_the_present_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let journal = Journal::open(&store).unwrap();
    journal.record(event(JobState::Proposed)).unwrap();
    let watched = journal.watch("job").unwrap();
    journal.record(event(JobState::Approved)).unwrap();
    journal.notify(event(JobState::Running));
    journal.record(event(JobState::Failed)).unwrap();
    let seen: Vec<_> = watched.map(|event| event.state).collect().await;
    use JobState::{Approved, Failed, Proposed, Running};
    assert_eq!(seen, [Proposed, Approved, Running, Failed]);

    let seen: Vec<_> = journal.follow("job").collect().await;
    assert_eq!(seen.len(), 1);
    let again = Journal::open(&store).unwrap();
    assert_eq!(again.last("job").unwrap().state, Failed);
    assert_eq!(again.history("job").unwrap().len(), 3);
}

#[tokio::test]
async fn a_wait_keeps_its_beginning_until_somebody_else_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&Store::open(directory.path()).unwrap()).unwrap();
    let waiting = |party: Option<Party>| JobEvent {
        waiting_for: party,
        // An event made from an older one must not bring its time along.
        waiting_since_unix_ms: 1,
        ..event(JobState::Running)
    };
    let since = || journal.last("job").unwrap().waiting_since_unix_ms;
    journal.record(waiting(Some(Party::Social))).unwrap();
    let began = since();
    assert!(began > 1);
    while now_unix_ms() == began {
        std::thread::yield_now();
    }
    journal.notify(waiting(Some(Party::Social)));
    assert_eq!(since(), began);
    journal.awaits("job", Some(Party::Rating));
    assert!(since() > began);
    assert_eq!(
        journal.last("job").unwrap().waiting_for,
        Some(Party::Rating)
    );
    journal.awaits("job", None);
    assert_eq!(since(), 0);
    journal.record(event(JobState::Failed)).unwrap();
    journal.awaits("job", Some(Party::Rating));
    assert_eq!(since(), 0, "nobody is waited for once it has ended");
}
