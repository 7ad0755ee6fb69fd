//! The session's keys, made once: P0's secrets, and what P1 needs to collapse and to re-randomise.
//!
//! Masks are expanded by each side itself from both sides' seeds. P0 sends, as codes,
//! A_l·s_c + e − 2^(drop + w·l)·τ(s_c) for every digit l and secret c, then A_pk·s_c + e_pk for every
//! secret: d·c polynomials of kb bits, c of pkb bits. P1 uses the decoded values everywhere.

use s3rec_algebra::{PublicSeed, Seed, Stream};
use s3rec_lattice::columns::Columns;
use s3rec_lattice::gaussian::Tails;
use s3rec_lattice::modulus;
use s3rec_lattice::transform::{Automorphism, transform};
use s3rec_lattice::{Coefficients, DEGREE, Points, Polynomial};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::in_message;
use super::parameters::ERROR;
use super::{Job, NoiseFirstError, Opening, Parameters, Split};

/// Both sides' halves of the session's public randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSeeds {
    /// P0's, fresh for the session.
    pub rating: PublicSeed,
    /// P1's, fresh for the session.
    pub social: PublicSeed,
}

impl SessionSeeds {
    /// The masks of the key-switch keys, a digit each, and of the public key.
    fn mask(&self, what: &str, index: usize) -> Polynomial<Coefficients> {
        let index = (index as u64).to_le_bytes();
        let contributions: [&[u8]; 4] = [
            self.rating.as_bytes(),
            self.social.as_bytes(),
            what.as_bytes(),
            &index,
        ];
        let seed = PublicSeed::combine("s3rec noise-first keys", &contributions);
        Polynomial::uniform(&seed)
    }

    fn masks(
        &self,
        parameters: &Parameters,
    ) -> (Vec<Polynomial<Coefficients>>, Polynomial<Coefficients>) {
        let digits = (0..parameters.gadget.digits()).map(|digit| self.mask("key switch", digit));
        (digits.collect(), self.mask("public key", 0))
    }
}

/// A polynomial at the points, divided by N: a factor of products that are transformed back.
pub(crate) fn factor(polynomial: &Polynomial<Coefficients>) -> Polynomial<Points> {
    let mut points = Polynomial::zero();
    transform().forward(polynomial, &mut points);
    transform().scale(&mut points, modulus::inverse(DEGREE as u64));
    points
}

/// P0's keys: uniform ternary secrets, one session.
pub struct RatingKeys {
    parameters: Parameters,
    pub(crate) seeds: SessionSeeds,
    /// s_c at the points, over N.
    pub(crate) secrets: Vec<Polynomial<Points>>,
    message: Vec<u8>,
}

impl RatingKeys {
    /// Fresh keys. Private: the secrets and errors drawn from `seed`, used for nothing else.
    /// Public: parameters and both sides' seeds.
    ///
    /// # Errors
    /// [`NoiseFirstError::Refused`] for parameters that do not keep the conditions.
    pub fn generate(
        parameters: &Parameters,
        seeds: &SessionSeeds,
        seed: &Seed,
    ) -> Result<Self, NoiseFirstError> {
        parameters.validate()?;
        let errors = Tails::new(ERROR);
        // Under other seeds or parameters nothing is drawn twice.
        let mut hasher = blake3::Hasher::new();
        parameters.absorb(&mut hasher);
        let numbers = hasher.finalize();
        let content: [&[u8]; 3] = [
            seeds.rating.as_bytes(),
            seeds.social.as_bytes(),
            numbers.as_bytes(),
        ];
        let seed = seed.derive("s3rec noise-first rating keys", &content);
        let mut error_stream = Stream::new(&seed.derive("s3rec noise-first key errors", &[]));
        let mut draw = || {
            let mut error = Zeroizing::new(vec![0; DEGREE]);
            errors.fill(&mut error_stream, &mut error);
            error
        };
        let (digit_masks, public_mask) = seeds.masks(parameters);
        let [digit_masks, public_masks] = [&digit_masks[..], std::slice::from_ref(&public_mask)]
            .map(|masks| masks.iter().map(at_points).collect::<Vec<_>>());
        let turn = Automorphism::new(transform(), 1 + 2 * parameters.slots);
        let mut secrets = Vec::new();
        let (mut switching, mut public) = (Vec::new(), Vec::new());
        for index in 0..parameters.secrets {
            let secret =
                ternary(&seed.derive("s3rec noise-first secret", &[&(index as u64).to_le_bytes()]));
            let secret_factor = factor(&secret);
            let mut turned = Polynomial::zero();
            turn.of_coefficients(&secret, &mut turned);
            for (digit, mask) in digit_masks.iter().enumerate() {
                let mut body = times(mask, &secret_factor);
                body.add_small(&draw());
                let weight = 1 << parameters.gadget.weight_bits(digit);
                let residues = (0..DEGREE).map(|place| {
                    let turned = modulus::residue(turned.centred(place));
                    let body = modulus::residue(body.centred(place));
                    modulus::subtract(body, modulus::product(weight, turned))
                });
                parameters.key_code.pack(residues, &mut switching);
            }
            for mask in &public_masks {
                let mut body = times(mask, &secret_factor);
                body.add_small(&draw());
                parameters
                    .public_key_code
                    .pack(body.to_residues().into_iter(), &mut public);
            }
            secrets.push(secret_factor);
        }
        let mut message = switching;
        message.extend(public);
        Ok(Self {
            parameters: *parameters,
            seeds: *seeds,
            secrets,
            message,
        })
    }

    /// The keys as they are sent.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// What they are for.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// An opening under these keys, for a split of the common users, whose digest in their order
    /// is `users_digest`.
    ///
    /// # Errors
    /// [`NoiseFirstError::Sides`], [`NoiseFirstError::Shape`] for a split that is not the terms'.
    pub fn job(
        &self,
        users_digest: &[u8; 32],
        split: &Split,
        opening: &Opening,
    ) -> Result<Job, NoiseFirstError> {
        let (parameters, seeds) = (&self.parameters, &self.seeds);
        Job::of(
            parameters,
            seeds,
            &self.message,
            users_digest,
            split,
            opening,
        )
    }
}

pub(crate) fn at_points(polynomial: &Polynomial<Coefficients>) -> Polynomial<Points> {
    let mut points = Polynomial::zero();
    transform().forward(polynomial, &mut points);
    points
}

/// Coefficients of `left`·`right`, `right` being over N.
pub(crate) fn times(
    left: &Polynomial<Points>,
    right: &Polynomial<Points>,
) -> Polynomial<Coefficients> {
    let (mut product, mut out) = (Polynomial::zero(), Polynomial::zero());
    transform().multiply_add(&mut product, left, right);
    transform().inverse(&product, &mut out);
    out
}

/// Uniform coefficients −1, 0 and 1.
fn ternary(seed: &Seed) -> Polynomial<Coefficients> {
    let mut stream = Stream::new(seed);
    let mut values = Zeroizing::new(Vec::with_capacity(DEGREE));
    let mut words = Zeroizing::new([0; 256]);
    while values.len() < DEGREE {
        stream.fill_u64(&mut *words);
        // 2^64 − 1 is a multiple of 3: the one word above it is passed over.
        let fitting = words.iter().filter(|&&word| word != u64::MAX);
        let drawn = fitting.map(|word| (word % 3).cast_signed() - 1);
        let missing = DEGREE - values.len();
        values.extend(drawn.take(missing));
    }
    Polynomial::from_small(&values)
}

/// P0's keys as P1 uses them.
pub struct SocialKeys {
    parameters: Parameters,
    pub(crate) seeds: SessionSeeds,
    pub(crate) columns: Columns,
    pub(crate) turn: Automorphism,
    /// A_l, over N.
    pub(crate) digit_masks: Vec<Polynomial<Points>>,
    /// Bodies of all digits under the first secret, then under the next, over N.
    pub(crate) digit_bodies: Vec<Polynomial<Points>>,
    /// A_pk and its bodies, over N.
    pub(crate) public_mask: Polynomial<Points>,
    pub(crate) public_bodies: Vec<Polynomial<Points>>,
    pub(crate) message: Vec<u8>,
}

impl SocialKeys {
    /// Reads P0's message. P1 has derived `parameters` itself or checks them here.
    ///
    /// # Errors
    /// [`NoiseFirstError::Refused`] for parameters that do not keep the guarantee,
    /// [`NoiseFirstError::Message`] for a message of another form.
    pub fn accept(
        parameters: &Parameters,
        seeds: &SessionSeeds,
        message: &[u8],
    ) -> Result<Self, NoiseFirstError> {
        parameters.validate()?;
        let blame = in_message("the message of keys");
        let expected = parameters.sizes().keys;
        if message.len() != expected {
            let actual = message.len();
            return Err(blame(s3rec_lattice::LatticeError::Length {
                expected,
                actual,
            }));
        }
        let read = |code: s3rec_lattice::code::CodeBits, bytes: &[u8]| {
            let residues = code.unpack(bytes, DEGREE).map_err(&blame)?;
            let polynomial = Polynomial::from_residues(&residues).map_err(&blame)?;
            Ok::<_, NoiseFirstError>(factor(&polynomial))
        };
        let (secrets, digits) = (parameters.secrets, parameters.gadget.digits());
        let key_bytes = parameters.key_code.packed_bytes(DEGREE);
        let (switching, public) = message.split_at(secrets * digits * key_bytes);
        let digit_bodies = switching
            .chunks_exact(key_bytes)
            .map(|bytes| read(parameters.key_code, bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let public_bodies = public
            .chunks_exact(parameters.public_key_code.packed_bytes(DEGREE))
            .map(|bytes| read(parameters.public_key_code, bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let (digit_masks, public_mask) = seeds.masks(parameters);
        let columns = Columns::new(transform(), parameters.slots).map_err(&blame)?;
        Ok(Self {
            parameters: *parameters,
            seeds: *seeds,
            turn: Automorphism::new(transform(), columns.generator()),
            columns,
            digit_masks: digit_masks.iter().map(factor).collect(),
            digit_bodies,
            public_mask: factor(&public_mask),
            public_bodies,
            message: message.to_vec(),
        })
    }

    /// What they are for.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// An opening under these keys, for a split of the common users, whose digest in their order
    /// is `users_digest`.
    ///
    /// # Errors
    /// [`NoiseFirstError::Sides`], [`NoiseFirstError::Shape`] for a split that is not the terms'.
    pub fn job(
        &self,
        users_digest: &[u8; 32],
        split: &Split,
        opening: &Opening,
    ) -> Result<Job, NoiseFirstError> {
        let (parameters, seeds) = (&self.parameters, &self.seeds);
        Job::of(
            parameters,
            seeds,
            &self.message,
            users_digest,
            split,
            opening,
        )
    }

    /// The keys as they were received.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use s3rec_lattice::code::CodeBits;
    use s3rec_lattice::digits::Gadget;

    use super::super::parameters::Shape;
    use super::super::tests::terms;
    use super::super::{Sides, choose};
    use super::*;

    fn one() -> Polynomial<Points> {
        let mut values = vec![0; DEGREE];
        values[0] = 1;
        at_points(&Polynomial::from_small(&values))
    }

    /// Every secret's coefficients, and the errors of the public keys as their codes keep them.
    fn drawn(tag: u8) -> (Vec<Vec<i64>>, Vec<Vec<i64>>, Parameters) {
        let parameters = choose(terms(Sides::Two, 400, 400, 12)).unwrap();
        let shape = Shape {
            slots: 4,
            secrets: 3,
            gadget: Gadget::new(6, 8).unwrap(),
            key_code: CodeBits::new("", 49).unwrap(),
            public_key_code: CodeBits::new("", 49).unwrap(),
            ..parameters.shape()
        };
        let parameters = Parameters::complete(*parameters.terms(), shape).unwrap();
        let seeds = SessionSeeds {
            rating: PublicSeed::from_bytes([tag; 32]),
            social: PublicSeed::from_bytes([2; 32]),
        };
        let keys = RatingKeys::generate(&parameters, &seeds, &Seed::from_bytes([3; 32])).unwrap();
        let of = |polynomial: &Polynomial<Coefficients>| -> Vec<i64> {
            (0..DEGREE).map(|place| polynomial.centred(place)).collect()
        };
        let (_, public_mask) = seeds.masks(&parameters);
        let public_mask = at_points(&public_mask);
        let bytes = parameters.public_key_code.packed_bytes(DEGREE);
        let public = &keys.message()[keys.message().len() - 3 * bytes..];
        let errors = keys.secrets.iter().zip(public.chunks(bytes));
        let errors = errors.map(|(secret, body)| {
            let body = parameters.public_key_code.unpack(body, DEGREE).unwrap();
            let hidden = times(&public_mask, secret);
            let of_place = |place: usize| {
                let hidden = modulus::residue(hidden.centred(place));
                modulus::centred(modulus::subtract(body[place], hidden))
            };
            (0..DEGREE).map(of_place).collect()
        });
        let errors = errors.collect();
        let secrets = keys.secrets.iter().map(|secret| of(&times(&one(), secret)));
        (secrets.collect(), errors, parameters)
    }

    #[test]
    fn every_key_has_a_secret_and_errors_of_its_own() {
        let ((secrets, errors, _), (others, other_errors, _)) = (drawn(1), drawn(4));
        let mut all: Vec<_> = secrets.iter().chain(&others).collect();
        assert!(all.iter().all(|secret| secret.iter().all(|s| s.abs() <= 1)));
        all.extend(errors.iter().chain(&other_errors));
        // Under one seed of P0 too, where a session's seeds are others.
        for (index, left) in all.iter().enumerate() {
            for right in &all[..index] {
                let equal = left.iter().zip(*right).filter(|(a, b)| a == b).count();
                assert!(equal < DEGREE / 2, "{index}: {equal}");
            }
        }
        for errors in errors {
            // Deviation 4, and a unit of the code: 2048 samples, three standard errors.
            let square: i64 = errors.iter().map(|error| error * error).sum();
            let variance = square as f64 / DEGREE as f64;
            assert!((variance - 16.25).abs() < 1.75, "{variance}");
            assert!(errors.iter().all(|error| error.abs() <= 65));
        }
    }

    #[test]
    fn secrets_are_minus_one_zero_and_one_each_as_likely() {
        let mut counts = [0u32; 3];
        for tag in 0..32 {
            let secret = ternary(&Seed::from_bytes([tag; 32]));
            for place in 0..DEGREE {
                // Anything else would be no place of the array.
                counts[usize::try_from(secret.centred(place) + 1).unwrap()] += 1;
            }
        }
        // 65,536 thirds: 21,845 of each, deviation 121.
        assert!(
            counts.iter().all(|count| count.abs_diff(21_845) < 600),
            "{counts:?}"
        );
    }
}
