//! P0: masks its ids, matches what comes back, claims what is common.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;

use crate::claims::Claims;
use crate::group::{Secret, entropy, tag};
use crate::received::ReceivedPoints;
use crate::{Common, Masking, PsiError, PsiSession, Sent, Sizes};

/// Begins P0's part with a fresh secret scalar and order.
///
/// Private input: `ids`, distinct and normalised, as many as announced. Public: the rest.
///
/// # Errors
/// [`PsiError::Entropy`], [`PsiError::Count`], [`PsiError::OwnDuplicate`].
pub fn begin<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
) -> Result<(Masking, RatingMatching), PsiError> {
    begin_seeded(session, sizes, ids, &*entropy()?)
}

pub(crate) fn begin_seeded<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
    seed: &[u8; 32],
) -> Result<(Masking, RatingMatching), PsiError> {
    let mut random = ChaCha20Rng::from_seed(*seed);
    let secret = Arc::new(Secret::draw(&mut random));
    begin_with(session, sizes, ids, secret, &mut random)
}

pub(crate) fn begin_with<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
    secret: Arc<Secret>,
    random: &mut ChaCha20Rng,
) -> Result<(Masking, RatingMatching), PsiError> {
    let masking = Masking::new(session, Arc::clone(&secret), sizes.rating(), ids, random)?;
    let matching = RatingMatching {
        session: session.clone(),
        sizes,
        secret,
        labels: Vec::new(),
        points: ReceivedPoints::expecting(sizes.social()),
        stream: blake3::Hasher::new(),
        tags: Vec::new(),
    };
    Ok((masking, matching))
}

/// Takes P1's masked ids and labels, in any mixture of the two streams.
pub struct RatingMatching {
    session: PsiSession,
    sizes: Sizes,
    secret: Arc<Secret>,
    /// ℓ bytes for each of P0's places.
    labels: Vec<u8>,
    points: ReceivedPoints,
    stream: blake3::Hasher,
    /// For each of P1's places.
    tags: Vec<[u8; 32]>,
}

impl RatingMatching {
    /// Takes masked ids B and masks them again. Computes on all cores.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: torn, surplus or improper elements.
    pub fn take_points(mut self, bytes: &[u8]) -> Result<Self, PsiError> {
        let first = self.points.len();
        let points = self.points.take(bytes)?;
        self.stream.update(bytes);
        let doubly = self.secret.mask_again(&points, first)?;
        let session = &self.session;
        self.tags
            .par_extend(doubly.par_iter().map(|p| tag(session, p)));
        Ok(self)
    }

    /// Takes labels T.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: torn or surplus labels.
    pub fn take_labels(mut self, bytes: &[u8]) -> Result<Self, PsiError> {
        let what = "labels";
        let element_bytes = self.sizes.label_bytes();
        let most = self.sizes.most_labels();
        if bytes.is_empty()
            || !bytes.len().is_multiple_of(element_bytes)
            || bytes.len() / element_bytes > most
        {
            return Err(PsiError::Torn {
                what,
                element_bytes,
                most,
                actual: bytes.len(),
            });
        }
        if self.labels.len() + bytes.len() > element_bytes * self.sizes.rating() as usize {
            let expected = u64::from(self.sizes.rating());
            return Err(PsiError::Surplus { what, expected });
        }
        self.labels.extend_from_slice(bytes);
        Ok(self)
    }

    /// Masked ids and labels received so far, of n₁ and n₀.
    #[must_use]
    pub fn received(&self) -> (u64, u64) {
        let labels = self.labels.len() / self.sizes.label_bytes();
        (self.points.len(), labels as u64)
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let (points, labels) = self.received();
        points == u64::from(self.sizes.social()) && labels == u64::from(self.sizes.rating())
    }

    /// The common ids, and what to tell P1.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`]; blaming the peer, [`PsiError::Duplicate`].
    pub fn finish(self, sent: Sent) -> Result<(Common, Claims), PsiError> {
        let (_, labels) = self.received();
        self.points.finish()?;
        if labels != u64::from(self.sizes.rating()) {
            return Err(PsiError::Unfinished {
                what: "labels received",
                expected: u64::from(self.sizes.rating()),
                actual: labels,
            });
        }
        let mut pairs = matches(&self.labels, self.sizes.label_bytes(), &self.tags);
        let rows = pairs
            .iter()
            .map(|(place, _)| sent.order[*place as usize])
            .collect();
        let claims = Claims::new(&self.session, self.sizes, &mut pairs, &self.tags);
        let digest = *self.stream.finalize().as_bytes();
        let members = claims.social_members(self.sizes);
        let common = Common::new(&self.session, rows, &digest, members);
        Ok((common, claims))
    }
}

/// The matched places (P0's, P1's), ascending in P1's. Of equal labels the first counts, and of tags
/// that match one label the first: refusing them would tell P1, which could send a label twice,
/// whether it matches.
fn matches(labels: &[u8], label_bytes: usize, tags: &[[u8; 32]]) -> Vec<(u32, u32)> {
    let mut index: Vec<(&[u8], u32)> = labels.chunks_exact(label_bytes).zip(0..).collect();
    index.par_sort_unstable();
    let mut pairs: Vec<(u32, u32)> = tags
        .par_iter()
        .zip(0_u32..u32::MAX)
        .filter_map(|(tag, social)| {
            let label = &tag[..label_bytes];
            let from = index.partition_point(|(known, _)| *known < label);
            let (known, rating) = index.get(from)?;
            (*known == label).then_some((*rating, social))
        })
        .collect();
    let mut claimed = vec![false; index.len()];
    pairs.retain(|(rating, _)| !std::mem::replace(&mut claimed[*rating as usize], true));
    pairs
}
