//! A seeded synthetic set with communities: people of one community share tastes and mostly
//! link with each other, and many have too few ratings to be known by those alone. On such a
//! set the social term visibly helps.

use crate::split::generator;
use crate::{DataError, IdTable, LinkReport, LinkSet, RatingReport, RatingSet, Reading, Scale};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use s3rec_sparse::Rating;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Items among which somebody chooses.
const CANDIDATES: usize = 4;

/// What to draw. The defaults suit a demonstration of a few seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticSettings {
    /// Users with ratings.
    pub users: usize,
    /// Items.
    pub items: usize,
    /// Groups of users who share tastes.
    pub communities: usize,
    /// Length of the hidden taste vectors.
    pub rank: usize,
    /// Ratings of a user who is not cold.
    pub ratings_per_user: usize,
    /// Share of users with only two to four ratings.
    pub cold_share: f64,
    /// Mean number of links that a user gives.
    pub links_per_user: f64,
    /// Probability that a link stays inside the community.
    pub homophily: f64,
    /// Share of a user's taste that is their community's, 0 to 1.
    pub shared_taste: f64,
    /// Share of the ratings whose item was chosen by taste: the one liked best of four that came up. The
    /// others say nothing by which item they are of.
    pub choice: f64,
    /// Standard deviation of the noise on a rating, in units of the scale 1 to 5.
    pub noise: f64,
    /// Everything follows from it.
    pub seed: u64,
}

impl Default for SyntheticSettings {
    fn default() -> Self {
        Self {
            users: 1500,
            items: 200,
            communities: 12,
            rank: 6,
            ratings_per_user: 24,
            cold_share: 0.3,
            links_per_user: 10.0,
            homophily: 0.97,
            shared_taste: 0.97,
            choice: 0.0,
            noise: 1.0,
            seed: 1,
        }
    }
}

impl SyntheticSettings {
    /// Draws the set: the same settings give the same set on every platform.
    ///
    /// # Errors
    /// [`DataError::BadSynthetic`] names the setting that makes no sense.
    pub fn generate(&self) -> Result<Synthetic, DataError> {
        self.validate()?;
        let mut draws = Draws(generator(self.seed));
        let community: Vec<usize> = (0..self.users)
            .map(|_| draws.below(self.communities))
            .collect();
        let ratings = self.ratings(&mut draws, &community);
        let links = self.links(&mut draws, &community);
        Ok(Synthetic { ratings, links })
    }

    fn validate(&self) -> Result<(), DataError> {
        let bad = |field, actual, expected| {
            Err(DataError::BadSynthetic {
                field,
                actual,
                expected,
            })
        };
        let counts = [
            ("users", self.users, 2),
            ("items", self.items, 2),
            ("communities", self.communities, 1),
            ("rank", self.rank, 1),
            ("ratings_per_user", self.ratings_per_user, 1),
        ];
        for (field, actual, least) in counts {
            if actual < least || actual > 10_000_000 {
                return bad(field, actual as f64, "a small positive count");
            }
        }
        if self.ratings_per_user > self.items / 2 {
            return bad(
                "ratings_per_user",
                self.ratings_per_user as f64,
                "at most half the items",
            );
        }
        let shares = [
            ("cold_share", self.cold_share),
            ("homophily", self.homophily),
            ("shared_taste", self.shared_taste),
            ("choice", self.choice),
        ];
        for (field, actual) in shares {
            if !(0.0..=1.0).contains(&actual) {
                return bad(field, actual, "a share from 0 to 1");
            }
        }
        if !(self.links_per_user > 0.0 && self.links_per_user < self.users as f64 / 4.0) {
            return bad(
                "links_per_user",
                self.links_per_user,
                "above 0, below a quarter of users",
            );
        }
        if !(0.0..=4.0).contains(&self.noise) {
            return bad("noise", self.noise, "from 0 to 4");
        }
        Ok(())
    }

    fn ratings(&self, draws: &mut Draws, community: &[usize]) -> RatingSet {
        let unit = 1.6 / (self.rank as f64).sqrt();
        let centres = draws.vectors(self.communities, self.rank, 1.0);
        let own = draws.vectors(self.users, self.rank, 1.0);
        let qualities = draws.vectors(self.items, self.rank, unit);
        let item_bias: Vec<f64> = (0..self.items).map(|_| 0.3 * draws.normal()).collect();
        let leniency: Vec<f64> = (0..self.communities)
            .map(|_| 0.3 * draws.normal())
            .collect();
        let (shared, apart) = (self.shared_taste.sqrt(), (1.0 - self.shared_taste).sqrt());

        let mut ratings = Vec::new();
        for (user, &group) in community.iter().enumerate() {
            let cold = draws.unit() < self.cold_share;
            let count = if cold {
                2 + draws.below(3)
            } else {
                self.ratings_per_user
            };
            let count = count.min(self.ratings_per_user);
            let bias = leniency[group] + 0.15 * draws.normal();
            let taste = |item: usize| -> f64 {
                let by_quality = (0..self.rank).map(|d| {
                    (shared * centres[group][d] + apart * own[user][d]) * qualities[item][d]
                });
                by_quality.sum()
            };
            let mut rated = HashSet::new();
            while rated.len() < count {
                let mut item = draws.popular(self.items);
                // No draw where nobody chooses: such a set stays what it was.
                if self.choice > 0.0 && draws.unit() < self.choice {
                    for _ in 1..CANDIDATES {
                        let other = draws.popular(self.items);
                        if taste(other) > taste(item) {
                            item = other;
                        }
                    }
                }
                if !rated.insert(item) {
                    continue;
                }
                let score =
                    3.4 + bias + item_bias[item] + taste(item) + self.noise * draws.normal();
                #[expect(clippy::cast_possible_truncation, reason = "one of 1, 2, 3, 4, 5")]
                let value = score.round().clamp(1.0, 5.0) as f32;
                ratings.push((user, item, value));
            }
        }
        self.name_ratings(&ratings)
    }

    fn name_ratings(&self, drawn: &[(usize, usize, f32)]) -> RatingSet {
        let (mut users, mut items) = (IdTable::new(), IdTable::new());
        let ratings: Vec<Rating> = drawn
            .iter()
            .filter_map(|&(user, item, value)| {
                let user = users.intern(&user_name(user))?;
                let item = items.intern(&format!("item-{item:05}"))?;
                Some(Rating { user, item, value })
            })
            .collect();
        let sum: f64 = ratings.iter().map(|rating| f64::from(rating.value)).sum();
        let report = RatingReport {
            rows: ratings.len() as u64,
            users: users.len(),
            items: items.len(),
            ratings: ratings.len(),
            density: ratings.len() as f64 / (users.len() as f64 * items.len() as f64),
            scale: Scale { min: 1.0, max: 5.0 },
            mean: sum / ratings.len().max(1) as f64,
            duplicates_merged: 0,
            duplicates_conflicting: 0,
            out_of_scale_dropped: 0,
            missing_dropped: 0,
            roster: None,
            reading: Reading::default(),
            sample_items: Vec::new(),
        };
        RatingSet {
            users,
            items,
            ratings,
            timestamps: Vec::new(),
            report,
        }
    }

    fn links(&self, draws: &mut Draws, community: &[usize]) -> LinkSet {
        let mut members = vec![Vec::new(); self.communities];
        for (user, &group) in community.iter().enumerate() {
            members[group].push(user);
        }
        let mut drawn = Vec::new();
        let mut seen = HashSet::new();
        for (user, &group) in community.iter().enumerate() {
            // Geometric numbers of links: most give few, some many.
            let another = self.links_per_user / (1.0 + self.links_per_user);
            let mut wanted = 0;
            while wanted < self.users / 4 && draws.unit() < another {
                wanted += 1;
            }
            for _ in 0..wanted {
                let friend = if draws.unit() < self.homophily {
                    members[group][draws.below(members[group].len())]
                } else {
                    draws.below(self.users)
                };
                if friend != user && seen.insert((user, friend)) {
                    drawn.push((user, friend));
                }
            }
        }
        let mut users = IdTable::new();
        let links: Vec<(u32, u32)> = drawn
            .iter()
            .filter_map(|&(i, f)| {
                Some((users.intern(&user_name(i))?, users.intern(&user_name(f))?))
            })
            .collect();
        let report = LinkReport {
            rows: links.len() as u64,
            users: users.len(),
            links: links.len(),
            duplicates_merged: 0,
            self_links_dropped: 0,
            not_positive_dropped: 0,
            missing_dropped: 0,
            reversed_added: 0,
            empty_lists: 0,
            roster: None,
            reading: Reading::default(),
        };
        LinkSet {
            users,
            links,
            report,
        }
    }
}

/// A drawn set: ratings for P0, links for P1, over the same user ids.
#[derive(Clone)]
pub struct Synthetic {
    /// P0's data.
    pub ratings: RatingSet,
    /// P1's data.
    pub links: LinkSet,
}

fn user_name(user: usize) -> String {
    format!("user-{user:05}")
}

struct Draws(ChaCha8Rng);

impl Draws {
    /// Uniform in [0, 1) with 53 bits.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "non-negative and below bound, by min also after rounding"
        )]
        let drawn = (self.unit() * bound as f64) as usize;
        drawn.min(bound - 1)
    }

    /// Low indices are popular: density falls linearly to a tenth.
    fn popular(&mut self, items: usize) -> usize {
        loop {
            let item = self.below(items);
            if self.unit() < 1.0 - 0.9 * item as f64 / items as f64 {
                return item;
            }
        }
    }

    /// Sum of twelve uniforms: near enough to normal, and only additions, so that no
    /// platform's logarithm moves a rating.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn vectors(&mut self, count: usize, rank: usize, scale: f64) -> Vec<Vec<f64>> {
        (0..count)
            .map(|_| (0..rank).map(|_| scale * self.normal()).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn friends_share_tastes() {
        let settings = SyntheticSettings::default();
        let set = settings.generate().unwrap();
        assert_eq!(set.ratings.report.users, settings.users);
        let social = set.links.social_matrix(&set.ratings.users).unwrap();
        assert!(social.links() > 3 * settings.users);
        let ratings: std::collections::HashMap<(u32, u32), f32> = set
            .ratings
            .ratings
            .iter()
            .map(|r| ((r.user, r.item), r.value))
            .collect();
        // Mean absolute difference on commonly rated items: friends against strangers.
        let apart = |pairs: &mut dyn Iterator<Item = (u32, u32)>| {
            let (mut sum, mut count) = (0.0, 0u32);
            for (a, b) in pairs {
                for item in 0..u32::try_from(settings.items).unwrap() {
                    if let (Some(x), Some(y)) = (ratings.get(&(a, item)), ratings.get(&(b, item))) {
                        sum += f64::from((x - y).abs());
                        count += 1;
                    }
                }
            }
            sum / f64::from(count)
        };
        let friends = apart(&mut social.iter());
        let users = u32::try_from(settings.users).unwrap();
        let strangers = apart(&mut (0..users).map(|i| (i, (i * 7 + 501) % users)));
        assert!(friends < 0.8 * strangers, "{friends} against {strangers}");
    }

    #[test]
    fn a_seed_is_a_set() {
        let small = SyntheticSettings {
            users: 50,
            items: 60,
            ..SyntheticSettings::default()
        };
        let (a, b) = (small.generate().unwrap(), small.generate().unwrap());
        assert_eq!(
            (&a.ratings.ratings, &a.links.links),
            (&b.ratings.ratings, &b.links.links)
        );
        let other = SyntheticSettings { seed: 2, ..small }.generate().unwrap();
        assert_ne!(a.ratings.ratings, other.ratings.ratings);
    }

    #[test]
    fn refuses_what_cannot_be_drawn() {
        for broken in [
            SyntheticSettings {
                users: 1,
                ..Default::default()
            },
            SyntheticSettings {
                ratings_per_user: 500,
                ..Default::default()
            },
            SyntheticSettings {
                homophily: 1.5,
                ..Default::default()
            },
            SyntheticSettings {
                links_per_user: 0.0,
                ..Default::default()
            },
            SyntheticSettings {
                noise: f64::NAN,
                ..Default::default()
            },
        ] {
            assert!(matches!(
                broken.generate(),
                Err(DataError::BadSynthetic { .. })
            ));
        }
    }
}
