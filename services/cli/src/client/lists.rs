//! Lists of all users, written as they come.

use std::path::{Path, PathBuf};

use s3rec_data::ListsFile;
use s3rec_sources::Destination;
use s3rec_wire::v1;

use super::RatingClient;
use crate::failure::Failure;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WrittenLists {
    /// Of which model.
    pub model_id: String,
    /// Where.
    pub file: PathBuf,
    /// Users with a list.
    pub users: u64,
    /// Rows: items of all lists.
    pub rows: u64,
}

/// Fetches the lists of all users and writes them to `path`, a file or an object.
///
/// # Errors
/// [`Failure::Refused`], [`Failure::Incomplete`] for a chunk whose parts do not fit each other, and
/// those of the file or the store.
pub async fn write_lists(
    client: &mut RatingClient,
    request: v1::RecommendAllRequest,
    path: &Path,
) -> Result<WrittenLists, Failure> {
    let to = Destination::named(path)?;
    let mut chunks = client.recommend_all(request).await?.into_inner();
    let mut file = ListsFile::create(to.file())?;
    let (mut model_id, mut users) = (String::new(), 0);
    while let Some(chunk) = chunks.message().await? {
        users += write(&mut file, &chunk)?;
        model_id = chunk.model_id;
    }
    let rows = file.finish()?;
    to.finish().await?;
    Ok(WrittenLists {
        model_id,
        file: path.to_owned(),
        users,
        rows,
    })
}

/// Users of a chunk.
fn write(file: &mut ListsFile, chunk: &v1::ListsChunk) -> Result<u64, Failure> {
    let lengths = chunk.lengths.iter().map(|&length| u64::from(length));
    let items = chunk.item_ids.len();
    if chunk.user_ids.len() != chunk.lengths.len()
        || lengths.sum::<u64>() != items as u64
        || items != chunk.scores.len()
    {
        return Err(Failure::Incomplete {
            missing: "a well-formed run of lists",
        });
    }
    let mut items = chunk.item_ids.iter().zip(&chunk.scores);
    for (user, &length) in chunk.user_ids.iter().zip(&chunk.lengths) {
        let list = items.by_ref().take(length as usize);
        file.add(user, list.map(|(item, &score)| (item.as_str(), score)))?;
    }
    Ok(chunk.user_ids.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_that_do_not_fit_are_refused() {
        let path = std::env::temp_dir().join(format!("s3rec-cli-lists-{}", std::process::id()));
        let mut file = ListsFile::create(&path).unwrap();
        let good = v1::ListsChunk {
            user_ids: vec!["a".into(), "b".into(), "c".into()],
            lengths: vec![1, 0, 2],
            item_ids: vec!["x".into(), "y".into(), "z".into()],
            scores: vec![1.0, 2.0, 3.0],
            ..v1::ListsChunk::default()
        };
        assert_eq!(write(&mut file, &good).unwrap(), 3);
        for bad in [
            v1::ListsChunk {
                lengths: vec![1, 2],
                ..good.clone()
            },
            v1::ListsChunk {
                lengths: vec![1, 0, 3],
                ..good.clone()
            },
            v1::ListsChunk {
                scores: vec![1.0],
                ..good.clone()
            },
        ] {
            assert!(write(&mut file, &bad).is_err());
        }
        assert_eq!(file.finish().unwrap(), 3);
        std::fs::remove_file(path).unwrap();
    }
}
