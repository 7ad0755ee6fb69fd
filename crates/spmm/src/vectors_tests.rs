//! Known answers: digests of parameters, names of stocks, and every frame of every product.

use std::sync::Arc;

use s3rec_algebra::{PublicSeed, RealMatrix, RingMatrix, Seed};
use s3rec_sparse::{PublicPattern, SecretPattern, SocialMatrix, SocialOperator, declassify};
use s3rec_vectors::Vectors;

use crate::entropy::given;
use crate::fetch::{self, RatingFetch, RatingQueries, SocialFetch, SocialQueries};
use crate::noise_first::{self, guarantee::Mu};
use crate::pair::{self, Interceptor, Side};
use crate::preprocessed::{
    MemoryStorage, RatingBlock, RatingClose, RatingOpening, RatingSession, RatingStock,
    SocialBlock, SocialClose, SocialOpening, SocialSession, SocialStock, StockTerms,
};
use crate::{
    Endpoint, Frame, OperatorKind, PatternPolicy, ProductParameters, ProductRequest, Protocol,
    ReleasePolicy, SocialOperand, SpmmError, Step, Uncounted, WorkingSpace, choose_parameters, he,
};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
const USERS: u32 = 12;
const ALL: [Protocol; 4] = [
    Protocol::He,
    Protocol::HePir,
    Protocol::Preprocessed,
    Protocol::PreprocessedPir,
];

/// Writes down what crosses.
struct Frames<'a> {
    vectors: &'a mut Vectors,
    exchange: &'static str,
}

impl Interceptor for Frames<'_> {
    fn intercept(&mut self, from: Side, frame: Frame) -> Vec<Frame> {
        let side = match from {
            Side::Rating => "P0",
            Side::Social => "P1",
        };
        let (step, number) = (frame.step.name(), frame.step.number());
        let name = format!(
            "{} {side} {step} ({number}), {}",
            self.exchange, frame.sequence
        );
        self.vectors.bytes(&name, &frame.payload);
        vec![frame]
    }
}

impl Frames<'_> {
    fn run(
        &mut self,
        exchange: &'static str,
        rating: &mut dyn Endpoint,
        social: &mut dyn Endpoint,
    ) {
        self.exchange = exchange;
        pair::run(rating, social, self).unwrap();
    }
}

/// Both parties' inputs to a product of two columns and two rounds.
struct World {
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
    operand: Arc<SocialOperand>,
    factors: [RingMatrix; 2],
}

impl World {
    fn new(protocol: Protocol, release: ReleasePolicy) -> World {
        let links = [(0, 1), (1, 2), (5, 3), (7, 0), (11, 4)];
        let kind = match protocol.fetches_privately() {
            true => OperatorKind::OutAverage,
            false => OperatorKind::Laplacian,
        };
        let social = SocialMatrix::from_links(USERS as usize, links).unwrap();
        let operator = SocialOperator::build(kind, &social);
        let mut request = ProductRequest::new(protocol, kind, USERS, 2, 2);
        request.row_norm_bound = operator.row_norm_bound();
        request.nonzeros_bound = operator.nonzeros_bound();
        request.release = release;
        if protocol.fetches_privately() {
            request.fetched_rows_bound = fetch::rows_bound_of(&operator);
        }
        let parameters = choose_parameters(&request).unwrap();
        let pattern = declassify(&SecretPattern::of(&operator), parameters.pattern);
        let salt = Seed::from_bytes([0x5a; 32]);
        let operand = SocialOperand::new(&parameters, &pattern, &operator, &salt).unwrap();
        let factors = [0, 1].map(|round| {
            let values = (0..2 * USERS).map(|at| f64::from(at % 7 + round) / 4.0 - 0.75);
            let values = RealMatrix::from_vec(USERS as usize, 2, values.collect()).unwrap();
            parameters.fixed_point().unwrap().encode(&values).0
        });
        World {
            parameters,
            pattern: Arc::new(pattern),
            operand: Arc::new(operand),
            factors,
        }
    }

    fn terms(&self) -> StockTerms {
        StockTerms {
            stock_id: [7; 16],
            rating_party: [1; 32],
            social_party: [2; 32],
            users_digest: [3; 32],
            operator_commitment: self.operand.commitment(),
            key_seed: he::public_key_seed(&[4; 32], &[5; 32], &[7; 16]),
            parameters: self.parameters.clone(),
        }
    }

    fn queries(&self, frames: &mut Frames<'_>) -> Option<(Arc<RatingFetch>, Arc<SocialFetch>)> {
        self.parameters.protocol.fetches_privately().then(|| {
            let mut receiving = RatingQueries::new(&self.parameters).unwrap();
            let mut asking = SocialQueries::new(&self.parameters, &self.operand).unwrap();
            frames.run("queries", &mut receiving, &mut asking);
            let fetch = receiving.into_fetch(64 << 20).unwrap();
            (Arc::new(fetch), Arc::new(asking.into_fetch().unwrap()))
        })
    }

    fn one_shot(&self, frames: &mut Frames<'_>) {
        let seed = he::public_key_seed(&[1; 32], &[2; 32], b"vectors");
        let rating = Arc::new(he::RatingKeys::generate(&self.parameters, &seed).unwrap());
        let mut announcing = he::RatingKeySetup::new(&rating).unwrap();
        let mut receiving = he::SocialKeySetup::new(&self.parameters, &seed).unwrap();
        let fetches = self.queries(frames);
        frames.run("keys", &mut announcing, &mut receiving);
        let social = Arc::new(receiving.into_keys().unwrap());
        let space = WorkingSpace {
            memory_limit_bytes: 64 << 20,
            directory: std::env::temp_dir(),
        };
        for (round, factors) in (0..).zip(&self.factors) {
            let mut sending = he::RatingRound::new(&rating, &self.pattern, factors).unwrap();
            let answering = he::SocialRound::new(&social, &self.operand, round, Uncounted, &space);
            let mut answering = answering.unwrap();
            if let Some((rating_fetch, social_fetch)) = &fetches {
                sending = sending.with_fetch(rating_fetch);
                answering = answering.with_fetch(social_fetch);
            }
            frames.run("round", &mut sending, &mut answering);
        }
    }

    fn preprocessed(&self, frames: &mut Frames<'_>) {
        let disk = || Arc::new(MemoryStorage::default());
        let (terms, pattern) = (self.terms(), Arc::clone(&self.pattern));
        let mut rating = RatingStock::create(disk(), terms.clone(), pattern).unwrap();
        let operand = Arc::clone(&self.operand);
        let mut social = SocialStock::create(disk(), terms, &self.pattern, operand).unwrap();
        let mut announcing = rating.key_setup().unwrap();
        let mut receiving = social.key_setup().unwrap();
        let fetches = self.queries(frames);
        frames.run("keys", &mut announcing, &mut receiving);
        social.accept_key(receiving).unwrap();
        for _ in 0..self.parameters.layout().unwrap().blocks {
            let mut uploading = RatingBlock::new(rating).unwrap();
            let mut answering = SocialBlock::new(social, 64 << 20).unwrap();
            if let Some((rating_fetch, social_fetch)) = &fetches {
                uploading = uploading.with_fetch(rating_fetch);
                answering = answering.with_fetch(social_fetch);
            }
            frames.run("block", &mut uploading, &mut answering);
            rating = uploading.into_stock().unwrap();
            social = answering.into_stock().unwrap();
        }
        frames
            .vectors
            .bytes("identity", &rating.identity().unwrap());
        let mut calling = RatingSession::new(rating).unwrap();
        let mut called = SocialSession::new(social).unwrap();
        frames.run("resume", &mut calling, &mut called);
        rating = calling.into_stock().unwrap();
        social = called.into_stock().unwrap();
        for factors in &self.factors {
            let mut sending = RatingOpening::new(rating, factors).unwrap();
            let mut answering = SocialOpening::new(social, Uncounted).unwrap();
            frames.run("opening", &mut sending, &mut answering);
            rating = sending.into_product().unwrap().1;
            social = answering.into_stock();
        }
        let mut closing = RatingClose::new(rating);
        let mut closed = SocialClose::new(social);
        frames.run("close", &mut closing, &mut closed);
    }
}

fn noised() -> ReleasePolicy {
    ReleasePolicy::Noised {
        sigma: 0.5,
        row_norm_beta: 1.0,
        delta: 1e-6,
    }
}

#[test]
fn digests_of_parameters_are_the_known_ones() {
    let mut vectors = Vectors::new("digests of parameters and of a stock's terms");
    for protocol in ALL {
        vectors.group(protocol.name());
        let world = World::new(protocol, ReleasePolicy::Exact);
        vectors.bytes("exact", &world.parameters.digest());
        vectors.bytes(
            "noised",
            &World::new(protocol, noised()).parameters.digest(),
        );
        let mut shown = world.parameters.clone();
        shown.pattern = PatternPolicy::ActiveRows;
        vectors.bytes("active rows", &shown.digest());
        if protocol.is_preprocessed() {
            let terms = world.terms().digest(&world.pattern).unwrap();
            vectors.bytes("terms of a stock", &terms);
        }
    }
    vectors.check(format!("{FILES}/digests.txt"));
}

#[test]
fn frames_of_every_product_are_the_known_ones() {
    for protocol in ALL {
        for (release, name) in [(ReleasePolicy::Exact, "exact"), (noised(), "noised")] {
            let of = format!("frames of {}, {name}", protocol.name());
            let mut vectors = Vectors::new(&of);
            let mut frames = Frames {
                vectors: &mut vectors,
                exchange: "",
            };
            let world = World::new(protocol, release);
            given::seeds(|| match protocol.is_preprocessed() {
                true => world.preprocessed(&mut frames),
                false => world.one_shot(&mut frames),
            });
            vectors.check(format!("{FILES}/{}-{name}.txt", protocol.name()));
        }
    }
}

/// P1's record allows everything.
struct Allows;

impl noise_first::OpeningRecord for Allows {
    fn bind(&mut self, _: &noise_first::Opening) -> Result<(), SpmmError> {
        Ok(())
    }

    fn permit(&mut self, _: u64, _: &[u8; 32]) -> Result<(), SpmmError> {
        Ok(())
    }

    fn count(&mut self, _: u64) -> Result<(), SpmmError> {
        Ok(())
    }

    fn keep(&mut self, _: u64, _: &noise_first::Noised) -> Result<(), SpmmError> {
        Ok(())
    }
}

#[test]
fn frames_of_noise_first_are_the_known_ones() {
    use noise_first::{
        Friends, Opening, Rows, SessionSeeds, Sides, SocialSession, Split, Terms, Upload,
    };
    let mut vectors =
        Vectors::new("frames of noise-first: 60 users opened, 80 uploaded, 12 columns");
    let mut frames = Frames {
        vectors: &mut vectors,
        exchange: "",
    };
    let terms = Terms {
        sides: Sides::One,
        opened: 60,
        uploaded: 80,
        columns: 12,
        row_norm_bound: 1.0,
        degree_bound: 128,
        mu: Mu::new(1.0).unwrap(),
    };
    let parameters = noise_first::choose(terms).unwrap();
    let split = Split::one_sided(140, (0..60).collect()).unwrap();
    let friends = Friends::from_links(140, (0..140).map(|user| (user, user * 37 % 140))).unwrap();
    let seeds = SessionSeeds {
        rating: PublicSeed::from_bytes([2; 32]),
        social: PublicSeed::from_bytes([3; 32]),
    };
    let keys = noise_first::RatingKeys::generate(&parameters, &seeds, &Seed::from_bytes([4; 32]));
    let keys = Arc::new(keys.unwrap());
    let mut announcing = noise_first::RatingKeySetup::new(&keys).unwrap();
    let mut receiving = noise_first::SocialKeySetup::new(&parameters, &seeds).unwrap();
    frames.run("keys", &mut announcing, &mut receiving);
    let session = SocialSession {
        keys: Arc::new(receiving.into_keys().unwrap()),
        users_digest: [5; 32],
        split,
        key: Seed::from_bytes([6; 32]),
        makers: None,
    };
    let opening = Opening {
        number: 7,
        mask_seed: PublicSeed::from_bytes([8; 32]),
    };
    let job = keys.job(&[5; 32], &session.split, &opening).unwrap();
    frames.vectors.bytes("digest of the job", job.digest());
    let values = (0..80 * 12).map(|at| f64::from(at % 7) / 30.0 - 0.1);
    let rows = RealMatrix::from_vec(80, 12, values.collect()).unwrap();
    let rows = Rows::encode(&parameters, &rows).unwrap();
    let upload = Upload::encrypt(&keys, &job, &rows, &Seed::from_bytes([9; 32])).unwrap();
    let mut naming = noise_first::RatingPrepare::new(&parameters, &job).unwrap();
    let mut preparing = noise_first::SocialPrepare::new(session, &friends, Allows).unwrap();
    frames.run("prepare", &mut naming, &mut preparing);
    let masks = naming.into_masks().unwrap();
    let mut sending = noise_first::RatingAnswer::new(&keys, &upload, masks).unwrap();
    let prepared = preparing.into_prepared().unwrap();
    let mut answering = noise_first::SocialAnswer::new(prepared, Allows).unwrap();
    frames.run("answer", &mut sending, &mut answering);
    vectors.check(format!("{FILES}/noise-first.txt"));
}

/// The numbers of the steps are part of the wire.
#[test]
fn numbers_of_the_steps_are_the_known_ones() {
    let mut vectors = Vectors::new("numbers of the steps");
    for step in Step::ALL {
        vectors.text(step.name(), &step.number().to_string());
    }
    vectors.check(format!("{FILES}/steps.txt"));
}
