//! Everything public that a secure product runs with, and the inequalities it must satisfy.
//!
//! | symbol | field | meaning |
//! |---|---|---|
//! | m | `users` | users both platforms have |
//! | k | `columns` | columns of one opening |
//! | ℓ | `ring_bits` | values live in Z_{2^ℓ} |
//! | f_u, f_y | `scale_bits`, `weight_bits` | fractional bits of U and of Y |
//! | u_max | `saturation_bound` | public bound on the entries of U |
//! | L | `row_norm_bound` | public bound on the absolute row sums of Y |
//! | N, κ, b, t | `polynomial_size`, `glwe_dimension`, `noise_bits`, `dropped_body_bits` | the ciphertexts |
//! | p | [`Layout::rows_per_response`] | rows packed into one response |

use s3rec_algebra::{AlgebraError, FixedPoint, RingBits};
use s3rec_he::{GlweParameters, noise};

use s3rec_sparse::{OperatorKind, PatternPolicy};
use serde::{Deserialize, Serialize};

use crate::fetch;
use crate::release::Release;
use crate::{Protocol, ReleasePolicy, SpmmError};

pub use s3rec_he::noise::STATISTICAL_BITS;

/// Limits that keep every size computed from parameters of a peer inside `usize`.
const MOST_USERS: u64 = 1 << 24;
const MOST_COLUMNS: u64 = 512;
const MOST_ROUNDS: u64 = 1 << 16;

/// The public parameters of one job's products. Both platforms hold the same and each checks
/// them for itself with [`validate`](ProductParameters::validate).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductParameters {
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
    /// Rows of U that P0 uploads; m unless the pattern policy trims them.
    pub uploaded_rows: u32,
    /// Rows of Y·U that P1 returns; m unless the pattern policy trims them.
    pub returned_rows: u32,
    /// d_max, the most rows that P1 fetches privately; 0 when it receives all.
    pub fetched_rows_bound: u32,
    /// k, columns of one opening.
    pub columns: u32,
    /// Openings the parameters are made for.
    pub rounds: u32,
    /// ℓ.
    pub ring_bits: u32,
    /// f_u.
    pub scale_bits: u32,
    /// Low bits of U kept at zero, so that every protocol is exact (section 2).
    pub guard_bits: u32,
    /// u_max, set without looking at U.
    pub saturation_bound: f64,
    /// L, stated or from the ladder, in units of 2^-f_y.
    pub row_norm_bound: u64,
    /// Public bound on the non-zeros of Y.
    pub nonzeros_bound: u64,
    /// κ.
    pub glwe_dimension: u32,
    /// N.
    pub polynomial_size: u32,
    /// b of TUniform(b).
    pub noise_bits: u32,
    /// t, low bits rounded off the uploaded bodies.
    pub dropped_body_bits: u32,
}

/// How the columns of a job are cut into ciphertexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Uploads in all: one a round for `he`, as few as hold all columns for `preprocessed`.
    pub blocks: u32,
    /// Openings served by one block.
    pub rounds_per_block: u32,
    /// Slots of a ciphertext in use: k times the rounds of a block.
    pub block_columns: u32,
    /// p, rows of the product packed into one response.
    pub rows_per_response: u32,
}

impl Layout {
    /// Slots of a response that carry values.
    pub fn used_slots(&self) -> usize {
        self.rows_per_response as usize * self.block_columns as usize
    }
}

impl ProductParameters {
    /// f_y, a property of the operator.
    pub fn weight_bits(&self) -> u32 {
        self.operator.weight_bits()
    }

    /// The ring Z_{2^ℓ}.
    ///
    /// # Errors
    /// Algebra's, for a width outside 32 to 48.
    pub fn ring(&self) -> Result<RingBits, SpmmError> {
        Ok(RingBits::new(self.ring_bits)?)
    }

    /// The fixed-point encoding of U; its scale must be the one the ring and L allow.
    ///
    /// # Errors
    /// [`SpmmError::Overflow`] unless L·u_max·2^f_u·2^guard < 2^(ℓ−1), [`SpmmError::BelowUnit`]
    /// when u_max·2^f_u is less than one.
    pub fn fixed_point(&self) -> Result<FixedPoint, SpmmError> {
        let ring = self.ring()?;
        let fixed = FixedPoint::fit(
            ring,
            self.row_norm_bound,
            self.saturation_bound,
            self.guard_bits,
        );
        if matches!(fixed, Err(AlgebraError::Bound { .. })) {
            return Err(SpmmError::NotPositive {
                what: "saturation bound",
                actual: self.saturation_bound,
            });
        }
        match fixed {
            Err(AlgebraError::BelowUnit { u_max, scale_bits }) => Err(SpmmError::BelowUnit {
                saturation_bound: u_max,
                scale_bits,
            }),
            Ok(fixed) if fixed.scale_bits() == self.scale_bits => Ok(fixed),
            Ok(fixed) if fixed.scale_bits() > self.scale_bits => Err(SpmmError::OutOfRange {
                what: "scale bits",
                least: u64::from(fixed.scale_bits()),
                most: u64::from(fixed.scale_bits()),
                actual: u64::from(self.scale_bits),
            }),
            _ => Err(self.overflow()),
        }
    }

    /// The parameters of the ciphertexts.
    ///
    /// # Errors
    /// [`SpmmError::He`] for a combination below the security level or off the noise table.
    pub fn glwe(&self) -> Result<GlweParameters, SpmmError> {
        let (dimension, polynomial_size) =
            (self.glwe_dimension as usize, self.polynomial_size as usize);
        let glwe = GlweParameters::new(dimension, polynomial_size, self.dropped_body_bits)?;
        let (least, most) = (u64::from(glwe.noise_bits()), u64::from(glwe.noise_bits()));
        in_range("noise bits", self.noise_bits, least, most)?;
        Ok(glwe)
    }

    /// Columns of all openings together.
    #[must_use]
    pub fn all_columns(&self) -> u64 {
        u64::from(self.columns) * u64::from(self.rounds)
    }

    /// How the job's columns are cut into ciphertexts.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] when one opening does not fit a ciphertext.
    pub fn layout(&self) -> Result<Layout, SpmmError> {
        in_range(
            "columns",
            self.columns,
            1,
            MOST_COLUMNS.min(u64::from(self.polynomial_size)),
        )?;
        in_range("rounds", self.rounds, 1, MOST_ROUNDS)?;
        let (blocks, rounds_per_block) = if self.protocol.is_preprocessed() {
            let blocks = self.rounds.div_ceil(self.polynomial_size / self.columns);
            (blocks, self.rounds.div_ceil(blocks))
        } else {
            (self.rounds, 1)
        };
        let block_columns = self.columns * rounds_per_block;
        Ok(Layout {
            blocks,
            rounds_per_block,
            block_columns,
            rows_per_response: self.polynomial_size / block_columns,
        })
    }

    /// B, the worst-case noise of a response in units of 2^-128 (section 3.1); `None` beyond 2^128.
    ///
    /// # Errors
    /// Those of [`layout`](ProductParameters::layout) and [`glwe`](ProductParameters::glwe).
    pub fn noise_bound(&self) -> Result<Option<u128>, SpmmError> {
        let packed_rows = self.layout()?.rows_per_response as usize;
        Ok(noise::bound(
            &self.glwe()?,
            self.row_norm_bound,
            packed_rows,
        ))
    }

    /// Values ever returned for this stock: n of the inequality.
    ///
    /// # Errors
    /// Those of [`layout`](ProductParameters::layout).
    pub fn returned_values(&self) -> Result<u64, SpmmError> {
        let layout = self.layout()?;
        in_range("returned rows", self.returned_rows, 0, MOST_USERS)?;
        Ok(u64::from(self.returned_rows)
            * u64::from(layout.block_columns)
            * u64::from(layout.blocks))
    }

    /// −log₂ of the statistical distance of a whole job's view from its simulation, rounded
    /// down: what the inequality of section 3.1 requires to be at least 40.
    ///
    /// # Errors
    /// Those of [`layout`](ProductParameters::layout).
    pub fn statistical_bits(&self) -> Result<u32, SpmmError> {
        let bound = self.noise_bound()?.unwrap_or(u128::MAX);
        Ok(noise::statistical_bits(
            self.ring()?,
            bound,
            self.returned_values()?,
        ))
    }

    /// Lowest estimated cost of an attack on the ciphertexts, log₂ (section 2).
    pub fn security_bits(&self) -> u32 {
        s3rec_he::security_bits(self.glwe_dimension as usize * self.polynomial_size as usize)
    }

    /// Checks every inequality of sections 2 and 3.1, before any data moves.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`], [`SpmmError::Overflow`], [`SpmmError::BelowUnit`],
    /// [`SpmmError::NoiseShows`], [`SpmmError::Inexact`], and those of the scheme.
    pub fn validate(&self) -> Result<(), SpmmError> {
        in_range("users", self.users, 1, MOST_USERS)?;
        in_range(
            "uploaded rows",
            self.uploaded_rows,
            0,
            u64::from(self.users),
        )?;
        in_range(
            "returned rows",
            self.returned_rows,
            0,
            u64::from(self.users),
        )?;
        in_range("ring bits", self.ring_bits, 32, 48)?;
        in_range("scale bits", self.scale_bits, 0, 16)?;
        in_range("guard bits", self.guard_bits, 0, 8)?;
        in_range("non-zeros bound", self.nonzeros_bound, 0, 1 << 40)?;
        if self.pattern == PatternPolicy::Nothing {
            self.same("returned rows", self.returned_rows)?;
            self.same("uploaded rows", self.uploaded_rows)?;
        }
        if self.pattern == PatternPolicy::ActiveRows && !self.operator.is_symmetric() {
            // Its columns stay secret: only a symmetric operator's show with the rows.
            self.same("uploaded rows", self.uploaded_rows)?;
        }
        if matches!(self.release, ReleasePolicy::Noised { .. })
            && self.pattern != PatternPolicy::Nothing
        {
            // An exact list of who has links stands beside no (ε, δ) statement.
            return Err(SpmmError::Unsupported {
                what: "the release policy noised",
                with: "a pattern policy that shows who has a link",
            });
        }
        if self.protocol == Protocol::NoiseFirst {
            // Its own parameters are `noise_first::Parameters`.
            return Err(SpmmError::Unsupported {
                what: "the protocol noise-first",
                with: "parameters of an exact product",
            });
        }
        if self.operator == OperatorKind::Friends {
            // Friends' sums leave with the noise of `noise-first` or not at all.
            return Err(SpmmError::Unsupported {
                what: "the operator friends",
                with: self.protocol.name(),
            });
        }
        self.check_fetching()?;
        self.release.validate(self.ring_bits)?;
        Release::of(self)?;
        if matches!(self.release, ReleasePolicy::Coarse { .. }) && !self.protocol.is_preprocessed()
        {
            return Err(SpmmError::Unsupported {
                what: "the release policy coarse",
                with: self.protocol.name(),
            });
        }
        self.fixed_point()?;
        let glwe = self.glwe()?;
        let statistical_bits = self.statistical_bits()?;
        if statistical_bits < STATISTICAL_BITS {
            return Err(SpmmError::NoiseShows {
                available_bits: statistical_bits,
                required_bits: STATISTICAL_BITS,
            });
        }
        let bound = self.noise_bound()?.unwrap_or(u128::MAX);
        if !noise::is_correct(&glwe, self.ring()?, bound) {
            return Err(SpmmError::Inexact {
                ring_bits: self.ring_bits,
            });
        }
        Ok(())
    }

    /// Names the parameters: BLAKE3 over all fields in a fixed order, 8 bytes each.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 product parameters v1");
        let release = match self.release {
            ReleasePolicy::Exact => [0, 0, 0, 0],
            ReleasePolicy::Coarse { released_bits } => [1, u64::from(released_bits), 0, 0],
            // Refused by `validate`.
            ReleasePolicy::Friends(release) => [
                3,
                release.mu.to_bits(),
                release.row_norm_bound.to_bits(),
                u64::from(release.most_opened),
            ],
            ReleasePolicy::Noised {
                sigma,
                row_norm_beta,
                delta,
            } => [2, sigma.to_bits(), row_norm_beta.to_bits(), delta.to_bits()],
        };
        let pattern = match self.pattern {
            PatternPolicy::Nothing => 0,
            PatternPolicy::ActiveRows => 1,
            PatternPolicy::ActiveRowsAndColumns => 2,
        };
        let numbers = [
            self.users,
            self.uploaded_rows,
            self.returned_rows,
            self.fetched_rows_bound,
            self.columns,
            self.rounds,
            self.ring_bits,
            self.scale_bits,
            self.guard_bits,
            self.glwe_dimension,
            self.polynomial_size,
            self.noise_bits,
            self.dropped_body_bits,
            pattern,
        ];
        for name in [self.protocol.name(), self.operator.name()] {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        let wide = [
            self.saturation_bound.to_bits(),
            self.row_norm_bound,
            self.nonzeros_bound,
        ];
        for number in numbers
            .map(u64::from)
            .into_iter()
            .chain(wide)
            .chain(release)
        {
            hasher.update(&number.to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// Retrieval is for operators whose columns differ from their rows: for the others the rows
    /// already tell the columns, and trimming the upload is cheaper (section 3.2).
    fn check_fetching(&self) -> Result<(), SpmmError> {
        let most = if self.protocol.fetches_privately() {
            u64::from(self.users)
        } else {
            0
        };
        in_range(
            "fetched rows bound",
            self.fetched_rows_bound,
            most.min(1),
            most,
        )?;
        if !self.protocol.fetches_privately() {
            return Ok(());
        }
        if self.operator.is_symmetric() {
            return Err(SpmmError::Unsupported {
                what: self.protocol.name(),
                with: self.operator.name(),
            });
        }
        if self.uploaded_rows != self.users {
            return Err(SpmmError::Unsupported {
                what: self.protocol.name(),
                with: "a trimmed upload",
            });
        }
        fetch::pir_parameters(self)?;
        Ok(())
    }

    fn overflow(&self) -> SpmmError {
        SpmmError::Overflow {
            row_norm_bound: self.row_norm_bound,
            saturation_bound: self.saturation_bound,
            scale_bits: self.scale_bits,
            guard_bits: self.guard_bits,
            ring_bits: self.ring_bits,
        }
    }

    fn same(&self, what: &'static str, rows: u32) -> Result<(), SpmmError> {
        if rows == self.users {
            return Ok(());
        }
        Err(SpmmError::Shape {
            what,
            expected: u64::from(self.users),
            actual: u64::from(rows),
        })
    }
}

/// Refuses a value outside `least..=most`.
pub(crate) fn in_range(
    what: &'static str,
    actual: impl Into<u64>,
    least: u64,
    most: u64,
) -> Result<(), SpmmError> {
    let actual = actual.into();
    if (least..=most).contains(&actual) {
        Ok(())
    } else {
        Err(SpmmError::OutOfRange {
            what,
            least,
            most,
            actual,
        })
    }
}
