//! What attackers hold likely before anything is opened.

use rayon::prelude::*;
use s3rec_spmm::noise_first::Sides;

use crate::Study;
use crate::draws::of_pair;
use crate::likelihood::{Prior, chance, narrow};
use crate::linear::{Cholesky, add, dot};
use crate::release::Release;

/// All other links are known, and the pair itself to whoever asks for ratios.
pub(crate) struct Truth<'a>(pub(crate) &'a Release);

impl Prior for Truth<'_> {
    fn log_odds(&self, row: usize, out: &mut [f32]) {
        out.fill(f32::NEG_INFINITY);
        for &column in self.0.block.row(row) {
            out[column as usize] = f32::INFINITY;
        }
    }
}

/// Numbers of friends that a row is compared with, as powers of two.
const DEGREES: std::ops::RangeInclusive<i32> = -3..=10;

/// Nothing is known but that people have friends: each opened user's number of them is estimated
/// from the length of the row, by the mean over what likelihood and a prior of 1/√d leave likely;
/// in two-sided releases a pair is as likely as the product of both numbers.
pub(crate) struct Blind {
    degrees: Vec<f64>,
    total: f64,
    sides: Sides,
}

impl Blind {
    pub(crate) fn new(release: &Release) -> Self {
        let rows = &release.rows;
        let (count, width) = (rows.rows() as f64, rows.columns());
        let mut sum = vec![0.0; width];
        let mut square = vec![0.0; width * width];
        for row in 0..rows.rows() {
            let x = rows.row(row);
            add(&mut sum, x, 1.0);
            for (i, a) in x.iter().enumerate() {
                add(&mut square[i * width..(i + 1) * width], x, *a);
            }
        }
        let models: Vec<(f64, f64, Cholesky)> = DEGREES
            .map(|power| f64::from(power).exp2())
            .filter(|degree| *degree < count / 2.0)
            .map(|degree| {
                let p = degree / count;
                let mut covariance: Vec<f64> = square.iter().map(|v| v * p * (1.0 - p)).collect();
                for i in 0..width {
                    covariance[i * width + i] += release.sigma.max(1e-3).powi(2);
                }
                (degree, p, Cholesky::of(covariance, width))
            })
            .collect();
        let degree_of = |y: &[f64]| {
            let weights: Vec<(f64, f64)> = models
                .iter()
                .map(|(degree, p, covariance)| {
                    let mut rest = y.to_vec();
                    add(&mut rest, &sum, -p);
                    let residual = rest.clone();
                    covariance.solve(&mut rest);
                    let log = dot(&rest, &residual) + covariance.ln_determinant() + degree.ln();
                    (*degree, -log / 2.0)
                })
                .collect();
            let most = weights.iter().map(|w| w.1).fold(f64::MIN, f64::max);
            let (mut mean, mut all) = (0.0, 0.0);
            for (degree, log) in weights {
                let weight = (log - most).exp();
                mean += weight * degree;
                all += weight;
            }
            mean / all
        };
        let degrees: Vec<f64> = (0..release.sums.rows())
            .into_par_iter()
            .map(|row| degree_of(release.sums.row(row)))
            .collect();
        Self {
            total: degrees.iter().sum(),
            degrees,
            sides: release.sides,
        }
    }
}

impl Prior for Blind {
    fn log_odds(&self, row: usize, out: &mut [f32]) {
        let own = self.degrees[row];
        let count = out.len() as f64;
        for (column, odds) in out.iter_mut().enumerate() {
            let p = match self.sides {
                Sides::One => own / count,
                Sides::Two => own * self.degrees[column] / self.total,
            };
            let p = p.clamp(1e-9, 0.9);
            *odds = narrow((p / (1.0 - p)).ln());
        }
    }
}

/// Which pairs an attacker was told beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Known {
    /// None; the prior is fitted to the true links all the same, which no attacker could do, so
    /// that it is no weaker than any that they could bring.
    Nothing,
    /// Of every second pair of users, drawn evenly, whether it is linked.
    Half {
        /// Of the draw.
        seed: u64,
    },
}

impl Known {
    fn has(self, a: u32, b: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Half { seed } => of_pair(seed, a, b) < 0.5,
        }
    }
}

const FEATURES: usize = 11;
type Features = [f64; FEATURES];

/// Negative pairs that the prior is fitted to, about.
const FITTED: f64 = 200_000.0;
/// Ridge of the fit.
const RIDGE: f64 = 1.0;

/// A logistic regression on what P0 knows of two users: how much they rated and in common, how
/// alike their factors are; with known pairs also how many known friends they have, and in common
/// (also by Adamic and Adar, Social Networks 2003).
pub(crate) struct Fitted<'a> {
    study: &'a Study,
    release: &'a Release,
    known: Known,
    /// Known friends of every user.
    friends: Vec<Vec<u32>>,
    weights: Features,
}

impl<'a> Fitted<'a> {
    pub(crate) fn new(study: &'a Study, release: &'a Release, known: Known) -> Self {
        let users = u32::try_from(study.users()).unwrap_or(u32::MAX);
        let friends = (0..users).map(|user| {
            let of = study.friends.of(user).iter().copied();
            of.filter(|&friend| known.has(user, friend)).collect()
        });
        let mut prior = Self {
            study,
            release,
            known,
            friends: friends.collect(),
            weights: [0.0; FEATURES],
        };
        prior.fit();
        prior
    }

    /// Features of every column of a row, as if the pair itself were not known.
    fn features(&self, row: usize, out: &mut Vec<Features>) {
        let (study, uploaded) = (self.study, self.release.uploaded());
        let user = self.release.opened(row);
        let users = study.users();
        let mut together = vec![0.0f64; users];
        let mut close = vec![0.0f64; users];
        for &friend in &self.friends[user as usize] {
            let of = &self.friends[friend as usize];
            for &other in of {
                together[other as usize] += 1.0;
                close[other as usize] += 1.0 / (2.0 + of.len() as f64).ln();
            }
        }
        let mut alike = vec![0.0f64; users];
        if let Some(taste) = &study.taste {
            for &item in &taste.items[user as usize] {
                let raters = &taste.raters[item as usize];
                let weight = 1.0 / (2.0 + raters.len() as f64).ln();
                raters
                    .iter()
                    .for_each(|&other| alike[other as usize] += weight);
            }
        }
        let own_known = self.friends[user as usize].len() as f64;
        out.clear();
        out.extend(uploaded.iter().map(|&other| {
            let other_known = &self.friends[other as usize];
            let itself = other_known.binary_search(&user).is_ok();
            let itself = f64::from(u8::from(itself));
            let degrees = [own_known - itself, other_known.len() as f64 - itself].map(f64::ln_1p);
            let (counts, cosine) = study.taste.as_ref().map_or(([0.0; 2], 0.0), |taste| {
                let rated = |user: u32| (taste.items[user as usize].len() as f64).ln_1p();
                let factor = |user: u32| taste.factors.row(user as usize);
                let cosine = dot(factor(user), factor(other));
                ([rated(user), rated(other)], cosine)
            });
            let [a, b] = self.roles(counts);
            let [c, d] = self.roles(degrees);
            [
                1.0,
                a,
                b,
                alike[other as usize].ln_1p(),
                cosine,
                cosine.max(0.0).powi(2),
                c,
                d,
                together[other as usize].ln_1p(),
                close[other as usize].ln_1p(),
                f64::from(u8::from(together[other as usize] > 0.0)),
            ]
        }));
    }

    /// Opened and uploaded users apart, or what does not depend on which is which.
    fn roles(&self, [own, other]: [f64; 2]) -> [f64; 2] {
        match self.release.sides {
            Sides::One => [own, other],
            Sides::Two => [own + other, own * other],
        }
    }

    fn is_fitted(&self, row: usize, column: usize) -> bool {
        let other = self.release.uploaded()[column];
        self.release.is_judged(row, column)
            && match self.known {
                Known::Nothing => true,
                Known::Half { .. } => self.known.has(self.release.opened(row), other),
            }
    }

    /// By Newton's method, negatives thinned and weighted.
    fn fit(&mut self) {
        let release = self.release;
        let pairs = release.judged.len() as f64 * release.uploaded().len() as f64;
        let rate = (FITTED / pairs).min(1.0);
        let sample: Vec<(Features, bool)> = release
            .judged
            .par_iter()
            .map_init(Vec::new, |features, &row| {
                self.features(row, features);
                let linked = release.block.row(row);
                let user = release.opened(row);
                let mut sample = Vec::new();
                for (column, (features, &other)) in
                    (0u32..).zip(features.iter().zip(release.uploaded()))
                {
                    let is_linked = linked.binary_search(&column).is_ok();
                    let is_drawn = is_linked || of_pair(!0, user, other) < rate;
                    if is_drawn && self.is_fitted(row, column as usize) {
                        sample.push((*features, is_linked));
                    }
                }
                sample
            })
            .flatten_iter()
            .collect();
        let linked = sample.iter().filter(|(_, linked)| *linked).count() as f64;
        let others = (sample.len() as f64 - linked) / rate;
        self.weights = [0.0; FEATURES];
        self.weights[0] = ((linked + 1.0) / (others + 1.0)).ln();
        for _ in 0..25 {
            let mut gradient = [0.0; FEATURES];
            let mut curvature = vec![0.0; FEATURES * FEATURES];
            for i in 1..FEATURES {
                gradient[i] = -RIDGE * self.weights[i];
                curvature[i * FEATURES + i] = RIDGE;
            }
            for (features, is_linked) in &sample {
                let weight = if *is_linked { 1.0 } else { rate.recip() };
                let p = chance(dot(features, &self.weights));
                let error = f64::from(u8::from(*is_linked)) - p;
                add(&mut gradient, features, weight * error);
                for (i, a) in features.iter().enumerate() {
                    let lower = &mut curvature[i * FEATURES..=i * FEATURES + i];
                    add(lower, features, weight * p * (1.0 - p) * a);
                }
            }
            Cholesky::of(curvature, FEATURES).solve(&mut gradient);
            // Never further than a factor of e² in odds for each unit of a feature.
            let longest = gradient.iter().fold(2.0f64, |most, x| most.max(x.abs()));
            add(&mut self.weights, &gradient, 2.0 / longest);
        }
    }
}

impl Prior for Fitted<'_> {
    fn log_odds(&self, row: usize, out: &mut [f32]) {
        let mut features = Vec::new();
        self.features(row, &mut features);
        let user = self.release.opened(row);
        let friends = &self.friends[user as usize];
        let columns = out.iter_mut().zip(&features).zip(self.release.uploaded());
        for ((odds, features), &other) in columns {
            *odds = if self.known.has(user, other) {
                match friends.binary_search(&other) {
                    Ok(_) => f32::INFINITY,
                    Err(_) => f32::NEG_INFINITY,
                }
            } else {
                narrow(dot(features, &self.weights).clamp(-20.0, 20.0))
            };
        }
    }
}
