//! Attacks on FilmTrust's links under P0's own rows.

use s3rec_leakage::{AttackOptions, AttackRecord, Exposure, StatedMu, Study, StudyOptions, attack};
use s3rec_sparse::RatingMatrix;
use s3rec_spmm::noise_first::Sides;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_testkit::datasets::Dataset;

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn study() -> Option<Study> {
    let set = Dataset::FilmTrust;
    if !set.is_available() {
        return None;
    }
    let (ratings, links) = set.read().unwrap();
    let (common, names): (Vec<u32>, Vec<&str>) = (0u32..)
        .zip(ratings.users.names())
        .filter(|(_, name)| links.users.find(name).is_some())
        .unzip();
    let social = links.social_matrix(&names.into_iter().collect()).unwrap();
    let (users, items) = (ratings.users.len(), ratings.items.len());
    let matrix = RatingMatrix::from_ratings(users, items, &ratings.ratings).unwrap();
    Some(Study::of_ratings(&matrix, &common, social, StudyOptions::default()).unwrap())
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what the test is read for"
)]
fn show(record: &AttackRecord) {
    let measures = &record.measures;
    println!(
        "{:20} {:?} {:22} {:55} recall {:.3} of all {:.3} AUC {:.3} advantage {:.4} of {:?}, {} links",
        record.release,
        record.mu,
        record.attacker,
        record.knows,
        measures.recall_at_precision_50,
        record.recall_of_all_links,
        measures.auc,
        measures.advantage_at_fpr_1e3,
        record.advantage_bound,
        measures.links,
    );
}

/// An exact opening shows most links; one-sided sums with noise show few, whoever looks.
#[test]
fn noise_keeps_what_an_exact_opening_gives_away() {
    let Some(study) = study() else { return };
    let options = AttackOptions {
        exposures: vec![Exposure::Exact, Exposure::Noised(Mu::ONE)],
        sides: vec![Sides::One, Sides::Two],
    };
    let records = attack(&study, &options, |what| println!("{what}")).unwrap();
    records.iter().for_each(show);
    let exact = |release: &str| {
        let mut found = records.iter().filter(|record| record.release == release);
        let found = found.find(|record| record.attacker == "matching").unwrap();
        found.measures.recall_at_precision_50
    };
    assert!(exact("laplacian") > 0.5 && exact("two-sided") > 0.5);
    for record in &records {
        let Some(StatedMu::Noised(_)) = record.mu else {
            continue;
        };
        // Who knows no other link finds next to none in a one-sided release.
        if record.release == "one-sided" && record.attacker == "likelihood" {
            assert!(record.measures.recall_at_precision_50 < 0.05, "{record:?}");
        }
        if let Some(bound) = record.advantage_bound {
            // Pairs of one row share its noise: some ten links count as one.
            let links = (record.measures.links * record.openings) as f64 / 10.0;
            let error = 3.0 * (bound / links).sqrt();
            let advantage = record.measures.advantage_at_fpr_1e3;
            assert!(advantage < bound + error, "{record:?}");
        }
    }
}
