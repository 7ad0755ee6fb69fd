//! Users without a rating or a link, and factors brought along.

use crate::pair::{Pair, small_data, upload};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, file_chunk::Part};

/// Both platforms know ann and bob; ann has neither a rating nor a link, and u3 has ratings alone.
const RATING_USERS: &str = "ann\nbob\nu3\n";
const SOCIAL_USERS: &str = "user_id\nann\nbob\nu3\nzoe\n";

fn listed(dataset: &str, users: &str) -> v1::FileHeader {
    v1::FileHeader {
        file_name: "data.tsv".into(),
        dataset: dataset.into(),
        parts: vec![v1::FilePart {
            kind: "users".into(),
            file_name: "users.txt".into(),
            length: users.len() as u64,
            column: String::new(),
        }],
        ..v1::FileHeader::default()
    }
}

async fn import(pair: &mut Pair) -> (v1::ImportRatingsResponse, v1::ImportLinksResponse) {
    let (ratings, links) = small_data();
    let header = listed("small", RATING_USERS);
    let ratings = upload(header, format!("{ratings}{RATING_USERS}"));
    let ratings = pair.rating.import_ratings(ratings).await.unwrap();
    let header = listed("small", SOCIAL_USERS);
    let links = upload(header, format!("{links}{SOCIAL_USERS}"));
    let links = pair.social.import_links(links).await.unwrap();
    (ratings.into_inner(), links.into_inner())
}

async fn warnings(pair: &mut Pair) -> String {
    let request = v1::ListProposalsRequest { pending_only: true };
    let listed = pair.social.list_proposals(request).await.unwrap();
    let proposals = listed.into_inner().proposals;
    proposals[0].warnings.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_a_rating_or_a_link_are_common_and_served() {
    let mut pair = Pair::start().await;
    let (ratings, links) = import(&mut pair).await;
    let roster = ratings.roster.unwrap();
    assert_eq!((ratings.users, roster.users), (40, 3));
    assert_eq!((roster.only_listed, roster.not_listed), (2, 39));
    let roster = links.roster.unwrap();
    assert_eq!(
        (links.users, roster.only_listed, roster.not_listed),
        (35, 4, 35)
    );
    let datasets = pair
        .rating
        .list_datasets(v1::ListDatasetsRequest::default());
    assert_eq!(datasets.await.unwrap().into_inner().datasets[0].users, 42);

    let job = pair.propose(2).await;
    let said = warnings(&mut pair).await;
    assert!(!said.contains("list of your users"), "{said}");
    pair.approve(&job).await;
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    // u10 to u39 have links; u3, ann and bob are common because both list them.
    let seen = pair.seen().await.disclosures.pop().unwrap();
    assert_eq!(seen.common_users, 33, "{seen:?}");

    let request = v1::RecommendRequest {
        user_id: "ann".into(),
        count: 5,
        ..v1::RecommendRequest::default()
    };
    let served = pair.rating.recommend(request).await.unwrap().into_inner();
    assert_eq!(served.items.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_being_common_shows_a_link_and_the_consent_says_so() {
    let mut pair = Pair::start().await;
    pair.import().await;
    pair.propose(1).await;
    let said = warnings(&mut pair).await;
    assert!(said.contains("list of your users in small"), "{said}");
    assert!(said.contains("that somebody has one"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_part_of_what_is_committed_to() {
    let mut pair = Pair::start().await;
    import(&mut pair).await;
    let job = pair.propose(1).await;
    pair.approve(&job).await;
    // One listed user is another now, in the copy alone.
    let folder = pair.directory.path().join("social/links");
    let path = folder.join(format!(".job-{job}"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("zoe\n"));
    std::fs::write(&path, text.replace("zoe\n", "zoa\n")).unwrap();
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Failed, "{}", last.message);
    let theirs = pair.social_end(&job).await;
    let said = format!("{}; {}", last.message, theirs.message);
    assert!(said.contains("not those that were imported"), "{said}");

    // And a bad list is refused by its own name and line, with nothing changed.
    let (ratings, _) = small_data();
    let bad = "ann\n1.23E+05\n";
    let bad = upload(listed("small", bad), format!("{ratings}{bad}"));
    let refused = pair.rating.import_ratings(bad).await.unwrap_err();
    assert!(refused.message().contains("users.txt:2"), "{refused}");
    let mut header = listed("small", "ann\n");
    header.parts[0].kind = "friends".into();
    let refused = pair
        .rating
        .import_ratings(upload(header, "u\ti\t1\nann\n"))
        .await;
    let fault = Fault::from_status(&refused.unwrap_err()).unwrap();
    assert_eq!(fault.reason, Reason::InvalidRequest);
}

/// A safetensors file of users' vectors of two values.
fn tensors(rows: &[(&str, [f32; 2])]) -> Vec<u8> {
    let ids: Vec<String> = rows.iter().map(|(id, _)| format!("\\\"{id}\\\"")).collect();
    let header = format!(
        "{{\"__metadata__\":{{\"user_ids\":\"[{}]\"}},\"user_factors\":{{\"dtype\":\"F32\",\
         \"shape\":[{},2],\"data_offsets\":[0,{}]}}}}",
        ids.join(","),
        rows.len(),
        rows.len() * 8
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    for value in rows.iter().flat_map(|(_, row)| row) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}

fn factors(name: &str, bytes: &[u8]) -> tokio_stream::Iter<std::vec::IntoIter<v1::FileChunk>> {
    let header = v1::FileHeader {
        file_name: "factors.safetensors".into(),
        dataset: name.into(),
        length: bytes.len() as u64,
        digest: blake3::hash(bytes).as_bytes().to_vec(),
        ..v1::FileHeader::default()
    };
    let parts = [Part::Header(header), Part::Data(bytes.to_vec())];
    let chunks = parts.map(|part| v1::FileChunk { part: Some(part) });
    tokio_stream::iter(chunks.to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn factors_are_a_data_set_of_their_own() {
    let mut pair = Pair::start().await;
    let none = pair
        .rating
        .import_factors(factors("own", &tensors(&[("u1", [1.0, 2.0])])));
    assert!(
        none.await
            .unwrap_err()
            .message()
            .contains("no ratings have been imported")
    );
    pair.import().await;
    let good = tensors(&[("u1", [1.0, 2.0]), ("u2", [0.0, 0.0])]);
    // Under the name that the ratings have, too: each kind has names of its own.
    for name in ["own", "small"] {
        let imported = pair.rating.import_factors(factors(name, &good)).await;
        let imported = imported.unwrap().into_inner();
        let found = (
            imported.users,
            imported.zero_users,
            imported.items,
            imported.width,
        );
        assert_eq!(found, (2, 1, 0, 2));
    }
    for (rows, part) in [
        (
            &[("u1", [1.0, 2.0]), ("u99", [1.0, 0.0])][..],
            "row 2 (\"u99\"): no such user",
        ),
        (&[("u1", [1.0, f32::NAN])], "row 1 (\"u1\"): value 2"),
        (
            &[("u1", [1.0, 2.0]), ("u1", [1.0, 0.0])],
            "row 2 (\"u1\"): this user has a row",
        ),
    ] {
        let refused = pair
            .rating
            .import_factors(factors("own", &tensors(rows)))
            .await;
        let refused = refused.unwrap_err();
        assert!(refused.message().contains(part), "{refused}");
        assert!(
            refused.message().contains("factors.safetensors"),
            "{refused}"
        );
    }
    let of = |kind: &str| v1::ListDatasetsRequest { kind: kind.into() };
    let names = |listed: v1::ListDatasetsResponse| -> Vec<String> {
        listed.datasets.into_iter().map(|one| one.dataset).collect()
    };
    let listed = pair.rating.list_datasets(of("factors")).await.unwrap();
    assert_eq!(names(listed.into_inner()), ["own", "small"]);
    let show = v1::ShowDatasetRequest {
        dataset: "own".into(),
        kind: "factors".into(),
    };
    let shown = pair.rating.show_dataset(show).await.unwrap().into_inner();
    assert_eq!(shown.factors.unwrap().users, 2);
    assert!(shown.imported.is_none() && shown.dataset.unwrap().version == 1);
    let delete = v1::DeleteDatasetRequest {
        dataset: "small".into(),
        kind: "factors".into(),
    };
    pair.rating.delete_dataset(delete).await.unwrap();
    let listed = pair.rating.list_datasets(of("factors")).await.unwrap();
    assert_eq!(names(listed.into_inner()), ["own"]);
    let ratings = pair.rating.list_datasets(of("")).await.unwrap();
    assert_eq!(names(ratings.into_inner()), ["small"]);
    for kind in ["links", "x"] {
        assert!(pair.rating.list_datasets(of(kind)).await.is_err());
        assert!(pair.social.list_datasets(of(kind)).await.is_err());
    }
}
