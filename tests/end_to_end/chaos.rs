//! `kill -9` of either daemon, over and over, during one training: the model is the undisturbed
//! one, bit for bit.
//!
//! `S3REC_KILLS=50 cargo test -p s3rec-tests --test end_to_end chaos` kills 50 times; without it
//! the test kills a few times. `S3REC_SEED` repeats a run's choices.

use std::time::{Duration, Instant};

use s3rec_cli::client;
use s3rec_tests::data::Files;
use s3rec_tests::job::{Job, proposal};
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use tokio::time::{sleep, timeout};

/// Rounds between two kills, so that all of them fall into the training.
const ROUNDS_A_KILL: u32 = 8;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |given| given.parse().unwrap())
}

/// SplitMix64: reproducible choices without a dependency.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn request(rounds: u32) -> v1::ProposeJobRequest {
    let mut request = proposal(rounds);
    request.set_protocol(v1::Protocol::Preprocessed);
    let model = request.model.as_mut().unwrap();
    model.set_solver(v1::Solver::Als);
    model.rank = 10;
    request
}

/// The bits of every exported number.
async fn model(job: &mut Job) -> Vec<u64> {
    let export = v1::ExportModelRequest {
        model_id: job.id.clone(),
    };
    let mut chunks = job.rating.export_model(export).await.unwrap().into_inner();
    let mut bits = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        match chunk.part.unwrap() {
            v1::model_chunk::Part::Header(header) => bits.push(header.global_mean.to_bits()),
            v1::model_chunk::Part::Rows(rows) => {
                bits.extend(rows.factors.iter().chain(&rows.biases).map(|x| x.to_bits()));
            }
        }
    }
    bits
}

/// P0's word on the job, as soon as it gives one.
async fn last_event(job: &mut Job) -> v1::JobEvent {
    let jobs = job.rating.list_jobs(v1::ListJobsRequest {}).await.unwrap();
    let jobs = jobs.into_inner().jobs;
    let ours = jobs.into_iter().find(|listed| listed.job_id == job.id);
    ours.unwrap().last_event.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_changes_no_bit() {
    let Some(files) = Files::filmtrust() else {
        return;
    };
    let kills = u32::try_from(from_environment("S3REC_KILLS", 5)).unwrap();
    let seed = from_environment("S3REC_SEED", u64::from(std::process::id()));
    eprintln!("S3REC_KILLS={kills} S3REC_SEED={seed}");
    let mut choices = Choices(seed);
    let rounds = kills * ROUNDS_A_KILL;

    let mut pair = Pair::lasting();
    let mut undisturbed = Job::start_with(&pair, &files, request(rounds)).await;
    let last = undisturbed.end_at_rating().await;
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let expected = model(&mut undisturbed).await;

    let mut job = Job::start_with(&pair, &files, request(rounds)).await;
    let began = Instant::now();
    let (mut killed, mut in_phase) = ([0_u32; 2], std::collections::BTreeMap::new());
    for kill in 0..kills {
        // Every fifth without waiting for anything: in the middle of coming back, mostly.
        let due = if kill % 5 == 4 {
            0
        } else {
            kill * rounds / kills
        };
        let reached = timeout(Duration::from_secs(60), async {
            loop {
                let event = last_event(&mut job).await;
                if event.round >= due {
                    return event;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let event = reached.await.expect("the job gets on");
        assert!(
            !client::is_terminal(event.state()),
            "after {kill}: {}",
            event.message
        );
        sleep(Duration::from_millis(choices.below(120))).await;
        *in_phase.entry(event.phase().as_str_name()).or_insert(0) += 1;
        match choices.below(5) {
            0 | 1 => {
                killed[0] += 1;
                pair.rating.kill();
                pair.rating.restart();
            }
            2 | 3 => {
                killed[1] += 1;
                pair.social.kill();
                pair.social.restart();
            }
            _ => {
                killed = killed.map(|times| times + 1);
                pair.rating.kill();
                pair.social.kill();
                pair.social.restart();
                pair.rating.restart();
            }
        }
        job.rating = client::rating(&pair.rating_connection()).await.unwrap();
        job.social = client::social(&pair.social_connection()).await.unwrap();
    }
    let last = timeout(Duration::from_secs(120), job.end_at_rating());
    let last = last.await.expect("the job ends");
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    eprintln!(
        "killed {killed:?}, seen in {in_phase:?}, {:?}",
        began.elapsed()
    );
    assert!(model(&mut job).await == expected, "another model");

    // Both count every opening once, and nothing of the stock is left.
    let social = job.end_at_social().await;
    assert_eq!(social.state(), JobState::Finished, "{}", social.message);
    let shown = v1::ListRatingDisclosuresRequest {};
    let seen = job
        .rating
        .list_disclosures(shown)
        .await
        .unwrap()
        .into_inner();
    let shown = v1::ListSocialDisclosuresRequest {};
    let given = job
        .social
        .list_disclosures(shown)
        .await
        .unwrap()
        .into_inner();
    for counted in [seen.disclosures, given.disclosures] {
        let ours = counted.iter().find(|one| one.job_id == job.id).unwrap();
        let columns = u64::from(rounds) * 10;
        assert_eq!((ours.openings, ours.opened_columns), (rounds, columns));
        assert_eq!(ours.opened_values, columns * u64::from(ours.common_users));
    }
    for name in ["rating", "social"] {
        let stocks = pair.home.data_dir(name).join("stocks");
        assert_eq!(std::fs::read_dir(stocks).unwrap().count(), 0, "{name}");
    }
    pair.rating.assert_well();
    pair.social.assert_well();
}
