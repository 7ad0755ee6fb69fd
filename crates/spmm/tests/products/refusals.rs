//! What a peer that deviates gets from each endpoint of a stock: a refusal by name, no frame, and
//! nothing counted. Each check of the protocol that could be taken out has a test here.

use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World};
use s3rec_algebra::Seed;
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingClose, RatingOpening, RatingSession, RatingStock, SocialClose,
    SocialOpening, SocialSession, SocialStock,
};
use s3rec_spmm::{
    Endpoint, Frame, OperatorKind, Protocol, SocialOperand, SpmmError, Step, Uncounted,
    choose_parameters,
};

pub(crate) fn shape() -> Shape {
    Shape {
        rounds: 4,
        protocol: Protocol::Preprocessed,
        ..Shape::new(7, 3, vec![(0, 1), (1, 2), (6, 3)])
    }
}

pub(crate) fn world() -> World {
    World::new(&shape(), 21)
}

pub(crate) fn disk() -> Arc<MemoryStorage> {
    Arc::new(MemoryStorage::default())
}

pub(crate) fn frames(endpoint: &mut dyn Endpoint) -> Vec<Frame> {
    std::iter::from_fn(|| endpoint.poll_send().unwrap()).collect()
}

/// One honest opening; gives what P0 sent.
pub(crate) fn open(
    world: &World,
    round: usize,
    (rating, social): (RatingStock, SocialStock),
) -> (Vec<Frame>, (RatingStock, SocialStock)) {
    let mut sending = RatingOpening::new(rating, &world.factors[round]).unwrap();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    let sent = frames(&mut sending);
    for frame in &sent {
        answering.receive(frame.clone()).unwrap();
    }
    for frame in frames(&mut answering) {
        sending.receive(frame).unwrap();
    }
    let (product, rating) = sending.into_product().unwrap();
    assert_eq!(product, world.expected(round));
    (sent, (rating, answering.into_stock()))
}

/// P1 takes the frames and then answers with this error; nothing is counted.
fn refused_at_the_answer(social: SocialStock, sent: &[Frame]) -> SpmmError {
    let counted = social.openings();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    for frame in sent {
        answering.receive(frame.clone()).unwrap();
    }
    let error = answering.poll_send().unwrap_err();
    assert!(answering.poll_send().is_err(), "sent after a refusal");
    assert_eq!(answering.into_stock().openings(), counted);
    error
}

/// P1 refuses the first frame already; nothing is counted.
fn refused_at_the_header(social: SocialStock, header: Frame) -> SpmmError {
    let counted = social.openings();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    let error = answering.receive(header).unwrap_err();
    assert!(answering.poll_send().is_err(), "sent after a refusal");
    assert_eq!(answering.into_stock().openings(), counted);
    error
}

fn with_round(mut sent: Vec<Frame>, round: u32) -> Vec<Frame> {
    sent[0].payload[32..].copy_from_slice(&round.to_le_bytes());
    sent
}

fn with_flipped_bit(mut frame: Frame, byte: usize) -> Frame {
    frame.payload[byte] ^= 1;
    frame
}

/// The answer to the same bytes is known to whoever sent them, but columns before the last
/// answered ones are not opened again for anybody.
#[test]
fn columns_before_the_last_answered_ones_are_refused_byte_for_byte_too() {
    let world = world();
    let (first, stocks) = open(&world, 0, stocks::make(&world));
    let (second, (_, social)) = open(&world, 1, stocks);
    assert!(matches!(
        refused_at_the_answer(social, &first),
        SpmmError::ColumnsUsed { round: 0 }
    ));
    assert_ne!(first[1].payload, second[1].payload);
}

#[test]
fn columns_beyond_the_stock_are_refused() {
    for round in [4, u32::MAX] {
        let world = world();
        let (rating, social) = stocks::make(&world);
        let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
        let sent = with_round(frames(&mut sending), round);
        let refused = refused_at_the_answer(social, &sent);
        assert!(matches!(refused, SpmmError::ColumnsUsed { round: found } if found == round));
    }
}

/// Columns that were passed over are burnt: P0 may have used them for what nobody saw.
#[test]
fn columns_that_were_passed_over_are_burnt() {
    let world = world();
    let (rating, social) = stocks::make(&world);
    let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let sent = frames(&mut sending);
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    for frame in with_round(sent.clone(), 2) {
        answering.receive(frame).unwrap();
    }
    assert!(!frames(&mut answering).is_empty());
    let social = answering.into_stock();
    assert_eq!((social.openings(), social.cursor()), (1, 3));
    assert!(matches!(
        refused_at_the_answer(social, &with_round(sent, 1)),
        SpmmError::ColumnsUsed { round: 1 }
    ));
}

#[test]
fn an_opening_names_its_stock_and_both_sides_ask() {
    for byte in [0, 31] {
        let world = world();
        let (rating, social) = stocks::make(&world);
        let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
        let header = with_flipped_bit(sending.poll_send().unwrap().unwrap(), byte);
        assert!(matches!(
            refused_at_the_header(social, header),
            SpmmError::OtherStock
        ));
    }
    // P0 takes no answer of another stock, nor of another round.
    for byte in [0, 31, 32] {
        let world = world();
        let (rating, social) = stocks::make(&world);
        let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
        let mut answering = SocialOpening::new(social, Uncounted).unwrap();
        for frame in frames(&mut sending) {
            answering.receive(frame).unwrap();
        }
        let answer = answering.poll_send().unwrap().unwrap();
        let error = sending.receive(with_flipped_bit(answer, byte)).unwrap_err();
        assert!(matches!(error, SpmmError::OtherStock), "{error}");
        assert!(sending.into_product().is_err());
    }
}

/// A ring of 35 bits ends within a byte: bits behind the last value carry nothing.
#[test]
fn values_beyond_the_ring_are_refused_before_they_are_counted() {
    let wide = Shape {
        operator: OperatorKind::NormalizedLaplacian,
        ..Shape::new(7, 3, vec![(0, 1), (1, 2), (6, 3)])
    };
    let mut request =
        s3rec_spmm::ProductRequest::new(Protocol::Preprocessed, wide.operator, 7, 3, 2);
    (request.row_norm_bound, request.nonzeros_bound) = (4096, 64);
    request.least_scale_bits = 16;
    let parameters = choose_parameters(&request).unwrap();
    let odd_bits = 7 * 3 * parameters.ring_bits as usize % 8;
    assert_ne!(odd_bits, 0, "{} bits", parameters.ring_bits);
    let base = World::with_bounds(&wide, (4096, 64), 21);
    let seed = Seed::from_bytes([21; 32]);
    let operand = SocialOperand::new(&parameters, &base.pattern, &base.operator, &seed).unwrap();
    let count = parameters.users as usize * parameters.columns as usize;
    let zeros = s3rec_algebra::RingMatrix::new(
        parameters.ring().unwrap(),
        parameters.users as usize,
        parameters.columns as usize,
        vec![0; count],
    );
    let world = World {
        parameters,
        operand: Arc::new(operand),
        factors: vec![zeros.unwrap()],
        ..base
    };
    let (rating, social) = stocks::make(&world);
    let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let mut sent = frames(&mut sending);
    *sent[1].payload.last_mut().unwrap() |= 0x80;
    let refused = refused_at_the_answer(social, &sent);
    assert!(matches!(refused, SpmmError::Algebra(_)), "{refused}");
}

#[test]
fn a_resume_handshake_is_over_one_stock_and_its_last_session() {
    let world = world();
    let offer = |byte: usize| {
        let (rating, social) = stocks::offline(&world, disk(), disk());
        let mut calling = RatingSession::new(rating).unwrap();
        let offer = with_flipped_bit(calling.poll_send().unwrap().unwrap(), byte);
        let mut called = SocialSession::new(social).unwrap();
        let error = called.receive(offer).unwrap_err();
        assert!(called.poll_send().is_err(), "sent after a refusal");
        assert!(called.into_stock().is_err());
        error
    };
    // Identity, then P0's and P1's nonce of the session before.
    assert!(matches!(offer(0), SpmmError::OtherStock));
    assert!(matches!(offer(31), SpmmError::OtherStock));
    assert!(matches!(offer(32), SpmmError::Void { .. }));
    assert!(matches!(offer(63), SpmmError::Void { .. }));

    let reply = |change: &dyn Fn(&mut Vec<u8>)| {
        let (rating, social) = stocks::offline(&world, disk(), disk());
        let mut calling = RatingSession::new(rating).unwrap();
        let mut called = SocialSession::new(social).unwrap();
        called
            .receive(calling.poll_send().unwrap().unwrap())
            .unwrap();
        let mut reply = called.poll_send().unwrap().unwrap();
        change(&mut reply.payload);
        let error = calling.receive(reply).unwrap_err();
        assert!(calling.poll_send().is_err(), "sent after a refusal");
        assert!(calling.into_stock().is_err());
        error
    };
    assert!(matches!(
        reply(&|reply| reply[0] ^= 1),
        SpmmError::OtherStock
    ));
    assert!(matches!(
        reply(&|reply| reply[32] ^= 1),
        SpmmError::Void { .. }
    ));
    // Closed is yes or no.
    assert!(matches!(
        reply(&|reply| *reply.last_mut().unwrap() = 2),
        SpmmError::Malformed {
            step: Step::Identity
        }
    ));

    // Steps 3 and 4 name the session that was agreed on in steps 1 and 2.
    for step in [3, 4] {
        let (rating, social) = stocks::offline(&world, disk(), disk());
        let mut calling = RatingSession::new(rating).unwrap();
        let mut called = SocialSession::new(social).unwrap();
        called
            .receive(calling.poll_send().unwrap().unwrap())
            .unwrap();
        calling
            .receive(called.poll_send().unwrap().unwrap())
            .unwrap();
        let third = calling.poll_send().unwrap().unwrap();
        if step == 3 {
            let error = called.receive(with_flipped_bit(third, 31)).unwrap_err();
            assert!(matches!(error, SpmmError::OtherStock));
            assert!(called.poll_send().is_err());
        } else {
            called.receive(third).unwrap();
            let fourth = with_flipped_bit(called.poll_send().unwrap().unwrap(), 0);
            let error = calling.receive(fourth).unwrap_err();
            assert!(matches!(error, SpmmError::OtherStock));
            assert!(calling.into_stock().is_err());
        }
    }
}

/// A void stock stays void on disk, at whichever side found out.
#[test]
fn a_stock_found_void_stays_void() {
    let world = world();
    let social_disk = disk();
    let (rating, social) = stocks::offline(&world, disk(), social_disk.clone());
    let mut calling = RatingSession::new(rating).unwrap();
    let offer = calling.poll_send().unwrap().unwrap();
    let mut called = SocialSession::new(social).unwrap();
    called.receive(with_flipped_bit(offer, 40)).unwrap_err();
    let operand = Arc::clone(&world.operand);
    let opened = SocialStock::open(social_disk, &world.pattern, operand);
    assert!(matches!(opened, Err(SpmmError::Void { .. })));

    let rating_disk = disk();
    let (rating, social) = stocks::offline(&world, rating_disk.clone(), disk());
    let mut calling = RatingSession::new(rating).unwrap();
    let mut called = SocialSession::new(social).unwrap();
    called
        .receive(calling.poll_send().unwrap().unwrap())
        .unwrap();
    let reply = called.poll_send().unwrap().unwrap();
    calling.receive(with_flipped_bit(reply, 40)).unwrap_err();
    let opened = RatingStock::open(rating_disk, Arc::clone(&world.pattern));
    assert!(matches!(opened, Err(SpmmError::Void { .. })));
}

#[test]
fn a_close_names_its_stock_and_another_closes_nothing() {
    let world = world();
    let (_, (rating, social)) = open(&world, 0, stocks::make(&world));
    let mut closing = RatingClose::new(rating);
    let close = closing.poll_send().unwrap().unwrap();
    let mut closed = SocialClose::new(social);
    let error = closed.receive(with_flipped_bit(close, 0)).unwrap_err();
    assert!(matches!(error, SpmmError::OtherStock));
    assert!(closed.poll_send().is_err());
    // Nothing was agreed on: the next session burns what may have been under way.
    let (rating, social) = (closing.into_stock(), closed.into_stock());
    assert!(rating.is_err());
    let social = SocialSession::new(social).unwrap();
    assert!(!social.is_done());
}

#[test]
fn nothing_is_opened_before_a_resume_handshake_nor_after_a_failure() {
    let world = world();
    let (rating, social) = stocks::offline(&world, disk(), disk());
    for error in [
        RatingOpening::new(rating, &world.factors[0]).err(),
        SocialOpening::new(social, Uncounted).err(),
    ] {
        let due = Some(Step::Identity);
        assert!(matches!(error, Some(SpmmError::Unfinished { pending }) if Some(pending) == due));
    }
    let (rating, social) = stocks::make(&world);
    let sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let again = RatingOpening::new(sending.into_stock(), &world.factors[0]).err();
    assert!(matches!(again, Some(SpmmError::Unfinished { .. })));
    let answering = SocialOpening::new(social, Uncounted).unwrap();
    let again = SocialOpening::new(answering.into_stock(), Uncounted).err();
    assert!(matches!(again, Some(SpmmError::Unfinished { .. })));
}
