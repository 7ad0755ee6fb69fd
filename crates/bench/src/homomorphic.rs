//! The two endpoints of `he` and `he-pir` over a counted in-process channel.

use std::sync::Arc;
use std::time::Instant;

use s3rec_algebra::{RingMatrix, Seed};
use s3rec_sparse::{PublicPattern, SecretPattern, SocialOperator, declassify};
use s3rec_spmm::fetch::{RatingFetch, RatingQueries, SocialFetch, SocialQueries};
use s3rec_spmm::he::{
    RatingKeySetup, RatingKeys, RatingRound, SocialKeySetup, SocialRound, public_key_seed,
};
use s3rec_spmm::pair::{self, Honest, Side, Transcript};
use s3rec_spmm::{Endpoint, ProductParameters, SocialOperand, Uncounted};

use crate::BenchError;
use crate::record::PhaseRecord;
use crate::timed::Timed;

/// Both parties after key setup.
pub(crate) struct HomomorphicPair {
    rating: Arc<RatingKeys>,
    social: Arc<s3rec_spmm::he::SocialKeys>,
    pattern: Arc<PublicPattern>,
    operand: Arc<SocialOperand>,
    fetch: Option<(Arc<RatingFetch>, Arc<SocialFetch>)>,
}

/// Bytes of expanded selectors that the rating platform keeps between rounds.
const SELECTOR_BYTES: u64 = 1 << 30;

impl HomomorphicPair {
    /// Makes and exchanges the keys.
    pub(crate) fn set_up(
        parameters: &ProductParameters,
        operator: &SocialOperator,
    ) -> Result<(Self, PhaseRecord), BenchError> {
        let pattern = Arc::new(declassify(&SecretPattern::of(operator), parameters.pattern));
        let operand = SocialOperand::new(parameters, &pattern, operator, &Seed::generate()?)?;
        let seed = public_key_seed(&[1; 32], &[2; 32], b"bench");
        let rating = Arc::new(RatingKeys::generate(parameters, &seed)?);
        let (mut cost, _, social) = exchange(
            RatingKeySetup::new(&rating)?,
            SocialKeySetup::new(parameters, &seed)?,
        )?;
        let mut fetch = None;
        if parameters.protocol.fetches_privately() {
            let (queries, receiving, sending) = exchange(
                RatingQueries::new(parameters)?,
                SocialQueries::new(parameters, &operand)?,
            )?;
            let started = Instant::now();
            let rating_fetch = Arc::new(receiving.into_fetch(SELECTOR_BYTES)?);
            let expanded = started.elapsed().as_secs_f64();
            cost = cost.then(queries).then(PhaseRecord {
                seconds: expanded,
                rating_seconds: expanded,
                ..PhaseRecord::default()
            });
            fetch = Some((rating_fetch, Arc::new(sending.into_fetch()?)));
        }
        let pair = Self {
            rating,
            social: Arc::new(social.into_keys()?),
            pattern,
            operand: Arc::new(operand),
            fetch,
        };
        Ok((pair, cost))
    }

    /// One opening.
    pub(crate) fn round(
        &self,
        round: u32,
        factors: &RingMatrix,
    ) -> Result<(RingMatrix, PhaseRecord), BenchError> {
        let mut rating = RatingRound::new(&self.rating, &self.pattern, factors)?;
        let mut social = SocialRound::new(&self.social, &self.operand, round, Uncounted)?;
        if let Some((rating_fetch, social_fetch)) = &self.fetch {
            rating = rating.with_fetch(rating_fetch);
            social = social.with_fetch(social_fetch);
        }
        let (cost, rating, _) = exchange(rating, social)?;
        Ok((rating.into_product()?, cost))
    }
}

/// Runs two endpoints against each other and counts.
pub(crate) fn exchange<A: Endpoint, B: Endpoint>(
    rating: A,
    social: B,
) -> Result<(PhaseRecord, A, B), BenchError> {
    let (mut rating, mut social) = (Timed::new(rating), Timed::new(social));
    let transcript = pair::run(&mut rating, &mut social, &mut Honest)?;
    let ((rating, rating_seconds), (social, social_seconds)) = (rating.finish(), social.finish());
    Ok((
        phase(&transcript, rating_seconds, social_seconds),
        rating,
        social,
    ))
}

fn phase(transcript: &Transcript, rating_seconds: f64, social_seconds: f64) -> PhaseRecord {
    PhaseRecord {
        seconds: rating_seconds + social_seconds,
        bytes_to_social: transcript.bytes_from(Side::Rating),
        bytes_to_rating: transcript.bytes_from(Side::Social),
        messages: transcript.frames.len() as u64,
        rating_seconds,
        social_seconds,
        core_seconds: 0.0,
    }
}
