//! One opening of friends' sums between two daemons: what P0 stores are the sums in the clear with
//! the noise agreed on; it is counted, limited and said on both sides; who was opened stays so.

use std::collections::BTreeSet;

use s3rec_audit::verify;
use s3rec_job::OpenedUsers;
use s3rec_model::friends::{FriendsBase, OpenedSides};
use s3rec_model::lists::{ListsModel, ListsSettings};
use s3rec_node::audit::LOG_FILE;
use s3rec_node::store::{Store, Table};
use s3rec_sparse::RatingMatrix;
use s3rec_wire::status::Reason;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::friends_data::{
    data, exported, imported, noise_of, own_factors, read_factors, report, request, stored,
};
use crate::pair::{Pair, file, upload};

#[tokio::test(flavor = "multi_thread")]
async fn factors_brought_along_take_the_place_of_ours_in_a_job() {
    let mut pair = imported().await;
    let asked = v1::CalibrationUsersRequest::default();
    let chunks = pair.rating.calibration_users(asked).await.unwrap();
    let mut chunks = chunks.into_inner();
    let mut drawn = BTreeSet::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        drawn.extend(chunk.ids);
    }
    assert!((10..100).contains(&drawn.len()), "{}", drawn.len());
    let own = own_factors(&drawn);
    let header = v1::FileHeader {
        file_name: "own.parquet".into(),
        dataset: "own".into(),
        ..v1::FileHeader::default()
    };
    let import = |bytes: &[u8]| upload(header.clone(), bytes);
    pair.rating.import_factors(import(&own)).await.unwrap();
    let with = |name: &str| v1::ProposeJobRequest {
        factors: name.into(),
        ..request(1.0)
    };
    // Nothing that is not there, and nothing but friends' sums.
    assert!(pair.rating.propose_job(with("another")).await.is_err());
    let other = v1::ProposeJobRequest {
        factors: "own".into(),
        ..crate::pair::request(1)
    };
    let other = v1::ProposeJobRequest {
        dataset: "small".into(),
        ..other
    };
    let refused = pair.rating.propose_job(other).await.unwrap_err();
    let fault = s3rec_wire::status::Fault::from_status(&refused).unwrap();
    assert_eq!(fault.metadata["field"], "factors", "{fault:?}");

    // The job keeps the version that it was proposed with.
    let proposed = pair.rating.propose_job(with("own")).await.unwrap();
    let job = proposed.into_inner().job_id;
    let turned = own_factors(&BTreeSet::from(["u40".to_owned()]));
    pair.rating.import_factors(import(&turned)).await.unwrap();
    pair.approve(&job).await;
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let stored = stored(&pair, &job);
    let ratio = noise_of(&stored, Some(read_factors(&own)));
    let allowed = 5.0 / (2.0 * stored.5.len() as f64).sqrt() + 0.005;
    assert!((ratio - 1.0).abs() < allowed, "{ratio}");

    // Who was opened and has ratings enough is who was left out.
    let (header, rows) = exported(&mut pair, &job).await;
    assert_eq!((header.columns, header.width), (8, 2));
    let (ratings, _) = data();
    let count = |id: &str| {
        let of = ratings
            .lines()
            .filter(|line| line.split('\t').next() == Some(id));
        of.count()
    };
    let calibration = rows.ids.iter().filter(|id| count(id) >= 5);
    assert!(calibration.clone().all(|id| drawn.contains(id)));
    assert!(calibration.count() > 10);
    let verdict = report(&mut pair, &job).await.verdict.unwrap();
    let said = verdict.warnings.join("\n");
    assert!(said.contains("calibration-users"), "{said}");
    // Nothing of the copy is left, and the model is served without it.
    let left = std::fs::read_dir(pair.directory.path().join("rating/factors")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["own"]);
    assert!(!pair.model(&job).await.0.is_empty());
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
    let ratio = noise_of(&stored, None);
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

    // What another ranker is told are the same sums, and what the model makes of them.
    let (header, rows) = exported(&mut pair, &job).await;
    assert_eq!(header.users, opened.len() as u64);
    assert_eq!((header.columns, header.sigma), (8, parameters.sigma()));
    assert_eq!(rows.sums, *sums);
    let names = opened.iter().map(|user| &stored.1[*user as usize]);
    assert!(rows.ids.iter().eq(names));
    assert_eq!(rows.noisy_degrees.len(), opened.len());
    assert_eq!(rows.estimates.len(), opened.len() * header.width as usize);
    assert_eq!(header.is_used, learnt.is_used);

    // Lists for somebody with one rating, with their parts.
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
    // Ratings too, for everybody: with few ratings, with many, and unknown.
    for (user, is_known) in [("u30", true), ("u31", true), ("nobody", false)] {
        let predict = v1::PredictRequest {
            user_id: user.into(),
            item_id: "i2".into(),
            ..v1::PredictRequest::default()
        };
        let told = pair.rating.predict(predict).await.unwrap().into_inner();
        assert_eq!((told.known_user, told.known_item), (is_known, true));
        assert!((3.0..=5.0).contains(&told.rating), "{told:?}");
        let parts = told.parts.unwrap();
        let sum =
            parts.global_mean + parts.user_bias + parts.item_bias + parts.taste + parts.social;
        assert!((sum.clamp(3.0, 5.0) - told.rating).abs() < 1e-9, "{told:?}");
        assert!(is_known || parts.social == 0.0);
    }
    let unknown = v1::RecommendRequest {
        user_id: "nobody".into(),
        ..v1::RecommendRequest::default()
    };
    let list = pair.rating.recommend(unknown).await.unwrap().into_inner();
    assert_eq!((list.known_user, list.items.len()), (false, 10));
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

    // Who was opened is what P1's log witnesses.
    let (directory, _) = pair.stop().await;
    let data_dir = directory.path().join("social");
    let store = Store::open(&data_dir).unwrap();
    let known: Vec<(String, OpenedUsers)> = store.list(Table("opened users"), "").unwrap();
    let log = verify(&std::fs::read(data_dir.join(LOG_FILE)).unwrap()).unwrap();
    let witnessed = log.entries.iter().map(|(entry, _)| entry);
    let witnessed = witnessed
        .filter_map(|entry| entry.bytes("opened_digest"))
        .next_back();
    assert_eq!(witnessed, Some(&known[0].1.digest()[..]));
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
async fn an_opening_that_an_open_job_asks_for_is_not_proposed_again() {
    let mut pair = imported().await;
    let once = |mu| v1::ProposeJobRequest {
        refuse_repeated: true,
        ..request(mu)
    };
    let first = pair.rating.propose_job(once(1.0)).await.unwrap();
    let refused = pair.rating.propose_job(once(1.0)).await.unwrap_err();
    let fault = s3rec_wire::status::Fault::from_status(&refused).unwrap();
    assert_eq!(fault.reason, Reason::AlreadyProposed, "{fault:?}");
    assert_eq!(fault.metadata["job"], first.into_inner().job_id);
    // Another one is, and so is the same where it is meant.
    for meant in [once(0.5), request(1.0)] {
        pair.rating.propose_job(meant).await.unwrap();
    }
}

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
    let settings = ListsSettings::default();
    let base = FriendsBase::learn(&matrix, sides, |base| ListsModel::learn(base, &settings));
    let base = base.unwrap();
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
