//! The two endpoints of `preprocessed` over a counted in-process channel, stocks on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use s3rec_algebra::{RingMatrix, Seed};
use s3rec_sparse::{SecretPattern, SocialOperator, declassify};
use s3rec_spmm::preprocessed::{
    DirectoryStorage, RatingBlock, RatingOpening, RatingSession, RatingStock, SocialBlock,
    SocialOpening, SocialSession, SocialStock, StockTerms,
};
use s3rec_spmm::{ProductParameters, SocialOperand, SpmmError, Uncounted, he};

use crate::BenchError;
use crate::homomorphic::exchange;
use crate::record::PhaseRecord;
use crate::timed::TimedStorage;

/// Both parties with their stocks of columns.
pub(crate) struct StockPair {
    /// `None` after an opening that failed.
    stocks: Option<(RatingStock, SocialStock)>,
    disks: [Arc<TimedStorage>; 2],
}

impl StockPair {
    /// Key setup, all blocks and the first session: everything before the first opening.
    pub(crate) fn set_up(
        parameters: &ProductParameters,
        operator: &SocialOperator,
        directory: &Path,
        memory_limit_bytes: usize,
    ) -> Result<(Self, PhaseRecord), BenchError> {
        let pattern = Arc::new(declassify(&SecretPattern::of(operator), parameters.pattern));
        let operand = Arc::new(SocialOperand::new(
            parameters,
            &pattern,
            operator,
            &Seed::generate()?,
        )?);
        let terms = StockTerms {
            stock_id: [1; 16],
            rating_party: [2; 32],
            social_party: [3; 32],
            users_digest: [4; 32],
            operator_commitment: operand.commitment(),
            key_seed: he::public_key_seed(&[5; 32], &[6; 32], &[1; 16]),
            parameters: parameters.clone(),
        };
        let storage = |name: &str| {
            DirectoryStorage::open(&directory.join(name))
                .map(|directory| Arc::new(TimedStorage::new(directory)))
                .map_err(SpmmError::from)
        };
        let disks = [storage("rating")?, storage("social")?];
        let [ours, theirs] = disks.clone();
        let mut rating = RatingStock::create(ours, terms.clone(), Arc::clone(&pattern))?;
        let mut social = SocialStock::create(theirs, terms, &pattern, operand)?;

        let (mut total, _, receiving) = exchange(rating.key_setup()?, social.key_setup()?)?;
        social.accept_key(receiving)?;
        for _ in 0..parameters.layout()?.blocks {
            let (uploading, rating_seconds) = timed(|| RatingBlock::new(rating))?;
            let (answering, social_seconds) =
                timed(|| SocialBlock::new(social, memory_limit_bytes))?;
            let (cost, uploading, answering) = exchange(uploading, answering)?;
            total = total
                .then(cost)
                .then(computing(rating_seconds, social_seconds));
            (rating, social) = (uploading.into_stock()?, answering.into_stock()?);
        }
        let (cost, calling, called) =
            exchange(RatingSession::new(rating)?, SocialSession::new(social)?)?;
        let pair = Self {
            stocks: Some((calling.into_stock()?, called.into_stock()?)),
            disks,
        };
        // From here on of the rounds alone.
        pair.waited_for_disk();
        Ok((pair, total.then(cost)))
    }

    /// One opening.
    pub(crate) fn round(
        &mut self,
        factors: &RingMatrix,
    ) -> Result<(RingMatrix, PhaseRecord), BenchError> {
        let (rating, social) = self.stocks.take().ok_or(SpmmError::NoStock)?;
        let (opening, opening_seconds) = timed(|| RatingOpening::new(rating, factors))?;
        let (answering, answering_seconds) = timed(|| SocialOpening::new(social, Uncounted))?;
        let (cost, opening, answering) = exchange(opening, answering)?;
        let ((product, rating), product_seconds) = timed(|| opening.into_product())?;
        let cost = cost.then(computing(
            opening_seconds + product_seconds,
            answering_seconds,
        ));
        self.stocks = Some((rating, answering.into_stock()));
        Ok((product, cost))
    }

    /// Seconds that both parties waited for their disks since the last call.
    pub(crate) fn waited_for_disk(&self) -> f64 {
        self.disks.iter().map(|disk| disk.take_waited()).sum()
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T, SpmmError>) -> Result<(T, f64), SpmmError> {
    let started = Instant::now();
    Ok((work()?, started.elapsed().as_secs_f64()))
}

fn computing(rating_seconds: f64, social_seconds: f64) -> PhaseRecord {
    PhaseRecord {
        seconds: rating_seconds + social_seconds,
        rating_seconds,
        social_seconds,
        ..PhaseRecord::default()
    }
}
