//! What may be chosen for a demonstration.

use std::path::PathBuf;

use clap::Args;
use s3rec_wire::v1;

use crate::arguments::{OperatorChoice, ProtocolChoice, SolverChoice};
use crate::failure::Failure;

/// `s3rec demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Ratings file: user, item, rating. Without files a homophilous set is generated.
    #[arg(long, value_name = "FILE", requires = "links")]
    pub ratings: Option<PathBuf>,
    /// Links file: truster, trustee.
    #[arg(long, value_name = "FILE", requires = "ratings")]
    pub links: Option<PathBuf>,
    /// How the product is computed.
    #[arg(long, value_enum, default_value_t = ProtocolChoice::Preprocessed)]
    pub protocol: ProtocolChoice,
    /// How the rating platform learns.
    #[arg(long, value_enum, default_value_t = SolverChoice::Als)]
    pub solver: SolverChoice,
    /// What the social platform derives from its links.
    #[arg(long, value_enum, default_value_t = OperatorChoice::NormalizedLaplacian)]
    pub operator: OperatorChoice,
    /// Number of factors.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// Openings of the product; 8 for als and 60 for gd and adam unless given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Weight of the social term; the solver's own unless given.
    #[arg(long, default_value_t = 0.0, hide_default_value = true)]
    pub social_weight: f64,
    /// Weight of the norm of the factors; what suits the generated set, or the solver's own
    /// with files, unless given.
    #[arg(long)]
    pub regularization: Option<f64>,
    /// Seed of data, split and initialisation.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Directory for report.json.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Suits the generated set, where half the people have few ratings.
const SYNTHETIC_REGULARIZATION: f64 = 2.0;
/// The held-out fifth.
const HELD_OUT_SHARE: f64 = 0.2;

impl DemoArgs {
    /// Finds out before anything is started what would fail at the end.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for path in [&self.ratings, &self.links].into_iter().flatten() {
            let opened = std::fs::File::open(path);
            opened.map_err(|source| Failure::File {
                path: path.clone(),
                source,
            })?;
        }
        if let Some(directory) = &self.report {
            std::fs::create_dir_all(directory).map_err(|source| Failure::File {
                path: directory.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Openings that are proposed.
    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(match self.solver {
            SolverChoice::Als => 8,
            SolverChoice::Gd | SolverChoice::Adam => 60,
        })
    }

    /// What the rating platform proposes.
    pub(super) fn proposal(&self) -> v1::ProposeJobRequest {
        v1::ProposeJobRequest {
            dataset: super::conversation::DATASET.into(),
            model: Some(v1::ModelSettings {
                rank: self.rank,
                solver: self.solver.number(),
                operator: self.operator.number(),
                rounds: self.rounds(),
                social_weight: self.social_weight,
                regularization: self.regularization.unwrap_or(if self.ratings.is_none() {
                    SYNTHETIC_REGULARIZATION
                } else {
                    0.0
                }),
                ..v1::ModelSettings::default()
            }),
            protocol: self.protocol.number(),
            pattern_policy: v1::PatternPolicy::Nothing.into(),
            release_policy: Some(v1::ReleasePolicy {
                kind: v1::ReleaseKind::Exact.into(),
                ..v1::ReleasePolicy::default()
            }),
            purpose: "demonstration on one machine".into(),
            seed: self.seed,
            held_out_share: HELD_OUT_SHARE,
            no_held_out: false,
        }
    }
}
