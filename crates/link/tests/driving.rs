//! Endpoints over channels: well, and under every misfortune.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use s3rec_algebra::RingMatrix;
use s3rec_link::faulty::{Faulty, Misfortune};
use s3rec_link::memory::{MemoryChannel, pair};
use s3rec_link::{Channel, Counting, DriveError, LinkError, Meter, drive};
use s3rec_sparse::{
    OperatorKind, PatternPolicy, PublicPattern, SecretPattern, SocialMatrix, SocialOperator,
    declassify,
};
use s3rec_spmm::ideal::{RatingPlain, SocialPlain};
use s3rec_spmm::{ProductParameters, ProductRequest, Protocol, SpmmError, choose_parameters};

const USERS: u32 = 30_000;
const COLUMNS: u32 = 24;

struct Product {
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
    operator: Arc<SocialOperator>,
    factors: RingMatrix,
}

/// Large enough for several frames each way.
fn product() -> Product {
    let links = (0..USERS).map(|user| (user, (user * 7 + 1) % USERS));
    let social = SocialMatrix::from_links(USERS as usize, links).unwrap();
    let operator = SocialOperator::build(OperatorKind::Laplacian, &social);
    let kind = OperatorKind::Laplacian;
    let mut request = ProductRequest::new(Protocol::He, kind, USERS, COLUMNS, 1);
    request.row_norm_bound = operator.row_norm_bound();
    request.nonzeros_bound = operator.nonzeros_bound();
    let parameters = choose_parameters(&request).unwrap();
    let ring = parameters.ring().unwrap();
    let values = (0..u64::from(USERS * COLUMNS))
        .map(|i| ring.reduce(i.wrapping_mul(0x9e37_79b9)))
        .collect();
    let pattern = declassify(&SecretPattern::of(&operator), PatternPolicy::Nothing);
    Product {
        factors: RingMatrix::new(ring, USERS as usize, COLUMNS as usize, values).unwrap(),
        parameters,
        pattern: Arc::new(pattern),
        operator: Arc::new(operator),
    }
}

type Ends = (
    Result<RatingPlain, DriveError>,
    Result<SocialPlain, DriveError>,
);

async fn run(product: &Product, rating: impl Channel, social: impl Channel) -> Ends {
    let (mut rating, mut social) = (rating, social);
    let p0 = RatingPlain::new(&product.parameters, &product.pattern, &product.factors).unwrap();
    let p1 = SocialPlain::new(&product.parameters, &product.pattern, &product.operator).unwrap();
    let p0 = async move { drive(p0, &mut rating, |_| {}).await };
    let p1 = async move { drive(p1, &mut social, |_| {}).await };
    tokio::join!(p0, p1)
}

fn channels() -> (MemoryChannel, MemoryChannel) {
    pair(Duration::from_millis(500))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_product_arrives_and_both_sides_count_alike() {
    let product = product();
    let (rating, social) = channels();
    let (ours, theirs) = (Meter::default(), Meter::default());
    let rating = Counting::new(rating, ours.clone());
    let social = Counting::new(social, theirs.clone());
    let (rating, social) = run(&product, rating, social).await;
    social.unwrap();
    let expected = product.operator.multiply_ring(&product.factors).unwrap();
    assert_eq!(
        rating.unwrap().into_product().unwrap().values(),
        expected.values()
    );
    let (ours, theirs) = (ours.count(), theirs.count());
    assert_eq!(
        (ours.sent_bytes, ours.received_bytes),
        (theirs.received_bytes, theirs.sent_bytes)
    );
    assert!(ours.messages > 2 && ours.messages == theirs.messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misfortune_has_a_name_at_its_receiver() {
    let product = product();
    for at in [0, 1] {
        for misfortune in [
            Misfortune::Drop,
            Misfortune::Duplicate,
            Misfortune::Truncate,
        ] {
            let (rating, social) = channels();
            let (_, refused) = run(&product, Faulty::new(rating, at, misfortune), social).await;
            let Err(DriveError::Protocol(error)) = refused else {
                panic!("{misfortune:?} at {at}: {:?}", refused.err());
            };
            assert!(error.blames_peer(), "{misfortune:?} at {at}: {error}");
            let due = matches!(
                error,
                SpmmError::OutOfOrder { .. }
                    | SpmmError::WrongLength { .. }
                    | SpmmError::NotDue { .. }
            );
            assert!(due, "{misfortune:?} at {at}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_link_ends_both_sides() {
    let product = product();
    let (rating, social) = channels();
    let (rating, social) = run(&product, Faulty::new(rating, 1, Misfortune::Kill), social).await;
    assert!(matches!(
        rating,
        Err(DriveError::Link(LinkError::Vanished { .. }))
    ));
    let noticed = matches!(
        social,
        Err(DriveError::Link(
            LinkError::Vanished { .. } | LinkError::Ended
        ))
    );
    assert!(noticed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_below_the_idle_limit_is_harmless_and_one_above_ends_it() {
    let product = product();
    for (delay_ms, arrives) in [(100, true), (1500, false)] {
        let (rating, social) = channels();
        let delay = Misfortune::Delay(Duration::from_millis(delay_ms));
        let (_, social) = run(&product, Faulty::new(rating, 1, delay), social).await;
        assert_eq!(social.is_ok(), arrives, "{delay_ms}");
        if let Err(error) = social {
            assert!(
                matches!(error, DriveError::Link(LinkError::Idle { .. })),
                "{error}"
            );
        }
    }
}
