//! Deriving (κ, N, ℓ, b, t) from what a job needs, weighing bytes against computing time.

use s3rec_algebra::{AlgebraError, FixedPoint, RingBits};
use s3rec_he::GlweParameters;
use s3rec_sparse::{OperatorKind, PatternPolicy};
use serde::{Deserialize, Serialize};

use crate::release::Release;
use crate::{ProductParameters, Protocol, ReleasePolicy, SpmmError, cost};

/// What the bytes of a job are worth against seconds of computing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkProfile {
    /// Sustained rate of the link, either way.
    pub bytes_per_second: f64,
    /// Cores that each side gives to the job.
    pub cores: u32,
}

impl Default for LinkProfile {
    /// 100 Mbit/s and two cores.
    fn default() -> LinkProfile {
        LinkProfile {
            bytes_per_second: 12.5e6,
            cores: 2,
        }
    }
}

/// What a job needs, before parameters are derived from it. All of it is public.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductRequest {
    /// Which protocol computes the product.
    pub protocol: Protocol,
    /// Which social operator Y is.
    pub operator: OperatorKind,
    /// What P0 may know of the pattern of Y.
    pub pattern: PatternPolicy,
    /// How openings are released.
    pub release: ReleasePolicy,
    /// m.
    pub users: u32,
    /// Rows of U that P0 uploads; m under [`PatternPolicy::Nothing`].
    pub uploaded_rows: u32,
    /// Rows of Y·U that P1 returns; m under [`PatternPolicy::Nothing`].
    pub returned_rows: u32,
    /// d_max as P1 announced it, a ladder value; 0 unless rows are fetched privately.
    pub fetched_rows_bound: u32,
    /// k.
    pub columns: u32,
    /// Openings.
    pub rounds: u32,
    /// u_max.
    pub saturation_bound: f64,
    /// Low bits kept at zero; 2 makes every protocol exact.
    pub guard_bits: u32,
    /// Fractional bits of U that the ring must allow at least; the ring grows until they fit.
    pub least_scale_bits: u32,
    /// L as P1 announced it, a ladder value.
    pub row_norm_bound: u64,
    /// Bound on the non-zeros of Y as P1 announced it, a ladder value.
    pub nonzeros_bound: u64,
    /// What bytes are worth.
    pub link: LinkProfile,
}

impl ProductRequest {
    /// A request with the defaults: nothing disclosed beyond exact openings, u_max 8, two guard
    /// bits, at least ten fractional bits.
    pub fn new(
        protocol: Protocol,
        operator: OperatorKind,
        users: u32,
        columns: u32,
        rounds: u32,
    ) -> ProductRequest {
        ProductRequest {
            protocol,
            operator,
            pattern: PatternPolicy::Nothing,
            release: ReleasePolicy::Exact,
            users,
            uploaded_rows: users,
            returned_rows: users,
            fetched_rows_bound: 0,
            columns,
            rounds,
            saturation_bound: 8.0,
            guard_bits: 2,
            least_scale_bits: 10,
            row_norm_bound: 1,
            nonzeros_bound: 0,
            link: LinkProfile::default(),
        }
    }
}

/// Derives the cheapest parameters that satisfy every inequality of sections 2 and 3.1.
///
/// # Errors
/// [`SpmmError::NothingFits`] with the reason for the closest miss and what to change.
pub fn choose_parameters(request: &ProductRequest) -> Result<ProductParameters, SpmmError> {
    let (ring_bits, scale_bits) = smallest_ring(request)?;
    let mut best: Option<(f64, ProductParameters)> = None;
    let mut closest = None;
    for (dimension, polynomial_size) in candidates() {
        let candidate = candidate(request, ring_bits, scale_bits, dimension, polynomial_size);
        match candidate.and_then(with_most_dropped_bits) {
            Ok(parameters) => {
                let seconds = weigh(&parameters, &request.link)?;
                if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
                    best = Some((seconds, parameters));
                }
            }
            Err(error) => closest = Some(error),
        }
    }
    match (best, closest) {
        (Some((_, parameters)), _) => Ok(parameters),
        (None, Some(closest)) => Err(SpmmError::NothingFits {
            users: request.users,
            columns: request.columns,
            rounds: request.rounds,
            closest: Box::new(closest),
        }),
        // Unwrap safety does not arise: the table of candidates is never empty.
        (None, None) => Err(SpmmError::Unsupported {
            what: "an empty parameter table",
            with: "any job",
        }),
    }
}

/// The narrowest ring that leaves the fractional bits asked for, and what it leaves.
fn smallest_ring(request: &ProductRequest) -> Result<(u32, u32), SpmmError> {
    let mut below_unit = None;
    for ring_bits in RingBits::MIN..=RingBits::MAX {
        let ring = RingBits::new(ring_bits)?;
        let fixed = FixedPoint::fit(
            ring,
            request.row_norm_bound,
            request.saturation_bound,
            request.guard_bits,
        );
        match fixed {
            Ok(fixed) if fixed.scale_bits() >= request.least_scale_bits => {
                // Release noise needs room beside the product: a wider ring may have it.
                let sized = candidate(request, ring_bits, fixed.scale_bits(), 1, 8192)?;
                if ring_bits == RingBits::MAX || Release::of(&sized).is_ok() {
                    return Ok((ring_bits, fixed.scale_bits()));
                }
            }
            // A wider ring may have a finer unit.
            Err(AlgebraError::BelowUnit { u_max, scale_bits }) => {
                below_unit = Some(SpmmError::BelowUnit {
                    saturation_bound: u_max,
                    scale_bits,
                });
            }
            Ok(_) | Err(AlgebraError::Range { .. }) => below_unit = None,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(below_unit) = below_unit {
        return Err(below_unit);
    }
    Err(SpmmError::Overflow {
        row_norm_bound: request.row_norm_bound,
        saturation_bound: request.saturation_bound,
        scale_bits: request.least_scale_bits,
        guard_bits: request.guard_bits,
        ring_bits: RingBits::MAX,
    })
}

/// Every (κ, N) with κN just above a step of the noise table.
fn candidates() -> impl Iterator<Item = (u32, u32)> {
    const LEAST_KEYS: [u32; 2] = [5120, 5248];
    (6..=13u32).flat_map(|log| {
        let n = 1u32 << log;
        let mut dimensions = LEAST_KEYS.map(|least| least.div_ceil(n)).to_vec();
        dimensions.dedup();
        dimensions.into_iter().map(move |dimension| (dimension, n))
    })
}

fn candidate(
    request: &ProductRequest,
    ring_bits: u32,
    scale_bits: u32,
    glwe_dimension: u32,
    polynomial_size: u32,
) -> Result<ProductParameters, SpmmError> {
    Ok(ProductParameters {
        protocol: request.protocol,
        operator: request.operator,
        pattern: request.pattern,
        release: request.release,
        users: request.users,
        uploaded_rows: request.uploaded_rows,
        returned_rows: request.returned_rows,
        fetched_rows_bound: request.fetched_rows_bound,
        columns: request.columns,
        rounds: request.rounds,
        ring_bits,
        scale_bits,
        guard_bits: request.guard_bits,
        saturation_bound: request.saturation_bound,
        row_norm_bound: request.row_norm_bound,
        nonzeros_bound: request.nonzeros_bound,
        glwe_dimension,
        polynomial_size,
        noise_bits: s3rec_he::noise_bits(glwe_dimension as usize, polynomial_size as usize)?,
        dropped_body_bits: 0,
    })
}

/// The candidate with as many body bits dropped as the inequalities allow.
fn with_most_dropped_bits(
    mut parameters: ProductParameters,
) -> Result<ProductParameters, SpmmError> {
    parameters.validate()?;
    for dropped_body_bits in 1..=GlweParameters::MAX_DROPPED_BODY_BITS {
        let next = ProductParameters {
            dropped_body_bits,
            ..parameters.clone()
        };
        if next.validate().is_err() {
            break;
        }
        parameters = next;
    }
    Ok(parameters)
}

/// Seconds that the whole job would take over the link: transfer and computing, one after the other.
fn weigh(parameters: &ProductParameters, link: &LinkProfile) -> Result<f64, SpmmError> {
    let total = cost::predict(parameters)?.total();
    let computing = (total.rating_seconds + total.social_seconds) / f64::from(link.cores.max(1));
    Ok(total.bytes() as f64 / link.bytes_per_second.max(1.0) + computing)
}

#[cfg(test)]
mod tests;
