//! What P1 tells before an opening: whether users are linked must not show in it, and what P0
//! asks about must be limited, counted and logged.

use std::time::{Duration, Instant};

use s3rec_link::pacing::AnswerTimes;
use s3rec_psi::{Common, Form};
use s3rec_spmm::Protocol;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::attacker::{Attacker, proposal};
use crate::target::{Target, everybody, policy, ring_of_links};

/// Everything that P1 said to a P0 that claims `ids` as its users, but for what it draws anew:
/// its bounds, or why not.
async fn asked(attacker: &mut Attacker, ids: &[String]) -> Result<v1::SetupResponse, Fault> {
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let told = async {
        let (common, _) = attacker.align(proposal.job, ids).await?;
        let request = Attacker::setup_request(proposal.job, &common);
        attacker.setup(request).await
    };
    let told = told.await;
    attacker.abort(proposal.job).await;
    let without = |response: v1::SetupResponse| v1::SetupResponse {
        job_id: String::new(),
        seed_half: Vec::new(),
        ..response
    };
    told.map(without).map_err(|fault| Fault {
        metadata: std::collections::BTreeMap::default(),
        ..fault
    })
}

fn pair(one: u32, other: u32) -> [String; 2] {
    [format!("u{one}"), format!("u{other}")]
}

/// Demonstration 1: 66 pairs in 0.6 s, 66 right, nothing counted.
#[tokio::test(flavor = "multi_thread")]
async fn two_claimed_users_are_not_told_whether_they_are_linked() {
    let policy = policy(&[("least_common_users", "30"), ("most_stocks", "1")]);
    let mut target = Target::start(&policy, &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let mut told = Vec::new();
    for other in 1..5 {
        // Of these u0 is linked with u2 alone.
        told.push(asked(&mut attacker, &pair(0, other)).await);
    }
    for answer in &told {
        let fault = answer.as_ref().expect_err("bounds of two users' links");
        assert!(fault.message.contains("least_common_users"), "{fault:?}");
        assert_eq!(answer, &told[0]);
    }
    assert_eq!(target.counters().await.opened_columns, 0);
}

/// Where so few may be asked about, they are still not told.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_do_not_follow_the_links() {
    let policy = policy(&[("least_common_users", "2")]);
    let target = Target::start(&policy, &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let linked = asked(&mut attacker, &pair(0, 2)).await.unwrap();
    let strangers = asked(&mut attacker, &pair(0, 3)).await.unwrap();
    assert_eq!(linked.common_users, 2);
    assert_eq!(linked, strangers);
}

/// Links among the same users, drawn from a seed: everybody has one, some have many.
fn drawn(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut links = String::new();
    for user in 0..40 {
        links += &format!("u{user}\tu{}\n", (user + 1 + draw(38)) % 40);
        for _ in 0..draw(6) {
            links += &format!("u{user}\tu{}\n", (user + 1 + draw(38)) % 40);
        }
    }
    links
}

/// Everything that P0 receives before the first opening is equal, whatever the links are: in
/// bytes, and in what it says but for what is drawn anew.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_before_the_first_opening_follows_the_links() {
    let mut seen = Vec::new();
    for seed in 0..6 {
        let links = drawn(seed);
        let target = Target::start(&policy(&[]), &links).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 2);
        let agreed = attacker.agreed(&proposal, &everybody()).await;
        let stock = attacker.stock(&agreed).await.unwrap();
        let made = attacker.answered_bytes;
        attacker.meet(&agreed, stock).await.unwrap();
        let parameters = agreed.parameters.clone();
        seen.push((made, attacker.meter.count(), parameters));
    }
    assert!(seen[0].0 > 0);
    for one in &seen {
        assert_eq!(*one, seen[0]);
    }
}

/// Links are read for an intersection: when P1 says how many ids it has follows from what it
/// states of them, here half a second, and what is refused by its number is refused before.
#[tokio::test(flavor = "multi_thread")]
async fn an_intersection_is_answered_at_a_public_time() {
    let few = policy(&[("links_bound", "250000"), ("most_ids_asked", "100")]);
    let mut links = String::new();
    for user in 0..1000 {
        links += &format!("u{user}\tu{}\n", (user + 1) % 1000);
    }
    let target = Target::start(&few, &links).await;
    let mut attacker = target.attacker().await;
    let first = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&first).await;
    let due = AnswerTimes::setup(250_000, 1000);
    assert!(due > Duration::from_millis(500));
    let began = Instant::now();
    let (common, _) = attacker.align(first.job, &everybody()).await.unwrap();
    assert_eq!(common.rows.len(), 40);
    assert!(began.elapsed() >= due, "{:?}", began.elapsed());
    attacker.abort(first.job).await;
    // 61 more than are left: nothing was read for that, and nothing is counted.
    let second = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&second).await;
    let ids: Vec<String> = (0..101).map(|user| format!("u{user}")).collect();
    let refused = attacker.align(second.job, &ids).await;
    let fault = refused.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
    assert_eq!(intersections(&target), [40]);
}

/// The rest of demonstration 1: 3 × 5,000 guessed ids, each answered with how many P1 has. Here
/// five times as many are allowed.
#[tokio::test(flavor = "multi_thread")]
async fn guessed_ids_are_limited_and_every_answer_is_logged() {
    let policy = policy(&[("most_ids_asked", "25000")]);
    let mut target = Target::start(&policy, &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let mut answered = Vec::new();
    let mut refused = None;
    for guess in 0..8_u64 {
        let ids: Vec<String> = (0..5_000)
            .map(|n| format!("u{}", guess * 5_000 + n))
            .collect();
        let proposal = proposal(Protocol::Preprocessed, 1);
        attacker.approved(&proposal).await;
        match attacker.align(proposal.job, &ids).await {
            Ok((_, overlap)) => answered.push(overlap.common_users),
            // Nobody in common is an answer too.
            Err(fault) if fault.reason == Reason::NoCommonUsers => {
                answered.push(0);
            }
            Err(fault) => {
                refused = Some(fault);
                break;
            }
        }
        attacker.abort(proposal.job).await;
    }
    assert_eq!(answered[0], 40);
    let refused = refused.expect("40,000 guessed ids were all answered");
    assert!(refused.message.contains("most_ids_asked"), "{refused:?}");
    let asked = intersections(&target);
    // As many as P0's table has places for: a P0 that deviates can bring no more.
    let most = Form::most_ids(5_000).unwrap();
    assert!((5_000..7_000).contains(&most), "{most}");
    assert_eq!(asked, vec![most; answered.len()]);
    let shown = target.shown().await.accounts.remove(0).shown.unwrap();
    let ids = most * answered.len() as u64;
    assert_eq!(
        (shown.intersections as usize, shown.ids_asked),
        (answered.len(), ids)
    );
}

/// Ids asked about of every intersection in the audit log.
fn intersections(target: &Target) -> Vec<u64> {
    let logged = target.logged("showing").into_iter();
    let intersections = logged.filter(|entry| entry.text("what") == Some("intersection"));
    intersections
        .map(|entry| entry.number("ids").unwrap())
        .collect()
}

/// A job has one set of common users: whoever begins it again does not ask about others.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_begins_again_does_not_ask_about_other_users() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let half: Vec<String> = everybody().into_iter().take(20).collect();
    let (first, _) = attacker.align(proposal.job, &half).await.unwrap();
    assert_eq!(first.rows.len(), 20);
    for _ in 0..3 {
        attacker.detach();
        attacker.hello().await;
        attacker.attach(proposal.job).await.unwrap();
        let others: Vec<String> = everybody().into_iter().skip(20).collect();
        match attacker.align(proposal.job, &others).await {
            Ok((again, _)) => panic!("{} other users were told", again.rows.len()),
            Err(fault) => assert!(!fault.message.is_empty()),
        }
    }
    assert_eq!(intersections(&target).len(), 1);
    let (state, why) = target.state(&proposal.job.to_string()).await;
    assert_ne!(state, JobState::Finished, "{why}");
}

/// Nor does it by leaving with the labels, before it says which users are common.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_labels_have_left_does_not_ask_about_other_users() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    for others in [0, 4_096] {
        // In either form of the intersection.
        let guessed = |half: Vec<String>| -> Vec<String> {
            let others = (0..others).map(|n| format!("v{n}"));
            half.into_iter().chain(others).collect()
        };
        let proposal = proposal(Protocol::Preprocessed, 1);
        attacker.approved(&proposal).await;
        let before = intersections(&target).len();
        let half = guessed(everybody().into_iter().take(20).collect());
        let (first, _) = attacker.align_leaving(proposal.job, &half).await.unwrap();
        assert_eq!(first.rows.len(), 20);
        attacker.detach();
        attacker.hello().await;
        attacker.attach(proposal.job).await.unwrap();
        let half = guessed(everybody().into_iter().skip(20).collect());
        let fault = attacker.align(proposal.job, &half).await.unwrap_err();
        assert_eq!(fault.reason, Reason::StateLost, "{fault:?}");
        assert_eq!(intersections(&target).len(), before + 1);
        let (state, why) = target.end_of(&proposal.job.to_string()).await;
        assert_eq!(state, JobState::Failed, "{why}");
        attacker.detach();
        attacker.hello().await;
    }
}

/// What the conversation does not take is refused before anything is compared.
#[tokio::test(flavor = "multi_thread")]
async fn more_ids_than_the_protocol_takes_are_refused_unread() {
    let target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let opening = v1::AlignChunk {
        part: Some(v1::align_chunk::Part::Opening(v1::AlignOpening {
            job_id: proposal.job.to_string(),
            session_half: vec![3; 32],
            total: u64::MAX,
            id_rule: "nfc-trim".into(),
            common_digest: Vec::new(),
        })),
    };
    let called = attacker.client.align(tokio_stream::iter([opening])).await;
    let refused = match called {
        Err(status) => status,
        Ok(answers) => answers.into_inner().message().await.unwrap_err(),
    };
    let fault = crate::attacker::fault_of(&refused);
    assert_ne!(fault.reason, Reason::Bug, "{fault:?}");
    assert!(intersections(&target).is_empty());
}

/// A bit of the claims more than P0 can know is found, and nothing of Y is told.
#[tokio::test(flavor = "multi_thread")]
async fn claims_for_ids_that_it_does_not_have_end_the_job() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    // `v…` are nobody's: claimed all the same.
    let mut ids: Vec<String> = everybody().into_iter().take(10).collect();
    ids.extend((0..6).map(|n| format!("v{n}")));
    let claimed = attacker.align_claiming(proposal.job, &ids, |claims| {
        // 16 places of P0's, then 40 of P1's: all of P0's, and as many of P1's.
        claims[..2].fill(0xff);
        let of_p1: u32 = claims[2..7].iter().map(|byte| byte.count_ones()).sum();
        let mut more = 16 - of_p1;
        for bit in 0..40 {
            let (byte, mask) = (2 + bit / 8, 1 << (bit % 8));
            if more > 0 && claims[byte] & mask == 0 {
                claims[byte] |= mask;
                more -= 1;
            }
        }
    });
    let fault = claimed.await.unwrap_err();
    assert_eq!(fault.reason, Reason::PeerMalformed, "{fault:?}");
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    let nobody = Common {
        rows: Vec::new(),
        digest: [0; 32],
    };
    let request = Attacker::setup_request(proposal.job, &nobody);
    attacker.setup(request).await.unwrap_err();
}
