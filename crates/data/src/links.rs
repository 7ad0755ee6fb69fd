//! Reading social links.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use s3rec_sparse::{SocialMatrix, SparseError};

use crate::adjacency;
use crate::normalise::Users;
use crate::numbers::{is_missing, number};
use crate::ratings::reading;
use crate::source::{Source, open};
use crate::table::{Place, Table};
use crate::{Column, DataError, IdTable, LinkOptions, LinkReport, LinkShape, Reading, Weights};

/// Fields of a row, in the order of [`LinkOptions::pair`].
const TRUSTER: usize = 0;
const TRUSTEE: usize = 1;
const WEIGHT: usize = 2;

/// Links by index, with the ids behind the indices. P1's secret.
#[derive(Clone)]
pub struct LinkSet {
    /// Users at either end of a link, by first appearance.
    pub users: IdTable,
    /// Distinct links (truster, trustee), by first appearance, without self links.
    pub links: Vec<(u32, u32)>,
    /// The account.
    pub report: LinkReport,
}

impl LinkSet {
    /// Reads delimited text, JSON lines or Parquet, packed or not; the kind is told by content.
    ///
    /// # Errors
    /// Any [`DataError`] that names a file.
    pub fn read(file: &Path, options: &LinkOptions) -> Result<Self, DataError> {
        Self::read_source(file, open(file, &options.limits())?, options)
    }

    /// Reads text that is not packed, `name` standing for the file in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from<'a>(
        name: &Path,
        source: impl Read + 'a,
        options: &LinkOptions,
    ) -> Result<Self, DataError> {
        Self::read_source(name, Source::text(source), options)
    }

    fn read_source(
        name: &Path,
        source: Source<'_>,
        options: &LinkOptions,
    ) -> Result<Self, DataError> {
        let mut all = options.pair().to_vec();
        all.extend(options.list().into_iter().skip(1));
        let ragged = options.shape == LinkShape::Lists;
        let mut table = Table::open(
            name,
            source,
            options.limits(),
            options.layout(),
            &all,
            ragged,
        )?;
        let mut gathered = Gathered::new(options);
        if options.is_lists(&table) {
            table.place(options.list().to_vec(), false)?;
            table.take_lists();
            while table.advance()? {
                gathered.take_list(&table)?;
            }
        } else {
            table.place(options.pair().to_vec(), options.weight == Column::Usual)?;
            while table.advance()? {
                gathered.take_pair(&table, options)?;
            }
        }
        gathered.finish(&table)
    }

    /// S over another platform's users, by id: row i is `users` index i; links with an end
    /// that `users` does not know fall away. This needs both id tables in one place, so it
    /// serves the clear evaluation and tests, never a daemon.
    ///
    /// # Errors
    /// [`SparseError::TooMany`] for more than 2^32 − 1 users.
    pub fn social_matrix(&self, users: &IdTable) -> Result<SocialMatrix, SparseError> {
        let theirs: Vec<Option<u32>> = self.users.names().map(|name| users.find(name)).collect();
        let known = self.links.iter().filter_map(|&(truster, trustee)| {
            Some((theirs[truster as usize]?, theirs[trustee as usize]?))
        });
        SocialMatrix::from_links(users.len(), known)
    }
}

struct Gathered {
    users: Users,
    links: Vec<(u32, u32)>,
    seen: HashSet<(u32, u32)>,
    undirected: bool,
    report: LinkReport,
}

impl Gathered {
    fn new(options: &LinkOptions) -> Self {
        Self {
            users: Users::new(options.ids),
            links: Vec::new(),
            seen: HashSet::new(),
            undirected: options.undirected,
            report: LinkReport {
                rows: 0,
                users: 0,
                links: 0,
                duplicates_merged: 0,
                self_links_dropped: 0,
                not_positive_dropped: 0,
                missing_dropped: 0,
                reversed_added: 0,
                empty_lists: 0,
                roster: None,
                reading: Reading::default(),
            },
        }
    }

    fn take_pair(&mut self, table: &Table<'_>, options: &LinkOptions) -> Result<(), DataError> {
        self.report.rows += 1;
        let (truster, trustee) = (table.raw(TRUSTER)?, table.raw(TRUSTEE)?);
        // Both are checked, also in rows that are dropped.
        table.at(TRUSTER).check(truster)?;
        table.at(TRUSTEE).check(trustee)?;
        if table.has(WEIGHT) {
            match weight(table, options)? {
                None => {
                    self.report.missing_dropped += 1;
                    return Ok(());
                }
                Some(weight) if weight <= 0.0 && options.weights == Weights::Positive => {
                    self.report.not_positive_dropped += 1;
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        self.link((table.at(TRUSTER), truster), (table.at(TRUSTEE), trustee))
    }

    fn take_list(&mut self, table: &Table<'_>) -> Result<(), DataError> {
        self.report.rows += 1;
        let (user, friends) = adjacency::row(table)?;
        let (from, to) = (table.at(TRUSTER), table.at(TRUSTEE));
        from.check(user)?;
        self.report.empty_lists += u64::from(friends.is_empty());
        for friend in friends {
            to.check(friend)?;
            self.link((from, user), (to, friend))?;
        }
        Ok(())
    }

    fn link(&mut self, from: (Place<'_>, &str), to: (Place<'_>, &str)) -> Result<(), DataError> {
        let link = (
            self.users.take(from.0, from.1)?,
            self.users.take(to.0, to.1)?,
        );
        if link.0 == link.1 {
            self.report.self_links_dropped += 1;
        } else if self.seen.insert(link) {
            self.links.push(link);
        } else {
            self.report.duplicates_merged += 1;
        }
        Ok(())
    }

    fn finish(mut self, table: &Table<'_>) -> Result<LinkSet, DataError> {
        let mut report = self.report;
        if self.links.is_empty() {
            let dropped = report.self_links_dropped
                + report.not_positive_dropped
                + report.missing_dropped
                + report.empty_lists;
            return Err(DataError::Empty {
                file: table.file().to_path_buf(),
                rows: report.rows,
                dropped,
            });
        }
        if self.undirected {
            for (truster, trustee) in self.links.clone() {
                if self.seen.insert((trustee, truster)) {
                    self.links.push((trustee, truster));
                    report.reversed_added += 1;
                }
            }
        }
        report.users = self.users.len();
        report.links = self.links.len();
        let found = self.users.suspicions(table.file())?;
        report.reading = reading(table, self.users.table(), found);
        Ok(LinkSet {
            users: self.users.into_table(),
            links: self.links,
            report,
        })
    }
}

/// The weight of a row; none where it has none and such rows are dropped.
fn weight(table: &Table<'_>, options: &LinkOptions) -> Result<Option<f64>, DataError> {
    let text = table.raw(WEIGHT)?;
    let place = table.at(WEIGHT);
    let (file, line, field) = (|| place.file.to_path_buf(), place.line, place.field);
    let actual = || text.chars().take(40).collect();
    if is_missing(text) {
        return match options.drop_missing {
            true => Ok(None),
            false => Err(DataError::Missing {
                file: file(),
                line,
                field,
                actual: actual(),
            }),
        };
    }
    let weight = number(text, options.decimal()).ok_or_else(|| DataError::NotANumber {
        file: file(),
        line,
        field,
        actual: actual(),
        remedy: "name the column of the weight (--weight-column), or read none (--weight-column \
                 none) where every row is a link",
    })?;
    Ok(Some(weight))
}
