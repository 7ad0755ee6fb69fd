//! P1's randomness is its own for each response and bound to everything it answers (section 3.3,
//! "P1's randomness is derived"). Each test fails when one of the bonds is cut.

use std::sync::Arc;

use s3rec_algebra::{PublicSeed, Seed};
use s3rec_he::{Accumulated, social_share};
use s3rec_sparse::{PublicPattern, SecretPattern, SocialMatrix, SocialOperator, declassify};

use super::answer::StoredBodies;
use super::steps::{Bodies, Multiplied, upload_hasher};
use super::{RatingKeys, Received, SocialKeys, SocialSecrets, public_key_seed};
use crate::fetch::FetchedBodies;
use crate::release::Release;
use crate::scratch::Scratch;
use crate::{
    OperatorKind, ProductParameters, ProductRequest, Protocol, ReleasePolicy, SocialOperand,
    WorkingSpace, choose_parameters,
};

pub(crate) const USERS: u32 = 400;

pub(crate) fn parameters(protocol: Protocol, release: ReleasePolicy) -> ProductParameters {
    let mut request = ProductRequest::new(protocol, OperatorKind::Laplacian, USERS, 10, 4);
    (request.row_norm_bound, request.nonzeros_bound) = (16, 64);
    request.release = release;
    choose_parameters(&request).unwrap()
}

/// Y with these links, and the rows exchanged.
pub(crate) fn operand(
    parameters: &ProductParameters,
    links: &[(u32, u32)],
    salt: u8,
) -> (Arc<SocialOperand>, PublicPattern) {
    let social = SocialMatrix::from_links(USERS as usize, links.iter().copied()).unwrap();
    let operator = SocialOperator::build(OperatorKind::Laplacian, &social);
    let pattern = declassify(&SecretPattern::of(&operator), parameters.pattern);
    let salt = Seed::from_bytes([salt; 32]);
    let operand = SocialOperand::new(parameters, &pattern, &operator, &salt).unwrap();
    (Arc::new(operand), pattern)
}

/// P1's keys for P0's key of `entropy` under A_pk of `session`, randomness from `stock_key`.
fn keys(
    parameters: &ProductParameters,
    session: u8,
    entropy: u8,
    stock_key: u8,
) -> Arc<SocialKeys> {
    let seed = public_key_seed(&[1; 32], &[2; 32], &[session]);
    let entropy = Seed::from_bytes([entropy; 32]);
    let rating = RatingKeys::from_entropy(parameters, &seed, &entropy).unwrap();
    let stock_key = Seed::from_bytes([stock_key; 32]);
    let secrets = SocialSecrets::new(parameters, &seed, stock_key).unwrap();
    Arc::new(secrets.into_keys(&rating.public_key_bytes).unwrap())
}

/// An upload of which only the digest matters here.
fn bodies(parameters: &ProductParameters) -> Bodies {
    let space = WorkingSpace {
        memory_limit_bytes: 0,
        directory: std::env::temp_dir(),
    };
    Bodies::All(StoredBodies {
        place: Scratch::new(&space, true, 0).unwrap(),
        glwe: parameters.glwe().unwrap(),
        offset_bytes: 0,
    })
}

/// Everything that P1's randomness must depend on.
struct Content {
    keys: Arc<SocialKeys>,
    operand: Arc<SocialOperand>,
    round: u32,
    mask_seed: PublicSeed,
    bodies: Vec<u8>,
    queries: Option<[u8; 32]>,
}

impl Content {
    fn received(&self) -> Received {
        let digest = *upload_hasher(&self.mask_seed)
            .update(&self.bodies)
            .finalize()
            .as_bytes();
        let parameters = &self.keys.parameters;
        let bodies = match self.queries {
            None => bodies(parameters),
            Some(queries) => Bodies::Fetched(FetchedBodies::of_no_rows(
                parameters.glwe().unwrap(),
                queries,
            )),
        };
        let (keys, operand) = (&self.keys, &self.operand);
        Received::new(keys, operand, self.round, self.mask_seed, &digest, bodies).unwrap()
    }
}

/// A P0 that gets two answers under one v or one ρ subtracts them: without the bond to the upload
/// it sends two uploads for one round and reads the rows of Y off the difference.
#[test]
fn randomness_is_bound_to_everything_it_answers() {
    let base = parameters(Protocol::He, ReleasePolicy::Exact);
    let links: &[(u32, u32)] = &[(0, 1), (5, 9)];
    let content = |change: fn(&mut Content)| {
        let mut content = Content {
            keys: keys(&base, 1, 1, 1),
            operand: operand(&base, links, 1).0,
            round: 2,
            mask_seed: PublicSeed::from_bytes([3; 32]),
            bodies: vec![4; 1000],
            queries: None,
        };
        change(&mut content);
        content.received().root().clone()
    };
    let roots = [
        ("nothing", content(|_| {})),
        (
            "P1's key",
            content(|c| c.keys = keys(&c.keys.parameters, 1, 1, 9)),
        ),
        (
            "A_pk",
            content(|c| c.keys = keys(&c.keys.parameters, 9, 1, 1)),
        ),
        (
            "A_pk under the same b_pk",
            content(|c| {
                let parameters = c.keys.parameters.clone();
                let (key, entropy) = (Seed::from_bytes([1; 32]), Seed::from_bytes([1; 32]));
                let seed = |session| public_key_seed(&[1; 32], &[2; 32], &[session]);
                let rating = RatingKeys::from_entropy(&parameters, &seed(1), &entropy).unwrap();
                let secrets = SocialSecrets::new(&parameters, &seed(8), key).unwrap();
                c.keys = Arc::new(secrets.into_keys(&rating.public_key_bytes).unwrap());
            }),
        ),
        (
            "b_pk",
            content(|c| c.keys = keys(&c.keys.parameters, 1, 9, 1)),
        ),
        (
            "the parameters",
            content(|c| {
                let mut others = c.keys.parameters.clone();
                others.rounds -= 1;
                c.keys = keys(&others, 1, 1, 1);
            }),
        ),
        (
            "one link of Y",
            content(|c| {
                c.operand = operand(&c.keys.parameters, &[(0, 1), (5, 10)], 1).0;
            }),
        ),
        (
            "the salt of Y",
            content(|c| {
                c.operand = operand(&c.keys.parameters, &[(0, 1), (5, 9)], 9).0;
            }),
        ),
        ("the round", content(|c| c.round = 3)),
        (
            "the mask seed",
            content(|c| c.mask_seed = PublicSeed::from_bytes([9; 32])),
        ),
        ("the first bit of the bodies", content(|c| c.bodies[0] ^= 1)),
        (
            "the last bit of the bodies",
            content(|c| c.bodies[999] ^= 0x80),
        ),
        ("how many bodies", content(|c| c.bodies.push(0))),
        (
            "that they were fetched",
            content(|c| c.queries = Some([0; 32])),
        ),
        ("what was asked for", content(|c| c.queries = Some([1; 32]))),
    ];
    for (index, (what, root)) in roots.iter().enumerate() {
        for (other, other_root) in &roots[index + 1..] {
            assert!(root != other_root, "one root for {what} and {other}");
        }
    }
    // And on nothing else: what is asked for again is answered alike.
    assert!(content(|_| {}) == roots[0].1);
}

fn multiplied(release: ReleasePolicy) -> (ProductParameters, Multiplied, usize, Seed) {
    let parameters = parameters(Protocol::He, release);
    // Nobody has a link: what is seen of a response is what hides it.
    let (operand, _) = operand(&parameters, &[], 1);
    let content = Content {
        keys: keys(&parameters, 1, 1, 1),
        operand: Arc::clone(&operand),
        round: 0,
        mask_seed: PublicSeed::from_bytes([3; 32]),
        bodies: vec![],
        queries: None,
    };
    let received = content.received();
    let rows = parameters.layout().unwrap().rows_per_response;
    let count = USERS.div_ceil(rows) as usize;
    assert!(count > 2);
    let all = received.multiply(&operand, 0..count, 1 << 20).unwrap();
    (parameters, all, count, received.root().clone())
}

/// Pieces of one, whatever the budget: the place in the block tells them apart.
fn pieces(mut all: Multiplied) -> Vec<Multiplied> {
    std::iter::from_fn(|| all.take(1)).collect()
}

/// Coefficients of two a-parts, or shares, that are close enough to come from one v, or one ρ.
fn close(a: &[u128], b: &[u128]) -> usize {
    let off = |(a, b): (&u128, &u128)| a.wrapping_sub(*b).cast_signed().unsigned_abs();
    std::iter::zip(a, b)
        .map(off)
        .filter(|off| *off < 1 << 100)
        .count()
}

#[test]
fn no_two_responses_of_a_block_share_v_e1_e2_or_rho() {
    let (parameters, all, count, root) = multiplied(ReleasePolicy::Exact);
    let (glwe, ring) = (parameters.glwe().unwrap(), parameters.ring().unwrap());
    let used = parameters.layout().unwrap().used_slots();
    let length = glwe.lattice_dimension() + glwe.polynomial_size();
    let keys = keys(&parameters, 1, 1, 1);
    let mut seen: Vec<(Vec<u128>, Vec<u64>)> = Vec::new();
    for (index, piece) in pieces(all).into_iter().enumerate() {
        let own = |label| root.derive(label, &[&(index as u64).to_le_bytes()]);
        let hidden = piece.rerandomise();
        let ciphertext = hidden.ciphertexts()[0].as_tfhe().as_ref().to_vec();
        // e₁ and e₂ do not show beside v: it is all of the zero encryption of the response's seed.
        let nothing = Accumulated::new(glwe, vec![0; length]).unwrap();
        let seed = own("s3rec he re-randomisation");
        let expected = nothing.rerandomise(&keys.public, &seed, &mut keys.public.workspace());
        assert!(
            ciphertext == expected.as_tfhe().as_ref(),
            "response {index}"
        );
        let masked = hidden.mask().unwrap();
        let share = masked.shares()[0].to_vec();
        let mask = own("s3rec he mask");
        assert_eq!(share, social_share(&glwe, ring, &mask, used));
        seen.push((ciphertext, share));
    }
    assert_eq!(seen.len(), count);
    for (index, (ciphertext, share)) in seen.iter().enumerate() {
        for (other, other_share) in &seen[index + 1..] {
            let a_part = glwe.lattice_dimension();
            assert!(close(&ciphertext[..a_part], &other[..a_part]) < a_part / 100);
            let equal = std::iter::zip(share, other_share).filter(|(a, b)| a == b);
            assert!(equal.count() < used / 100);
        }
    }
}

#[test]
fn no_two_responses_of_a_block_share_release_noise() {
    let release = ReleasePolicy::Noised {
        sigma: 2.0,
        row_norm_beta: 1.0,
        delta: 1e-6,
    };
    let (parameters, all, _, _) = multiplied(release);
    let noise: Vec<Vec<u64>> = pieces(all)
        .into_iter()
        .map(|piece| {
            let masked = piece.rerandomise().mask().unwrap();
            let before = masked.shares()[0].to_vec();
            let masked = masked.add_share(Release::of(&parameters).unwrap());
            let after = masked.shares()[0].iter();
            std::iter::zip(after, before)
                .map(|(after, before)| after.wrapping_sub(before))
                .collect()
        })
        .collect();
    for (index, own) in noise.iter().enumerate() {
        assert!(own.iter().any(|noise| *noise != 0));
        for other in &noise[index + 1..] {
            let equal = std::iter::zip(own, other).filter(|(a, b)| a == b).count();
            assert!(equal < own.len() / 10, "{equal} of {}", own.len());
        }
    }
}
