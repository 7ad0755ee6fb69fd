//! What a recommendation costs to compute: microseconds and the share of the catalogue scored,
//! over users in turn, with the model of a preset's first fold:
//! `cargo run --release -p s3rec-model --example recommend -- [filmtrust|ciao|epinions]`.

#![expect(clippy::print_stdout, reason = "an example that prints figures")]

use s3rec_model::popularity::DEFAULT_WEIGHT;
use s3rec_model::{Preset, Recommender, solver};
use s3rec_sparse::RatingMatrix;
use s3rec_testkit::datasets::Dataset;
use s3rec_testkit::learning::LearningProblem;
use std::sync::Arc;
use std::time::Instant;

/// Users asked for.
const REQUESTS: usize = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "epinions".into());
    let dataset = match name.as_str() {
        "filmtrust" => Dataset::FilmTrust,
        "ciao" => Dataset::Ciao,
        _ => Dataset::EpinionsAligned,
    };
    let preset = Preset::named(&name).ok_or("no such preset")?;
    let problem = LearningProblem::published(dataset)?;
    let (train, _) = &problem.folds[0];
    let ratings = RatingMatrix::from_ratings(problem.users, problem.items, train)?;
    let ratings = Arc::new(ratings);
    let settings = &preset.settings;
    let mut solver = solver(Arc::clone(&ratings), problem.scale, settings, None)?;
    while !solver.is_finished() {
        solver.step(None)?;
    }
    let served = Recommender::new(solver.model().clone(), ratings, settings, DEFAULT_WEIGHT);
    let users: Vec<u32> = (0u32..).take(problem.users).collect();
    let mut micros: Vec<f64> = Vec::with_capacity(REQUESTS);
    let (mut share, mut listed) = (0.0, 0);
    for &user in users.iter().cycle().take(REQUESTS) {
        let started = Instant::now();
        listed += served.recommend(Some(user), 10, &[]).len();
        micros.push(started.elapsed().as_secs_f64() * 1e6);
        share += served.scored_share(user, 10);
    }
    micros.sort_by(f64::total_cmp);
    let at = |per_mille: usize| micros[(micros.len() - 1) * per_mille / 1000];
    println!(
        "{name}: top 10 of {} items, rank {}: median {:.1} µs, 99 % {:.1} µs, largest {:.1} µs; \
         {:.2} % of the catalogue scored; {listed} items listed",
        problem.items,
        settings.rank,
        at(500),
        at(990),
        at(1000),
        100.0 * share / REQUESTS as f64,
    );
    Ok(())
}
