//! Imported data, and the copies of them that jobs keep.

use std::path::PathBuf;

use crate::pair::{Pair, default_request, file, sent, small_data, upload};
use s3rec_audit::record::MAGIC;
use s3rec_audit::{Chain, Kind, Value};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

fn reason(status: &tonic::Status) -> Reason {
    Fault::from_status(status).unwrap().reason
}

/// The copies that jobs have at the rating and at the social platform.
fn copies(pair: &Pair) -> (Vec<String>, Vec<String>) {
    let of = |folder: &str| {
        let entries = std::fs::read_dir(pair.directory.path().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut jobs: Vec<_> = names
            .filter_map(|name| name.strip_prefix(".job-").map(String::from))
            .collect();
        jobs.sort();
        jobs
    };
    (of("rating/ratings"), of("social/links"))
}

fn own_file(pair: &Pair, folder: &str, job: &str) -> PathBuf {
    pair.directory
        .path()
        .join(folder)
        .join(format!(".job-{job}"))
}

/// Other ratings of the same users and items: everybody changes their mind.
fn other_ratings() -> String {
    let (ratings, _) = small_data();
    let turned = ratings.lines().map(|line| {
        let (pair, value) = line.rsplit_once('\t').unwrap();
        format!("{pair}\t{}\n", 6 - value.parse::<u32>().unwrap())
    });
    turned.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_under_a_jobs_name_changes_no_job() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(2).await;
    pair.approve(&job).await;
    // After the signed approval: under the data set's own name, under the name that copies of
    // jobs once had, and under the one they have.
    for name in ["small", &format!("job-{job}")] {
        let header = v1::FileHeader {
            file_name: "other.tsv".into(),
            dataset: name.into(),
            ..v1::FileHeader::default()
        };
        let imported = pair
            .rating
            .import_ratings(upload(header, other_ratings()))
            .await;
        imported.unwrap();
    }
    let header = v1::FileHeader {
        file_name: "other.tsv".into(),
        dataset: format!(".job-{job}"),
        ..v1::FileHeader::default()
    };
    let refused = pair
        .rating
        .import_ratings(upload(header, other_ratings()))
        .await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::InvalidRequest);
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);

    let request = v1::JobReportRequest {
        job_id: job.clone(),
    };
    let report = pair.rating.job_report(request).await.unwrap().into_inner();
    let committed = blake3::hash(small_data().0.as_bytes());
    assert_eq!(report.data_digest, committed.to_hex().to_string());
    // What it learnt, too: a job on the same ratings alone comes to the same model.
    let mut undisturbed = Pair::start().await;
    undisturbed.import().await;
    let (other, _) = undisturbed.run(crate::pair::request(2)).await;
    assert_eq!(pair.model(&job).await, undisturbed.model(&other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_copy_is_not_trained_on_at_either_platform() {
    let mut pair = Pair::start().await;
    pair.import().await;
    for (folder, text) in [
        ("rating/ratings", other_ratings()),
        ("social/links", "u10\tu11\nu11\tu12\n".into()),
    ] {
        let job = pair.propose(1).await;
        pair.approve(&job).await;
        std::fs::write(own_file(&pair, folder, &job), text).unwrap();
        pair.begin(&job).await;
        let last = pair.watch(&job).await.pop().unwrap();
        assert_eq!(last.state(), JobState::Failed, "{folder}: {}", last.message);
        let theirs = pair.social_end(&job).await;
        assert!(
            [&last, &theirs]
                .iter()
                .any(|end| end.message.contains("not those that were imported")),
            "{folder}: {}; {}",
            last.message,
            theirs.message
        );
        // The data set shares the file, and is imported anew.
        pair.import().await;
    }
    assert_eq!(
        pair.shown()
            .await
            .disclosures
            .iter()
            .map(|d| d.openings)
            .sum::<u32>(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_go_with_their_jobs_whatever_their_end() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let none = (Vec::<String>::new(), Vec::<String>::new());

    // Refused before it was sent.
    let mut unbounded = crate::pair::request(1);
    unbounded.model.as_mut().unwrap().rank = 100_000;
    pair.rating.propose_job(unbounded).await.unwrap_err();
    let mut unknown = crate::pair::request(1);
    unknown.held_out_share = Some(0.9);
    pair.rating.propose_job(unknown).await.unwrap_err();
    assert_eq!(copies(&pair), none);

    // Rejected, cancelled before and after the approval, revoked.
    for end in ["reject", "cancel", "cancel approved", "revoke"] {
        let job = pair.propose(1).await;
        assert_eq!(copies(&pair), (vec![job.clone()], vec![]), "{end}");
        let reason = String::from("a test");
        let job_id = job.clone();
        match end {
            "reject" => {
                pair.begin(&job).await;
                let request = v1::RejectProposalRequest { job_id, reason };
                pair.social.reject_proposal(request).await.unwrap();
            }
            "revoke" => {
                pair.approve(&job).await;
                assert_eq!(copies(&pair).1, *std::slice::from_ref(&job));
                pair.begin(&job).await;
                let request = v1::RevokeApprovalRequest { job_id, reason };
                pair.social.revoke_approval(request).await.unwrap();
            }
            _ => {
                if end == "cancel approved" {
                    pair.approve(&job).await;
                }
                let request = v1::CancelJobRequest { job_id, reason };
                pair.rating.cancel_job(request).await.unwrap();
            }
        }
        pair.watch(&job).await;
        pair.social_end(&job).await;
        assert_eq!(copies(&pair), none, "{end}");
    }

    // Finished: the model is served with its ratings; the links are needed no more.
    let (job, events) = pair.run(default_request(1)).await;
    assert_eq!(events.last().unwrap().state(), JobState::Finished);
    pair.social_end(&job).await;
    assert_eq!(copies(&pair), (vec![job.clone()], vec![]));

    // A start sweeps what a killed daemon left, and nothing that is needed.
    let waiting = pair.propose(1).await;
    pair.approve(&waiting).await;
    let (ratings, links) = (copies(&pair).0, copies(&pair).1);
    assert_eq!((ratings.len(), links.len()), (2, 1));
    let orphan = "01234567-89ab-4def-8123-456789abcdef";
    for folder in ["rating/ratings", "social/links"] {
        std::fs::write(own_file(&pair, folder, orphan), "left").unwrap();
    }
    let (directory, issued) = pair.stop().await;
    let mut pair = Pair::start_in(directory, issued).await;
    assert_eq!(copies(&pair), (ratings, links));
    assert!(!pair.model(&job).await.0.is_empty());
    pair.begin(&waiting).await;
    let last = pair.watch(&waiting).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_platform_leaves_no_copy() {
    let mut pair = Pair::start().await;
    pair.import().await;
    pair.stop_social.send_replace(true);
    let mut refused = pair.rating.propose_job(crate::pair::request(1)).await;
    for _ in 0..100 {
        if refused.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        refused = pair.rating.propose_job(crate::pair::request(1)).await;
    }
    let before = copies(&pair).0;
    refused.unwrap_err();
    pair.rating
        .propose_job(crate::pair::request(1))
        .await
        .unwrap_err();
    assert_eq!(copies(&pair).0, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_what_its_header_states_or_nothing() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (ratings, links) = small_data();
    let whole = |text: &str| v1::FileHeader {
        file_name: "mine.tsv".into(),
        dataset: "mine".into(),
        length: text.len() as u64,
        digest: blake3::hash(text.as_bytes()).as_bytes().to_vec(),
        ..v1::FileHeader::default()
    };
    // Ends at a line's end, one line early: nothing in the text tells.
    let early = |text: &str| text[..text.trim_end().rfind('\n').unwrap() + 1].to_owned();
    type Change = fn(&mut v1::FileHeader);
    let cases: [(&str, bool, Change); 7] = [
        ("length", true, |_| {}),
        ("length", false, |header| header.length -= 1),
        ("digest", false, |header| header.digest[3] ^= 1),
        ("digest", false, |header| header.digest.clear()),
        ("file_name", false, |header| header.file_name.clear()),
        ("file_name", false, |header| {
            header.file_name = "a\u{7}".into()
        }),
        ("dataset", false, |header| header.dataset = "a/b".into()),
    ];
    for (field, is_early, change) in cases {
        for (text, is_ratings) in [(&ratings, true), (&links, false)] {
            let mut header = whole(text);
            change(&mut header);
            let shortened = early(text);
            let text = if is_early { &shortened } else { text };
            let refused = match is_ratings {
                true => pair
                    .rating
                    .import_ratings(sent(header, text))
                    .await
                    .map(drop),
                false => pair.social.import_links(sent(header, text)).await.map(drop),
            };
            let refused = Fault::from_status(&refused.unwrap_err()).unwrap();
            assert_eq!(refused.reason, Reason::InvalidRequest, "{field}: {refused}");
            let named = refused.metadata.get("field").map(String::as_str);
            assert_eq!(named, Some(field), "{refused}");
        }
    }
    let same = |header: &mut v1::FileHeader| {
        header.user_column = "1".into();
        header.item_column = "1".into();
        header.truster_column = "1".into();
        header.trustee_column = "1".into();
    };
    let (mut of_ratings, mut of_links) = (whole(&ratings), whole(&links));
    same(&mut of_ratings);
    same(&mut of_links);
    let refused = pair.rating.import_ratings(sent(of_ratings, &ratings)).await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::InvalidRequest);
    let refused = pair.social.import_links(sent(of_links, &links)).await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::InvalidRequest);

    // Nothing took the name, and nothing is left of what was received.
    for folder in ["rating/ratings", "social/links"] {
        let entries = std::fs::read_dir(pair.directory.path().join(folder)).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["small"], "{folder}");
    }
    pair.rating
        .import_ratings(sent(whole(&ratings), &ratings))
        .await
        .unwrap();
    pair.social
        .import_links(file("links.tsv", &links))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_is_not_deleted_and_counters_survive_all_else() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let waiting = pair.propose(1).await;
    pair.approve(&waiting).await;
    let dataset = || v1::DeleteDatasetRequest {
        dataset: "small".into(),
        ..v1::DeleteDatasetRequest::default()
    };
    let of_job = |job: &str| v1::DeleteJobRequest { job_id: job.into() };
    // Named, at both platforms, by every verb.
    for refused in [
        pair.rating.delete_dataset(dataset()).await.unwrap_err(),
        pair.social.delete_dataset(dataset()).await.unwrap_err(),
        pair.rating.delete_job(of_job(&waiting)).await.unwrap_err(),
        pair.social.delete_job(of_job(&waiting)).await.unwrap_err(),
    ] {
        assert_eq!(reason(&refused), Reason::WrongState, "{refused}");
        let fault = Fault::from_status(&refused).unwrap();
        let named = fault.message.contains(&waiting) || fault.metadata.get("job") == Some(&waiting);
        assert!(named, "{fault:?}");
    }
    pair.begin(&waiting).await;
    pair.watch(&waiting).await;
    pair.social_end(&waiting).await;
    let (job, before) = (waiting, pair.shown().await);
    let seen_before = pair.seen().await;
    assert_eq!(before.disclosures.len(), 1);

    // The links are free; the ratings serve the model.
    let listed = pair
        .rating
        .list_datasets(v1::ListDatasetsRequest::default())
        .await;
    let listed = listed.unwrap().into_inner().datasets;
    assert_eq!(
        (listed[0].users, listed[0].jobs.clone()),
        (40, vec![job.clone()])
    );
    let shown = v1::ShowDatasetRequest::default();
    let shown = pair.social.show_dataset(shown).await.unwrap().into_inner();
    assert_eq!(shown.imported.unwrap().users, 35);
    assert!(shown.dataset.unwrap().jobs.is_empty());
    let refused = pair.rating.delete_dataset(dataset()).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::WrongState);
    let refused = pair.rating.delete_job(of_job(&job)).await.unwrap_err();
    assert!(refused.message().contains("model"), "{refused}");

    pair.social.delete_dataset(dataset()).await.unwrap();
    let model = || v1::DeleteModelRequest {
        model_id: job.clone(),
    };
    pair.rating.delete_model(model()).await.unwrap();
    let gone = pair.rating.delete_model(model()).await.unwrap_err();
    assert_eq!(reason(&gone), Reason::NotFound);
    let asked = v1::PredictRequest::default();
    let gone = pair.rating.predict(asked).await.unwrap_err();
    assert_eq!(reason(&gone), Reason::NotFound);
    assert_eq!(copies(&pair), (vec![], vec![]));
    // Its report is the job's.
    let report = || v1::JobReportRequest {
        job_id: job.clone(),
    };
    pair.rating.job_report(report()).await.unwrap();
    pair.rating.delete_dataset(dataset()).await.unwrap();
    pair.rating.delete_job(of_job(&job)).await.unwrap();
    pair.social.delete_job(of_job(&job)).await.unwrap();
    let gone = pair.rating.job_report(report()).await.unwrap_err();
    assert_eq!(reason(&gone), Reason::NotFound);
    let jobs = pair.rating.list_jobs(v1::ListJobsRequest {}).await;
    assert!(jobs.unwrap().into_inner().jobs.is_empty());

    // Counters and disclosures survive, also a start, and count for what is imported later.
    let after = pair.shown().await;
    assert_eq!(after.disclosures, before.disclosures);
    assert_eq!(after.accounts[0].counters, before.accounts[0].counters);
    assert_eq!(pair.seen().await, seen_before);
    let (directory, issued) = pair.stop().await;
    let mut pair = Pair::start_in(directory, issued).await;
    assert_eq!(pair.shown().await.disclosures, before.disclosures);
    pair.import().await;
    let (_, events) = pair.run(crate::pair::request(1)).await;
    assert_eq!(events.last().unwrap().state(), JobState::Finished);
    let accounts = pair.shown().await.accounts;
    assert_eq!(accounts.len(), 1);
    let openings = |accounts: &[v1::Account]| accounts[0].counters.unwrap().openings;
    assert_eq!(openings(&accounts), openings(&before.accounts) + 1);

    // Each stands in the audit log with who asked for it.
    for (role, what) in [
        ("rating", vec!["data set", "model", "job"]),
        ("social", vec!["data set", "job"]),
    ] {
        let log = std::fs::read(pair.directory.path().join(role).join("audit.log")).unwrap();
        let mut told: Vec<String> = Vec::new();
        let mut rest = &log[MAGIC.len()..];
        let mut chain = Chain::default();
        while !rest.is_empty() {
            let (entry, next, length) = chain.read(rest).unwrap();
            if entry.kind == Kind::Deletion {
                let field = |name: &str| match &entry.fields[name] {
                    Value::Text(text) => text.clone(),
                    other => panic!("{other:?}"),
                };
                assert!(!field("by").is_empty());
                told.push(field("what"));
            }
            (chain, rest) = (next, &rest[length..]);
        }
        told.sort();
        let mut expected: Vec<String> = what.iter().map(|what| (*what).to_owned()).collect();
        expected.sort();
        assert_eq!(told, expected, "{role}");
    }
}
