//! The functionality itself, and a product that computes it in the clear.
//!
//! [`product`] is what every protocol must equal. [`RatingPlain`] and [`SocialPlain`] are
//! endpoints of the same shape as the secure ones: they carry tests of everything around a
//! product, and are the `plaintext` baseline of the benchmarks. P1 sees U: **no service may
//! reach them.**

use std::sync::Arc;

use s3rec_algebra::{RingMatrix, packing};
use s3rec_sparse::SocialOperator;

use crate::cost::Sizes;
use crate::exchange::{Runner, State, endpoints};
use crate::pair::Side;
use crate::rows::{check_shape, gather, scatter};
use crate::schedule::{Part, Schedule};
use crate::{ProductParameters, PublicPattern, SpmmError, Step};

/// Y·U over the ring, at scale 2^(f_u + f_y): what P0 is to learn from an opening.
///
/// # Errors
/// [`SpmmError::Sparse`] unless U has one row for each user.
pub fn product(operator: &SocialOperator, factors: &RingMatrix) -> Result<RingMatrix, SpmmError> {
    Ok(operator.multiply_ring(factors)?)
}

/// What crosses: ℓ bits a value, U's uploaded rows and Y·U's returned ones.
fn schedule(parameters: &ProductParameters) -> Result<Schedule, SpmmError> {
    let (step, rows) = (Step::ClearFactors, parameters.uploaded_rows);
    let factors = Sizes::ring_values(parameters, step, rows)?;
    let (step, rows) = (Step::ClearProduct, parameters.returned_rows);
    let product = Sizes::ring_values(parameters, step, rows)?;
    Ok(Schedule::of(Part::new(Side::Rating, factors)).then(Part::new(Side::Social, product)))
}

/// P0's side of a product in the clear: sends U, receives Y·U, ℓ bits a value.
pub struct RatingPlain(Runner<PlainSetup, Vec<u8>>);

/// P1's side of a product in the clear.
pub struct SocialPlain(Runner<PlainSetup, ()>);

struct PlainSetup {
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
}

impl PlainSetup {
    fn new(parameters: &ProductParameters, pattern: &Arc<PublicPattern>) -> PlainSetup {
        PlainSetup {
            parameters: parameters.clone(),
            pattern: Arc::clone(pattern),
        }
    }

    /// The received bytes of `rows`, at their places among all users.
    fn placed(&self, rows: &[u32], bytes: &[u8]) -> Result<RingMatrix, SpmmError> {
        let values = unpack(&self.parameters, rows.len(), bytes)?;
        scatter(values, rows, self.pattern.users)
    }

    fn packed(&self, matrix: &RingMatrix) -> Result<Vec<u8>, SpmmError> {
        let mut bytes = Vec::new();
        packing::pack_u64(matrix.values(), self.parameters.ring_bits, &mut bytes)?;
        Ok(bytes)
    }
}

impl RatingPlain {
    /// `factors` is m × k.
    ///
    /// # Errors
    /// [`SpmmError::Shape`] for operands that are not of the agreed shape.
    pub fn new(
        parameters: &ProductParameters,
        pattern: &Arc<PublicPattern>,
        factors: &RingMatrix,
    ) -> Result<RatingPlain, SpmmError> {
        check_shape(parameters, pattern, factors)?;
        let agreed = PlainSetup::new(parameters, pattern);
        let bytes = agreed.packed(gather(factors, &pattern.uploaded_rows)?.as_ref())?;
        let receiving = State::collect(|_, bytes| Ok(State::Finished(bytes)));
        let sending = State::bytes(bytes, receiving);
        let schedule = schedule(parameters)?;
        Ok(RatingPlain(Runner::rating(schedule, agreed, sending)))
    }

    /// Y·U, m × k, zero where no row is returned.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_product(self) -> Result<RingMatrix, SpmmError> {
        let (agreed, bytes) = self.0.finish()?;
        agreed.placed(&agreed.pattern.returned_rows, &bytes)
    }
}

impl SocialPlain {
    /// Multiplies what it receives by `operator`.
    ///
    /// # Errors
    /// [`SpmmError::Shape`] when the operator is not over the agreed users.
    pub fn new(
        parameters: &ProductParameters,
        pattern: &Arc<PublicPattern>,
        operator: &Arc<SocialOperator>,
    ) -> Result<SocialPlain, SpmmError> {
        let operator = Arc::clone(operator);
        let multiply = move |agreed: &mut PlainSetup, bytes: Vec<u8>| {
            let factors = agreed.placed(&agreed.pattern.uploaded_rows, &bytes)?;
            let product = product(&operator, &factors)?;
            let returned = gather(&product, &agreed.pattern.returned_rows)?;
            Ok(State::bytes(agreed.packed(&returned)?, State::Finished(())))
        };
        let receiving =
            State::collect(|_, bytes| Ok(State::compute(move |agreed| multiply(agreed, bytes))));
        let agreed = PlainSetup::new(parameters, pattern);
        let schedule = schedule(parameters)?;
        Ok(SocialPlain(Runner::social(schedule, agreed, receiving)))
    }
}

endpoints!(RatingPlain, SocialPlain);

/// The values of `rows` rows from exactly their packed bytes.
pub(crate) fn unpack(
    parameters: &ProductParameters,
    rows: usize,
    bytes: &[u8],
) -> Result<RingMatrix, SpmmError> {
    let columns = parameters.columns as usize;
    let values = packing::unpack_u64(bytes, parameters.ring_bits, rows * columns)?;
    Ok(RingMatrix::new(parameters.ring()?, rows, columns, values)?)
}
