//! Measures the products of one data set: `products RATINGS LINKS RANK ROUNDS [PROTOCOLS] [either]`.

use std::path::Path;

use s3rec_bench::products::{ProductsOptions, measure};
use s3rec_bench::workload::{UserChoice, Workload};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let (Some(ratings), Some(links), Some(rank), Some(rounds)) =
        (argument(0), argument(1), argument(2), argument(3))
    else {
        return Err("products RATINGS LINKS RANK ROUNDS [PROTOCOLS] [either]".into());
    };
    let choice = match argument(5) {
        Some("either") => UserChoice::Either,
        _ => UserChoice::Ratings,
    };
    let workload = Workload::read(
        Path::new(ratings),
        Path::new(links),
        choice,
        rank.parse()?,
        rounds.parse()?,
    )?;
    let mut options = ProductsOptions::default();
    if let Some(protocols) = argument(4) {
        options.protocols = protocols.split(',').map(str::to_owned).collect();
    }
    let report = measure(&workload, &options, |name| eprintln!("{name}"))?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
