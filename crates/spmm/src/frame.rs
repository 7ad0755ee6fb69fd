//! What crosses the link: frames of at most one mebibyte, each naming its step.

use serde::{Deserialize, Serialize};

use crate::SpmmError;

/// Largest payload of one frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// The step of a protocol that a frame belongs to; one byte on the wire.
///
/// The numbers are part of the wire format: they are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Step {
    /// P0 → P1: bodies of P0's public key (section 3.1, step 3).
    PublicKey = 1,
    /// P0 → P1: master seed of the masks of an upload (section 3.1, step 1).
    MaskSeed = 2,
    /// P0 → P1: rounded bodies of P0's encrypted rows (section 3.1, step 1).
    Bodies = 3,
    /// P1 → P0: masked, rounded responses (section 3.1, step 5).
    Responses = 4,
    /// P0 → P1: U − Z, ℓ bits a value (section 3.3, online).
    MaskedFactors = 5,
    /// P1 → P0: Y·(U − Z) + R, ℓ bits a value (section 3.3, online).
    MaskedProduct = 6,
    /// Both ways: a party's cursor over a stock (section 3.3, resume).
    Cursor = 7,
    /// Both ways: a party's view of the identity of a stock (section 3.3, identity).
    Identity = 8,
    /// P0 → P1: the functionality in the clear, of the stand-ins only.
    ClearFactors = 9,
    /// P1 → P0: the functionality in the clear, of the stand-ins only.
    ClearProduct = 10,
    /// P1 → P0: queries of the retrieval (section 3.2).
    Queries = 11,
    /// P1 → P0: key-switching keys of the retrieval (section 3.2).
    ExpansionKeys = 12,
    /// P0 → P1: retrieved bodies, encrypted under P1's key (section 3.2).
    Answers = 13,
    /// Both ways: which stock and round the following values belong to (section 3.3).
    Opening = 14,
    /// P1 → P0: a-parts of a noised opening (page `noised_opening`, prepare).
    Masks = 15,
}

impl Step {
    /// All steps, in the order of their numbers.
    pub const ALL: [Step; 15] = [
        Step::PublicKey,
        Step::MaskSeed,
        Step::Bodies,
        Step::Responses,
        Step::MaskedFactors,
        Step::MaskedProduct,
        Step::Cursor,
        Step::Identity,
        Step::ClearFactors,
        Step::ClearProduct,
        Step::Queries,
        Step::ExpansionKeys,
        Step::Answers,
        Step::Opening,
        Step::Masks,
    ];

    /// The step's number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Name for people and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Step::PublicKey => "public-key",
            Step::MaskSeed => "mask-seed",
            Step::Bodies => "bodies",
            Step::Responses => "responses",
            Step::MaskedFactors => "masked-factors",
            Step::MaskedProduct => "masked-product",
            Step::Cursor => "cursor",
            Step::Identity => "identity",
            Step::ClearFactors => "clear-factors",
            Step::ClearProduct => "clear-product",
            Step::Queries => "queries",
            Step::ExpansionKeys => "expansion-keys",
            Step::Answers => "answers",
            Step::Opening => "opening",
            Step::Masks => "masks",
        }
    }
}

impl TryFrom<u32> for Step {
    type Error = SpmmError;

    fn try_from(number: u32) -> Result<Step, SpmmError> {
        Step::ALL
            .into_iter()
            .find(|step| u32::from(step.number()) == number)
            .ok_or(SpmmError::UnknownStep { number })
    }
}

/// One message of a protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it carries.
    pub step: Step,
    /// Its place among the sender's frames of this endpoint, from 0 without gaps.
    pub sequence: u32,
    /// At most [`MAX_FRAME_BYTES`] bytes; the module of the step documents them.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    /// Names and sizes only: a payload never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("step", &self.step)
            .field("sequence", &self.sequence)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_step_is_known_by_its_number_and_no_other() {
        let known: BTreeSet<u32> = Step::ALL.map(|step| step.number().into()).into();
        assert_eq!(known.len(), Step::ALL.len());
        for step in Step::ALL {
            assert_eq!(Step::try_from(u32::from(step.number())).unwrap(), step);
        }
        for number in (0..600)
            .chain([u32::MAX])
            .filter(|number| !known.contains(number))
        {
            let refused = Step::try_from(number).unwrap_err();
            assert!(matches!(refused, SpmmError::UnknownStep { .. }), "{number}");
        }
        let names: BTreeSet<_> = Step::ALL.map(Step::name).into();
        assert!(names.len() == Step::ALL.len() && !names.contains(""));
    }
}
