//! Every way a peer can break the conversation.

use std::collections::BTreeSet;

use crate::contract_tests::{error, names, session, sizes};
use crate::pair::{self, Transcript};
use crate::{Claims, Common, MAX_CHUNK_BYTES, PsiError, Sizes, rating, social};

pub(crate) fn run(p0: &[String], p1: &[String], seed: u8) -> (Common, Common, Transcript) {
    let (session, sizes) = (session(), sizes(p0, p1));
    let ids = p0.iter().map(String::as_str);
    let rating = rating::begin_seeded(&session, sizes, ids, &[seed; 32]).unwrap();
    let ids = p1.iter().map(String::as_str);
    let social = social::begin_seeded(&session, sizes, ids, &[seed ^ 0x80; 32]).unwrap();
    pair::run(rating, social).unwrap()
}

/// Scalars and orders come from the system, anew for every run and each party: with known ones
/// every guess of an id is confirmed.
#[test]
fn every_run_draws_secrets_of_its_own() {
    let ids = names(0..40);
    let sizes = sizes(&ids, &ids);
    let ids = || ids.iter().map(String::as_str);
    let mut seen = BTreeSet::new();
    let mut orders = BTreeSet::new();
    for _ in 0..3 {
        let (rating, _) = rating::begin(&session(), sizes, ids()).unwrap();
        let (social, _) = social::begin(&session(), sizes, ids()).unwrap();
        for mut masking in [rating, social] {
            let points = masking.next_chunk().unwrap();
            seen.extend(points.chunks_exact(32).map(<[u8]>::to_vec));
            orders.insert(masking.finish().unwrap().order);
        }
    }
    // 40 ids under six scalars, in six orders.
    assert_eq!((seen.len(), orders.len()), (6 * 40, 6));
    let (mut known, _) = rating::begin_seeded(&session(), sizes, ids(), &[0; 32]).unwrap();
    let known = known.next_chunk().unwrap();
    assert!(known.chunks_exact(32).all(|point| !seen.contains(point)));
}

/// What each side has is told as it is: a step is due when all has come, not before.
#[test]
fn progress_is_told_exactly() {
    let (p0, p1) = (names(0..5), names(3..10));
    let (mut from_rating, mut matching) = rating_of(&p0, 7);
    let sizes = sizes(&p0, &p1);
    let ids = p1.iter().map(String::as_str);
    let (mut from_social, mut answering) =
        social::begin_seeded(&session(), sizes, ids, &[9; 32]).unwrap();
    assert_eq!((from_rating.sent(), from_social.sent()), (0, 0));
    let points = from_rating.next_chunk().unwrap();
    assert_eq!(from_rating.sent(), 5);
    assert!(from_rating.next_chunk().is_none());
    let (head, tail) = points.split_at(64);
    let (labels, more);
    assert!(!answering.is_complete());
    (answering, labels) = answering.answer(head).unwrap();
    assert_eq!((answering.received(), answering.is_complete()), (2, false));
    (answering, more) = answering.answer(tail).unwrap();
    assert_eq!((answering.received(), answering.is_complete()), (5, true));

    assert_eq!(
        (matching.received(), matching.is_complete()),
        ((0, 0), false)
    );
    matching = matching.take_labels(&labels).unwrap();
    assert_eq!(
        (matching.received(), matching.is_complete()),
        ((0, 2), false)
    );
    matching = matching.take_labels(&more).unwrap();
    assert_eq!(
        (matching.received(), matching.is_complete()),
        ((0, 5), false)
    );
    matching = matching
        .take_points(&from_social.next_chunk().unwrap())
        .unwrap();
    assert_eq!(
        (matching.received(), matching.is_complete()),
        ((7, 5), true)
    );
    assert_eq!(from_social.sent(), 7);

    let (common, claims) = matching.finish(from_rating.finish().unwrap()).unwrap();
    let claims: Vec<u8> = claims.chunks().flatten().copied().collect();
    assert_eq!(claims.len(), sizes.claims_bytes());
    let mut waiting = answering.finish().unwrap();
    for byte in &claims {
        assert!(!waiting.is_complete());
        waiting = waiting.take_claims(&[*byte]).unwrap();
    }
    assert!(waiting.is_complete());
    let at_social = waiting.finish(from_social.finish().unwrap()).unwrap();
    assert_eq!((common.rows.len(), common.digest), (2, at_social.digest));
}

#[test]
fn a_message_of_labels_has_a_most() {
    let most = MAX_CHUNK_BYTES / 8;
    let ids = names(0..u32::try_from(most).unwrap() + 1);
    let sizes = Sizes::new(ids.len() as u64, 1 << 6).unwrap();
    assert_eq!(sizes.label_bytes(), 8);
    let take = |labels: usize| {
        let (_, matching) = rating_of(&ids, 1 << 6);
        matching.take_labels(&vec![0; 8 * labels])
    };
    assert_eq!(take(most).unwrap().received(), (0, most as u64));
    assert!(matches!(error(take(most + 1)), PsiError::Torn { .. }));
}

/// A run that stops before P1 answers, for a peer of the test's making.
fn social_of(rating: u64, ids: &[String]) -> crate::SocialAnswering {
    let sizes = Sizes::new(rating, ids.len() as u64).unwrap();
    let ids = ids.iter().map(String::as_str);
    let (_, answering) = social::begin_seeded(&session(), sizes, ids, &[9; 32]).unwrap();
    answering
}

fn rating_of(ids: &[String], social: u64) -> (crate::Masking, crate::RatingMatching) {
    let sizes = Sizes::new(ids.len() as u64, social).unwrap();
    let ids = ids.iter().map(String::as_str);
    rating::begin_seeded(&session(), sizes, ids, &[8; 32]).unwrap()
}

#[test]
fn broken_points_are_refused_by_name() {
    let ids = names(0..3);
    let good = rating_of(&ids, 3).0.next_chunk().unwrap();
    let answer = |bytes: &[u8]| error(social_of(3, &ids).answer(bytes));
    let take = |bytes: &[u8]| error(rating_of(&ids, 3).1.take_points(bytes));
    let mut identity = good.clone();
    identity[32..64].fill(0);
    let mut garbage = good.clone();
    garbage[64..].fill(0xfe);
    let too_many = [&good[..], &good[..32]].concat();
    let too_long = vec![1; MAX_CHUNK_BYTES + 32];
    type Named = fn(&PsiError) -> bool;
    let cases: [(&[u8], Named); 6] = [
        (&[], |e| matches!(e, PsiError::Torn { .. })),
        (&good[..95], |e| matches!(e, PsiError::Torn { .. })),
        (&too_long, |e| matches!(e, PsiError::Torn { .. })),
        (&too_many, |e| matches!(e, PsiError::Surplus { .. })),
        (&identity, |e| {
            matches!(
                e,
                PsiError::Point {
                    position: 1,
                    fault: crate::PointFault::Identity
                }
            )
        }),
        (&garbage, |e| {
            matches!(e, PsiError::Point { position: 2, .. })
        }),
    ];
    for (bytes, named) in cases {
        for refused in [answer(bytes), take(bytes)] {
            assert!(named(&refused) && refused.blames_peer(), "{refused:?}");
        }
    }
}

#[test]
fn duplicates_and_missing_points_are_refused() {
    let ids = names(0..3);
    let good = rating_of(&ids, 3).0.next_chunk().unwrap();
    let twice = [&good[..64], &good[..32]].concat();
    let (answering, _) = social_of(3, &ids).answer(&twice).unwrap();
    assert_eq!(error(answering.finish()), PsiError::Duplicate);
    let (answering, _) = social_of(3, &ids).answer(&good[..64]).unwrap();
    assert!(matches!(
        error(answering.finish()),
        PsiError::Unfinished { .. }
    ));

    let (mut masking, matching) = rating_of(&ids, 3);
    masking.next_chunk();
    let label_bytes = Sizes::new(3, 3).unwrap().label_bytes();
    let matching = matching.take_labels(&vec![7; 3 * label_bytes]).unwrap();
    let matching = matching.take_points(&twice).unwrap();
    let refused = matching.finish(masking.finish().unwrap());
    assert_eq!(error(refused), PsiError::Duplicate);
}

#[test]
fn broken_labels_are_refused_by_name() {
    let ids = names(0..3);
    let label_bytes = Sizes::new(3, 3).unwrap().label_bytes();
    let take = |bytes: &[u8]| error(rating_of(&ids, 3).1.take_labels(bytes));
    assert!(matches!(take(&[]), PsiError::Torn { .. }));
    assert!(matches!(
        take(&vec![0; label_bytes + 1]),
        PsiError::Torn { .. }
    ));
    assert!(matches!(
        take(&vec![0; label_bytes * 4]),
        PsiError::Surplus { .. }
    ));
    let (masking, matching) = rating_of(&names([]), 0);
    assert!(matching.finish(masking.finish().unwrap()).is_ok());
    let (masking, _) = rating_of(&ids, 3);
    assert!(matches!(
        error(masking.finish()),
        PsiError::Unfinished { .. }
    ));
}

#[test]
fn labels_sent_twice_do_not_tell_whether_they_match() {
    let (p0, p1) = (names(0..8), names(4..12));
    let matched = (0..8).map(|guess| {
        let (mut from_rating, matching) = rating_of(&p0, 8);
        let points = from_rating.next_chunk().unwrap();
        let sizes = Sizes::new(8, 8).unwrap();
        let ids = p1.iter().map(String::as_str);
        let (mut from_social, answering) =
            social::begin_seeded(&session(), sizes, ids, &[9; 32]).unwrap();
        let (_, mut labels) = answering.answer(&points).unwrap();
        let label = guess * sizes.label_bytes()..(guess + 1) * sizes.label_bytes();
        for later in guess + 1..8 {
            labels.copy_within(label.clone(), later * sizes.label_bytes());
        }
        let matching = matching.take_labels(&labels).unwrap();
        let matching = matching
            .take_points(&from_social.next_chunk().unwrap())
            .unwrap();
        let (common, _) = matching.finish(from_rating.finish().unwrap()).unwrap();
        common.rows.len()
    });
    // Four of the labels match, the others do not: all are taken alike.
    let matched: Vec<usize> = matched.collect();
    assert!(matched.is_sorted() && matched[0] <= 1 && matched[7] == 4);
}

/// A whole run with P0's claims changed on the way.
fn claimed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Common, PsiError> {
    let (p0, p1) = (names(0..12), names(9..30));
    let (mut from_rating, matching) = rating_of(&p0, p1.len() as u64);
    let sizes = sizes(&p0, &p1);
    let ids = p1.iter().map(String::as_str);
    let (mut from_social, answering) =
        social::begin_seeded(&session(), sizes, ids, &[9; 32]).unwrap();
    let (answering, labels) = answering.answer(&from_rating.next_chunk().unwrap())?;
    let matching = matching.take_labels(&labels)?;
    let matching = matching.take_points(&from_social.next_chunk().unwrap())?;
    let (common, claims) = matching.finish(from_rating.finish()?)?;
    assert_eq!(common.rows.len(), 3);
    let mut bytes: Vec<u8> = Claims::chunks(&claims).flatten().copied().collect();
    change(&mut bytes);
    let waiting = answering.finish()?.take_claims(&bytes)?;
    waiting.finish(from_social.finish()?)
}

#[test]
fn claims_that_p0_cannot_have_matched_are_refused() {
    assert_eq!(claimed(|_| {}).unwrap().rows.len(), 3);
    // 12 places of P0 in two bytes, 21 of P1 in three.
    let unset = |bytes: &[u8], places: std::ops::Range<usize>| {
        places
            .clone()
            .find(|p| bytes[p / 8] >> (p % 8) & 1 == 0)
            .unwrap()
    };
    let more = claimed(|bytes| {
        for place in [unset(bytes, 0..12), unset(bytes, 16..37)] {
            bytes[place / 8] |= 1 << (place % 8);
        }
    });
    assert_eq!(error(more), PsiError::Unproven);
    let lopsided = claimed(|bytes| {
        let place = unset(bytes, 16..37);
        bytes[place / 8] |= 1 << (place % 8);
    });
    assert!(matches!(error(lopsided), PsiError::Claims { .. }));
    assert!(matches!(
        error(claimed(|b| b[1] |= 0x80)),
        PsiError::Claims { .. }
    ));
    assert_eq!(
        error(claimed(|b| *b.last_mut().unwrap() ^= 1)),
        PsiError::Unproven
    );
    assert!(matches!(
        error(claimed(|b| b.truncate(30))),
        PsiError::Unfinished { .. }
    ));
    assert!(matches!(
        error(claimed(|b| b.push(0))),
        PsiError::Surplus { .. }
    ));
    assert!(matches!(error(claimed(Vec::clear)), PsiError::Torn { .. }));
}

#[test]
fn the_callers_own_mistakes_are_not_the_peers() {
    let begin = |announced, ids: &[&str]| {
        let sizes = Sizes::new(announced, 1).unwrap();
        error(rating::begin(&session(), sizes, ids.iter().copied()))
    };
    for refused in [
        begin(2, &["a"]),
        begin(1, &["a", "b"]),
        begin(2, &["a", "a"]),
    ] {
        assert!(!refused.blames_peer(), "{refused:?}");
    }
}
