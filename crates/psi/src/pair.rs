//! Both parties in one process, without a network: what tests, fuzzing and benchmarks run.

use crate::{Common, Masking, PsiError, RatingMatching, SocialAnswering};

/// Everything that crossed, in its order within each stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// A, P0 to P1.
    pub rating_points: Vec<Vec<u8>>,
    /// B, P1 to P0.
    pub social_points: Vec<Vec<u8>>,
    /// T, P1 to P0.
    pub labels: Vec<Vec<u8>>,
    /// S₀, S₁ and π, P0 to P1.
    pub claims: Vec<Vec<u8>>,
}

impl Transcript {
    /// Sizes of all messages, stream by stream.
    #[must_use]
    pub fn sizes(&self) -> Vec<Vec<usize>> {
        [
            &self.rating_points,
            &self.social_points,
            &self.labels,
            &self.claims,
        ]
        .into_iter()
        .map(|stream| stream.iter().map(Vec::len).collect())
        .collect()
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
    (mut from_rating, mut matching): (Masking, RatingMatching),
    (mut from_social, mut answering): (Masking, SocialAnswering),
) -> Result<(Common, Common, Transcript), PsiError> {
    let mut seen = Transcript::default();
    while let Some(points) = from_rating.next_chunk() {
        let labels;
        (answering, labels) = answering.answer(&points)?;
        matching = matching.take_labels(&labels)?;
        seen.rating_points.push(points);
        seen.labels.push(labels);
    }
    while let Some(points) = from_social.next_chunk() {
        matching = matching.take_points(&points)?;
        seen.social_points.push(points);
    }
    let (at_rating, claims) = matching.finish(from_rating.finish()?)?;
    let mut waiting = answering.finish()?;
    for chunk in claims.chunks() {
        waiting = waiting.take_claims(chunk)?;
        seen.claims.push(chunk.to_vec());
    }
    let at_social = waiting.finish(from_social.finish()?)?;
    Ok((at_rating, at_social, seen))
}
