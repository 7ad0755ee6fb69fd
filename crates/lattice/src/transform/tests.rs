use s3rec_algebra::PublicSeed;
use tfhe_ntt::prime64::Plan;

use super::*;
use crate::modulus::{MODULUS, arches, product, residue};

fn uniform(tag: u8) -> Polynomial<Coefficients> {
    Polynomial::uniform(&PublicSeed::from_bytes([tag; 32]))
}

fn inverse_of_degree() -> u64 {
    modulus::inverse(DEGREE as u64)
}

fn multiplied(
    transform: &Transform,
    left: &Polynomial<Coefficients>,
    right: &Polynomial<Coefficients>,
) -> Vec<u64> {
    let [mut a, mut b, mut sum] = std::array::from_fn(|_| Polynomial::zero());
    transform.forward(left, &mut a);
    transform.forward(right, &mut b);
    transform.scale(&mut b, inverse_of_degree());
    transform.multiply_add(&mut sum, &a, &b);
    let mut out = Polynomial::zero();
    transform.inverse(&sum, &mut out);
    out.to_residues()
}

/// Of the largest values that there are besides, as many products as a gadget has digits.
#[test]
fn many_products_at_once_are_the_products_added_up() {
    let half = (MODULUS / 2).cast_signed();
    for arch in arches() {
        let transform = Transform::new(arch);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let [mut one_by_one, mut all] = std::array::from_fn(|_| Polynomial::zero());
        for count in 1..=7u8 {
            let polynomial = match count % 3 {
                0 => Polynomial::from_small(&[half; DEGREE]),
                _ => uniform(count),
            };
            let [mut a, mut b] = std::array::from_fn(|_| Polynomial::zero());
            transform.forward(&polynomial, &mut a);
            transform.forward(&uniform(count + 90), &mut b);
            transform.scale(&mut b, inverse_of_degree());
            left.push(a);
            right.push(b);
            for (a, b) in left.iter().zip(&right) {
                transform.multiply_add(&mut one_by_one, a, b);
            }
            transform.multiply_add_all(&mut all, &left, &right);
            let [expected, actual] = [&one_by_one, &all].map(|sum| {
                let mut out = Polynomial::zero();
                transform.inverse(sum, &mut out);
                out.to_residues()
            });
            assert_eq!(actual, expected, "{count}");
        }
    }
}

#[test]
fn products_are_those_of_tfhe_ntt_on_every_processor() {
    let plan = Plan::try_new(DEGREE, MODULUS).unwrap();
    let half = (MODULUS / 2).cast_signed();
    let extremes = [
        Polynomial::from_small(&[half; DEGREE]),
        Polynomial::from_small(&[-half; DEGREE]),
        Polynomial::from_small(&std::array::from_fn::<_, DEGREE, _>(|i| {
            if i % 2 == 0 { half } else { -half }
        })),
    ];
    for arch in arches() {
        let transform = Transform::new(arch);
        let mut pairs = vec![(uniform(1), uniform(2))];
        for left in &extremes {
            for right in &extremes {
                pairs.push((left.clone(), right.clone()));
            }
        }
        for (left, right) in pairs {
            let (mut a, mut b) = (left.to_residues(), right.to_residues());
            plan.fwd(&mut a);
            plan.fwd(&mut b);
            plan.mul_assign_normalize(&mut a, &b);
            plan.inv(&mut a);
            assert_eq!(multiplied(&transform, &left, &right), a, "{arch:?}");
        }
    }
}

#[test]
fn residues_in_any_range_transform() {
    // As sums are written: between 0 and q, not centred.
    let transform = transform();
    let mut lifted = uniform(3);
    for value in &mut lifted.values {
        *value += crate::modulus::Q * f64::from(u8::from(*value < 0.0));
    }
    let one = Polynomial::from_small(&[1]);
    assert_eq!(
        multiplied(transform, &lifted, &one),
        uniform(3).to_residues()
    );
}

#[test]
fn values_are_those_at_the_points() {
    let transform = transform();
    let polynomial = Polynomial::from_small(&[5, -7, 11]);
    let mut points = Polynomial::zero();
    transform.forward(&polynomial, &mut points);
    for (place, &exponent) in transform.exponents().iter().enumerate().step_by(37) {
        let x = transform.root(u64::from(exponent));
        let square = product(x, x);
        let expected = [5, product(residue(-7), x), product(11, square)]
            .into_iter()
            .fold(0, modulus::add);
        assert_eq!(modulus::residue(points.centred(place)), expected);
    }
}

#[test]
fn automorphisms_agree_in_both_forms() {
    let transform = transform();
    for power in [3, 33, 9, 2 * DEGREE - 1] {
        let automorphism = Automorphism::new(transform, power);
        let polynomial = uniform(4);
        let (mut image, mut points) = (Polynomial::zero(), Polynomial::zero());
        automorphism.of_coefficients(&polynomial, &mut image);
        // X → X^power, by hand.
        assert_eq!(
            image.centred(3 * power % DEGREE).abs(),
            polynomial.centred(3).abs()
        );
        transform.forward(&polynomial, &mut points);
        let (mut by_points, mut by_coefficients) = (Polynomial::zero(), Polynomial::zero());
        automorphism.of_points(&points, &mut by_points);
        transform.forward(&image, &mut by_coefficients);
        assert_eq!(by_points.to_residues(), by_coefficients.to_residues());
    }
}
