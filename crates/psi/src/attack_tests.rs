//! What each protection is for: an attacker with a party's whole view, guessing ids.

use std::collections::HashSet;
use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::group::{Secret, hash_id, tag};
use crate::pair::{self, Transcript};
use crate::{PsiSession, Sizes, rating, social};

const IDS: u32 = 64;

fn session(job: u8) -> PsiSession {
    PsiSession::new(&[job; 16], &[1; 32], &[2; 32], "nfc-trim")
}

fn name(id: u32) -> String {
    format!("person-{id}@example.org")
}

/// P0 has 0..64, P1 has 32..96. Gives what crossed; `blinded` or with scalars 1, `shuffled` or
/// in the files' orders.
fn transcript(job: u8, blinded: bool, shuffled: bool) -> Transcript {
    let session = session(job);
    let sizes = Sizes::new(u64::from(IDS), u64::from(IDS)).unwrap();
    let mut random = ChaCha20Rng::from_seed([job; 32]);
    let mut secret = || {
        Arc::new(match blinded {
            true => Secret::draw(&mut random),
            false => Secret::one(),
        })
    };
    let (a, b) = (secret(), secret());
    let p0: Vec<String> = (0..IDS).map(name).collect();
    let p1: Vec<String> = (IDS / 2..IDS / 2 + IDS).map(name).collect();
    let ids = p0.iter().map(String::as_str);
    let (mut sending, matching) = rating::begin_with(&session, sizes, ids, a, &mut random).unwrap();
    let ids = p1.iter().map(String::as_str);
    let (mut answering_sends, answering) =
        social::begin_with(&session, sizes, ids, b, &mut random).unwrap();
    if !shuffled {
        sending = sending.unshuffled();
        answering_sends = answering_sends.unshuffled();
    }
    let run = pair::run((sending, matching), (answering_sends, answering));
    run.unwrap().2
}

/// Ids of 0..128 that the attacker finds among `points` by masking its guesses with scalar 1.
fn guessed(session: &PsiSession, points: &[Vec<u8>]) -> Vec<u32> {
    let seen: HashSet<&[u8]> = points.iter().flat_map(|chunk| chunk.chunks(32)).collect();
    let confirms = |id: &u32| {
        let masked = Secret::one().mask(session, &[hash_id(session, &name(*id))]);
        seen.contains(&masked[0][..])
    };
    (0..2 * IDS).filter(confirms).collect()
}

#[test]
fn guessing_ids_confirms_them_only_without_the_scalars() {
    let open = transcript(1, false, true);
    let found: Vec<u32> = (IDS / 2..IDS / 2 + IDS).collect();
    assert_eq!(guessed(&session(1), &open.social_points), found);
    let found: Vec<u32> = (0..IDS).collect();
    assert_eq!(guessed(&session(1), &open.rating_points), found);

    let blinded = transcript(1, true, true);
    assert!(guessed(&session(1), &blinded.social_points).is_empty());
    assert!(guessed(&session(1), &blinded.rating_points).is_empty());
}

#[test]
fn labels_confirm_guesses_only_without_the_scalars() {
    let confirmed = |seen: &Transcript| {
        let session = session(1);
        let label_bytes = Sizes::new(64, 64).unwrap().label_bytes();
        let labels: HashSet<&[u8]> = seen
            .labels
            .iter()
            .flat_map(|chunk| chunk.chunks(label_bytes))
            .collect();
        let known = |id: &u32| {
            let once = Secret::one().mask(&session, &[hash_id(&session, &name(*id))]);
            let twice = Secret::one().mask_again(&once, 0).unwrap();
            labels.contains(&tag(&session, &twice[0])[..label_bytes])
        };
        (0..2 * IDS).filter(known).count()
    };
    assert_eq!(confirmed(&transcript(1, false, true)), IDS as usize);
    assert_eq!(confirmed(&transcript(1, true, true)), 0);
}

#[test]
fn common_places_show_the_files_order_only_without_the_shuffle() {
    // P0's common ids are the later half of its file.
    let later_half = |seen: &Transcript| {
        let bits = &seen.claims[0][..IDS as usize / 8];
        bits[..4].iter().all(|byte| *byte == 0) && bits[4..].iter().all(|byte| *byte == 0xff)
    };
    assert!(later_half(&transcript(1, true, false)));
    assert!(!later_half(&transcript(1, true, true)));
}

#[test]
fn two_jobs_over_the_same_ids_have_nothing_in_common() {
    let (first, second) = (transcript(1, true, true), transcript(2, true, true));
    let points = |seen: &Transcript| -> HashSet<Vec<u8>> {
        let all = seen.rating_points.iter().chain(&seen.social_points);
        all.flat_map(|chunk| chunk.chunks(32).map(<[u8]>::to_vec))
            .collect()
    };
    assert!(points(&first).is_disjoint(&points(&second)));
    // Even the same scalars do not link them: ids hash to other elements.
    let (first, second) = (transcript(1, false, true), transcript(2, false, true));
    assert!(points(&first).is_disjoint(&points(&second)));
}

#[test]
fn sizes_of_messages_follow_from_the_sizes_of_the_sets_alone() {
    let base = transcript(1, true, true);
    let run = |first: u32| {
        let session = session(7);
        let sizes = Sizes::new(64, 64).unwrap();
        let p0: Vec<String> = (0..64).map(name).collect();
        let p1: Vec<String> = (first..first + 64).map(name).collect();
        let rating = rating::begin_seeded(&session, sizes, p0.iter().map(String::as_str), &[4; 32]);
        let social = social::begin_seeded(&session, sizes, p1.iter().map(String::as_str), &[5; 32]);
        let (common, _, seen) = pair::run(rating.unwrap(), social.unwrap()).unwrap();
        (common.rows.len(), seen.sizes())
    };
    for (first, common) in [(0, 64), (63, 1), (1_000, 0)] {
        assert_eq!(run(first), (common, base.sizes()));
    }
}
