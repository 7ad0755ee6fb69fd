//! Which stocks and operators an endpoint refuses to work with, before anything is sent or
//! counted.

use std::sync::Arc;

use crate::refusals::{disk, frames, open, shape, world};
use crate::stocks;
use crate::world::{Shape, World, space};
use s3rec_algebra::Seed;
use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingClose, RatingOpening, RatingSession, RatingStock,
    SocialBlock, SocialClose, SocialSession, SocialStock, StockStorage, StockTerms,
};
use s3rec_spmm::{
    Endpoint, Frame, OperatorKind, PatternPolicy, ProductParameters, Protocol, PublicPattern,
    ReleasePolicy, SocialOperand, SpmmError, Step, Uncounted, he,
};

#[test]
fn a_stock_is_made_once_and_for_the_operator_and_users_that_it_names() {
    let world = world();
    let terms = stocks::terms(&world, &world.operand);
    let create = |storage: Arc<MemoryStorage>, terms: &StockTerms| {
        let operand = Arc::clone(&world.operand);
        SocialStock::create(storage, terms.clone(), &world.pattern, operand)
    };
    let mut other = terms.clone();
    other.operator_commitment[31] ^= 1;
    let storage = disk();
    assert!(matches!(
        create(storage.clone(), &other),
        Err(SpmmError::OtherStock)
    ));
    assert!(storage.load().unwrap().is_none());
    assert!(create(storage.clone(), &terms).is_ok());
    assert!(matches!(
        create(storage, &terms),
        Err(SpmmError::StockExists)
    ));
    let storage = disk();
    let rating = |storage: Arc<MemoryStorage>| {
        RatingStock::create(storage, terms.clone(), Arc::clone(&world.pattern))
    };
    assert!(rating(storage.clone()).is_ok());
    assert!(matches!(rating(storage), Err(SpmmError::StockExists)));

    // Half an offline phase is thrown away, not gone on with.
    let storage = disk();
    assert!(create(storage.clone(), &terms).is_ok());
    let operand = Arc::clone(&world.operand);
    let opened = SocialStock::open(storage, &world.pattern, operand);
    assert!(matches!(opened, Err(SpmmError::Void { .. })));
    let storage = disk();
    assert!(rating(storage.clone()).is_ok());
    let opened = RatingStock::open(storage, Arc::clone(&world.pattern));
    assert!(matches!(opened, Err(SpmmError::Void { .. })));
}

/// As many other rows: every share would be of another user.
#[test]
fn a_stock_does_not_open_for_other_rows() {
    let shape = Shape {
        policy: PatternPolicy::ActiveRows,
        ..shape()
    };
    let world = World::new(&shape, 21);
    let (rating_disk, social_disk) = (disk(), disk());
    let _ = stocks::offline(&world, rating_disk.clone(), social_disk.clone());
    let mut rows = world.pattern.returned_rows.clone();
    assert_eq!(rows, [0, 1, 2, 3, 6]);
    rows[3] = 4;
    let other = PublicPattern {
        users: 7,
        returned_rows: rows.clone(),
        uploaded_rows: rows,
    };
    let operand = Arc::clone(&world.operand);
    let social = SocialStock::open(social_disk, &other, operand);
    assert!(matches!(social, Err(SpmmError::OtherStock)));
    let rating = RatingStock::open(rating_disk, Arc::new(other));
    assert!(matches!(rating, Err(SpmmError::OtherStock)));
}

#[test]
fn a_block_is_answered_after_its_last_body_only() {
    let world = world();
    let terms = stocks::terms(&world, &world.operand);
    let rating = RatingStock::create(disk(), terms.clone(), Arc::clone(&world.pattern)).unwrap();
    let operand = Arc::clone(&world.operand);
    let mut social = SocialStock::create(disk(), terms, &world.pattern, operand).unwrap();
    let (mut sending, mut taking) = (rating.key_setup().unwrap(), social.key_setup().unwrap());
    pair::run(&mut sending, &mut taking, &mut Honest).unwrap();
    social.accept_key(taking).unwrap();
    let mut uploading = RatingBlock::new(rating).unwrap();
    let mut answering = SocialBlock::new(social, space().memory_limit_bytes).unwrap();
    let upload = frames(&mut uploading);
    assert!(upload.len() >= 2);
    for frame in upload {
        assert!(answering.poll_send().unwrap().is_none());
        answering.receive(frame).unwrap();
    }
    assert!(answering.poll_send().unwrap().is_some());
}

/// P1's own check of what was announced for its data: no product leaves the ring, and no time or
/// size says more than the bound.
#[test]
fn an_operator_beyond_its_announced_bounds_is_a_local_error() {
    let world = world();
    let bounds = (world.operator.row_norm(), world.operator.nonzeros() as u64);
    let operand = |change: &dyn Fn(&mut ProductParameters)| {
        let mut parameters = world.parameters.clone();
        (parameters.row_norm_bound, parameters.nonzeros_bound) = bounds;
        change(&mut parameters);
        let seed = Seed::from_bytes([1; 32]);
        SocialOperand::new(&parameters, &world.pattern, &world.operator, &seed).map(|_| ())
    };
    assert!(operand(&|_| {}).is_ok());
    for (what, refused) in [
        ("row norm", operand(&|p| p.row_norm_bound -= 1)),
        ("number of non-zeros", operand(&|p| p.nonzeros_bound -= 1)),
    ] {
        let named =
            matches!(refused, Err(SpmmError::AboveBound { what: found, .. }) if found == what);
        assert!(named, "{what}");
    }
    let other = operand(&|p| p.operator = OperatorKind::NormalizedLaplacian);
    assert!(matches!(other, Err(SpmmError::Unsupported { .. })));
    let other = operand(&|p| p.users += 1);
    assert!(matches!(other, Err(SpmmError::Shape { .. })));
}

/// A pattern that leaves out a linked user would lose it without a word, or show that it is linked.
#[test]
fn a_pattern_without_a_linked_user_is_a_local_error() {
    let shape = Shape {
        operator: OperatorKind::OutAverage,
        policy: PatternPolicy::ActiveRowsAndColumns,
        ..shape()
    };
    let world = World::new(&shape, 21);
    let operand = |change: &dyn Fn(&mut PublicPattern)| {
        let mut pattern = PublicPattern::clone(&world.pattern);
        change(&mut pattern);
        let seed = Seed::from_bytes([1; 32]);
        SocialOperand::new(&world.parameters, &pattern, &world.operator, &seed).map(|_| ())
    };
    assert!(operand(&|_| {}).is_ok());
    // 0 and 1 and 6 trust 1 and 2 and 3.
    let columns = operand(&|pattern| pattern.uploaded_rows = vec![1, 2, 4]);
    assert!(matches!(
        columns,
        Err(SpmmError::AboveBound {
            what: "set of linked users",
            ..
        })
    ));
    let rows = operand(&|pattern| pattern.returned_rows = vec![0, 1, 5]);
    assert!(matches!(
        rows,
        Err(SpmmError::AboveBound {
            what: "set of users with a link",
            ..
        })
    ));
    let unordered = operand(&|pattern| pattern.returned_rows = vec![1, 0, 6]);
    assert!(matches!(unordered, Err(SpmmError::Shape { .. })));
    let twice = operand(&|pattern| pattern.returned_rows = vec![0, 0, 6]);
    assert!(matches!(twice, Err(SpmmError::Shape { .. })));
    let beyond = operand(&|pattern| pattern.returned_rows = vec![0, 1, 7]);
    assert!(matches!(beyond, Err(SpmmError::Shape { .. })));
}

/// Noise needs room in the ring beside the product, and must not be finer than a unit.
#[test]
fn noise_without_room_is_refused_whoever_proposes_it() {
    let noised = |sigma| ReleasePolicy::Noised {
        sigma,
        row_norm_beta: 1.0,
        delta: 1e-6,
    };
    let good = World::new(
        &Shape {
            release: noised(0.5),
            ..shape()
        },
        21,
    )
    .parameters;
    for sigma in [1e-12, 1e9, f64::MAX] {
        let forged = ProductParameters {
            release: noised(sigma),
            ..good.clone()
        };
        assert!(
            matches!(forged.validate(), Err(SpmmError::NoiseRoom { .. })),
            "{sigma}"
        );
    }
    for release in [
        noised(0.0),
        noised(-1.0),
        noised(f64::NAN),
        noised(f64::INFINITY),
    ] {
        let forged = ProductParameters {
            release,
            ..good.clone()
        };
        assert!(matches!(
            forged.validate(),
            Err(SpmmError::NotPositive { .. })
        ));
    }
    for delta in [0.0, 1.0, 1.5, f64::NAN] {
        let release = ReleasePolicy::Noised {
            sigma: 0.5,
            row_norm_beta: 1.0,
            delta,
        };
        let forged = ProductParameters {
            release,
            ..good.clone()
        };
        assert!(forged.validate().is_err(), "{delta}");
    }
    for (released_bits, is_meant) in [(7, false), (8, true), (32, true), (33, false)] {
        let release = ReleasePolicy::Coarse { released_bits };
        let forged = ProductParameters {
            release,
            ..good.clone()
        };
        assert_eq!(forged.ring_bits, 32);
        assert_eq!(forged.validate().is_ok(), is_meant, "{released_bits} bits");
    }
}

#[test]
fn a_stock_is_of_a_protocol_that_has_one_and_of_some_rows() {
    let world = world();
    let refused = |change: fn(&mut ProductParameters)| {
        let mut terms = stocks::terms(&world, &world.operand);
        change(&mut terms.parameters);
        RatingStock::create(disk(), terms, Arc::clone(&world.pattern)).err()
    };
    assert!(refused(|_| {}).is_none());
    let other = refused(|parameters| parameters.protocol = Protocol::He);
    assert!(
        matches!(other, Some(SpmmError::Unsupported { .. })),
        "{other:?}"
    );
    for change in [
        (|parameters| parameters.uploaded_rows = 0) as fn(&mut ProductParameters),
        |parameters| parameters.returned_rows = 0,
        |parameters| {
            parameters.pattern = PatternPolicy::ActiveRowsAndColumns;
            parameters.uploaded_rows = 0;
        },
        |parameters| {
            parameters.pattern = PatternPolicy::ActiveRowsAndColumns;
            parameters.returned_rows = 0;
        },
    ] {
        assert!(refused(change).is_some());
    }
}

#[test]
fn only_who_has_met_may_close() {
    let (rating, social) = stocks::offline(&world(), disk(), disk());
    let (mut closing, mut closed) = (RatingClose::new(rating), SocialClose::new(social));
    let refused = closing.poll_send().err();
    assert!(
        matches!(refused, Some(SpmmError::Unfinished { .. })),
        "{refused:?}"
    );
    // Nor does P1 note it, whoever asks.
    let asked = Frame {
        step: Step::Cursor,
        sequence: 0,
        payload: vec![0; 32],
    };
    let refused = closed.receive(asked).err();
    assert!(
        matches!(refused, Some(SpmmError::Unfinished { .. })),
        "{refused:?}"
    );
}

#[test]
fn no_round_beyond_those_agreed_is_answered() {
    let world = World::new(&Shape::new(3, 2, vec![(0, 1)]), 1);
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"rounds");
    let rating = he::RatingKeys::generate(&world.parameters, &seed).unwrap();
    let mut sending = he::RatingKeySetup::new(&rating).unwrap();
    let mut taking = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    pair::run(&mut sending, &mut taking, &mut pair::Honest).unwrap();
    let keys = Arc::new(taking.into_keys().unwrap());
    assert!(
        he::SocialRound::new(
            &keys,
            &world.operand,
            world.parameters.rounds - 1,
            Uncounted,
            &space()
        )
        .is_ok()
    );
    let error = he::SocialRound::new(
        &keys,
        &world.operand,
        world.parameters.rounds,
        Uncounted,
        &space(),
    )
    .err();
    assert!(
        matches!(error, Some(SpmmError::OutOfRange { .. })),
        "{error:?}"
    );
}

/// Columns may be given to the first message before the parties meet, once.
#[test]
fn the_first_message_takes_the_first_columns_and_only_those() {
    let world = world();
    let terms = stocks::terms(&world, &world.operand);
    let pattern = Arc::clone(&world.pattern);
    let mut unsealed = RatingStock::create(disk(), terms, pattern).unwrap();
    unsealed.reserve_first(&world.factors[0]).unwrap();
    assert_eq!(unsealed.cursor(), 0);
    let (mut rating, social) = stocks::offline(&world, disk(), disk());
    rating.reserve_first(&world.factors[0]).unwrap();
    rating.reserve_first(&world.factors[1]).unwrap();
    assert_eq!(rating.cursor(), 1);
    let (_, (rating, social)) = open(&world, 0, stocks::meet(rating, social));
    assert_eq!(
        (rating.cursor(), social.cursor(), social.openings()),
        (1, 1, 1)
    );
}

/// Whoever makes an interrupted message again byte for byte burns nothing for it.
#[test]
fn kept_inputs_burn_no_columns() {
    let world = world();
    for (kept, next) in [(true, 2), (false, 3)] {
        let (rating_disk, social_disk) = (disk(), disk());
        let (rating, social) = stocks::offline(&world, rating_disk.clone(), social_disk.clone());
        let (_, stocks_after) = open(&world, 0, stocks::meet(rating, social));
        let (_, (rating, social)) = open(&world, 1, stocks_after);
        drop((rating, social));
        // Both start again in the middle of the session.
        let rating = RatingStock::open(rating_disk, Arc::clone(&world.pattern)).unwrap();
        let operand = Arc::clone(&world.operand);
        let social = SocialStock::open(social_disk, &world.pattern, operand).unwrap();
        let calling = if kept {
            RatingSession::with_kept_inputs(rating)
        } else {
            RatingSession::new(rating)
        };
        let mut calling = calling.unwrap();
        let mut called = SocialSession::new(social).unwrap();
        pair::run(&mut calling, &mut called, &mut Honest).unwrap();
        let rating = calling.into_stock().unwrap();
        let opening = RatingOpening::new(rating, &world.factors[2]).unwrap();
        assert_eq!(opening.round(), next);
    }
}

/// A round of `he` answers the one operand and number of rows it was agreed for.
#[test]
fn a_round_is_for_parameters_that_the_operand_was_made_for() {
    let world = World::new(&Shape::new(7, 3, vec![(0, 1)]), 21);
    let other = World::new(&Shape::new(8, 3, vec![(0, 1)]), 21);
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"refusals");
    let rating = he::RatingKeys::generate(&world.parameters, &seed).unwrap();
    let mut sending = he::RatingKeySetup::new(&rating).unwrap();
    let mut taking = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    pair::run(&mut sending, &mut taking, &mut Honest).unwrap();
    let keys = Arc::new(taking.into_keys().unwrap());
    let refused = he::SocialRound::new(&keys, &other.operand, 0, Uncounted, &space()).err();
    assert!(matches!(refused, Some(SpmmError::Shape { .. })));
}

fn sent(endpoint: &mut dyn Endpoint) -> Vec<Vec<u8>> {
    frames(endpoint)
        .into_iter()
        .map(|frame| frame.payload)
        .collect()
}

/// Unrelated bytes agree in one of 256 places.
fn unrelated(a: &[u8], b: &[u8]) -> bool {
    assert_eq!(a.len(), b.len());
    let equal = std::iter::zip(a, b).filter(|(a, b)| a == b).count();
    equal < a.len() / 64 + 16
}

/// The same inputs again: keys, masks, errors and what P1 hides its answer with come from the
/// system, anew for every job, upload and query.
#[test]
fn whatever_is_drawn_is_drawn_anew() {
    let world = World::new(&Shape::new(40, 3, vec![(0, 1), (5, 9)]), 21);
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"anew");
    let rating = || Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let (ours, others) = (rating(), rating());
    let announced = |keys| sent(&mut he::RatingKeySetup::new(keys).unwrap()).concat();
    assert!(unrelated(&announced(&ours), &announced(&others)));

    // Two uploads of the same factors under one key.
    let upload = || he::RatingRound::new(&ours, &world.pattern, &world.factors[0]).unwrap();
    let (mut first, mut second) = (upload(), upload());
    let (first, second) = (frames(&mut first), frames(&mut second));
    for (first, second) in std::iter::zip(&first, &second) {
        assert!(
            unrelated(&first.payload, &second.payload),
            "{:?}",
            first.step
        );
    }

    // The same upload at two of P1's sessions that nothing else tells apart.
    let answer = || {
        let mut sending = he::RatingKeySetup::new(&ours).unwrap();
        let mut taking = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
        pair::run(&mut sending, &mut taking, &mut Honest).unwrap();
        let keys = Arc::new(taking.into_keys().unwrap());
        let mut round =
            he::SocialRound::new(&keys, &world.operand, 0, Uncounted, &space()).unwrap();
        for frame in &first {
            round.receive(frame.clone()).unwrap();
        }
        sent(&mut round).concat()
    };
    assert!(unrelated(&answer(), &answer()));

    // P1's queries for the same rows.
    let shape = Shape {
        operator: OperatorKind::OutAverage,
        protocol: Protocol::HePir,
        ..Shape::new(40, 3, vec![(0, 1), (5, 9)])
    };
    let world = World::new(&shape, 21);
    let ask = || {
        let queries = s3rec_spmm::fetch::SocialQueries::new(&world.parameters, &world.operand);
        sent(&mut queries.unwrap()).concat()
    };
    assert!(unrelated(&ask(), &ask()));
}

/// What P0 may see of Y names it, and says nothing to whoever lacks the salt.
#[test]
fn a_commitment_is_to_every_link_under_the_salt() {
    let commitment = |links: &[(u32, u32)], policy, salt| {
        let shape = Shape {
            policy,
            ..Shape::new(9, 3, links.to_vec())
        };
        let world = World::with_bounds(&shape, (16, 64), salt);
        world.operand.commitment()
    };
    let links: &[(u32, u32)] = &[(0, 1), (1, 2), (5, 6)];
    let nothing = PatternPolicy::Nothing;
    let all = [
        commitment(links, nothing, 1),
        commitment(links, nothing, 2),
        commitment(&links[..2], nothing, 1),
        commitment(&[(0, 1), (1, 2), (5, 7)], nothing, 1),
        commitment(&[(0, 1), (1, 2), (5, 6), (6, 5)], nothing, 1),
        commitment(&[], nothing, 1),
        commitment(links, PatternPolicy::ActiveRows, 1),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(all[index + 1..].iter().all(|other| other != one), "{index}");
    }
    assert_eq!(all[0], commitment(links, nothing, 1));
}
