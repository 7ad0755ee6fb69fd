//! Matching and peeling: an exact sum of few rows is found among the sums of few rows, and a link
//! that is found in one row is subtracted from the other.
//!
//! Sums are compared along one random direction first, then in every column. Sums of one and two
//! rows are looked up, of three as one and two, of four by meeting in the middle.

use rayon::prelude::*;
use s3rec_algebra::RealMatrix;

use crate::draws::{normal, purpose, stream};
use crate::linear::{add, dot};

/// Users whose pairs are all laid out; with more, sums of two are the largest that are found.
pub(crate) const MOST_PAIRED: usize = 2_048;
/// Units by which a sum may be off in a column, for each row in it.
const OFF: f64 = 4.0;

/// P0's rows, laid out for search.
pub(crate) struct Table<'a> {
    rows: &'a RealMatrix,
    direction: Vec<f64>,
    /// Along the direction, ascending.
    singles: Vec<(f64, u32)>,
    pairs: Vec<(f64, u32, u32)>,
    /// What values are rounded to.
    unit: f64,
    /// The largest number of rows whose sums are found.
    depth: usize,
}

/// What was found of a sum.
enum Found {
    Nothing,
    One(Vec<u32>),
    /// Several that cannot be told apart.
    Several,
}

impl Found {
    fn and(&mut self, mut users: Vec<u32>) {
        users.sort_unstable();
        *self = match std::mem::replace(self, Self::Several) {
            Self::Nothing => Self::One(users),
            Self::One(before) if before == users => Self::One(before),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    fn is_settled(&self) -> bool {
        matches!(self, Self::Several)
    }
}

impl<'a> Table<'a> {
    /// Sums of up to `depth` rows, each value rounded to `unit`.
    pub(crate) fn new(rows: &'a RealMatrix, unit: f64, depth: usize) -> Self {
        let mut rng = stream(0, purpose::PROJECTION);
        let mut direction: Vec<f64> = (0..rows.columns()).map(|_| normal(&mut rng)).collect();
        let norm = dot(&direction, &direction).sqrt();
        direction.iter_mut().for_each(|x| *x /= norm);
        let all = (0u32..).zip((0..rows.rows()).map(|row| rows.row(row)));
        let mut singles: Vec<(f64, u32)> = all
            .filter(|(_, x)| dot(x, x) > 0.0)
            .map(|(user, x)| (dot(x, &direction), user))
            .collect();
        singles.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut pairs = Vec::new();
        if singles.len() <= MOST_PAIRED {
            for (place, &(a, left)) in singles.iter().enumerate() {
                let others = singles[place..].iter();
                pairs.extend(others.map(|&(b, right)| (a + b, left, right)));
            }
            pairs.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        }
        Self {
            rows,
            direction,
            depth: if pairs.is_empty() {
                depth.min(2)
            } else {
                depth
            },
            singles,
            pairs,
            unit,
        }
    }

    /// The `count` rows, a row possibly twice, whose sum is `target`, where there is one choice.
    pub(crate) fn find(&self, target: &[f64], count: usize) -> Option<Vec<u32>> {
        let reach = OFF * self.unit * count as f64 * (target.len() as f64).sqrt();
        let along = dot(target, &self.direction);
        let mut found = Found::Nothing;
        let mut check = |users: &[u32]| {
            if self.is_sum(target, users) {
                found.and(users.to_vec());
            }
            found.is_settled()
        };
        match count {
            1 => {
                near(&self.singles, |s| s.0, along, reach)
                    .iter()
                    .any(|&(_, user)| check(&[user]));
            }
            2 if self.pairs.is_empty() => {
                self.singles.iter().any(|&(a, left)| {
                    near(&self.singles, |s| s.0, along - a, reach)
                        .iter()
                        .any(|&(_, right)| check(&[left, right]))
                });
            }
            2 => {
                near(&self.pairs, |p| p.0, along, reach)
                    .iter()
                    .any(|&(_, a, b)| check(&[a, b]));
            }
            3 => {
                self.singles.iter().any(|&(first, user)| {
                    near(&self.pairs, |p| p.0, along - first, reach)
                        .iter()
                        .any(|&(_, a, b)| check(&[user, a, b]))
                });
            }
            _ => {
                // The right ends of a window that moves down as the left pair moves up.
                let mut end = self.pairs.len();
                for &(sum, a, b) in &self.pairs {
                    while end > 0 && self.pairs[end - 1].0 > along - sum + reach {
                        end -= 1;
                    }
                    let window = self.pairs[..end].iter().rev();
                    let mut window = window.take_while(|pair| pair.0 >= along - sum - reach);
                    if window.any(|&(other, c, d)| other >= sum && check(&[a, b, c, d])) {
                        break;
                    }
                }
            }
        }
        match found {
            Found::One(users) => Some(users),
            Found::Nothing | Found::Several => None,
        }
    }

    fn is_sum(&self, target: &[f64], users: &[u32]) -> bool {
        let off = OFF * self.unit * users.len() as f64;
        target.iter().enumerate().all(|(column, target)| {
            let of = |user: &u32| self.rows.row(*user as usize)[column];
            (target - users.iter().map(of).sum::<f64>()).abs() <= off
        })
    }
}

/// Those within `reach` of `value` of a list ascending by `key`.
fn near<T>(list: &[T], key: impl Fn(&T) -> f64, value: f64, reach: f64) -> &[T] {
    let from = list.partition_point(|item| key(item) < value - reach);
    let count = list[from..].partition_point(|item| key(item) <= value + reach);
    &list[from..from + count]
}

/// What is open of one row.
pub(crate) trait Puzzle: Sync {
    /// Rows of the release.
    fn rows(&self) -> usize;
    /// What the `count` columns that are still to be found of a row must add up to, given those
    /// that are known, a weight of two as twice the column.
    fn target(&self, row: usize, known: &[u32], count: usize) -> Vec<f64>;
    /// Whether so many columns may be its whole rest: no column too often, not the user.
    fn fits(&self, row: usize, known: &[u32], found: &[u32]) -> bool;
    /// Whether rows and columns are the same users, and a link shows in both their rows.
    fn mirrored(&self) -> bool;
}

/// Columns found of every row, ascending. Rows that are found are whole.
pub(crate) fn peel(table: &Table<'_>, puzzle: &dyn Puzzle) -> Vec<Vec<u32>> {
    let mut known = vec![Vec::<u32>::new(); puzzle.rows()];
    let mut is_done = vec![false; puzzle.rows()];
    let mut is_fresh = vec![true; puzzle.rows()];
    loop {
        let tried: Vec<usize> = (0..puzzle.rows())
            .filter(|&row| !is_done[row] && is_fresh[row])
            .collect();
        let found: Vec<(usize, Vec<u32>)> = tried
            .par_iter()
            .filter_map(|&row| {
                let known = &known[row];
                (0..=table.depth).find_map(|count| {
                    let target = puzzle.target(row, known, count);
                    let found = match count {
                        0 => table.is_sum(&target, &[]).then(Vec::new),
                        _ => table.find(&target, count),
                    }?;
                    puzzle.fits(row, known, &found).then_some((row, found))
                })
            })
            .collect();
        tried.iter().for_each(|&row| is_fresh[row] = false);
        if found.is_empty() {
            return known;
        }
        // All first: of two rows found at once neither is told of the other.
        found.iter().for_each(|(row, _)| is_done[*row] = true);
        for (row, columns) in found {
            for column in columns {
                known[row].push(column);
                let other = column as usize;
                if puzzle.mirrored() && !is_done[other] {
                    known[other].push(u32::try_from(row).unwrap_or(u32::MAX));
                    is_fresh[other] = true;
                }
            }
        }
    }
}

/// Sums of friends' rows: weights of one.
pub(crate) struct FriendsPuzzle<'a> {
    pub(crate) release: &'a crate::Release,
}

impl Puzzle for FriendsPuzzle<'_> {
    fn rows(&self) -> usize {
        self.release.sums.rows()
    }

    fn target(&self, row: usize, known: &[u32], _: usize) -> Vec<f64> {
        let mut rest = self.release.sums.row(row).to_vec();
        for &column in known {
            add(&mut rest, self.release.rows.row(column as usize), -1.0);
        }
        rest
    }

    fn fits(&self, row: usize, known: &[u32], found: &[u32]) -> bool {
        let is_self = |column: u32| self.mirrored() && column as usize == row;
        let is_new = |&column: &u32| !known.contains(&column) && !is_self(column);
        found.iter().all(is_new) && found.windows(2).all(|pair| pair[0] != pair[1])
    }

    fn mirrored(&self) -> bool {
        self.release.sides == s3rec_spmm::noise_first::Sides::Two
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::EXACT_UNIT;

    fn rows(count: usize) -> RealMatrix {
        let mut rng = stream(5, purpose::ROWS);
        let unit = |x: f64| (x / EXACT_UNIT).round() * EXACT_UNIT;
        let values = (0..count * 6).map(|_| unit(normal(&mut rng)));
        RealMatrix::from_vec(count, 6, values.collect()).unwrap()
    }

    #[test]
    fn sums_of_up_to_four_rows_are_found() {
        let rows = rows(120);
        let table = Table::new(&rows, EXACT_UNIT, 4);
        for users in [
            vec![7],
            vec![3, 90],
            vec![11, 11],
            vec![1, 2, 3],
            vec![4, 50, 60, 119],
        ] {
            let mut sum = vec![0.0; 6];
            for &user in &users {
                add(&mut sum, rows.row(user as usize), 1.0);
            }
            assert_eq!(table.find(&sum, users.len()), Some(users.clone()));
            sum[3] += 0.01;
            assert_eq!(table.find(&sum, users.len()), None, "{users:?}");
        }
    }

    #[test]
    fn rows_that_are_alike_are_not_guessed_between() {
        let mut rows = rows(40);
        let twin = rows.row(8).to_vec();
        rows.row_mut(9).copy_from_slice(&twin);
        let table = Table::new(&rows, EXACT_UNIT, 4);
        assert_eq!(table.find(&twin, 1), None);
        assert_eq!(table.find(rows.row(10), 1), Some(vec![10]));
    }
}
