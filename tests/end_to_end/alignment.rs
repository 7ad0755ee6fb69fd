//! Finding the common users: shown on both sides before anything else, an end of its own when
//! there are none, and refused where a platform does not keep to it.

use std::path::Path;

use s3rec_cli::client::{self, FileSource};
use s3rec_cli::failure::Failure;
use s3rec_node::pki::CertificateRole;
use s3rec_tests::data::Files;
use s3rec_tests::job::{Job, proposal};
use s3rec_tests::pair::{Pair, add_settings};
use s3rec_tests::raw;
use s3rec_wire::v1;
use s3rec_wire::v1::align_chunk::Part;

use crate::peer_port::{PeerClient, hello};

#[tokio::test]
async fn both_sides_show_sizes_and_overlap_before_the_setup() {
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let files = Files::small(directory.path());
    let mut job = Job::start(&pair, &files, 2).await;
    let mut at_rating = Vec::new();
    let last = client::rating_events(&mut job.rating, &job.id, |event| {
        at_rating.push(event.clone());
        Ok(())
    });
    assert_eq!(last.await.unwrap().state(), v1::JobState::Finished);
    let mut at_social = Vec::new();
    let last = client::social_events(&mut job.social, &job.id, |event| {
        at_social.push(event.clone());
        Ok(())
    });
    assert_eq!(last.await.unwrap().state(), v1::JobState::Finished);

    let shown = |events: &[v1::JobEvent]| {
        let at = events.iter().position(|event| event.overlap.is_some());
        let before = events[..at.unwrap()].iter().map(v1::JobEvent::phase);
        assert!(before.into_iter().all(|p| p <= v1::Phase::Alignment));
        let event = &events[at.unwrap()];
        assert!(event.message.contains("common users"), "{event:?}");
        event.overlap.unwrap()
    };
    let overlap = shown(&at_rating);
    assert_eq!(overlap, shown(&at_social));
    assert!(overlap.common_users > 0 && overlap.common_users <= overlap.social_users);

    let ours = job
        .rating
        .list_disclosures(v1::ListRatingDisclosuresRequest {})
        .await
        .unwrap()
        .into_inner();
    let theirs = job
        .social
        .list_disclosures(v1::ListSocialDisclosuresRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ours.disclosures[0].overlap, Some(overlap));
    assert_eq!(theirs.disclosures[0].overlap, Some(overlap));
}

#[tokio::test]
async fn nobody_in_common_is_one_clear_end_on_both_sides() {
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let mut files = Files::small(directory.path());
    files.links = write(directory.path(), "others.tsv", "p\tq\nq\tr\n");
    let mut job = Job::start(&pair, &files, 2).await;
    for end in [job.end_at_rating().await, job.end_at_social().await] {
        assert_eq!(end.state(), v1::JobState::Failed, "{end:?}");
        for words in ["no user in common", "3 of the social platform", "same ids"] {
            assert!(end.message.contains(words), "{}", end.message);
        }
    }
    let shown = job
        .social
        .list_disclosures(v1::ListSocialDisclosuresRequest {})
        .await
        .unwrap()
        .into_inner();
    let overlap = shown.disclosures[0].overlap.unwrap();
    assert_eq!((overlap.social_users, overlap.common_users), (3, 0));
    assert_eq!(shown.disclosures[0].openings, 0);
}

#[tokio::test]
async fn a_small_overlap_is_explained_to_each_side_by_its_own_ids() {
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let mut files = Files::small(directory.path());
    files.links = write(directory.path(), "zeros.tsv", "007\t008\n008\t009\n");
    let mut job = Job::start(&pair, &files, 2).await;
    let mut at_rating = Vec::new();
    let told = client::rating_events(&mut job.rating, &job.id, |event| {
        at_rating.push(event.message.clone());
        Ok(())
    });
    told.await.unwrap();
    let mut at_social = Vec::new();
    let told = client::social_events(&mut job.social, &job.id, |event| {
        at_social.push(event.message.clone());
        Ok(())
    });
    told.await.unwrap();
    let hint = "Of our own ids: 3 of 3 user ids beginning with 0";
    assert!(
        at_social.iter().any(|message| message.contains(hint)),
        "{at_social:?}"
    );
    // How the other side writes its ids is not for this one, nor is any id.
    assert!(
        !at_rating
            .iter()
            .any(|message| message.contains("beginning with 0")),
        "{at_rating:?}"
    );
    assert!(
        !at_social.iter().any(|message| message.contains("007")),
        "{at_social:?}"
    );
}

#[tokio::test]
async fn both_platforms_must_normalise_alike() {
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let text = "Ann\tx\t1\nann2\tx\t2\nBOB\ty\t4\nann2\ty\t3\nAnn\ty\t2\n";
    let ratings = write(directory.path(), "ratings.tsv", text);
    let links = write(
        directory.path(),
        "links.tsv",
        "ann\tbob\nbob\tzoe\nANN2\tbob\n",
    );
    let mut rating = client::rating(&pair.rating_connection()).await.unwrap();
    let mut social = client::social(&pair.social_connection()).await.unwrap();
    let source = |path: &Path, fold_case| FileSource {
        fold_case,
        ..FileSource::new(path, "test")
    };
    let folded = source(&ratings, true);
    client::import_ratings(&mut rating, &folded).await.unwrap();
    let plain = source(&links, false);
    client::import_links(&mut social, &plain).await.unwrap();
    let request = v1::ProposeJobRequest {
        no_held_out: true,
        ..proposal(1)
    };
    let id = rating
        .propose_job(request)
        .await
        .unwrap()
        .into_inner()
        .job_id;
    let approve = || v1::ApproveProposalRequest {
        expires_unix_ms: 0,
        job_id: id.clone(),
        dataset: String::new(),
        ..v1::ApproveProposalRequest::default()
    };
    let refused = social.approve_proposal(approve()).await.unwrap_err();
    let failure = Failure::from(refused);
    assert_eq!(failure.reason(), "CONTRADICTION", "{failure}");
    assert!(
        failure.to_string().contains("nfc-trim-casefold"),
        "{failure}"
    );

    let folded = source(&links, true);
    client::import_links(&mut social, &folded).await.unwrap();
    social.approve_proposal(approve()).await.unwrap();
    let request = v1::StartJobRequest {
        job_id: id.clone(),
        wait_for_approval: false,
    };
    rating.start_job(request).await.unwrap();
    let mut overlap = None;
    let last = client::rating_events(&mut rating, &id, |event| {
        overlap = overlap.or(event.overlap);
        Ok(())
    });
    let last = last.await.unwrap();
    assert_eq!(last.state(), v1::JobState::Finished, "{}", last.message);
    assert_eq!(overlap.unwrap().common_users, 3);
    let request = v1::PredictRequest {
        user_id: " bOb ".into(),
        item_id: "y".into(),
        ..Default::default()
    };
    let predicted = rating.predict(request).await.unwrap().into_inner();
    assert!(predicted.known_user);
}

/// Enough users of the rating platform for the form of small VOLEs: 5,000, of whom the social
/// platform has 40.
fn files_of_many_users(directory: &Path) -> Files {
    let mut ratings = String::new();
    for user in 0..5_000_u32 {
        for item in 0..3 {
            let (item, rating) = ((user * 7 + item * 11) % 50, 1 + (user + item) % 5);
            ratings.push_str(&format!("user-{user}\titem-{item}\t{rating}\n"));
        }
    }
    let name = |user: u32| match user < 40 {
        true => format!("user-{}", 100 * user),
        false => format!("stranger-{user}"),
    };
    let links = (0..60).map(|user| format!("{}\t{}\n", name(user), name((user + 1) % 60)));
    Files {
        ratings: write(directory, "ratings.tsv", &ratings),
        links: write(directory, "links.tsv", &links.collect::<String>()),
    }
}

#[tokio::test]
async fn many_users_are_found_by_small_voles() {
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &files_of_many_users(directory.path()), 1).await;
    let end = job.end_at_rating().await;
    assert_eq!(end.state(), v1::JobState::Finished, "{}", end.message);
    let shown = job
        .social
        .list_disclosures(v1::ListSocialDisclosuresRequest {})
        .await
        .unwrap()
        .into_inner();
    let overlap = shown.disclosures[0].overlap.unwrap();
    let sizes = (overlap.rating_users, overlap.social_users);
    assert_eq!((sizes, overlap.common_users), ((5_000, 60), 40));
}

/// A P0 that announces enough users for small VOLEs and then does not keep to that form.
#[tokio::test]
async fn a_peer_hostile_to_small_voles_ends_the_job_by_a_named_cause() {
    for (parts, words) in [
        (vec![Part::Points(vec![1; 32])], "answer to our request"),
        (vec![Part::Transfers(vec![1; 18_431])], "18431 bytes"),
        (vec![Part::Transfers(vec![0; 18_432])], "neutral element"),
        (
            vec![Part::Transfers(vec![0xff; 18_432])],
            "no canonical encoding",
        ),
        (vec![Part::Columns(vec![0; 3_072])], "answer to our request"),
    ] {
        let (end, code) = hostile_with(4_096, parts).await;
        assert_eq!(end.state(), v1::JobState::Failed, "{end:?}");
        assert!(end.message.contains(words), "{words}: {}", end.message);
        assert!(code.is_some());
    }
}

async fn hostile(parts: Vec<Part>) -> (v1::JobEvent, Option<tonic::Code>) {
    hostile_with(2, parts).await
}

/// P0's side of one alignment that does not keep to it: P1 ends the job by a named cause.
async fn hostile_with(total: u64, parts: Vec<Part>) -> (v1::JobEvent, Option<tonic::Code>) {
    let impatient = |path: &Path| add_settings(path, "limits", "resume_seconds = 1");
    let mut pair = Pair::configured(impatient);
    let directory = tempfile::tempdir().unwrap();
    let mut job = Job::propose(&pair, &Files::small(directory.path()), 2).await;
    job.approve().await;
    // The daemon that we pose as follows what is decided on its proposals, over lifelines of its own.
    pair.rating.kill();
    let connection = pair
        .home
        .connection(CertificateRole::Rating, &pair.peer_address());
    let mut peer = PeerClient::new(raw::channel(&connection).await.unwrap());
    peer.hello(hello()).await.unwrap();
    let request = v1::WatchDecisionRequest {
        job_id: job.id.clone(),
    };
    let _lifeline = peer.watch_decision(request).await.unwrap();
    let opening = Part::Opening(v1::AlignOpening {
        job_id: job.id.clone(),
        session_half: vec![3; 32],
        total,
        id_rule: "nfc-trim".into(),
        ..v1::AlignOpening::default()
    });
    let chunks: Vec<_> = std::iter::once(opening)
        .chain(parts)
        .map(|part| v1::AlignChunk { part: Some(part) })
        .collect();
    let mut answers = peer
        .align(tokio_stream::iter(chunks))
        .await
        .unwrap()
        .into_inner();
    let code = loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(status) => break Some(status.code()),
        }
    };
    (job.end_at_social().await, code)
}

#[tokio::test]
async fn a_hostile_peer_ends_the_job_by_a_named_cause() {
    // The base point and its double, as RFC 9496 prints them.
    let hex = |text: &str| -> Vec<u8> {
        (0..32)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    };
    let one = hex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76");
    let two = hex("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919");
    let both = [&one[..], &two].concat();
    for (parts, words) in [
        (
            vec![Part::Points([&one[..], &[0; 32]].concat())],
            "neutral element",
        ),
        (vec![Part::Points(vec![0xff; 64])], "no canonical encoding"),
        (vec![Part::Points(vec![1; 33])], "33 bytes"),
        (
            vec![Part::Points([&both[..], &one].concat())],
            "more masked ids",
        ),
        (vec![Part::Points(one.repeat(2))], "twice"),
        (
            vec![Part::Labels(vec![0; 8])],
            "points from the rating platform",
        ),
        (
            vec![Part::Points(both.clone()), Part::Claims(vec![0xff; 4096])],
            "more bytes of claims",
        ),
        (
            // Two places of its own, none of P1's: cut off, which is waited out.
            vec![Part::Points(both.clone()), Part::Claims(vec![3; 1])],
            "stayed away for 1 s",
        ),
    ] {
        let (end, code) = hostile(parts).await;
        assert_eq!(end.state(), v1::JobState::Failed, "{end:?}");
        assert!(end.message.contains(words), "{words}: {}", end.message);
        assert!(code.is_some());
    }
}

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
