//! Stored models and what is asked of them.

use std::sync::Arc;

use s3rec_audit::Kind;
use s3rec_model::friends::FriendsModel;
use s3rec_model::{Biases, GlobalMean, Recommendation, Recommender};
use s3rec_node::store::{Change, Store, StoreError, Table};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::imports::blocking;
use crate::model_cache::{Served, ServedFriends, ServedKind};
use crate::plan::{metrics, plan};
use crate::platform::Platform;
use crate::stored::StoredModel;
use crate::stored_friends::StoredFriends;
use crate::tables::{JOBS, MODELS};
use crate::warnings;

const EVALUATIONS: Table = Table("evaluations");

/// When a model that is stored now was made: behind all others, also by a clock that was set back,
/// because the newest is what is served unless one is named.
pub(crate) fn after_all(store: &Store, now_unix_ms: i64) -> Result<i64, StoreError> {
    let all: Vec<(String, v1::ModelSummary)> = store.list(MODELS, "")?;
    let newest = all.iter().map(|(_, model)| model.created_unix_ms).max();
    Ok(newest.map_or(now_unix_ms, |newest| {
        now_unix_ms.max(newest.saturating_add(1))
    }))
}

/// Loads a model; an empty id means the newest.
pub(crate) async fn serve(platform: &Platform, model_id: &str) -> Result<Arc<Served>, Fault> {
    // A model never changes, so a held one needs no look at the store.
    let held = match model_id {
        "" => platform.models.newest(),
        id => platform.models.find(id),
    };
    if let Some(held) = held {
        return Ok(held);
    }
    let (id, summary) = find(platform, model_id)?;
    if model_id.is_empty() {
        platform.models.found_newest(&id);
    }
    if let Some(held) = platform.models.find(&id) {
        return Ok(held);
    }
    let _loading = platform.models.loading.lock().await;
    if let Some(held) = platform.models.find(&id) {
        return Ok(held);
    }
    let ratings = platform.datasets.load(&summary.job_id).await?;
    let ids = platform.datasets.id_rule_for(&summary.job_id)?;
    let request = platform.request(&summary.job_id)?;
    let (directory, name) = (platform.models_dir(), id.clone());
    let served = blocking(move || {
        let plan = plan(&ratings, &request)?;
        if let Some(stored) = StoredFriends::read(&directory, &name)? {
            let (users, items) = stored.ids();
            return Ok(Served {
                model_id: name,
                users,
                items,
                ids,
                kind: ServedKind::Friends(Box::new(ServedFriends {
                    lists: stored.model,
                    ratings: stored.ratings,
                })),
                plan,
            });
        }
        let stored = StoredModel::read(&directory, &name)?;
        let weight = stored.popularity_weight();
        let (model, users, items) = stored.into_model()?;
        let recommender = Recommender::new(model, Arc::clone(&plan.train), &plan.settings, weight);
        Ok::<_, Fault>(Served {
            model_id: name,
            users,
            items,
            ids,
            kind: ServedKind::Trained(Box::new(recommender)),
            plan,
        })
    });
    let served = Arc::new(served.await??);
    platform.models.keep(&served);
    Ok(served)
}

/// A model's name and summary; an empty id means the newest.
fn find(platform: &Platform, model_id: &str) -> Result<(String, v1::ModelSummary), Fault> {
    let all: Vec<(String, v1::ModelSummary)> = platform.store.list(MODELS, "")?;
    let is_empty = all.is_empty();
    let mut all = all.into_iter();
    let found = if model_id.is_empty() {
        all.max_by_key(|(_, model)| model.created_unix_ms)
    } else {
        all.find(|(id, _)| id == model_id)
    };
    found.ok_or_else(|| {
        let message = if is_empty {
            "there is no model yet"
        } else {
            "there is no such model"
        };
        Fault::new(Reason::NotFound, message).at("field", "model_id")
    })
}

/// Deletes a model, its numbers and the copy of the ratings that it is served with. What its job
/// disclosed, and its report, stay with the job.
pub(crate) fn delete(platform: &Platform, id: &str, who: &str) -> Result<(), Fault> {
    let found: Option<v1::ModelSummary> = platform.store.get(MODELS, id)?;
    let found = found.ok_or_else(|| {
        Fault::new(Reason::NotFound, "there is no such model").at("field", "model_id")
    })?;
    let job = found.job_id;
    if platform.journal.is_open(&job) {
        let message = format!("the job {job} is not done with the model");
        return Err(Fault::new(Reason::WrongState, message).at("job", job));
    }
    let entry = [
        ("what", "model".into()),
        ("model", id.into()),
        ("dataset", found.dataset.as_str().into()),
        ("by", who.into()),
    ];
    platform.audit.record(Kind::Deletion, entry)?;
    platform.models.drop(id);
    // The numbers first: what is cut short leaves a name without them, to be deleted again.
    StoredModel::remove(&platform.models_dir(), id)?;
    platform.datasets.release(&job);
    let mut changes = vec![Change::Remove(EVALUATIONS, id), Change::Remove(MODELS, id)];
    let summary: Option<v1::JobSummary> = platform.store.get(JOBS, &job)?;
    if let Some(summary) = summary {
        let without = v1::JobSummary {
            model_id: String::new(),
            ..summary
        };
        changes.push(Change::Put(JOBS, &job, without.to_record()));
    }
    platform.store.change(&changes)?;
    // Whoever loaded it meanwhile has put it back.
    platform.models.drop(id);
    tracing::info!(model = id, "deleted");
    Ok(())
}

/// What an opening of friends' sums left, with the name of its model; an empty id means the newest.
///
/// # Errors
/// [`Reason::NotFound`]; [`Reason::WrongState`] for a model of another kind.
pub(crate) async fn friends(
    platform: &Platform,
    id: &str,
) -> Result<(String, StoredFriends), Fault> {
    let id = find(platform, id)?.0;
    let (directory, name) = (platform.models_dir(), id.clone());
    let stored = blocking(move || StoredFriends::read(&directory, &name)).await??;
    let stored = stored.ok_or_else(|| {
        let message = format!("the model {id} does not come from friends' sums");
        Fault::new(Reason::WrongState, message)
            .at("field", "model_id")
            .remedied_by("Export it with: s3rec rating export")
    })?;
    Ok((id, stored))
}

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
) -> Result<v1::EvaluateResponse, Fault> {
    let id = served.model_id.clone();
    if let Some(stored) = platform.store.get(EVALUATIONS, &id)? {
        return Ok(stored);
    }
    let evaluated = blocking(move || served.evaluate()).await??;
    platform.store.put(EVALUATIONS, &id, &evaluated)?;
    Ok(evaluated)
}

impl Served {
    fn evaluate(&self) -> Result<v1::EvaluateResponse, Fault> {
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
        Ok(v1::EvaluateResponse {
            model_id: self.model_id.clone(),
            warnings: warnings::of_baselines(model.as_ref(), &baselines),
            model,
            global_mean,
            biases,
            no_social,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_the_newest_also_after_the_clock_was_set_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(after_all(&store, 5000).unwrap(), 5000);
        let model = |created_unix_ms| v1::ModelSummary {
            created_unix_ms,
            ..v1::ModelSummary::default()
        };
        store.put(MODELS, "a", &model(5000)).unwrap();
        assert_eq!(after_all(&store, 6000).unwrap(), 6000);
        assert_eq!(after_all(&store, 1000).unwrap(), 5001);
    }
}
