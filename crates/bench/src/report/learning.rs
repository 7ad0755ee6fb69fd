//! What openings buy, and what noise on them costs.

use super::Collection;
use super::collection::title;
use super::section::{Figure, Grid, Section};
use crate::BenchError;
use s3rec_job::number_format::count;

/// What gradient descent is compared with.
const ALS_OPENINGS: u64 = 10;

pub(super) fn sections(collection: &Collection) -> Result<Vec<Section>, BenchError> {
    let mut sections = Vec::new();
    if !collection.rounds.is_empty() {
        let mut section = Section::new("Error against openings").lead(
            "One fold of five held out, the clear product, the settings of the preset; the objective \
             includes the social term.",
        );
        let mut grid = Grid::new(
            "Openings of gradient descent to the objective that als has after ten",
            "data set | users | gd | als | RMSE without the social term | RMSE of als",
        );
        for document in &collection.rounds {
            let report = &document.body;
            let name = title(&document.label);
            section = section.figure(Figure::curves(
                &format!("rounds-{}", document.label),
                &format!("{name}: what an opening buys"),
                "Objective and held-out RMSE against openings, solver by solver.",
                &report.panels(),
            )?);
            let gd = match report.gradient_openings_to_match(ALS_OPENINGS) {
                Some((openings, true)) => openings.to_string(),
                Some((openings, false)) => format!("> {openings}"),
                None => "–".to_owned(),
            };
            let last = report.curves.last().and_then(|curve| curve.points.last());
            grid.rows.push(vec![
                name,
                count(report.users as u64),
                gd,
                ALS_OPENINGS.to_string(),
                format!("{:.4}", report.no_social_rmse),
                last.map_or_else(|| "–".to_owned(), |point| format!("{:.4}", point.rmse)),
            ]);
        }
        sections.push(section.grid(grid));
    }
    if !collection.release.is_empty() {
        let mut section = Section::new("What noise on the openings costs").lead(
            "Trainings over the secure product with discrete Gaussian noise added by the social \
             platform; ε is for one link and all openings.",
        );
        for document in &collection.release {
            let name = title(&document.label);
            section = section.figure(Figure::curves(
                &format!("release-{}", document.label),
                &format!("{name}: noise and its price"),
                "A gain of 100 % is that of exact openings, of 0 % that of none; what loses more than \
                 the whole gain is left out below.",
                &document.body.panels(),
            )?);
        }
        sections.push(section);
    }
    Ok(sections)
}
