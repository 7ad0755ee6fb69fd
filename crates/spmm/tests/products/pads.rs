//! Pad safety (section 3.3, "What must hold, crash or no crash"): a simulation kills either or
//! both parties after any frame, restores stale state and changes Y in between, and holds the
//! whole transcript to the rules. A frame counts as seen once it was handed out, delivered or not.

use crate::simulation::*;
use proptest::prelude::*;
use s3rec_spmm::preprocessed::{RatingOpening, SocialOpening, SocialStock, StockStorage};
use s3rec_spmm::{Endpoint, ReleasePolicy, SpmmError, Step, Uncounted};

fn kills() -> impl Strategy<Value = Kills> {
    prop::sample::select(vec![Kills::Rating, Kills::Social, Kills::Both])
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0usize..3, 0usize..6, kills()).prop_map(|(input, frames, kills)| Event::Open { input, frames, kills }),
        2 => (0usize..3).prop_map(|input| Event::Open { input, frames: usize::MAX, kills: Kills::Both }),
        1 => (0usize..5).prop_map(|frames| Event::Meet { frames }),
        1 => kills().prop_map(Event::Kill),
        2 => any::<bool>().prop_map(|rating| Event::Backup { rating }),
        1 => any::<bool>().prop_map(|rating| Event::Restore { rating }),
        1 => Just(Event::Close),
        1 => Just(Event::ChangeOperator),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_pad_is_ever_used_twice(events in prop::collection::vec(event(), 1..32), noised in any::<bool>()) {
        let release = if noised {
            ReleasePolicy::Noised { sigma: 0.5, row_norm_beta: 1.0, delta: 1e-6 }
        } else {
            ReleasePolicy::Exact
        };
        let mut simulation = Simulation::new(release);
        for event in events {
            simulation.run(event);
        }
    }
}

const WHOLE: usize = usize::MAX;

fn whole(input: usize) -> Event {
    Event::Open {
        input,
        frames: WHOLE,
        kills: Kills::Both,
    }
}

#[test]
fn an_interrupted_message_is_sent_again_byte_for_byte() {
    for frames in 0..4 {
        let mut simulation = Simulation::new(ReleasePolicy::Noised {
            sigma: 0.5,
            row_norm_beta: 1.0,
            delta: 1e-6,
        });
        simulation.run(whole(0));
        simulation.run(Event::Open {
            input: 1,
            frames,
            kills: Kills::Both,
        });
        simulation.run(whole(1));
        assert_eq!(simulation.opened, 2);
        // Both messages used one round's columns each: the second was repeated, not renewed.
        assert_eq!(simulation.seen.masked.len(), 2);
        simulation.run(Event::Close);
        assert_eq!(simulation.social.unwrap().openings(), 2);
    }
}

#[test]
fn another_message_after_an_interruption_takes_other_columns() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Open {
        input: 1,
        frames: 1,
        kills: Kills::Rating,
    });
    simulation.run(whole(2));
    // Those of round 1 too: its disk may be of before yet another message.
    assert_eq!(
        simulation.seen.masked.keys().copied().collect::<Vec<_>>(),
        [0, 2]
    );
}

#[test]
fn a_closed_session_burns_nothing_an_open_one_burns_one_round() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    simulation.run(Event::Close);
    let (ours, theirs) = (simulation.rating.as_ref(), simulation.social.as_ref());
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!((ours.cursor(), theirs.cursor()), (1, 1));
    assert!(ours.identity().is_some() && ours.identity() == theirs.identity());
    let record = simulation.social_disk.load().unwrap().unwrap();
    assert_eq!(SocialStock::openings_of(&record).unwrap(), 1);
    simulation.run(Event::Kill(Kills::Both));
    simulation.run(whole(1));
    assert_eq!(
        simulation.seen.masked.keys().copied().collect::<Vec<_>>(),
        [0, 1]
    );
}

/// A session left open burns one round at the next resume handshake; handshakes that break off in between
/// burn nothing more, however many there are.
#[test]
fn broken_resume_handshakes_burn_nothing() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Meet { frames: WHOLE });
    for frames in [0, 1, 2, 3, 0, 1, 2, 3] {
        simulation.run(Event::Kill(Kills::Both));
        simulation.run(Event::Meet { frames });
    }
    simulation.run(whole(1));
    let rounds: Vec<u32> = simulation.seen.masked.keys().copied().collect();
    assert_eq!(rounds, [1]);
}

/// P0's backup of the same session, restored after a message that P1 never noted: nobody's disk
/// knows of that message, and still its columns are not used again.
#[test]
fn a_backup_within_a_session_burns_what_may_have_been_sent() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Meet { frames: WHOLE });
    simulation.run(Event::Backup { rating: true });
    simulation.run(Event::Open {
        input: 0,
        frames: 1,
        kills: Kills::Both,
    });
    simulation.run(Event::Restore { rating: true });
    simulation.run(whole(1));
    assert_eq!(simulation.opened, 1);
    assert_eq!(
        simulation.seen.masked.keys().copied().collect::<Vec<_>>(),
        [0, 1]
    );
}

/// The same with a message that P0 still holds, whether or not it is repeated before the next.
#[test]
fn a_held_message_does_not_hide_a_later_one() {
    for (repeated, frames) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut simulation = Simulation::new(ReleasePolicy::Exact);
        simulation.run(whole(0));
        simulation.run(Event::Backup { rating: true });
        simulation.run(Event::Open {
            input: 1,
            frames,
            kills: Kills::Rating,
        });
        simulation.run(Event::Restore { rating: true });
        if repeated {
            simulation.run(whole(0));
        }
        simulation.run(whole(2));
        // Round 1's columns were handed out once, or not at all, and then burnt.
        assert_eq!(simulation.seen.masked.keys().max(), Some(&2));
        assert_eq!(simulation.opened, 2 + u32::from(repeated));
    }
}

#[test]
fn a_backup_of_an_earlier_session_voids_the_stock() {
    for rating in [true, false] {
        let mut simulation = Simulation::new(ReleasePolicy::Exact);
        simulation.run(whole(0));
        simulation.run(Event::Backup { rating });
        simulation.run(Event::Kill(Kills::Both));
        simulation.run(whole(1));
        simulation.run(Event::Restore { rating });
        simulation.run(whole(2));
        assert!(simulation.void);
        assert_eq!(simulation.opened, 2);
    }
}

/// P1 set back within a session no longer knows what it opened: its count would be too low.
#[test]
fn a_social_backup_within_a_session_voids_the_stock() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Meet { frames: WHOLE });
    simulation.run(Event::Backup { rating: false });
    simulation.run(whole(0));
    simulation.run(whole(1));
    simulation.run(whole(2));
    simulation.run(Event::Restore { rating: false });
    simulation.run(whole(0));
    assert!(simulation.void);
    assert_eq!(simulation.opened, 3);
}

/// Set back by a single opening, too.
#[test]
fn a_social_backup_of_before_the_last_opening_voids_the_stock() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    simulation.run(Event::Backup { rating: false });
    simulation.run(whole(1));
    simulation.run(Event::Restore { rating: false });
    simulation.run(whole(2));
    assert!(simulation.void);
    assert_eq!(simulation.opened, 2);
}

#[test]
fn a_changed_operator_voids_the_stock_used_or_not() {
    for used in 0..2 {
        let mut simulation = Simulation::new(ReleasePolicy::Exact);
        (0..used).for_each(|input| simulation.run(whole(input)));
        simulation.run(Event::ChangeOperator);
        assert!(simulation.void, "{used}");
    }
}

#[test]
fn an_exhausted_stock_refuses() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    for round in 0..ROUNDS {
        simulation.run(whole(round as usize % 3));
    }
    assert_eq!(simulation.opened, ROUNDS);
    let rating = simulation.rating.take().unwrap();
    let factors = simulation.world.factors[0].clone();
    assert!(matches!(
        RatingOpening::new(rating, &factors),
        Err(SpmmError::Exhausted { rounds: ROUNDS })
    ));
}

/// The same columns, another message: P1 refuses and counts nothing.
#[test]
fn a_peer_that_masks_twice_is_refused() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    let social = simulation.social.take().unwrap();
    // A dishonest P0 names columns that are answered already.
    let (rating, factors) = (
        simulation.rating.take().unwrap(),
        simulation.world.factors[1].clone(),
    );
    let mut sending = RatingOpening::new(rating, &factors).unwrap();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    while let Some(mut frame) = sending.poll_send().unwrap() {
        if frame.step == Step::Opening {
            frame.payload.truncate(32);
            frame.payload.extend_from_slice(&0u32.to_le_bytes());
        }
        answering.receive(frame).unwrap();
    }
    assert!(matches!(
        answering.poll_send(),
        Err(SpmmError::ColumnsUsed { round: 0 })
    ));
    assert!(answering.poll_send().is_err());
    assert_eq!(answering.into_stock().openings(), 1);
}
