//! What hides a-parts and sums, taken apart with the secrets of both sides.

use s3rec_algebra::{RealMatrix, Seed, Stream};
use s3rec_lattice::code::CodeBits;
use s3rec_lattice::digits::Gadget;
use s3rec_lattice::gaussian::{Tails, Wide};
use s3rec_lattice::transform::transform;
use s3rec_lattice::{Coefficients, DEGREE, Points, Polynomial, modulus};

use super::answer::answer_with;
use super::keys::times;
use super::parameters::Shape;
use super::prepare::LeftOut;
use super::tests::{World, terms};
use super::*;

/// Codes as wide as they are, 512 rows a pack, more than one secret.
fn wide_world(terms: Terms) -> World {
    let wide = CodeBits::new("", 49).unwrap();
    let shape = Shape {
        slots: 4,
        secrets: 3,
        gadget: Gadget::new(6, 8).unwrap(),
        upload_code: wide,
        mask_code: wide,
        body_code: wide,
        public_key_code: wide,
        key_code: wide,
    };
    let parameters = Parameters::complete(terms, shape).unwrap();
    assert_eq!(parameters.places(), 512);
    World::with(31, parameters)
}

fn variance(values: &[i64]) -> f64 {
    values.iter().map(|x| (x * x) as f64).sum::<f64>() / values.len() as f64
}

/// Without links an a-part is A_pk·v + e₁: v and e₁ have deviation 8 and nothing in common.
#[test]
fn an_a_part_is_an_encryption_of_zero_of_its_own() {
    let world = wide_world(terms(Sides::One, 600, 128, 12));
    assert_eq!(world.parameters.packs(), 2);
    let nobody = Friends::from_links(728, []).unwrap();
    let prepared = world.prepare(&nobody, LeftOut::default());
    let code = world.parameters.mask_code;
    let mut seen = Vec::new();
    for (pack, mask) in (0..).zip(prepared.masks().chunks(code.packed_bytes(DEGREE))) {
        let seed = prepared.randomness.fresh(pack);
        let mut v = vec![0; DEGREE];
        let mut stream = Stream::new(&seed.derive("v", &[]));
        Tails::new(8.0).fill(&mut stream, &mut v);
        let mut points = Polynomial::<Points>::zero();
        let small: Polynomial<Coefficients> = Polynomial::from_small(&v);
        transform().forward(&small, &mut points);
        let product = times(&points, &world.social.public_mask);
        let mask = code.unpack(mask, DEGREE).unwrap();
        let of_place = |place: usize| {
            let product = modulus::residue(product.centred(place));
            modulus::centred(modulus::subtract(mask[place], product))
        };
        let e1: Vec<i64> = (0..DEGREE).map(of_place).collect();
        // Three standard errors of a variance of 64, and the unit of the code.
        for values in [&v, &e1] {
            assert!(
                (variance(values) - 64.0).abs() < 6.5,
                "{}",
                variance(values)
            );
        }
        seen.extend([v, e1]);
    }
    for (index, left) in seen.iter().enumerate() {
        for right in &seen[..index] {
            let near = left.iter().zip(right).filter(|(a, b)| a.abs_diff(**b) < 2);
            // A tenth by chance.
            assert!(near.count() < DEGREE / 4, "{index}");
        }
    }
}

/// Sum and η at full precision, then the code: rounded before, low bits would have no noise.
#[test]
fn an_answer_is_the_noised_sum_rounded_once() {
    let terms = terms(Sides::One, 300, 128, 12);
    let world = World::new(32, terms);
    let (parameters, columns) = (world.parameters, 12);
    let prepared = world.prepare(&world.friends, LeftOut::default());
    let (_, upload) = world.upload();
    let digest = *blake3::hash(upload.bytes()).as_bytes();
    let bodies = parameters.upload_code.unpack(upload.codes(), 128 * columns);
    let bodies = bodies.unwrap();
    let of_pack = parameters.places() * columns;
    assert!(parameters.packs() > 1);
    let mut values = prepared.bodies.to_vec();
    for (pack, values) in (0..).zip(values.chunks_mut(of_pack)) {
        let seed = prepared.randomness.noise(&digest, pack);
        let mut noise = Wide::new(parameters.noise_bits(), Stream::new(&seed));
        for value in values {
            *value = modulus::add(*value, modulus::residue(noise.sample()));
        }
    }
    for row in 0..300 {
        for &friend in prepared.block.row(row) {
            for column in 0..columns {
                let value = &mut values[row * columns + column];
                *value = modulus::add(*value, bodies[friend as usize * columns + column]);
            }
        }
    }
    let mut expected = Vec::new();
    parameters.body_code.pack(values.into_iter(), &mut expected);
    assert!(answer(prepared, &upload).unwrap().bytes() == expected);
}

/// What a pair of users changes in the noise of key switching, in the packs of one row or of two:
/// just below what σ allows for it.
#[test]
fn two_graphs_differ_in_key_switch_noise_by_what_is_stated() {
    for (terms, link, packs) in [
        (terms(Sides::One, 512, 128, 12), (5, 600), 1.0),
        (terms(Sides::Two, 1024, 1024, 12), (5, 600), 2.0),
    ] {
        let world = wide_world(terms);
        let parameters = world.parameters;
        let users = world.split.users();
        let links =
            (0..users).flat_map(|user| world.friends.of(user).iter().map(move |&f| (user, f)));
        let after = Friends::from_links(users, links.chain([link])).unwrap();
        let zeros = RealMatrix::zeros(parameters.uploaded(), 12);
        let rows = Rows::encode(&parameters, &zeros).unwrap();
        let errors = Seed::from_bytes([1; 32]);
        let upload = Upload::encrypt(&world.rating, &world.job(), &rows, &errors).unwrap();
        let left_out = LeftOut {
            rerandomisation: true,
            noise: true,
        };
        let sums = |friends: &Friends| {
            let prepared = world.prepare(friends, left_out);
            let noised = answer_with(&prepared, &upload, left_out).unwrap();
            decode(&world.rating, prepared.masks(), noised.bytes()).unwrap()
        };
        let (before, after) = (sums(&world.friends), sums(&after));
        let differences = before.values().iter().zip(after.values());
        let square: f64 = differences.map(|(a, b)| (a - b).powi(2)).sum();
        let values: f64 = packs * 512.0 * 12.0;
        let stated = (2.0 * values).sqrt() * parameters.key_switch_deviation();
        let ratio = square.sqrt() * parameters.scale() / stated;
        assert!((0.8..=1.0).contains(&ratio), "{:?}: {ratio}", terms.sides);
        let share = stated / f64::from(parameters.noise_bits()).exp2();
        assert!((parameters.key_switch_share() / share - 1.0).abs() < 1e-9);
    }
}

#[test]
fn the_residual_is_measured_without_an_answer_without_noise() {
    let world = World::new(33, terms(Sides::One, 300, 128, 12));
    let (rows, upload) = world.upload();
    let clear = world.clear(&world.friends, &rows);
    let residual = |clear: &[f64]| {
        let prepared = world.prepare(&world.friends, LeftOut::default());
        measure_residual(&world.rating, prepared, &upload, clear).unwrap()
    };
    let measured = residual(&clear);
    assert!((0.01..=0.05).contains(&measured), "{measured}");
    assert!(residual(&vec![0.0; clear.len()]) > 0.1);
}
