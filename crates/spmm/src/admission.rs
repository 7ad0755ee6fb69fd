//! Who decides whether an input of P0 is answered, and counts that it is. Each endpoint of P1 that
//! answers an opening asks, with what the frames and the stock's own record say and nothing else:
//! an answer that nobody counted cannot be made.

use crate::SpmmError;

/// A whole input of P0, before anything is computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whose columns it uses, from 0.
    pub round: u32,
    /// Which opening of the job it is, from 1; by the stock's record where there is one.
    pub number: u32,
    /// Digest of the input as it came.
    pub digest: [u8; 32],
    /// The record holds this very message: its answer may have been lost.
    pub is_repeat: bool,
}

/// P1's word on an input, in this order; an error ends the exchange, and nothing leaves.
pub trait Admission: Send {
    /// The first frame names the round whose columns the rest will use.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] where another one is due.
    fn named(&mut self, round: u32) -> Result<(), SpmmError>;

    /// Whether the input may be answered. Nothing is on record yet: a refusal costs nothing.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] with the reason.
    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError>;

    /// The columns are on record as answered; counts the opening durably, before the answer
    /// exists. Called for a repeat too, which may have been recorded and not counted.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] where it cannot be counted.
    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError>;
}

impl Admission for Box<dyn Admission> {
    fn named(&mut self, round: u32) -> Result<(), SpmmError> {
        (**self).named(round)
    }

    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        (**self).permit(asked)
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        (**self).count(asked)
    }
}

/// Answers whatever the record allows, and counts nothing: for benchmarks, and tests of products.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uncounted;

impl Admission for Uncounted {
    fn named(&mut self, _: u32) -> Result<(), SpmmError> {
        Ok(())
    }

    fn permit(&mut self, _: &Asked) -> Result<(), SpmmError> {
        Ok(())
    }

    fn count(&mut self, _: &Asked) -> Result<(), SpmmError> {
        Ok(())
    }
}
