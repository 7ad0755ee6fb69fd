//! What is drawn instead of read: users' ids, links, rows and ratings, the same at both platforms
//! and at every call, so that nobody need hold them.
//!
//! Users are numbered; P0 lists them in that order, P1 in another. Each belongs to a community, by
//! which items are chosen and, in seven of ten links, friends: what friends like says something.

use std::io::Read;

use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, Seed, Stream};
use s3rec_data::power_law_draws;
use s3rec_sparse::{Rating, RatingMatrix};
use s3rec_spmm::noise_first::Friends;

use super::OpeningWorkload;
use crate::BenchError;
use crate::psi::Party;

/// Communities.
const COMMUNITIES: u32 = 64;
/// Links that are drawn one after the other.
const LINKS_AT_ONCE: usize = 1 << 20;
/// Larger than any number of users, and prime: multiplying by it gives another order of all.
const PRIME: u64 = 4_294_967_311;
/// Users of a roster who are written at a time, and by one thread.
const WRITTEN_AT_ONCE: u32 = 1 << 14;
const WRITTEN_BY_ONE: u32 = 1 << 10;

/// A platform's list of users as the bytes of a file.
pub(super) struct RosterText {
    party: Party,
    users: u32,
    next: u32,
    text: Vec<u8>,
    read: usize,
}

impl RosterText {
    pub(super) fn new(workload: &OpeningWorkload, party: Party) -> Self {
        Self {
            party,
            users: workload.users,
            next: 0,
            text: b"user_id\n".to_vec(),
            read: 0,
        }
    }
}

impl Read for RosterText {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.text.len() {
            let first = self.next;
            self.next = self.users.min(first.saturating_add(WRITTEN_AT_ONCE));
            let parts: Vec<u32> = (first..self.next)
                .step_by(WRITTEN_BY_ONE as usize)
                .collect();
            let parts = parts.into_par_iter().map(|part| {
                let users = part..self.next.min(part.saturating_add(WRITTEN_BY_ONE));
                let number = |row| number(self.party, self.users, row);
                let lines = users.map(|row| format!("user-{:08}@example.org\n", number(row)));
                lines.collect::<String>().into_bytes()
            });
            self.text = parts.collect::<Vec<Vec<u8>>>().concat();
            self.read = 0;
        }
        let read = (&self.text[self.read..]).read(into)?;
        self.read += read;
        Ok(read)
    }
}

/// The number of the user at a row of a platform's own list.
pub(super) fn number(party: Party, users: u32, row: u32) -> u32 {
    match party {
        Party::Rating => row,
        #[expect(clippy::cast_possible_truncation, reason = "below the number of users")]
        Party::Social => (u64::from(row) * PRIME % u64::from(users.max(1))) as u32,
    }
}

/// Where every user is, by number, of those whose numbers are given in order.
pub(super) fn places(users: u32, numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut places = vec![u32::MAX; users as usize];
    for (place, number) in (0..).zip(numbers) {
        places[number as usize] = place;
    }
    places
}

impl OpeningWorkload {
    /// S among users who stand at `places`; links are drawn as they are read.
    pub(crate) fn friends(&self, places: &[u32]) -> Result<Friends, BenchError> {
        let links = self.users as usize * self.links_per_user as usize;
        drop(power_law_draws(self.users as usize, links, 0)?);
        let drawn = (0..links.div_ceil(LINKS_AT_ONCE)).into_par_iter();
        let drawn = drawn.flat_map_iter(|part| {
            let count = LINKS_AT_ONCE.min(links - part * LINKS_AT_ONCE);
            let draws = power_law_draws(self.users as usize, links, 21 + part as u64);
            draws.into_iter().flatten().take(count)
        });
        let at = |user: u32| places[user as usize];
        let among = drawn.map(|(from, to)| (at(from), at(self.homely(from, to))));
        Ok(Friends::from_many(self.users, among)?)
    }

    /// A friend of one's own community, in seven of ten links.
    fn homely(&self, from: u32, to: u32) -> u32 {
        let other = to - to % COMMUNITIES + from % COMMUNITIES;
        match mixed(u64::from(from) << 32 | u64::from(to)) % 10 {
            0..7 if other < self.users => other,
            _ => to,
        }
    }

    /// Rows of norm 1 of everybody, who stand in the order of `numbers`: what a platform's own model
    /// gives is about what their community likes.
    pub(crate) fn rows(&self, numbers: &[u32]) -> Result<RealMatrix, BenchError> {
        let columns = self.columns as usize;
        let mut stream = Stream::new(&Seed::from_bytes([17; 32]));
        let mut tastes = vec![0; columns * COMMUNITIES as usize];
        stream.fill_u64(&mut tastes);
        let mut values = vec![0.0; numbers.len() * columns];
        values
            .par_chunks_mut(columns)
            .zip(numbers)
            .with_min_len(1 << 10)
            .for_each(|(row, &number)| {
                let taste = &tastes[(number % COMMUNITIES) as usize * columns..][..columns];
                let mut word = u64::from(number) << 20;
                for (value, &taste) in row.iter_mut().zip(taste) {
                    word += 1;
                    *value = signed(taste) + 0.5 * signed(mixed(word));
                }
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.iter_mut()
                    .for_each(|x| *x /= norm.max(f64::MIN_POSITIVE));
            });
        Ok(RealMatrix::from_vec(numbers.len(), columns, values)?)
    }

    /// P0's ratings, in the order of the users' numbers: a tenth of them gave none, two tenths two
    /// at most, the others six.
    pub(super) fn ratings(&self, users: u32) -> Result<RatingMatrix, BenchError> {
        let of_user = |user: u32| {
            let count = match user % 10 {
                0 => 0,
                1 | 2 => 2,
                _ => 6,
            };
            let mut items = Vec::with_capacity(count);
            items.extend((0..count as u64).map(|choice| self.choice(user, choice)));
            items.sort_unstable();
            items.dedup();
            items.into_iter().map(move |item| Rating {
                user,
                item,
                value: 1.0,
            })
        };
        let mut ratings = Vec::with_capacity(5 * users as usize);
        ratings.par_extend((0..users).into_par_iter().flat_map_iter(of_user));
        Ok(RatingMatrix::from_ratings(
            users as usize,
            self.items as usize,
            &ratings,
        )?)
    }

    /// An item, by the community's order in seven of ten choices, by everybody's in three.
    fn choice(&self, user: u32, choice: u64) -> u32 {
        let word = mixed(u64::from(user) << 24 | 1 << 20 | choice);
        let u = (word >> 11) as f64 / (1u64 << 53) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below the number of items"
        )]
        let place = (f64::from(self.items) * u * u * u.sqrt()) as u64;
        let shift = match mixed(word) % 10 {
            0..7 => u64::from(user % COMMUNITIES + 1) * 1_000_003,
            _ => 0,
        };
        #[expect(clippy::cast_possible_truncation, reason = "below the number of items")]
        let item = ((place * PRIME + shift) % u64::from(self.items)) as u32;
        item
    }
}

/// From −1 to 1.
fn signed(word: u64) -> f64 {
    (word >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// A word that looks drawn (splitmix64, Steele, Lea and Flood 2014): for what is measured, never
/// for what must be secret.
fn mixed(word: u64) -> u64 {
    let mut word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
