//! Both files in the clear, and what became of their rows.

use std::path::Path;

use s3rec_data::{LinkSet, OutOfScale, RatingReport, RatingSet};
use s3rec_job::report::DataUse;

use crate::arguments::{BothFiles, RatingColumnArgs};
use crate::failure::Failure;
use crate::output::{count, note};

/// More than this share of the rows is not dropped unless asked.
const MOST_DROPPED: f64 = 0.01;

/// What was read.
pub(super) struct Sets {
    pub(super) ratings: RatingSet,
    pub(super) links: LinkSet,
    pub(super) data: DataUse,
}

impl Sets {
    /// Lowest and highest rating.
    pub(super) fn scale(&self) -> (f64, f64) {
        let scale = self.ratings.report.scale;
        (scale.min.into(), scale.max.into())
    }
}

/// Reads both files, and says what was used, merged and dropped.
///
/// # Errors
/// Those of the readers, naming file, line and field; [`Failure::Usage`] where much lies outside
/// the scale.
pub(super) fn read(files: &BothFiles) -> Result<Sets, Failure> {
    let mut inputs = files.inputs()?;
    // Counted here, and refused where it is much.
    inputs.rating_options.out_of_scale = OutOfScale::Drop;
    let (ratings, links) = inputs.read()?;
    let data = data_use(&ratings.report);
    // What is refused is the one document on stderr.
    most_dropped(&files.ratings, &data, &files.reading.ratings)?;
    note(&words(&data, &ratings.report));
    Ok(Sets {
        ratings,
        links,
        data,
    })
}

/// What became of the rows.
fn data_use(report: &RatingReport) -> DataUse {
    DataUse::of(
        report.rows,
        report.ratings as u64,
        report.duplicates_merged,
        report.out_of_scale_dropped,
    )
}

/// Refuses to go on with other data than was given, unless asked to.
pub(crate) fn most_dropped(
    file: &Path,
    data: &DataUse,
    reading: &RatingColumnArgs,
) -> Result<(), Failure> {
    let too_much = data.dropped_share > MOST_DROPPED;
    match reading
        .scale
        .filter(|_| too_much && !reading.drop_out_of_scale)
    {
        None => Ok(()),
        Some((min, max)) => Err(Failure::Usage(format!(
            "{}: {} of {} rows ({:.1} %) lie outside the scale {min} to {max}; name the scale of these \
             data with --scale, leave it out to take it from them, or add --drop-out-of-scale to go \
             on with the rest",
            file.display(),
            count(data.dropped),
            count(data.rows),
            100.0 * data.dropped_share,
        ))),
    }
}

fn words(data: &DataUse, report: &RatingReport) -> String {
    let mut text = format!(
        "{} rows: {} ratings from {} to {} used",
        count(data.rows),
        count(data.used),
        report.scale.min,
        report.scale.max
    );
    if data.merged > 0 {
        text.push_str(&format!(", {} merged", count(data.merged)));
    }
    if data.dropped > 0 {
        text.push_str(&format!(
            ", {} ({:.2} %) dropped as outside the scale",
            count(data.dropped),
            100.0 * data.dropped_share
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::BothReadingArgs;

    /// `bad` ratings of `rows` are a 9, the others 1 to 5.
    fn files(directory: &Path, rows: usize, bad: usize, ratings: RatingColumnArgs) -> BothFiles {
        let text: String = (0..rows)
            .map(|row| {
                let value = if row < bad { 9 } else { row % 5 + 1 };
                format!("u{row}\ti{}\t{value}\n", row % 7)
            })
            .collect();
        let (ratings_file, links_file) = (directory.join("r.tsv"), directory.join("l.tsv"));
        std::fs::write(&ratings_file, text).unwrap();
        std::fs::write(&links_file, "u0\tu1\n").unwrap();
        BothFiles {
            ratings: ratings_file,
            links: links_file,
            reading: BothReadingArgs {
                ratings,
                ..BothReadingArgs::default()
            },
        }
    }

    #[test]
    fn without_a_scale_every_row_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path(), 1000, 0, RatingColumnArgs::default());
        let sets = read(&files).unwrap();
        assert_eq!(
            (sets.data.rows, sets.data.used, sets.data.dropped),
            (1000, 1000, 0)
        );
        assert_eq!(sets.scale(), (1.0, 5.0));
    }

    #[test]
    fn a_scale_drops_little_and_says_so_but_not_much() {
        let directory = tempfile::tempdir().unwrap();
        let reading = RatingColumnArgs {
            scale: Some((1.0, 5.0)),
            ..RatingColumnArgs::default()
        };
        let little = files(directory.path(), 1000, 10, reading.clone());
        let sets = read(&little).unwrap();
        assert_eq!((sets.data.used, sets.data.dropped), (990, 10));
        assert_eq!(sets.data.dropped_share, 0.01);
        let said = words(&sets.data, &sets.ratings.report);
        assert!(said.contains("10 (1.00 %) dropped"), "{said}");

        let much = files(directory.path(), 1000, 11, reading.clone());
        let Err(Failure::Usage(refused)) = read(&much) else {
            panic!("11 of 1,000 rows vanished without a word");
        };
        assert!(
            refused.contains("r.tsv: 11 of 1,000 rows (1.1 %)"),
            "{refused}"
        );
        let asked = RatingColumnArgs {
            drop_out_of_scale: true,
            ..reading
        };
        let much = files(directory.path(), 1000, 11, asked);
        assert_eq!(read(&much).unwrap().data.dropped, 11);
    }

    #[test]
    fn counts_need_no_scale() {
        let directory = tempfile::tempdir().unwrap();
        let reading = RatingColumnArgs {
            counts: true,
            ..RatingColumnArgs::default()
        };
        let files = files(directory.path(), 100, 0, reading);
        let sets = read(&files).unwrap();
        assert_eq!((sets.data.used, sets.scale().0), (100, 1.0));
    }
}
