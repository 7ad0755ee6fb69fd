//! After Y changed: all unused blocks are answered anew, in order, before anything is opened;
//! and what may be closed or asked for at all.

use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World, space};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingClose, RatingOpening, RatingStock, SocialBlock, SocialClose,
    SocialOpening, SocialStock, StockStorage, StockSummary,
};
use s3rec_spmm::{Endpoint, Frame, Protocol, SpmmError, Step, Uncounted, he, pair};

/// Twenty rounds of 512 columns: more than one block whatever the parameters.
const ROUNDS: u32 = 20;

fn worlds() -> [World; 2] {
    let shape = Shape {
        rounds: ROUNDS,
        protocol: Protocol::Preprocessed,
        ..Shape::new(3, 512, vec![(0, 1)])
    };
    let other = Shape {
        links: vec![(0, 1), (2, 0)],
        ..shape.clone()
    };
    [
        World::with_bounds(&shape, (8, 16), 1),
        World::with_bounds(&other, (8, 16), 1),
    ]
}

#[test]
fn no_block_keeps_shares_of_the_old_operator() {
    let [old, new] = worlds();
    let blocks = new.parameters.layout().unwrap().blocks;
    assert!(blocks >= 2);
    let (rating_disk, social_disk) = (MemoryStorage::default(), MemoryStorage::default());
    stocks::offline(
        &old,
        Arc::new(rating_disk.clone()),
        Arc::new(social_disk.clone()),
    );
    let social = || {
        let disk = Arc::new(social_disk.clone());
        SocialStock::open_for_new_operator(disk, &new.pattern, Arc::clone(&new.operand)).unwrap()
    };
    let rating = || {
        let disk = Arc::new(rating_disk.clone());
        RatingStock::open_for_new_operator(disk, Arc::clone(&new.pattern), new.operand.commitment())
            .unwrap()
    };

    // The last block seals the stock: it must not come before the others, on either side.
    let skipped = SocialBlock::again(social(), blocks - 1, 1 << 24).err();
    assert!(
        matches!(skipped, Some(SpmmError::OutOfRange { .. })),
        "{skipped:?}"
    );
    let skipped = RatingBlock::again(rating(), blocks - 1).err();
    assert!(
        matches!(skipped, Some(SpmmError::OutOfRange { .. })),
        "{skipped:?}"
    );

    // Nor does an attempt that was cut short count: it begins again.
    let (mut rating, mut social) = (rating(), social());
    // For the statistical distance the same stock is one more, once for each other operator.
    let encoded = social_disk.load().unwrap().unwrap();
    let summary = StockSummary::read_social(&encoded).unwrap();
    assert_eq!(summary.renewals, Some(1));
    let alone = new.parameters.statistical_bits().unwrap();
    assert_eq!(social.statistical_bits().unwrap(), alone - 1);
    for block in 0..blocks {
        let mut taking = RatingBlock::again(rating, block).unwrap();
        let mut answering = SocialBlock::again(social, block, 1 << 24).unwrap();
        pair::run(&mut taking, &mut answering, &mut pair::Honest).unwrap();
        (rating, social) = (
            taking.into_stock().unwrap(),
            answering.into_stock().unwrap(),
        );
        assert_eq!(social.identity().is_some(), block + 1 == blocks);
    }
    assert_eq!(rating.identity(), social.identity());

    // An opening of the first and of the last block is of the new operator.
    let (mut rating, mut social) = stocks::meet(rating, social);
    for round in 0..ROUNDS as usize {
        let mut asking = RatingOpening::new(rating, &new.factors[round]).unwrap();
        let mut answering = SocialOpening::new(social, Uncounted).unwrap();
        pair::run(&mut asking, &mut answering, &mut pair::Honest).unwrap();
        let (product, stock) = asking.into_product().unwrap();
        assert!(product == new.expected(round), "round {round}");
        (rating, social) = (stock, answering.into_stock());
    }
}

#[test]
fn a_stock_that_was_never_renewed_answers_no_block_again() {
    let [old, _] = worlds();
    let storage = Arc::new(MemoryStorage::default());
    let terms = stocks::terms(&old, &old.operand);
    let fresh =
        SocialStock::create(storage, terms, &old.pattern, Arc::clone(&old.operand)).unwrap();
    let error = SocialBlock::again(fresh, 0, 1 << 24).err();
    assert!(
        matches!(error, Some(SpmmError::ColumnsUsed { round: 0 })),
        "{error:?}"
    );
}

#[test]
fn only_who_has_met_may_close() {
    let [old, _] = worlds();
    let (rating, social) = stocks::offline(
        &old,
        Arc::new(MemoryStorage::default()),
        Arc::new(MemoryStorage::default()),
    );
    let (mut closing, mut closed) = (RatingClose::new(rating), SocialClose::new(social));
    let refused = closing.poll_send().err();
    assert!(
        matches!(refused, Some(SpmmError::Unfinished { .. })),
        "{refused:?}"
    );
    // Nor does P1 note it, whoever asks.
    let asked = Frame {
        step: Step::Cursor,
        sequence: 0,
        payload: vec![0; 32],
    };
    let refused = closed.receive(asked).err();
    assert!(
        matches!(refused, Some(SpmmError::Unfinished { .. })),
        "{refused:?}"
    );
}

#[test]
fn no_round_beyond_those_agreed_is_answered() {
    let world = World::new(&Shape::new(3, 2, vec![(0, 1)]), 1);
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"renewal");
    let rating = he::RatingKeys::generate(&world.parameters, &seed).unwrap();
    let mut sending = he::RatingKeySetup::new(&rating).unwrap();
    let mut taking = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    pair::run(&mut sending, &mut taking, &mut pair::Honest).unwrap();
    let keys = Arc::new(taking.into_keys().unwrap());
    assert!(
        he::SocialRound::new(
            &keys,
            &world.operand,
            world.parameters.rounds - 1,
            Uncounted,
            &space()
        )
        .is_ok()
    );
    let error = he::SocialRound::new(
        &keys,
        &world.operand,
        world.parameters.rounds,
        Uncounted,
        &space(),
    )
    .err();
    assert!(
        matches!(error, Some(SpmmError::OutOfRange { .. })),
        "{error:?}"
    );
}

/// A used column takes its whole block with it: the answers for a new operator begin behind it, at
/// both parties alike, and so do the openings.
#[test]
fn a_stock_renewed_midway_goes_on_behind_the_block_in_use() {
    let [old, new] = worlds();
    let layout = new.parameters.layout().unwrap();
    let per_block = layout.rounds_per_block;
    assert!(layout.blocks >= 2 && per_block >= 2);
    let (rating_disk, social_disk) = (MemoryStorage::default(), MemoryStorage::default());
    let (rating, social) = stocks::offline(
        &old,
        Arc::new(rating_disk.clone()),
        Arc::new(social_disk.clone()),
    );
    // For the statistical distance the stock is one, then one for each operator, however often it
    // is opened for the same.
    let alone = old.parameters.statistical_bits().unwrap();
    assert_eq!(social.statistical_bits().unwrap(), alone);
    let (rating, social) = stocks::meet(rating, social);
    let mut asking = RatingOpening::new(rating, &old.factors[0]).unwrap();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    pair::run(&mut asking, &mut answering, &mut pair::Honest).unwrap();
    let (product, rating) = asking.into_product().unwrap();
    assert!(product == old.expected(0));
    let mut closing = RatingClose::new(rating);
    let mut closed = SocialClose::new(answering.into_stock());
    pair::run(&mut closing, &mut closed, &mut pair::Honest).unwrap();

    let social = || {
        let disk = Arc::new(social_disk.clone());
        SocialStock::open_for_new_operator(disk, &new.pattern, Arc::clone(&new.operand)).unwrap()
    };
    let rating = || {
        let disk = Arc::new(rating_disk.clone());
        RatingStock::open_for_new_operator(disk, Arc::clone(&new.pattern), new.operand.commitment())
            .unwrap()
    };
    let used = RatingBlock::again(rating(), 0).err();
    assert!(matches!(used, Some(SpmmError::ColumnsUsed { round: 0 })));
    let once = social();
    assert_eq!(once.statistical_bits().unwrap(), alone - 1);
    let used = SocialBlock::again(once, 0, 1 << 24).err();
    assert!(matches!(used, Some(SpmmError::ColumnsUsed { round: 0 })));
    let (mut rating, mut social) = (rating(), social());
    assert_eq!(social.statistical_bits().unwrap(), alone - 1);
    for block in 1..layout.blocks {
        let mut taking = RatingBlock::again(rating, block).unwrap();
        let mut answering = SocialBlock::again(social, block, 1 << 24).unwrap();
        pair::run(&mut taking, &mut answering, &mut pair::Honest).unwrap();
        (rating, social) = (
            taking.into_stock().unwrap(),
            answering.into_stock().unwrap(),
        );
    }
    assert!(rating.identity().is_some() && rating.identity() == social.identity());
    // Complete: no block is answered once more, used or not.
    let index = per_block as usize;
    let (rating, social) = stocks::meet(rating, social);
    let mut asking = RatingOpening::new(rating, &new.factors[index]).unwrap();
    assert_eq!(asking.round(), per_block);
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    pair::run(&mut asking, &mut answering, &mut pair::Honest).unwrap();
    let (product, rating) = asking.into_product().unwrap();
    assert!(product == new.expected(index));
    let over = RatingBlock::again(rating, layout.blocks - 1).err();
    assert!(matches!(over, Some(SpmmError::ColumnsUsed { .. })));
}
