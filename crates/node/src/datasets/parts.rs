//! The files that one import brings: ratings or links, and beside them whatever its header names.
//! They are kept as they came, one after another in one file, so that a data set, its copies and
//! what is committed to are whole or not there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use s3rec_data::{Column, FileHeader, FilePart, Roster, RosterOptions};
use s3rec_wire::status::{Fault, Reason};
use tempfile::NamedTempFile;

use super::header::{Unread, id_rule};
use crate::spool::SPOOLED;

/// A list of users beside ratings or links.
pub const USERS: &str = "users";

/// The files of an import while it is read.
pub struct Files {
    main: Place,
    others: Vec<(FilePart, Place)>,
}

/// Where a file lies while it is read.
enum Place {
    /// The kept file itself.
    Kept(PathBuf),
    /// A copy of its own, gone when this is dropped.
    Own(NamedTempFile),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Own(file) => file.path(),
        }
    }
}

/// Refuses a header whose further files make no sense.
///
/// # Errors
/// [`Reason::InvalidRequest`].
pub(crate) fn check(header: &FileHeader) -> Result<(), Fault> {
    let refused =
        |message: String| Err(Fault::new(Reason::InvalidRequest, message).at("field", "parts"));
    let mut rest = header.length;
    for (place, part) in header.parts.iter().enumerate() {
        if header.parts[..place].iter().any(|p| p.kind == part.kind) {
            return refused(format!("two further files are its {}", part.kind));
        }
        let texts = [&part.kind, &part.file_name, &part.column];
        let bad = |text: &&String| text.len() > 4096 || text.contains(char::is_control);
        if part.file_name.is_empty() || texts.into_iter().any(|text| bad(&text)) {
            return refused("a further file has no name, or one that is no text".into());
        }
        rest = match rest.checked_sub(part.length).filter(|rest| *rest > 0) {
            Some(rest) => rest,
            None => return refused("the further files leave nothing of the file itself".into()),
        };
    }
    Ok(())
}

impl Files {
    /// The files of the upload at `path`; those of other `kinds` are refused.
    pub(super) fn of(path: &Path, header: &FileHeader, kinds: &[&str]) -> Result<Self, Fault> {
        if let Some(part) = header
            .parts
            .iter()
            .find(|part| !kinds.contains(&part.kind.as_str()))
        {
            let message = format!("{:?} is no file that goes with these data", part.kind);
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "parts"));
        }
        if header.parts.is_empty() {
            return Ok(Self {
                main: Place::Kept(path.to_owned()),
                others: Vec::new(),
            });
        }
        let failed = |error: std::io::Error| super::storage(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let whole = file.metadata().map_err(failed)?.len();
        let others: u64 = header.parts.iter().map(|part| part.length).sum();
        let main = whole.checked_sub(others).ok_or_else(|| {
            let message = "the file is shorter than the files it is made of";
            Fault::new(Reason::StorageFailed, message).at("field", "parts")
        })?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut cut = |length: u64| -> Result<Place, Fault> {
            let directory = path.parent().unwrap_or(Path::new("."));
            let mut own = tempfile::Builder::new()
                .prefix(SPOOLED)
                .tempfile_in(directory)
                .map_err(failed)?;
            let copied = std::io::copy(&mut (&mut file).take(length), own.as_file_mut());
            match copied.map_err(failed)? == length {
                true => Ok(Place::Own(own)),
                false => Err(failed(std::io::ErrorKind::UnexpectedEof.into())),
            }
        };
        let main = cut(main)?;
        let others = header.parts.iter();
        let others = others.map(|part| Ok((part.clone(), cut(part.length)?)));
        Ok(Self {
            main,
            others: others.collect::<Result<_, Fault>>()?,
        })
    }

    /// The file itself.
    #[must_use]
    pub fn main(&self) -> &Path {
        self.main.path()
    }

    /// A further file, and what the header says of it.
    #[must_use]
    pub fn other(&self, kind: &str) -> Option<(&Path, &FilePart)> {
        let found = self.others.iter().find(|(part, _)| part.kind == kind);
        found.map(|(part, place)| (place.path(), part))
    }

    /// The list of users beside the data, under the same rule for ids.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn roster(&self, header: &FileHeader, limit_bytes: u64) -> Result<Option<Roster>, Unread> {
        let Some((path, part)) = self.other(USERS) else {
            return Ok(None);
        };
        let user = Column::named(&part.column)?;
        let options = RosterOptions {
            user,
            ids: id_rule(header),
            max_decompressed_bytes: limit_bytes,
            ..RosterOptions::default()
        };
        Ok(Some(Roster::read(path, &options)?))
    }

    /// The names by which people know the files: where they lie, and what they are called.
    pub(super) fn names<'a>(&'a self, header: &'a FileHeader) -> Vec<(String, &'a str)> {
        let others = self.others.iter();
        let others = others.map(|(part, place)| (place.path(), part.file_name.as_str()));
        let all = others.chain([(self.main(), header.file_name.as_str())]);
        all.map(|(path, name)| (path.display().to_string(), name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(parts: &[(&str, u64)], length: u64) -> FileHeader {
        let part = |(kind, length): &(&str, u64)| FilePart {
            kind: (*kind).into(),
            file_name: format!("{kind}.txt"),
            length: *length,
            column: String::new(),
        };
        FileHeader {
            file_name: "data.tsv".into(),
            length,
            parts: parts.iter().map(part).collect(),
            ..FileHeader::default()
        }
    }

    #[test]
    fn an_upload_is_cut_into_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("links");
        std::fs::write(&path, "the linksann\nbob\nrest").unwrap();
        let told = header(&[(USERS, 8), ("items", 4)], 21);
        check(&told).unwrap();
        let files = Files::of(&path, &told, &[USERS, "items"]).unwrap();
        let text = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(text(files.main()), "the links");
        assert_eq!(text(files.other("items").unwrap().0), "rest");
        let roster = files.roster(&told, 1 << 20).unwrap().unwrap();
        assert_eq!(roster.users.names().collect::<Vec<_>>(), ["ann", "bob"]);
        let names = files.names(&told);
        assert!(names.iter().any(|(_, name)| *name == "users.txt"));
        drop(files);
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 1, "a copy is left");
        // Without further files nothing is copied.
        let plain = Files::of(&path, &header(&[], 21), &[]).unwrap();
        assert_eq!(plain.main(), path);
        assert!(plain.other(USERS).is_none());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for (parts, length) in [
            (&[("users", 21)][..], 21),
            (&[("users", u64::MAX), ("items", 2)], 21),
            (&[("users", 1), ("users", 1)], 21),
            (&[("us\u{1b}ers", 1)], 21),
        ] {
            let refused = check(&header(parts, length)).unwrap_err();
            assert_eq!(refused.reason, Reason::InvalidRequest);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("links");
        std::fs::write(&path, "short").unwrap();
        assert!(Files::of(&path, &header(&[("users", 9)], 5), &[USERS]).is_err());
        assert!(Files::of(&path, &header(&[("items", 1)], 5), &[USERS]).is_err());
    }
}
