//! Lists of a platform's users, who need not have a rating or a link.
//!
//! Who is in the intersection of both platforms' users, and has rows in what is computed, is
//! decided by these lists where they are given: a user without a rating can be served by what
//! their friends like, and being a common user says nothing about having a link.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::columns::{self, Role};
use crate::limits::Limits;
use crate::normalise::Users;
use crate::ratings::reading;
use crate::roster_parts;
use crate::source::{Source, open};
use crate::table::{Layout, Table};
use crate::table_parts::Cut;
use crate::{
    Column, DataError, Delimiter, Header, IdRule, IdTable, LinkSet, MAX_DECOMPRESSED_BYTES,
    MAX_ROWS, RatingSet, Reading,
};

pub(crate) const USER: usize = 0;

/// How a list of users is to be read. The default takes the column that is named so, or the only
/// one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RosterOptions {
    /// What separates fields.
    pub delimiter: Delimiter,
    /// Whether there is a header line.
    pub header: Header,
    /// The first column only numbers the rows.
    pub index_column: bool,
    /// Where the user's id stands.
    pub user: Column,
    /// How user ids are normalised: as in the ratings or links beside it.
    pub ids: IdRule,
    /// The most bytes that a compressed file may become, or that rows of Parquet hold.
    pub max_decompressed_bytes: u64,
    /// The most rows.
    pub max_rows: u64,
}

impl Default for RosterOptions {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            header: Header::default(),
            index_column: false,
            user: Column::default(),
            ids: IdRule::default(),
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
            max_rows: MAX_ROWS,
        }
    }
}

impl RosterOptions {
    fn roles(&self) -> [Role; 1] {
        [columns::listed(&self.user)]
    }

    fn limits(&self) -> Limits {
        Limits {
            bytes: self.max_decompressed_bytes,
            rows: self.max_rows,
        }
    }
}

/// A platform's users, by first appearance.
#[derive(Clone)]
pub struct Roster {
    /// Everybody who is listed.
    pub users: IdTable,
    /// The account, before it is laid beside ratings or links.
    pub report: RosterReport,
}

/// The account of a list of users.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RosterReport {
    /// Rows read.
    pub rows: u64,
    /// Users listed.
    pub users: usize,
    /// Rows that repeated one.
    pub duplicates_merged: u64,
    /// Of those listed, users without a rating or a link.
    pub only_listed: usize,
    /// Users with a rating or a link who are not listed; they are users all the same.
    pub not_listed: usize,
    /// How it was read.
    pub reading: Reading,
}

impl Roster {
    /// Reads delimited text, JSON lines or Parquet, packed or not; the kind is told by content.
    ///
    /// # Errors
    /// Any [`DataError`] that names a file.
    pub fn read(file: &Path, options: &RosterOptions) -> Result<Self, DataError> {
        Self::read_source(file, open(file, &options.limits())?, options)
    }

    /// Reads text that is not packed, `name` standing for the file in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from<'a>(
        name: &Path,
        source: impl Read + 'a,
        options: &RosterOptions,
    ) -> Result<Self, DataError> {
        Self::read_source(name, Source::text(source), options)
    }

    fn read_source(
        name: &Path,
        source: Source<'_>,
        options: &RosterOptions,
    ) -> Result<Self, DataError> {
        let cut = Cut::default();
        Self::read_with(name, source, options, |table, users, report| {
            roster_parts::take_all(table, users, report, cut)
        })
    }

    fn read_with(
        name: &Path,
        source: Source<'_>,
        options: &RosterOptions,
        take_all: impl FnOnce(&mut Table<'_>, &mut Users, &mut RosterReport) -> Result<(), DataError>,
    ) -> Result<Self, DataError> {
        let roles = options.roles();
        let layout = Layout {
            delimiter: options.delimiter,
            header: options.header,
            index_column: options.index_column,
        };
        let mut table = Table::open(name, source, options.limits(), layout, &roles, false)?;
        table.place(roles.to_vec(), false)?;
        let mut users = Users::new(options.ids);
        let mut report = RosterReport::default();
        take_all(&mut table, &mut users, &mut report)?;
        if users.len() == 0 {
            return Err(DataError::Empty {
                file: name.to_path_buf(),
                rows: report.rows,
                dropped: 0,
            });
        }
        report.users = users.len();
        report.reading = reading(&table, users.table(), users.suspicions(name)?);
        Ok(Self {
            users: users.into_table(),
            report,
        })
    }

    /// Adds everybody listed to `users`, after those who are there, and counts.
    fn join(self, users: &mut IdTable) -> RosterReport {
        let active = users.len();
        let listed = self.users.names();
        let known = listed.filter(|name| users.find(name).is_some()).count();
        for name in self.users.names() {
            // Both tables hold fewer than 2^32 ids; what one more does not take is not listed.
            users.intern(name);
        }
        RosterReport {
            only_listed: users.len() - active,
            not_listed: active - known,
            ..self.report
        }
    }
}

impl RatingSet {
    /// The same with everybody whom a roster lists; users without a rating come last, in its
    /// order. The report's `users` stay those with a rating.
    #[must_use]
    pub fn with_roster(mut self, roster: Roster) -> Self {
        self.report.roster = Some(roster.join(&mut self.users));
        self
    }
}

impl LinkSet {
    /// The same with everybody whom a roster lists; users without a link come last, in its order.
    /// The report's `users` stay those with a link.
    #[must_use]
    pub fn with_roster(mut self, roster: Roster) -> Self {
        self.report.roster = Some(roster.join(&mut self.users));
        self
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod parts_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkOptions, RatingOptions};

    fn roster(text: &str, options: &RosterOptions) -> Result<Roster, DataError> {
        Roster::read_from(Path::new("users.txt"), text.as_bytes(), options)
    }

    fn names(table: &IdTable) -> Vec<&str> {
        table.names().collect()
    }

    #[test]
    fn lists_are_read_with_a_header_and_without() {
        let plain = RosterOptions::default();
        for text in [
            "ann\nbob\nann\n",
            "user_id\nann\nbob\nann\n",
            "id\nann\nbob\nann\n",
        ] {
            let found = roster(text, &plain).unwrap();
            assert_eq!(names(&found.users), ["ann", "bob"], "{text}");
            let report = &found.report;
            assert_eq!(
                (report.rows, report.users, report.duplicates_merged),
                (3, 2, 1)
            );
        }
        let named = "country,member,age\nde,ann,3\nfr,bob,4\n";
        let said = roster(named, &plain).map(drop).unwrap_err().to_string();
        assert!(said.contains("header"), "{said}");
        let told = RosterOptions {
            header: Header::Present,
            ..RosterOptions::default()
        };
        assert_eq!(names(&roster(named, &told).unwrap().users), ["ann", "bob"]);
        let asked = RosterOptions {
            user: Column::named("who").unwrap(),
            ..RosterOptions::default()
        };
        let found = roster("country,who\nde,ann\n", &asked).unwrap();
        assert_eq!(names(&found.users), ["ann"]);
        let folded = RosterOptions {
            ids: IdRule::NfcTrimCaseFold,
            ..RosterOptions::default()
        };
        assert_eq!(names(&roster("Ann\n", &folded).unwrap().users), ["ann"]);
    }

    #[test]
    fn what_is_no_list_of_users_is_refused_by_line() {
        let plain = RosterOptions::default();
        for (text, part) in [
            ("", "no usable row"),
            ("user\n", "no usable row"),
            ("ann\n1.23E+05\n", "users.txt:2"),
            ("ann\tbob\ncyd\tdan\n", "2"),
        ] {
            match roster(text, &plain) {
                Ok(_) => panic!("{text:?} was read"),
                Err(error) => assert!(error.to_string().contains(part), "{text:?}: {error}"),
            }
        }
    }

    #[test]
    fn users_without_a_rating_or_a_link_are_users() {
        let name = Path::new("data.tsv");
        let ratings = "ann\ti\t1\nbob\tj\t2\n";
        let ratings =
            RatingSet::read_from(name, ratings.as_bytes(), &RatingOptions::default()).unwrap();
        let listed = roster("cyd\nbob\ndan\n", &RosterOptions::default()).unwrap();
        let links = LinkSet::read_from(name, &b"bob\tann\n"[..], &LinkOptions::default()).unwrap();
        let links = links.with_roster(listed.clone());
        let ratings = ratings.with_roster(listed);
        assert_eq!(names(&ratings.users), ["ann", "bob", "cyd", "dan"]);
        assert_eq!(names(&links.users), ["bob", "ann", "cyd", "dan"]);
        for report in [&ratings.report.roster, &links.report.roster] {
            let report = report.as_ref().unwrap();
            assert_eq!(
                (report.users, report.only_listed, report.not_listed),
                (3, 2, 1)
            );
        }
        assert_eq!((ratings.report.users, links.report.users), (2, 2));
        assert_eq!(links.social_matrix(&ratings.users).unwrap().users(), 4);
    }
}
