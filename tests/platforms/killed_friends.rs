//! `kill -9` of either daemon at each step of one opening of friends' sums, with other links imported
//! while it is away: the job finishes, over the links and users of before, and its answer is counted
//! once and is the same bytes whenever it is sent.

use std::path::{Path, PathBuf};

use s3rec_audit::{Kind, verify};
use s3rec_node::audit::LOG_FILE;
use s3rec_testkit::addresses::free_address;
use s3rec_tests::machine::Machine;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::friends_data::{data, noise_of, request, stored_in};
use crate::killed::{Killable, last};
use crate::pair::file;

/// Where P1 keeps an opening; it is written when a-parts may leave (1), when the opening is bound (2),
/// when its upload is (3), which is then counted, and when the answer is made (4).
const KEPT: &str = "/friends";
/// Where P0 keeps it: when its rows may leave (1), when the sums are here (2), and when P1 agrees on
/// the count (3).
const MODEL: &str = ".friends";

fn kept_by_social(directory: &Path, job: &str) -> Option<Vec<u8>> {
    let path: PathBuf = directory.join("social/stocks").join(job).join("friends");
    std::fs::read(path).ok()
}

/// The answer arrives, and P0 ends before it has any of it: what P1 sends to it again is what it kept
/// the first time, byte for byte, and it makes no other.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_sent_again_is_the_same() {
    let machine = Machine::new();
    let at_arrival = |data_dir: &Path| machine.deadly(data_dir, (2, "before", KEPT));
    let mut pair = Killable::rating(&at_arrival).await;
    let job = pair.operators.begin_job(request(1.0), data()).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        pair.dies().await;
        kept.extend(kept_by_social(pair.directory.path(), &job));
        // Of this life, it is the first time that it writes what it has of the opening.
        let again = machine.deadly(&pair.process.data_dir, (1, "before", KEPT));
        pair.restart_on(again).await;
    }
    pair.dies().await;
    assert!(kept.len() == 3 && kept.iter().all(|one| *one == kept[0]));
    pair.restart().await;
    let ended = last(pair.operators.watch(&job).await).await;
    assert_eq!(ended.state(), JobState::Finished, "{}", ended.message);
    let stored = stored_in(pair.directory.path(), &job);
    assert!((noise_of(&stored, None) - 1.0).abs() < 0.3);
    let all = v1::ListSocialDisclosuresRequest {};
    let shown = pair.operators.social.list_disclosures(all).await.unwrap();
    let counters = shown.into_inner().disclosures[0].counters.unwrap();
    assert_eq!((counters.openings, counters.nano_rho), (1, 500_000_000));
}

/// Kills the daemon there, and sees the job to its end; gives what P1 kept of the opening when the
/// daemon died.
async fn finishes(mut pair: Killable, point: (u32, &str, &str)) -> Option<Vec<u8>> {
    let job = pair.operators.begin_job(request(1.0), data()).await;
    pair.dies().await;
    let kept = kept_by_social(pair.directory.path(), &job);
    pair.restart().await;
    // Links of now, which this job never sees.
    let others = file("l.tsv", "u11\tu12\nu12\tu13\n");
    pair.operators.social.import_links(others).await.unwrap();
    let ended = last(pair.operators.watch(&job).await).await;
    assert_eq!(
        ended.state(),
        JobState::Finished,
        "{point:?}: {}",
        ended.message
    );

    // The sums of before, with noise of the width agreed on.
    let stored = stored_in(pair.directory.path(), &job);
    let ratio = noise_of(&stored, None);
    let allowed = 5.0 / (2.0 * stored.5.len() as f64).sqrt() + 0.005;
    assert!((ratio - 1.0).abs() < allowed, "{point:?}: {ratio}");
    // Counted once, by both.
    let all = v1::ListRatingDisclosuresRequest {};
    let seen = pair.operators.rating.list_disclosures(all).await.unwrap();
    let all = v1::ListSocialDisclosuresRequest {};
    let shown = pair.operators.social.list_disclosures(all).await.unwrap();
    let mut seen = seen.into_inner().disclosures[0].counters.unwrap();
    let shown = shown.into_inner().disclosures[0].counters.unwrap();
    // What was prepared and lost counts at P1 alone.
    assert!((seen.stocks..=seen.stocks + 1).contains(&shown.stocks));
    seen.stocks = shown.stocks;
    assert_eq!(seen, shown, "{point:?}");
    assert_eq!((shown.openings, shown.nano_rho), (1, 500_000_000));
    assert_eq!(shown.opened_values, stored.5.len() as u64);
    // And O was the same however often it was agreed on.
    let log = std::fs::read(pair.directory.path().join("social").join(LOG_FILE)).unwrap();
    let log = verify(&log).unwrap();
    let showings = log.entries.iter().map(|(entry, _)| entry);
    let showings = showings.filter(|entry| entry.kind == Kind::Showing);
    let opened = showings.filter_map(|entry| entry.bytes("opened_digest"));
    let opened: std::collections::BTreeSet<_> = opened.collect();
    assert_eq!(opened.len(), 1, "{point:?}");
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_of_friends_sums_outlives_the_social_platform() {
    let machine = Machine::new();
    for point in [
        (1, "before", KEPT),
        (2, "before", KEPT),
        (3, "before", KEPT),
        (3, "behind", KEPT),
        // Counted and not answered; answered and not sent.
        (4, "before", KEPT),
        (4, "behind", KEPT),
    ] {
        let deadly = |data_dir: &Path| machine.deadly(data_dir, point);
        let pair = Killable::social(&free_address(), None, &deadly).await;
        let kept = finishes(pair, point).await;
        assert_eq!(kept.is_some(), point != (1, "before", KEPT));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_of_friends_sums_outlives_the_rating_platform() {
    let machine = Machine::new();
    for point in [
        (1, "before", KEPT),
        (1, "behind", KEPT),
        // The answer is here and nothing knows of it: it is sent again.
        (2, "before", KEPT),
        (2, "behind", KEPT),
        (3, "before", KEPT),
        (1, "before", MODEL),
        (1, "behind", MODEL),
    ] {
        let deadly = |data_dir: &Path| machine.deadly(data_dir, point);
        finishes(Killable::rating(&deadly).await, point).await;
    }
}
