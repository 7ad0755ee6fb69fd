//! P1: masks its ids, labels P0's, and checks what P0 claims.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::claims::{self, Claims};
use crate::group::{Secret, entropy, tag};
use crate::received::ReceivedPoints;
use crate::{Common, Masking, PsiError, PsiSession, Sent, Sizes};

/// Begins P1's part with a fresh secret scalar and order, as [`crate::rating::begin`].
///
/// # Errors
/// [`PsiError::Entropy`], [`PsiError::Count`], [`PsiError::OwnDuplicate`].
pub fn begin<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
) -> Result<(Masking, SocialAnswering), PsiError> {
    begin_seeded(session, sizes, ids, &*entropy()?)
}

pub(crate) fn begin_seeded<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
    seed: &[u8; 32],
) -> Result<(Masking, SocialAnswering), PsiError> {
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
) -> Result<(Masking, SocialAnswering), PsiError> {
    let masking = Masking::new(session, Arc::clone(&secret), sizes.social(), ids, random)?;
    let answering = SocialAnswering {
        session: session.clone(),
        sizes,
        secret,
        points: ReceivedPoints::expecting(sizes.rating()),
        tags: Vec::new(),
    };
    Ok((masking, answering))
}

/// Labels P0's masked ids.
pub struct SocialAnswering {
    session: PsiSession,
    sizes: Sizes,
    secret: Arc<Secret>,
    points: ReceivedPoints,
    /// For each of P0's places.
    tags: Vec<[u8; 32]>,
}

impl SocialAnswering {
    /// Takes masked ids A; gives their labels to send, in the same order. Computes on all cores.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: torn, surplus or improper elements.
    pub fn answer(mut self, bytes: &[u8]) -> Result<(Self, Vec<u8>), PsiError> {
        let first = self.points.len();
        let points = self.points.take(bytes)?;
        let doubly = self.secret.mask_again(&points, first)?;
        let label_bytes = self.sizes.label_bytes();
        let mut labels = Vec::with_capacity(doubly.len() * label_bytes);
        for doubly_masked in &doubly {
            let tag = tag(&self.session, doubly_masked);
            labels.extend_from_slice(&tag[..label_bytes]);
            self.tags.push(tag);
        }
        Ok((self, labels))
    }

    /// How many of n₀ have come.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.points.len()
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.received() == u64::from(self.sizes.rating())
    }

    /// All have come, none twice: P0's claims are due. The secret scalar is not needed any more.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`]; blaming the peer, [`PsiError::Duplicate`].
    pub fn finish(self) -> Result<SocialWaiting, PsiError> {
        self.points.finish()?;
        Ok(SocialWaiting {
            session: self.session,
            sizes: self.sizes,
            tags: self.tags,
            claims: Vec::new(),
        })
    }
}

/// Waits for P0's claims.
pub struct SocialWaiting {
    session: PsiSession,
    sizes: Sizes,
    tags: Vec<[u8; 32]>,
    claims: Vec<u8>,
}

impl SocialWaiting {
    /// Takes a part of the claims.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: an empty part, or more than the sizes allow.
    pub fn take_claims(mut self, bytes: &[u8]) -> Result<Self, PsiError> {
        claims::take(&mut self.claims, bytes, self.sizes.claims_bytes())?;
        Ok(self)
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.claims.len() == self.sizes.claims_bytes()
    }

    /// The common ids.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`]; blaming the peer, [`PsiError::Claims`] and
    /// [`PsiError::Unproven`].
    pub fn finish(self, sent: Sent) -> Result<Common, PsiError> {
        if !self.is_complete() {
            return Err(PsiError::Unfinished {
                what: "bytes of claims received",
                expected: self.sizes.claims_bytes() as u64,
                actual: self.claims.len() as u64,
            });
        }
        let claims = Claims::received(self.claims);
        let places = claims.check(&self.session, self.sizes, &self.tags)?;
        let rows = places
            .iter()
            .map(|place| sent.order[*place as usize])
            .collect();
        let members = claims.social_members(self.sizes);
        Ok(Common::new(&self.session, rows, &sent.digest, members))
    }
}
