//! What crosses the link depends on public numbers only, and is what the cost model predicts.

mod world;

use std::sync::Arc;

use s3rec_spmm::pair::{self, Honest, Side, Transcript};
use s3rec_spmm::{Disclosure, cost, he};
use world::{Shape, World};

/// Key setup and all rounds of `he`.
fn transcripts(world: &World) -> (Transcript, Vec<Transcript>) {
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"transcript");
    let rating_keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
    let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    let setup = pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    let social_keys = Arc::new(receiving.into_keys().unwrap());
    let rounds = (0u32..).zip(&world.factors).map(|(index, factors)| {
        let mut rating = he::RatingRound::new(&rating_keys, &world.pattern, factors).unwrap();
        let mut social = he::SocialRound::new(&social_keys, &world.operand, index).unwrap();
        pair::run(&mut rating, &mut social, &mut Honest).unwrap()
    });
    (setup, rounds.collect())
}

#[test]
fn predicted_bytes_are_the_counted_ones() {
    for disclosure in [Disclosure::Nothing, Disclosure::ActiveRows] {
        for (users, columns) in [(40, 10), (131, 1), (700, 3)] {
            let links = vec![(0, 1), (5, 2), (2, 30)];
            let world = World::new(&Shape { disclosure, ..Shape::new(users, columns, links) }, 1);
            let estimate = cost::predict(&world.parameters).unwrap();
            let (setup, rounds) = transcripts(&world);
            assert_eq!(estimate.offline.bytes_to_social, setup.bytes_from(Side::Rating));
            assert_eq!(estimate.offline.bytes_to_rating, setup.bytes_from(Side::Social));
            assert_eq!(estimate.offline.messages, setup.frames.len() as u64);
            let mut messages = 0;
            for round in &rounds {
                assert_eq!(estimate.round.bytes_to_social, round.bytes_from(Side::Rating));
                assert_eq!(estimate.round.bytes_to_rating, round.bytes_from(Side::Social));
                messages += round.frames.len() as u64;
            }
            assert_eq!(estimate.online.messages, messages);
        }
    }
}

/// A chain and a star with equally many links, announced under one bound.
#[test]
fn patterns_under_one_bound_cannot_be_told_apart() {
    let users = 64;
    let chain = (1..users).map(|user| (user - 1, user)).collect();
    let star = (1..users).map(|user| (0, user)).collect();
    let nobody = vec![];
    let bounds = (256, 512);
    let seen: Vec<_> = [chain, star, nobody]
        .into_iter()
        .map(|links| transcripts(&World::with_bounds(&Shape::new(users, 5, links), bounds, 3)))
        .collect();
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert!(seen[0].1[0].frames.len() >= 3);
}
