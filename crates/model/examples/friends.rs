//! What one noised opening is worth to users without ratings and with few, on published sets:
//! `cargo run --release -p s3rec-model --example friends -- epinions [draws] [mu] [placebos]`.
//! Popularity, own ratings, friends, exact sums and the placebo; σ is 1.01/μ, as the product
//! `noise-first` comes to with its key switching (`s3rec evaluate` takes the product's own).

#![expect(clippy::print_stdout, reason = "an example that prints figures")]

use s3rec_model::evaluate::{ColdReport, ColdSettings, ListsEvaluation, evaluate_cold};
use s3rec_model::{EvaluationData, Preset, Split};
use s3rec_sparse::Rating;
use s3rec_testkit::datasets::Dataset;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let name = wanted.first().map_or("filmtrust", String::as_str);
    let dataset = match name {
        "ciao" => Dataset::Ciao,
        "epinions" => Dataset::EpinionsAligned,
        _ => Dataset::FilmTrust,
    };
    let preset = Preset::named(name).ok_or("filmtrust, ciao or epinions")?;
    let draws: usize = argument(&wanted, 1, 3)?;
    let mu: f64 = argument(&wanted, 2, 1.0)?;
    let placebo_draws: u64 = argument(&wanted, 3, 1)?;
    let started = Instant::now();
    let (ratings, links) = dataset.read()?;
    let all: Vec<Rating> = ratings.ratings.clone();
    let splits = [Split {
        train: Vec::new(),
        test: all,
    }];
    let scale = ratings.report.scale;
    let data = EvaluationData {
        users: ratings.users.len(),
        items: ratings.items.len(),
        scale: (f64::from(scale.min), f64::from(scale.max)),
        social: &links.social_matrix(&ratings.users)?,
        splits: &splits,
    };
    let known: Vec<Option<u32>> = links
        .users
        .names()
        .map(|name| ratings.users.find(name))
        .collect();
    let mut unrated: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (user, friend) in links.links.iter().flat_map(|&(a, b)| [(a, b), (b, a)]) {
        if let (None, Some(friend)) = (known[user as usize], known[friend as usize]) {
            unrated.entry(user).or_default().insert(friend);
        }
    }
    let unrated = unrated.into_values();
    let unrated: Vec<Vec<u32>> = unrated.map(|of| of.into_iter().collect()).collect();
    let cold = ColdSettings {
        mu: Some(mu),
        placebo_draws,
        ..ColdSettings::default()
    };
    let settings = ListsEvaluation {
        lists: preset.lists.clone(),
        ..ListsEvaluation::default()
    };
    let sigma = 1.01 / mu;
    let found = evaluate_cold(
        &data,
        &unrated,
        (&settings, &cold),
        draws,
        &|_| Ok(sigma),
        &mut |draw, _| println!("draw {draw}, {:.0} s", started.elapsed().as_secs_f64()),
    )?;
    println!("{name}, μ = {mu}, {:.0} s", started.elapsed().as_secs_f64());
    let groups = found.few.iter().map(|(kept, group)| (kept.as_str(), group));
    for (kept, group) in found.cold.iter().map(|cold| ("k0", cold)).chain(groups) {
        line(kept, group);
    }
    Ok(())
}

/// What stands at a place, or what is taken otherwise.
fn argument<T: FromStr>(wanted: &[String], place: usize, otherwise: T) -> Result<T, T::Err> {
    wanted.get(place).map_or(Ok(otherwise), |word| word.parse())
}

fn line(kept: &str, group: &ColdReport) {
    print!("{kept} {:.0} users:", group.users);
    for (name, score) in [
        ("popular", group.popularity),
        ("own", group.own),
        ("friends", group.friends),
        ("exact", group.friends_exact),
        ("placebo", group.placebo),
    ] {
        print!("  {name} {:.4}", score.ndcg_10.mean);
        if let Some(reweighted) = score.ndcg_10_reweighted {
            print!(" ({:.4})", reweighted.mean);
        }
    }
    for (name, gain) in [
        ("gain", group.gain),
        ("reweighted", group.gain_reweighted),
        ("placebo", group.placebo_gain),
    ] {
        if let Some(gain) = gain {
            print!(
                "  {name} {:+.4} ({:+.4} to {:+.4})",
                gain.mean, gain.low, gain.high
            );
        }
    }
    println!("  open {:?}", group.gates_open);
}
