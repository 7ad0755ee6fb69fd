//! Sets of users as bitmaps.

use crate::WireError;

/// `rows` (ascending, below `users`) as ⌈users/8⌉ bytes, bit i mod 8 of byte i / 8 for row i.
#[must_use]
pub fn bitmap(users: u32, rows: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0; users.div_ceil(8) as usize];
    for row in rows {
        if let Some(byte) = bytes.get_mut((row / 8) as usize) {
            *byte |= 1 << (row % 8);
        }
    }
    bytes
}

/// The rows of a bitmap, ascending.
///
/// # Errors
/// [`WireError::Length`] for another length, [`WireError::Form`] for padding bits set.
pub fn rows_of_bitmap(
    field: &'static str,
    users: u32,
    bytes: &[u8],
) -> Result<Vec<u32>, WireError> {
    let expected = users.div_ceil(8) as usize;
    if bytes.len() != expected {
        return Err(WireError::Length {
            field,
            expected: expected as u64,
            actual: bytes.len() as u64,
        });
    }
    let set = (0_u32..)
        .zip(
            bytes
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1)),
        )
        .filter(|(_, bit)| *bit == 1)
        .map(|(row, _)| row);
    let rows: Vec<u32> = set.collect();
    if rows.last().is_some_and(|last| *last >= users) {
        return Err(WireError::Form {
            field,
            expected: "a bitmap with zero padding bits",
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_survive(set in proptest::collection::btree_set(0_u32..100, 0..100)) {
            let rows: Vec<u32> = set.into_iter().collect();
            prop_assert_eq!(rows_of_bitmap("f", 100, &bitmap(100, &rows)).unwrap(), rows);
        }
    }

    #[test]
    fn padding_bits_are_refused() {
        assert!(matches!(
            rows_of_bitmap("f", 3, &[0b1000]),
            Err(WireError::Form { .. })
        ));
        assert!(matches!(
            rows_of_bitmap("f", 9, &[0]),
            Err(WireError::Length { .. })
        ));
    }
}
