//! Messages of the private set intersection.

use s3rec_job::JobId;

use super::{half_of, job_id};
use crate::v1::align_chunk::Part;
use crate::{WireError, v1};

/// Rules by which ids are normalised, as `s3rec_data` names them.
const ID_RULES: [&str; 2] = ["nfc-trim", "nfc-trim-casefold"];

/// The first message of each direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignOpening {
    /// The job.
    pub job: JobId,
    /// The sender's fresh half of the session.
    pub session_half: [u8; 32],
    /// Ids that the sender has; not yet bounded.
    pub total: u64,
    /// How the sender normalised them.
    pub id_rule: String,
    /// From P1, where the job's common users were found before: their digest.
    pub common_digest: Option<[u8; 32]>,
}

impl AlignOpening {
    /// The message.
    #[must_use]
    pub fn to_wire(&self) -> v1::AlignChunk {
        align_chunk(Part::Opening(v1::AlignOpening {
            job_id: self.job.to_string(),
            session_half: self.session_half.to_vec(),
            total: self.total,
            id_rule: self.id_rule.clone(),
            common_digest: self.common_digest.map_or_else(Vec::new, |d| d.to_vec()),
        }))
    }
}

/// Reads the first message of a direction.
///
/// # Errors
/// [`WireError`] naming the field.
pub fn align_opening(message: v1::AlignChunk) -> Result<AlignOpening, WireError> {
    let Some(Part::Opening(opening)) = message.part else {
        return Err(WireError::Missing { field: "opening" });
    };
    Ok(AlignOpening {
        job: job_id("job_id", &opening.job_id)?,
        session_half: half_of("session_half", &opening.session_half)?,
        total: opening.total,
        id_rule: rule(&opening.id_rule)?,
        common_digest: match opening.common_digest.as_slice() {
            [] => None,
            digest => Some(super::digest_of("common_digest", digest)?),
        },
    })
}

/// Reads a message after the first.
///
/// # Errors
/// [`WireError::Missing`] for one without a part, [`WireError::Form`] for another opening.
pub fn align_part(message: v1::AlignChunk) -> Result<Part, WireError> {
    match message.part {
        None => Err(WireError::Missing { field: "part" }),
        Some(Part::Opening(_)) => Err(WireError::Form {
            field: "part",
            expected: "a part of the intersection after the opening",
        }),
        Some(part) => Ok(part),
    }
}

/// A message of one part.
#[must_use]
pub fn align_chunk(part: Part) -> v1::AlignChunk {
    v1::AlignChunk { part: Some(part) }
}

pub(super) fn rule(name: &str) -> Result<String, WireError> {
    match ID_RULES.contains(&name) {
        true => Ok(name.into()),
        false => Err(WireError::Form {
            field: "id_rule",
            expected: "nfc-trim or nfc-trim-casefold",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening() -> AlignOpening {
        AlignOpening {
            job: JobId::random(),
            session_half: [7; 32],
            total: 12,
            id_rule: "nfc-trim-casefold".into(),
            common_digest: Some([9; 32]),
        }
    }

    #[test]
    fn an_opening_survives_the_wire() {
        for common_digest in [None, Some([9; 32])] {
            let opening = AlignOpening {
                common_digest,
                ..opening()
            };
            assert_eq!(align_opening(opening.to_wire()).unwrap(), opening);
        }
    }

    #[test]
    fn each_kind_of_message_has_its_place() {
        let points = || align_chunk(Part::Points(vec![1; 32]));
        assert_eq!(align_part(points()).unwrap(), Part::Points(vec![1; 32]));
        assert!(align_opening(points()).is_err());
        assert!(align_part(opening().to_wire()).is_err());
        let nothing = v1::AlignChunk { part: None };
        assert!(align_part(nothing.clone()).is_err() && align_opening(nothing).is_err());
    }

    #[test]
    fn a_spoilt_opening_is_refused_by_field() {
        let spoilt = |change: fn(&mut v1::AlignOpening)| {
            let mut message = opening().to_wire();
            if let Some(Part::Opening(opening)) = &mut message.part {
                change(opening);
            }
            align_opening(message).unwrap_err().to_string()
        };
        assert!(spoilt(|o| o.job_id.clear()).contains("job_id"));
        assert!(spoilt(|o| o.session_half.truncate(31)).contains("session_half"));
        assert!(spoilt(|o| o.id_rule = "none".into()).contains("id_rule"));
        assert!(spoilt(|o| o.common_digest.truncate(31)).contains("common_digest"));
    }
}
