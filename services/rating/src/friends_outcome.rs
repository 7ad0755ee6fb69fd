//! The end of an opening of friends' sums: what was got is stored, the map is learnt, the report
//! written.

use std::sync::Arc;

use s3rec_data::RatingSet;
use s3rec_job::rating::FriendsOpened;
use s3rec_job::{FriendsLearnt, FriendsResult, JobResult, statements};
use s3rec_model::ModelError;
use s3rec_model::evaluate::Relevance;
use s3rec_model::friends::{Candidate, FriendsBase, Together};
use s3rec_model::lists::{ListsModel, ListsSettings};
use s3rec_model::verdict::{self, Opened, Verdict, VerdictSettings};
use s3rec_sparse::{RatingMatrix, user_mask};
use s3rec_spmm::FriendsRelease;
use s3rec_spmm::noise_first::guarantee::Guarantee;
use s3rec_wire::status::{Fault, Reason};

use crate::factors;
use crate::friends_sides::{few_below, model_sides};
use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::outcome::{self, relevance, store};
use crate::plan::Plan;
use crate::platform::Platform;
use crate::stored_friends::StoredFriends;

/// Users with fewer ratings are those whom a verdict can be about.
const MOST_FEW: usize = 5;

/// Settings of the model that rows are made from, by P0 alone.
pub(crate) fn lists_settings(plan: &Plan, columns: usize) -> ListsSettings {
    let usual = ListsSettings::default();
    ListsSettings {
        rank: usual.rank.max(columns),
        seed: plan.settings.seed,
        ..usual
    }
}

/// The model that has seen no rating of a calibration user, or that of the factors brought along.
pub(crate) fn base(
    plan: &Plan,
    sides: (&[u32], &[u32]),
    columns: usize,
    release: &FriendsRelease,
) -> Result<FriendsBase, ModelError> {
    let train = &plan.train;
    let counts: Vec<usize> = (0..train.users())
        .map(|user| train.by_user(user).0.len())
        .collect();
    let sides = model_sides(sides, &counts, release);
    let settings = lists_settings(plan, columns);
    FriendsBase::learn(train, sides, |base| match &plan.own {
        Some(own) => own.model(base, &settings),
        None => ListsModel::learn(base, &settings),
    })
}

/// Users of whom that model has seen no rating, ascending: those it is calibrated with, and those
/// who gave none.
pub(crate) fn held_back(
    train: &RatingMatrix,
    sides: (&[u32], &[u32]),
    release: &FriendsRelease,
) -> Vec<u32> {
    let counts: Vec<usize> = (0..train.users())
        .map(|user| train.by_user(user).0.len())
        .collect();
    let calibration = model_sides(sides, &counts, release).calibration;
    let unrated = (0u32..).zip(&counts).filter(|(_, ratings)| **ratings == 0);
    let mut all: Vec<u32> = unrated.map(|(user, _)| user).chain(calibration).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Learns, and stores everything; the job is FINISHED then.
pub(crate) async fn finish(
    platform: &Arc<Platform>,
    plan: &Arc<Plan>,
    ratings: RatingSet,
    opened: FriendsOpened,
    ledger: &Ledger,
    release: FriendsRelease,
) -> Result<(), Fault> {
    let job = ledger.job.to_string();
    let sizes = outcome::sizes(&ratings);
    let parameters = opened.parameters;
    let (planned, directory, name) = (Arc::clone(plan), platform.models_dir(), job.clone());
    let wanted = relevance(platform.datasets.header_for(&job)?.counts);
    let (quality, verdict) = blocking(move || {
        let (stored, verdict) = learn(&planned, &ratings, opened, (&release, wanted))?;
        stored.write(&directory, &name)?;
        Ok::<_, Fault>((stored.model.quality, verdict))
    })
    .await??;
    let guarantee = Guarantee::of(&parameters, ledger.proposal.pattern, ledger.bounds.rule)
        .map_err(|unstated| Fault::new(Reason::Contradiction, unstated.to_string()))?;
    let learnt = FriendsLearnt {
        opened: u32::try_from(quality.opened).unwrap_or(u32::MAX),
        calibration: u32::try_from(quality.calibration).unwrap_or(u32::MAX),
        gain: quality.cold.gain,
        standard_error: quality.cold.standard_error,
        is_used: quality.cold.is_open,
        candidate: match quality.candidate {
            Candidate::Factor { .. } => "factor".into(),
            Candidate::Items { .. } => "items".into(),
        },
    };
    let result = FriendsResult {
        statement: statements::friends::in_words(&guarantee, parameters.terms().mu),
        guarantee,
        learnt: Some(learnt),
        verdict: Some((&verdict).into()),
    };
    store(platform, ledger, plan, sizes, JobResult::Friends(result))?;
    outcome::end(platform, ledger, format!("Finished: {}", verdict.sentence)).await
}

fn learn(
    plan: &Plan,
    ratings: &RatingSet,
    opened: FriendsOpened,
    (release, relevance): (&FriendsRelease, Relevance),
) -> Result<(StoredFriends, Verdict), Fault> {
    let refused = |error: ModelError| Fault::new(Reason::ParametersRefused, error.to_string());
    let parameters = opened.parameters;
    let sides = (&opened.opened[..], &opened.uploaded[..]);
    let base = base(plan, sides, parameters.columns(), release).map_err(refused)?;
    // The sums are in the common order, the model's rows in that of the users.
    let mut order: Vec<usize> = (0..opened.opened.len()).collect();
    order.sort_by_key(|&place| opened.opened.get(place).copied());
    let mut sums = s3rec_algebra::RealMatrix::zeros(order.len(), parameters.columns());
    let mut rows = Vec::with_capacity(order.len());
    for (to, &from) in order.iter().enumerate() {
        sums.row_mut(to).copy_from_slice(opened.sums.row(from));
        rows.extend(opened.opened.get(from));
    }
    let is_common = user_mask(plan.train.users(), &opened.common);
    let noisy = (&sums, parameters.sigma());
    let few_below = few_below(release);
    let judging = (few_below, relevance);
    let explicit = plan.settings.without_social();
    let known = (&*plan.train, plan.scale);
    let learnt = Together::learn(&base, known, &is_common, noisy, judging, &explicit);
    let learnt = learnt.map_err(refused)?;
    let judged = Opened {
        ratings: &plan.train,
        scale: plan.scale,
        sides: base.sides(),
        sums: &sums,
        sigma: parameters.sigma(),
        model: Some(base.model()),
        explicit: Some(&learnt.explicit),
    };
    let asked = VerdictSettings {
        lists: lists_settings(plan, parameters.columns()),
        ratings: Some(explicit),
        few_below: few_below.min(MOST_FEW),
        relevance,
        seed: plan.settings.seed,
        ..VerdictSettings::default()
    };
    let log = &mut |what: &str| tracing::info!("judging what it was worth: {what}");
    let mut verdict = verdict::judge(&judged, &asked, log).map_err(refused)?;
    if plan.own.is_some() {
        verdict.details.warnings.push(factors::WARNING.to_owned());
    }
    let got = (parameters, rows, sums.values().to_vec());
    let served = (learnt.lists, learnt.ratings);
    let stored = StoredFriends::new(ratings, got, served, learnt.estimates);
    Ok((stored, verdict))
}
