//! Making a stock between two parties in memory.

use std::sync::Arc;

use s3rec_spmm::fetch::{RatingFetch, RatingQueries, SocialFetch, SocialQueries};
use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingSession, RatingStock, SocialBlock, SocialSession,
    SocialStock, StockStorage, StockTerms,
};
use s3rec_spmm::{SocialOperand, he};

use crate::world::World;

/// Small enough that even the worlds of tests are computed in several pieces.
const MEMORY_LIMIT_BYTES: usize = 2 << 20;

pub(crate) fn terms(world: &World, operand: &SocialOperand) -> StockTerms {
    StockTerms {
        stock_id: [7; 16],
        rating_party: [1; 32],
        social_party: [2; 32],
        users_digest: [3; 32],
        operator_commitment: operand.commitment(),
        key_seed: he::public_key_seed(&[4; 32], &[5; 32], &[7; 16]),
        parameters: world.parameters.clone(),
    }
}

/// Both stocks after the offline phase, at rest.
pub(crate) fn offline(
    world: &World,
    rating_storage: Arc<dyn StockStorage>,
    social_storage: Arc<dyn StockStorage>,
) -> (RatingStock, SocialStock) {
    let terms = terms(world, &world.operand);
    let mut rating =
        RatingStock::create(rating_storage, terms.clone(), Arc::clone(&world.pattern)).unwrap();
    let mut social = SocialStock::create(
        social_storage,
        terms,
        &world.pattern,
        Arc::clone(&world.operand),
    )
    .unwrap();
    let mut announcing = rating.key_setup().unwrap();
    let mut receiving = social.key_setup().unwrap();
    pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    social.accept_key(receiving).unwrap();
    let fetches = world
        .parameters
        .protocol
        .fetches_privately()
        .then(|| queries(world));
    for _ in 0..world.parameters.layout().unwrap().blocks {
        let mut uploading = RatingBlock::new(rating).unwrap();
        let mut answering = SocialBlock::new(social, MEMORY_LIMIT_BYTES).unwrap();
        if let Some((rating_fetch, social_fetch)) = &fetches {
            uploading = uploading.with_fetch(rating_fetch);
            answering = answering.with_fetch(social_fetch);
        }
        pair::run(&mut uploading, &mut answering, &mut Honest).unwrap();
        (rating, social) = (
            uploading.into_stock().unwrap(),
            answering.into_stock().unwrap(),
        );
    }
    assert!(rating.identity().is_some());
    assert_eq!(rating.identity(), social.identity());
    (rating, social)
}

/// What both sides keep of P1's queries.
pub(crate) type Fetches = (Arc<RatingFetch>, Arc<SocialFetch>);

/// P1's queries and what both sides keep of them.
pub(crate) fn queries(world: &World) -> Fetches {
    let mut receiving = RatingQueries::new(&world.parameters).unwrap();
    let mut asking = SocialQueries::new(&world.parameters, &world.operand).unwrap();
    pair::run(&mut receiving, &mut asking, &mut Honest).unwrap();
    (
        Arc::new(receiving.into_fetch(64 << 20).unwrap()),
        Arc::new(asking.into_fetch().unwrap()),
    )
}

/// Both stocks in a session.
pub(crate) fn meet(rating: RatingStock, social: SocialStock) -> (RatingStock, SocialStock) {
    let mut calling = RatingSession::new(rating).unwrap();
    let mut called = SocialSession::new(social).unwrap();
    pair::run(&mut calling, &mut called, &mut Honest).unwrap();
    (calling.into_stock().unwrap(), called.into_stock().unwrap())
}

/// Both stocks, ready for openings.
pub(crate) fn make(world: &World) -> (RatingStock, SocialStock) {
    let (rating, social) = offline(
        world,
        Arc::new(MemoryStorage::default()),
        Arc::new(MemoryStorage::default()),
    );
    meet(rating, social)
}
