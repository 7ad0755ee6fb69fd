//! Files of links: how they are read, committed to and reported.

use s3rec_data::{FileHeader, ImportedLinks, LinkOptions, LinkSet, LinkShape, Weights};
use s3rec_node::datasets::header::{column, delimiter, distinct, first_row, id_rule};
use s3rec_node::datasets::{Content, Files, Unread, commit_listed, commit_rows, parts};
pub(crate) use s3rec_node::process::blocking;
use s3rec_node::versions::Commitment;
use s3rec_wire::status::Fault;

/// What the social platform imports.
pub(crate) struct Links;

impl Content for Links {
    const FOLDER: &'static str = "links";
    const ROWS: &'static str = "links";
    const PARTS: &'static [&'static str] = &[parts::USERS];
    type Data = LinkSet;
    type Imported = ImportedLinks;

    fn read(files: &Files, header: &FileHeader, limit_bytes: u64) -> Result<LinkSet, Unread> {
        let options = LinkOptions {
            max_decompressed_bytes: limit_bytes,
            ..link_options(header)?
        };
        let links = LinkSet::read(files.main(), &options)?;
        let roster = files.roster(header, limit_bytes)?;
        Ok(match roster {
            Some(roster) => links.with_roster(roster),
            None => links,
        })
    }

    /// All links in the order of their ends' ids, and users who are only listed.
    fn commit(links: &LinkSet, commitment: &mut Commitment) -> Result<(), Fault> {
        let name = |user: u32| links.users.name(user);
        commit_rows(
            commitment,
            &links.links,
            |(truster, trustee)| Some((name(*truster)?, name(*trustee)?)),
            |(truster, trustee)| [truster.as_bytes(), trustee.as_bytes()],
        )?;
        if links.report.roster.is_some() {
            commit_listed(commitment, &links.users, links.report.users);
        }
        Ok(())
    }

    fn imported(links: &LinkSet, header: &FileHeader) -> ImportedLinks {
        ImportedLinks {
            dataset: header.dataset.clone(),
            largest_degree: largest_degree(links),
            report: links.report.clone(),
        }
    }

    fn sizes(imported: &ImportedLinks) -> (u64, u64) {
        let report = &imported.report;
        let listed = report.roster.as_ref();
        let listed = listed.map_or(0, |roster| roster.only_listed);
        ((report.users + listed) as u64, report.links as u64)
    }
}

/// How a file is to be read.
///
/// # Errors
/// [`s3rec_wire::status::Reason::InvalidRequest`] naming the field of the header that makes no sense.
pub fn link_options(header: &FileHeader) -> Result<LinkOptions, Fault> {
    let truster = column(&header.truster_column, "truster_column")?;
    let trustee = column(&header.trustee_column, "trustee_column")?;
    let weight = column(&header.weight_column, "weight_column")?;
    distinct(&[
        ("truster_column", &truster),
        ("trustee_column", &trustee),
        ("weight_column", &weight),
    ])?;
    Ok(LinkOptions {
        truster,
        trustee,
        weight,
        delimiter: delimiter(header)?,
        header: first_row(header)?,
        index_column: header.index_column,
        shape: if header.adjacency {
            LinkShape::Lists
        } else {
            LinkShape::Detect
        },
        weights: if header.any_weight {
            Weights::Any
        } else {
            Weights::Positive
        },
        undirected: header.undirected,
        decimal_comma: header.decimal_comma,
        drop_missing: header.drop_missing,
        ids: id_rule(header),
        ..LinkOptions::default()
    })
}

/// Most links of one user, both directions together.
fn largest_degree(links: &LinkSet) -> u32 {
    let mut degrees = vec![0_u32; links.users.len()];
    for user in links.links.iter().flat_map(|(from, to)| [*from, *to]) {
        if let Some(degree) = degrees.get_mut(user as usize) {
            *degree = degree.saturating_add(1);
        }
    }
    degrees.into_iter().max().unwrap_or(0)
}
