//! Checks of single fields.

use crate::WireError;

/// An enumeration's value; unknown numbers and the unspecified zero are refused.
pub(crate) fn enumeration<E>(field: &'static str, value: i32) -> Result<E, WireError>
where
    E: TryFrom<i32>,
{
    if value == 0 {
        return Err(WireError::Missing { field });
    }
    E::try_from(value).map_err(|_| WireError::UnknownEnum {
        field,
        actual: value,
    })
}

/// A whole number within bounds, both included.
pub(crate) fn within(
    field: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<u32, WireError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(WireError::OutOfRange {
        field,
        least: u64::from(least),
        most: u64::from(most),
        actual: u64::from(value),
    })
}

/// A finite number, zero or larger.
pub(crate) fn non_negative(field: &'static str, value: f64) -> Result<f64, WireError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(WireError::Real {
        field,
        allowed: "a finite number that is not negative",
        actual: value,
    })
}

/// A finite number larger than zero.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<f64, WireError> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(WireError::Real {
        field,
        allowed: "a finite number above zero",
        actual: value,
    })
}

/// Exactly `N` bytes.
pub(crate) fn array<const N: usize>(
    field: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], WireError> {
    bytes.try_into().map_err(|_| WireError::Length {
        field,
        expected: N as u64,
        actual: bytes.len() as u64,
    })
}

/// Text of at most `most` bytes without control characters.
pub(crate) fn text<'a>(
    field: &'static str,
    text: &'a str,
    most: usize,
) -> Result<&'a str, WireError> {
    if text.len() > most {
        return Err(WireError::TooLong { field, most });
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(WireError::Form {
            field,
            expected: "text without control characters",
        });
    }
    Ok(text)
}
