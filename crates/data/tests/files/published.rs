//! The published sets read as published: their counts, and the operator bounds that the
//! protocol page states (section 2). Skipped, and saying so, where the sets are not at hand.

use s3rec_data::{LinkOptions, LinkSet, OutOfScale, RatingOptions, RatingSet, Scale};
use s3rec_sparse::{OperatorKind, SocialMatrix, SocialOperator};
use std::path::PathBuf;

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("S3REC_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no data at {}", folder.display());
    None
}

/// S over everybody with a link, as P1 alone sees it.
#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn social(links: &LinkSet) -> SocialMatrix {
    SocialMatrix::from_links(links.users.len(), links.links.iter().copied()).unwrap()
}

fn row_norm(kind: OperatorKind, social: &SocialMatrix) -> u64 {
    SocialOperator::build(kind, social).row_norm()
}

#[test]
fn filmtrust_is_as_published() {
    let Some(folder) = folder() else { return };
    let options = RatingOptions::default();
    let ratings = RatingSet::read(&folder.join("filmtrust/ratings.tsv"), &options).unwrap();
    let report = &ratings.report;
    assert_eq!(
        (report.users, report.items, report.rows),
        (1508, 2071, 35_497)
    );
    assert_eq!((report.ratings, report.duplicates_conflicting), (35_494, 2));
    assert_eq!(report.scale, Scale { min: 0.5, max: 4.0 });
    let links =
        LinkSet::read(&folder.join("filmtrust/trust.tsv"), &LinkOptions::default()).unwrap();
    assert_eq!((links.report.links, links.report.users), (1853, 874));
    let theirs = links.social_matrix(&ratings.users).unwrap();
    assert_eq!(theirs.links(), 1632);
    let social = social(&links);
    assert_eq!(row_norm(OperatorKind::Laplacian, &social), 236);
    assert_eq!(row_norm(OperatorKind::NormalizedLaplacian, &social), 5662);
    assert_eq!(row_norm(OperatorKind::OutAverage, &social), 1 << 14);
}

#[test]
fn ciao_drops_its_34_zero_rows() {
    let Some(folder) = folder() else { return };
    let file = folder.join("ciao/ratings.tsv.gz");
    let scale = Some(Scale { min: 1.0, max: 5.0 });
    let refuse = RatingOptions {
        scale,
        ..RatingOptions::default()
    };
    assert!(RatingSet::read(&file, &refuse).is_err());
    let drop = RatingOptions {
        out_of_scale: OutOfScale::Drop,
        ..refuse
    };
    let report = RatingSet::read(&file, &drop).unwrap().report;
    assert_eq!((report.rows, report.out_of_scale_dropped), (284_086, 34));
    assert_eq!(report.users, 7375);
    let links = LinkSet::read(&folder.join("ciao/trust.tsv"), &LinkOptions::default()).unwrap();
    let social = social(&links);
    assert_eq!((social.links(), social.users()), (111_781, 7317));
    assert_eq!(row_norm(OperatorKind::Laplacian, &social), 1772);
    assert_eq!(row_norm(OperatorKind::NormalizedLaplacian, &social), 6796);
    let laplacian = SocialOperator::build(OperatorKind::Laplacian, &social);
    assert_eq!(laplacian.nonzeros(), 177_727);
}

#[test]
fn epinions_is_as_published() {
    let Some(folder) = folder() else { return };
    let file = folder.join("epinions/trust.tsv.gz");
    let links = LinkSet::read(&file, &LinkOptions::default()).unwrap();
    assert_eq!(
        (links.report.rows, links.report.self_links_dropped),
        (487_183, 181)
    );
    assert_eq!(links.report.users, 49_288);
    let social = social(&links);
    assert_eq!(row_norm(OperatorKind::Laplacian, &social), 5262);
    assert_eq!(row_norm(OperatorKind::NormalizedLaplacian, &social), 21_215);
    let laplacian = SocialOperator::build(OperatorKind::Laplacian, &social);
    assert_eq!(laplacian.nonzeros(), 811_360);
}
