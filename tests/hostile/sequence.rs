//! Calls that are each well-formed and come in another order than the conversation's.

use s3rec_job::Phase;
use s3rec_node::pki::{CertificateRole, rotate};
use s3rec_spmm::Protocol;
use s3rec_spmm::preprocessed::{MemoryStorage, RatingBlock};
use s3rec_wire::convert::{chunk_of_header, parameters_to_wire};
use s3rec_wire::status::Reason;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::attacker::{Attacker, fault_of, proposal};
use crate::target::{Target, everybody, policy, ring_of_links};

/// Another half of the seed, or another stock, than the first call of Setup named.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_call_of_setup_keeps_what_the_first_one_said() {
    type Change = fn(&mut v1::SetupRequest);
    let changes: [(&str, Change); 3] = [
        ("seed_half", |request| request.seed_half = vec![4; 32]),
        ("stock_id", |request| request.stock_id = vec![4; 16]),
        ("users_digest", |request| request.users_digest = vec![4; 32]),
    ];
    for (field, change) in changes {
        let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 1);
        attacker.approved(&proposal).await;
        let (common, _) = attacker.align(proposal.job, &everybody()).await.unwrap();
        let mut request = Attacker::setup_request(proposal.job, &common);
        attacker.setup(request.clone()).await.unwrap();
        let template = Template::of(&target).await;
        request.parameters = Some(template);
        change(&mut request);
        let fault = attacker.setup(request).await.expect_err(field);
        assert_eq!(fault.reason, Reason::Contradiction, "{field}: {fault:?}");
        let (state, why) = target.end_of(&proposal.job.to_string()).await;
        assert_eq!(state, JobState::Failed, "{why}");
        assert_eq!(target.counters().await.stocks, 0);
    }
}

/// Parameters that P1 agrees to, from a job that was played before.
struct Template;

impl Template {
    async fn of(target: &Target) -> v1::ProductParameters {
        let _ = target;
        let mut other = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = other.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 1);
        let agreed = attacker.agreed(&proposal, &everybody()).await;
        assert_eq!(other.counters().await.openings, 0);
        parameters_to_wire(&agreed.parameters).unwrap()
    }
}

/// The bounds are told once; a third call of Setup, or a first one with parameters, is not due.
#[tokio::test(flavor = "multi_thread")]
async fn setup_is_called_twice_and_in_its_order() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let first = proposal(Protocol::Preprocessed, 1);
    let agreed = attacker.agreed(&first, &everybody()).await;
    let message = parameters_to_wire(&agreed.parameters).unwrap();
    let again = v1::SetupRequest {
        job_id: first.job.to_string(),
        seed_half: vec![3; 32],
        users_digest: vec![0; 32],
        parameters: None,
        stock_id: vec![5; 16],
        ..v1::SetupRequest::default()
    };
    let fault = attacker.setup(again).await.unwrap_err();
    assert_eq!(fault.reason, Reason::OutOfOrder, "{fault:?}");
    let (state, _) = target.end_of(&first.job.to_string()).await;
    assert_eq!(state, JobState::Failed);

    let second = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&second).await;
    let (common, _) = attacker.align(second.job, &everybody()).await.unwrap();
    let early = v1::SetupRequest {
        parameters: Some(message),
        ..Attacker::setup_request(second.job, &common)
    };
    let fault = attacker.setup(early).await.unwrap_err();
    assert_eq!(fault.reason, Reason::OutOfOrder, "{fault:?}");
    let (state, _) = target.end_of(&second.job.to_string()).await;
    assert_eq!(state, JobState::Failed);
    assert_eq!(target.counters().await.stocks, 0);
}

/// Common users that P1 did not find.
#[tokio::test(flavor = "multi_thread")]
async fn setup_over_other_users_is_refused() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let (mut common, _) = attacker.align(proposal.job, &everybody()).await.unwrap();
    common.digest[0] ^= 1;
    let request = Attacker::setup_request(proposal.job, &common);
    let fault = attacker.setup(request).await.unwrap_err();
    assert_eq!(fault.reason, Reason::Contradiction, "{fault:?}");
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
}

/// Rounds before there are keys, blocks before there is a key, a meeting before there is a stock.
#[tokio::test(flavor = "multi_thread")]
async fn exchanges_before_their_time_are_refused() {
    for phase in [Phase::Offline, Phase::Online] {
        let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 1);
        let agreed = attacker.agreed(&proposal, &everybody()).await;
        let header = match phase {
            Phase::Online => agreed.round(1),
            _ => agreed.header(phase, 0),
        };
        let early = [chunk_of_header(&header)];
        let called = attacker.client.exchange(tokio_stream::iter(early)).await;
        let fault = fault_of(&called.map(drop).unwrap_err());
        assert_eq!(fault.reason, Reason::OutOfOrder, "{fault:?}");
        let (state, why) = target.end_of(&proposal.job.to_string()).await;
        assert_eq!(state, JobState::Failed, "{why}");
        let counters = target.counters().await;
        assert_eq!((counters.stocks, counters.openings), (0, 0));
    }
}

/// A block that is sent again, with other masks, after its answer was made: the stock that it
/// belonged to is discarded, and another upload is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_upload_counts_as_one() {
    let policy = policy(&[("most_stocks", "2")]);
    let mut target = Target::start(&policy, &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    let mut stock = attacker.stock(&agreed).await.unwrap();
    assert_eq!(target.counters().await.stocks, 1);
    // Another block of another stock, where the meeting is due.
    let storage = std::sync::Arc::new(MemoryStorage::default());
    let terms = stock.terms().clone();
    let pattern = std::sync::Arc::clone(&agreed.pattern);
    let other = s3rec_spmm::preprocessed::RatingStock::create(storage, terms, pattern);
    let block = RatingBlock::new(other.unwrap()).unwrap();
    let header = agreed.header(Phase::Offline, 0);
    let again = attacker.exchange(&header, block).await;
    again.map(drop).unwrap_err();
    assert_eq!(attacker.answered_bytes, 0);
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    // Nor does the old stock serve any more.
    attacker.hello().await;
    let met = attacker.meet(&agreed, stock).await;
    met.map(drop).unwrap_err();

    // Each job's upload is one more, until there are no more.
    for number in 2..4 {
        let proposal = self::proposal(Protocol::Preprocessed, 1);
        if attacker.propose(&proposal).await.unwrap() != JobState::Approved {
            assert_eq!(number, 3);
            break;
        }
        attacker.attach(proposal.job).await.unwrap();
        let (common, overlap) = attacker.align(proposal.job, &everybody()).await.unwrap();
        let agreed = attacker.agree(&proposal, (&common, overlap), |_| ()).await;
        stock = attacker.stock(&agreed.unwrap()).await.unwrap();
        assert_eq!(stock.cursor(), 0);
        assert_eq!(target.counters().await.stocks, number);
        attacker.abort(proposal.job).await;
    }
    assert_eq!(target.counters().await.stocks, 2);
}

/// The key of `he` twice: the second is one more upload, or refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_key_is_refused() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::He, 1);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    attacker.keys(&agreed).await.unwrap();
    let fault = attacker.keys(&agreed).await.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::OutOfOrder, "{fault:?}");
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    assert_eq!(target.counters().await.openings, 0);
}

/// A job without its lifeline does not begin, and nobody else's lifeline serves.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_its_lifeline_does_not_begin() {
    let target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let (first, second) = (
        proposal(Protocol::Preprocessed, 1),
        proposal(Protocol::Preprocessed, 1),
    );
    attacker.approved(&first).await;
    attacker.propose(&second).await.unwrap();
    let aligned = attacker.align(second.job, &everybody()).await;
    assert_eq!(aligned.map(drop).unwrap_err().reason, Reason::OutOfOrder);
    assert!(target.showings().is_empty());
}

/// A second certificate of the right role, by the same authority, that nobody here has pinned.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_pinned_gets_no_answer() {
    let target = Target::start(&policy(&[]), &ring_of_links()).await;
    rotate(&target.keys(), CertificateRole::Rating, &[]).unwrap();
    let mut honest = target.attacker().await;
    let known = proposal(Protocol::Preprocessed, 1);
    honest.propose(&known).await.unwrap();
    let before = target.log().entries.len();
    let keys = target.keys();
    let mut stranger = Attacker::connect(&target.peer_address, &keys, "rating.next").await;
    let proposed = stranger.propose(&proposal(Protocol::Preprocessed, 1)).await;
    assert_eq!(proposed.unwrap_err().reason, Reason::WrongPin);
    let attached = stranger.attach(known.job).await;
    assert_eq!(attached.unwrap_err().reason, Reason::WrongPin);
    let aligned = stranger.align(known.job, &everybody()).await;
    assert_eq!(aligned.map(drop).unwrap_err().reason, Reason::WrongPin);
    assert_eq!(target.log().entries.len(), before);
}
