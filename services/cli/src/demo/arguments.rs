//! What may be chosen for a demonstration.

use std::path::{Path, PathBuf};

use clap::Args;
use s3rec_node::pki::CertificateRole;
use s3rec_wire::v1;

use crate::arguments::{BothReadingArgs, FriendsArgs, PatternChoice, ProtocolChoice, TrainingArgs};
use crate::client::FileSource;
use crate::connection::{Connection, ConnectionArgs};
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
    /// How both files are read.
    #[command(flatten)]
    pub reading: BothReadingArgs,
    /// How the product is computed: preprocessed unless given; noise-first with the operator
    /// friends, which has no other.
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolChoice>,
    /// What of the links' pattern the rating platform may know.
    #[arg(long, value_enum, default_value_t = PatternChoice::Nothing)]
    pub pattern: PatternChoice,
    /// What is trained. Unless given: 8 rounds of als and 60 of gd and adam, all of them made;
    /// less regularization than usual on the generated set.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// With the operator friends: what is opened.
    #[command(flatten)]
    pub friends: FriendsArgs,
    /// Seed of data, split and initialisation.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Client file of an operator of a rating platform that runs already: it and the social
    /// platform of --social-client are used instead of two new ones.
    #[arg(long, value_name = "FILE", requires = "social_client")]
    pub rating_client: Option<PathBuf>,
    /// Client file of an operator of the social platform.
    #[arg(long, value_name = "FILE", requires = "rating_client")]
    pub social_client: Option<PathBuf>,
    /// Directory for report.json, and the same as a page: report.html, report.md and drawings.
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
        let users = &self.reading.roster.users;
        for path in [&self.ratings, &self.links, users].into_iter().flatten() {
            let opened = std::fs::File::open(path);
            opened.map_err(Failure::at(path))?;
        }
        if let Some(directory) = &self.report {
            std::fs::create_dir_all(directory).map_err(Failure::at(directory))?;
        }
        Ok(())
    }

    /// The ratings file as it is imported: what lies outside a scale that was given is dropped,
    /// counted, and too much of it refused after.
    pub(super) fn ratings_source(&self, path: &Path) -> FileSource {
        let mut source = self.reading.ratings(path.to_owned());
        source.dataset = super::conversation::DATASET.into();
        source.drop_out_of_scale = source.scale.is_some();
        source
    }

    /// The links file as it is to be read.
    pub(super) fn links_source(&self, path: &Path) -> FileSource {
        FileSource {
            dataset: super::conversation::DATASET.into(),
            ..self.reading.links(path.to_owned())
        }
    }

    /// What is trained, every number of rounds said.
    fn model(&self) -> v1::ModelSettings {
        let mut model = self.training.settings(0);
        if self.training.is_of_friends() {
            return model;
        }
        if model.rounds == 0 {
            model.rounds = match model.solver() {
                v1::Solver::Gd | v1::Solver::Adam => 60,
                v1::Solver::Als | v1::Solver::Unspecified => 8,
            };
        }
        let chosen = self.training.preset().is_some() || self.training.regularization.is_some();
        if self.ratings.is_none() && !chosen {
            model.regularization = Some(SYNTHETIC_REGULARIZATION);
        }
        model
    }

    /// How the operators of platforms that run already connect.
    pub(super) fn running_platforms(&self) -> Result<Option<(Connection, Connection)>, Failure> {
        let (Some(rating), Some(social)) = (&self.rating_client, &self.social_client) else {
            return Ok(None);
        };
        // The client file alone: the environment's one address cannot be that of both.
        let connection = |file: &PathBuf, role| {
            let arguments = ConnectionArgs {
                client: Some(file.clone()),
                ..ConnectionArgs::default()
            };
            arguments.resolve(role)
        };
        Ok(Some((
            connection(rating, CertificateRole::RatingOperator)?,
            connection(social, CertificateRole::SocialOperator)?,
        )))
    }

    fn release(&self) -> v1::ReleasePolicy {
        let (kind, friends) = match self.training.is_of_friends() {
            true => (v1::ReleaseKind::Friends, Some(self.friends.release())),
            false => (v1::ReleaseKind::Exact, None),
        };
        v1::ReleasePolicy {
            kind: kind.into(),
            friends,
            ..v1::ReleasePolicy::default()
        }
    }

    /// What the rating platform proposes.
    pub(super) fn proposal(&self) -> v1::ProposeJobRequest {
        v1::ProposeJobRequest {
            dataset: super::conversation::DATASET.into(),
            model: Some(self.model()),
            protocol: self.protocol.map_or(0, ProtocolChoice::number),
            pattern_policy: self.pattern.number(),
            release_policy: Some(self.release()),
            purpose: "demonstration on one machine".into(),
            seed: self.seed,
            held_out_share: Some(HELD_OUT_SHARE),
            ..v1::ProposeJobRequest::default()
        }
    }
}
