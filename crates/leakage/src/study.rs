//! What is studied: links among the common users, and what P0 brings.

use s3rec_algebra::RealMatrix;
use s3rec_model::friends::{COLUMNS, OpenedSides, Sampling, rows_to_open};
use s3rec_model::{ListsModel, ListsSettings};
use s3rec_sparse::{RatingMatrix, SocialMatrix, user_mask};
use s3rec_spmm::noise_first::{Friends, Split};
use serde::{Deserialize, Serialize};

use crate::LeakageError;
use crate::draws::{normal, purpose, stream, unit};
use crate::linear::dot;

/// How P0's side is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StudyOptions {
    /// C of friends' sums, at most the factors of the lists model.
    pub columns: usize,
    /// Columns of an exact opening as in the paper.
    pub soreg_columns: usize,
    /// t: users with fewer ratings are opened.
    pub few_below: usize,
    /// f: share of the others that is opened.
    pub calibration_share: f64,
    /// Seed of the sample, of the noise and of what attackers are told.
    pub seed: u64,
}

impl Default for StudyOptions {
    fn default() -> Self {
        Self {
            columns: COLUMNS,
            soreg_columns: 10,
            few_below: 5,
            calibration_share: 0.2,
            seed: 0,
        }
    }
}

/// Links and rows of m common users, numbered from 0.
pub struct Study {
    pub(crate) options: StudyOptions,
    pub(crate) friends: Friends,
    pub(crate) social: SocialMatrix,
    /// O, and W as all others.
    pub(crate) one_sided: Split,
    /// X of W.
    pub(crate) one_sided_rows: RealMatrix,
    /// X of everybody.
    pub(crate) two_sided_rows: RealMatrix,
    /// U of an exact opening, of everybody.
    pub(crate) soreg_rows: RealMatrix,
    /// What else P0 knows; none of it in a synthetic study.
    pub(crate) taste: Option<Taste>,
}

/// Ratings and factors of the common users.
pub(crate) struct Taste {
    /// Items of each user, ascending.
    pub(crate) items: Vec<Vec<u32>>,
    /// Common users of each item.
    pub(crate) raters: Vec<Vec<u32>>,
    /// Factors, each of norm 1 or 0.
    pub(crate) factors: RealMatrix,
}

impl Study {
    /// P0's ratings, `common[i]` being P0's index of common user i, and P1's links among the
    /// common users. X is made as the product makes it: from a lists model that has not seen the
    /// ratings of the calibration users.
    ///
    /// # Errors
    /// Too few users on either side, ratings that nothing is learnt from.
    pub fn of_ratings(
        ratings: &RatingMatrix,
        common: &[u32],
        social: SocialMatrix,
        options: StudyOptions,
    ) -> Result<Self, LeakageError> {
        let is_common = user_mask(ratings.users(), common);
        let mut place = vec![u32::MAX; ratings.users()];
        for (index, &user) in (0..).zip(common) {
            place[user as usize] = index;
        }
        let counts: Vec<usize> = (0..ratings.users())
            .map(|user| ratings.by_user(user).0.len())
            .collect();
        let sampling = Sampling {
            few_below: options.few_below,
            calibration_share: options.calibration_share,
            seed: options.seed,
        };
        let sides = OpenedSides::draw(&is_common, &counts, &sampling);
        let base = ratings.without_users(&sides.calibration);
        let settings = ListsSettings::default();
        let blind = ListsModel::learn(&base, &settings)?;
        let model = ListsModel::learn(ratings, &settings)?;
        let soreg = ListsModel::learn(
            ratings,
            &ListsSettings {
                rank: options.soreg_columns,
                ..settings
            },
        )?;
        let mut opened: Vec<u32> = sides
            .opened
            .iter()
            .map(|&user| place[user as usize])
            .collect();
        opened.sort_unstable();
        let one_sided = split(common.len(), opened)?;
        let named = |users: &[u32]| -> Vec<u32> {
            users.iter().map(|&user| common[user as usize]).collect()
        };
        let of = |user: u32| ratings.by_user(common[user as usize] as usize).0;
        let mut raters = vec![Vec::new(); ratings.items()];
        let users = u32::try_from(common.len()).unwrap_or(u32::MAX);
        for user in 0..users {
            for &item in of(user) {
                raters[item as usize].push(user);
            }
        }
        Ok(Self {
            friends: Friends::from_links(users, social.iter())?,
            one_sided_rows: rows_to_open(&blind, &named(one_sided.uploaded()), options.columns),
            two_sided_rows: rows_to_open(&model, common, options.columns),
            soreg_rows: within_one(select(soreg.users(), common)),
            taste: Some(Taste {
                items: (0..users).map(|user| of(user).to_vec()).collect(),
                raters,
                factors: unit_rows(select(model.users(), common)),
            }),
            one_sided,
            social,
            options,
        })
    }

    /// P1's links alone: rows of random directions, and opened users drawn at random, as many as
    /// `opened_share` of all. What P0 knows of people is in no such study.
    ///
    /// # Errors
    /// Too few users on either side.
    pub fn synthetic(
        social: SocialMatrix,
        opened_share: f64,
        options: StudyOptions,
    ) -> Result<Self, LeakageError> {
        let users = u32::try_from(social.users()).unwrap_or(u32::MAX);
        let mut rng = stream(options.seed, purpose::SIDES);
        let opened = (0..users).filter(|_| unit(&mut rng) < opened_share);
        let one_sided = split(social.users(), opened.collect())?;
        let mut rng = stream(options.seed, purpose::ROWS);
        let mut random = |rows: usize, columns: usize| -> Result<RealMatrix, LeakageError> {
            let values = (0..rows * columns).map(|_| normal(&mut rng)).collect();
            Ok(unit_rows(RealMatrix::from_vec(rows, columns, values)?))
        };
        Ok(Self {
            friends: Friends::from_links(users, social.iter())?,
            one_sided_rows: random(one_sided.uploaded().len(), options.columns)?,
            two_sided_rows: random(social.users(), options.columns)?,
            soreg_rows: random(social.users(), options.soreg_columns)?,
            taste: None,
            one_sided,
            social,
            options,
        })
    }

    /// m.
    #[must_use]
    pub fn users(&self) -> usize {
        self.friends.users()
    }

    /// |O| of a one-sided release.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.one_sided.opened().len()
    }

    /// Linked pairs.
    #[must_use]
    pub fn links(&self) -> u64 {
        let users = u32::try_from(self.users()).unwrap_or(u32::MAX);
        let both: usize = (0..users).map(|user| self.friends.of(user).len()).sum();
        both as u64 / 2
    }

    /// The most friends that one user has.
    pub(crate) fn most_friends(&self) -> usize {
        let users = u32::try_from(self.users()).unwrap_or(u32::MAX);
        let degrees = (0..users).map(|user| self.friends.of(user).len());
        degrees.max().unwrap_or(0)
    }
}

fn split(users: usize, opened: Vec<u32>) -> Result<Split, LeakageError> {
    let count = opened.len();
    Split::one_sided(u32::try_from(users).unwrap_or(u32::MAX), opened).map_err(|_| {
        LeakageError::Nothing(format!(
            "of {users} common users {count} would be opened: a release needs some on either side"
        ))
    })
}

fn select(rows: &RealMatrix, users: &[u32]) -> RealMatrix {
    let mut selected = RealMatrix::zeros(users.len(), rows.columns());
    for (place, &user) in users.iter().enumerate() {
        selected
            .row_mut(place)
            .copy_from_slice(rows.row(user as usize));
    }
    selected
}

/// Scaled so that no value exceeds 1, as fixed-point factors are.
fn within_one(mut rows: RealMatrix) -> RealMatrix {
    let values = rows.values().iter();
    let most = values.fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()));
    rows.values_mut().iter_mut().for_each(|x| *x /= most);
    rows
}

fn unit_rows(mut rows: RealMatrix) -> RealMatrix {
    for row in 0..rows.rows() {
        let row = rows.row_mut(row);
        let norm = dot(row, row).sqrt();
        if norm > 0.0 {
            row.iter_mut().for_each(|x| *x /= norm);
        }
    }
    rows
}
