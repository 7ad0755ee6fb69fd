//! What crosses the link depends on public numbers only, and is what the cost model predicts.

use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World, space};
use s3rec_spmm::fetch::{RatingQueries, SocialQueries};
use s3rec_spmm::pair::{self, Honest, Side, Transcript};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingOpening, RatingStock, SocialBlock, SocialOpening, SocialStock,
};
use s3rec_spmm::{
    Exchange, OperatorKind, PatternPolicy, Protocol, ReleasePolicy, Step, Uncounted, cost, he,
};

/// What crossed before the first round, and in each round.
#[derive(Debug, PartialEq)]
struct Job {
    offline: Transcript,
    rounds: Vec<Transcript>,
}

fn join(into: &mut Transcript, next: Transcript) {
    into.frames.extend(next.frames);
}

/// P1's queries, where the protocol has them.
fn queries(world: &World, offline: &mut Transcript) -> Option<stocks::Fetches> {
    world.parameters.protocol.fetches_privately().then(|| {
        let mut receiving = RatingQueries::new(&world.parameters).unwrap();
        let mut asking = SocialQueries::new(&world.parameters, &world.operand).unwrap();
        join(
            offline,
            pair::run(&mut receiving, &mut asking, &mut Honest).unwrap(),
        );
        (
            Arc::new(receiving.into_fetch(64 << 20).unwrap()),
            Arc::new(asking.into_fetch().unwrap()),
        )
    })
}

fn one_shot(world: &World) -> Job {
    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"transcript");
    let rating_keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
    let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
    let mut offline = Transcript::default();
    let fetches = queries(world, &mut offline);
    let keys = pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    join(&mut offline, keys);
    let social_keys = Arc::new(receiving.into_keys().unwrap());
    let round = |(index, factors)| {
        let mut rating = he::RatingRound::new(&rating_keys, &world.pattern, factors).unwrap();
        let mut social =
            he::SocialRound::new(&social_keys, &world.operand, index, Uncounted, &space()).unwrap();
        if let Some((rating_fetch, social_fetch)) = &fetches {
            (rating, social) = (
                rating.with_fetch(rating_fetch),
                social.with_fetch(social_fetch),
            );
        }
        pair::run(&mut rating, &mut social, &mut Honest).unwrap()
    };
    let rounds = (0u32..).zip(&world.factors).map(round).collect();
    Job { offline, rounds }
}

fn preprocessed(world: &World) -> Job {
    let terms = stocks::terms(world, &world.operand);
    let disk = || Arc::new(MemoryStorage::default());
    let mut rating =
        RatingStock::create(disk(), terms.clone(), Arc::clone(&world.pattern)).unwrap();
    let mut social =
        SocialStock::create(disk(), terms, &world.pattern, Arc::clone(&world.operand)).unwrap();
    let (mut announcing, mut receiving) =
        (rating.key_setup().unwrap(), social.key_setup().unwrap());
    let mut offline = Transcript::default();
    let fetches = queries(world, &mut offline);
    let keys = pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    join(&mut offline, keys);
    social.accept_key(receiving).unwrap();
    for _ in 0..world.parameters.layout().unwrap().blocks {
        let mut uploading = RatingBlock::new(rating).unwrap();
        let mut answering = SocialBlock::new(social, 8 << 20).unwrap();
        if let Some((rating_fetch, social_fetch)) = &fetches {
            (uploading, answering) = (
                uploading.with_fetch(rating_fetch),
                answering.with_fetch(social_fetch),
            );
        }
        join(
            &mut offline,
            pair::run(&mut uploading, &mut answering, &mut Honest).unwrap(),
        );
        (rating, social) = (
            uploading.into_stock().unwrap(),
            answering.into_stock().unwrap(),
        );
    }
    (rating, social) = stocks::meet(rating, social);
    let mut rounds = Vec::new();
    for factors in &world.factors {
        let mut sending = RatingOpening::new(rating, factors).unwrap();
        let mut answering = SocialOpening::new(social, Uncounted).unwrap();
        rounds.push(pair::run(&mut sending, &mut answering, &mut Honest).unwrap());
        (rating, social) = (sending.into_product().unwrap().1, answering.into_stock());
    }
    Job { offline, rounds }
}

fn run(world: &World) -> Job {
    if world.parameters.protocol.is_preprocessed() {
        preprocessed(world)
    } else {
        one_shot(world)
    }
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol::He,
    Protocol::HePir,
    Protocol::Preprocessed,
    Protocol::PreprocessedPir,
];

fn operator(protocol: Protocol) -> OperatorKind {
    if protocol.fetches_privately() {
        OperatorKind::OutAverage
    } else {
        OperatorKind::Laplacian
    }
}

#[test]
fn predicted_bytes_are_the_counted_ones() {
    for protocol in PROTOCOLS {
        for policy in [PatternPolicy::Nothing, PatternPolicy::ActiveRows] {
            for (users, columns) in [(40, 10), (131, 1), (700, 3)] {
                let links = vec![(0, 1), (5, 2), (2, 30)];
                let operator = operator(protocol);
                let shape = Shape {
                    protocol,
                    policy,
                    operator,
                    ..Shape::new(users, columns, links)
                };
                let world = World::new(&shape, 1);
                let estimate = cost::predict(&world.parameters).unwrap();
                let job = run(&world);
                let counted = |transcript: &Transcript| {
                    (
                        transcript.bytes_from(Side::Rating),
                        transcript.bytes_from(Side::Social),
                        transcript.frames.len() as u64,
                    )
                };
                let predicted = |cost: &cost::PhaseCost| {
                    (cost.bytes_to_social, cost.bytes_to_rating, cost.messages)
                };
                assert_eq!(
                    predicted(&estimate.offline),
                    counted(&job.offline),
                    "{protocol:?}"
                );
                for round in &job.rounds {
                    assert_eq!(predicted(&estimate.round), counted(round), "{protocol:?}");
                }
                check_schedule(&world, &job);
            }
        }
    }
}

/// The frames expected are those that crossed, each sender's in its order.
fn check_schedule(world: &World, job: &Job) {
    let sent = |to_social, frames: &[(Side, Step, usize)]| -> Vec<(Step, usize)> {
        let from = if to_social {
            Side::Rating
        } else {
            Side::Social
        };
        let sent = frames.iter().filter(|(side, ..)| *side == from);
        sent.map(|&(_, step, bytes)| (step, bytes)).collect()
    };
    let mut before: Vec<_> = job.offline.frames.clone();
    let mut rounds = job.rounds.iter();
    for (exchange, times) in Exchange::of_job(&world.parameters).unwrap() {
        if matches!(exchange, Exchange::Resume | Exchange::Close) {
            continue;
        }
        let scheduled = exchange.frames(&world.parameters).unwrap();
        for _ in 0..times {
            let is_round = exchange == Exchange::Opening
                || (exchange == Exchange::Upload && !world.parameters.protocol.is_preprocessed());
            let frames: Vec<_> = if is_round {
                rounds.next().unwrap().frames.clone()
            } else {
                before.drain(..scheduled.len()).collect()
            };
            for to_social in [true, false] {
                let expected = scheduled.iter().filter(|c| c.to_social == to_social);
                let expected: Vec<_> = expected.map(|c| (c.step, c.payload_bytes)).collect();
                assert_eq!(expected, sent(to_social, &frames), "{exchange:?}");
            }
        }
    }
    assert!(before.is_empty() && rounds.next().is_none());
}

/// A chain, a star and nobody, announced under one bound, for every protocol and release policy.
#[test]
fn patterns_under_one_bound_cannot_be_told_apart() {
    let users = 64;
    let chain: Vec<_> = (1..users).map(|user| (user - 1, user)).collect();
    let star: Vec<_> = (1..users).map(|user| (0, user)).collect();
    let releases = [
        ReleasePolicy::Exact,
        ReleasePolicy::Coarse { released_bits: 24 },
        ReleasePolicy::Noised {
            sigma: 0.5,
            row_norm_beta: 1.0,
            delta: 1e-6,
        },
    ];
    for protocol in PROTOCOLS {
        let operator = operator(protocol);
        let row_norm_bound = if protocol.fetches_privately() {
            1 << 14
        } else {
            256
        };
        for release in releases {
            if matches!(release, ReleasePolicy::Coarse { .. }) && !protocol.is_preprocessed() {
                continue;
            }
            let see = |links: &[(u32, u32)]| {
                let fetched_rows_bound = Some(users);
                let base = Shape::new(users, 5, links.to_vec());
                let shape = Shape {
                    protocol,
                    operator,
                    release,
                    fetched_rows_bound,
                    ..base
                };
                run(&World::with_bounds(&shape, (row_norm_bound, 512), 3))
            };
            let first = see(&chain);
            assert_eq!(first, see(&star), "{protocol:?}, {release:?}");
            assert_eq!(first, see(&[]), "{protocol:?}, {release:?}");
            assert!(first.rounds[0].frames.len() >= 3);
        }
    }
}
