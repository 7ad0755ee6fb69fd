//! The two parties as types, and additive shares that know whose they are.

use std::marker::PhantomData;

use crate::{AlgebraError, RingMatrix, Stream};

mod sealed {
    pub trait Sealed {}
}

/// One of the two parties.
pub trait Party: sealed::Sealed + Send + Sync + 'static {
    /// The other party.
    type Peer: Party;
    /// The name used in logs and certificates.
    const NAME: &'static str;
}

/// P0, which holds the ratings and the factors U.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatingPlatform;

/// P1, which holds the social matrix and the operator Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocialPlatform;

impl sealed::Sealed for RatingPlatform {}
impl sealed::Sealed for SocialPlatform {}

impl Party for RatingPlatform {
    type Peer = SocialPlatform;
    const NAME: &'static str = "rating";
}

impl Party for SocialPlatform {
    type Peer = RatingPlatform;
    const NAME: &'static str = "social";
}

/// Party `P`'s additive share of a matrix over the ring. Alone it is uniform.
#[derive(Clone, PartialEq, Eq)]
pub struct Share<P: Party> {
    matrix: RingMatrix,
    party: PhantomData<P>,
}

impl<P: Party> Share<P> {
    /// Declares `matrix` to be `P`'s share.
    #[must_use]
    pub fn new(matrix: RingMatrix) -> Self {
        Self {
            matrix,
            party: PhantomData,
        }
    }

    /// The share's values, for the party that holds it.
    #[must_use]
    pub fn matrix(&self) -> &RingMatrix {
        &self.matrix
    }

    /// The share's values, without a copy.
    #[must_use]
    pub fn into_matrix(self) -> RingMatrix {
        self.matrix
    }
}

/// Splits `value` into two shares: P1's uniform from `randomness`, P0's the difference.
#[must_use]
pub fn split(
    value: &RingMatrix,
    randomness: &mut Stream,
) -> (Share<RatingPlatform>, Share<SocialPlatform>) {
    let mut uniform = vec![0; value.values().len()];
    randomness.fill_ring(value.ring(), &mut uniform);
    let social = RingMatrix::reduced(value.ring(), value.rows(), value.columns(), uniform);
    // Unwrap safety: one uniform value for each value.
    let social = social.expect("same shape");
    // Unwrap safety: ring and shape were copied from `value`.
    let mut rating = social.clone();
    rating.subtract_from(value).expect("same shape");
    (Share::new(rating), Share::new(social))
}

/// The matrix that two shares stand for: the only function that joins them.
///
/// # Errors
/// [`AlgebraError::Shape`] when ring or shape differ.
pub fn reveal(
    rating: &Share<RatingPlatform>,
    social: &Share<SocialPlatform>,
) -> Result<RingMatrix, AlgebraError> {
    let mut sum = rating.matrix.clone();
    sum.add_assign(&social.matrix)?;
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RingBits, Seed};

    #[test]
    fn shares_reveal_what_was_split() {
        let ring = RingBits::new(37).unwrap();
        let seed = Seed::from_bytes([7; 32]);
        let mut values = vec![0; 60];
        Stream::new(&seed.derive("values", &[])).fill_ring(ring, &mut values);
        let value = RingMatrix::new(ring, 6, 10, values).unwrap();
        let (rating, social) = split(&value, &mut Stream::new(&seed));
        assert_eq!(reveal(&rating, &social).unwrap(), value);
        assert!(rating.matrix() != &value && social.matrix() != &value);
    }

    #[test]
    fn parties_are_each_others_peer() {
        assert_eq!(<RatingPlatform as Party>::Peer::NAME, SocialPlatform::NAME);
        assert_eq!(<SocialPlatform as Party>::Peer::NAME, RatingPlatform::NAME);
    }
}
