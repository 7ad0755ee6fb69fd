//! What operators are answered of a model: predictions, lists, comparisons, and its numbers.

use std::sync::Arc;

use s3rec_job::Evaluation;
use s3rec_model::friends::FriendsModel;
use s3rec_model::{Biases, GlobalMean, Recommendation};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::imports::blocking;
use crate::model_cache::{Served, ServedFriends, ServedKind};
use crate::models::{EVALUATIONS, serve};
use crate::outcome::held_out_errors;
use crate::plan::metrics;
use crate::platform::Platform;
use crate::stored_friends::StoredFriends;
use crate::warnings;

/// The best items for a user, off the executor.
pub(crate) async fn recommend(
    platform: &Platform,
    request: v1::RecommendRequest,
    count: usize,
) -> Result<v1::RecommendResponse, Fault> {
    let served = serve(platform, &request.model_id).await?;
    let turn = platform.models.computing.acquire().await;
    let _turn = turn.map_err(|_| Fault::new(Reason::Bug, "the computing threads are closed"))?;
    blocking(move || served.recommend(&request.user_id, count, request.include_rated)).await
}

/// Compares the model with what it must beat; computed once and stored.
pub(crate) async fn evaluate(
    platform: &Platform,
    served: Arc<Served>,
) -> Result<Evaluation, Fault> {
    let id = served.model_id.clone();
    if let Some(stored) = platform.store.get(EVALUATIONS, &id)? {
        return Ok(stored);
    }
    let evaluated = blocking(move || served.evaluate()).await??;
    platform.store.put(EVALUATIONS, &id, &evaluated)?;
    Ok(evaluated)
}

impl Served {
    fn evaluate(&self) -> Result<Evaluation, Fault> {
        let ServedKind::Trained(recommender) = &self.kind else {
            return Err(orders_lists("is not judged by errors of ratings"));
        };
        let plan = &self.plan;
        let refused = |error: s3rec_model::ModelError| Fault::new(Reason::Bug, error.to_string());
        let settings = &plan.settings;
        let biases = Biases::fit(
            &plan.train,
            plan.scale,
            settings.user_bias_decay,
            settings.item_bias_decay,
        );
        let mut alone = plan.solver_without_social().map_err(refused)?;
        while !alone.is_finished() {
            alone.step(None).map_err(refused)?;
        }
        let model = metrics(recommender.model(), plan);
        let global_mean = metrics(&GlobalMean::fit(&plan.train), plan);
        let (biases, no_social) = (metrics(&biases, plan), metrics(alone.model(), plan));
        let baselines = [
            ("the mean of all ratings", global_mean.as_ref()),
            ("the mean with user and item biases", biases.as_ref()),
            ("the same model without links", no_social.as_ref()),
        ];
        let in_words = |found| held_out_errors(found, plan);
        Ok(Evaluation {
            warnings: warnings::of_baselines(model.as_ref(), &baselines),
            model: model.map(in_words),
            global_mean: global_mean.map(in_words),
            biases: biases.map(in_words),
            no_social: no_social.map(in_words),
        })
    }

    pub(crate) fn predict(&self, user: &str, item: &str) -> Result<v1::PredictResponse, Fault> {
        let user = self.users.find(&self.ids.normalise(user));
        let item = self.items.find(item);
        let recommender = match &self.kind {
            ServedKind::Trained(recommender) => recommender,
            ServedKind::Friends(served) => return self.told_by_friends(served, user, item),
        };
        let explained = recommender.explain(user, item);
        Ok(v1::PredictResponse {
            model_id: self.model_id.clone(),
            rating: explained.rating,
            known_user: user.is_some(),
            known_item: item.is_some(),
            parts: Some(v1::ScoreParts {
                popularity: 0.0,
                ..parts(&explained)
            }),
        })
    }

    pub(crate) fn recommend(
        &self,
        user: &str,
        count: usize,
        include_rated: bool,
    ) -> v1::RecommendResponse {
        let index = self.users.find(&self.ids.normalise(user));
        let recommender = match &self.kind {
            ServedKind::Trained(recommender) => recommender,
            ServedKind::Friends(served) => {
                return self.by_friends(&served.lists, index, count, include_rated);
            }
        };
        let mut found = recommender.recommend(index, count, &[]);
        if let Some(row) = index.filter(|_| include_rated) {
            let (rated, _) = self.plan.train.by_user(row as usize);
            found.extend(recommender.explain_all(index, rated));
            found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
            found.truncate(count);
        }
        let items = found.iter().filter_map(|found| {
            Some(v1::Recommendation {
                item_id: self.items.name(found.item)?.to_owned(),
                score: found.score,
                parts: Some(parts(found)),
            })
        });
        v1::RecommendResponse {
            model_id: self.model_id.clone(),
            known_user: index.is_some(),
            items: items.collect(),
        }
    }

    /// A rating that rests on friends where they tell more than a user's few ratings do.
    fn told_by_friends(
        &self,
        served: &ServedFriends,
        user: Option<u32>,
        item: Option<u32>,
    ) -> Result<v1::PredictResponse, Fault> {
        let ratings = served.ratings.as_ref().ok_or_else(|| {
            let message = "an earlier version stored this model, which predicts no rating";
            Fault::new(Reason::WrongState, message)
                .remedied_by("Make the job anew; the same users are opened again.")
        })?;
        let place = |index: Option<u32>| index.map(|index| index as usize);
        let told = ratings.predict(place(user), place(item));
        Ok(v1::PredictResponse {
            model_id: self.model_id.clone(),
            rating: told.rating,
            known_user: user.is_some(),
            known_item: item.is_some(),
            parts: Some(v1::ScoreParts {
                global_mean: told.mean,
                user_bias: told.user,
                item_bias: told.item,
                taste: told.own,
                social: told.friends,
                popularity: 0.0,
            }),
        })
    }

    /// A list that rests on friends where they tell more than popularity does.
    fn by_friends(
        &self,
        model: &FriendsModel,
        user: Option<u32>,
        count: usize,
        include_rated: bool,
    ) -> v1::RecommendResponse {
        let rated = user.map_or(&[][..], |user| self.plan.train.by_user(user as usize).0);
        let skip = if include_rated { &[][..] } else { rated };
        let place = user.map(|user| user as usize);
        let found = model.list(place, rated.len(), skip, count);
        let items = found.iter().filter_map(|found| {
            Some(v1::Recommendation {
                item_id: self.items.name(found.item)?.to_owned(),
                score: found.score,
                parts: Some(v1::ScoreParts {
                    taste: found.own,
                    social: found.friends,
                    popularity: found.popularity,
                    ..v1::ScoreParts::default()
                }),
            })
        });
        v1::RecommendResponse {
            model_id: self.model_id.clone(),
            known_user: user.is_some(),
            items: items.collect(),
        }
    }

    /// The header of an export, which is in rating units; of lists in those of their scores.
    pub(crate) fn header(&self) -> v1::ModelHeader {
        let (global_mean, rank) = match &self.kind {
            ServedKind::Trained(recommender) => {
                let model = recommender.model();
                (model.unit.restore(model.mean), model.rank())
            }
            ServedKind::Friends(served) => (0.0, served.lists.rank()),
        };
        v1::ModelHeader {
            model_id: self.model_id.clone(),
            global_mean,
            rank: u32::try_from(rank).unwrap_or(u32::MAX),
            users: self.users.len() as u64,
            items: self.items.len() as u64,
        }
    }

    /// A run of rows in rating units (user factors as they were learnt, the item factors carry
    /// the spread), fewer than asked for at the end and none past it.
    pub(crate) fn rows(
        &self,
        side: v1::model_rows::Side,
        first: usize,
        most: usize,
    ) -> Option<v1::ModelRows> {
        let model = match &self.kind {
            ServedKind::Trained(recommender) => recommender.model(),
            ServedKind::Friends(served) => {
                return self.friends_rows(&served.lists, side, first, most);
            }
        };
        let spread = model.unit.spread;
        let (ids, matrix, factor) = match side {
            v1::model_rows::Side::Item => (&self.items, &model.items, spread),
            _ => (&self.users, &model.users, 1.0),
        };
        let rank = model.rank();
        let end = matrix.rows().min(first.saturating_add(most));
        if first >= end {
            return None;
        }
        let mut rows = v1::ModelRows {
            side: side.into(),
            first_row: first as u64,
            ids: ids
                .names()
                .skip(first)
                .take(end - first)
                .map(String::from)
                .collect(),
            ..v1::ModelRows::default()
        };
        for row in first..end {
            let (factors, bias) = matrix.row(row).split_at(rank);
            rows.factors
                .extend(factors.iter().map(|value| factor * value));
            rows.biases.extend(bias.iter().map(|bias| spread * bias));
        }
        Some(rows)
    }

    /// The same of a model that orders lists: users' factors with friends' part in them, no biases.
    fn friends_rows(
        &self,
        model: &FriendsModel,
        side: v1::model_rows::Side,
        first: usize,
        most: usize,
    ) -> Option<v1::ModelRows> {
        let (users, items) = model.sizes();
        let is_item = side == v1::model_rows::Side::Item;
        let (ids, all) = match is_item {
            true => (&self.items, items),
            false => (&self.users, users),
        };
        let end = all.min(first.saturating_add(most));
        if first >= end {
            return None;
        }
        let names = ids.names().skip(first).take(end - first);
        let mut rows = v1::ModelRows {
            side: side.into(),
            first_row: first as u64,
            ids: names.map(String::from).collect(),
            biases: vec![0.0; end - first],
            ..v1::ModelRows::default()
        };
        for row in first..end {
            match is_item {
                true => rows.factors.extend(model.item(row)?),
                false => rows.factors.extend(model.user(row)?),
            }
        }
        Some(rows)
    }
}

/// What is exported of an opening of friends' sums.
///
/// # Errors
/// As [`StoredFriends::told`].
pub(crate) fn friends_header(
    model_id: String,
    stored: &StoredFriends,
) -> Result<v1::FriendsHeader, Fault> {
    let (width, is_used) = stored.told()?;
    Ok(v1::FriendsHeader {
        model_id,
        columns: u32::try_from(stored.parameters.columns()).unwrap_or(u32::MAX),
        width,
        users: stored.opened() as u64,
        sigma: stored.parameters.sigma(),
        is_used,
    })
}

/// A run of its opened users, none past the end.
pub(crate) fn friends_rows(
    stored: &StoredFriends,
    first: usize,
    most: usize,
) -> Option<v1::FriendsRows> {
    let rows = stored.rows(first, most)?;
    Some(v1::FriendsRows {
        first_row: first as u64,
        ids: rows.ids,
        sums: rows.sums,
        noisy_degrees: rows.degrees,
        estimates: rows.estimates,
    })
}

/// What a model that orders lists is not asked.
fn orders_lists(what: &str) -> Fault {
    let message = format!("a model from friends' sums orders lists and {what}");
    Fault::new(Reason::WrongState, message).remedied_by(
        "Ask for lists (s3rec rating recommend), or for the report of its job, which says what \
         friends add to them.",
    )
}

/// Why an item has its place in a list.
fn parts(found: &Recommendation) -> v1::ScoreParts {
    let why = &found.why;
    v1::ScoreParts {
        global_mean: why.mean,
        user_bias: why.user,
        item_bias: why.item,
        taste: why.own_taste,
        social: why.social,
        popularity: why.popularity,
    }
}
