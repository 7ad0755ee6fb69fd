//! Setup under a simulated clock: whatever the links among the common users are, under equal
//! statements the other platform receives the same, at the same times.

use std::time::Duration;

use s3rec_audit::Head;
use s3rec_job::social::SocialJob;
use s3rec_job::{JobDisclosure, JobId, JobState, Overlap, Phase, Proposal, Shown, Terms};
use s3rec_link::pacing::AnswerTimes;
use s3rec_model::SolverKind;
use s3rec_node::alignment::Common;
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
use s3rec_spmm::{ProductRequest, Protocol, ReleasePolicy, choose_parameters};
use s3rec_wire::convert::{head_to_wire, parameters_to_wire, proposal_to_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::Reason;
use s3rec_wire::v1::{CrossSignRequest, SetupRequest, SetupResponse};
use tokio::time::Instant;

use crate::attack_tests::Bare;
use crate::bounds::Given;
use crate::held::reading_time;
use crate::platform::Platform;
use crate::tables::DISCLOSURES;
use crate::{approval, consented, head_exchange, proposals, setup};

/// Users whose links are looked at; as many others are linked to by each of them.
const COMMON: u32 = 20;
const GIVEN: Given = Given {
    degree: Some(60),
    links: Some(3000),
    rule: Some(BoundsRule::Stated),
};

pub(crate) fn proposal(operator: OperatorKind, protocol: Protocol) -> Proposal {
    Proposal {
        job: JobId::random(),
        purpose: "a test".into(),
        rank: 4,
        solver: SolverKind::Gd,
        operator,
        rounds: 3,
        social_weight: None,
        regularization: None,
        learning_rate: None,
        social_bias_weight: 0.0,
        protocol,
        pattern: PatternPolicy::Nothing,
        release: ReleasePolicy::Exact,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms::default(),
    }
}

/// Both answers of Setup, and after how long each came.
async fn answers(
    bare: &Bare,
    dataset: &str,
    proposal: Proposal,
    given: Given,
) -> [(SetupResponse, Duration); 2] {
    let (platform, job) = (&bare.platform, proposal.job);
    let name = &job.to_string();
    let message = proposal_to_wire(&proposal);
    proposals::receive(platform, &proposal, &message.to_record(), "rating".into()).unwrap();
    approval::give(platform, name, dataset, 0, given, "a test").unwrap();
    let opened = consented::begin(platform, name).unwrap();
    platform.slot.attach(job);
    platform
        .slot
        .begin(proposal.clone(), "rating".into(), opened)
        .unwrap();
    let phase = Phase::Alignment;
    platform
        .advance(name, JobState::Running, phase, "")
        .unwrap();
    let taken = platform.slot.take(job, false).unwrap();
    let overlap = Overlap {
        rating_users: 50,
        social_users: u64::from(2 * COMMON),
        common_users: COMMON.into(),
    };
    platform
        .slot
        .with(job, |running| running.overlap = Some(overlap))
        .unwrap();
    // Names come in the order of the file: the common ones are the even rows.
    let rows = (0..COMMON).map(|user| 2 * user).collect();
    let common = Common {
        rows,
        digest: [5; 32],
    };
    platform
        .slot
        .leave(job, taken.epoch, SocialJob::Aligned(common))
        .unwrap();
    let first = SetupRequest {
        job_id: name.clone(),
        seed_half: vec![1; 32],
        users_digest: vec![5; 32],
        parameters: None,
        stock_id: vec![7; 16],
        ..SetupRequest::default()
    };
    let asked = |request: SetupRequest| async move {
        let began = Instant::now();
        let before = seen(platform, name);
        let taken = platform.slot.take(job, false).unwrap();
        let due = platform.slot.with(job, |running| reading_time(running));
        let answering = setup::answer(platform, job, request.clone(), taken);
        tokio::pin!(answering);
        // All is computed by then, and nothing is to be seen of it: the one entry of the log is
        // that Setup has begun.
        let early = due.unwrap() - Duration::from_millis(2);
        let early = tokio::time::timeout(early, &mut answering).await;
        assert!(early.is_err(), "answered early");
        let is_first = request.parameters.is_none();
        let Seen { entries, shown } = seen(platform, name);
        assert_eq!(entries, before.entries + u64::from(is_first));
        assert_eq!(shown, before.shown);
        let told = platform.journal.last(name).unwrap().message;
        assert!(!is_first || told == "Agreeing on parameters.", "{told}");
        let busy = platform.slot.take(job, false).map(drop).unwrap_err();
        assert_eq!(busy.reason, Reason::OutOfOrder);
        // Whoever has the logs meet gets the head of before the call.
        assert_eq!(polled(platform, name), before.entries);
        let answer = answering.await.unwrap();
        let after = seen(platform, name);
        assert_ne!(after.shown, before.shown);
        assert_eq!(polled(platform, name), after.entries);
        (answer, began.elapsed())
    };
    let bounds = asked(first.clone()).await;
    let mut wanted = ProductRequest::new(proposal.protocol, proposal.operator, COMMON, 4, 3);
    wanted.row_norm_bound = bounds.0.row_norm_bound;
    wanted.nonzeros_bound = bounds.0.nonzeros_bound;
    wanted.fetched_rows_bound = bounds.0.fetched_rows_bound;
    let parameters = choose_parameters(&wanted).unwrap();
    let agreed = asked(SetupRequest {
        parameters: Some(parameters_to_wire(&parameters).unwrap()),
        ..first
    });
    let agreed = agreed.await;
    platform.end(name, JobState::Cancelled, "enough");
    [bounds, agreed].map(|(mut response, time)| {
        assert_eq!(response.seed_half.len(), 32);
        response.job_id.clear();
        response.seed_half.clear();
        // Salted anew for every job.
        response.operator_commitment.truncate(0);
        (response, time)
    })
}

/// The newest entry of P1's log as P0 is shown it, when it asks for both logs to meet.
fn polled(platform: &Platform, job: &str) -> u64 {
    let ours = Head {
        log: [1; 32],
        sequence: 5,
        hash: [2; 32],
    };
    let request = CrossSignRequest {
        job_id: job.into(),
        phase: s3rec_wire::v1::Phase::Setup.into(),
        rating_head: Some(head_to_wire(&ours)),
        ..CrossSignRequest::default()
    };
    // Whose signature it is shows in the second call alone.
    let answered = head_exchange::answer(platform, &request, &platform.audit.public());
    answered.unwrap().social_head.unwrap().sequence
}

/// What P0 could see of a call that is under way, if it was there.
struct Seen {
    /// The newest of the audit log.
    entries: u64,
    shown: Option<Shown>,
}

fn seen(platform: &Platform, job: &str) -> Seen {
    let stored = platform.store.get::<JobDisclosure>(DISCLOSURES, job);
    Seen {
        entries: platform.audit.head().unwrap().sequence,
        shown: stored.unwrap().and_then(|stored| stored.shown),
    }
}

fn links(among: impl Iterator<Item = (u32, u32)>) -> String {
    let own = (0..COMMON).map(|user| format!("c{user}\to{user}\n"));
    let among = among.filter(|(from, to)| from != to);
    let among = among.map(|(from, to)| format!("c{from}\tc{to}\n"));
    own.chain(among).collect()
}

#[tokio::test]
async fn setup_says_the_same_at_the_same_times_whatever_the_links_are() {
    let bare = Bare::new();
    let mut state = 3_u32;
    let mut below = |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % bound
    };
    let mut random = |count: usize| -> Vec<(u32, u32)> {
        (0..count).map(|_| (below(COMMON), below(COMMON))).collect()
    };
    let star = (1..COMMON).map(|leaf| (0, leaf)).collect();
    let sets = [
        Vec::new(),
        vec![(0, 1)],
        star,
        random(10),
        random(60),
        random(150),
    ];
    for (number, set) in sets.iter().enumerate() {
        let text = links(set.iter().copied());
        let imported = bare.import(&format!("set{number}"), &text).await;
        assert_eq!(imported.users, u64::from(2 * COMMON));
    }
    // From here on time passes only where somebody waits for it: computing takes none.
    tokio::time::pause();
    let most = u64::from(2 * COMMON * (2 * COMMON - 1));
    let due = AnswerTimes::setup(most, COMMON);
    assert!(due > Duration::from_millis(20));
    for (operator, protocol) in [
        (OperatorKind::Laplacian, Protocol::Preprocessed),
        (OperatorKind::NormalizedLaplacian, Protocol::He),
        (OperatorKind::OutAverage, Protocol::PreprocessedPir),
    ] {
        let mut first = None;
        for number in 0..sets.len() {
            let proposal = proposal(operator, protocol);
            let received = answers(&bare, &format!("set{number}"), proposal, GIVEN).await;
            for (_, time) in &received {
                // The timer's own granularity is a millisecond.
                let late = time.saturating_sub(due);
                assert!(
                    *time >= due && late <= Duration::from_millis(2),
                    "{time:?} for {due:?}"
                );
            }
            let said = received.map(|(response, _)| response);
            assert_eq!(
                *first.get_or_insert_with(|| said.clone()),
                said,
                "{operator} {number}"
            );
        }
        // With the ladder it is not so: the check above can fail.
        let ladder = Given {
            rule: Some(BoundsRule::Ladder),
            ..GIVEN
        };
        let proposal = proposal(operator, protocol);
        let [(bounds, _), _] = answers(&bare, "set0", proposal, ladder).await;
        assert_ne!(Some(bounds), first.map(|[bounds, _]| bounds));
    }
}
