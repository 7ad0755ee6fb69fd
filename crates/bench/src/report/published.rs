//! S3Rec's published headline beside what ours reach against our own `ssmm` in the same run.

use super::Collection;
use super::collection::title;
use super::section::{Grid, Section};
use crate::record::ProductRecord;
use s3rec_job::number_format::times;

pub(super) fn section(collection: &Collection) -> Option<Section> {
    let mut grid = Grid::new(
        "Ratios to ssmm in the same run; ssmm's bytes on the larger sets, and its time where it was \
         not run, are computed",
        "data set | protocol | bytes, ssmm over ours | time, ssmm over ours | ssmm",
    );
    for document in &collection.products {
        let records = &document.body.records;
        let Some(ssmm) = records.iter().find(|record| record.protocol == "ssmm") else {
            continue;
        };
        for name in ["he", "pir", "preprocessed"] {
            let Some(ours) = records.iter().find(|record| record.protocol == name) else {
                continue;
            };
            let (their_seconds, our_seconds) = (seconds(ssmm), seconds(ours));
            grid.rows.push(vec![
                title(&document.label),
                name.to_owned(),
                times(bytes(ssmm) as f64 / bytes(ours).max(1) as f64),
                if their_seconds > 0.0 {
                    times(their_seconds / our_seconds)
                } else {
                    "–".to_owned()
                },
                if ssmm.computed { "computed" } else { "run" }.to_owned(),
            ]);
        }
    }
    if grid.rows.is_empty() {
        return None;
    }
    Some(
        Section::new("Reproduction of the paper")
            .lead(
                "S3Rec (NeurIPS 2021) reports about 40 × less time and 423 × less communication than \
                 SeSoRec on average over its data sets, with one product a round by homomorphic \
                 encryption or private retrieval.",
            )
            .grid(grid)
            .text(
                "Where our accounting differs: ssmm sends 64-bit ring elements, three products a round as \
                 published, and no seeds in place of its masks; ours counts the payload of both \
                 ways, keys and set-up included; he and pir encrypt anew every round and \
                 re-randomise and mask their answers, which the paper's protocol does not; pir uses \
                 the operator out-average under the policy active-rows; time is computing alone, \
                 both parties one after the other.",
            ),
    )
}

fn bytes(record: &ProductRecord) -> u64 {
    record.offline.bytes() + record.online.bytes()
}

fn seconds(record: &ProductRecord) -> f64 {
    record.offline.seconds + record.online.seconds
}
