//! What a faulty link or peer causes: a named error at the side that notices, never a panic.

use std::sync::Arc;

use crate::world::{Shape, World};
use s3rec_sparse::OperatorKind;
use s3rec_spmm::pair::{self, Honest, Interceptor, PairError, Side};
use s3rec_spmm::{Endpoint, Frame, SpmmError, Step, he};

/// What happens to one frame of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
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
struct At {
    step: Step,
    fault: Fault,
    struck: bool,
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
    let mut social = he::SocialRound::new(&keys.social, &world.operand, 0).unwrap();
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
            let mut at = At {
                step,
                fault,
                struck: false,
            };
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
        round(
            &world,
            &good,
            &mut At {
                step,
                fault: Fault::Corrupt,
                struck: false,
            },
        )
        .unwrap();
    }
    let bad = keys(
        &world,
        &mut At {
            step: Step::PublicKey,
            fault: Fault::Corrupt,
            struck: false,
        },
    )
    .unwrap();
    round(&world, &bad, &mut Honest).unwrap();
}

#[test]
fn a_spent_endpoint_stays_spent() {
    let world = world();
    let keys = keys(&world, &mut Honest).unwrap();
    let mut social = he::SocialRound::new(&keys.social, &world.operand, 0).unwrap();
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
    let mut social = he::SocialRound::new(&keys.social, &world.operand, 0).unwrap();
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
