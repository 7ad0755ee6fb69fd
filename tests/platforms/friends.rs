//! One opening of friends' sums between two daemons: what P0 stores are the sums in the clear with
//! the noise agreed on; it is counted, limited and said on both sides; who was opened stays so.

use std::collections::{BTreeMap, BTreeSet};

use s3rec_algebra::RealMatrix;
use s3rec_model::friends::{FriendsBase, OpenedSides};
use s3rec_model::lists::ListsSettings;
use s3rec_sparse::{Rating, RatingMatrix};
use s3rec_spmm::noise_first::{Parameters, deviation};
use s3rec_wire::status::Reason;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::pair::{Pair, file, upload};

const USERS: u32 = 260;

/// Users of two tastes, a third of them with one or two ratings; P1 knows all but the first ten, and
/// friends mostly share their taste.
fn data() -> (String, String) {
    let mut ratings = String::new();
    for user in 0..USERS {
        let most = if user % 3 == 0 { 1 + user % 2 } else { 12 };
        let liked = (0..60).filter(|item| item % 2 == user % 2);
        let of_user = liked.filter(|item| (user * 7 + item * 5) % 3 != 0);
        for item in of_user.take(most as usize) {
            let value = 3 + (user + item) % 3;
            ratings += &format!("u{user}\ti{item}\t{value}\n");
        }
    }
    let mut links = String::new();
    for user in 10..USERS {
        for step in [2, 6, 16, 31] {
            let friend = 10 + (user - 10 + step) % (USERS - 10);
            links += &format!("u{user}\tu{friend}\n");
        }
        // Both directions, which count once.
        if user > 20 {
            links += &format!("u{user}\tu{}\n", user - 2);
        }
    }
    (ratings, links)
}

fn request(mu: f64) -> v1::ProposeJobRequest {
    let mut model = v1::ModelSettings::default();
    model.set_operator(v1::Operator::Friends);
    let mut release = v1::ReleasePolicy {
        friends: Some(v1::FriendsRelease {
            mu,
            ..v1::FriendsRelease::default()
        }),
        ..v1::ReleasePolicy::default()
    };
    release.set_kind(v1::ReleaseKind::Friends);
    v1::ProposeJobRequest {
        model: Some(model),
        release_policy: Some(release),
        purpose: "a test".into(),
        seed: 7,
        ..v1::ProposeJobRequest::default()
    }
}

async fn imported() -> Pair {
    let mut pair = Pair::start().await;
    let (ratings, links) = data();
    let given = pair.rating.import_ratings(file("ratings.tsv", &ratings));
    given.await.unwrap();
    let given = pair.social.import_links(file("links.tsv", &links));
    given.await.unwrap();
    pair
}

/// What P0 has on disk of an opening, up to what it serves from.
type Stored = (
    u32,
    Vec<String>,
    Vec<String>,
    Parameters,
    Vec<u32>,
    Vec<f64>,
);

fn stored(pair: &Pair, job: &str) -> Stored {
    let path = pair.directory.path().join("rating/models");
    let bytes = std::fs::read(path.join(format!("{job}.friends"))).unwrap();
    postcard::take_from_bytes(&bytes).unwrap().0
}

async fn report(pair: &mut Pair, job: &str) -> v1::JobReportResponse {
    let request = v1::JobReportRequest { job_id: job.into() };
    pair.rating.job_report(request).await.unwrap().into_inner()
}

/// The stored sums less those of the rows that P0's own model gives, in units of σ.
fn noise_of(stored: &Stored) -> f64 {
    let (_, users, items, parameters, opened, sums) = stored;
    let place =
        |ids: &[String]| -> BTreeMap<String, u32> { ids.iter().cloned().zip(0u32..).collect() };
    let (user_of, item_of) = (place(users), place(items));
    let (ratings, links) = data();
    let ratings: Vec<Rating> = ratings
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap();
            Rating {
                user: user_of[next()],
                item: item_of[next()],
                value: next().parse().unwrap(),
            }
        })
        .collect();
    let ratings = RatingMatrix::from_ratings(users.len(), items.len(), &ratings).unwrap();
    let common: BTreeSet<u32> = (10..USERS)
        .map(|user| user_of[&format!("u{user}")])
        .collect();
    let in_o: BTreeSet<u32> = opened.iter().copied().collect();
    assert!(in_o.is_subset(&common));
    let uploaded: Vec<u32> = common.difference(&in_o).copied().collect();
    let count = |user: u32| ratings.by_user(user as usize).0.len();
    // Whoever has few ratings is opened, and a sample of the others.
    assert!(uploaded.iter().all(|&user| count(user) >= 5));
    let calibration = opened.iter().copied().filter(|&user| count(user) >= 5);
    let sides = OpenedSides {
        calibration: calibration.collect(),
        opened: opened.clone(),
        uploaded: uploaded.clone(),
    };
    assert!(!sides.calibration.is_empty());
    let settings = ListsSettings {
        seed: 7,
        ..ListsSettings::default()
    };
    let base = FriendsBase::learn(&ratings, sides, &settings).unwrap();
    let columns = parameters.columns();
    let rows = base.rows(columns);
    let friends: BTreeSet<(u32, u32)> = links
        .lines()
        .filter_map(|line| {
            let (from, to) = line.split_once('\t')?;
            Some((*user_of.get(from)?, *user_of.get(to)?))
        })
        .flat_map(|(from, to)| [(from, to), (to, from)])
        .collect();
    let mut clear = RealMatrix::zeros(opened.len(), columns);
    for (row, &user) in opened.iter().enumerate() {
        for &(_, friend) in friends.range((user, 0)..=(user, u32::MAX)) {
            let Ok(from) = uploaded.binary_search(&friend) else {
                continue;
            };
            let x = rows.row(from).iter();
            let sums = clear.row_mut(row).iter_mut();
            sums.zip(x).for_each(|(sum, x)| *sum += x);
        }
    }
    deviation(parameters, sums, clear.values())
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_stored_with_their_noise_and_the_promise_is_said_and_counted() {
    let mut pair = imported().await;
    let (job, events) = pair.run(request(0.0)).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    assert_eq!(pair.social_end(&job).await.state(), JobState::Finished);

    let stored = stored(&pair, &job);
    let (parameters, opened, sums) = (&stored.3, &stored.4, &stored.5);
    assert_eq!(sums.len(), opened.len() * 8);
    let ratio = noise_of(&stored);
    let allowed = 5.0 / (2.0 * sums.len() as f64).sqrt() + 0.005;
    assert!((ratio - 1.0).abs() < allowed, "{ratio}");

    let report = report(&mut pair, &job).await;
    let guarantee = report.guarantee.unwrap();
    assert_eq!((guarantee.mu, guarantee.rho), (1.0, 0.5));
    assert_eq!(guarantee.prior_ceiling_5_percent, 0.075);
    assert!((guarantee.sigma - parameters.sigma()).abs() < 1e-12);
    assert!(report.guarantee_statement.contains("7.5 %"));
    assert!(report.parameters.is_none());
    let learnt = report.friends.unwrap();
    assert_eq!(learnt.opened as usize, opened.len());

    // Both ledgers count the same, before and in all, and say the sentence.
    let (seen, shown) = (pair.seen().await, pair.shown().await);
    let counters = seen.disclosures[0].counters.unwrap();
    assert_eq!(shown.disclosures[0].counters, Some(counters));
    assert_eq!(counters.openings, 1);
    assert_eq!(counters.opened_values, sums.len() as u64);
    assert_eq!((counters.exact_values, counters.nano_rho), (0, 500_000_000));
    assert_eq!(shown.disclosures[0].epsilon, 4.89);
    let said = shown.disclosures[0].statements.join("\n");
    for words in [
        "For each pair of users separately",
        "7.5 %",
        "in no release",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let in_all = shown.accounts[0].statements.join("\n");
    assert!(in_all.contains("√Σμ² = 1.000"), "{in_all}");

    // Lists for somebody with one rating, with their parts; ratings are not predicted.
    let lists = v1::RecommendRequest {
        user_id: "u30".into(),
        count: 5,
        ..v1::RecommendRequest::default()
    };
    let list = pair.rating.recommend(lists).await.unwrap().into_inner();
    assert!(list.known_user);
    assert_eq!(list.items.len(), 5);
    for item in &list.items {
        let parts = item.parts.unwrap();
        let sum = parts.taste + parts.social + parts.popularity;
        assert!((sum - item.score).abs() < 1e-9, "{item:?}");
    }
    // The lists of all users are those of each, whatever they rest on.
    let all = v1::RecommendAllRequest {
        count: 5,
        ..v1::RecommendAllRequest::default()
    };
    let mut chunks = pair.rating.recommend_all(all).await.unwrap().into_inner();
    let mut listed = 0;
    while let Some(chunk) = chunks.message().await.unwrap() {
        let mut items = chunk.item_ids.iter().zip(&chunk.scores);
        for (user, length) in chunk.user_ids.iter().zip(&chunk.lengths) {
            listed += 1;
            let list: Vec<_> = items.by_ref().take(*length as usize).collect();
            let alone = v1::RecommendRequest {
                user_id: user.clone(),
                count: 5,
                ..v1::RecommendRequest::default()
            };
            let alone = pair.rating.recommend(alone).await.unwrap().into_inner();
            assert_eq!(list.len(), alone.items.len());
            for ((item, score), alone) in list.iter().zip(&alone.items) {
                assert_eq!(**item, alone.item_id, "{user}");
                assert!((**score - alone.score).abs() < 1e-9, "{user}");
            }
        }
        assert!(items.next().is_none());
    }
    assert!(listed >= 200, "{listed}");
    let too_long = v1::RecommendAllRequest {
        count: 1001,
        ..v1::RecommendAllRequest::default()
    };
    assert!(pair.rating.recommend_all(too_long).await.is_err());
    let predict = v1::PredictRequest {
        user_id: "u30".into(),
        item_id: "i2".into(),
        ..v1::PredictRequest::default()
    };
    assert!(pair.rating.predict(predict).await.is_err());
    let (users, items) = pair.model(&job).await;
    assert!(users.len() > 200 * 32 && !items.is_empty());

    // The same users again, by the same sample; beyond what a lineage may spend nothing begins.
    let (again, events) = pair.run(request(1.0)).await;
    assert_eq!(events.last().unwrap().state(), JobState::Finished);
    assert_eq!(self::stored(&pair, &again).4, *opened);
    let (_, events) = pair.run(request(1.5)).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    assert!(last.message.contains("√Σμ²"), "{}", last.message);
    assert_eq!(pair.shown().await.accounts[0].counters.unwrap().openings, 2);

    // A data set that knows nothing of who was opened draws another sample.
    let (ratings, _) = data();
    let header = v1::FileHeader {
        file_name: "ratings.tsv".into(),
        dataset: "another".into(),
        ..v1::FileHeader::default()
    };
    let given = pair.rating.import_ratings(upload(header, &ratings));
    given.await.unwrap();
    let other = v1::ProposeJobRequest {
        dataset: "another".into(),
        ..request(0.5)
    };
    let (_, events) = pair.run(other).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    assert!(last.message.contains("opened before"), "{}", last.message);
    assert_eq!(pair.shown().await.accounts[0].counters.unwrap().openings, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_opened_over_everybody_where_it_is_asked_for() {
    let mut pair = imported().await;
    let mut two_sided = request(0.5);
    let release = two_sided.release_policy.as_mut().unwrap();
    release.friends.as_mut().unwrap().set_sides(v1::Sides::Two);
    let (job, events) = pair.run(two_sided).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let stored = stored(&pair, &job);
    assert_eq!(stored.4.len(), 250);
    let guarantee = report(&mut pair, &job).await.guarantee.unwrap();
    assert!((guarantee.sensitivity - std::f64::consts::SQRT_2).abs() < 1e-12);
    assert!(guarantee.sigma > std::f64::consts::SQRT_2 / 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_sums_leave_with_their_noise_or_not_at_all() {
    let mut pair = imported().await;
    type Spoil = fn(&mut v1::ProposeJobRequest);
    let spoilt: [(&str, Spoil); 7] = [
        ("release_policy", |request| {
            let mut exact = v1::ReleasePolicy::default();
            exact.set_kind(v1::ReleaseKind::Exact);
            request.release_policy = Some(exact);
        }),
        ("protocol", |request| {
            request.set_protocol(v1::Protocol::Preprocessed)
        }),
        ("operator", |request| {
            request.set_protocol(v1::Protocol::NoiseFirst);
            let model = request.model.as_mut().unwrap();
            model.set_operator(v1::Operator::Laplacian);
        }),
        ("pattern_policy", |request| {
            request.set_pattern_policy(v1::PatternPolicy::ActiveRows)
        }),
        ("model.rounds", |request| {
            request.model.as_mut().unwrap().rounds = 2
        }),
        ("model.social_weight", |request| {
            request.model.as_mut().unwrap().social_weight = Some(1.0)
        }),
        ("model.rank", |request| {
            request.model.as_mut().unwrap().rank = 400
        }),
    ];
    for (field, spoil) in spoilt {
        let mut request = request(1.0);
        spoil(&mut request);
        let refused = pair.rating.propose_job(request).await.unwrap_err();
        let fault = s3rec_wire::status::Fault::from_status(&refused).unwrap();
        assert_eq!(fault.reason, Reason::Unsupported, "{field}: {fault:?}");
        assert_eq!(fault.metadata["field"], field, "{fault:?}");
    }
    // Bounds that follow from the links would make the promise false.
    let proposed = pair.rating.propose_job(request(1.0)).await.unwrap();
    let job = proposed.into_inner().job_id;
    let mut approve = v1::ApproveProposalRequest {
        job_id: job.clone(),
        ..v1::ApproveProposalRequest::default()
    };
    approve.set_bounds_rule(v1::BoundsRule::Ladder);
    let refused = pair.social.approve_proposal(approve).await.unwrap_err();
    assert!(refused.message().contains("ladder"), "{refused:?}");
    // Whoever consents reads what the release shows, promises and does not.
    let all = v1::ListProposalsRequest { pending_only: true };
    let pending = pair.social.list_proposals(all).await.unwrap().into_inner();
    let said = pending.proposals[0].warnings.join("\n");
    for words in ["spends μ = 1", "7.5 %", "Not promised", "roster", "at most"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// FilmTrust, from the agreement on parameters to the sums, P0's own training left out.
#[tokio::test(flavor = "multi_thread")]
async fn the_product_of_filmtrust_takes_moments() {
    use s3rec_testkit::datasets::Dataset;
    if !Dataset::FilmTrust.is_available() {
        return;
    }
    let mut pair = Pair::start().await;
    let (ratings, links) = Dataset::FilmTrust.read().unwrap();
    let mut text = String::new();
    for rating in &ratings.ratings {
        let user = ratings.users.name(rating.user).unwrap();
        let item = ratings.items.name(rating.item).unwrap();
        text += &format!("{user}\t{item}\t{}\n", rating.value);
    }
    let given = pair.rating.import_ratings(file("ratings.tsv", &text));
    given.await.unwrap();
    let mut text = String::new();
    for (from, to) in &links.links {
        let name = |user: u32| links.users.name(user).unwrap();
        text += &format!("{}\t{}\n", name(*from), name(*to));
    }
    let given = pair.social.import_links(file("links.tsv", &text));
    given.await.unwrap();
    let (job, events) = pair.run(request(1.0)).await;
    let at = |what: &str| {
        let event = events.iter().find(|event| event.message.starts_with(what));
        event
            .unwrap_or_else(|| panic!("{what}: {events:?}"))
            .time_unix_ms
    };
    let (agreeing, opened) = (at("Agreeing on parameters"), at("Friends' sums"));
    let stored = stored(&pair, &job);
    let matrix =
        RatingMatrix::from_ratings(stored.1.len(), stored.2.len(), &ratings.ratings).unwrap();
    let sides = OpenedSides {
        opened: Vec::new(),
        uploaded: (0..u32::try_from(matrix.users()).unwrap()).collect(),
        calibration: Vec::new(),
    };
    let began = std::time::Instant::now();
    let base = FriendsBase::learn(&matrix, sides, &ListsSettings::default()).unwrap();
    let rows = base.rows(8);
    let training = began.elapsed();
    eprintln!(
        "FilmTrust: {} ms from agreeing to the sums, of which own training takes about {} ms ({} rows)",
        opened - agreeing,
        training.as_millis(),
        rows.rows()
    );
    // Loose: on an idle machine it is half a second.
    assert!(opened - agreeing < 20_000, "{} ms", opened - agreeing);
}
