//! Folds as a file, so that anything can be compared on the same split: one line a rating, its
//! user, item, rating and fold, tab-separated under a header.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use s3rec_data::{RatingSet, k_fold};
use s3rec_model::Split;

use crate::failure::Failure;

const HEADER: &str = "user\titem\trating\tfold";

/// The fold of every rating, in the order of the set.
pub(super) struct Folds(Vec<usize>);

impl Folds {
    /// As drawn by a seed.
    pub(super) fn draw(ratings: &RatingSet, folds: u32, seed: u64) -> Result<Self, Failure> {
        let mut of = vec![0; ratings.ratings.len()];
        for (fold, split) in k_fold(of.len(), folds as usize, seed)?.iter().enumerate() {
            for &place in &split.test {
                of[place] = fold;
            }
        }
        Ok(Self(of))
    }

    /// As a file has them: every rating of the set once, and nothing else.
    pub(super) fn read(ratings: &RatingSet, path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(Failure::at(path))?;
        let places: HashMap<(u32, u32), usize> = ratings
            .ratings
            .iter()
            .enumerate()
            .map(|(place, rating)| ((rating.user, rating.item), place))
            .collect();
        let mut of = vec![None; ratings.ratings.len()];
        for (line, row) in text.lines().enumerate().map(|(n, row)| (n + 1, row)) {
            if line == 1 {
                if row != HEADER {
                    return Err(wrong(
                        path,
                        line,
                        "the header must be user, item, rating, fold",
                    ));
                }
                continue;
            }
            let fields: Vec<&str> = row.split('\t').collect();
            let [user, item, rating, fold] = fields[..] else {
                return Err(wrong(
                    path,
                    line,
                    "expected four fields: user, item, rating, fold",
                ));
            };
            let pair = ratings.users.find(user).zip(ratings.items.find(item));
            let Some(&place) = pair.and_then(|pair| places.get(&pair)) else {
                let what = format!("the ratings have none of item {item:?} by user {user:?}");
                return Err(wrong(path, line, &what));
            };
            let value = ratings.ratings[place].value;
            if rating.parse() != Ok(value) {
                let what = format!("the rating is {rating}, in the ratings file it is {value}");
                return Err(wrong(path, line, &what));
            }
            let fold: Option<u16> = fold.parse().ok();
            let fold = fold.ok_or_else(|| wrong(path, line, "the fold is not a number from 0"))?;
            if of[place].replace(usize::from(fold)).is_some() {
                return Err(wrong(path, line, "this rating has a fold already"));
            }
        }
        let missing = of.iter().filter(|fold| fold.is_none()).count();
        if missing > 0 {
            let what = format!("{}: {missing} ratings have no fold", path.display());
            return Err(Failure::Usage(what));
        }
        let folds = Self(of.into_iter().flatten().collect());
        let sizes = folds.sizes();
        if sizes.len() < 2 || sizes.contains(&0) {
            let what = "folds must be numbered from 0 without a gap, two at least";
            return Err(Failure::Usage(format!("{}: {what}", path.display())));
        }
        Ok(folds)
    }

    /// Writes the file.
    pub(super) fn write(&self, ratings: &RatingSet, path: &Path) -> Result<(), Failure> {
        let mut text = format!("{HEADER}\n");
        for (rating, fold) in ratings.ratings.iter().zip(&self.0) {
            let user = ratings.users.name(rating.user).unwrap_or_default();
            let item = ratings.items.name(rating.item).unwrap_or_default();
            for id in [user, item] {
                if id.contains(['\t', '\n', '\r']) {
                    let what = format!(
                        "{}: the id {id:?} has a tab or an end of line",
                        path.display()
                    );
                    return Err(Failure::Usage(what));
                }
            }
            // Writing into a string does not fail.
            let _ = writeln!(text, "{user}\t{item}\t{}\t{fold}", rating.value);
        }
        std::fs::write(path, text).map_err(Failure::at(path))
    }

    /// Each fold's ratings held out, the others to learn from.
    pub(super) fn splits(&self, ratings: &RatingSet) -> Vec<Split> {
        let pick = |wanted: &dyn Fn(usize) -> bool| {
            let chosen = ratings.ratings.iter().zip(&self.0);
            let chosen = chosen.filter(|(_, fold)| wanted(**fold));
            chosen.map(|(&rating, _)| rating).collect()
        };
        (0..self.sizes().len())
            .map(|held_out| Split {
                train: pick(&|fold| fold != held_out),
                test: pick(&|fold| fold == held_out),
            })
            .collect()
    }

    fn sizes(&self) -> Vec<usize> {
        let count = self.0.iter().max().map_or(0, |most| most + 1);
        let mut sizes = vec![0; count];
        for &fold in &self.0 {
            sizes[fold] += 1;
        }
        sizes
    }
}

fn wrong(path: &Path, line: usize, what: &str) -> Failure {
    Failure::Usage(format!("{}:{line}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_data::RatingOptions;

    fn ratings() -> RatingSet {
        let rows: String = (0..20)
            .map(|n| format!("u{}\ti{}\t{}\n", n % 5, n / 5, 1.5 + f64::from(n % 3)))
            .collect();
        let name = Path::new("ratings.tsv");
        RatingSet::read_from(name, rows.as_bytes(), &RatingOptions::default()).unwrap()
    }

    #[test]
    fn what_was_written_is_the_same_split() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("folds.tsv");
        let ratings = ratings();
        let drawn = Folds::draw(&ratings, 4, 3).unwrap();
        drawn.write(&ratings, &path).unwrap();
        let read = Folds::read(&ratings, &path).unwrap();
        assert_eq!(read.0, drawn.0);
        let splits = read.splits(&ratings);
        assert_eq!(splits.len(), 4);
        for (split, fold) in splits.iter().zip(k_fold(20, 4, 3).unwrap()) {
            let expected = |places: &[usize]| -> Vec<_> {
                places.iter().map(|&place| ratings.ratings[place]).collect()
            };
            assert_eq!(split.train, expected(&fold.train));
            assert_eq!(split.test, expected(&fold.test));
        }
    }

    #[test]
    fn a_file_of_other_data_is_refused_by_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("folds.tsv");
        let ratings = ratings();
        Folds::draw(&ratings, 2, 0)
            .unwrap()
            .write(&ratings, &path)
            .unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        let second = good.lines().nth(2).unwrap();
        let cases = [
            (good.replacen("user", "usr", 1), ":1: the header"),
            (
                good.replacen("u1\ti0\t2.5", "u1\ti0\t4", 1),
                ":3: the rating is 4",
            ),
            (
                good.replacen("u1\ti0", "u9\ti0", 1),
                ":3: the ratings have none",
            ),
            (
                good.replacen(second, &format!("{second}\t1"), 1),
                ":3: expected four",
            ),
            (
                good.replacen(second, &second.replace("2.5\t", "2.5\t-"), 1),
                ":3: the fold",
            ),
            (
                format!("{good}{second}\n"),
                ":22: this rating has a fold already",
            ),
            (
                good.replacen(&format!("{second}\n"), "", 1),
                "1 ratings have no fold",
            ),
            (
                good.lines()
                    .map(|row| row.replace("\t1", "\t0") + "\n")
                    .collect(),
                "",
            ),
        ];
        for (text, expected) in cases {
            std::fs::write(&path, text).unwrap();
            let Err(Failure::Usage(refused)) = Folds::read(&ratings, &path) else {
                panic!("{expected}");
            };
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
