//! Who admits inputs decides before anything is recorded; what is counted is what the record holds,
//! and a repeat is the recorded message and no other.

use std::sync::{Arc, Mutex};

use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::preprocessed::{RatingOpening, SocialOpening, SocialStock};
use s3rec_spmm::{Admission, Asked, Endpoint, Protocol, SpmmError, Step, he};

use crate::stocks;
use crate::world::{Shape, World, space};

/// What was asked, in order.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    Named(u32),
    Permit(Asked),
    Count(Asked),
}

/// Refuses at one of the three calls.
#[derive(Clone, Default)]
struct Recorder {
    refuses: Option<&'static str>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Recorder {
    fn refusing(at: &'static str) -> Self {
        Self {
            refuses: Some(at),
            ..Self::default()
        }
    }

    fn note(&self, name: &'static str, call: Call) -> Result<(), SpmmError> {
        self.calls.lock().unwrap().push(call);
        match self.refuses == Some(name) {
            true => Err(SpmmError::Refused(name.into())),
            false => Ok(()),
        }
    }

    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Admission for Recorder {
    fn named(&mut self, round: u32) -> Result<(), SpmmError> {
        self.note("named", Call::Named(round))
    }

    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.note("permit", Call::Permit(*asked))
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.note("count", Call::Count(*asked))
    }
}

fn world() -> World {
    let shape = Shape {
        protocol: Protocol::Preprocessed,
        ..Shape::new(6, 2, vec![(0, 1), (1, 2)])
    };
    World::new(&shape, 12)
}

/// Sends the frames and asks for an answer; gives whether one came, and the stock.
fn ask(frames: &[s3rec_spmm::Frame], social: SocialStock, by: &Recorder) -> (bool, SocialStock) {
    let mut answering = SocialOpening::new(social, by.clone()).unwrap();
    let mut taken = 0;
    for frame in frames {
        match answering.receive(frame.clone()) {
            Ok(()) => taken += 1,
            Err(SpmmError::Refused(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    if by.refuses == Some("named") {
        assert_eq!(taken, 0, "refused at the first frame");
    }
    let answer = answering.poll_send();
    (
        answer.is_ok_and(|frame| frame.is_some()),
        answering.into_stock(),
    )
}

#[test]
fn what_is_not_admitted_is_neither_recorded_nor_answered() {
    let world = world();
    for at in ["named", "permit", "count"] {
        let (rating, social) = stocks::make(&world);
        let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = sending.poll_send().unwrap() {
            frames.push(frame);
        }
        let by = Recorder::refusing(at);
        let (is_answered, social) = ask(&frames, social, &by);
        assert!(!is_answered, "{at}");
        // Only what may have to be counted yet is on record.
        let recorded = u32::from(at == "count");
        assert_eq!(
            (social.openings(), social.cursor()),
            (recorded, recorded),
            "{at}"
        );
        let calls = by.calls();
        assert_eq!(calls.first(), Some(&Call::Named(0)));
        let last = calls.last().unwrap();
        match at {
            "named" => assert_eq!(calls.len(), 1),
            "permit" => assert!(matches!(last, Call::Permit(_)) && calls.len() == 2),
            _ => assert!(matches!(last, Call::Count(_)) && calls.len() == 3),
        }
    }
}

#[test]
fn number_and_digest_are_the_records_and_a_repeat_is_the_recorded_message() {
    let world = world();
    let (rating, social) = stocks::make(&world);
    let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = sending.poll_send().unwrap() {
        frames.push(frame);
    }
    let by = Recorder::default();
    // The answer is lost after its first frame.
    let (is_answered, social) = ask(&frames, social, &by);
    assert!(is_answered);
    let calls = by.calls();
    let [Call::Named(0), Call::Permit(first), Call::Count(counted)] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert_eq!(first, counted);
    assert_eq!((first.round, first.number, first.is_repeat), (0, 1, false));

    // The same message again, and the same with one bit changed.
    let (_, social) = stocks::meet(sending.into_stock(), social);
    let (is_answered, social) = ask(&frames, social, &by);
    assert!(is_answered);
    let calls = by.calls();
    let [_, Call::Permit(again), Call::Count(_)] = &calls[..] else {
        panic!("{calls:?}");
    };
    let repeated = Asked {
        is_repeat: true,
        ..*first
    };
    assert_eq!(*again, repeated);
    assert_eq!(social.openings(), 1);
}

#[test]
fn another_message_under_used_columns_is_never_a_repeat() {
    let world = world();
    let (rating, social) = stocks::make(&world);
    let mut sending = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = sending.poll_send().unwrap() {
        frames.push(frame);
    }
    let by = Recorder::default();
    let (is_answered, social) = ask(&frames, social, &by);
    assert!(is_answered);
    by.calls();
    let (_, social) = stocks::meet(sending.into_stock(), social);
    let last = frames.last_mut().unwrap();
    assert_eq!(last.step, Step::MaskedFactors);
    last.payload[0] ^= 1;
    let mut answering = SocialOpening::new(social, by.clone()).unwrap();
    frames
        .into_iter()
        .for_each(|frame| answering.receive(frame).unwrap());
    let refused = answering.poll_send();
    assert!(matches!(refused, Err(SpmmError::ColumnsUsed { round: 0 })));
    assert_eq!(by.calls(), [Call::Named(0)], "nobody was asked");
    assert_eq!(answering.into_stock().openings(), 1);
}

/// Frames of `he` name no round; whoever admits hears of each upload once, before the work.
#[test]
fn an_upload_of_he_is_admitted_before_it_is_worked_on() {
    let shape = Shape {
        protocol: Protocol::He,
        ..Shape::new(6, 2, vec![(0, 1), (1, 2)])
    };
    let world = World::new(&shape, 12);
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"admission");
    let rating_keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
    let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    let social_keys = Arc::new(receiving.into_keys().unwrap());
    for at in [None, Some("permit"), Some("count")] {
        let mut sending =
            he::RatingRound::new(&rating_keys, &world.pattern, &world.factors[0]).unwrap();
        let by = Recorder {
            refuses: at,
            ..Recorder::default()
        };
        let mut answering =
            he::SocialRound::new(&social_keys, &world.operand, 0, by.clone(), &space()).unwrap();
        while let Some(frame) = sending.poll_send().unwrap() {
            answering.receive(frame).unwrap();
        }
        assert_eq!(answering.poll_send().is_ok(), at.is_none());
        let calls = by.calls();
        let asked = match &calls[0] {
            Call::Permit(asked) => *asked,
            other => panic!("{other:?}"),
        };
        assert_eq!((asked.number, asked.is_repeat), (1, false));
        assert_eq!(calls.len(), if at == Some("permit") { 1 } else { 2 });
    }
}
