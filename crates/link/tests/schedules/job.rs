//! A job at both platforms, as the daemons run it: what is on disk when, what each attempt begins
//! from, who counts what.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use s3rec_algebra::Seed;
use s3rec_job::{Advance, CommonUsers, JointTraining, TrainingState};
use s3rec_model::{LaplacianObjective, Solver, SolverKind, SolverSettings, solver};
use s3rec_sparse::{
    Disclosure, OperatorKind, PublicPattern, RatingMatrix, SecretPattern, SocialMatrix,
    SocialOperator, declassify,
};
use s3rec_spmm::he::public_key_seed;
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingClose, RatingOpening, RatingSession, RatingStock,
    SocialBlock, SocialClose, SocialOpening, SocialSession, SocialStock, StockStorage,
    StockSummary, StockTerms,
};
use s3rec_spmm::{
    Admission, Asked, ProductParameters, ProductRequest, Protocol, SocialOperand, SpmmError,
    choose_parameters,
};
use s3rec_testkit::datasets::Dataset;

use crate::network::{Network, Stop, of};
use crate::transcript::Transcript;
use crate::weather::{Life, Messages, Misfortune, MortalDisk, Side, Weather};

const RANK: usize = 2;
const ROUNDS: u32 = 5;
/// Attempts without getting on after which a side gives the other up.
const GIVES_UP_AFTER: u32 = 10;

/// FilmTrust at both platforms, and what they agreed on.
pub(crate) struct World {
    train: Arc<RatingMatrix>,
    scale: (f64, f64),
    common: Vec<u32>,
    users: usize,
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
    operand: Arc<SocialOperand>,
}

impl World {
    pub(crate) fn filmtrust() -> Option<Self> {
        if !Dataset::FilmTrust.is_available() {
            return None;
        }
        let (ratings, links) = Dataset::FilmTrust.read().unwrap();
        let users = ratings.users.len();
        let linked: BTreeSet<&str> = links.users.names().collect();
        let names = ratings.users.names().zip(0u32..);
        let common: Vec<(&str, u32)> = names.filter(|(name, _)| linked.contains(name)).collect();
        let place: std::collections::BTreeMap<&str, u32> =
            common.iter().map(|(name, _)| *name).zip(0u32..).collect();
        let at = |user: u32| place.get(links.users.name(user)?).copied();
        let among = links.links.iter();
        let among = among.filter_map(|(from, to)| Some((at(*from)?, at(*to)?)));
        let social = SocialMatrix::from_links(common.len(), among).unwrap();
        let kind = OperatorKind::NormalizedLaplacian;
        let operator = SocialOperator::build(kind, &social);
        let pattern = declassify(&SecretPattern::of(&operator), Disclosure::Nothing);
        let protocol = Protocol::Preprocessed;
        let m = u32::try_from(common.len()).unwrap();
        let columns = u32::try_from(RANK).unwrap();
        let mut request = ProductRequest::new(protocol, kind, m, columns, ROUNDS);
        request.row_norm_bound = operator.row_norm_bound();
        request.nonzeros_bound = operator.nonzeros_bound();
        request.guard_bits = 2;
        let parameters = choose_parameters(&request).unwrap();
        let salt = Seed::from_bytes([7; 32]);
        let operand = SocialOperand::new(&parameters, &pattern, &operator, &salt).unwrap();
        let items = ratings.items.len();
        Some(Self {
            train: Arc::new(RatingMatrix::from_ratings(users, items, &ratings.ratings).unwrap()),
            scale: (0.5, 4.0),
            common: common.into_iter().map(|(_, row)| row).collect(),
            users,
            parameters,
            pattern: Arc::new(pattern),
            operand: Arc::new(operand),
        })
    }

    fn training(&self) -> JointTraining {
        let settings = SolverSettings {
            solver: SolverKind::Als,
            rank: RANK,
            openings: ROUNDS,
            warm_sweeps: 1,
            sweeps_per_opening: 1,
            ..SolverSettings::default()
        };
        let objective = Some(Arc::new(LaplacianObjective::normalized()) as Arc<_>);
        let solver: Box<dyn Solver> =
            solver(Arc::clone(&self.train), self.scale, &settings, objective).unwrap();
        let common = CommonUsers::new(self.common.clone(), self.users).unwrap();
        let fixed = self.parameters.fixed_point().unwrap();
        JointTraining::new(solver, common, fixed, self.parameters.weight_bits())
    }
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The bits of the model.
    Finished(Vec<u64>),
    /// Why, in the words of each side.
    Named { rating: String, social: String },
}

impl End {
    pub(crate) fn name(&self) -> String {
        match self {
            End::Finished(_) => "finished".into(),
            End::Named { rating, .. } => rating.clone(),
        }
    }
}

/// P1's ledger, on a disk that may die.
struct Counting {
    life: Life,
    /// The opening that P1 knows to be due before it reads anything.
    due: u32,
    counted: Arc<AtomicU32>,
}

impl Admission for Counting {
    fn named(&mut self, round: u32) -> Result<(), SpmmError> {
        assert_eq!(round + 1, self.due);
        Ok(())
    }

    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        assert_eq!(asked.number, self.due);
        Ok(())
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        Ok(self.life.spend(|| {
            self.counted.store(asked.number, Ordering::Relaxed);
            Ok(())
        })?)
    }
}

/// P0's disk beside the stock: the training before the next opening, and what is agreed.
type Kept = (TrainingState, u32, bool);

/// Both platforms' disks, and what left them.
pub(crate) struct Job<'w> {
    world: &'w World,
    transcript: Transcript,
    rating_disk: MemoryStorage,
    kept: Option<Vec<u8>>,
    social_disk: MemoryStorage,
    /// P1's ledger, on disk.
    counted: u32,
    /// P0's ledger, on disk.
    seen: u32,
    is_finished: bool,
    stocks: u8,
}

impl<'w> Job<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            transcript: Transcript::default(),
            rating_disk: MemoryStorage::default(),
            kept: None,
            social_disk: MemoryStorage::default(),
            counted: 0,
            seen: 0,
            is_finished: false,
            stocks: 0,
        }
    }

    pub(crate) fn run(&mut self, weather: &mut Weather) -> End {
        let mut waited = 0;
        loop {
            let before = (self.seen, self.counted, self.is_finished);
            match self.attempt(weather.next()) {
                Ok(model) => return End::Finished(model),
                Err(Stop::Refused(side, why)) => {
                    // The other side is told by Abort, or stops waiting.
                    let told = format!("the other platform ended the job: {why}");
                    let (rating, social) = match side {
                        Side::Rating => (why, told),
                        Side::Social => (told, why),
                    };
                    return End::Named { rating, social };
                }
                Err(Stop::Broken) => waited += 1,
                Err(Stop::Partitioned(attempts)) => waited += attempts,
            }
            if before != (self.seen, self.counted, self.is_finished) {
                waited = waited.min(1);
            }
            if waited > GIVES_UP_AFTER {
                let why = "the other platform stayed away".to_owned();
                return End::Named {
                    rating: why.clone(),
                    social: why,
                };
            }
        }
    }

    /// Each side counts an opening at most once, P0 none that P1 has not counted, and P1 every
    /// one of which anything left.
    pub(crate) fn check_ledgers(&self, what: &str) {
        assert!(
            self.seen == self.counted || self.seen + 1 == self.counted,
            "{what}"
        );
        assert!(
            self.transcript.answered() <= self.counted as usize,
            "{what}"
        );
        if self.is_finished {
            assert_eq!((self.seen, self.counted), (ROUNDS, ROUNDS), "{what}");
        }
    }

    fn attempt(&mut self, misfortune: Misfortune) -> Result<Vec<u64>, Stop> {
        let rating_life = Life::of(misfortune, Side::Rating);
        let social_life = Life::of(misfortune, Side::Social);
        let messages = Messages::default();
        let mut training = self.world.training();
        let kept: Option<Kept> = self
            .kept
            .as_deref()
            .map(|kept| postcard::from_bytes(kept).unwrap());
        let mut is_agreed = false;
        let stocks = match kept {
            None => {
                let stocks = self.make(misfortune, &messages, &rating_life, &social_life)?;
                let opening = advance(&mut training);
                self.keep(&rating_life, &training, false)?;
                Some((stocks, opening))
            }
            Some((state, seen, agreed)) => {
                training.resume(state).unwrap();
                (self.seen, is_agreed) = (seen, agreed);
                let opening = advance(&mut training);
                match self.is_finished || agreed {
                    true => None,
                    false => Some((self.reopen(&rating_life, &social_life)?, opening)),
                }
            }
        };
        if let Some(((mut rating, mut social), mut opening)) = stocks {
            if let Some(opening) = &opening {
                rating.reserve_first(opening).map_err(of(Side::Rating))?;
            }
            let mut meeting = RatingSession::with_kept_inputs(rating).map_err(of(Side::Rating))?;
            let mut met = SocialSession::new(social).map_err(of(Side::Social))?;
            self.network(misfortune, &messages)
                .exchange(&mut meeting, &mut met)?;
            rating = meeting.into_stock().map_err(of(Side::Rating))?;
            social = met.into_stock().map_err(of(Side::Social))?;
            self.counted = self.counted.max(social.openings());
            let mut may_repeat = true;
            while let Some(factors) = opening {
                let round = self.seen + 1;
                // P1 knows what is due before it reads anything.
                let is_due = round == self.counted + 1 || (may_repeat && round == self.counted);
                assert!(is_due, "round {round} after {} counted", self.counted);
                let mut sending = RatingOpening::new(rating, &factors).map_err(of(Side::Rating))?;
                let ledger = Counting {
                    life: social_life.clone(),
                    due: round,
                    counted: Arc::new(AtomicU32::new(self.counted)),
                };
                let counted = Arc::clone(&ledger.counted);
                let mut answering = SocialOpening::new(social, ledger).map_err(of(Side::Social))?;
                let exchanged = self
                    .network(misfortune, &messages)
                    .exchange(&mut sending, &mut answering);
                self.counted = counted.load(Ordering::Relaxed);
                exchanged?;
                social = answering.into_stock();
                assert_eq!((social.openings(), social.cursor()), (round, round));
                let product;
                (product, rating) = sending.into_product().map_err(of(Side::Rating))?;
                training.absorb(&product).unwrap();
                opening = advance(&mut training);
                self.seen = round;
                may_repeat = false;
                self.keep(&rating_life, &training, false).inspect_err(|_| {
                    // Memory that dies with the process; the disk says what was seen.
                    self.seen = self.kept_openings();
                })?;
            }
            let (mut closing, mut closed) = (RatingClose::new(rating), SocialClose::new(social));
            self.network(misfortune, &messages)
                .exchange(&mut closing, &mut closed)?;
            let (_, theirs) = closing.into_stock().map_err(of(Side::Rating))?;
            assert_eq!(theirs, self.seen);
        }
        if !is_agreed {
            self.finish(misfortune, &messages, &social_life)?;
            self.keep(&rating_life, &training, true)?;
        }
        let model = training.model();
        let values = model.users.values().iter().chain(model.items.values());
        Ok(values.map(|value| value.to_bits()).collect())
    }

    /// Finish: a call and its answer, either of which may be lost; asked again it is answered
    /// alike.
    fn finish(
        &mut self,
        misfortune: Misfortune,
        messages: &Messages,
        life: &Life,
    ) -> Result<(), Stop> {
        let is_lost = |now: u32| match misfortune {
            Misfortune::Crash { message, .. }
            | Misfortune::Partition { message, .. }
            | Misfortune::Drop { message } => message == now,
            _ => false,
        };
        if is_lost(messages.next()) {
            return Err(Stop::Broken);
        }
        assert_eq!(self.counted, self.seen, "both count the same openings");
        let finished = life.spend(|| {
            self.is_finished = true;
            Ok(())
        });
        finished.map_err(|_| Stop::Broken)?;
        match is_lost(messages.next()) {
            true => Err(Stop::Broken),
            false => Ok(()),
        }
    }

    fn network(&mut self, misfortune: Misfortune, messages: &Messages) -> Network<'_> {
        Network {
            transcript: &mut self.transcript,
            misfortune,
            messages: messages.clone(),
        }
    }

    fn kept_openings(&self) -> u32 {
        let kept = self.kept.as_deref();
        kept.map_or(0, |kept| postcard::from_bytes::<Kept>(kept).unwrap().1)
    }

    fn keep(&mut self, life: &Life, training: &JointTraining, agreed: bool) -> Result<(), Stop> {
        let kept: Kept = (training.state(), self.seen, agreed);
        let encoded = postcard::to_stdvec(&kept).unwrap();
        let saved = life.spend(|| {
            self.kept = Some(encoded);
            Ok(())
        });
        saved.map_err(|_| Stop::Broken)
    }

    /// From the beginning: whatever was unfinished is thrown away, and nothing was opened.
    fn make(
        &mut self,
        misfortune: Misfortune,
        messages: &Messages,
        rating_life: &Life,
        social_life: &Life,
    ) -> Result<(RatingStock, SocialStock), Stop> {
        let counted = self.social_disk.load().unwrap().map_or(0, |record| {
            let summary = StockSummary::read_social(&record).unwrap();
            summary.openings.unwrap_or(0)
        });
        assert_eq!(
            (self.counted, counted),
            (0, 0),
            "begun again after an opening"
        );
        self.rating_disk = MemoryStorage::default();
        self.social_disk = MemoryStorage::default();
        self.stocks += 1;
        let world = self.world;
        let terms = StockTerms {
            stock_id: [self.stocks; 16],
            rating_party: [1; 32],
            social_party: [2; 32],
            users_digest: [3; 32],
            operator_commitment: world.operand.commitment(),
            key_seed: public_key_seed(&[4; 32], &[5; 32], &[self.stocks]),
            parameters: world.parameters.clone(),
        };
        let (rating_disk, social_disk) = self.disks(rating_life, social_life);
        let pattern = Arc::clone(&world.pattern);
        let mut rating =
            RatingStock::create(rating_disk, terms.clone(), pattern).map_err(of(Side::Rating))?;
        let operand = Arc::clone(&world.operand);
        let mut social = SocialStock::create(social_disk, terms, &world.pattern, operand)
            .map_err(of(Side::Social))?;
        let mut announcing = rating.key_setup().map_err(of(Side::Rating))?;
        let mut receiving = social.key_setup().map_err(of(Side::Social))?;
        self.transcript.about(vec![self.stocks]);
        self.network(misfortune, messages)
            .exchange(&mut announcing, &mut receiving)?;
        social.accept_key(receiving).map_err(of(Side::Social))?;
        for block in 0..world.parameters.layout().unwrap().blocks {
            let mut sending = RatingBlock::new(rating).map_err(of(Side::Rating))?;
            let mut answering = SocialBlock::new(social, 64 << 20).map_err(of(Side::Social))?;
            let about = [&[self.stocks][..], &block.to_le_bytes()].concat();
            self.transcript.about(about);
            self.network(misfortune, messages)
                .exchange(&mut sending, &mut answering)?;
            rating = sending.into_stock().map_err(of(Side::Rating))?;
            social = answering.into_stock().map_err(of(Side::Social))?;
        }
        Ok((rating, social))
    }

    fn reopen(&self, rating: &Life, social: &Life) -> Result<(RatingStock, SocialStock), Stop> {
        let (rating_disk, social_disk) = self.disks(rating, social);
        let pattern = Arc::clone(&self.world.pattern);
        let rating = RatingStock::open(rating_disk, pattern).map_err(of(Side::Rating))?;
        let operand = Arc::clone(&self.world.operand);
        let social = SocialStock::open(social_disk, &self.world.pattern, operand);
        Ok((rating, social.map_err(of(Side::Social))?))
    }

    fn disks(&self, rating: &Life, social: &Life) -> (Arc<MortalDisk>, Arc<MortalDisk>) {
        let disk = |disk: &MemoryStorage, life: &Life| {
            Arc::new(MortalDisk {
                disk: disk.clone(),
                life: life.clone(),
            })
        };
        (
            disk(&self.rating_disk, rating),
            disk(&self.social_disk, social),
        )
    }
}

/// Local steps up to the next opening.
fn advance(training: &mut JointTraining) -> Option<s3rec_algebra::RingMatrix> {
    loop {
        match training.advance().unwrap() {
            Advance::Open(opening) => return Some(opening),
            Advance::Stepped(_) => {}
            Advance::Finished => return None,
        }
    }
}
