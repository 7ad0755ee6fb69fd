//! Ratings and friends of planted tastes.

use super::*;
use crate::evaluate::noised;
use crate::friends::{COLUMNS, Sampling, rows_to_open};
use rand_chacha::ChaCha8Rng;
use s3rec_sparse::Rating;
use std::collections::BTreeMap;

pub(crate) const TASTES: usize = 6;
pub(crate) const ITEMS: usize = 120;

/// People who rate what others of their taste rate, 4 or 5 where it is theirs and 1 or 2 where it
/// is not; some have few ratings or none.
pub(crate) struct Planted {
    pub(crate) ratings: RatingMatrix,
    pub(crate) sides: OpenedSides,
    pub(crate) model: ListsModel,
    /// Friends of O in W: four in five of the same taste.
    pub(crate) block: Vec<Vec<u32>>,
    /// What everybody would rate 4 or 5 of what they would choose, whether they have or not.
    pub(crate) liked: Vec<Vec<u32>>,
}

pub(crate) fn draw(rng: &mut ChaCha8Rng, bound: usize) -> u32 {
    u32::try_from(below(rng, bound)).unwrap()
}

pub(crate) fn planted(users: usize) -> Planted {
    planted_with(users, (10, 10))
}

/// Friends of users with few ratings, and of others: fewer than so many.
pub(crate) fn planted_with(users: usize, (of_few, of_others): (usize, usize)) -> Planted {
    let mut rng = stream(3, 1 << 50);
    let mut given = BTreeMap::new();
    let mut liked = vec![Vec::new(); users];
    for (user, liked) in liked.iter_mut().enumerate() {
        let count = if user % 5 < 2 { user / 5 % 5 } else { 12 };
        for place in 0..12 {
            let own = below(&mut rng, 4) > 0;
            let taste = if own {
                user % TASTES
            } else {
                below(&mut rng, TASTES)
            };
            // Of equal taste the first items are chosen most.
            let choice = below(&mut rng, 20) * below(&mut rng, 20) / 20;
            let low = if taste == user % TASTES { 4 } else { 1 };
            let item = u32::try_from(taste * 20 + choice).unwrap();
            let value = low + draw(&mut rng, 2);
            if value >= 4 && !liked.contains(&item) {
                liked.push(item);
            }
            if place < count {
                given.insert((user, item), value);
            }
        }
    }
    let given: Vec<Rating> = given
        .into_iter()
        .map(|((user, item), value)| Rating {
            user: u32::try_from(user).unwrap(),
            item,
            value: value as f32,
        })
        .collect();
    let ratings = RatingMatrix::from_ratings(users, ITEMS, &given).unwrap();
    let counts: Vec<usize> = (0..users)
        .map(|user| ratings.by_user(user).0.len())
        .collect();
    let sampling = Sampling {
        few_below: 5,
        calibration_share: 0.4,
        seed: 1,
    };
    let sides = OpenedSides::draw(&vec![true; users], &counts, &sampling);
    let of_taste = |taste: usize| -> Vec<u32> {
        let places = (0u32..).zip(&sides.uploaded);
        places
            .filter(|(_, user)| **user as usize % TASTES == taste)
            .map(|(place, _)| place)
            .collect()
    };
    let by_taste: Vec<Vec<u32>> = (0..TASTES).map(of_taste).collect();
    let friends = |user: &u32| {
        let has_few = *user as usize % 5 < 2;
        let most = if has_few { of_few } else { of_others };
        let mut friends: Vec<u32> = (0..below(&mut rng, most))
            .map(|_| {
                let own = below(&mut rng, 5) > 0;
                let taste = if own {
                    *user as usize % TASTES
                } else {
                    below(&mut rng, TASTES)
                };
                by_taste[taste][below(&mut rng, by_taste[taste].len())]
            })
            .collect();
        friends.sort_unstable();
        friends.dedup();
        friends
    };
    let block = sides.opened.iter().map(friends).collect();
    let settings = settings();
    let opened = Opened {
        ratings: &ratings,
        scale: (1.0, 5.0),
        sides: &sides,
        sums: &RealMatrix::zeros(0, 1),
        sigma: 1.0,
        model: None,
        explicit: None,
    };
    let model = ListsModel::learn(&opened.base(), &settings.lists).unwrap();
    Planted {
        block,
        ratings,
        sides,
        model,
        liked,
    }
}

pub(crate) fn settings() -> VerdictSettings {
    VerdictSettings {
        lists: ListsSettings {
            rank: 8,
            sweeps: 4,
            unobserved_weight: 0.1,
            ..ListsSettings::default()
        },
        ratings: Some(SolverSettings {
            rank: 4,
            openings: 1,
            warm_sweeps: 4,
            user_decay: 2.0,
            item_decay: 2.0,
            ..SolverSettings::default()
        }),
        deciding: 120,
        ..VerdictSettings::default()
    }
}

impl Planted {
    pub(crate) fn sums(&self, block: &[Vec<u32>], sigma: f64, seed: u64) -> RealMatrix {
        let rows = rows_to_open(&self.model, &self.sides.uploaded, COLUMNS);
        noised(block, &rows, sigma, (seed, 0))
    }

    pub(crate) fn opened<'a>(&'a self, sums: &'a RealMatrix, sigma: f64) -> Opened<'a> {
        Opened {
            ratings: &self.ratings,
            scale: (1.0, 5.0),
            sides: &self.sides,
            sums,
            sigma,
            model: Some(&self.model),
            explicit: None,
        }
    }
}
