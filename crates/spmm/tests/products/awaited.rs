//! What every endpoint says of itself while frames move: what it waits for, and whether it is done.
//! A driver goes by that; one that is done too early drops what is due, one that never is hangs.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_sparse::ladder;
use s3rec_spmm::fetch::{RatingQueries, SocialQueries, rows_bound, rows_bound_of};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingClose, RatingOpening, RatingSession, RatingStock,
    SocialBlock, SocialClose, SocialOpening, SocialSession, SocialStock,
};
use s3rec_spmm::{
    Endpoint, Exchange, Frame, OperatorKind, PatternPolicy, ProductParameters, Protocol, SpmmError,
    Step, Uncounted, he,
};

use crate::stocks::{self, Fetches};
use crate::world::{Shape, World, space};

/// Moves all frames; each must be of the step that its receiver said it waits for, and whoever has
/// nothing to send either waits or is done.
fn run<'a>(rating: &'a mut dyn Endpoint, social: &'a mut dyn Endpoint) -> Moved {
    let mut moved = Moved::default();
    assert!(!rating.is_done() && !social.is_done());
    let mut has_moved = true;
    while std::mem::take(&mut has_moved) {
        for is_rating in [true, false] {
            let (sender, receiver): (&mut dyn Endpoint, &mut dyn Endpoint) = match is_rating {
                true => (&mut *rating, &mut *social),
                false => (&mut *social, &mut *rating),
            };
            loop {
                let was_done = sender.is_done();
                let Some(frame) = sender.poll_send().unwrap() else {
                    break;
                };
                has_moved = true;
                assert!(!was_done, "done with {:?} to send", frame.step);
                let one = (frame.step, frame.sequence, frame.payload.len());
                moved.0[usize::from(is_rating)].push(one);
                assert!(!receiver.is_done(), "done before {:?}", frame.step);
                assert_eq!(receiver.awaiting(), Some(frame.step));
                receiver.receive(frame).unwrap();
            }
            assert_eq!(sender.is_done(), sender.awaiting().is_none());
        }
    }
    for endpoint in [rating, social] {
        assert!(endpoint.is_done());
        assert_eq!(endpoint.awaiting(), None);
    }
    moved
}

/// What P1 and what P0 sent: step, place and bytes of each frame.
#[derive(Default)]
struct Moved([Vec<(Step, u32, usize)>; 2]);

impl Moved {
    /// Whoever drives the endpoints lets nothing else cross.
    fn is(&self, exchange: Exchange, parameters: &ProductParameters) {
        let expected = exchange.frames(parameters).unwrap();
        for (to_social, moved) in [false, true].into_iter().zip(&self.0) {
            let of_sender = expected.iter().filter(|one| one.to_social == to_social);
            let of_sender = of_sender.map(|one| (one.step, one.sequence, one.payload_bytes));
            assert_eq!(*moved, of_sender.collect::<Vec<_>>());
        }
    }
}

fn world(protocol: Protocol, operator: OperatorKind) -> World {
    let mut shape = Shape::new(40, 2, vec![(0, 1), (1, 2), (7, 39)]);
    (shape.protocol, shape.operator) = (protocol, operator);
    if !protocol.fetches_privately() {
        shape.policy = PatternPolicy::ActiveRows;
    }
    World::new(&shape, 1)
}

fn queries(world: &World) -> Option<Fetches> {
    world.parameters.protocol.fetches_privately().then(|| {
        let mut receiving = RatingQueries::new(&world.parameters).unwrap();
        let mut asking = SocialQueries::new(&world.parameters, &world.operand).unwrap();
        run(&mut receiving, &mut asking).is(Exchange::Queries, &world.parameters);
        (
            Arc::new(receiving.into_fetch(64 << 20).unwrap()),
            Arc::new(asking.into_fetch().unwrap()),
        )
    })
}

#[test]
fn the_endpoints_of_he_say_what_is_due() {
    for (protocol, operator) in [
        (Protocol::He, OperatorKind::Laplacian),
        (Protocol::HePir, OperatorKind::OutAverage),
    ] {
        let world = world(protocol, operator);
        let seed = he::public_key_seed(&[1; 32], &[2; 32], b"awaited");
        let rating_keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
        let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
        let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
        run(&mut announcing, &mut receiving);
        let social_keys = Arc::new(receiving.into_keys().unwrap());
        let fetches = queries(&world);
        for (index, factors) in (0u32..).zip(&world.factors) {
            let mut rating = he::RatingRound::new(&rating_keys, &world.pattern, factors).unwrap();
            let mut social =
                he::SocialRound::new(&social_keys, &world.operand, index, Uncounted, &space())
                    .unwrap();
            if let Some((rating_fetch, social_fetch)) = &fetches {
                (rating, social) = (
                    rating.with_fetch(rating_fetch),
                    social.with_fetch(social_fetch),
                );
            }
            run(&mut rating, &mut social);
        }
    }
}

#[test]
fn the_endpoints_of_a_stock_say_what_is_due() {
    for (protocol, operator) in [
        (Protocol::Preprocessed, OperatorKind::Laplacian),
        (Protocol::PreprocessedPir, OperatorKind::OutAverage),
    ] {
        let world = world(protocol, operator);
        let terms = stocks::terms(&world, &world.operand);
        let disk = || Arc::new(MemoryStorage::default());
        let pattern = Arc::clone(&world.pattern);
        let mut rating = RatingStock::create(disk(), terms.clone(), pattern).unwrap();
        let operand = Arc::clone(&world.operand);
        let mut social = SocialStock::create(disk(), terms, &world.pattern, operand).unwrap();
        let mut announcing = rating.key_setup().unwrap();
        let mut receiving = social.key_setup().unwrap();
        run(&mut announcing, &mut receiving).is(Exchange::PublicKey, &world.parameters);
        social.accept_key(receiving).unwrap();
        let fetches = queries(&world);
        for _ in 0..world.parameters.layout().unwrap().blocks {
            let mut uploading = RatingBlock::new(rating).unwrap();
            let mut answering = SocialBlock::new(social, 8 << 20).unwrap();
            if let Some((rating_fetch, social_fetch)) = &fetches {
                (uploading, answering) = (
                    uploading.with_fetch(rating_fetch),
                    answering.with_fetch(social_fetch),
                );
            }
            run(&mut uploading, &mut answering).is(Exchange::Upload, &world.parameters);
            (rating, social) = (
                uploading.into_stock().unwrap(),
                answering.into_stock().unwrap(),
            );
        }
        let mut calling = RatingSession::new(rating).unwrap();
        let mut called = SocialSession::new(social).unwrap();
        run(&mut calling, &mut called).is(Exchange::Resume, &world.parameters);
        (rating, social) = (calling.into_stock().unwrap(), called.into_stock().unwrap());
        for factors in &world.factors {
            let mut sending = RatingOpening::new(rating, factors).unwrap();
            let mut answering = SocialOpening::new(social, Uncounted).unwrap();
            run(&mut sending, &mut answering).is(Exchange::Opening, &world.parameters);
            (rating, social) = (sending.into_product().unwrap().1, answering.into_stock());
        }
        let (mut closing, mut closed) = (RatingClose::new(rating), SocialClose::new(social));
        run(&mut closing, &mut closed).is(Exchange::Close, &world.parameters);
    }
}

/// A count of openings that P0 has not asked for says nothing of this session.
#[test]
fn a_close_is_not_answered_before_it_was_asked_for() {
    let world = world(Protocol::Preprocessed, OperatorKind::Laplacian);
    let (rating, social) = stocks::make(&world);
    let (mut closing, mut closed) = (RatingClose::new(rating), SocialClose::new(social));
    let asked = closing.poll_send().unwrap().unwrap();
    closed.receive(asked).unwrap();
    assert!(!closed.is_done());
    let answer = closed.poll_send().unwrap().unwrap();
    assert_eq!(answer.step, Step::Cursor);
    let (rating, _) = stocks::make(&world);
    let mut early = RatingClose::new(rating);
    assert!(early.receive(answer).is_err());
    assert!(early.poll_send().is_err());
}

/// Who only speaks takes nothing, whatever it is.
#[test]
fn who_expects_nothing_takes_nothing() {
    let world = world(Protocol::HePir, OperatorKind::OutAverage);
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"awaited");
    let keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&keys).unwrap();
    let mut asking = SocialQueries::new(&world.parameters, &world.operand).unwrap();
    for endpoint in [&mut announcing as &mut dyn Endpoint, &mut asking] {
        assert_eq!(endpoint.awaiting(), None);
        let own = endpoint.poll_send().unwrap().unwrap();
        assert!(endpoint.receive(own).is_err());
    }
}

/// Answers to an upload that P1 has not seen are none, and a row too many is no input.
#[test]
fn nothing_is_taken_before_its_time_or_of_another_shape() {
    let world = world(Protocol::Preprocessed, OperatorKind::Laplacian);
    let terms = stocks::terms(&world, &world.operand);
    let disk = Arc::new(MemoryStorage::default());
    let stock = RatingStock::create(disk, terms, Arc::clone(&world.pattern)).unwrap();
    let mut uploading = RatingBlock::new(stock).unwrap();
    let expected = Exchange::Upload.frames(&world.parameters).unwrap();
    let answer = expected.iter().find(|one| !one.to_social).unwrap();
    let early = Frame {
        step: answer.step,
        sequence: answer.sequence,
        payload: vec![0; answer.payload_bytes],
    };
    let refused = uploading.receive(early).unwrap_err();
    assert!(matches!(refused, SpmmError::NotDue { .. }), "{refused}");
    assert!(refused.blames_peer());

    let (users, columns) = (world.factors[0].rows(), world.factors[0].columns());
    for (users, columns) in [
        (users + 1, columns),
        (users - 1, columns),
        (users, columns + 1),
        (users, columns - 1),
    ] {
        let (rating, _) = stocks::make(&world);
        let ring = world.parameters.ring().unwrap();
        let factors = RingMatrix::new(ring, users, columns, vec![0; users * columns]).unwrap();
        let refused = RatingOpening::new(rating, &factors).err();
        assert!(
            matches!(refused, Some(SpmmError::Shape { .. })),
            "{refused:?}"
        );
        assert!(!refused.unwrap().blames_peer());
    }
}

/// What P1 announces of the rows that it fetches: a step of the ladder, and never more than all.
#[test]
fn the_bound_on_fetched_rows_is_of_the_ladder() {
    for linked_to in [0, 1, 2, 5, 39, 40, 41, 1_000, u64::MAX] {
        let bound = u64::from(rows_bound(linked_to, 40));
        assert_eq!(bound, ladder(linked_to).min(40));
        assert!(bound >= linked_to.min(40));
    }
    let world = world(Protocol::HePir, OperatorKind::OutAverage);
    let linked_to = world.operator.active_columns().len() as u64;
    assert!((1..40).contains(&linked_to));
    assert_eq!(rows_bound_of(&world.operator), rows_bound(linked_to, 40));
}
