//! One fold: what is chosen on ratings held out once more, then every model learnt from all of the
//! fold's training ratings and measured on its held-out ones.

use super::breakdown::by_friends;
use super::ranking::Judged;
use super::{
    Bucket, EvaluationData, EvaluationSettings, FoldChoices, FoldOutcome, RankingMetrics, Split,
    social_objective,
};
use crate::popularity::{self, DEFAULT_WEIGHT};
use crate::random::{purpose, stream};
use crate::{
    Accuracy, Biases, GlobalMean, Model, ModelError, Predictor, SocialObjective, SolverSettings,
    Unit, accuracy, solver,
};
use rand_chacha::rand_core::RngCore;
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix, SocialMatrix, SocialOperator};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One of so many training ratings is held out once more to choose by.
const INNER: u64 = 5;

/// What was chosen for a model on ratings held out once more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// RMSE on those ratings.
    pub rmse: f64,
    /// Whether the social term was refused, because with it the error was larger than without
    /// links: the model is then the one without.
    pub refused: bool,
    /// How much popularity counts in lists; null where rankings were not judged.
    pub popularity_weight: Option<f64>,
}

/// An operator and its objective.
pub(super) struct Links {
    operator: SocialOperator,
    objective: Arc<dyn SocialObjective>,
}

impl Links {
    pub(super) fn new(kind: OperatorKind, social: &SocialMatrix) -> Result<Self, ModelError> {
        let operator = SocialOperator::build(kind, social);
        let objective = social_objective(&operator)?;
        Ok(Self {
            operator,
            objective,
        })
    }
}

/// One model on one fold.
pub(super) struct FoldQuality {
    pub(super) all: Accuracy,
    pub(super) cold: Option<Accuracy>,
    pub(super) by_friends: Vec<Option<Bucket>>,
    pub(super) ranking: Option<RankingMetrics>,
    pub(super) cold_ranking: Option<RankingMetrics>,
}

/// What every fold needs.
pub(super) struct Learning<'a> {
    pub(super) data: &'a EvaluationData<'a>,
    pub(super) settings: &'a EvaluationSettings,
    pub(super) friends: &'a [usize],
    pub(super) seed: u64,
}

/// Ratings to learn from and ratings to judge by.
struct Part<'a> {
    train: Arc<RatingMatrix>,
    unit: Unit,
    test: &'a [Rating],
}

impl Learning<'_> {
    /// Everything about the fold.
    pub(super) fn fold(
        &self,
        split: &Split,
        links: &Links,
        placebo: &Links,
        progress: &mut dyn FnMut(&str),
    ) -> Result<FoldOutcome, ModelError> {
        let (inner_train, inner_test) = inner(&split.train, self.seed);
        let (inner, outer) = (
            self.part(&inner_train, &inner_test)?,
            self.part(&split.train, &split.test)?,
        );
        let alone = self.settings.no_social.as_ref();
        let alone = alone.unwrap_or(&self.settings.solver);
        let alone = alone.without_social();
        let shared = &self.settings.solver;

        progress("baselines");
        let decays = (shared.user_bias_decay, shared.item_bias_decay);
        let biases =
            |part: &Part<'_>| Biases::fit(&part.train, self.data.scale, decays.0, decays.1);
        let weight = self.popularity(&biases(&inner), &inner, None);
        let global_mean = self.measure(&GlobalMean::fit(&outer.train), &outer, None)?;
        let biases = self.measure(&biases(&outer), &outer, weight)?;

        progress("no social term");
        let model = self.learn(&inner, &alone, None)?;
        let none = Choice {
            rmse: accuracy(&model, inner.test)?.rmse,
            refused: false,
            popularity_weight: self.popularity(&model, &inner, alone.popularity_weight),
        };
        let model = self.learn(&outer, &alone, None)?;
        let no_social = self.measure(&model, &outer, none.popularity_weight)?;

        let mut with = |links: &Links, name: &str| -> Result<(FoldQuality, Choice), ModelError> {
            progress(name);
            let refused = Choice {
                refused: true,
                ..none
            };
            let again = |choice: Choice| -> Result<(FoldQuality, Choice), ModelError> {
                let quality = self.measure(&model, &outer, choice.popularity_weight)?;
                Ok((quality, choice))
            };
            if !shared.is_social() {
                return again(refused);
            }
            let tried = self.learn(&inner, shared, Some(links))?;
            let rmse = accuracy(&tried, inner.test)?.rmse;
            if rmse.is_nan() || rmse >= none.rmse {
                return again(refused);
            }
            let choice = Choice {
                rmse,
                refused: false,
                popularity_weight: self.popularity(&tried, &inner, shared.popularity_weight),
            };
            let learnt = self.learn(&outer, shared, Some(links))?;
            Ok((
                self.measure(&learnt, &outer, choice.popularity_weight)?,
                choice,
            ))
        };
        let (placebo, placebo_choice) = with(placebo, "rewired links")?;
        let (social, social_choice) = with(links, "social term")?;
        Ok(FoldOutcome {
            global_mean,
            biases,
            no_social,
            placebo,
            social,
            choices: FoldChoices {
                no_social: none,
                placebo: placebo_choice,
                social: social_choice,
            },
            drawn_in: outer.unit.drawn_in(&outer.train),
        })
    }

    fn part<'r>(&self, train: &[Rating], test: &'r [Rating]) -> Result<Part<'r>, ModelError> {
        let train = RatingMatrix::from_ratings(self.data.users, self.data.items, train)?;
        let unit = Unit::of(&train);
        Ok(Part {
            train: Arc::new(train),
            unit,
            test,
        })
    }

    /// A model over the clear product; without `links`, none.
    fn learn(
        &self,
        part: &Part<'_>,
        settings: &SolverSettings,
        links: Option<&Links>,
    ) -> Result<Model, ModelError> {
        let objective = links.map(|links| Arc::clone(&links.objective));
        let train = Arc::clone(&part.train);
        let mut solver = solver(train, self.data.scale, settings, objective)?;
        while !solver.is_finished() {
            let product = match links.filter(|_| solver.wants_opening()) {
                Some(links) => Some(links.operator.multiply_real(solver.user_factors())?),
                None => None,
            };
            solver.step(product.as_ref())?;
        }
        Ok(solver.model().clone())
    }

    /// How much popularity shall count: as given, or learnt; none where rankings are not judged.
    fn popularity(
        &self,
        predictor: &dyn Predictor,
        inner: &Part<'_>,
        given: Option<f64>,
    ) -> Option<f64> {
        let judged = self.settings.ranking.as_ref()?;
        let learn = || popularity::learn(predictor, &inner.train, &inner.unit, inner.test, judged);
        given.or_else(learn).or(Some(DEFAULT_WEIGHT))
    }

    fn measure(
        &self,
        predictor: &dyn Predictor,
        part: &Part<'_>,
        popularity_weight: Option<f64>,
    ) -> Result<FoldQuality, ModelError> {
        let (train, test) = (&part.train, part.test);
        let below = self.settings.cold_below;
        let is_cold = |user: u32| train.by_user(user as usize).0.len() < below;
        let cold = test.iter().copied().filter(|rating| is_cold(rating.user));
        let cold: Vec<Rating> = cold.collect();
        let wanted = self.settings.ranking.as_ref().zip(popularity_weight);
        let judged = wanted.map(|(ranking, weight)| {
            Judged::new(predictor, train, &part.unit, test, ranking, weight)
        });
        let judged = judged.as_ref();
        Ok(FoldQuality {
            all: accuracy(predictor, test)?,
            cold: if cold.is_empty() {
                None
            } else {
                Some(accuracy(predictor, &cold)?)
            },
            by_friends: by_friends(predictor, test, self.friends, judged)?,
            ranking: judged.and_then(|judged| judged.over(|_| true)),
            cold_ranking: judged.and_then(|judged| judged.over(is_cold)),
        })
    }
}

/// Training ratings split once more, by the seed alone; neither side is empty where there are two.
pub(super) fn inner(train: &[Rating], seed: u64) -> (Vec<Rating>, Vec<Rating>) {
    let mut rng = stream(seed, purpose::INNER);
    let (mut learn, mut judge) = (Vec::new(), Vec::new());
    for &rating in train {
        let side = if rng.next_u64().is_multiple_of(INNER) {
            &mut judge
        } else {
            &mut learn
        };
        side.push(rating);
    }
    let (fewer, more) = if judge.is_empty() {
        (&mut judge, &mut learn)
    } else {
        (&mut learn, &mut judge)
    };
    if fewer.is_empty() && more.len() > 1 {
        fewer.extend(more.pop());
    }
    (learn, judge)
}
