//! Frames from a hostile peer against every endpoint.

#![expect(
    clippy::unwrap_used,
    reason = "the world of these tests is honest; only the frames are hostile"
)]

use std::sync::{Arc, OnceLock};

use s3rec_fuzz::{World, attack, frames};
use s3rec_spmm::fetch::{RatingQueries, SocialQueries};
use s3rec_spmm::he::{RatingRound, SocialKeySetup, SocialRound, public_key_seed};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingContinuation, RatingSession, RatingStock, SocialBlock,
    SocialContinuation, SocialSession, SocialStock, StockTerms,
};
use s3rec_spmm::{Endpoint, Protocol, Uncounted, WorkingSpace};

fn world(protocol: Protocol) -> &'static World {
    static WORLDS: [OnceLock<World>; 4] = [const { OnceLock::new() }; 4];
    let [he, he_pir, preprocessed, preprocessed_pir] = &WORLDS;
    let cell = match protocol {
        Protocol::He => he,
        Protocol::HePir => he_pir,
        Protocol::Preprocessed => preprocessed,
        Protocol::PreprocessedPir => preprocessed_pir,
        Protocol::NoiseFirst => panic!("its targets are in friends.rs"),
    };
    cell.get_or_init(|| World::new(protocol).unwrap())
}

fn space() -> WorkingSpace {
    WorkingSpace {
        memory_limit_bytes: 64 << 20,
        directory: std::env::temp_dir(),
    }
}

fn terms(world: &World) -> StockTerms {
    StockTerms {
        stock_id: [1; 16],
        rating_party: [2; 32],
        social_party: [3; 32],
        users_digest: [4; 32],
        operator_commitment: world.operand.commitment(),
        key_seed: public_key_seed(&[5; 32], &[6; 32], &[1; 16]),
        parameters: world.parameters.clone(),
    }
}

fn rating_stock(world: &World) -> RatingStock {
    let storage = Arc::new(MemoryStorage::default());
    RatingStock::create(storage, terms(world), Arc::clone(&world.pattern)).unwrap()
}

fn social_stock(world: &World) -> SocialStock {
    let storage = Arc::new(MemoryStorage::default());
    SocialStock::create(
        storage,
        terms(world),
        &world.pattern,
        Arc::clone(&world.operand),
    )
    .unwrap()
}

#[test]
fn key_setup_at_the_social_platform() {
    let world = world(Protocol::He);
    let seed = public_key_seed(&[1; 32], &[2; 32], b"fuzz");
    let key_bytes = 16 * world.parameters.polynomial_size as usize;
    bolero::check!().for_each(|input: &[u8]| {
        attack(
            SocialKeySetup::new(&world.parameters, &seed).unwrap(),
            frames(input, key_bytes / 8),
        );
    });
}

#[test]
fn a_round_at_the_rating_platform() {
    let world = world(Protocol::He);
    let factors = world.factors().unwrap();
    bolero::check!().for_each(|input: &[u8]| {
        attack(
            RatingRound::new(&world.rating, &world.pattern, &factors).unwrap(),
            frames(input, 16),
        );
    });
}

#[test]
fn a_round_at_the_social_platform() {
    let world = world(Protocol::He);
    bolero::check!().for_each(|input: &[u8]| {
        attack(
            SocialRound::new(&world.social, &world.operand, 0, Uncounted, &space()).unwrap(),
            frames(input, 16),
        );
    });
}

#[test]
fn a_block_at_the_rating_platform() {
    let world = world(Protocol::Preprocessed);
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            attack(
                RatingBlock::new(rating_stock(world)).unwrap(),
                frames(input, 16),
            );
        });
}

#[test]
fn a_block_at_the_social_platform() {
    let world = world(Protocol::Preprocessed);
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            // Without a key the block refuses by itself; that is a state too.
            if let Ok(block) = SocialBlock::new(social_stock(world), 64 << 20) {
                attack(block, frames(input, 16));
            }
        });
}

/// The frames reach past the keys, so that whole hostile queries are expanded too.
#[test]
fn queries_at_the_rating_platform() {
    let world = world(Protocol::HePir);
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            attack(
                RatingQueries::new(&world.parameters).unwrap(),
                frames(input, 512),
            );
        });
}

/// What P1 fetches decides nothing that shows: whatever the answers hold, it answers.
#[test]
fn answers_to_queries_at_the_social_platform() {
    let world = world(Protocol::HePir);
    let asked = SocialQueries::new(&world.parameters, &world.operand);
    let mut asked = asked.unwrap();
    while asked.poll_send().unwrap().is_some() {}
    let fetch = Arc::new(asked.into_fetch().unwrap());
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            let round =
                SocialRound::new(&world.social, &world.operand, 0, Uncounted, &space()).unwrap();
            attack(round.with_fetch(&fetch), frames(input, 512));
        });
}

#[test]
fn the_place_of_an_unfinished_stock_at_either_platform() {
    let world = world(Protocol::Preprocessed);
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            let asking = RatingContinuation::new(rating_stock(world)).unwrap();
            attack(asking, frames(input, 1));
            let answering = SocialContinuation::new(Some(social_stock(world)));
            attack(answering, frames(input, 1));
        });
}

#[test]
fn a_session_of_an_unfinished_stock_is_refused() {
    let world = world(Protocol::Preprocessed);
    assert!(RatingSession::new(rating_stock(world)).is_err());
    assert!(SocialSession::new(social_stock(world)).is_err());
}
