//! An offline phase that breaks off goes on where it was: the second connection carries the rest
//! and no more, whatever leaves twice is the same bytes, and both sides end with the stock that
//! they would have made undisturbed. What cannot be gone on with is begun again or refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World};
use s3rec_spmm::pair::{self, Honest, Interceptor, PairError, Side};
use s3rec_spmm::preprocessed::{
    Bulk, MemoryStorage, RatingBlock, RatingContinuation, RatingOpening, RatingStock, SocialBlock,
    SocialContinuation, SocialOpening, SocialStock, StockPlace, StockStorage, VoidReason,
};
use s3rec_spmm::{Frame, OperatorKind, PatternPolicy, Protocol, SpmmError, Step, Uncounted, cost};

const MEMORY_LIMIT_BYTES: usize = 32 << 20;

/// Two blocks of several frames each way.
fn world() -> World {
    let links = (0..250).map(|user| (user, (user * 7 + 1) % 250)).collect();
    World::new(
        &Shape {
            rounds: 8,
            protocol: Protocol::Preprocessed,
            ..Shape::new(250, 512, links)
        },
        5,
    )
}

/// Both disks; a copy is a state that can be gone on with more than once.
struct Disks {
    rating: MemoryStorage,
    social: MemoryStorage,
}

impl Disks {
    /// After P0's key has crossed.
    fn keyed(world: &World) -> Disks {
        let disks = Disks {
            rating: MemoryStorage::default(),
            social: MemoryStorage::default(),
        };
        let terms = stocks::terms(world, &world.operand);
        let pattern = Arc::clone(&world.pattern);
        let place = Arc::new(disks.rating.clone());
        let rating = RatingStock::create(place, terms.clone(), pattern).unwrap();
        let (place, operand) = (Arc::new(disks.social.clone()), Arc::clone(&world.operand));
        let mut social = SocialStock::create(place, terms, &world.pattern, operand).unwrap();
        let mut announcing = rating.key_setup().unwrap();
        let mut receiving = social.key_setup().unwrap();
        pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
        social.accept_key(receiving).unwrap();
        disks
    }

    fn copy(&self) -> Disks {
        Disks {
            rating: self.rating.snapshot(),
            social: self.social.snapshot(),
        }
    }

    fn rating(&self, world: &World) -> RatingStock {
        let place = Arc::new(self.rating.clone());
        RatingStock::take_up(place, Arc::clone(&world.pattern)).unwrap()
    }

    fn social(&self, world: &World) -> SocialStock {
        let (place, operand) = (Arc::new(self.social.clone()), Arc::clone(&world.operand));
        SocialStock::take_up(place, &world.pattern, operand).unwrap()
    }

    /// Both sides' shares of the whole stock.
    fn shares(&self, world: &World) -> [Vec<u8>; 2] {
        let bytes = cost::footprint(&world.parameters, 0)
            .unwrap()
            .rating_disk_bytes;
        [&self.rating, &self.social].map(|disk| {
            let mut shares = vec![0; usize::try_from(bytes).unwrap()];
            disk.read_at(Bulk::Shares, 0, &mut shares).unwrap();
            shares
        })
    }
}

/// A connection that carries so many frames, then none. What is handed to it is kept: the same part of
/// a block is the same bytes whenever it leaves.
struct Connection {
    left: usize,
    block: u32,
    place: StockPlace,
    sent: BTreeMap<(u32, Step), u32>,
    sent_bytes: u64,
}

type Content = BTreeMap<(u32, Step, u32), [u8; 32]>;

struct Watched<'a>(&'a mut Connection, &'a mut Content);

impl Interceptor for Watched<'_> {
    fn intercept(&mut self, _: Side, frame: Frame) -> Vec<Frame> {
        let Watched(connection, content) = self;
        let before = match frame.step {
            Step::Bodies => connection.place.bodies,
            Step::Responses => connection.place.responses,
            _ => 0,
        };
        let sent = connection
            .sent
            .entry((connection.block, frame.step))
            .or_insert(before);
        let name = (connection.block, frame.step, *sent);
        *sent += 1;
        let is = *blake3::hash(&frame.payload).as_bytes();
        assert_eq!(
            *content.entry(name).or_insert(is),
            is,
            "{name:?} left twice"
        );
        if connection.left == 0 {
            return Vec::new();
        }
        connection.left -= 1;
        connection.sent_bytes += frame.payload.len() as u64;
        vec![frame]
    }
}

/// Both sides find where they are.
fn meet(world: &World, disks: &Disks) -> (RatingStock, Option<(SocialStock, StockPlace)>) {
    let mut asking = RatingContinuation::new(disks.rating(world)).unwrap();
    let mut answering = SocialContinuation::new(Some(disks.social(world)));
    pair::run(&mut asking, &mut answering, &mut Honest).unwrap();
    let ((rating, place), met) = (
        asking.into_stock().unwrap(),
        answering.into_stock().unwrap(),
    );
    assert_eq!(place, met.as_ref().map(|(_, place)| *place));
    (rating, met)
}

/// One connection that carries `frames` frames of blocks: the bytes it carried, and whether the
/// stock is whole.
fn attempt(world: &World, disks: &Disks, content: &mut Content, frames: usize) -> (u64, bool) {
    let (mut rating, met) = meet(world, disks);
    let (mut social, place) = met.unwrap();
    let blocks = world.parameters.layout().unwrap().blocks;
    let mut connection = Connection {
        left: frames,
        block: place.block,
        place,
        sent: BTreeMap::new(),
        sent_bytes: 0,
    };
    while connection.block < blocks {
        let (mut sending, mut answering) = if connection.block == place.block {
            (
                RatingBlock::going_on(rating, &place).unwrap(),
                SocialBlock::going_on(social, &place, MEMORY_LIMIT_BYTES).unwrap(),
            )
        } else {
            connection.place.bodies = 0;
            connection.place.responses = 0;
            (
                RatingBlock::new(rating).unwrap(),
                SocialBlock::new(social, MEMORY_LIMIT_BYTES).unwrap(),
            )
        };
        let mut watched = Watched(&mut connection, content);
        match pair::run(&mut sending, &mut answering, &mut watched) {
            Err(PairError::Stalled { .. }) => return (connection.sent_bytes, false),
            done => drop(done.unwrap()),
        }
        rating = sending.into_stock().unwrap();
        social = answering.into_stock().unwrap();
        connection.block += 1;
    }
    assert_eq!(rating.identity(), social.identity());
    assert!(rating.identity().is_some());
    (connection.sent_bytes, true)
}

#[test]
fn the_second_connection_carries_the_rest_and_the_stock_is_the_same() {
    let world = world();
    let keyed = Disks::keyed(&world);
    let undisturbed = keyed.copy();
    let mut content = Content::new();
    let (whole, is_whole) = attempt(&world, &undisturbed, &mut content, usize::MAX);
    assert!(is_whole);
    let shares = undisturbed.shares(&world);
    let identity = undisturbed.rating(&world).identity();
    let frames = content.len();
    assert!(frames >= 16, "{frames} frames");
    let seed_bytes = 32;
    for cut in (0..frames).step_by(3) {
        let disks = keyed.copy();
        let (first, is_whole) = attempt(&world, &disks, &mut content, cut);
        assert!(!is_whole, "{cut} of {frames}");
        let (_, met) = meet(&world, &disks);
        let (_, place) = met.unwrap();
        let key = StockPlace {
            block: 0,
            bodies: 0,
            responses: 0,
        };
        let key = key.held_bytes(&world.parameters).unwrap();
        let held = place.held_bytes(&world.parameters).unwrap() - key;
        // All that arrived is held: of a block under way all but its seed, which crosses again.
        let again = if held == first { 0 } else { seed_bytes };
        assert_eq!(first - again, held, "cut behind {cut} of {frames} frames");
        let (second, is_whole) = attempt(&world, &disks, &mut content, usize::MAX);
        assert!(is_whole);
        assert_eq!(second, whole - held, "cut behind {cut} of {frames} frames");
        assert_eq!(disks.rating(&world).identity(), identity);
        assert!(
            disks.shares(&world) == shares,
            "cut behind {cut} of {frames}"
        );
    }
    // Broken off at every frame, one after the other.
    let disks = keyed.copy();
    let mut attempts = 1;
    while !attempt(&world, &disks, &mut content, 2).1 {
        attempts += 1;
        assert!(attempts <= frames + 1, "it does not get on");
    }
    assert!(disks.shares(&world) == shares);
    let (rating, social) = stocks::meet(disks.rating(&world), disks.social(&world));
    let mut asking = RatingOpening::new(rating, &world.factors[0]).unwrap();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    pair::run(&mut asking, &mut answering, &mut Honest).unwrap();
    let (opened, _) = asking.into_product().unwrap();
    assert!(opened == world.expected(0));
    // Who has opened something is not making it.
    let mut asking = RatingContinuation::new(keyed.rating(&world)).unwrap();
    let mut answering = SocialContinuation::new(Some(disks.social(&world)));
    let refused = pair::run(&mut asking, &mut answering, &mut Honest).unwrap_err();
    let PairError::Failed { side, error } = refused else {
        panic!("{refused}");
    };
    assert_eq!(side, Side::Social);
    let restored = VoidReason::Restored;
    assert!(
        matches!(error, SpmmError::Void { reason } if reason == restored),
        "{error}"
    );
}

/// Changes the frames of one step.
struct Changed<F>(Step, F);

impl<F: FnMut(&mut Vec<u8>)> Interceptor for Changed<F> {
    fn intercept(&mut self, _: Side, mut frame: Frame) -> Vec<Frame> {
        if frame.step == self.0 {
            (self.1)(&mut frame.payload);
        }
        vec![frame]
    }
}

#[test]
fn another_place_than_the_stocks_begins_again_and_a_lie_about_it_is_refused() {
    let world = world();
    let keyed = Disks::keyed(&world);
    let disks = keyed.copy();
    let mut content = Content::new();
    assert!(!attempt(&world, &disks, &mut content, 3).1);
    let (_, met) = meet(&world, &disks);
    assert_eq!(met.unwrap().1.bodies, 2);

    // P1 has nothing.
    let mut asking = RatingContinuation::new(disks.rating(&world)).unwrap();
    let mut answering = SocialContinuation::new(None);
    pair::run(&mut asking, &mut answering, &mut Honest).unwrap();
    assert!(asking.into_stock().unwrap().1.is_none());

    // P0 says that it has responses, or is in another block, or has another stock.
    let lies: [fn(&mut Vec<u8>); 4] = [
        |offer| offer[36] = 1,
        |offer| offer[32] = 1,
        |offer| offer[0] ^= 1,
        |offer| offer[35] = 0xff,
    ];
    for lie in lies {
        let mut asking = RatingContinuation::new(disks.rating(&world)).unwrap();
        let mut answering = SocialContinuation::new(Some(disks.social(&world)));
        let mut changed = Changed(Step::Identity, lie);
        pair::run(&mut asking, &mut answering, &mut changed).unwrap();
        assert!(asking.into_stock().unwrap().1.is_none());
        assert!(answering.into_stock().unwrap().is_none());
    }
    // P1 says that it has more than there is, or nothing and something.
    let lies: [fn(&mut Vec<u8>); 3] = [
        |reply| reply[4] = 1,
        |reply| reply[0] = 0,
        |reply| reply[0] = 2,
    ];
    for lie in lies {
        let mut asking = RatingContinuation::new(disks.rating(&world)).unwrap();
        let mut answering = SocialContinuation::new(Some(disks.social(&world)));
        let mut changed = Changed(Step::Cursor, lie);
        let refused = pair::run(&mut asking, &mut answering, &mut changed).unwrap_err();
        assert!(
            matches!(
                refused,
                PairError::Failed {
                    side: Side::Rating,
                    error: SpmmError::Malformed { step: Step::Cursor }
                }
            ),
            "{refused}"
        );
    }
    // The upload goes on under another seed than it began with.
    let (rating, met) = meet(&world, &disks);
    let (social, place) = met.unwrap();
    let mut sending = RatingBlock::going_on(rating, &place).unwrap();
    let mut answering = SocialBlock::going_on(social, &place, MEMORY_LIMIT_BYTES).unwrap();
    let mut changed = Changed(Step::MaskSeed, |seed: &mut Vec<u8>| seed[0] ^= 1);
    let refused = pair::run(&mut sending, &mut answering, &mut changed).unwrap_err();
    assert!(
        matches!(
            refused,
            PairError::Failed {
                side: Side::Social,
                error: SpmmError::OtherStock
            }
        ),
        "{refused}"
    );
    // Nobody goes on at a place that is not the stock's.
    let elsewhere = StockPlace {
        responses: 1,
        ..place
    };
    assert!(RatingBlock::going_on(disks.rating(&world), &elsewhere).is_err());
    let elsewhere = StockPlace { block: 1, ..place };
    let refused = SocialBlock::going_on(disks.social(&world), &elsewhere, MEMORY_LIMIT_BYTES);
    assert!(matches!(refused.err(), Some(SpmmError::OutOfRange { .. })));
}

/// A record of version 0.1 ends before the frames of a block under way.
#[test]
fn a_stock_of_the_version_before_is_gone_on_with() {
    let world = world();
    let disks = Disks::keyed(&world);
    for disk in [&disks.rating, &disks.social] {
        let record = disk.load().unwrap().unwrap();
        let (first, rest) = record.split_first().unwrap();
        let (last, rest) = rest.split_last().unwrap();
        assert_eq!((*first, *last), (3, 0));
        disk.save(&[&[2], rest].concat()).unwrap();
    }
    let (_, met) = meet(&world, &disks);
    let (_, place) = met.unwrap();
    assert_eq!((place.block, place.bodies, place.responses), (0, 0, 0));
}

/// P1's queries are not kept, so there is nothing to go on with.
#[test]
fn where_rows_are_fetched_an_unfinished_stock_begins_again() {
    let shape = Shape {
        protocol: Protocol::PreprocessedPir,
        operator: OperatorKind::OutAverage,
        policy: PatternPolicy::Nothing,
        ..Shape::new(12, 3, vec![(0, 1), (1, 2)])
    };
    let world = World::new(&shape, 3);
    let disks = Disks::keyed(&world);
    let refused = RatingContinuation::new(disks.rating(&world)).err();
    assert!(
        matches!(refused, Some(SpmmError::Unsupported { .. })),
        "{refused:?}"
    );
}
