//! Stored models: loaded, and deleted.

use std::sync::Arc;

use s3rec_audit::Kind;
use s3rec_job::ModelRecord;
use s3rec_model::Recommender;
use s3rec_node::store::{Change, Store, StoreError, Table};
use s3rec_wire::status::{Fault, Reason};

use crate::imports::blocking;
use crate::model_cache::{Served, ServedFriends, ServedKind};
use crate::plan::plan;
use crate::platform::Platform;
use crate::stored::StoredModel;
use crate::stored_friends::StoredFriends;
use crate::tables::MODELS;

pub(crate) const EVALUATIONS: Table = Table("evaluations");

/// When a model that is stored now was made: behind all others, also by a clock that was set back,
/// because the newest is what is served unless one is named.
pub(crate) fn after_all(store: &Store, now_unix_ms: i64) -> Result<i64, StoreError> {
    let all: Vec<(String, ModelRecord)> = store.list(MODELS, "")?;
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
    let (id, _) = find(platform, model_id)?;
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
    let ratings = platform.datasets.load(&id).await?;
    let ids = platform.datasets.id_rule_for(&id)?;
    let request = platform.request(&id)?;
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

/// A model's name, which is its job's, and its record; an empty id means the newest.
fn find(platform: &Platform, model_id: &str) -> Result<(String, ModelRecord), Fault> {
    let all: Vec<(String, ModelRecord)> = platform.store.list(MODELS, "")?;
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
    let found: Option<ModelRecord> = platform.store.get(MODELS, id)?;
    let found = found.ok_or_else(|| {
        Fault::new(Reason::NotFound, "there is no such model").at("field", "model_id")
    })?;
    if platform.journal.is_open(id) {
        let message = format!("the job {id} is not done with the model");
        return Err(Fault::new(Reason::WrongState, message).at("job", id));
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
    platform.datasets.release(id);
    platform
        .store
        .change(&[Change::Remove(EVALUATIONS, id), Change::Remove(MODELS, id)])?;
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

#[cfg(test)]
mod tests {
    use s3rec_job::ModelSettings;
    use s3rec_model::Preset;

    use super::*;

    #[test]
    fn a_model_is_the_newest_also_after_the_clock_was_set_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(after_all(&store, 5000).unwrap(), 5000);
        let preset = Preset::named("published").unwrap();
        let model = |created_unix_ms| ModelRecord {
            dataset: "ratings".into(),
            settings: ModelSettings::of(&preset.settings, preset.operator, None),
            users: 1,
            items: 1,
            quality: None,
            created_unix_ms,
        };
        store.put(MODELS, "a", &model(5000)).unwrap();
        assert_eq!(after_all(&store, 6000).unwrap(), 6000);
        assert_eq!(after_all(&store, 1000).unwrap(), 5001);
    }
}
