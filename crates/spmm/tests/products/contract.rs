//! One contract for every product: whatever computes Y·U computes exactly that, under every
//! pattern policy and for every shape.

use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World, space};
use proptest::prelude::*;
use s3rec_algebra::RingMatrix;
use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::preprocessed::{RatingOpening, SocialOpening};
use s3rec_spmm::{OperatorKind, PatternPolicy, Protocol, ReleasePolicy, Uncounted, he, ideal};

/// Computes every round of a world.
type Product = fn(&World) -> Vec<RingMatrix>;

const PRODUCTS: [(&str, Protocol, Product); 5] = [
    ("plain stand-in", Protocol::He, plain),
    ("he", Protocol::He, homomorphic),
    ("preprocessed", Protocol::Preprocessed, preprocessed),
    ("he-pir", Protocol::HePir, homomorphic),
    ("preprocessed-pir", Protocol::PreprocessedPir, preprocessed),
];

fn plain(world: &World) -> Vec<RingMatrix> {
    let round = |factors| {
        let mut rating =
            ideal::RatingPlain::new(&world.parameters, &world.pattern, factors).unwrap();
        let mut social =
            ideal::SocialPlain::new(&world.parameters, &world.pattern, &world.operator).unwrap();
        pair::run(&mut rating, &mut social, &mut Honest).unwrap();
        rating.into_product().unwrap()
    };
    world.factors.iter().map(round).collect()
}

fn homomorphic(world: &World) -> Vec<RingMatrix> {
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"contract");
    let rating_keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
    let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    let social_keys = Arc::new(receiving.into_keys().unwrap());
    let fetches = world
        .parameters
        .protocol
        .fetches_privately()
        .then(|| stocks::queries(world));
    let round = |(index, factors)| {
        let mut rating = he::RatingRound::new(&rating_keys, &world.pattern, factors).unwrap();
        let mut social =
            he::SocialRound::new(&social_keys, &world.operand, index, Uncounted, &space()).unwrap();
        if let Some((rating_fetch, social_fetch)) = &fetches {
            (rating, social) = (
                rating.with_fetch(rating_fetch),
                social.with_fetch(social_fetch),
            );
        }
        pair::run(&mut rating, &mut social, &mut Honest).unwrap();
        rating.into_product().unwrap()
    };
    (0u32..).zip(&world.factors).map(round).collect()
}

fn preprocessed(world: &World) -> Vec<RingMatrix> {
    let (mut rating, mut social) = stocks::make(world);
    let mut products = Vec::new();
    for factors in &world.factors {
        let mut sending = RatingOpening::new(rating, factors).unwrap();
        let mut answering = SocialOpening::new(social, Uncounted).unwrap();
        pair::run(&mut sending, &mut answering, &mut Honest).unwrap();
        let (product, stock) = sending.into_product().unwrap();
        (rating, social) = (stock, answering.into_stock());
        products.push(product);
    }
    products
}

/// Bit-exact with guard bits, within one unit in the last place without.
fn holds(shape: &Shape, seed: u8) {
    for (name, protocol, product) in PRODUCTS {
        if !applies(shape, protocol) {
            continue;
        }
        let world = World::new(
            &Shape {
                protocol,
                ..shape.clone()
            },
            seed,
        );
        for (round, actual) in product(&world).into_iter().enumerate() {
            let expected = world.expected(round);
            let allowed = u64::from(shape.guard_bits == 0);
            let worst = largest_difference(&expected, &actual);
            assert!(
                worst <= allowed,
                "{name}, round {round}, off by {worst}: {shape:?}, seed {seed}"
            );
        }
    }
}

/// A stock of nothing is refused, there is nobody to train with; rows are fetched privately only
/// for operators whose columns differ from their rows, and only where there is one to fetch.
fn applies(shape: &Shape, protocol: Protocol) -> bool {
    let has_links = shape.links.iter().any(|(from, to)| from != to);
    let may_fetch = shape.operator == OperatorKind::OutAverage
        && shape.policy != PatternPolicy::ActiveRowsAndColumns
        && has_links;
    (has_links || !protocol.is_preprocessed()) && (may_fetch || !protocol.fetches_privately())
}

fn largest_difference(expected: &RingMatrix, actual: &RingMatrix) -> u64 {
    assert_eq!(
        (expected.rows(), expected.columns()),
        (actual.rows(), actual.columns())
    );
    let ring = expected.ring();
    let mut difference = actual.clone();
    difference.subtract_from(expected).unwrap();
    difference
        .values()
        .iter()
        .map(|&value| ring.to_signed(value).unsigned_abs())
        .max()
        .unwrap_or(0)
}

/// A star: one full row and column, all other rows with one link.
fn star(users: u32) -> Vec<(u32, u32)> {
    (1..users).map(|user| (0, user)).collect()
}

#[test]
fn no_links_at_all() {
    holds(&Shape::new(9, 3, vec![]), 1);
    holds(
        &Shape {
            policy: PatternPolicy::ActiveRows,
            ..Shape::new(9, 3, vec![])
        },
        1,
    );
}

#[test]
fn a_full_row_among_empty_ones() {
    for operator in [
        OperatorKind::Laplacian,
        OperatorKind::NormalizedLaplacian,
        OperatorKind::OutAverage,
    ] {
        holds(
            &Shape {
                operator,
                ..Shape::new(70, 3, star(40))
            },
            2,
        );
    }
}

#[test]
fn one_column_and_rows_that_do_not_fill_a_response() {
    holds(&Shape::new(131, 1, star(131)), 3);
    holds(&Shape::new(27, 10, star(27)), 4);
}

#[test]
fn without_guard_bits_within_one_unit() {
    for operator in [OperatorKind::Laplacian, OperatorKind::NormalizedLaplacian] {
        holds(
            &Shape {
                guard_bits: 0,
                operator,
                ..Shape::new(60, 4, star(60))
            },
            5,
        );
    }
}

#[test]
fn every_policy_gives_the_same_product() {
    let links = vec![(3, 8), (8, 3), (2, 3), (11, 2)];
    for policy in [
        PatternPolicy::Nothing,
        PatternPolicy::ActiveRows,
        PatternPolicy::ActiveRowsAndColumns,
    ] {
        for operator in [OperatorKind::Laplacian, OperatorKind::OutAverage] {
            holds(
                &Shape {
                    policy,
                    operator,
                    ..Shape::new(16, 5, links.clone())
                },
                6,
            );
        }
    }
}

#[test]
fn columns_beyond_one_ciphertext_take_several_blocks() {
    // 20 rounds of 512 columns: two blocks of 10 rounds each.
    let shape = Shape {
        rounds: 20,
        protocol: Protocol::Preprocessed,
        ..Shape::new(5, 512, vec![(0, 1), (3, 1)])
    };
    let world = World::new(&shape, 8);
    assert_eq!(world.parameters.layout().unwrap().blocks, 2);
    for (round, product) in preprocessed(&world).into_iter().enumerate() {
        assert_eq!(product, world.expected(round), "round {round}");
    }
}

/// Coarse: within half the dropped unit. Noised: around the product, as wide as announced.
#[test]
fn release_policies_do_what_they_say() {
    let links = star(30);
    let coarse = ReleasePolicy::Coarse { released_bits: 20 };
    let shape = Shape {
        protocol: Protocol::Preprocessed,
        release: coarse,
        ..Shape::new(30, 4, links.clone())
    };
    let world = World::new(&shape, 10);
    let dropped = world.parameters.ring_bits - 20;
    let worst = largest_difference(&world.expected(0), &preprocessed(&world)[0]);
    assert!(worst > 4 && worst <= (1 << (dropped - 1)) + 4, "{worst}");

    for protocol in [Protocol::Preprocessed, Protocol::He] {
        let sigma = 0.75;
        let release = ReleasePolicy::Noised {
            sigma,
            row_norm_beta: 1.0,
            delta: 1e-6,
        };
        let shape = Shape {
            protocol,
            release,
            ..Shape::new(200, 10, links.clone())
        };
        let world = World::new(&shape, 11);
        let product = if protocol == Protocol::He {
            homomorphic(&world)
        } else {
            preprocessed(&world)
        }
        .swap_remove(0);
        let ring = product.ring();
        let p = &world.parameters;
        let unit = f64::from(p.scale_bits + p.guard_bits + p.weight_bits()).exp2();
        let mut difference = world.expected(0);
        difference.subtract_from(&product).unwrap();
        let noise: Vec<f64> = difference
            .values()
            .iter()
            .map(|&value| ring.to_signed(value) as f64 / unit)
            .collect();
        let count = noise.len() as f64;
        let mean = noise.iter().sum::<f64>() / count;
        let deviation = (noise.iter().map(|noise| noise * noise).sum::<f64>() / count).sqrt();
        // 2,000 samples: five standard errors.
        assert!(mean.abs() < 5.0 * sigma / count.sqrt(), "{mean}");
        assert!(
            (deviation / sigma - 1.0).abs() < 5.0 / (2.0 * count).sqrt(),
            "{deviation}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn random_shapes(
        users in 1u32..90,
        columns in 1u32..14,
        pairs in prop::collection::vec((0u32..90, 0u32..90), 0..300),
        operator in prop::sample::select(vec![
            OperatorKind::Laplacian, OperatorKind::NormalizedLaplacian, OperatorKind::OutAverage,
        ]),
        guard_bits in prop::sample::select(vec![0u32, 2]),
        policy in prop::sample::select(vec![
            PatternPolicy::Nothing, PatternPolicy::ActiveRows, PatternPolicy::ActiveRowsAndColumns,
        ]),
        seed in any::<u8>(),
    ) {
        let links = pairs.into_iter().map(|(from, to)| (from % users, to % users)).collect();
        holds(&Shape { operator, guard_bits, policy, ..Shape::new(users, columns, links) }, seed);
    }
}
