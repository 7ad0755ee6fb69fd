//! Reading social links.

use crate::normalise::Users;
use crate::table::{Source, Table, open};
use crate::{
    Column, DataError, Delimiter, Header, IdRule, IdTable, LinkReport, MAX_DECOMPRESSED_BYTES,
};
use s3rec_sparse::{SocialMatrix, SparseError};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// How to read a link file. The default reads `truster trustee` and ignores what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkOptions {
    /// What separates fields.
    pub delimiter: Delimiter,
    /// Whether there is a header line.
    pub header: Header,
    /// Where the id of the one who trusts or follows stands.
    pub truster: Column,
    /// Where the id of the one trusted or followed stands.
    pub trustee: Column,
    /// A weight column: rows whose weight is not positive are dropped and counted, all others
    /// count alike (S is binary).
    pub weight: Option<Column>,
    /// How user ids are normalised.
    pub ids: IdRule,
    /// The most bytes that a compressed file may become.
    pub max_decompressed_bytes: u64,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::default(),
            header: Header::default(),
            truster: Column::Index(0),
            trustee: Column::Index(1),
            weight: None,
            ids: IdRule::default(),
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
        }
    }
}

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
    /// Reads a TSV or CSV file, gzipped or not, or a Parquet file; both kinds are told by their
    /// content.
    ///
    /// # Errors
    /// Any [`DataError`] that names a file.
    pub fn read(file: &Path, options: &LinkOptions) -> Result<Self, DataError> {
        Self::read_source(file, open(file, options.max_decompressed_bytes)?, options)
    }

    /// Reads already decompressed text, `name` standing for the file in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from<'a>(
        name: &Path,
        source: impl Read + 'a,
        options: &LinkOptions,
    ) -> Result<Self, DataError> {
        Self::read_source(name, Source::Text(Box::new(source)), options)
    }

    fn read_source(
        name: &Path,
        source: Source<'_>,
        options: &LinkOptions,
    ) -> Result<Self, DataError> {
        let mut fields = vec![
            ("truster", options.truster.clone()),
            ("trustee", options.trustee.clone()),
        ];
        fields.extend(options.weight.clone().map(|column| ("weight", column)));
        let weighted = options.weight.is_some();
        let mut table = Table::new(name, source, options.delimiter, options.header, fields);
        let mut users = Users::new(options.ids);
        let mut links = Vec::new();
        let mut seen = HashSet::new();
        let mut report = LinkReport {
            rows: 0,
            users: 0,
            links: 0,
            duplicates_merged: 0,
            self_links_dropped: 0,
            not_positive_dropped: 0,
        };
        while table.advance(weighted.then_some(2))? {
            report.rows += 1;
            // Both are checked, also in rows that are dropped.
            table.id(0)?;
            table.id(1)?;
            if weighted && !positive(&table, table.field(2)?)? {
                report.not_positive_dropped += 1;
                continue;
            }
            let link = (users.take(&table, 0)?, users.take(&table, 1)?);
            if link.0 == link.1 {
                report.self_links_dropped += 1;
            } else if seen.insert(link) {
                links.push(link);
            } else {
                report.duplicates_merged += 1;
            }
        }
        if links.is_empty() {
            let dropped = report.self_links_dropped + report.not_positive_dropped;
            let file = name.to_path_buf();
            return Err(DataError::Empty {
                file,
                rows: report.rows,
                dropped,
            });
        }
        report.users = users.len();
        report.links = links.len();
        Ok(Self {
            users: users.into_table(),
            links,
            report,
        })
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

fn positive(table: &Table<'_>, text: &str) -> Result<bool, DataError> {
    match text.parse::<f64>() {
        Ok(weight) if weight.is_finite() => Ok(weight > 0.0),
        _ => Err(DataError::NotANumber {
            file: table.file().to_path_buf(),
            line: table.line(),
            actual: text.chars().take(40).collect(),
        }),
    }
}
