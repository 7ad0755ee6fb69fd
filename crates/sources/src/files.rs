//! Files on this machine: one, standard input, or a folder or pattern of Parquet files.

use std::fs::{self, File};
use std::io::{BufWriter, Error, ErrorKind, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::error::{SourceError, Trouble};
use crate::opened::Opened;
use crate::spool;

/// How deep folders in folders are looked through.
const MOST_LEVELS: usize = 8;
/// More are no data set but a mistake.
pub(crate) const MOST_FILES: usize = 100_000;
/// The ending of what folders hold.
pub(crate) const ENDING: &str = "parquet";

/// Standard input, which is there once.
pub(crate) fn standard_input() -> Result<Opened, Error> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    Ok(Opened {
        data: stdin.into(),
        can_be_read_again: false,
    })
}

/// Opens a file; a folder stands for all `*.parquet` in it and in its folders, and a last name with
/// `*` for the files that it fits, in the order of their names.
pub(crate) fn open(path: &Path) -> Result<Opened, SourceError> {
    let failed = |error: Error| SourceError::local(path, &error);
    if let Some(files) = files(path).map_err(failed)? {
        return joined(path, &files);
    }
    let data = File::open(path).map_err(failed)?;
    let can_be_read_again = data.metadata().map_err(failed)?.is_file();
    Ok(Opened {
        data,
        can_be_read_again,
    })
}

/// One file of the rows of all, which nobody else can open.
pub(crate) fn joined(path: &Path, files: &[PathBuf]) -> Result<Opened, SourceError> {
    let mut out = BufWriter::new(spool::file()?);
    s3rec_data::parquet_as_json_lines(files, path, &mut out).map_err(|error| {
        SourceError::new(&crate::shown(path), Trouble::Data, error.to_string(), "")
    })?;
    out.flush().map_err(|error| spool::failed(&error))?;
    let mut data = out
        .into_inner()
        .map_err(|error| spool::failed(error.error()))?;
    data.rewind().map_err(|error| spool::failed(&error))?;
    Ok(Opened {
        data,
        can_be_read_again: true,
    })
}

/// The files of a folder or a pattern; none of a single file.
fn files(path: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
    let mut found = Vec::new();
    let pattern = path.file_name().and_then(|name| name.to_str());
    match pattern.filter(|name| name.contains('*') && !path.exists()) {
        Some(pattern) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
                let entry = entry?;
                if fits(pattern, &entry.file_name().to_string_lossy()) {
                    found.push(entry.path());
                }
            }
        }
        None if path.is_dir() => collect(path, MOST_LEVELS, &mut found)?,
        None => return Ok(None),
    }
    found.sort();
    match found.len() {
        0 => Err(Error::new(
            ErrorKind::NotFound,
            "no Parquet file (*.parquet) is there",
        )),
        1..=MOST_FILES => Ok(Some(found)),
        number => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{number} files are there, more than {MOST_FILES}"),
        )),
    }
}

/// All Parquet files below a folder; what begins with `_` or `.` is a writer's own.
fn collect(folder: &Path, levels: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_writers_own(&name.to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            if levels > 0 {
                collect(&path, levels - 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == ENDING) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a writer keeps something of its own under that name.
pub(crate) fn is_writers_own(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// Whether a name fits a pattern, in which `*` stands for any characters.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("part-*.parquet", "part-0001.parquet", true),
            ("part-*.parquet", "part-.parquet", true),
            ("part-*.parquet", "part-1.csv", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("same", "same", true),
            ("same", "sames", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_folder_is_its_parquet_files_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(files(folder.path()).is_err(), "an empty folder");
        fs::create_dir_all(path("b/c")).unwrap();
        fs::create_dir(path("_temporary")).unwrap();
        for name in [
            "b/c/2.parquet",
            "a.parquet",
            "b/x.csv",
            "_SUCCESS",
            "_temporary/0.parquet",
        ] {
            fs::write(path(name), "").unwrap();
        }
        let found = files(folder.path()).unwrap().unwrap();
        assert_eq!(found, [path("a.parquet"), path("b/c/2.parquet")]);
        assert_eq!(
            files(&path("*.parquet")).unwrap().unwrap(),
            [path("a.parquet")]
        );
        assert_eq!(files(&path("a.parquet")).unwrap(), None);
        assert!(files(&path("z*")).is_err());
    }
}
