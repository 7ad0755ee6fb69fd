//! Known answers, and every way a peer can break the conversation.

use std::collections::BTreeSet;

use super::pair::{self, Transcript};
use super::{Layout, RatingEncoding, SocialStarting, rating, social};
use crate::contract_tests::{error, names, session, sizes};
use crate::{Common, PsiError, Sizes};

fn at_rating(p0: &[String], sizes: Sizes, seed: u8) -> RatingEncoding {
    let ids = p0.iter().map(String::as_str);
    rating::begin_seeded(&session(), sizes, ids, &[seed; 32]).unwrap()
}

fn at_social(p1: &[String], sizes: Sizes, seed: u8) -> (SocialStarting, Vec<u8>) {
    let ids = p1.iter().map(String::as_str);
    social::begin_seeded(&session(), sizes, ids, &[seed; 32]).unwrap()
}

pub(crate) fn run(p0: &[String], p1: &[String], seed: u8) -> (Common, Common, Transcript) {
    let sizes = sizes(p0, p1);
    let rating = at_rating(p0, sizes, seed);
    pair::run(rating, at_social(p1, sizes, seed ^ 0x80)).unwrap()
}

/// Known answers: whatever changes a byte that crosses breaks the conversation with other versions.
#[test]
fn known_transcript() {
    let (_, common, seen) = run(&names(0..100), &names(90..150), 1);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seen.request).update(&seen.answer);
    for bytes in seen.columns.iter().chain(&seen.labels).chain(&seen.claims) {
        hasher.update(bytes);
    }
    hasher.update(&common.digest);
    assert_eq!(
        hasher.finalize().to_hex().as_str(),
        "c0c9739ed79f16cc9f7270c384847879c1ad0545156f1a09abb86351c7e44bde"
    );
}

/// Secrets come from the system, anew for every run and each party.
#[test]
fn every_run_draws_secrets_of_its_own() {
    let ids = names(0..40);
    let sizes = sizes(&ids, &ids);
    let ids = || ids.iter().map(String::as_str);
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let rating = rating::begin(&session(), sizes, ids()).unwrap();
        let (social, request) = social::begin(&session(), sizes, ids()).unwrap();
        let (_, _, transcript) = pair::run(rating, (social, request)).unwrap();
        for bytes in [
            &transcript.request,
            &transcript.answer,
            &transcript.columns[0],
            &transcript.labels[0],
        ] {
            seen.extend(bytes.chunks_exact(16).map(<[u8]>::to_vec));
        }
    }
    let blocks = |bytes: usize| 3 * (bytes / 16);
    let layout = Layout::new(sizes);
    let expected = blocks(layout.request_bytes())
        + blocks(layout.answer_bytes())
        + blocks(layout.columns_bytes())
        + blocks(layout.labels_bytes());
    assert_eq!(seen.len(), expected);
}

/// What each side has is told as it is: a step is due when all has come, not before.
#[test]
fn steps_out_of_turn_are_the_callers_or_refused() {
    let (p0, p1) = (names(0..45_000), names(44_000..80_000));
    let sizes = sizes(&p0, &p1);
    let (social, request) = at_social(&p1, sizes, 2);
    let (mut sending, answer) = at_rating(&p0, sizes, 1).take_request(&request).unwrap();
    let mut receiving = social.take_answer(&answer).unwrap();
    let first = sending.next_chunk().unwrap();
    let second = sending.next_chunk().unwrap();
    assert_eq!((sending.sent(), receiving.received()), ((2, 3), (0, 2)));
    receiving = receiving.take_columns(&first).unwrap();
    assert_eq!(
        (receiving.received(), receiving.is_complete()),
        ((1, 2), false)
    );
    receiving = receiving.take_columns(&second).unwrap();
    assert!(receiving.is_complete());
    let check = sending.next_chunk().unwrap();
    assert!(sending.next_chunk().is_none());
    assert_eq!(sending.sent(), (3, 3));
    let mut labelling = receiving.take_check(&check).unwrap();
    let first = labelling.next_chunk().unwrap();
    let matching = sending.finish().unwrap().take_labels(&first).unwrap();
    assert_eq!(
        (matching.received(), matching.is_complete()),
        (32_768, false)
    );
    assert!(matches!(
        error(matching.finish()),
        PsiError::Unfinished {
            expected: 36_000,
            ..
        }
    ));
    assert!(matches!(
        error(labelling.finish()),
        PsiError::Unfinished { actual: 32_768, .. }
    ));

    let (social, request) = at_social(&p1, sizes, 2);
    let (sending, answer) = at_rating(&p0, sizes, 1).take_request(&request).unwrap();
    let early = social.take_answer(&answer).unwrap().take_check(&check);
    assert!(matches!(
        error(early),
        PsiError::Unfinished { actual: 0, .. }
    ));
    assert!(matches!(
        error(sending.finish()),
        PsiError::Unfinished { actual: 0, .. }
    ));
}

/// Everything that one side sends, changed by `change`; the result or the refusal.
fn changed(change: impl Fn(&'static str, &mut Vec<u8>)) -> Result<(Common, Common), PsiError> {
    let (p0, p1) = (names(0..30), names(20..60));
    let sizes = sizes(&p0, &p1);
    let (social, mut request) = at_social(&p1, sizes, 2);
    change("request", &mut request);
    let (mut sending, mut answer) = at_rating(&p0, sizes, 1).take_request(&request)?;
    change("answer", &mut answer);
    let receiving = social.take_answer(&answer)?;
    let mut columns = sending.next_chunk().unwrap();
    change("columns", &mut columns);
    let receiving = receiving.take_columns(&columns)?;
    let mut check = sending.next_chunk().unwrap();
    change("check", &mut check);
    let mut labelling = receiving.take_check(&check)?;
    let mut labels = labelling.next_chunk().unwrap();
    change("labels", &mut labels);
    let (at_rating, claims) = sending.finish()?.take_labels(&labels)?.finish()?;
    let mut claims: Vec<u8> = claims.chunks().flatten().copied().collect();
    change("claims", &mut claims);
    Ok((
        at_rating,
        labelling.finish()?.take_claims(&claims)?.finish()?,
    ))
}

const KINDS: [&str; 6] = ["request", "answer", "columns", "check", "labels", "claims"];

#[test]
fn messages_of_any_other_length_are_refused() {
    assert!(changed(|_, _| ()).is_ok());
    for kind in KINDS {
        for length in [0, 1, 16, 31, 3_072, 1 << 21] {
            let refused = error(changed(|at, bytes| {
                if at == kind {
                    bytes.resize(length, 7);
                }
            }));
            assert!(
                refused.blames_peer() || kind == "claims",
                "{kind} {length}: {refused}"
            );
        }
    }
    // One message more than there are.
    let layout = Layout::new(sizes(&names(0..30), &names(20..60)));
    assert_eq!(layout.groups_from(layout.groups()), 0);
}

/// A flipped bit anywhere never panics, and what P0 sends is then refused, not answered.
#[test]
fn any_flipped_bit_is_refused_or_harmless() {
    for kind in KINDS {
        let mut places: Vec<usize> = (0..12).map(|i| i * i * 97 + 5 * i).collect();
        places.extend([usize::MAX, usize::MAX - 1]);
        for place in places {
            let result = changed(|at, bytes| {
                if at == kind {
                    let at = match usize::MAX - place {
                        back @ 0..2 => bytes.len() - 1 - back,
                        _ => place % bytes.len(),
                    };
                    bytes[at] ^= 0x10;
                }
            });
            match (kind, result) {
                // P1's own mistake: nothing matches, or its elements are none.
                ("request", Ok((at_rating, _))) => assert_eq!(at_rating.rows.len(), 0),
                // A flipped label matches nothing, or was none of the common.
                ("labels", Ok((at_rating, _))) => assert!(at_rating.rows.len() <= 10),
                (_, Err(refused)) => assert!(refused.blames_peer(), "{kind}: {refused}"),
                // A sum that the path of P1 does not use.
                ("answer", Ok((at_rating, at_social))) => {
                    assert_eq!(at_rating.digest, at_social.digest);
                }
                (kind, Ok(_)) => panic!("{kind} at {place} was taken"),
            }
        }
    }
}

#[test]
fn claims_that_p0_cannot_have_matched_are_refused() {
    let (good, _) = changed(|_, _| ()).unwrap();
    assert_eq!(good.rows.len(), 10);
    let unset = |bytes: &[u8]| (0..40).find(|p| bytes[p / 8] >> (p % 8) & 1 == 0).unwrap();
    let set = |bytes: &[u8]| (0..40).find(|p| bytes[p / 8] >> (p % 8) & 1 == 1).unwrap();
    let claim = |change: &dyn Fn(&mut Vec<u8>)| {
        error(changed(|at, bytes| {
            if at == "claims" {
                change(bytes);
            }
        }))
    };
    let more = claim(&|bytes| {
        let place = unset(bytes);
        bytes[place / 8] |= 1 << (place % 8);
    });
    assert_eq!(more, PsiError::Unproven);
    // Another of P1's ids in the place of one that was matched: the other form lets it pass.
    let swapped = claim(&|bytes| {
        let (own, other) = (set(bytes), unset(bytes));
        bytes[own / 8] ^= 1 << (own % 8);
        bytes[other / 8] ^= 1 << (other % 8);
    });
    assert_eq!(swapped, PsiError::Unproven);
    let last = claim(&|bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_eq!(last, PsiError::Unproven);
    assert!(matches!(claim(&Vec::clear), PsiError::Torn { .. }));
    assert!(matches!(
        claim(&|bytes| bytes.push(0)),
        PsiError::Surplus { .. }
    ));
    assert!(matches!(
        claim(&|bytes| bytes.truncate(9)),
        PsiError::Unfinished { .. }
    ));
}

#[test]
fn labels_sent_twice_do_not_tell_whether_they_match() {
    let matched = (0..40).map(|guess| {
        let taken = changed(|at, bytes| {
            if at == "labels" {
                let label_bytes = bytes.len() / 40;
                let label = guess * label_bytes..(guess + 1) * label_bytes;
                for later in guess + 1..40 {
                    bytes.copy_within(label.clone(), later * label_bytes);
                }
            }
        });
        let (at_rating, at_social) = taken.unwrap();
        assert_eq!(at_rating.rows.len(), at_social.rows.len());
        at_rating.rows.len()
    });
    // Ten of the labels match, the others do not: all are taken alike.
    let matched: Vec<usize> = matched.collect();
    assert!(matched.is_sorted() && matched[0] <= 1 && matched[39] == 10);
}

#[test]
fn the_callers_own_mistakes_are_not_the_peers() {
    for (announced, ids) in [(2, vec!["a"]), (1, vec!["a", "b"]), (2, vec!["a", "a"])] {
        let sizes = Sizes::new(announced, announced).unwrap();
        let refused = error(rating::begin(&session(), sizes, ids.iter().copied()));
        assert!(!refused.blames_peer(), "{refused:?}");
        let refused = error(social::begin(&session(), sizes, ids.iter().copied()));
        assert!(!refused.blames_peer(), "{refused:?}");
    }
    assert!(!PsiError::Encoding.blames_peer());
    assert!(PsiError::Inconsistent.blames_peer());
}
