//! Each protection left out alone: the attacker then wins; with it they guess.

use s3rec_algebra::{PublicSeed, Seed};
use s3rec_lattice::DEGREE;
use s3rec_lattice::modulus::MODULUS;

use super::answer::answer_with;
use super::prepare::LeftOut;
use super::tests::{World, terms};
use super::*;

/// Mean distance of two a-parts, 1 for unrelated ones.
fn distance(parameters: &Parameters, left: &[u8], right: &[u8]) -> f64 {
    let read = |bytes: &[u8]| {
        let of_pack = parameters.mask_code.packed_bytes(DEGREE);
        bytes
            .chunks(of_pack)
            .flat_map(|pack| parameters.mask_code.unpack(pack, DEGREE).unwrap())
            .collect::<Vec<u64>>()
    };
    let (left, right) = (read(left), read(right));
    let sum: f64 = left
        .iter()
        .zip(&right)
        .map(|(&a, &b)| {
            let distance = a.abs_diff(b);
            distance.min(MODULUS - distance) as f64
        })
        .sum();
    sum / left.len() as f64 / (MODULUS as f64 / 4.0)
}

/// Knows masks, keys and all links but one: computes the a-part of both graphs and compares. The
/// link touches one of two packs.
#[test]
fn the_a_part_tells_the_missing_link_only_without_rerandomisation() {
    let world = World::new(21, terms(Sides::One, 130, 300, 12));
    let friend = (130..430)
        .find(|f| !world.friends.of(7).contains(f))
        .unwrap();
    let links = (0..430).flat_map(|user| world.friends.of(user).iter().map(move |&f| (user, f)));
    let with_link = Friends::from_links(430, links.chain([(7, friend)])).unwrap();
    let guess = |friends: &Friends| {
        world
            .prepare(
                friends,
                LeftOut {
                    rerandomisation: true,
                },
            )
            .masks()
            .to_vec()
    };
    for (left_out, wins) in [(true, true), (false, false)] {
        let sent = world.prepare(
            &with_link,
            LeftOut {
                rerandomisation: left_out,
            },
        );
        let right = distance(&world.parameters, sent.masks(), &guess(&with_link));
        let wrong = distance(&world.parameters, sent.masks(), &guess(&world.friends));
        if wins {
            assert!(right < 1e-3 && wrong > 0.4, "{right} {wrong}");
        } else {
            assert!(
                (right - 1.0).abs() < 0.1 && (wrong - 1.0).abs() < 0.1,
                "{right} {wrong}"
            );
        }
    }
}

/// Two uploads under one seed: their difference is the difference of the rows.
#[test]
fn a_seed_that_is_used_twice_shows_p1_the_difference_of_rows() {
    let mut world = World::new(22, terms(Sides::One, 60, 128, 12));
    let (_, first) = world.upload();
    world.rows.row_mut(5)[3] += 0.25;
    let (_, second) = world.upload();
    let read = |upload: &Upload| {
        world
            .parameters
            .upload_code
            .unpack(upload.bytes(), 128 * 12)
            .unwrap()
    };
    let differs: Vec<usize> = std::iter::zip(read(&first), read(&second))
        .enumerate()
        .filter(|(_, (a, b))| a.abs_diff(*b).min(MODULUS - a.abs_diff(*b)) > MODULUS >> 12)
        .map(|(index, _)| index)
        .collect();
    assert!(differs.iter().all(|index| index / 12 == 5) && differs.contains(&(5 * 12 + 3)));
    // Under another seed everything differs.
    world.opening.mask_seed = PublicSeed::from_bytes([200; 32]);
    let (_, third) = world.upload();
    let same = std::iter::zip(read(&second), read(&third))
        .filter(|(a, b)| a.abs_diff(*b) < MODULUS >> 12)
        .count();
    assert!(same < 10, "{same}");
}

/// The exact sums are there without η, and nothing near them with it.
#[test]
fn noise_alone_hides_a_single_link() {
    let world = World::new(23, terms(Sides::One, 60, 128, 12));
    let (rows, upload) = world.upload();
    let clear = world.clear(&world.friends, &rows);
    for (with_noise, finds_it) in [(false, true), (true, false)] {
        let prepared = world.prepare(&world.friends, LeftOut::default());
        let masks = prepared.masks().to_vec();
        let noised = answer_with(&world.parameters, prepared, &upload, with_noise).unwrap();
        let opened = decode(&world.rating, &masks, noised.bytes()).unwrap();
        let worst = opened
            .values()
            .iter()
            .zip(&clear)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert_eq!(worst < 0.3, finds_it, "{worst}");
    }
}

/// A field of what randomness is bound to changes: a-parts and noise are unrelated.
#[test]
fn randomness_is_bound_to_everything_that_changes_what_is_sent() {
    let world = World::new(24, terms(Sides::One, 60, 128, 12));
    let (parameters, seeds) = (&world.parameters, &world.seeds);
    let other = PublicSeed::from_bytes([201; 32]);
    let message = world.social.message().to_vec();
    let mut other_message = message.clone();
    other_message[17] ^= 1;
    let of = |parameters: &Parameters,
              seeds: &SessionSeeds,
              message: &[u8],
              users: [u8; 32],
              opened: &[u32],
              uploaded: &[u32],
              opening: &Opening| {
        JobDigest::of(
            parameters,
            seeds,
            message,
            &users,
            (opened, uploaded),
            opening,
        )
    };
    let (o, w) = (&world.opened[..], &world.uploaded[..]);
    let mut swapped = w.to_vec();
    swapped.swap(0, 1);
    let opening = world.opening;
    let code = s3rec_lattice::code::CodeBits::new("", 40).unwrap();
    let terms = *parameters.terms();
    let changed_terms = [
        Terms {
            sides: Sides::Two,
            ..terms
        },
        Terms {
            opened: 61,
            ..terms
        },
        Terms {
            uploaded: 129,
            ..terms
        },
        Terms {
            columns: 13,
            ..terms
        },
        Terms {
            row_norm_bound: 2.0,
            ..terms
        },
        Terms {
            degree_bound: 129,
            ..terms
        },
        Terms {
            mu: guarantee::Mu::new(1.1).unwrap(),
            ..terms
        },
    ];
    let mut changed: Vec<Parameters> = changed_terms
        .into_iter()
        .map(|terms| Parameters {
            terms,
            ..*parameters
        })
        .collect();
    changed.extend([
        Parameters {
            slots: 32,
            ..*parameters
        },
        Parameters {
            secrets: 5,
            ..*parameters
        },
        Parameters {
            gadget: s3rec_lattice::digits::Gadget::new(6, 7).unwrap(),
            ..*parameters
        },
        Parameters {
            result_bits: 20,
            ..*parameters
        },
        Parameters {
            sigma: 9.0,
            ..*parameters
        },
        Parameters {
            upload_code: code,
            ..*parameters
        },
        Parameters {
            mask_code: code,
            ..*parameters
        },
        Parameters {
            body_code: code,
            ..*parameters
        },
        Parameters {
            public_key_code: code,
            ..*parameters
        },
        Parameters {
            key_code: s3rec_lattice::code::CodeBits::new("", 33).unwrap(),
            ..*parameters
        },
    ]);
    let mut digests = vec![of(parameters, seeds, &message, [7; 32], o, w, &opening)];
    digests.extend(
        changed
            .iter()
            .map(|p| of(p, seeds, &message, [7; 32], o, w, &opening)),
    );
    digests.extend([
        of(
            parameters,
            &SessionSeeds {
                rating: other,
                ..*seeds
            },
            &message,
            [7; 32],
            o,
            w,
            &opening,
        ),
        of(
            parameters,
            &SessionSeeds {
                social: other,
                ..*seeds
            },
            &message,
            [7; 32],
            o,
            w,
            &opening,
        ),
        of(parameters, seeds, &other_message, [7; 32], o, w, &opening),
        of(parameters, seeds, &message, [8; 32], o, w, &opening),
        of(parameters, seeds, &message, [7; 32], &o[1..], w, &opening),
        of(parameters, seeds, &message, [7; 32], o, &w[1..], &opening),
        of(parameters, seeds, &message, [7; 32], o, &swapped, &opening),
        of(
            parameters,
            seeds,
            &message,
            [7; 32],
            o,
            w,
            &Opening {
                number: 2,
                ..opening
            },
        ),
        of(
            parameters,
            seeds,
            &message,
            [7; 32],
            o,
            w,
            &Opening {
                mask_seed: other,
                ..opening
            },
        ),
    ]);
    let block = world.block(&world.friends);
    let upload = [5; 32];
    let mut streams = Vec::new();
    for digest in &digests {
        let randomness = binding::Randomness::new(&world.key, *digest, &block);
        streams.push(*randomness.fresh(0).expose_bytes());
        streams.push(*randomness.noise(&upload, 0).expose_bytes());
    }
    // The links, the upload, the pack and P1's key.
    let fewer = Friends::from_links(188, [(0, 70)]).unwrap();
    let of_links = binding::Randomness::new(&world.key, digests[0], &world.block(&fewer));
    let of_key = binding::Randomness::new(&Seed::from_bytes([1; 32]), digests[0], &block);
    let of_all = binding::Randomness::new(&world.key, digests[0], &block);
    for randomness in [&of_links, &of_key] {
        streams.push(*randomness.fresh(0).expose_bytes());
        streams.push(*randomness.noise(&upload, 0).expose_bytes());
    }
    streams.push(*of_all.noise(&[6; 32], 0).expose_bytes());
    streams.push(*of_all.noise(&upload, 1).expose_bytes());
    streams.push(*of_all.fresh(1).expose_bytes());
    let count = streams.len();
    streams.sort_unstable();
    streams.dedup();
    assert_eq!(streams.len(), count);
}
