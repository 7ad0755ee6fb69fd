//! S: who is whose friend, and the part of it that a release reads.

use rayon::prelude::*;
use s3rec_algebra::Seed;
use zeroize::{Zeroize, Zeroizing};

use super::{NoiseFirstError, Split};

/// Rows that a thread sorts at a time.
const ROWS_AT_ONCE: usize = 1 << 10;
/// Bytes of the links that are hashed at a time.
const HASHED_BYTES: usize = 1 << 15;

/// Friendships among m users: symmetric, 0/1, zero diagonal, in rows. Secret.
#[derive(Clone)]
pub struct Friends {
    starts: Vec<usize>,
    friends: Vec<u32>,
}

impl Drop for Friends {
    fn drop(&mut self) {
        self.starts.zeroize();
        self.friends.zeroize();
    }
}

impl Friends {
    /// From links in any direction, given in any order and any number of times: each pair counts
    /// once, and nobody is their own friend. A weight other than 1 would exceed the sensitivity,
    /// so there is no way to give one.
    ///
    /// # Errors
    /// [`NoiseFirstError::Link`] for a link to nobody.
    pub fn from_links(
        users: u32,
        links: impl IntoIterator<Item = (u32, u32)>,
    ) -> Result<Self, NoiseFirstError> {
        let links = links.into_iter();
        let mut pairs = Zeroizing::new(Vec::with_capacity(links.size_hint().0));
        for (from, to) in links {
            // Neither is named: an error may end up in a log, and links may not.
            if from >= users || to >= users {
                return Err(NoiseFirstError::Link);
            }
            if from != to {
                pairs.push((from, to));
            }
        }
        let mut starts = vec![0usize; users as usize + 1];
        for &(from, to) in pairs.iter() {
            starts[from as usize + 1] += 1;
            starts[to as usize + 1] += 1;
        }
        for user in 0..users as usize {
            starts[user + 1] += starts[user];
        }
        let mut friends = Zeroizing::new(vec![0u32; 2 * pairs.len()]);
        let mut next = Zeroizing::new(starts.clone());
        for &(from, to) in pairs.iter() {
            for (user, friend) in [(from, to), (to, from)] {
                friends[next[user as usize]] = friend;
                next[user as usize] += 1;
            }
        }
        drop((pairs, next));
        Ok(Self::of_rows(starts, friends))
    }

    /// Sorts each row and takes out what is in it twice.
    fn of_rows(mut starts: Vec<usize>, mut friends: Zeroizing<Vec<u32>>) -> Self {
        let mut rows = Vec::with_capacity(starts.len() - 1);
        let mut rest = &mut friends[..];
        for bounds in starts.windows(2) {
            let (row, behind) = rest.split_at_mut(bounds[1] - bounds[0]);
            rows.push(row);
            rest = behind;
        }
        rows.par_iter_mut()
            .with_min_len(ROWS_AT_ONCE)
            .for_each(|row| row.sort_unstable());
        drop(rows);
        let mut kept = 0;
        for user in 0..starts.len() - 1 {
            let (from, to) = (starts[user], starts[user + 1]);
            starts[user] = kept;
            for place in from..to {
                if place == from || friends[place] != friends[place - 1] {
                    friends[kept] = friends[place];
                    kept += 1;
                }
            }
        }
        if let Some(end) = starts.last_mut() {
            *end = kept;
        }
        friends.truncate(kept);
        let friends = std::mem::take(&mut *friends);
        Self { starts, friends }
    }

    /// m.
    #[must_use]
    pub fn users(&self) -> usize {
        self.starts.len() - 1
    }

    /// The friends of a user, ascending.
    #[must_use]
    pub fn of(&self, user: u32) -> &[u32] {
        let user = user as usize;
        match self.starts.get(user..user + 2) {
            Some(&[start, end]) => &self.friends[start..end],
            _ => &[],
        }
    }

    /// The part that a release reads: rows of the opened users, columns of the uploaded. P1 makes
    /// it itself, whatever P0 encrypts.
    ///
    /// # Errors
    /// [`NoiseFirstError::Shape`] for a split of another number of users.
    pub fn block(&self, split: &Split) -> Result<Block, NoiseFirstError> {
        if split.users() as usize != self.users() {
            return Err(NoiseFirstError::Shape {
                what: "the number of common users",
                expected: self.users(),
                actual: split.users() as usize,
            });
        }
        let mut column = vec![u32::MAX; self.users()];
        for (index, &user) in (0..).zip(split.uploaded()) {
            column[user as usize] = index;
        }
        let mut block = Block {
            starts: vec![0],
            columns: Vec::new(),
        };
        for &user in split.opened() {
            let of = self.of(user).iter().map(|&friend| column[friend as usize]);
            block
                .columns
                .extend(of.filter(|&column| column != u32::MAX));
            block.starts.push(block.columns.len());
        }
        Ok(block)
    }
}

/// The rows of opened users restricted to the uploaded ones, which are counted in their order.
/// Secret.
#[derive(Clone)]
pub struct Block {
    starts: Vec<usize>,
    columns: Vec<u32>,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.starts.zeroize();
        self.columns.zeroize();
    }
}

impl Block {
    /// Rows of `degrees` columns each, one behind the other; none where those are not all.
    pub(super) fn of_rows(degrees: impl Iterator<Item = u32>, columns: Vec<u32>) -> Option<Self> {
        let mut block = Self {
            starts: vec![0],
            columns,
        };
        let mut end = 0_usize;
        for degree in degrees {
            end = end.checked_add(degree as usize)?;
            block.starts.push(end);
        }
        (end == block.columns.len()).then_some(block)
    }

    /// |O|.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The uploaded friends of the opened user at `row`.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.columns[self.starts[row]..self.starts[row + 1]]
    }

    /// Its digest under P1's key, to tell that it is still the same. Secret.
    #[must_use]
    pub fn digest(&self, key: &Seed) -> [u8; 32] {
        let digest_key = key.derive("s3rec noise-first links", &[]);
        let mut hasher = blake3::Hasher::new_keyed(digest_key.expose_bytes());
        self.absorb(&mut hasher);
        *hasher.finalize().as_bytes()
    }

    /// Absorbs all of it: equal blocks alone hash alike.
    pub(crate) fn absorb(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.rows() as u64).to_le_bytes());
        // Many rows at a time: column by column their hashing takes as long as adding them up.
        let mut bytes = Zeroizing::new(Vec::new());
        for row in 0..self.rows() {
            let columns = self.row(row);
            bytes.extend((columns.len() as u64).to_le_bytes());
            bytes.extend(columns.iter().flat_map(|column| column.to_le_bytes()));
            if bytes.len() > HASHED_BYTES || row + 1 == self.rows() {
                hasher.update(&bytes);
                bytes.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_count_once_in_both_directions() {
        let links = [(0, 1), (1, 0), (0, 1), (2, 2), (3, 1)];
        let friends = Friends::from_links(5, links).unwrap();
        assert_eq!(friends.of(0), [1]);
        assert_eq!(friends.of(1), [0, 3]);
        assert!(friends.of(2).is_empty() && friends.of(4).is_empty() && friends.of(9).is_empty());
        assert_eq!(friends.of(3), [1]);
        let error = Friends::from_links(3, [(0, 1_234)])
            .err()
            .unwrap()
            .to_string();
        assert!(!error.chars().any(|c| c.is_ascii_digit()), "{error}");
    }

    #[test]
    fn blocks_hold_opened_rows_and_uploaded_columns_only() {
        let friends = Friends::from_links(6, [(0, 1), (0, 3), (0, 5), (2, 3), (1, 4)]).unwrap();
        let split = Split::one_sided(6, vec![0, 2]).unwrap();
        let block = friends.block(&split).unwrap();
        assert_eq!(block.rows(), 2);
        // The uploaded are 1, 3, 4 and 5.
        assert_eq!(block.row(0), [0, 1, 3]);
        assert_eq!(block.row(1), [1]);
        assert!(friends.block(&Split::two_sided(7)).is_err());
    }
}
