//! S: who is whose friend, and the part of it that a release reads.

use rayon::prelude::*;
use s3rec_algebra::Seed;
use zeroize::{Zeroize, Zeroizing};

use super::{NoiseFirstError, Split};

mod rows;

/// Rows that a thread makes at a time.
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
        let mut pairs = Pairs::with_capacity(links.size_hint().0);
        links.for_each(|link| pairs.add(users, link));
        Self::of_pairs(users, vec![pairs])
    }

    /// The same of links that many threads give.
    ///
    /// # Errors
    /// As [`Self::from_links`].
    pub fn from_many(
        users: u32,
        links: impl ParallelIterator<Item = (u32, u32)>,
    ) -> Result<Self, NoiseFirstError> {
        let gather = |mut pairs: Pairs, link| {
            pairs.add(users, link);
            pairs
        };
        let parts = links.fold(Pairs::default, gather).collect();
        Self::of_pairs(users, parts)
    }

    /// The same of links under other numbers: `at` gives a user's own, or none to whoever is not
    /// among them, whose links fall away.
    ///
    /// # Errors
    /// As [`Self::from_links`].
    pub fn among(
        users: u32,
        links: &[(u32, u32)],
        at: impl Fn(u32) -> Option<u32> + Sync,
    ) -> Result<Self, NoiseFirstError> {
        let of = |&(from, to): &(u32, u32)| Some((at(from)?, at(to)?));
        Self::from_many(users, links.par_iter().filter_map(of))
    }

    fn of_pairs(users: u32, parts: Vec<Pairs>) -> Result<Self, NoiseFirstError> {
        if parts.iter().any(|part| part.has_nobody) {
            return Err(NoiseFirstError::Link);
        }
        let (starts, friends) = rows::of_pairs(users as usize, parts);
        Ok(Self { starts, friends })
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
        let columns_of = |user: u32| {
            let of = self.of(user).iter().map(|&friend| column[friend as usize]);
            of.filter(|&column| column != u32::MAX)
        };
        let opened = split.opened();
        let mut starts = vec![0; opened.len() + 1];
        starts[1..]
            .par_iter_mut()
            .zip(opened)
            .with_min_len(ROWS_AT_ONCE)
            .for_each(|(count, &user)| *count = columns_of(user).count());
        rows::add_up(&mut starts);
        let mut columns = vec![0; starts[opened.len()]];
        rows::runs_of(&starts, &mut columns, ROWS_AT_ONCE)
            .into_par_iter()
            .zip(opened.par_chunks(ROWS_AT_ONCE))
            .for_each(|(places, users)| {
                let columns = users.iter().flat_map(|&user| columns_of(user));
                places.iter_mut().zip(columns).for_each(|(to, at)| *to = at);
            });
        Ok(Block { starts, columns })
    }

    /// As [`Self::block`], and of everybody's rows and columns without a copy.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub fn into_block(mut self, split: &Split) -> Result<Block, NoiseFirstError> {
        let all = [split.opened().len(), split.uploaded().len()];
        if split.users() as usize != self.users() || all != [self.users(); 2] {
            return self.block(split);
        }
        Ok(Block {
            starts: std::mem::take(&mut self.starts),
            columns: std::mem::take(&mut self.friends),
        })
    }
}

/// Links as they are given, by one thread.
#[derive(Default)]
struct Pairs {
    links: Zeroizing<Vec<(u32, u32)>>,
    has_nobody: bool,
}

impl Pairs {
    fn with_capacity(links: usize) -> Self {
        Self {
            links: Zeroizing::new(Vec::with_capacity(links)),
            has_nobody: false,
        }
    }

    fn add(&mut self, users: u32, (from, to): (u32, u32)) {
        // Neither is named: an error may end up in a log, and links may not.
        self.has_nobody |= from >= users || to >= users;
        if from != to {
            self.links.push((from, to));
        }
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

    /// More users than one run has, and links from many threads.
    #[test]
    fn rows_are_those_of_any_order_and_any_number_of_threads() {
        let users = 2_500;
        let link = |at: u32| (at * at % 2_477, at * 31 % users);
        let friends = Friends::from_many(users, (0..9_000).into_par_iter().map(link)).unwrap();
        let again = Friends::from_links(users, (0..9_000).rev().map(link)).unwrap();
        let mut expected = vec![std::collections::BTreeSet::new(); users as usize];
        for (from, to) in (0..9_000).map(link).filter(|(from, to)| from != to) {
            expected[from as usize].insert(to);
            expected[to as usize].insert(from);
        }
        for (user, expected) in (0..).zip(expected) {
            let expected: Vec<u32> = expected.into_iter().collect();
            assert_eq!(friends.of(user), expected, "{user}");
            assert_eq!(again.of(user), expected, "{user}");
        }
        let nobody = (0..9_000).into_par_iter().map(|at| (at % 7, users));
        assert!(Friends::from_many(users, nobody).is_err());
        let everybody = Split::two_sided(users);
        let (key, block) = (
            Seed::from_bytes([1; 32]),
            friends.block(&everybody).unwrap(),
        );
        let moved = friends.into_block(&everybody).unwrap();
        assert_eq!(moved.digest(&key), block.digest(&key));
        assert!(again.into_block(&Split::two_sided(users + 1)).is_err());
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
