//! What a job goes on from, as this version and the one before it keep it.

use s3rec_job::TrainingState;
use s3rec_job::rating::{RatingProgress, Spent};
use s3rec_node::checkpoint::{CheckpointFiles, PROGRESS};
use s3rec_wire::{WireError, older};
use serde::Deserialize;

/// How far the rounds are, if they have begun.
pub(crate) fn progress(files: &CheckpointFiles) -> std::io::Result<Option<RatingProgress>> {
    files.load_or(PROGRESS, |version, body| match version {
        1 => of_version_1(body),
        _ => None,
    })
}

/// Version 1 kept the rounds as messages.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Progress1 {
    training: TrainingState,
    openings: u32,
    stocks: u32,
    offline: Spent,
    online: Spent,
    rounds: Vec<Vec<u8>>,
    is_agreed: bool,
}

fn of_version_1(body: &[u8]) -> Option<RatingProgress> {
    let (stored, []) = postcard::take_from_bytes::<Progress1>(body).ok()? else {
        return None;
    };
    let rounds = stored.rounds.iter();
    let rounds = rounds.map(|round| older::round(round));
    Some(RatingProgress {
        training: stored.training,
        openings: stored.openings,
        stocks: stored.stocks,
        offline: stored.offline,
        online: stored.online,
        rounds: rounds.collect::<Result<_, WireError>>().ok()?,
        is_agreed: stored.is_agreed,
    })
}

#[cfg(test)]
mod tests {
    use s3rec_job::rating::RoundReport;
    use s3rec_job::{CommonUsers, JointTraining};
    use s3rec_model::{LaplacianObjective, SolverSettings, solver};
    use s3rec_sparse::{Rating, RatingMatrix};
    use s3rec_wire::record::Record;
    use s3rec_wire::v1;
    use std::sync::Arc;

    use super::*;

    fn training() -> TrainingState {
        let rating = Rating {
            user: 0,
            item: 0,
            value: 3.0,
        };
        let train = Arc::new(RatingMatrix::from_ratings(2, 2, &[rating]).unwrap());
        let objective = Some(Arc::new(LaplacianObjective::normalized()) as Arc<_>);
        let settings = SolverSettings::default();
        let solver = solver(train, (1.0, 5.0), &settings, objective).unwrap();
        let common = CommonUsers::all(2).unwrap();
        let ring = s3rec_algebra::RingBits::new(32).unwrap();
        let fixed = s3rec_algebra::FixedPoint::fit(ring, 4, 8.0, 2).unwrap();
        JointTraining::new(solver, common, fixed, 8).state()
    }

    #[test]
    fn a_job_of_version_0_1_goes_on() {
        let spent = |bytes| Spent {
            sent_bytes: bytes,
            received_bytes: 2,
            messages: 3,
            seconds: 4.5,
        };
        let round = v1::TrainingProgress {
            loss: 1.5,
            held_out_rmse: 0.75,
            saturations: 7,
        };
        let old = Progress1 {
            training: training(),
            openings: 1,
            stocks: 2,
            offline: spent(10),
            online: spent(20),
            rounds: vec![round.to_record()],
            is_agreed: false,
        };
        let body = postcard::to_stdvec(&old).unwrap();
        let read = of_version_1(&body).unwrap();
        assert!(read.training == training());
        assert_eq!((read.openings, read.stocks, read.is_agreed), (1, 2, false));
        assert_eq!((read.offline, read.online), (spent(10), spent(20)));
        let report = RoundReport {
            loss: 1.5,
            held_out_rmse: 0.75,
            saturations: 7,
        };
        assert_eq!(read.rounds, [report]);
        assert!(of_version_1(&body[..body.len() - 1]).is_none());
    }
}
