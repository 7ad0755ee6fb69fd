//! What hides a response is its own: no two share v, e₁, e₂ or ρ, and none of them another's bits.
//!
//! Two responses that shared one of them would differ by something P0 knows, or by a sum of few
//! unknowns less than the protocol counts on (section 3.1, "why it is private").

use s3rec_algebra::{PublicSeed, RingBits, Seed};

use crate::response::{Fresh, rho};
use crate::*;

fn seeds(count: u64) -> Vec<Seed> {
    let root = Seed::from_bytes([6; 32]);
    (0..count)
        .map(|index| root.derive("response", &[&index.to_le_bytes()]))
        .collect()
}

/// The share of places in which two sequences agree.
fn agreement<T: PartialEq>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len());
    let equal = std::iter::zip(a, b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len() as f64
}

#[test]
fn every_response_has_its_own_v_e1_e2_and_rho() {
    let parameters = GlweParameters::toy(2, 512, 4, 0);
    let (key, size) = (parameters.lattice_dimension(), parameters.polynomial_size());
    let drawn: Vec<_> = seeds(12)
        .iter()
        .map(|seed| (Fresh::draw(&parameters, seed), rho(&parameters, seed)))
        .collect();
    for (index, (fresh, mask)) in drawn.iter().enumerate() {
        let (e1, e2) = fresh.noise.split_at(key);
        assert_eq!((fresh.v.len(), e2.len(), mask.len()), (key, size, size));
        // Nor is one part of a response another part of it over again.
        assert!(agreement(&e1[..size], e2) < 0.1);
        assert!(agreement(&e1[..size], &e1[size..]) < 0.1);
        assert!(agreement(&fresh.v[..size], &fresh.v[size..]) < 0.6);
        for (other, other_mask) in &drawn[index + 1..] {
            // Coins agree in half of the places, errors of 2^5 values in a 32nd, masks never.
            assert!(agreement(&fresh.v, &other.v) < 0.6);
            assert!(agreement(e1, &other.noise[..key]) < 0.1);
            assert!(agreement(e2, &other.noise[key..]) < 0.1);
            assert!(agreement(mask, other_mask) < 0.01);
        }
    }
}

/// The draws are those that re-randomisation adds: ciphertexts of nothing that differ by exactly
/// A_pkᵀv + e₁ and b_pk·v + e₂.
#[test]
fn rerandomisation_adds_these_draws() {
    let parameters = GlweParameters::new(10, 512, 0).unwrap();
    let secret = SecretKey::generate(parameters, &Seed::from_bytes([1; 32]));
    let masks = PublicSeed::combine("test", &[&[2]]);
    let bodies = secret.public_key(&masks, &Seed::from_bytes([3; 32]));
    let public = PublicKey::expand(parameters, &masks, &bodies).unwrap();
    let length = parameters.lattice_dimension() + parameters.polynomial_size();
    for seed in seeds(3) {
        let nothing = Accumulated::new(parameters, vec![0; length]).unwrap();
        let hidden = nothing.rerandomise(&public, &seed, &mut public.workspace());
        let fresh = Fresh::draw(&parameters, &seed);
        let mut expected = vec![0u128; length];
        public.add_zero_encryption(&fresh.v, &mut expected, &mut public.workspace());
        for (sum, &e) in std::iter::zip(&mut expected, fresh.noise.iter()) {
            *sum = sum.wrapping_add(i128::from(e).cast_unsigned());
        }
        assert!(hidden.as_tfhe().as_ref() == expected);

        // And the mask is all of ρ, in every slot, low bits included.
        let before = hidden.as_tfhe().get_body().as_ref().to_vec();
        let (masked, _) = hidden.mask(RingBits::new(32).unwrap(), &seed, 3);
        let added: Vec<u128> = std::iter::zip(masked.as_tfhe().get_body().as_ref(), before)
            .map(|(masked, before)| masked.wrapping_sub(before))
            .collect();
        assert!(added == *rho(&parameters, &seed));
        for bit in 0..128 {
            let ones = added.iter().filter(|rho| *rho >> bit & 1 == 1).count();
            // 512 coins: five deviations.
            assert!((200..=312).contains(&ones), "bit {bit}: {ones}");
        }
    }
}
