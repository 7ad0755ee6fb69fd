//! Parameters and the conditions that P1 checks for itself.

use s3rec_lattice::DEGREE;
use s3rec_lattice::code::CodeBits;
use s3rec_lattice::digits::Gadget;
use s3rec_lattice::modulus::MODULUS_BITS;
use serde::{Deserialize, Serialize};

use super::chooser::shapes;
use super::{NoiseFirstError, Sides, Terms};

mod numbers;

pub use numbers::ParameterNumbers;

/// Largest share of μ that the noise of key switching may take.
const KEY_SWITCH_SHARE: f64 = 0.02;
/// Times D that the difference of two graphs stays below, but for a probability of 2^-240.
const KEY_SWITCH_REACH: f64 = 1.5;
/// Largest standard deviation of what is left of rounding, in units of σ.
const RESIDUAL: f64 = 0.05;
/// Friends that the residual of the uploaded codes is stated for: a constant, since one taken
/// from the links would make code widths depend on them.
const RESIDUAL_FRIENDS: f64 = 20.0;
/// Least share of β that is left for a message: rows are as long as they may be, and what is
/// taken off is signal that μ has paid for.
const KEPT: f64 = 0.98;
/// Standard deviations of the errors of bodies and keys, and of v and e₁.
pub(crate) const ERROR: f64 = 4.0;
pub(crate) const FRESH: f64 = 8.0;
/// Largest absolute error of a body: [`ERROR`] as the sampler draws it.
pub(crate) const LARGEST_ERROR: f64 = 64.0;

/// Everything that is agreed on. Both sides make it from the terms or check it against them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "(Terms, ParameterNumbers)",
    into = "(Terms, ParameterNumbers)"
)]
pub struct Parameters {
    pub(crate) terms: Terms,
    /// s, a power of two from 2 on.
    pub(crate) slots: usize,
    /// c.
    pub(crate) secrets: usize,
    pub(crate) gadget: Gadget,
    /// g.
    pub(crate) result_bits: u32,
    /// σ, in units of x.
    pub(crate) sigma: f64,
    /// Bits of the codes: bodies of the upload, the a-part and the bodies of the answer, the
    /// public key, the key-switch keys.
    pub(crate) upload_code: CodeBits,
    pub(crate) mask_code: CodeBits,
    pub(crate) body_code: CodeBits,
    pub(crate) public_key_code: CodeBits,
    pub(crate) key_code: CodeBits,
}

/// The part of the parameters that is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) slots: usize,
    pub(crate) secrets: usize,
    pub(crate) gadget: Gadget,
    pub(crate) upload_code: CodeBits,
    pub(crate) mask_code: CodeBits,
    pub(crate) body_code: CodeBits,
    pub(crate) public_key_code: CodeBits,
    pub(crate) key_code: CodeBits,
}

/// Bytes of each message, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// P0 → P1, once a session: key-switch keys and public keys.
    pub keys: usize,
    /// P0 → P1: the job's digest and the bodies.
    pub upload: usize,
    /// P1 → P0: the a-parts.
    pub masks: usize,
    /// P1 → P0: the noised bodies.
    pub bodies: usize,
}

impl Sizes {
    /// All of an opening and its keys.
    #[must_use]
    pub fn total(&self) -> usize {
        self.keys + self.upload + self.masks + self.bodies
    }
}

impl Parameters {
    /// Completes a shape by the smallest σ that keeps μ, and checks every condition.
    ///
    /// # Errors
    /// [`NoiseFirstError::Refused`].
    pub(crate) fn complete(terms: Terms, shape: Shape) -> Result<Self, NoiseFirstError> {
        terms.validate()?;
        let result_bits = terms
            .result_bits()
            .ok_or_else(|| NoiseFirstError::Refused {
                what: "the degree bound",
                actual: terms.degree_bound.into(),
                condition: "at most what 36 bits hold at this μ".into(),
            })?;
        let mut parameters = Self {
            terms,
            slots: shape.slots,
            secrets: shape.secrets,
            gadget: shape.gadget,
            result_bits,
            sigma: f64::NAN,
            upload_code: shape.upload_code,
            mask_code: shape.mask_code,
            body_code: shape.body_code,
            public_key_code: shape.public_key_code,
            key_code: shape.key_code,
        };
        let left = terms.mu.value() - KEY_SWITCH_REACH * parameters.key_switch_share();
        parameters.sigma = terms.sensitivity() / left;
        parameters.validate()?;
        Ok(parameters)
    }

    /// Every condition of the guarantee and of correctness. P1 calls it on what P0 proposes.
    ///
    /// # Errors
    /// [`NoiseFirstError::Refused`] by the first condition that fails.
    pub fn validate(&self) -> Result<(), NoiseFirstError> {
        self.terms.validate()?;
        let refuse = |what, actual: f64, condition: String| {
            Err(NoiseFirstError::Refused {
                what,
                actual,
                condition,
            })
        };
        // With one slot τ has half the order that the collapse needs: P0 would read a linear map
        // of the links that no noise hides.
        if !(self.slots.is_power_of_two() && (2..=64).contains(&self.slots)) {
            let condition = "a power of two from 2 to 64".into();
            return refuse("s", self.slots as f64, condition);
        }
        // The claim's bound on the hint is stated for up to six secrets under one mask.
        if !(1..=6).contains(&self.secrets) {
            return refuse("c", self.secrets as f64, "1 to 6".into());
        }
        if self.slots * self.secrets < self.columns() {
            let held = self.slots * self.secrets;
            return refuse(
                "s·c",
                held as f64,
                format!("at least {} columns", self.columns()),
            );
        }
        // The bound on key switching's share is a tail over n·C values; the chooser's shapes have
        // at least 1,024 of them, with fewer it would not hold.
        if !shapes(self.columns()).any(|shape| shape == (self.slots, self.secrets)) {
            let values = (self.places() * self.columns()) as f64;
            let condition = "that of a shape without waste".into();
            return refuse("n·C", values, condition);
        }
        if Some(self.result_bits) != self.terms.result_bits() {
            let condition = format!("the degree bound's: {:?}", self.terms.result_bits());
            return refuse("g", self.result_bits.into(), condition);
        }
        let least = self.result_bits + 13;
        if self.public_key_code.bits() < least {
            let bits = self.public_key_code.bits().into();
            return refuse("bits of the public key", bits, format!("at least {least}"));
        }
        let share = KEY_SWITCH_REACH * self.key_switch_share();
        let most = KEY_SWITCH_SHARE * self.terms.mu.value();
        if share.is_nan() || share > most {
            return refuse(
                "the share of key switching in μ",
                share,
                format!("at most {most}"),
            );
        }
        if !(self.sigma.is_finite() && self.sigma > 0.0) {
            return refuse("σ", self.sigma, "a positive number".into());
        }
        let spent = self.terms.sensitivity() / self.sigma + share;
        if spent.is_nan() || spent > self.terms.mu.value() * (1.0 + 1e-12) {
            return refuse(
                "μ as spent",
                spent,
                format!("at most {}", self.terms.mu.value()),
            );
        }
        let residual = self.residual();
        if residual.is_nan() || residual > RESIDUAL {
            return refuse(
                "the residual of rounding",
                residual,
                format!("at most {RESIDUAL} σ"),
            );
        }
        let kept = self.kept();
        if kept.is_nan() || kept < KEPT {
            return refuse(
                "the share of β left for a message",
                kept,
                format!("at least {KEPT}"),
            );
        }
        Ok(())
    }

    /// The terms they are for.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// σ, in units of x: at least Δ/μ.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// C.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.terms.columns as usize
    }

    /// |O|.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.terms.opened as usize
    }

    /// |W|.
    #[must_use]
    pub fn uploaded(&self) -> usize {
        self.terms.uploaded as usize
    }

    /// n, users that share a mask polynomial and rows of a pack.
    #[must_use]
    pub fn places(&self) -> usize {
        DEGREE / self.slots
    }

    /// Groups of the upload.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.uploaded().div_ceil(self.places())
    }

    /// Packs of the answer.
    #[must_use]
    pub fn packs(&self) -> usize {
        self.opened().div_ceil(self.places())
    }

    /// h = 50 − g: the noise has standard deviation 2^h.
    #[must_use]
    pub fn noise_bits(&self) -> u32 {
        MODULUS_BITS - self.result_bits
    }

    /// 2^h/σ, the units of a value of x.
    #[must_use]
    pub fn scale(&self) -> f64 {
        f64::from(self.noise_bits()).exp2() / self.sigma
    }

    /// ‖message‖₂ at most, in units, so that error and rounding of the code keep the effective
    /// row within β.
    #[must_use]
    pub fn message_bound(&self) -> f64 {
        let rounding = f64::from(MODULUS_BITS - 1 - self.upload_code.bits()).exp2();
        self.effective_bound() - f64::from(self.terms.columns).sqrt() * (rounding + LARGEST_ERROR)
    }

    /// The share of β that a message may have; rows beyond it are shortened to it.
    #[must_use]
    pub fn kept(&self) -> f64 {
        self.message_bound() / self.effective_bound()
    }

    /// β in units.
    #[must_use]
    pub fn effective_bound(&self) -> f64 {
        self.terms.row_norm_bound * self.scale()
    }

    /// Standard deviation of a coefficient's key-switch noise, at most, in ring units.
    #[must_use]
    pub fn key_switch_deviation(&self) -> f64 {
        let places = self.places() as f64;
        let degree = DEGREE as f64;
        let digit = f64::from(2 * self.gadget.width()).exp2() / 12.0;
        let key_error =
            ERROR * ERROR + f64::from(2 * (MODULUS_BITS - self.key_code.bits())).exp2() / 12.0;
        let dropped = match self.gadget.dropped_bits() {
            0 => 0.0,
            bits => f64::from(2 * bits).exp2() / 12.0,
        };
        let per_step =
            degree * self.gadget.digits() as f64 * digit * key_error + dropped * 2.0 * degree / 3.0;
        ((places - 1.0) * per_step).sqrt()
    }

    /// D: what key switching adds to the difference of two graphs, in units of σ.
    #[must_use]
    pub fn key_switch_share(&self) -> f64 {
        let packs = match self.terms.sides {
            Sides::One => 1.0,
            Sides::Two => 2.0,
        };
        let values = f64::from(self.terms.columns) * self.places() as f64;
        std::f64::consts::SQRT_2 * self.key_switch_deviation() * (packs * values).sqrt()
            / f64::from(self.noise_bits()).exp2()
    }

    /// Standard deviation of what rounding leaves in a result, in units of σ.
    #[must_use]
    pub fn residual(&self) -> f64 {
        let g = f64::from(self.result_bits);
        let step = |bits: u32| (-2.0 * (f64::from(bits) - g)).exp2();
        let degree = DEGREE as f64;
        let square = RESIDUAL_FRIENDS * step(self.upload_code.bits()) / 12.0
            + step(self.body_code.bits()) / 12.0
            + 2.0 * degree / 3.0 * step(self.mask_code.bits()) / 12.0
            + FRESH * FRESH * degree * step(self.public_key_code.bits()) / 12.0;
        square.sqrt()
    }

    /// Bytes of each message.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let shape = self.shape();
        shape.sizes(&self.terms)
    }

    /// Name and value of every number, for records and reports.
    #[must_use]
    pub fn described(&self) -> std::collections::BTreeMap<&'static str, f64> {
        let exact = |bits: CodeBits| f64::from(bits.bits());
        [
            ("degree_bound", f64::from(self.terms.degree_bound)),
            ("row_norm_bound", self.terms.row_norm_bound),
            ("slots", self.slots as f64),
            ("secrets", self.secrets as f64),
            ("digits", self.gadget.digits() as f64),
            ("digit_bits", f64::from(self.gadget.width())),
            ("result_bits", f64::from(self.result_bits)),
            ("upload_bits", exact(self.upload_code)),
            ("mask_bits", exact(self.mask_code)),
            ("body_bits", exact(self.body_code)),
            ("public_key_bits", exact(self.public_key_code)),
            ("key_bits", exact(self.key_code)),
            ("key_switch_share", self.key_switch_share()),
            ("residual", self.residual()),
            ("kept", self.kept()),
        ]
        .into()
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            slots: self.slots,
            secrets: self.secrets,
            gadget: self.gadget,
            upload_code: self.upload_code,
            mask_code: self.mask_code,
            body_code: self.body_code,
            public_key_code: self.public_key_code,
            key_code: self.key_code,
        }
    }
}

impl Shape {
    pub(crate) fn sizes(&self, terms: &Terms) -> Sizes {
        let places = DEGREE / self.slots;
        let columns = terms.columns as usize;
        let polynomial = |code: CodeBits| code.packed_bytes(DEGREE);
        let key =
            self.gadget.digits() * polynomial(self.key_code) + polynomial(self.public_key_code);
        Sizes {
            keys: self.secrets * key,
            // The job's digest besides.
            upload: 32
                + self
                    .upload_code
                    .packed_bytes(terms.uploaded as usize * columns),
            masks: (terms.opened as usize).div_ceil(places) * polynomial(self.mask_code),
            bodies: self.body_code.packed_bytes(terms.opened as usize * columns),
        }
    }
}
