//! The first section: the two ratios that the project is held to.

use super::Collection;
use super::collection::title;
use super::section::{Grid, Section};
use crate::headline::{BYTES_BOUND, Comparison, Headline, SECONDS_BOUND, compare};
use s3rec_job::number_format::{bytes, count, duration, times};

pub(super) fn headline(collection: &Collection) -> Option<Headline> {
    let comparisons = collection.links.iter().filter_map(|links| {
        let rounds = collection
            .rounds
            .iter()
            .find(|rounds| rounds.label == links.label)?;
        let quick = links.quick || rounds.quick;
        let comparison = compare(&links.label, &rounds.body, &links.body)?;
        Some(Comparison {
            quick,
            ..comparison
        })
    });
    Headline::of(comparisons.collect())
}

pub(super) fn sentences(headline: &Headline) -> Vec<String> {
    let sets: Vec<String> = headline
        .comparisons
        .iter()
        .map(|c| title(&c.label))
        .collect();
    let over = match sets.as_slice() {
        [one] => format!("on {one}"),
        several => format!("averaged over {}", several.join(" and ")),
    };
    let verdict = |bound, met| {
        let bound = times(bound);
        match (headline.is_complete(), met) {
            (true, true) => format!("bound {bound}: kept"),
            (true, false) => format!("bound {bound}: MISSED"),
            (false, _) => {
                format!("the bound of {bound} is for full runs of FilmTrust and Epinions together")
            }
        }
    };
    vec![
        format!(
            "Whole-training bytes to the same objective, {over}: {} fewer than ssmm with \
             gradient descent ({}).",
            times(headline.bytes_ratio),
            verdict(BYTES_BOUND, headline.bytes_ratio >= BYTES_BOUND),
        ),
        format!(
            "Wall time of a whole training over 100 Mbit/s and 40 ms, likewise: {} less than ssmm, \
             whose time is computed ({}).",
            times(headline.seconds_ratio),
            verdict(SECONDS_BOUND, headline.seconds_ratio >= SECONDS_BOUND),
        ),
    ]
}

pub(super) fn section(collection: &Collection) -> Section {
    let mut section = Section::new("In short");
    let Some(headline) = headline(collection) else {
        return section.lead(
            "The comparison with ssmm needs `bench rounds` and `bench links` of the same data set.",
        );
    };
    for line in sentences(&headline) {
        section = section.lead(line);
    }
    let mut grid = Grid::new(
        "Ours is preprocessed with als, run; ssmm with gradient descent is computed from its \
         message shapes and measured products",
        "data set | common users | openings gd | openings als | bytes ssmm | bytes ours | \
         ratio | time ssmm | time ours | ratio",
    );
    for c in &headline.comparisons {
        grid.rows.push(vec![
            title(&c.label),
            count(c.users),
            if c.gradient_reached {
                count(c.gradient_openings)
            } else {
                format!("> {}", count(c.gradient_openings))
            },
            count(c.als_openings),
            bytes(c.ssmm_bytes),
            bytes(c.our_bytes),
            times(c.bytes_ratio()),
            duration(c.ssmm_seconds),
            duration(c.our_seconds),
            times(c.seconds_ratio()),
        ]);
    }
    section.grid(grid).text(
        "The objective is that of als after the openings that were run; where gradient descent does \
         not get there, it is charged for the openings it was given.",
    )
}
