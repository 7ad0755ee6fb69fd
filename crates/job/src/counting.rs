//! What a job has opened, and what all jobs together have: counted by both platforms with this
//! code, each from its own records.

use s3rec_sparse::{PatternPolicy, PublicBounds};
use s3rec_spmm::ReleasePolicy;
use s3rec_spmm::noise_first::guarantee::{Guarantee, SHOWN_DELTA, Unstated};
use serde::{Deserialize, Serialize};

use crate::counters::counts;
use crate::{AgreedParameters, Counters, Proposal, statements};

mod accounts;
mod rho;

pub use accounts::{account, count_day, today, with_job};
pub use rho::{epsilon_of, friends_nano_rho, mu_of, nano_rho, rho_of};

/// How many users each platform has, and both have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// P0's.
    pub rating_users: u64,
    /// P1's.
    pub social_users: u64,
    /// m.
    pub common_users: u64,
}

/// What of P1 left for P0 before or beside the openings, counted before it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Set intersections that were begun.
    pub intersections: u32,
    /// Ids that P0 brought to them, each time it brought them.
    pub ids_asked: u64,
    /// Answers of Setup with bounds of Y over the common users, and with the users that the
    /// pattern policy shows.
    pub bounds: u32,
    /// Users that were shown to have a link, or to be linked to, by the pattern policy.
    pub pattern_rows: u64,
    /// Salted commitments to Y.
    pub commitments: u32,
}

counts!(Shown {
    intersections,
    ids_asked,
    bounds,
    pattern_rows,
    commitments
});

/// What was opened on one day by P1's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedDay {
    /// Days since the Unix epoch.
    pub day: u32,
    /// Openings × columns of one opening.
    pub columns: u64,
    /// Rows × columns.
    pub values: u64,
}

/// What one job has disclosed, as one platform keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobDisclosure {
    /// The job's name.
    pub job: String,
    /// Name of the other platform as its certificate states it.
    pub peer: String,
    /// Openings of Y·U.
    pub openings: u32,
    /// Openings × columns of one opening.
    pub opened_columns: u64,
    /// Rows × columns.
    pub opened_values: u64,
    /// As consented to.
    pub release: Option<ReleasePolicy>,
    /// As consented to.
    pub pattern: Option<PatternPolicy>,
    /// m; 0 before it is known.
    pub common_users: u32,
    /// Bytes both ways over all phases.
    pub bytes: u64,
    /// In words: what the other side could have learnt.
    pub statements: Vec<String>,
    /// In words: what the side that keeps this could have learnt itself.
    pub own_statements: Vec<String>,
    /// When this was counted, milliseconds since the Unix epoch.
    pub updated_unix_ms: i64,
    /// Unset before the common users were found.
    pub overlap: Option<Overlap>,
    /// The lineage of P1's data, 16 bytes; empty before the approval.
    pub lineage: Vec<u8>,
    /// This job's part of the counters.
    pub counters: Counters,
    /// Of this job's noised openings so far.
    pub epsilon: f64,
    /// The δ that goes with it.
    pub delta: f64,
    /// By day, for limits by day.
    pub days: Vec<OpenedDay>,
    /// P1 only: what left before or beside the openings.
    pub shown: Option<Shown>,
    /// P1 only: pin of the certificate that the other platform had then, 32 bytes.
    pub peer_pin: Vec<u8>,
    /// What P1 stated of its links; unset before the approval.
    pub bounds: Option<PublicBounds>,
}

/// The opening of a job that was counted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedOpening {
    /// From 1.
    pub number: u32,
    /// Of the one message that may be answered under this number.
    pub message: [u8; 32],
}

impl JobDisclosure {
    /// This and what was counted of the same job before: no number of either is lost, whichever
    /// of them a count was missed by. Words and names are those of the one with more openings.
    #[must_use]
    pub fn joined(self, before: &Self) -> Self {
        let mut days = self.days.clone();
        for day in &before.days {
            match days.binary_search_by_key(&day.day, |known| known.day) {
                Ok(place) => {
                    if let Some(known) = days.get_mut(place) {
                        known.columns = known.columns.max(day.columns);
                        known.values = known.values.max(day.values);
                    }
                }
                Err(place) => days.insert(place, *day),
            }
        }
        let joined = Self {
            openings: self.openings.max(before.openings),
            opened_columns: self.opened_columns.max(before.opened_columns),
            opened_values: self.opened_values.max(before.opened_values),
            common_users: self.common_users.max(before.common_users),
            bytes: self.bytes.max(before.bytes),
            updated_unix_ms: self.updated_unix_ms.max(before.updated_unix_ms),
            overlap: self.overlap.or(before.overlap),
            counters: self.counters.joined(&before.counters),
            epsilon: self.epsilon.max(before.epsilon),
            days,
            shown: match (&self.shown, &before.shown) {
                (Some(now), Some(then)) => Some(now.joined(then)),
                (now, then) => now.or(*then),
            },
            ..self
        };
        if joined.openings == self.openings {
            return joined;
        }
        Self {
            statements: before.statements.clone(),
            own_statements: before.own_statements.clone(),
            delta: before.delta,
            ..joined
        }
    }
}

/// What one pair of platforms has opened of one lineage of P1's data, over all jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Pin of the other platform's certificate, 32 bytes.
    pub peer_pin: Vec<u8>,
    /// Its name.
    pub peer: String,
    /// Of P1's data, 16 bytes.
    pub lineage: Vec<u8>,
    /// The data set whose lineage it is; P1 only.
    pub dataset: String,
    /// Over all jobs.
    pub counters: Counters,
    /// Both ways over all phases.
    pub bytes: u64,
    /// All noised openings together, at the least δ of any of them.
    pub epsilon: f64,
    /// That δ.
    pub delta: f64,
    /// By day, ascending.
    pub days: Vec<OpenedDay>,
    /// In words: what P0 could have learnt from all of it, and what is left under the limits.
    pub statements: Vec<String>,
    /// P1 only: what left before or beside the openings.
    pub shown: Option<Shown>,
    /// Friends' sums are among what was opened. Found from the jobs, kept nowhere.
    #[serde(skip)]
    pub has_friends: bool,
    /// Everything that left and depends on the links is friends' sums under stated bounds, so that
    /// their promise holds for all together. Found from the jobs, kept nowhere.
    #[serde(skip)]
    pub is_promised: bool,
}

/// One job as one platform has counted it.
pub struct Counted<'a> {
    /// What was consented to.
    pub proposal: &'a Proposal,
    /// How the other platform is named.
    pub peer: &'a str,
    /// Lineage of P1's data; empty before the approval.
    pub lineage: &'a [u8],
    /// Openings answered, or about to be.
    pub openings: u32,
    /// Uploads answered.
    pub stocks: u32,
    /// Users of each platform and of both, once they are known.
    pub overlap: Option<Overlap>,
    /// Once agreed on.
    pub parameters: Option<&'a AgreedParameters>,
    /// Both ways over all phases.
    pub bytes: u64,
    /// What was opened on which day.
    pub days: Vec<OpenedDay>,
    /// What P1 states of its links, once it has consented.
    pub bounds: Option<PublicBounds>,
    /// What left before or beside the openings; P1's own count.
    pub shown: Option<Shown>,
    /// Pin of the other platform's certificate; P1's own record.
    pub peer_pin: Vec<u8>,
}

impl Counted<'_> {
    /// The job's part of the counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let openings = u64::from(self.openings);
        let opened_columns = openings * u64::from(self.proposal.columns());
        let rows = self.parameters.map_or(0, AgreedParameters::returned_rows);
        let opened_values = opened_columns.saturating_mul(rows.into());
        let (exact_values, nano_rho) = match self.opening_nano_rho() {
            Some(one) => (0, one.saturating_mul(openings)),
            None => (opened_values, 0),
        };
        Counters {
            jobs: u32::from(self.openings > 0),
            openings,
            opened_columns,
            opened_values,
            exact_values,
            nano_rho,
            stocks: self.stocks,
        }
    }

    /// What the job has disclosed; `of_rating` where P1 shows what P0 could have learnt.
    #[must_use]
    pub fn disclosure(&self, of_rating: bool, now_unix_ms: i64) -> JobDisclosure {
        let counters = self.counters();
        let proposal = self.proposal;
        let common_users = self.overlap.map_or(0, |overlap| overlap.common_users);
        let common_users = u32::try_from(common_users).unwrap_or(u32::MAX);
        let rule = self.bounds.map(|bounds| bounds.rule);
        let (rating, social) = match (&proposal.release, self.parameters) {
            (ReleasePolicy::Friends(release), agreed) => {
                let agreed = agreed.and_then(AgreedParameters::friends);
                let sizes = (self.openings, common_users);
                let by_rating = statements::friends::by_rating(release, sizes, agreed, rule);
                let by_social = statements::friends::by_social(release, common_users, agreed);
                (by_rating, by_social)
            }
            (_, agreed) => {
                let bound = agreed.and_then(AgreedParameters::row_norm_bound);
                let sizes = (self.openings, common_users);
                let by_rating = statements::by_rating(proposal, sizes.0, sizes.1, bound, rule);
                (by_rating, statements::by_social(proposal, sizes.0, sizes.1))
            }
        };
        let (statements, own_statements) = match of_rating {
            true => (rating, social),
            false => (social, rating),
        };
        let (epsilon, delta) = match proposal.release {
            ReleasePolicy::Noised { delta, .. } => (epsilon_of(counters.nano_rho, delta), delta),
            ReleasePolicy::Friends(release) => match release.mu() {
                Some(mu) if self.openings > 0 => (mu.epsilon(SHOWN_DELTA), SHOWN_DELTA),
                _ => (0.0, SHOWN_DELTA),
            },
            ReleasePolicy::Exact | ReleasePolicy::Coarse { .. } => (0.0, 0.0),
        };
        JobDisclosure {
            job: proposal.job.to_string(),
            peer: self.peer.into(),
            openings: self.openings,
            opened_columns: counters.opened_columns,
            opened_values: counters.opened_values,
            release: Some(proposal.release),
            pattern: Some(proposal.pattern),
            common_users,
            bytes: self.bytes,
            statements,
            updated_unix_ms: now_unix_ms,
            lineage: self.lineage.to_vec(),
            counters,
            epsilon,
            delta,
            days: self.days.clone(),
            own_statements,
            overlap: self.overlap,
            shown: self.shown,
            peer_pin: self.peer_pin.clone(),
            bounds: self.bounds,
        }
    }

    /// ρ of one opening in units of 10⁻⁹, rounded up; none without noise.
    fn opening_nano_rho(&self) -> Option<u64> {
        match (self.proposal.release, self.parameters) {
            (ReleasePolicy::Friends(release), _) => Some(friends_nano_rho(&release)),
            (
                ReleasePolicy::Noised {
                    sigma,
                    row_norm_beta,
                    ..
                },
                Some(AgreedParameters::Product(agreed)),
            ) => {
                let bound = agreed.row_norm_bound;
                Some(nano_rho(agreed.operator, bound, row_norm_beta, sigma))
            }
            _ => None,
        }
    }

    /// What the job's release promises, once its parameters are agreed on; none for other releases
    /// than of friends' sums.
    ///
    /// # Errors
    /// [`Unstated`] where something that leaves depends on the links without noise.
    pub fn guarantee(&self) -> Result<Option<Guarantee>, Unstated> {
        let agreed = self.parameters.and_then(AgreedParameters::friends);
        match (agreed, self.bounds) {
            (Some(parameters), Some(bounds)) => {
                Guarantee::of(parameters, self.proposal.pattern, bounds.rule).map(Some)
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
