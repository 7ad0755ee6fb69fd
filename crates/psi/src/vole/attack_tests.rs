//! What each protection is for: an attacker with a party's whole view, guessing ids.

use std::collections::HashSet;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::bits::{self, GROUP};
use super::code::{LinearMap, PLANES, Row, SYMBOLS, add, multiply};
use super::expand::{Expander, TILE_GROUPS, places};
use super::keys::Keys;
use super::layout::{GROUP_BYTES, Layout};
use super::pair::{self, Transcript};
use super::rating::{RatingSending, tag};
use super::social::SocialReceiving;
use super::{check, okvs, rating, social};
use crate::{PsiError, PsiSession, Sizes};

const IDS: u32 = 64;

fn session(job: u8) -> PsiSession {
    PsiSession::new(&[job; 16], &[1; 32], &[2; 32], "nfc-trim")
}

fn name(id: u32) -> String {
    format!("person-{id}@example.org")
}

fn names(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(name).collect()
}

fn hash(session: &PsiSession, id: u32) -> [u8; 32] {
    *blake3::keyed_hash(&Keys::new(session).id, name(id).as_bytes()).as_bytes()
}

fn sizes() -> Sizes {
    Sizes::new(u64::from(IDS), u64::from(IDS)).unwrap()
}

/// P0 has 0..64, P1 has 32..96; both after the transfers. `delta` or a drawn one.
fn started(
    job: u8,
    delta: Option<[u8; SYMBOLS]>,
) -> (RatingSending, SocialReceiving, Vec<u8>, Vec<u8>) {
    let session = session(job);
    let (p0, p1) = (names(0..IDS), names(IDS / 2..IDS / 2 + IDS));
    let rating =
        rating::begin_seeded(&session, sizes(), p0.iter().map(String::as_str), &[1; 32]).unwrap();
    let ids = p1.iter().map(String::as_str);
    let (social, request) = match delta {
        None => social::begin_seeded(&session, sizes(), ids, &[2; 32]).unwrap(),
        Some(delta) => {
            let mut random = ChaCha20Rng::from_seed([2; 32]);
            social::begin_with(&session, sizes(), ids, Zeroizing::new(delta), &mut random).unwrap()
        }
    };
    let (sending, answer) = rating.take_request(&request).unwrap();
    let receiving = social.take_answer(&answer).unwrap();
    (sending, receiving, request, answer)
}

/// P0 guesses ids of P1's that it does not have: it knows v, and tries 0 for Δ times their word.
#[test]
fn labels_confirm_guesses_only_without_delta() {
    let confirmed = |delta| {
        let (mut sending, receiving, ..) = started(1, delta);
        let columns = sending.next_chunk().unwrap();
        let receiving = receiving.take_columns(&columns).unwrap();
        let check = sending.next_chunk().unwrap();
        let mut labelling = receiving.take_check(&check).unwrap();
        let labels = labelling.next_chunk().unwrap();
        let labels: HashSet<&[u8]> = labels.chunks(sizes().label_bytes()).collect();
        let session = session(1);
        let (keys, layout) = (Keys::new(&session), Layout::new(sizes()));
        let lookup = okvs::Lookup::new(&sending.rows, layout.segment());
        let is_confirmed = |id: &u32| {
            let hash = hash(&session, *id);
            labels.contains(&tag(&keys, &hash, lookup.sum(&hash))[..sizes().label_bytes()])
        };
        (0..2 * IDS).filter(is_confirmed).collect::<Vec<_>>()
    };
    let all: Vec<u32> = (IDS / 2..IDS / 2 + IDS).collect();
    assert_eq!(confirmed(Some([0; SYMBOLS])), all);
    let common: Vec<u32> = (IDS / 2..IDS).collect();
    assert_eq!(confirmed(None), common, "what P0 has, and nothing else");
}

/// What P1 sees of P0's vector when it takes off all the leaves that `expander` knows.
fn unmasked(expander: &Expander, columns: &[u8]) -> Vec<Row> {
    let groups = columns.len() / GROUP_BYTES;
    assert!(groups <= TILE_GROUPS);
    let mut planes: Vec<[u128; PLANES]> = columns
        .chunks(GROUP_BYTES)
        .map(|bytes| {
            let (planes, _) = bytes.as_chunks::<16>();
            std::array::from_fn(|plane| u128::from_le_bytes(planes[plane]))
        })
        .collect();
    expander.tile(0, |index, expanded| {
        for (group, planes) in planes.iter_mut().enumerate() {
            for (from, to) in places(index, group) {
                planes[to] ^= expanded.sum[from];
            }
        }
    });
    let mut rows = vec![[0; 3]; groups * GROUP];
    for (planes, rows) in planes.iter().zip(rows.chunks_mut(GROUP)) {
        bits::to_rows(planes, rows);
    }
    rows
}

/// P1 guesses ids of P0's: in a vector of theirs they look up the words of their values.
#[test]
fn columns_confirm_guesses_only_with_the_missing_leaf() {
    let (mut sending, receiving, ..) = started(1, None);
    let columns = sending.next_chunk().unwrap();
    let confirmed = |expander| {
        let rows = unmasked(expander, &columns);
        let lookup = okvs::Lookup::new(&rows, Layout::new(sizes()).segment());
        let is_confirmed = |id: &u32| {
            let hash = hash(&session(1), *id);
            lookup.sum(&hash) == LinearMap::encoding().apply(okvs::value(&hash))
        };
        (0..2 * IDS).filter(is_confirmed).collect::<Vec<_>>()
    };
    assert_eq!(confirmed(&sending.expander), (0..IDS).collect::<Vec<_>>());
    assert_eq!(confirmed(&receiving.expander), [], "all leaves but one");
}

/// P1 guesses the whole set, encodes it, and compares the hash of the vector that the check shows.
#[test]
fn the_check_confirms_a_guessed_set_only_without_the_random_rows() {
    let confirms = |with_random_rows: bool| {
        let (mut sending, _, request, answer) = started(1, None);
        if !with_random_rows {
            let random = sending.messages.len() - check::KEYS * GROUP;
            sending.messages[random..].fill(0);
        }
        let columns = sending.next_chunk().unwrap();
        let check = sending.next_chunk().unwrap();
        let session = session(1);
        let mut transcript = blake3::Hasher::new_keyed(&Keys::new(&session).check);
        transcript.update(&request).update(&answer).update(&columns);
        let layout = Layout::new(sizes());
        let guess: Vec<_> = (0..IDS).map(|id| hash(&session, id)).collect();
        let guess = okvs::encode(&guess, layout.segment(), layout.groups() * GROUP).unwrap();
        let rows = vec![[0; 3]; guess.len()];
        check::prove(&transcript, &guess, &rows)[..64 * 16] == check[..64 * 16]
    };
    assert!(confirms(false));
    assert!(!confirms(true));
}

/// A P0 that changes one symbol of one row, where it knows that P1 has an id, could learn that symbol of Δ
/// from the id's label, and symbol by symbol all of Δ: then every guess is confirmed. The check passes one guess in 64.
#[test]
fn asking_for_delta_symbol_by_symbol_takes_a_guess_each() {
    let (symbol, error) = (5, 0b10_1101_u8);
    let mut passed = Vec::new();
    for guess in 0..64 {
        let (mut sending, receiving, request, answer) = started(1, None);
        let delta = receiving.delta[symbol];
        let mut columns = sending.next_chunk().unwrap();
        // Row 3, lane 3 of the planes of the symbol.
        for bit in 0..6 {
            columns[16 * (6 * symbol + bit)] ^= (error >> bit & 1) << 3;
        }
        // What v would have to be if Δ's symbol were the guess.
        let believed = multiply(error, guess);
        let place = 6 * symbol;
        for bit in 0..6 {
            let at = place + bit;
            sending.rows[3][at / 64] ^= u64::from(believed >> bit & 1) << (at % 64);
        }
        let mut transcript = blake3::Hasher::new_keyed(&Keys::new(&session(1)).check);
        transcript.update(&request).update(&answer).update(&columns);
        let proof = check::prove(&transcript, &sending.messages, &sending.rows);
        let taken = receiving.take_columns(&columns).unwrap().take_check(&proof);
        match taken {
            Ok(_) => passed.push((guess, delta)),
            Err(refused) => assert_eq!(refused, PsiError::Inconsistent),
        }
    }
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].0, passed[0].1);
}

/// The same where the check is left out: the label of one common id gives the symbol away.
#[test]
fn without_the_check_one_common_id_gives_a_symbol_of_delta_away() {
    let (mut sending, receiving, ..) = started(1, None);
    let delta = receiving.delta[5];
    let columns = sending.next_chunk().unwrap();
    let receiving = receiving.take_columns(&columns).unwrap();
    let session = session(1);
    let (keys, layout) = (Keys::new(&session), Layout::new(sizes()));
    // As if a symbol of one of the id's rows had been changed by 1 on the way.
    let common = hash(&session, IDS / 2);
    let changed = |factor: u8| {
        let mut word = [0; SYMBOLS];
        word[5] = factor;
        super::code::pack(&word)
    };
    let lookup = okvs::Lookup::new(&receiving.rows, layout.segment());
    let masking = LinearMap::masking(&receiving.delta);
    let honest = add(lookup.sum(&common), masking.apply(okvs::value(&common)));
    let label = tag(&keys, &common, add(honest, changed(delta)));
    let known = okvs::Lookup::new(&sending.rows, layout.segment()).sum(&common);
    let found: Vec<u8> = (0..64)
        .filter(|guess| tag(&keys, &common, add(known, changed(*guess))) == label)
        .collect();
    assert_eq!(found, [delta]);
}

fn transcript(job: u8, p0: &[String], p1: &[String]) -> Transcript {
    let session = session(job);
    let sizes = Sizes::new(p0.len() as u64, p1.len() as u64).unwrap();
    // The same secrets in every job: it is the session that must tell them apart.
    let rating = rating::begin_seeded(&session, sizes, p0.iter().map(String::as_str), &[4; 32]);
    let social = social::begin_seeded(&session, sizes, p1.iter().map(String::as_str), &[5; 32]);
    pair::run(rating.unwrap(), social.unwrap()).unwrap().2
}

#[test]
fn two_jobs_over_the_same_ids_have_nothing_in_common() {
    let (p0, p1) = (names(0..IDS), names(IDS / 2..IDS / 2 + IDS));
    let labels = |seen: &Transcript| -> HashSet<Vec<u8>> {
        let label_bytes = sizes().label_bytes();
        let all = seen.labels.iter();
        all.flat_map(|chunk| chunk.chunks_exact(label_bytes).map(<[u8]>::to_vec))
            .collect()
    };
    let (first, second) = (transcript(1, &p0, &p1), transcript(2, &p0, &p1));
    assert!(labels(&first).is_disjoint(&labels(&second)));
    // Without a new session (and new secrets) they would be the same.
    assert_eq!(labels(&first), labels(&transcript(1, &p0, &p1)));
    // What P0 puts into its columns differs too: ids have other values at other places.
    let vector = |job: u8| {
        let ids = p0.iter().map(String::as_str);
        let rating = rating::begin_seeded(&session(job), sizes(), ids, &[4; 32]).unwrap();
        let data = rating.messages.len() - check::KEYS * GROUP;
        let values = rating.messages[..data].iter().copied();
        values.filter(|value| *value != 0).collect::<HashSet<u64>>()
    };
    assert!(vector(1).is_disjoint(&vector(2)));
}

#[test]
fn sizes_of_messages_follow_from_the_sizes_of_the_sets_alone() {
    let p0 = names(0..IDS);
    let base = transcript(1, &p0, &names(IDS / 2..IDS / 2 + IDS)).sizes();
    for first in [0, 63, 1_000] {
        let seen = transcript(7, &p0, &names(first..first + IDS));
        assert_eq!(seen.sizes(), base);
    }
}

#[test]
fn common_places_show_the_files_order_only_without_the_shuffle() {
    // P1's common ids are the earlier half of its file.
    let earlier_half = |shuffled: bool| {
        let (mut sending, receiving, ..) = started(1, None);
        let columns = sending.next_chunk().unwrap();
        let check = sending.next_chunk().unwrap();
        let mut labelling = receiving
            .take_columns(&columns)
            .unwrap()
            .take_check(&check)
            .unwrap();
        if !shuffled {
            labelling = labelling.unshuffled();
        }
        let labels = labelling.next_chunk().unwrap();
        let matching = sending.finish().unwrap().take_labels(&labels).unwrap();
        let (_, claims) = matching.finish().unwrap();
        let claims: Vec<u8> = claims.chunks().flatten().copied().collect();
        claims[..4] == [0xff; 4] && claims[4..8] == [0; 4]
    };
    assert!(earlier_half(false));
    assert!(!earlier_half(true));
}

/// Every value of every symbol of Δ is drawn: over 2,048 of them each within five deviations.
#[test]
fn delta_is_uniform() {
    let session = session(1);
    let ids = ["a"];
    let sizes = Sizes::new(1, 1).unwrap();
    let mut counts = [0_u32; 64];
    for seed in 0..64 {
        let begun = social::begin_seeded(&session, sizes, ids.into_iter(), &[seed; 32]).unwrap();
        for symbol in begun.0.delta.iter() {
            counts[usize::from(*symbol)] += 1;
        }
    }
    assert!(
        counts.iter().all(|count| count.abs_diff(32) <= 28),
        "{counts:?}"
    );
}
