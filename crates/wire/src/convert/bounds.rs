//! What P1 states of its links.

use s3rec_sparse::{BoundsRule, PublicBounds, StatedBounds};

use crate::{WireError, field, v1};

named!(rule_to_wire, rule_from_wire: BoundsRule { Stated, Ladder }, BoundsRule);

/// # Errors
/// [`WireError`] naming the field that is missing or out of range.
pub fn bounds_from_wire(message: Option<v1::PublicBounds>) -> Result<PublicBounds, WireError> {
    let message = message.ok_or(WireError::Missing { field: "bounds" })?;
    let rule = rule_from_wire("bounds.rule", message.rule)?;
    if message.links == 0 {
        return Err(WireError::Missing {
            field: "bounds.links",
        });
    }
    Ok(PublicBounds {
        stated: StatedBounds {
            degree: field::within("bounds.degree", message.degree, 1, u32::MAX)?,
            links: message.links,
        },
        rule,
    })
}

/// The message.
#[must_use]
pub fn bounds_to_wire(bounds: &PublicBounds) -> v1::PublicBounds {
    v1::PublicBounds {
        degree: bounds.stated.degree,
        links: bounds.stated.links,
        rule: rule_to_wire(bounds.rule).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_survives_the_wire_and_half_of_one_does_not() {
        for rule in [BoundsRule::Stated, BoundsRule::Ladder] {
            let bounds = PublicBounds {
                stated: StatedBounds {
                    degree: 128,
                    links: 4096,
                },
                rule,
            };
            let message = bounds_to_wire(&bounds);
            assert_eq!(bounds_from_wire(Some(message)).unwrap(), bounds);
            for spoilt in [
                v1::PublicBounds {
                    degree: 0,
                    ..message
                },
                v1::PublicBounds {
                    links: 0,
                    ..message
                },
                v1::PublicBounds { rule: 0, ..message },
                v1::PublicBounds { rule: 7, ..message },
            ] {
                assert!(bounds_from_wire(Some(spoilt)).is_err(), "{spoilt:?}");
            }
        }
        assert!(bounds_from_wire(None).is_err());
    }
}
