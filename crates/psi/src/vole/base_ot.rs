//! Oblivious transfers to begin with: 1 of 2 seeds, 192 times.
//!
//! Masny and Rindal, "Endemic Oblivious Transfer", CCS 2019, from Diffie-Hellman on ristretto255
//! (CDH, hashes as random oracles). The chooser sends two elements R₀, R₁ of which it knows the
//! logarithm a of R_c + H_c(R_(1−c)); both are uniform, so its choice c is hidden without any
//! assumption. The answer is B = b·G; seed j is the hash of b·(R_j + H_j(R_(1−j))).

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand::RngCore;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use s3rec_algebra::Seed;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::keys::Keys;
use crate::PsiError;
use crate::group::{POINT_BYTES, decode};

/// Bytes of one transfer's request.
pub(super) const REQUEST_BYTES: usize = 2 * POINT_BYTES;

type Encoded = [u8; POINT_BYTES];

/// The chooser, waiting for answers.
pub(super) struct Choosing {
    /// 0 or 1.
    choices: Zeroizing<Vec<u8>>,
    secrets: Zeroizing<Vec<Scalar>>,
    requests: Vec<[Encoded; 2]>,
}

fn scalar(random: &mut ChaCha20Rng) -> Scalar {
    let mut wide = Zeroizing::new([0; 64]);
    random.fill_bytes(&mut *wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// H_j of transfer `index`.
fn hash_to_group(keys: &Keys, index: usize, j: u8, point: &Encoded) -> RistrettoPoint {
    let mut wide = [0; 64];
    blake3::Hasher::new_keyed(&keys.base_point)
        .update(&(index as u64).to_le_bytes())
        .update(&[j])
        .update(point)
        .finalize_xof()
        .fill(&mut wide);
    RistrettoPoint::from_uniform_bytes(&wide)
}

/// Seed j of transfer `index`, over all that crossed for it.
fn seed(
    keys: &Keys,
    (index, j): (usize, u8),
    shared: &RistrettoPoint,
    request: &[Encoded; 2],
    answer: &Encoded,
) -> Seed {
    let shared = Zeroizing::new(shared.compress().to_bytes());
    let mut hasher = blake3::Hasher::new_keyed(&keys.base_seed);
    hasher.update(&(index as u64).to_le_bytes()).update(&[j]);
    hasher
        .update(&*shared)
        .update(&request[0])
        .update(&request[1])
        .update(answer);
    let seed = Seed::from_bytes(*hasher.finalize().as_bytes());
    hasher.zeroize();
    seed
}

/// Asks for one of two seeds of each transfer.
pub(super) fn choose(
    keys: &Keys,
    choices: Zeroizing<Vec<u8>>,
    random: &mut ChaCha20Rng,
) -> (Choosing, Vec<u8>) {
    let mut secrets = Zeroizing::new(Vec::with_capacity(choices.len()));
    let mut others = Vec::with_capacity(choices.len());
    for _ in choices.iter() {
        secrets.push(scalar(random));
        let mut wide = [0; 64];
        random.fill_bytes(&mut wide);
        others.push(wide);
    }
    let drawn = choices.par_iter().zip(secrets.par_iter()).zip(&others);
    let requests = drawn.enumerate().map(|(index, ((choice, secret), wide))| {
        let choice = Choice::from(*choice);
        let other = RistrettoPoint::from_uniform_bytes(wide);
        let encoded = other.compress().to_bytes();
        let mask = RistrettoPoint::conditional_select(
            &hash_to_group(keys, index, 0, &encoded),
            &hash_to_group(keys, index, 1, &encoded),
            choice,
        );
        let chosen = RistrettoPoint::mul_base(secret) - mask;
        let (mut first, mut second) = (chosen, other);
        RistrettoPoint::conditional_swap(&mut first, &mut second, choice);
        [first.compress().to_bytes(), second.compress().to_bytes()]
    });
    let requests: Vec<[Encoded; 2]> = requests.collect();
    let bytes = requests.as_flattened().as_flattened().to_vec();
    let choosing = Choosing {
        choices,
        secrets,
        requests,
    };
    (choosing, bytes)
}

impl Choosing {
    /// The chosen seeds, from the answers; the caller has checked their number.
    pub(super) fn receive(self, keys: &Keys, answers: &[Encoded]) -> Result<Vec<Seed>, PsiError> {
        let transfers = self
            .choices
            .par_iter()
            .zip(self.secrets.par_iter())
            .zip(&self.requests);
        let seeds = transfers.zip(answers).enumerate().map(
            |(index, (((choice, secret), request), answer))| {
                let shared = secret * decode(answer, index as u64)?;
                Ok(seed(keys, (index, *choice), &shared, request, answer))
            },
        );
        // Of several that are improper the first is named.
        seeds.collect::<Vec<_>>().into_iter().collect()
    }
}

/// Answers requests, [`REQUEST_BYTES`] each: both seeds of each, and the answer.
pub(super) fn answer(
    keys: &Keys,
    requests: &[u8],
    random: &mut ChaCha20Rng,
) -> Result<Vec<([Seed; 2], Encoded)>, PsiError> {
    let (points, _) = requests.as_chunks::<POINT_BYTES>();
    let (requests, _) = points.as_chunks::<2>();
    let mut secrets = Zeroizing::new(Vec::with_capacity(requests.len()));
    secrets.extend(requests.iter().map(|_| scalar(random)));
    let both = requests.par_iter().zip(secrets.par_iter()).enumerate();
    let answered = both.map(|(index, (request, secret))| {
        let answer = RistrettoPoint::mul_base(secret).compress().to_bytes();
        let position = 2 * index as u64;
        let first = decode(&request[0], position)?;
        let second = decode(&request[1], position + 1)?;
        let shared = [
            secret * (first + hash_to_group(keys, index, 0, &request[1])),
            secret * (second + hash_to_group(keys, index, 1, &request[0])),
        ];
        let seeds = [
            seed(keys, (index, 0), &shared[0], request, &answer),
            seed(keys, (index, 1), &shared[1], request, &answer),
        ];
        Ok((seeds, answer))
    });
    answered.collect::<Vec<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::{PointFault, PsiSession};

    #[test]
    fn the_chooser_has_the_chosen_seed_and_not_the_other() {
        let keys = Keys::new(&PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim"));
        let mut random = ChaCha20Rng::from_seed([5; 32]);
        let choices: Vec<u8> = (0..40).map(|i| (i / 3) & 1).collect();
        let choices = Zeroizing::new(choices);
        let (choosing, requests) = choose(&keys, choices.clone(), &mut random);
        assert_eq!(requests.len(), 40 * REQUEST_BYTES);
        let answered = answer(&keys, &requests, &mut random).unwrap();
        let answers: Vec<_> = answered.iter().map(|(_, answer)| *answer).collect();
        let received = choosing.receive(&keys, &answers).unwrap();
        for ((choice, (seeds, _)), seed) in choices.iter().zip(&answered).zip(&received) {
            let chosen = usize::from(*choice);
            assert!(*seed == seeds[chosen] && *seed != seeds[1 - chosen]);
        }
    }

    #[test]
    fn improper_elements_are_refused_by_place() {
        let keys = Keys::new(&PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim"));
        let mut random = ChaCha20Rng::from_seed([5; 32]);
        let (choosing, requests) = choose(&keys, Zeroizing::new(vec![0; 3]), &mut random);
        for place in 0..6 {
            let mut requests = requests.clone();
            requests[place * 32..(place + 1) * 32].fill(0);
            assert_eq!(
                answer(&keys, &requests, &mut random).err(),
                Some(PsiError::Point {
                    position: place as u64,
                    fault: PointFault::Identity
                })
            );
        }
        assert!(matches!(
            choosing.receive(&keys, &[[0xff; 32]; 3]).err(),
            Some(PsiError::Point {
                position: 0,
                fault: PointFault::NotCanonical
            })
        ));
    }
}
