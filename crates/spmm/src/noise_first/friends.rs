//! S: who is whose friend, and the part of it that a release reads.

use super::NoiseFirstError;

/// Friendships among m users: symmetric, 0/1, zero diagonal, in rows. Secret.
#[derive(Clone)]
pub struct Friends {
    starts: Vec<usize>,
    friends: Vec<u32>,
}

impl Friends {
    /// From links in any direction, given in any order and any number of times: each pair counts
    /// once, and nobody is their own friend. A weight other than 1 would exceed the sensitivity,
    /// so there is no way to give one.
    ///
    /// # Errors
    /// [`NoiseFirstError::User`] for a link to nobody.
    pub fn from_links(
        users: u32,
        links: impl IntoIterator<Item = (u32, u32)>,
    ) -> Result<Self, NoiseFirstError> {
        let mut pairs = Vec::new();
        for (from, to) in links {
            let what = "a link names no common user";
            let beyond = [from, to].into_iter().find(|&user| user >= users);
            if let Some(user) = beyond {
                return Err(NoiseFirstError::User { what, user });
            }
            if from != to {
                pairs.extend([(from, to), (to, from)]);
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0usize; users as usize + 1];
        for &(from, _) in &pairs {
            starts[from as usize + 1] += 1;
        }
        for user in 0..users as usize {
            starts[user + 1] += starts[user];
        }
        let friends = pairs.into_iter().map(|(_, to)| to).collect();
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

    /// The part that a release reads: rows of `opened`, columns of `uploaded`. P1 makes it
    /// itself, whatever P0 encrypts.
    ///
    /// # Errors
    /// [`NoiseFirstError::User`] for lists that are not ascending or name nobody.
    pub fn block(&self, opened: &[u32], uploaded: &[u32]) -> Result<Block, NoiseFirstError> {
        check_users(opened, self.users())?;
        check_users(uploaded, self.users())?;
        let mut column = vec![u32::MAX; self.users()];
        for (index, &user) in (0..).zip(uploaded) {
            column[user as usize] = index;
        }
        let mut block = Block {
            starts: vec![0],
            columns: Vec::new(),
        };
        for &user in opened {
            let of = self.of(user).iter().map(|&friend| column[friend as usize]);
            block
                .columns
                .extend(of.filter(|&column| column != u32::MAX));
            block.starts.push(block.columns.len());
        }
        Ok(block)
    }
}

/// Refuses lists of users that are not ascending, name one twice, or one beyond `users`.
pub(crate) fn check_users(list: &[u32], users: usize) -> Result<(), NoiseFirstError> {
    let what = "a list of users is not ascending";
    if let Some(pair) = list.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(NoiseFirstError::User {
            what,
            user: pair[1],
        });
    }
    match list.last() {
        Some(&user) if user as usize >= users => {
            let what = "a list names no common user";
            Err(NoiseFirstError::User { what, user })
        }
        _ => Ok(()),
    }
}

/// The rows of opened users restricted to the uploaded ones, which are counted in their order.
/// Secret.
#[derive(Clone)]
pub struct Block {
    starts: Vec<usize>,
    columns: Vec<u32>,
}

impl Block {
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

    /// Absorbs all of it: equal blocks alone hash alike.
    pub(crate) fn absorb(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.rows() as u64).to_le_bytes());
        for row in 0..self.rows() {
            let columns = self.row(row);
            hasher.update(&(columns.len() as u64).to_le_bytes());
            for column in columns {
                hasher.update(&column.to_le_bytes());
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
        assert!(Friends::from_links(3, [(0, 3)]).is_err());
    }

    #[test]
    fn blocks_hold_opened_rows_and_uploaded_columns_only() {
        let friends = Friends::from_links(6, [(0, 1), (0, 3), (0, 5), (2, 3), (1, 4)]).unwrap();
        let block = friends.block(&[0, 2], &[1, 3, 4]).unwrap();
        assert_eq!(block.rows(), 2);
        assert_eq!(block.row(0), [0, 1]);
        assert_eq!(block.row(1), [1]);
        for (opened, uploaded) in [(&[1, 0][..], &[2][..]), (&[0], &[2, 2]), (&[6], &[1])] {
            assert!(friends.block(opened, uploaded).is_err());
        }
    }
}
