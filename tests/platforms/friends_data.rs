//! Data of friends whose sums are opened, and what a job leaves of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use s3rec_algebra::RealMatrix;
use s3rec_data::factors::{FriendsRow, FriendsWriter};
use s3rec_data::{FactorOptions, FactorSet, RatingOptions, RatingSet};
use s3rec_model::ModelError;
use s3rec_model::friends::{FriendsBase, OpenedSides};
use s3rec_model::lists::{ListsModel, ListsSettings};
use s3rec_sparse::{Rating, RatingMatrix};
use s3rec_spmm::noise_first::{Parameters, deviation};
use s3rec_wire::v1;

use crate::pair::{Pair, file};

pub(crate) const USERS: u32 = 260;

/// Users of two tastes, a third of them with one or two ratings; P1 knows all but the first ten, and
/// friends mostly share their taste.
pub(crate) fn data() -> (String, String) {
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

pub(crate) fn request(mu: f64) -> v1::ProposeJobRequest {
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

pub(crate) async fn imported() -> Pair {
    let mut pair = Pair::start().await;
    let (ratings, links) = data();
    let given = pair.rating.import_ratings(file("ratings.tsv", &ratings));
    given.await.unwrap();
    let given = pair.social.import_links(file("links.tsv", &links));
    given.await.unwrap();
    pair
}

/// What P0 has on disk of an opening, up to what it serves from.
pub(crate) type Stored = (
    u32,
    Vec<String>,
    Vec<String>,
    Parameters,
    Vec<u32>,
    Vec<f64>,
);

pub(crate) fn stored(pair: &Pair, job: &str) -> Stored {
    stored_in(pair.directory.path(), job)
}

/// The same, of the platforms in that directory.
pub(crate) fn stored_in(directory: &Path, job: &str) -> Stored {
    let path = directory.join("rating/models");
    let bytes = std::fs::read(path.join(format!("{job}.friends"))).unwrap();
    postcard::take_from_bytes(&bytes).unwrap().0
}

pub(crate) async fn report(pair: &mut Pair, job: &str) -> v1::JobReportResponse {
    let request = v1::JobReportRequest { job_id: job.into() };
    pair.rating.job_report(request).await.unwrap().into_inner()
}

/// The stored sums less those of the rows that a model of P0's gives, in units of σ; `own` are
/// factors brought along, in the place of the built-in ones.
pub(crate) fn noise_of(stored: &Stored, own: Option<FactorSet>) -> f64 {
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
    let base = FriendsBase::learn(&ratings, sides, |base| match own {
        Some(own) => imported_model(own, stored, base, &settings),
        None => ListsModel::learn(base, &settings),
    });
    let base = base.unwrap();
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
            // Own factors may be narrower than the columns.
            let x = rows.row(from).iter();
            let sums = clear.row_mut(row).iter_mut();
            sums.zip(x).for_each(|(sum, x)| *sum += x);
        }
    }
    deviation(parameters, sums, clear.values())
}

pub(crate) fn imported_model(
    own: FactorSet,
    stored: &Stored,
    base: &RatingMatrix,
    settings: &ListsSettings,
) -> Result<ListsModel, ModelError> {
    let text = data().0;
    let read = RatingSet::read_from(
        Path::new("ratings.tsv"),
        text.as_bytes(),
        &RatingOptions::default(),
    );
    let read = read.unwrap();
    assert!(read.users.names().eq(stored.1.iter().map(String::as_str)));
    assert!(read.items.names().eq(stored.2.iter().map(String::as_str)));
    s3rec_rating::factors::OwnRows::of(own, &read).model(base, settings)
}

/// What is exported of a job's opening: its header, and all rows in one.
pub(crate) async fn exported(pair: &mut Pair, job: &str) -> (v1::FriendsHeader, v1::FriendsRows) {
    use v1::friends_chunk::Part;
    let request = v1::ExportFriendsRequest {
        model_id: job.into(),
    };
    let mut chunks = pair
        .rating
        .export_friends(request)
        .await
        .unwrap()
        .into_inner();
    let Some(Part::Header(header)) = chunks.message().await.unwrap().unwrap().part else {
        panic!("no header");
    };
    let mut all = v1::FriendsRows::default();
    while let Some(chunk) = chunks.message().await.unwrap() {
        let Some(Part::Rows(rows)) = chunk.part else {
            panic!("no rows");
        };
        assert_eq!(rows.first_row, all.ids.len() as u64);
        all.ids.extend(rows.ids);
        all.sums.extend(rows.sums);
        all.noisy_degrees.extend(rows.noisy_degrees);
        all.estimates.extend(rows.estimates);
    }
    (header, all)
}

/// Everybody's taste but those in `left_out`, as a file of factors two values long.
pub(crate) fn own_factors(left_out: &BTreeSet<String>) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.parquet");
    let ids: Vec<String> = (0..USERS)
        .map(|user| format!("u{user}"))
        .filter(|id| !left_out.contains(id))
        .collect();
    let vector = |id: &str| {
        let user: u32 = id[1..].parse().unwrap();
        let tilt = f64::from(user % 7) / 20.0;
        match user % 2 {
            0 => [1.0, tilt],
            _ => [tilt, 1.0],
        }
    };
    let vectors: Vec<[f64; 2]> = ids.iter().map(|id| vector(id)).collect();
    let rows: Vec<FriendsRow<'_>> = ids
        .iter()
        .zip(&vectors)
        .map(|(id, vector)| FriendsRow {
            id,
            sum: vector,
            noisy_degree: 0.0,
            estimate: &[],
            is_used: false,
        })
        .collect();
    let mut writer = FriendsWriter::create(&path).unwrap();
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

pub(crate) fn read_factors(bytes: &[u8]) -> FactorSet {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.parquet");
    std::fs::write(&path, bytes).unwrap();
    FactorSet::read(&path, None, &FactorOptions::default()).unwrap()
}
