//! From each stage of P0's job to the next.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_spmm::SpmmError;
use s3rec_spmm::fetch::RatingFetch;
use s3rec_spmm::he::{RatingKeySetup, RatingKeys, RatingRound, public_key_seed};
use s3rec_spmm::preprocessed::{RatingOpening, RatingStock, StockTerms};

use super::exchange::{Endpoint, Left, RatingExchange};
use super::trainee::Trainee;
use super::{
    About, AgreedSetup, Due, Product, RatingAgreed, RatingEvent, RatingJob, RatingNext,
    RatingPlatform, RatingProgress, RatingSave, RatingStage, Spent, bounded,
};
use crate::{JobError, JobId, Phase};

impl About {
    pub(super) fn new(platform: Arc<dyn RatingPlatform>, job: JobId) -> Self {
        Self {
            platform,
            job,
            openings: 0,
            stocks: 0,
            rounds: Vec::new(),
            is_agreed: false,
        }
    }

    /// From nothing: what was made before is thrown away.
    pub(super) fn beginning(self) -> RatingJob {
        let due = [
            Due::Save(RatingSave::Discard),
            Due::Emit(RatingEvent::Begins(Phase::Alignment)),
            Due::Sign(Phase::Consent),
        ];
        RatingJob::at(self, due, RatingStage::Unaligned)
    }

    /// With the stock on disk, as far as it is; from nothing where it does not read, for nothing
    /// was opened.
    pub(super) fn take_up_stock(self, agreed: RatingAgreed) -> RatingJob {
        let pattern = Arc::new(agreed.pattern.clone());
        let reopened = self.platform.reopen_stock().map_err(SpmmError::Storage);
        let stock = reopened.and_then(|storage| RatingStock::take_up(storage, pattern));
        match stock {
            Err(_) => self.beginning(),
            Ok(stock) if stock.identity().is_some() => {
                self.prepared(Box::new(agreed), Product::Stock(Box::new(stock)))
            }
            Ok(stock) => {
                let stage = RatingStage::Halted(Box::new(agreed), Box::new(stock));
                RatingJob::at(self, [], stage)
            }
        }
    }

    /// The key of `he`, or that of an empty stock.
    pub(super) fn key(
        self,
        agreed: Box<AgreedSetup>,
        fetch: Option<Arc<RatingFetch>>,
    ) -> Result<RatingExchange, JobError> {
        let setup = &agreed.setup;
        let name = self.job.to_string();
        let seed = public_key_seed(&setup.rating_half, &setup.social_half, name.as_bytes());
        let (endpoint, left) = if setup.parameters.protocol.is_preprocessed() {
            let [rating_party, social_party] = setup.parties;
            let terms = StockTerms {
                stock_id: setup.stock_id,
                rating_party,
                social_party,
                users_digest: setup.users_digest,
                operator_commitment: setup.operator_commitment,
                key_seed: seed,
                parameters: setup.parameters.clone(),
            };
            let storage = self.platform.make_stock().map_err(JobError::disk)?;
            let stock = RatingStock::create(storage, terms, Arc::clone(&setup.pattern));
            let stock = stock.map_err(JobError::Ours)?;
            let endpoint = stock.key_setup().map_err(JobError::Ours)?;
            (endpoint, Left::StockKey(agreed, fetch, Box::new(stock)))
        } else {
            let keys = RatingKeys::generate(&setup.parameters, &seed).map_err(JobError::Ours)?;
            let endpoint = RatingKeySetup::new(&keys).map_err(JobError::Ours)?;
            (endpoint, Left::Key(agreed, fetch, Arc::new(keys)))
        };
        let endpoint = Endpoint::Key(endpoint);
        Ok(RatingExchange::product(
            self,
            Phase::Setup,
            0,
            endpoint,
            left,
        ))
    }

    /// From here on nothing is begun again where there is a stock: it goes with this training.
    pub(super) fn begin_training(
        self,
        agreed: RatingAgreed,
        product: Product,
    ) -> Result<RatingNext, JobError> {
        let training = self.platform.training(&agreed.parameters, &agreed.common);
        let trainee = Trainee::begin(training.map_err(JobError::Platform)?)?;
        let next = match product {
            Product::Stock(stock) => {
                // Without queries to begin again with it was kept before the first block.
                let fetches = agreed.parameters.protocol.fetches_privately();
                let saved = fetches.then(|| Due::Save(RatingSave::Agreed(Box::new(agreed))));
                let progress = Due::Save(RatingSave::Progress(self.progress(&trainee)));
                let due = saved.into_iter().chain([progress]);
                let stage = RatingStage::Sealed(stock, Box::new(trainee), true);
                RatingJob::at(self, due, stage)
            }
            he @ Product::He { .. } => self.rounds(he, Box::new(trainee), true),
        };
        next.next()
    }

    /// To the next opening, or to what follows the last.
    pub(super) fn rounds(
        self,
        product: Product,
        trainee: Box<Trainee>,
        are_first: bool,
    ) -> RatingJob {
        let mut due = Vec::new();
        if are_first {
            due.push(Due::Emit(RatingEvent::RoundsBegin));
            due.push(Due::Sign(Phase::Offline));
        }
        if trainee.opening().is_some() {
            let round = self.openings + 1;
            due.push(Due::Emit(RatingEvent::Asks { round }));
            return RatingJob::at(self, due, RatingStage::Rounds(product, trainee));
        }
        due.push(Due::Sign(Phase::Online));
        RatingJob::at(self, due, RatingStage::Unclosed(product, trainee))
    }

    /// The columns are used, on disk, before anything masked by them leaves.
    pub(super) fn round(
        self,
        product: Product,
        mut trainee: Box<Trainee>,
    ) -> Result<RatingExchange, JobError> {
        let opening = trainee.take_opening()?;
        let round = self.openings + 1;
        let (endpoint, left) = match product {
            Product::He {
                keys,
                pattern,
                fetch,
            } => {
                let opening = bounded::bound_rows(&opening, keys.parameters());
                let opening = opening.map_err(JobError::Ours)?;
                let endpoint = RatingRound::new(&keys, &pattern, &opening);
                let mut endpoint = endpoint.map_err(JobError::Ours)?;
                if let Some(fetch) = &fetch {
                    endpoint = endpoint.with_fetch(fetch);
                }
                let product = Product::He {
                    keys,
                    pattern,
                    fetch,
                };
                (Endpoint::Round(endpoint), Left::Round(product, trainee))
            }
            Product::Stock(stock) => {
                let opening = bounded::bound_rows(&opening, &stock.terms().parameters);
                let opening = opening.map_err(JobError::Ours)?;
                let endpoint = RatingOpening::new(*stock, &opening).map_err(JobError::Ours)?;
                (Endpoint::Opening(endpoint), Left::Opening(trainee))
            }
        };
        let phase = Phase::Online;
        Ok(RatingExchange::product(self, phase, round, endpoint, left))
    }

    /// The training that the next opening belongs to is on disk before that opening leaves,
    /// where the job outlives a restart.
    pub(super) fn learn(
        mut self,
        product: Product,
        trainee: Trainee,
        opened: &RingMatrix,
    ) -> Result<RatingNext, JobError> {
        let (trainee, report) = trainee.absorb(opened, self.platform.as_ref())?;
        self.rounds.push(report);
        let round = self.openings;
        let mut due = Vec::new();
        if matches!(product, Product::Stock(_)) {
            due.push(Due::Save(RatingSave::Progress(self.progress(&trainee))));
        }
        due.push(Due::Emit(RatingEvent::RoundDone { round, report }));
        let mut next = self.rounds(product, Box::new(trainee), false);
        next.due = due.into_iter().chain(next.due).collect();
        next.next()
    }

    pub(super) fn trained(self, trainee: Box<Trainee>, outlives: bool) -> RatingJob {
        let due = [Due::Emit(RatingEvent::Begins(Phase::Evaluation))];
        RatingJob::at(self, due, RatingStage::Trained(trainee, outlives))
    }

    pub(super) fn progress(&self, trainee: &Trainee) -> Box<RatingProgress> {
        Box::new(RatingProgress {
            training: trainee.state(),
            openings: self.openings,
            stocks: self.stocks,
            offline: Spent::default(),
            online: Spent::default(),
            rounds: self.rounds.clone(),
            is_agreed: self.is_agreed,
        })
    }
}
