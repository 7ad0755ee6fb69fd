//! Commands that learn in the clear, for whoever holds both files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{BothFiles, PresetChoice, RecordArgs, SettingsArgs, TaskChoice};

/// `s3rec bench rounds`.
#[derive(Args, Clone, Debug)]
pub struct RoundsArgs {
    /// The data; the first of five folds is held out.
    #[command(flatten)]
    pub files: BothFiles,
    /// Settings of all three solvers.
    #[arg(long, value_enum, default_value_t = PresetChoice::Published)]
    pub preset: PresetChoice,
    /// Seed of the folds.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Openings of gd and adam.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub openings: u32,
    /// Openings of als.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub als_openings: u32,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// `s3rec bench release`.
#[derive(Args, Clone, Debug)]
pub struct ReleaseBenchArgs {
    /// The data; the first of five folds is held out.
    #[command(flatten)]
    pub files: BothFiles,
    /// Settings of every training.
    #[arg(long, value_enum, default_value_t = PresetChoice::Filmtrust)]
    pub preset: PresetChoice,
    /// Seed of the folds.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Openings of a training.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub openings: u32,
    /// Standard deviations of the noise, in units of the product, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = positive, value_name = "SIGMA",
          default_values_t = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0])]
    pub sigmas: Vec<f64>,
    /// δ of the privacy statement.
    #[arg(long, default_value_t = 1e-6, value_parser = probability)]
    pub delta: f64,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// `s3rec tune`.
#[derive(Args, Clone, Debug)]
pub struct TuneArgs {
    /// The data; the first of five folds is held out from every choice.
    #[command(flatten)]
    pub files: BothFiles,
    /// Settings to search around.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Which settings are searched for: those of the explicit model, or those of lists, by the NDCG
    /// of lists.
    #[arg(long, value_enum, default_value_t = TaskChoice::Ratings)]
    pub task: TaskChoice,
    /// What decides about the explicit model.
    #[arg(long, value_enum, default_value_t = CriterionChoice::Rmse)]
    pub criterion: CriterionChoice,
    /// Write the settings found, for evaluate, propose and demo --settings.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Settings tried without links, which opens nothing.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub trials: u32,
    /// Settings tried with links after that, and as many more without; the openings of each are
    /// shown first.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub social_runs: u32,
    /// Seed of the folds and of the draws.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// What settings are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CriterionChoice {
    /// The error of predicted ratings.
    Rmse,
    /// The quality of lists of ten.
    Ndcg,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a number above 0".to_owned()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    positive(text)
        .ok()
        .filter(|value| *value < 1.0)
        .ok_or_else(|| "give a number between 0 and 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, BenchVerb, Command, CriterionChoice};

    fn release(sigmas: &str, delta: &str) -> Result<Vec<f64>, clap::Error> {
        let line =
            format!("s3rec bench release --ratings r --links l --sigmas {sigmas} --delta {delta}");
        match Arguments::try_parse_from(line.split(' '))?.command {
            Command::Bench(BenchVerb::Release(arguments)) => Ok(arguments.sigmas),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn noise_is_a_list_of_positive_numbers() {
        assert_eq!(release("0.5,2", "1e-5").unwrap(), [0.5, 2.0]);
        for (sigmas, delta) in [("0", "0.1"), ("-1", "0.1"), ("NaN", "0.1"), ("1", "1")] {
            assert!(release(sigmas, delta).is_err(), "{sigmas} {delta}");
        }
    }

    #[test]
    fn tune_has_a_budget_by_default() {
        let line = "s3rec tune --ratings r --links l --trials 8 --seed 3 --criterion ndcg --json";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Tune(tune) = arguments.command else {
            panic!("{arguments:?}");
        };
        assert_eq!((tune.trials, tune.social_runs, tune.seed), (8, 6, 3));
        assert_eq!(tune.criterion, CriterionChoice::Ndcg);
    }
}
