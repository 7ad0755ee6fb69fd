//! What finding the common users costs.

use super::Collection;
use super::collection::title;
use super::section::{Figure, Grid, Section};
use crate::plot::{Axis, Bar};
use crate::psi::{PsiRecord, PsiReport};
use crate::{BenchError, Document};
use s3rec_job::number_format::{bytes, count, duration, runs};

pub(super) fn section(collection: &Collection) -> Result<Option<Section>, BenchError> {
    let Some(first) = collection.psi.first() else {
        return Ok(None);
    };
    let mut section = Section::new("Finding the common users").lead(format!(
        "Private set intersection, each platform in a process of its own over the loopback, ids \
         normalised and framing counted; {}, the slower platform's time.",
        runs(first.repeats),
    ));
    for document in &collection.psi {
        for record in &document.body.records {
            section = section.figure(figure(document, record)?);
        }
    }
    Ok(Some(section.grid(grid(&collection.psi))))
}

fn figure(document: &Document<PsiReport>, record: &PsiRecord) -> Result<Figure, BenchError> {
    let report = &document.body;
    let [rating, social] = &record.parties;
    let bar = |group: usize, name: &str, value: u64| Bar {
        name: name.to_owned(),
        value: value as f64,
        label: bytes(value),
        group,
        hollow: false,
    };
    let form = record.protocol.name();
    let stem = match document.label.as_str() {
        "" => format!("psi-{form}"),
        label => format!("psi-{form}-{label}"),
    };
    Figure::bars(
        &stem,
        &format!(
            "Bytes and memory of finding {} common users among {} and {} ({form})",
            count(report.common),
            count(report.users),
            count(report.users)
        ),
        "Sent by each platform, and the largest resident set of its process, ids included.",
        &Axis::bytes("bytes"),
        &[
            bar(0, "rating sends", rating.sent_bytes),
            bar(0, "social sends", social.sent_bytes),
            bar(1, "rating’s memory", rating.peak_rss_bytes),
            bar(1, "social’s memory", social.peak_rss_bytes),
        ],
    )
}

fn grid(documents: &[Document<PsiReport>]) -> Grid {
    let mut grid = Grid::new(
        "An id of both sets is each id of either platform; memory is the largest resident set",
        "workload | form | users of each | common | exact | time | core-seconds | bytes \
         both ways | bytes an id of both sets | bytes an id of one set | rating’s memory | \
         social’s memory",
    );
    for document in documents {
        let report = &document.body;
        for record in &report.records {
            let [rating, social] = &record.parties;
            grid.rows.push(vec![
                title(&document.label),
                record.protocol.name().to_owned(),
                count(report.users),
                count(report.common),
                if record.exact { "yes" } else { "NO" }.to_owned(),
                duration(record.seconds),
                format!("{:.1}", record.core_seconds),
                bytes(record.bytes),
                format!("{:.1}", record.bytes_per_id),
                format!("{:.1}", record.bytes_per_id_of_one_set),
                bytes(rating.peak_rss_bytes),
                bytes(social.peak_rss_bytes),
            ]);
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::*;
    use crate::psi::{Party, PartyRecord, Protocol, Workload};

    #[test]
    fn a_record_of_the_intersection_is_on_the_page() {
        let party = |party, sent_bytes, peak_rss_bytes| PartyRecord {
            party,
            seconds: 2.5,
            core_seconds: 1.25,
            sent_bytes,
            peak_rss_bytes,
            common: 100,
            exact: true,
            digest: [0; 32],
        };
        let workload = Workload {
            users: 1_000,
            common: 100,
        };
        let parties = [
            party(Party::Rating, 33_000, 12_300_000),
            party(Party::Social, 41_000, 11_000_000),
        ];
        let body = PsiReport {
            users: 1_000,
            common: 100,
            records: vec![PsiRecord::new(Protocol::Vole, workload, parties)],
        };
        let directory = tempfile::tempdir().unwrap();
        let document = Document::new("psi", "", true, 1, body);
        document.write(directory.path()).unwrap();
        let collection = Collection::read(directory.path()).unwrap();
        let page = Report::of_benchmarks(&collection).unwrap();
        for text in [page.html(), page.markdown()] {
            for expected in [
                "Finding the common users",
                "74.0 kB",
                "37.0",
                "74.0",
                "2.5 s",
                "12.3 MB",
                "11.0 MB",
            ] {
                assert!(text.contains(expected), "{expected} in\n{text}");
            }
        }
    }
}
