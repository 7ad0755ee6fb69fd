//! What an opening of friends' sums says of opened users, gathered from its chunks into a Parquet
//! file.

use std::path::{Path, PathBuf};

use s3rec_data::factors::{FriendsRow, FriendsWriter, GROUP_ROWS};
use s3rec_sources::Destination;
use s3rec_wire::v1;
use v1::friends_chunk::Part;

use super::RatingClient;
use crate::failure::Failure;

/// What was written, and where.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct WrittenFriends {
    /// Of which opening.
    pub model_id: String,
    /// Opened users.
    pub users: u64,
    /// C, values of a sum.
    pub columns: u32,
    /// k, values of an estimate.
    pub width: u32,
    /// Of the noise in every value of a sum, in units of one friend's row.
    pub sigma: f64,
    /// Whether the estimates beat popularity on calibration users.
    pub is_used: bool,
    /// Columns `id`, `friends_sum`, `noisy_degree`, `estimate`, `is_used`.
    pub file: PathBuf,
}

/// Writes what the opening behind a model says of every opened user; an empty `model_id` means the
/// newest. The file, or object, takes its name when it is whole.
///
/// # Errors
/// [`Failure::Refused`]; [`Failure::Incomplete`] where rows are missing, doubled or misshapen;
/// [`Failure::File`]; [`Failure::Source`].
pub async fn write_friends(
    client: &mut RatingClient,
    model_id: &str,
    file: &Path,
) -> Result<WrittenFriends, Failure> {
    let request = v1::ExportFriendsRequest {
        model_id: model_id.to_owned(),
    };
    let to = Destination::named(file)?;
    let mut chunks = client.export_friends(request).await?.into_inner();
    let Some(Part::Header(header)) = chunks.message().await?.and_then(|chunk| chunk.part) else {
        return Err(incomplete("the header"));
    };
    let mut new = to.file().as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let written = async {
        let mut gathering = Gathering::new(&header, &new)?;
        while let Some(chunk) = chunks.message().await? {
            match chunk.part {
                Some(Part::Rows(rows)) => gathering.rows(rows)?,
                _ => return Err(incomplete("a run of rows")),
            }
        }
        gathering.finish()?;
        std::fs::rename(&new, to.file()).map_err(|source| Failure::File {
            path: file.to_owned(),
            source,
        })
    }
    .await;
    if let Err(failure) = written {
        // What was written of it helps nobody.
        let _ = std::fs::remove_file(&new);
        return Err(failure);
    }
    to.finish().await?;
    Ok(WrittenFriends {
        model_id: header.model_id,
        users: header.users,
        columns: header.columns,
        width: header.width,
        sigma: header.sigma,
        is_used: header.is_used,
        file: file.to_owned(),
    })
}

/// Rows on their way into the file, a row group at most.
struct Gathering<'h> {
    header: &'h v1::FriendsHeader,
    writer: FriendsWriter,
    held: Vec<v1::FriendsRows>,
    held_rows: usize,
    /// Rows that have come.
    all_rows: u64,
}

impl<'h> Gathering<'h> {
    fn new(header: &'h v1::FriendsHeader, file: &Path) -> Result<Self, Failure> {
        Ok(Self {
            header,
            writer: FriendsWriter::create(file)?,
            held: Vec::new(),
            held_rows: 0,
            all_rows: 0,
        })
    }

    fn rows(&mut self, rows: v1::FriendsRows) -> Result<(), Failure> {
        let count = rows.ids.len();
        let is_of =
            |values: &[f64], width: u32| (width as usize).checked_mul(count) == Some(values.len());
        if count == 0
            || rows.first_row != self.all_rows
            || !is_of(&rows.sums, self.header.columns)
            || !is_of(&rows.noisy_degrees, 1)
            || !is_of(&rows.estimates, self.header.width)
        {
            return Err(incomplete("a well-formed run of rows"));
        }
        self.all_rows += count as u64;
        self.held_rows += count;
        self.held.push(rows);
        if self.held_rows >= GROUP_ROWS {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        let (columns, width) = (self.header.columns as usize, self.header.width as usize);
        let mut rows = Vec::with_capacity(self.held_rows);
        for held in &self.held {
            for (place, id) in held.ids.iter().enumerate() {
                let of = |values: &'_ [f64], width: usize| -> std::ops::Range<usize> {
                    let start = (place * width).min(values.len());
                    start..(start + width).min(values.len())
                };
                rows.push(FriendsRow {
                    id,
                    sum: &held.sums[of(&held.sums, columns)],
                    noisy_degree: held.noisy_degrees[place],
                    estimate: &held.estimates[of(&held.estimates, width)],
                    is_used: self.header.is_used,
                });
            }
        }
        self.writer.write(&rows)?;
        self.held.clear();
        self.held_rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        if self.all_rows != self.header.users {
            return Err(incomplete("rows"));
        }
        self.write()?;
        Ok(self.writer.finish()?)
    }
}

fn incomplete(missing: &'static str) -> Failure {
    Failure::Incomplete { missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_data::{FactorOptions, FactorSet};

    fn header() -> v1::FriendsHeader {
        v1::FriendsHeader {
            columns: 2,
            width: 1,
            users: 3,
            ..v1::FriendsHeader::default()
        }
    }

    fn run(first_row: u64, ids: &[&str]) -> v1::FriendsRows {
        v1::FriendsRows {
            first_row,
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            sums: ids.iter().flat_map(|_| [1.0, -2.0]).collect(),
            noisy_degrees: ids.iter().map(|_| 0.5).collect(),
            estimates: ids.iter().map(|_| 4.0).collect(),
        }
    }

    #[test]
    fn runs_become_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("friends.parquet");
        let header = header();
        let mut gathering = Gathering::new(&header, &file).unwrap();
        gathering.rows(run(0, &["ann", "bob"])).unwrap();
        gathering.rows(run(2, &["cy"])).unwrap();
        gathering.finish().unwrap();
        let read = FactorSet::read(&file, None, &FactorOptions::default()).unwrap();
        let ids: Vec<&str> = read.users.ids.names().collect();
        assert_eq!(ids, ["ann", "bob", "cy"]);
        assert_eq!(read.users.row(2), [1.0, -2.0]);
    }

    #[test]
    fn torn_runs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("friends.parquet");
        let header = header();
        let refused = |rows: v1::FriendsRows| {
            let mut gathering = Gathering::new(&header, &file).unwrap();
            gathering.rows(rows).is_err()
        };
        assert!(refused(run(1, &["ann"])));
        assert!(refused(run(0, &[])));
        for spoil in [
            |rows: &mut v1::FriendsRows| rows.sums.truncate(1),
            |rows: &mut v1::FriendsRows| rows.noisy_degrees.push(1.0),
            |rows: &mut v1::FriendsRows| rows.estimates.clear(),
        ] {
            let mut rows = run(0, &["ann"]);
            spoil(&mut rows);
            assert!(refused(rows));
        }
        // Fewer than were announced.
        let mut gathering = Gathering::new(&header, &file).unwrap();
        gathering.rows(run(0, &["ann"])).unwrap();
        assert!(gathering.finish().is_err());
    }
}
