use serde::{Deserialize, Serialize};

use crate::rating::RoundReport;
use crate::report::PhaseCost;
use crate::{AgreedParameters, Overlap, Phase};

/// One of the two platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Party {
    /// P0.
    Rating,
    /// P1.
    Social,
}

impl Party {
    /// As people read it: `rating`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rating => "rating",
            Self::Social => "social",
        }
    }
}

/// How far a job is, by the same names at both platforms.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum JobState {
    /// No event of such a job is there.
    #[default]
    Unknown,
    /// P1's people have not decided.
    Proposed,
    /// P1's people consented; P0 may start.
    Approved,
    /// They declined.
    Rejected,
    /// Under way.
    Running,
    /// P0 has its model.
    Finished,
    /// Ended by an error, which the last event names.
    Failed,
    /// Ended by the people of either side.
    Cancelled,
}

impl JobState {
    /// All but the unknown one.
    pub const ALL: [Self; 7] = [
        Self::Proposed,
        Self::Approved,
        Self::Rejected,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As people read it: `rejected`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unspecified",
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a job in this state has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Finished | Self::Failed | Self::Cancelled
        )
    }
}

/// One event of a job's history, for the people of one platform.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobEvent {
    /// The job's name.
    pub job: String,
    /// Since then, by the clock of the platform whose event it is.
    pub time_unix_ms: i64,
    /// How far the job is.
    pub state: JobState,
    /// What it is doing, or did last.
    pub phase: Option<Phase>,
    /// 1-based round of the online phase, else 0.
    pub round: u32,
    /// Rounds consented to.
    pub rounds: u32,
    /// What the phase has cost so far.
    pub phase_cost: Option<PhaseCost>,
    /// Share of the phase's work that is done, 0 to 1.
    pub phase_progress: f64,
    /// Estimated seconds until the job ends; 0 while unknown.
    pub remaining_seconds: f64,
    /// Who is waited for, if anybody is.
    pub waiting_for: Option<Party>,
    /// Since when; 0 when nobody is.
    pub waiting_since_unix_ms: i64,
    /// What happened, or what went wrong and how to mend it. Never data.
    pub message: String,
    /// P0's own: loss and error after a round.
    pub training: Option<RoundReport>,
    /// Once the common users are known.
    pub overlap: Option<Overlap>,
    /// P1's own: what P0 is notified of in place of the message, which is for the people here
    /// alone; empty where it is for both.
    pub peer_message: String,
}

/// What a job has cost, by P1's count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobCost {
    /// Once they are agreed on.
    pub parameters: Option<AgreedParameters>,
    /// Everything before the rounds.
    pub offline: PhaseCost,
    /// The rounds.
    pub online: PhaseCost,
    /// Largest resident set of P1's daemon by then.
    pub peak_rss_bytes: u64,
    /// Users of both platforms.
    pub common_users: u32,
}
