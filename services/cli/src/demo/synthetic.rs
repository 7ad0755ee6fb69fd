//! A drawn set as the two files that the platforms would have.

use std::path::{Path, PathBuf};

use s3rec_data::{Synthetic, SyntheticSettings};

use crate::failure::Failure;

/// Draws a set and writes `ratings.tsv` and `links.tsv` into `directory`; returns their paths.
///
/// # Errors
/// [`Failure::Data`] for settings that make no sense, [`Failure::File`].
pub fn write_synthetic(
    directory: &Path,
    settings: &SyntheticSettings,
) -> Result<(PathBuf, PathBuf), Failure> {
    let Synthetic { ratings, links } = settings.generate()?;
    let mut rating_rows = String::new();
    for rating in &ratings.ratings {
        let user = ratings.users.name(rating.user).unwrap_or_default();
        let item = ratings.items.name(rating.item).unwrap_or_default();
        rating_rows.push_str(&format!("{user}\t{item}\t{}\n", rating.value));
    }
    let mut link_rows = String::new();
    for (truster, trustee) in &links.links {
        let truster = links.users.name(*truster).unwrap_or_default();
        let trustee = links.users.name(*trustee).unwrap_or_default();
        link_rows.push_str(&format!("{truster}\t{trustee}\n"));
    }
    let write = |name: &str, rows: String| {
        let path = directory.join(name);
        match std::fs::write(&path, rows) {
            Ok(()) => Ok(path),
            Err(source) => Err(Failure::File { path, source }),
        }
    };
    Ok((
        write("ratings.tsv", rating_rows)?,
        write("links.tsv", link_rows)?,
    ))
}
