//! Parameters as numbers: how they cross, how they are kept, and what their digest is over.

use s3rec_lattice::DEGREE;
use s3rec_lattice::code::CodeBits;
use s3rec_lattice::digits::Gadget;
use s3rec_lattice::modulus::MODULUS;
use serde::{Deserialize, Serialize};

use super::super::chooser::shapes;
use super::super::{NoiseFirstError, Sides, Terms};
use super::{ERROR, FRESH, Parameters, Shape};

/// What of the parameters is not in the terms: how they cross, and how they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterNumbers {
    /// s.
    pub slots: u32,
    /// c.
    pub secrets: u32,
    /// d.
    pub digits: u32,
    /// w.
    pub digit_bits: u32,
    /// Bits of an uploaded code.
    pub upload_bits: u32,
    /// Of an a-part's.
    pub mask_bits: u32,
    /// Of an answered body's.
    pub body_bits: u32,
    /// Of a public key's.
    pub public_key_bits: u32,
    /// Of a key-switch key's.
    pub key_bits: u32,
    /// σ, in units of x.
    pub sigma: f64,
}

impl From<Parameters> for (Terms, ParameterNumbers) {
    fn from(parameters: Parameters) -> Self {
        (parameters.terms, parameters.numbers())
    }
}

impl TryFrom<(Terms, ParameterNumbers)> for Parameters {
    type Error = NoiseFirstError;

    fn try_from((terms, numbers): (Terms, ParameterNumbers)) -> Result<Self, NoiseFirstError> {
        Self::from_numbers(terms, &numbers)
    }
}

impl Parameters {
    /// Reads what another side chose for terms that we know ourselves, and checks every condition.
    ///
    /// # Errors
    /// [`NoiseFirstError::Refused`] by the first condition that fails.
    pub fn from_numbers(terms: Terms, numbers: &ParameterNumbers) -> Result<Self, NoiseFirstError> {
        let within = |what: &'static str, actual: u32| {
            let condition = "a width that exists".to_owned();
            let actual = actual.into();
            move |_| NoiseFirstError::Refused {
                what,
                actual,
                condition,
            }
        };
        let code = |what, bits| CodeBits::new(what, bits).map_err(within(what, bits));
        let gadget = Gadget::new(numbers.digits, numbers.digit_bits);
        let gadget = gadget.map_err(within("d and w", numbers.digits))?;
        let shape = Shape {
            slots: numbers.slots as usize,
            secrets: numbers.secrets as usize,
            gadget,
            upload_code: code("bits of the upload", numbers.upload_bits)?,
            mask_code: code("bits of the a-parts", numbers.mask_bits)?,
            body_code: code("bits of the answer", numbers.body_bits)?,
            public_key_code: code("bits of the public key", numbers.public_key_bits)?,
            key_code: code("bits of the key-switch keys", numbers.key_bits)?,
        };
        // Before anything is divided by them.
        if !shapes(terms.columns as usize)
            .any(|shape| shape == (numbers.slots as usize, numbers.secrets as usize))
        {
            return Err(NoiseFirstError::Refused {
                what: "s·c",
                actual: f64::from(numbers.slots) * f64::from(numbers.secrets),
                condition: "that of a shape without waste".into(),
            });
        }
        let parameters = Self {
            sigma: numbers.sigma,
            ..Self::complete(terms, shape)?
        };
        parameters.validate()?;
        Ok(parameters)
    }

    /// What of them is not in the terms.
    #[must_use]
    pub fn numbers(&self) -> ParameterNumbers {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        ParameterNumbers {
            slots: count(self.slots),
            secrets: count(self.secrets),
            digits: count(self.gadget.digits()),
            digit_bits: self.gadget.width(),
            upload_bits: self.upload_code.bits(),
            mask_bits: self.mask_code.bits(),
            body_bits: self.body_code.bits(),
            public_key_bits: self.public_key_code.bits(),
            key_bits: self.key_code.bits(),
            sigma: self.sigma,
        }
    }

    /// By which both sides name them: every number, the terms included.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2026 noise-first parameters v1");
        self.absorb(&mut hasher);
        *hasher.finalize().as_bytes()
    }

    /// Absorbs every number of them.
    pub(crate) fn absorb(&self, hasher: &mut blake3::Hasher) {
        // Taken apart, so that a new field cannot be forgotten.
        let Self {
            terms,
            slots,
            secrets,
            gadget,
            result_bits,
            sigma,
            upload_code,
            mask_code,
            body_code,
            public_key_code,
            key_code,
        } = self;
        let Terms {
            sides,
            opened,
            uploaded,
            columns,
            row_norm_bound,
            degree_bound,
            mu,
        } = terms;
        let sides = match sides {
            Sides::One => 1,
            Sides::Two => 2,
        };
        let numbers = [
            sides,
            u64::from(*opened),
            u64::from(*uploaded),
            u64::from(*columns),
            row_norm_bound.to_bits(),
            u64::from(*degree_bound),
            mu.value().to_bits(),
            *slots as u64,
            *secrets as u64,
            gadget.digits() as u64,
            u64::from(gadget.width()),
            u64::from(*result_bits),
            sigma.to_bits(),
            u64::from(upload_code.bits()),
            u64::from(mask_code.bits()),
            u64::from(body_code.bits()),
            u64::from(public_key_code.bits()),
            u64::from(key_code.bits()),
            // No choice so far: whoever makes them one is another job.
            DEGREE as u64,
            MODULUS,
            ERROR.to_bits(),
            FRESH.to_bits(),
        ];
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
    }
}
