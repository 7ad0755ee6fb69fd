//! Each protection left out alone: the attacker then wins; with it they guess.

use s3rec_algebra::{PublicSeed, Seed};
use s3rec_lattice::DEGREE;
use s3rec_lattice::code::CodeBits;
use s3rec_lattice::digits::Gadget;
use s3rec_lattice::modulus::MODULUS;

use super::answer::answer_with;
use super::prepare::LeftOut;
use super::tests::{World, noisy, terms};
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
                    ..LeftOut::default()
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
                ..LeftOut::default()
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
            .unpack(upload.codes(), 128 * 12)
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
        let noised = answer_with(&prepared, &upload, noisy(with_noise)).unwrap();
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

/// Everything that a job names, changed one at a time in what P1 works with.
fn changed_worlds() -> Vec<(&'static str, World)> {
    let base = terms(Sides::One, 60, 128, 12);
    let of = |terms: Terms| World::with(24, choose(terms).unwrap());
    let mut worlds = vec![
        ("nothing", of(base)),
        ("sides", of(terms(Sides::Two, 188, 188, 12))),
        ("opened", of(Terms { opened: 61, ..base })),
        (
            "uploaded",
            of(Terms {
                uploaded: 129,
                ..base
            }),
        ),
        (
            "columns",
            of(Terms {
                columns: 13,
                ..base
            }),
        ),
        (
            "β",
            of(Terms {
                row_norm_bound: 2.0,
                ..base
            }),
        ),
        (
            "degree bound",
            of(Terms {
                degree_bound: 127,
                ..base
            }),
        ),
        (
            "μ",
            of(Terms {
                mu: guarantee::Mu::new(0.9).unwrap(),
                ..base
            }),
        ),
    ];
    let chosen = worlds[0].1.parameters;
    let wider = |code: CodeBits| CodeBits::new("", code.bits() + 1).unwrap();
    let numbers = [
        (
            "σ",
            Parameters {
                sigma: chosen.sigma * 1.01,
                ..chosen
            },
        ),
        (
            "upload code",
            Parameters {
                upload_code: wider(chosen.upload_code),
                ..chosen
            },
        ),
        (
            "mask code",
            Parameters {
                mask_code: wider(chosen.mask_code),
                ..chosen
            },
        ),
        (
            "body code",
            Parameters {
                body_code: wider(chosen.body_code),
                ..chosen
            },
        ),
        (
            "public key code",
            Parameters {
                public_key_code: wider(chosen.public_key_code),
                ..chosen
            },
        ),
        (
            "key code",
            Parameters {
                key_code: wider(chosen.key_code),
                ..chosen
            },
        ),
        (
            "gadget",
            Parameters {
                gadget: Gadget::new(6, 8).unwrap(),
                ..chosen
            },
        ),
        (
            "slots and secrets",
            Parameters {
                slots: 4,
                secrets: 3,
                gadget: Gadget::new(6, 8).unwrap(),
                key_code: CodeBits::new("", 48).unwrap(),
                ..chosen
            },
        ),
    ];
    assert_ne!((chosen.slots, chosen.secrets), (4, 3));
    worlds.extend(numbers.map(|(what, parameters)| (what, World::with(24, parameters))));
    let other = PublicSeed::from_bytes([201; 32]);
    let seeds = worlds[0].1.seeds;
    for (what, seeds) in [
        (
            "P0's seed",
            SessionSeeds {
                rating: other,
                ..seeds
            },
        ),
        (
            "P1's seed",
            SessionSeeds {
                social: other,
                ..seeds
            },
        ),
    ] {
        let mut world = of(base);
        let secret = Seed::from_bytes([24 ^ 3; 32]);
        world.rating = RatingKeys::generate(&chosen, &seeds, &secret).unwrap();
        world.social = SocialKeys::accept(&chosen, &seeds, world.rating.message()).unwrap();
        worlds.push((what, world));
    }
    let mut keys = of(base);
    let mut message = keys.rating.message().to_vec();
    message[17] ^= 1;
    keys.social = SocialKeys::accept(&chosen, &seeds, &message).unwrap();
    let mut split = of(base);
    split.split = Split::one_sided(188, (1..61).collect()).unwrap();
    let mut number = of(base);
    number.opening.number = 2;
    let mut seed = of(base);
    seed.opening.mask_seed = other;
    let mut key = of(base);
    key.key = Seed::from_bytes([1; 32]);
    worlds.extend([
        ("keys", keys),
        ("split", split),
        ("number", number),
        ("mask seed", seed),
        ("P1's key", key),
    ]);
    worlds
}

/// Through what P1 calls, so that nothing can be bound by name alone.
#[test]
fn randomness_is_bound_to_everything_that_changes_what_is_sent() {
    let upload = [5; 32];
    let mut streams = Vec::new();
    let mut add = |what: &'static str, prepared: &Prepared, upload: &[u8; 32], pack: u64| {
        let randomness = &prepared.randomness;
        streams.push((*randomness.fresh(pack).expose_bytes(), what));
        streams.push((*randomness.noise(upload, pack).expose_bytes(), what));
    };
    let prepared = |world: &World, users: u8, friends: &Friends| {
        let (keys, split, opening) = (&world.social, &world.split, &world.opening);
        Prepared::new(keys, &[users; 32], split, opening, friends, &world.key).unwrap()
    };
    let worlds = changed_worlds();
    for (what, world) in &worlds {
        add(what, &prepared(world, 7, &world.friends), &upload, 0);
    }
    let (_, world) = &worlds[0];
    let before = prepared(world, 7, &world.friends);
    let users = prepared(world, 8, &world.friends);
    add("users", &users, &upload, 0);
    let fewer = Friends::from_links(188, [(0, 70)]).unwrap();
    add("links", &prepared(world, 7, &fewer), &upload, 0);
    add("pack", &before, &upload, 1);
    let noise = before.randomness.noise(&[6; 32], 0);
    streams.push((*noise.expose_bytes(), "upload"));
    streams.sort_unstable();
    for pair in streams.windows(2) {
        assert!(pair[0].0 != pair[1].0, "{} {}", pair[0].1, pair[1].1);
    }
    // And randomness alone, of the same masks and links, changes what is sent altogether.
    let apart = distance(&world.parameters, before.masks(), users.masks());
    assert!((apart - 1.0).abs() < 0.1, "{apart}");
}

/// An answer under P0's view of another job would show what P0's masks leave of the links.
#[test]
fn an_upload_of_another_job_is_not_answered() {
    for (what, world) in changed_worlds() {
        let (_, upload) = world.upload();
        let mut other = upload.bytes().to_vec();
        other[31] ^= 1;
        let prepared = world.prepare(&world.friends, LeftOut::default());
        // Of keys that P1 received otherwise P0 knows nothing.
        let refused = answer(prepared, &Upload::from_bytes(other));
        let is_other = matches!(refused, Err(NoiseFirstError::OtherJob { .. }));
        assert!(is_other, "{what}");
    }
}

/// What hides a pack must hide no other.
#[test]
fn packs_are_hidden_by_randomness_of_their_own() {
    let world = World::new(25, terms(Sides::One, 300, 128, 12));
    let (packs, nobody) = (
        world.parameters.packs(),
        Friends::from_links(428, []).unwrap(),
    );
    assert!(packs > 1);
    let prepared = world.prepare(&nobody, LeftOut::default());
    let of_pack = world.parameters.mask_code.packed_bytes(DEGREE);
    let (first, second) = prepared.masks().split_at(of_pack);
    // Without links the a-parts are their randomness.
    let apart = distance(&world.parameters, first, &second[..of_pack]);
    assert!((apart - 1.0).abs() < 0.1, "{apart}");

    // η too: no row, column or pack repeats another's.
    let (_, upload) = world.upload();
    let masks = prepared.masks().to_vec();
    let clear = world.clear(
        &nobody,
        &Rows::encode(&world.parameters, &world.rows).unwrap(),
    );
    assert!(clear.iter().all(|&sum| sum == 0.0));
    let noised = answer(prepared, &upload).unwrap();
    let noise = decode(&world.rating, &masks, noised.bytes()).unwrap();
    let noise = noise.values();
    let square: f64 = noise.iter().map(|x| x * x).sum();
    let per_pack = world.parameters.places() * 12;
    for shift in (1..=24).chain([per_pack, per_pack + 12]) {
        let product: f64 = noise.iter().zip(&noise[shift..]).map(|(a, b)| a * b).sum();
        let correlation = product / square;
        assert!(correlation.abs() < 0.1, "{shift}: {correlation}");
    }
}
