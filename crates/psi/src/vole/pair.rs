//! Both parties in one process, without a network: what tests, fuzzing and benchmarks run.

use super::{RatingEncoding, SocialStarting};
use crate::{Common, PsiError};

/// Everything that crossed, in its order within each stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// P1 to P0, once.
    pub request: Vec<u8>,
    /// P0 to P1, once.
    pub answer: Vec<u8>,
    /// D and at last the check, P0 to P1.
    pub columns: Vec<Vec<u8>>,
    /// T, P1 to P0.
    pub labels: Vec<Vec<u8>>,
    /// S₁ and π, P0 to P1.
    pub claims: Vec<Vec<u8>>,
}

impl Transcript {
    /// Sizes of all messages, stream by stream.
    #[must_use]
    pub fn sizes(&self) -> Vec<Vec<usize>> {
        let once = vec![vec![self.request.len()], vec![self.answer.len()]];
        let streams = [&self.columns, &self.labels, &self.claims];
        let streams = streams.map(|stream| stream.iter().map(Vec::len).collect());
        once.into_iter().chain(streams).collect()
    }

    /// All bytes, both ways.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sizes().iter().flatten().map(|size| *size as u64).sum()
    }
}

/// Runs both parties to their results.
///
/// # Errors
/// Whatever a party refuses.
pub fn run(
    rating: RatingEncoding,
    (social, request): (SocialStarting, Vec<u8>),
) -> Result<(Common, Common, Transcript), PsiError> {
    let (mut sending, answer) = rating.take_request(&request)?;
    let mut receiving = social.take_answer(&answer)?;
    let mut seen = Transcript {
        request,
        answer,
        ..Transcript::default()
    };
    while !receiving.is_complete() {
        let Some(columns) = sending.next_chunk() else {
            break;
        };
        receiving = receiving.take_columns(&columns)?;
        seen.columns.push(columns);
    }
    let check = sending.next_chunk().unwrap_or_default();
    let mut labelling = receiving.take_check(&check)?;
    seen.columns.push(check);
    let mut matching = sending.finish()?;
    while let Some(labels) = labelling.next_chunk() {
        matching = matching.take_labels(&labels)?;
        seen.labels.push(labels);
    }
    let (at_rating, claims) = matching.finish()?;
    let mut waiting = labelling.finish()?;
    for chunk in claims.chunks() {
        waiting = waiting.take_claims(chunk)?;
        seen.claims.push(chunk.to_vec());
    }
    Ok((at_rating, waiting.finish()?, seen))
}
