//! What a job would cost, before any data moves: one model for the command, the doctor, and the
//! rating platform's daemon.

use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
use s3rec_spmm::noise_first::guarantee::{Guarantee, Unstated};
use s3rec_spmm::noise_first::{self, MachinePace, NoiseFirstError};
use s3rec_spmm::{
    LinkProfile, ProductParameters, ProductRequest, Protocol, SpmmError, choose_parameters, cost,
    fetch,
};

/// A training as far as its cost goes.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// m.
    pub users: u32,
    /// Columns of one opening.
    pub columns: u32,
    /// Openings.
    pub rounds: u32,
    /// Which Y.
    pub operator: OperatorKind,
    /// What of its pattern P0 may know.
    pub pattern: PatternPolicy,
    /// L, in units of Y's weights.
    pub row_norm_bound: u64,
    /// Of Y.
    pub nonzeros_bound: u64,
    /// Users with a link, under a pattern policy that trims; all of them unless given.
    pub active_users: Option<u32>,
    /// Users linked to, where rows are fetched privately; as many as the non-zeros unless given.
    pub linked_to_users: Option<u32>,
    /// What each side's offline computation may hold at once.
    pub memory_bytes: u64,
    /// Between the platforms.
    pub link: LinkProfile,
    /// Of that link.
    pub round_trip_seconds: f64,
}

/// One protocol's prediction.
#[derive(Clone, Debug)]
pub struct Predicted {
    /// As the platforms would agree on them.
    pub parameters: ProductParameters,
    /// Bytes and processor time by phase.
    pub estimate: cost::Estimate,
    /// Memory and disk.
    pub footprint: cost::Footprint,
    /// Of the whole job: moving, computing and waiting, one after the other.
    pub seconds: f64,
}

/// An opening of friends' sums, predicted.
#[derive(Clone, Debug)]
pub struct PredictedOpening {
    /// As the platforms would agree on them.
    pub parameters: noise_first::Parameters,
    /// What it promises under stated bounds.
    pub guarantee: Guarantee,
    /// Bytes by message.
    pub sizes: noise_first::Sizes,
    /// Of the whole job.
    pub seconds: f64,
}

/// Why no opening of friends' sums can be.
#[derive(Debug, thiserror::Error)]
pub enum NoOpening {
    /// No parameters fit its terms.
    #[error(transparent)]
    Parameters(#[from] NoiseFirstError),
    /// Nothing could be promised of it.
    #[error(transparent)]
    Unstated(#[from] Unstated),
}

/// The protocols that go with an operator, in the order in which they are shown.
#[must_use]
pub fn protocols(operator: OperatorKind) -> &'static [Protocol] {
    match operator {
        OperatorKind::Friends => &[Protocol::NoiseFirst],
        // A symmetric operator's rows tell its columns: the upload is trimmed, nothing fetched.
        _ if operator.is_symmetric() => &[Protocol::He, Protocol::Preprocessed],
        _ => &[
            Protocol::He,
            Protocol::HePir,
            Protocol::Preprocessed,
            Protocol::PreprocessedPir,
        ],
    }
}

/// Exchanges of a job, each a round trip at least: of blocks, of openings, and of what begins and
/// ends it.
#[must_use]
pub fn exchanges(blocks: u32, rounds: u32) -> u32 {
    const AROUND: u32 = 24;
    blocks.saturating_add(rounds).saturating_add(AROUND)
}

impl Planned {
    /// The cost under one protocol.
    ///
    /// # Errors
    /// As [`choose_parameters`].
    pub fn under(&self, protocol: Protocol) -> Result<Predicted, SpmmError> {
        let request = self.request(protocol);
        let parameters = choose_parameters(&request)?;
        let estimate = cost::predict(&parameters)?;
        let footprint = cost::footprint(&parameters, self.memory_bytes)?;
        let total = estimate.total();
        let link = &self.link;
        let computing =
            (total.rating_seconds + total.social_seconds) / f64::from(link.cores.max(1));
        let waits = exchanges(parameters.layout()?.blocks, self.rounds);
        let waiting = f64::from(waits) * self.round_trip_seconds;
        let seconds = total.bytes() as f64 / link.bytes_per_second.max(1.0) + computing + waiting;
        Ok(Predicted {
            parameters,
            estimate,
            footprint,
            seconds,
        })
    }

    fn request(&self, protocol: Protocol) -> ProductRequest {
        let (operator, users) = (self.operator, self.users);
        let mut request = ProductRequest::new(protocol, operator, users, self.columns, self.rounds);
        request.row_norm_bound = self.row_norm_bound;
        request.nonzeros_bound = self.nonzeros_bound;
        request.link = self.link;
        if protocol.fetches_privately() {
            let needed = self.linked_to_users.map(u64::from);
            let needed = needed.unwrap_or(self.nonzeros_bound).min(users.into());
            request.fetched_rows_bound = fetch::rows_bound(needed, users);
        }
        request.pattern = self.pattern;
        let active = self.active_users.unwrap_or(users).min(users);
        let trims_upload = match request.pattern {
            PatternPolicy::Nothing => false,
            PatternPolicy::ActiveRows => operator.is_symmetric(),
            PatternPolicy::ActiveRowsAndColumns => true,
        };
        if request.pattern != PatternPolicy::Nothing {
            request.returned_rows = active;
        }
        if trims_upload {
            request.uploaded_rows = active;
        }
        request
    }
}

/// One opening of friends' sums under `terms`, over `users` common users with at most `links` links.
///
/// # Errors
/// [`NoOpening`].
pub fn of_friends(
    terms: noise_first::Terms,
    users: u32,
    links: u64,
    bytes_per_second: f64,
    round_trip_seconds: f64,
) -> Result<PredictedOpening, NoOpening> {
    let parameters = noise_first::choose(terms)?;
    let guarantee = Guarantee::of(&parameters, PatternPolicy::Nothing, BoundsRule::Stated)?;
    let sizes = parameters.sizes();
    let waits = cost::friends_prepare_not_before(&parameters, links, MachinePace::STATED)
        + cost::friends_answer_not_before(&parameters, links)
        + cost::setup_not_before(links, users);
    let trips = f64::from(exchanges(0, 1)) * round_trip_seconds;
    let seconds = sizes.total() as f64 / bytes_per_second.max(1.0) + waits + trips;
    Ok(PredictedOpening {
        parameters,
        guarantee,
        sizes,
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::StatedBounds;

    /// What is stated of the links decides over the cost, not what they are.
    #[test]
    fn more_users_and_a_slower_link_take_longer() {
        let of = |users: u32, bytes_per_second: f64| {
            let stated = StatedBounds {
                degree: 1024,
                links: 16 * u64::from(users),
            };
            let operator = OperatorKind::NormalizedLaplacian;
            let bounds = stated.bounds(operator, users);
            let planned = Planned {
                users,
                columns: 10,
                rounds: 10,
                operator,
                pattern: PatternPolicy::Nothing,
                row_norm_bound: bounds.row_norm,
                nonzeros_bound: bounds.nonzeros,
                active_users: None,
                linked_to_users: None,
                memory_bytes: 1 << 30,
                link: LinkProfile {
                    bytes_per_second,
                    cores: 2,
                },
                round_trip_seconds: 0.0,
            };
            planned.under(Protocol::Preprocessed).unwrap()
        };
        let small = of(740, 12.5e6);
        let (large, slow) = (of(7400, 12.5e6), of(740, 12.5e4));
        assert!(large.estimate.total().bytes() > 5 * small.estimate.total().bytes());
        assert_eq!(
            slow.estimate.total().bytes(),
            small.estimate.total().bytes()
        );
        assert!(slow.seconds > 10.0 * small.seconds.min(1.0));
    }
}
