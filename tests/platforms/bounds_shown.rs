//! What the bounds of the links show of them, and to whom.

use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

use crate::ledgers::POLICY;
use crate::pair::{Pair, default_request, file, small_data};
use crate::shown::reload;

/// Links of 35 users of whom 30 are common, by what a test wants among those.
fn links_among(common: impl Iterator<Item = (u32, u32)>) -> String {
    // Everybody has a link to somebody whom the rating platform does not know.
    let own = (10..45).map(|user| (user, 40 + (user + 1) % 5));
    let all = own.chain(common).filter(|(from, to)| from != to);
    all.map(|(from, to)| format!("u{from}\tu{to}\n")).collect()
}

/// The property: under equal statements everything that P0 receives before the first opening is
/// the same in every number, whatever the links among the common users are.
#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_opening_nothing_depends_on_the_links() {
    let mut pair = Pair::start().await;
    let (ratings, _) = crate::pair::small_data();
    let imported = pair.rating.import_ratings(file("ratings.tsv", &ratings));
    imported.await.unwrap();
    let mut state = 5_u32;
    let mut below = |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % bound
    };
    let mut random = |count: usize| -> Vec<(u32, u32)> {
        (0..count)
            .map(|_| (10 + below(30), 10 + below(30)))
            .collect()
    };
    let star = (11..40).map(|leaf| (10, leaf)).collect();
    let link_sets = [Vec::new(), vec![(10, 11)], star, random(40), random(300)];
    let mut views = Vec::new();
    for (number, links) in link_sets.iter().enumerate() {
        let links = links_among(links.iter().copied());
        let imported = pair.social.import_links(file("links.tsv", &links)).await;
        let imported = imported.unwrap().into_inner();
        assert_eq!(imported.users, 35);
        for protocol in [v1::Protocol::Preprocessed, v1::Protocol::He] {
            let mut proposal = default_request(1);
            proposal.set_protocol(protocol);
            let proposed = pair.rating.propose_job(proposal).await.unwrap();
            let job = proposed.into_inner().job_id;
            let approve = v1::ApproveProposalRequest {
                job_id: job.clone(),
                degree_bound: 70,
                links_bound: 400,
                ..v1::ApproveProposalRequest::default()
            };
            pair.social.approve_proposal(approve).await.unwrap();
            pair.begin(&job).await;
            let events = pair.watch(&job).await;
            let last = events.last().unwrap();
            assert_eq!(last.state(), JobState::Finished, "{}", last.message);
            let report = v1::JobReportRequest {
                job_id: job.clone(),
            };
            let report = pair.rating.job_report(report).await.unwrap().into_inner();
            let offline = report.offline.unwrap();
            views.push((
                protocol,
                report.parameters.unwrap(),
                (
                    offline.bytes_to_rating,
                    offline.bytes_to_social,
                    offline.messages,
                ),
            ));
            // P1's people are told that the openings are for nothing, and P0's are not.
            let told = |words: &str| words.contains("None of the 30 common users has a link");
            assert!(!events.iter().any(|event| told(&event.message)));
            let watch = v1::WatchProposalRequest {
                job_id: job.clone(),
            };
            let mut watched = pair
                .social
                .watch_proposal(watch)
                .await
                .unwrap()
                .into_inner();
            let mut is_told = false;
            while let Some(event) = watched.message().await.unwrap() {
                if told(&event.message) {
                    assert!(event.phase() == Phase::Setup && event.round == 0);
                    is_told = true;
                }
            }
            assert_eq!(is_told, number == 0, "{protocol:?} with {number}");
            let listed = v1::ListProposalsRequest::default();
            let listed = pair.social.list_proposals(listed).await.unwrap();
            let proposals = listed.into_inner().proposals;
            let summary = proposals.iter().find(|one| one.job_id == job).unwrap();
            assert_eq!(told(&summary.warnings.join("\n")), number == 0);
        }
    }
    for view in &views {
        let (protocol, ..) = view;
        let first = views.iter().find(|(other, ..)| other == protocol);
        assert_eq!(Some(view), first);
    }
}

/// The ladder is a choice, and stated where it is made: its bounds do follow the links.
#[tokio::test(flavor = "multi_thread")]
async fn the_ladder_shows_the_links_and_says_so() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let mut bounds = Vec::new();
    for links in [Vec::new(), (11..40).map(|leaf| (10, leaf)).collect()] {
        let links = links_among(links.into_iter());
        let imported = pair.social.import_links(file("links.tsv", &links)).await;
        imported.unwrap();
        let job = pair.propose(1).await;
        let approve = v1::ApproveProposalRequest {
            job_id: job.clone(),
            bounds_rule: v1::BoundsRule::Ladder.into(),
            ..v1::ApproveProposalRequest::default()
        };
        pair.social.approve_proposal(approve).await.unwrap();
        pair.begin(&job).await;
        let last = pair.watch(&job).await.pop().unwrap();
        assert_eq!(last.state(), JobState::Finished, "{}", last.message);
        let cost = v1::JobCostRequest {
            job_id: job.clone(),
        };
        let cost = pair.social.job_cost(cost).await.unwrap().into_inner();
        bounds.push(cost.parameters.unwrap().nonzeros_bound);
        let shown = pair.shown().await.disclosures;
        let shown = shown.iter().find(|shown| shown.job_id == job).unwrap();
        assert!(
            shown
                .statements
                .join("\n")
                .contains("whether they are linked")
        );
        assert_eq!(shown.bounds.unwrap().rule(), v1::BoundsRule::Ladder);
    }
    assert_eq!(bounds[0], 1);
    assert!(bounds[1] > 60, "{bounds:?}");
}

/// What the data exceed is told to the people here, when they import them or change the policy: were
/// it found out when a proposal comes, that the policy does not approve it would tell P0.
#[tokio::test(flavor = "multi_thread")]
async fn data_beyond_what_is_stated_is_an_error_of_this_platform_alone() {
    let loose = POLICY.replace("most_columns = 20", "most_columns = 2000");
    let tight = loose.replace("links_bound = 100", "links_bound = 69");
    let mut pair = Pair::start_under(&tight).await;
    let (ratings, links) = small_data();
    let given = pair.rating.import_ratings(file("ratings.tsv", &ratings));
    given.await.unwrap();
    let links = || file("links.tsv", &links);
    let said = |refused: tonic::Status| {
        let words = refused.message();
        assert!(words.contains("has 70 links and a user with 4"), "{words}");
    };
    said(pair.social.import_links(links()).await.unwrap_err());
    reload(&mut pair, &loose).await;
    pair.social.import_links(links()).await.unwrap();
    std::fs::write(pair.directory.path().join("policy.toml"), &tight).unwrap();
    let refused = pair.social.reload_policy(v1::PolicyRequest {}).await;
    said(refused.unwrap_err());
    // What was in force still is, and approves at once.
    let proposed = pair.rating.propose_job(default_request(3)).await;
    assert_eq!(proposed.unwrap().into_inner().state(), JobState::Approved);

    // Where people decide, P0 hears nothing of it either.
    reload(&mut pair, &tight.replace("\"approve\"", "\"ask\"")).await;
    let job = pair.propose(3).await;
    let approve = |degree_bound, links_bound| v1::ApproveProposalRequest {
        job_id: job.clone(),
        degree_bound,
        links_bound,
        ..v1::ApproveProposalRequest::default()
    };
    for (degree, links) in [(0, 0), (3, 70), (4, 69)] {
        let refused = pair.social.approve_proposal(approve(degree, links)).await;
        let words = refused.unwrap_err().message().to_owned();
        assert!(words.contains("has 70 links and a user with 4"), "{words}");
    }
    let watch = v1::WatchJobRequest {
        job_id: job.clone(),
    };
    let mut events = pair.rating.watch_job(watch).await.unwrap().into_inner();
    let heard = events.message().await.unwrap().unwrap();
    assert_eq!(heard.state(), JobState::Proposed);
    assert!(!heard.message.contains("70"), "{}", heard.message);
    pair.social.approve_proposal(approve(4, 70)).await.unwrap();
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
}
