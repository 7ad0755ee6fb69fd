//! Random schedules of crash, drop, delay, duplicate, reorder, corrupt and partition over whole
//! jobs of FilmTrust's size: each ends in the undisturbed model, bit for bit, or in an end that
//! both sides can name; no column masks two inputs and the ledgers agree.
//!
//! `S3REC_SCHEDULES=1000 cargo test -p s3rec-link --test schedules` runs a thousand; without it
//! some tens run. `S3REC_SEED` is printed with every failure and repeats its schedule first.
//!
//! | module | one sentence |
//! |---|---|
//! | `weather` | what goes wrong, and when |
//! | `network` | an exchange of two endpoints over encoded chunks that the weather befalls |
//! | `transcript` | everything that ever left a machine, held to the rules |
//! | `world` | what both platforms have |
//! | `friends` | openings of friends' sums under the same weather |
//! | `friends_world` | what both platforms have for those |
//! | `parties` | what a job asks of either platform |
//! | `job` | drives both platforms' jobs, which the daemons drive too |
//!
//! All of it is one thread and one seed: time is counted in attempts.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod friends;
mod friends_world;
mod job;
mod network;
mod parties;
mod transcript;
mod weather;
mod world;

use std::collections::BTreeMap;

use job::Job;
use weather::{Misfortune, Weather};
use world::{End, World};

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |given| given.parse().unwrap())
}

#[test]
fn every_schedule_ends_in_the_same_model_or_with_a_name() {
    let Some(world) = World::filmtrust() else {
        return;
    };
    let undisturbed = Job::new(&world).run(&mut Weather::calm());
    let End::Finished(expected) = undisturbed else {
        panic!("{undisturbed:?}");
    };
    let schedules = from_environment("S3REC_SCHEDULES", 40);
    let first = from_environment("S3REC_SEED", 20_261_123);
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut befell = BTreeMap::new();
    let mut went_on = 0;
    for seed in first..first + schedules {
        let mut weather = Weather::of(seed);
        let mut job = Job::new(&world);
        let end = job.run(&mut weather);
        let what = format!("S3REC_SEED={seed}: {end:?} after {:?}", weather.suffered());
        match &end {
            End::Finished(model) => assert!(*model == expected, "another model, {what}"),
            End::Named { rating, social } => {
                assert!(!rating.is_empty() && !social.is_empty(), "{what}");
            }
        }
        job.check_ledgers(&what);
        went_on += job.went_on();
        *ends.entry(end.name()).or_insert(0) += 1;
        for one in weather.suffered() {
            *befell.entry(one.name()).or_insert(0_u32) += 1;
        }
    }
    eprintln!(
        "{schedules} schedules from S3REC_SEED={first}: {ends:?}; {befell:?}; {went_on} stocks gone on with"
    );
    // Crashes and partitions are outlived; only the frame's own faults may end a job.
    let finished = ends.get("finished").copied().unwrap_or(0);
    assert!(u64::from(finished) * 2 > schedules, "{ends:?}");
    assert!(went_on > 0 || schedules < 40, "no stock was gone on with");
}

/// Wherever the connection breaks, the model is the same; and from the first block on it is made of
/// the stock that was begun.
#[test]
fn a_stock_that_was_begun_is_gone_on_with_whatever_message_is_lost() {
    let Some(world) = World::filmtrust() else {
        return;
    };
    let mut undisturbed = Job::new(&world);
    let End::Finished(expected) = undisturbed.run(&mut Weather::calm()) else {
        panic!("not even in calm weather");
    };
    let first_block = undisturbed.first_block().unwrap();
    let mut went_on = 0;
    for message in first_block.saturating_sub(4).. {
        for both in [false, true] {
            let crash = Misfortune::Crash { both, message };
            let mut weather = Weather::once(crash);
            let mut job = Job::new(&world);
            let end = job.run(&mut weather);
            assert!(
                matches!(&end, End::Finished(model) if *model == expected),
                "{message}: {end:?}"
            );
            job.check_ledgers("a crash");
            went_on += job.went_on();
            let stocks = job.stocks();
            assert!(
                message < first_block || stocks == 1,
                "{message}: {stocks} stocks"
            );
        }
        // The rounds are the schedules' above.
        if message > first_block + 12 {
            break;
        }
    }
    assert!(went_on >= 4, "{went_on}");
}
