//! Files of links: how they are read, committed to and told of.

use std::path::Path;

use s3rec_data::{LinkOptions, LinkSet};
use s3rec_node::datasets::header::{
    column, delimiter, distinct, first_row, id_rule, optional_column,
};
use s3rec_node::datasets::{Content, Datasets, Unread};
pub(crate) use s3rec_node::process::blocking;
use s3rec_node::versions::Commitment;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::bounds::largest_degree;

/// What the social platform imports.
pub(crate) struct Links;

/// Its data sets.
pub(crate) type LinkDatasets = Datasets<Links>;

impl Content for Links {
    const FOLDER: &'static str = "links";
    const ROWS: &'static str = "links";
    type Data = LinkSet;
    type Imported = v1::ImportLinksResponse;

    fn read(path: &Path, header: &v1::FileHeader, limit_bytes: u64) -> Result<LinkSet, Unread> {
        let options = LinkOptions {
            max_decompressed_bytes: limit_bytes,
            ..link_options(header)?
        };
        Ok(LinkSet::read(path, &options)?)
    }

    /// All links in the order of their ends' ids.
    fn commit(links: &LinkSet, commitment: &mut Commitment) -> Result<(), Fault> {
        let name = |user: u32| {
            let name = links.users.name(user);
            name.ok_or_else(|| Fault::new(Reason::Bug, "a link of nobody"))
        };
        let named = links
            .links
            .iter()
            .map(|(truster, trustee)| Ok((name(*truster)?, name(*trustee)?)));
        let mut named = named.collect::<Result<Vec<(&str, &str)>, Fault>>()?;
        named.sort_unstable();
        for (truster, trustee) in named {
            commitment.row(&[truster.as_bytes(), trustee.as_bytes()]);
        }
        Ok(())
    }

    fn imported(links: &LinkSet, header: &v1::FileHeader) -> v1::ImportLinksResponse {
        let report = &links.report;
        let users = report.users as f64;
        v1::ImportLinksResponse {
            dataset: header.dataset.clone(),
            users: report.users as u64,
            links: report.links as u64,
            duplicates: report.duplicates_merged,
            self_links: report.self_links_dropped,
            rows: report.rows,
            density: report.links as f64 / (users * (users - 1.0)).max(1.0),
            not_positive: report.not_positive_dropped,
            largest_degree: largest_degree(links),
        }
    }

    fn sizes(imported: &v1::ImportLinksResponse) -> (u64, u64) {
        (imported.users, imported.links)
    }
}

/// How a file is to be read.
fn link_options(header: &v1::FileHeader) -> Result<LinkOptions, Fault> {
    let truster = column(&header.truster_column, 0, "truster_column")?;
    let trustee = column(&header.trustee_column, 1, "trustee_column")?;
    let weight = optional_column(&header.weight_column, "weight_column")?;
    distinct(&[
        ("truster_column", Some(&truster)),
        ("trustee_column", Some(&trustee)),
        ("weight_column", weight.as_ref()),
    ])?;
    Ok(LinkOptions {
        truster,
        trustee,
        weight,
        delimiter: delimiter(header)?,
        header: first_row(header),
        ids: id_rule(header),
        ..LinkOptions::default()
    })
}
