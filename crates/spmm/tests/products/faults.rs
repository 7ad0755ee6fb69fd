//! What a faulty link or peer causes: a named error at the side that notices, never a panic.

use std::sync::Arc;

use crate::world::{Shape, World, space};
use proptest::prelude::*;
use s3rec_sparse::OperatorKind;
use s3rec_spmm::pair::{self, Honest, Interceptor, PairError, Side};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingOpening, RatingSession, SocialOpening, SocialSession,
};
use s3rec_spmm::{Endpoint, Frame, Protocol, SpmmError, Step, Uncounted, he};

use crate::stocks;

/// What happens to one frame of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Drop,
    Repeat,
    Truncate,
    Extend,
    Empty,
    Renumber,
    Relabel,
    Corrupt,
}

/// Applies `fault` to the first frame of `step`.
pub(crate) struct At {
    step: Step,
    fault: Fault,
    struck: bool,
}

impl At {
    pub(crate) fn new(step: Step, fault: Fault) -> At {
        let struck = false;
        At {
            step,
            fault,
            struck,
        }
    }
}

impl Interceptor for At {
    fn intercept(&mut self, _from: Side, mut frame: Frame) -> Vec<Frame> {
        if self.struck || frame.step != self.step {
            return vec![frame];
        }
        self.struck = true;
        match self.fault {
            Fault::Drop => return vec![],
            Fault::Repeat => return vec![frame.clone(), frame],
            Fault::Truncate => {
                frame.payload.pop();
            }
            Fault::Extend => frame.payload.push(0),
            Fault::Empty => frame.payload.clear(),
            Fault::Renumber => frame.sequence += 1,
            Fault::Relabel => frame.step = Step::Cursor,
            Fault::Corrupt => frame.payload.iter_mut().for_each(|byte| *byte ^= 0xff),
        }
        vec![frame]
    }
}

fn world() -> World {
    let links = vec![(0, 1), (1, 2), (2, 0), (7, 3)];
    World::new(
        &Shape {
            operator: OperatorKind::Laplacian,
            ..Shape::new(12, 3, links)
        },
        9,
    )
}

struct Keys {
    rating: Arc<he::RatingKeys>,
    social: Arc<he::SocialKeys>,
}

fn keys(world: &World, interceptor: &mut dyn Interceptor) -> Result<Keys, PairError> {
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"faults");
    let rating = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&rating).unwrap();
    let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    pair::run(&mut announcing, &mut receiving, interceptor)?;
    let social = receiving.into_keys().map_err(|error| PairError::Failed {
        side: Side::Social,
        error,
    })?;
    Ok(Keys {
        rating,
        social: Arc::new(social),
    })
}

fn round(world: &World, keys: &Keys, interceptor: &mut dyn Interceptor) -> Result<(), PairError> {
    let mut rating = he::RatingRound::new(&keys.rating, &world.pattern, &world.factors[0]).unwrap();
    let mut social =
        he::SocialRound::new(&keys.social, &world.operand, 0, Uncounted, &space()).unwrap();
    pair::run(&mut rating, &mut social, interceptor).map(|_| ())
}

#[test]
fn every_fault_is_named_by_the_side_that_sees_it() {
    let world = world();
    let good = keys(&world, &mut Honest).unwrap();
    for step in [
        Step::PublicKey,
        Step::MaskSeed,
        Step::Bodies,
        Step::Responses,
    ] {
        for fault in [
            Fault::Drop,
            Fault::Repeat,
            Fault::Truncate,
            Fault::Extend,
            Fault::Empty,
            Fault::Renumber,
            Fault::Relabel,
        ] {
            let mut at = At::new(step, fault);
            let result = match step {
                Step::PublicKey => keys(&world, &mut at).map(|_| ()),
                _ => round(&world, &good, &mut at),
            };
            let receiver = if step == Step::Responses {
                Side::Rating
            } else {
                Side::Social
            };
            match (fault, result.unwrap_err()) {
                (Fault::Drop, PairError::Stalled { rating, social }) => {
                    let waiting = if receiver == Side::Rating {
                        rating
                    } else {
                        social
                    };
                    assert_eq!(waiting, Some(step));
                }
                // A lost frame may show as the next one's being out of order.
                (_, PairError::Failed { side, error }) => {
                    assert_eq!(side, receiver, "{fault:?} at {step:?}: {error}");
                    assert!(error.blames_peer(), "{fault:?} at {step:?}: {error}");
                    match fault {
                        Fault::Truncate | Fault::Extend | Fault::Empty => {
                            assert!(
                                matches!(error, SpmmError::WrongLength { step: named, .. } if named == step)
                            );
                        }
                        Fault::Repeat => {
                            assert!(matches!(
                                error,
                                SpmmError::OutOfOrder { .. } | SpmmError::NotDue { .. }
                            ));
                        }
                        _ => assert!(matches!(error, SpmmError::OutOfOrder { .. })),
                    }
                }
                (_, other) => panic!("{fault:?} at {step:?}: {other}"),
            }
        }
    }
}

/// Values that decrypt to nonsense are not an error: no visible behaviour of either party may
/// depend on decrypted content.
#[test]
fn corrupt_values_never_show() {
    let world = world();
    let good = keys(&world, &mut Honest).unwrap();
    for step in [Step::MaskSeed, Step::Bodies] {
        round(&world, &good, &mut At::new(step, Fault::Corrupt)).unwrap();
    }
    let bad = keys(&world, &mut At::new(Step::PublicKey, Fault::Corrupt)).unwrap();
    round(&world, &bad, &mut Honest).unwrap();
}

#[test]
fn a_spent_endpoint_stays_spent() {
    let world = world();
    let keys = keys(&world, &mut Honest).unwrap();
    let mut social =
        he::SocialRound::new(&keys.social, &world.operand, 0, Uncounted, &space()).unwrap();
    let wrong = Frame {
        step: Step::Bodies,
        sequence: 0,
        payload: vec![0; 16],
    };
    assert!(social.receive(wrong).is_err());
    let right = Frame {
        step: Step::MaskSeed,
        sequence: 0,
        payload: vec![0; 32],
    };
    assert!(matches!(
        social.receive(right),
        Err(SpmmError::Spent {
            step: Step::MaskSeed
        })
    ));
    assert!(matches!(
        social.poll_send(),
        Err(SpmmError::Spent {
            step: Step::MaskSeed
        })
    ));
    assert!(!social.is_done());
}

/// P1 sends nothing before it holds the whole upload, P0 takes nothing before it sent it all.
#[test]
fn nobody_answers_early() {
    let world = world();
    let keys = keys(&world, &mut Honest).unwrap();
    let mut rating = he::RatingRound::new(&keys.rating, &world.pattern, &world.factors[0]).unwrap();
    let mut social =
        he::SocialRound::new(&keys.social, &world.operand, 0, Uncounted, &space()).unwrap();
    social
        .receive(rating.poll_send().unwrap().unwrap())
        .unwrap();
    assert!(social.poll_send().unwrap().is_none());
    let early = Frame {
        step: Step::Responses,
        sequence: 0,
        payload: vec![],
    };
    assert!(matches!(
        rating.receive(early),
        Err(SpmmError::NotDue {
            actual: Step::Responses,
            ..
        })
    ));
    let mut rating = he::RatingRound::new(&keys.rating, &world.pattern, &world.factors[0]).unwrap();
    rating.poll_send().unwrap();
    assert!(matches!(
        rating.into_product(),
        Err(SpmmError::Unfinished {
            pending: Step::Responses
        })
    ));
}

/// Every frame of a stock's life, struck by every fault, at the side that receives it.
#[test]
fn faults_over_a_stock_are_named_too() {
    for (step, receiver) in [
        (Step::Identity, Side::Social),
        (Step::Cursor, Side::Social),
        (Step::Opening, Side::Social),
        (Step::MaskedFactors, Side::Social),
        (Step::MaskedProduct, Side::Rating),
    ] {
        for fault in [
            Fault::Drop,
            Fault::Repeat,
            Fault::Truncate,
            Fault::Extend,
            Fault::Empty,
            Fault::Renumber,
        ] {
            let mut at = At::new(step, fault);
            match stock_life(&mut at).unwrap_err() {
                PairError::Stalled { rating, social } => {
                    assert_eq!(fault, Fault::Drop);
                    let waiting = if receiver == Side::Rating {
                        rating
                    } else {
                        social
                    };
                    assert_eq!(waiting, Some(step));
                }
                PairError::Failed { side, error } => {
                    assert_eq!(side, receiver, "{fault:?} at {step:?}: {error}");
                    assert!(error.blames_peer(), "{fault:?} at {step:?}: {error}");
                }
            }
        }
    }
    stock_life(&mut Honest).unwrap();
}

fn stock_life(interceptor: &mut dyn Interceptor) -> Result<(), PairError> {
    let links = vec![(0, 1), (1, 2)];
    let shape = Shape {
        protocol: Protocol::Preprocessed,
        ..Shape::new(6, 2, links)
    };
    let world = World::new(&shape, 12);
    let disk = || Arc::new(MemoryStorage::default());
    let (rating, social) = stocks::offline(&world, disk(), disk());
    let mut calling = RatingSession::new(rating).unwrap();
    let mut called = SocialSession::new(social).unwrap();
    pair::run(&mut calling, &mut called, interceptor)?;
    let rating = calling.into_stock().unwrap();
    let social = called.into_stock().unwrap();
    let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    pair::run(&mut sending, &mut answering, interceptor)?;
    assert_eq!(sending.into_product().unwrap().0, world.expected(0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Arbitrary frames, of arbitrary and of the right lengths: errors, never a panic.
    #[test]
    fn arbitrary_frames_never_panic(
        frames in prop::collection::vec(
            (0usize..Step::ALL.len(), 0u32..3, prop::collection::vec(any::<u8>(), 0..100), any::<bool>()),
            1..6,
        ),
    ) {
        let world = world();
        let keys = keys(&world, &mut Honest).unwrap();
        let shape = Shape { protocol: Protocol::Preprocessed, ..Shape::new(6, 2, vec![(0, 1)]) };
        let stocked = World::new(&shape, 12);
        let (rating_stock, social_stock) = stocks::make(&stocked);
        let disk = || Arc::new(MemoryStorage::default());
        let (resting_rating, resting_social) = stocks::offline(&stocked, disk(), disk());
        let seed = he::public_key_seed(&[1; 32], &[2; 32], b"faults");
        let mut endpoints: Vec<Box<dyn Endpoint>> = vec![
            Box::new(he::SocialKeySetup::new(&world.parameters, &seed).unwrap()),
            Box::new(he::SocialRound::new(&keys.social, &world.operand, 0, Uncounted, &space()).unwrap()),
            Box::new(he::RatingRound::new(&keys.rating, &world.pattern, &world.factors[0]).unwrap()),
            Box::new(RatingOpening::new(rating_stock, &stocked.factors[0]).unwrap()),
            Box::new(SocialOpening::new(social_stock, Uncounted).unwrap()),
            Box::new(RatingSession::new(resting_rating).unwrap()),
            Box::new(SocialSession::new(resting_social).unwrap()),
        ];
        for endpoint in &mut endpoints {
            while endpoint.poll_send().unwrap().is_some() {}
            let mut failed = false;
            for (step, sequence, payload, fit) in &frames {
                let mut frame = Frame { step: Step::ALL[*step], sequence: *sequence, payload: payload.clone() };
                if *fit {
                    frame.step = endpoint.awaiting().unwrap_or(frame.step);
                    frame.payload.resize(match frame.step {
                        Step::MaskSeed => 32,
                        Step::Identity => 80,
                        Step::Opening => 36,
                        _ => payload.len(),
                    }, 7);
                }
                let result = endpoint.receive(frame);
                prop_assert!(!failed || result.is_err());
                failed |= result.is_err();
                let sent = endpoint.poll_send();
                prop_assert!(!failed || sent.is_err());
            }
        }
    }
}
