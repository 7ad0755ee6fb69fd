use serde::{Deserialize, Serialize};

/// The phases of a job, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// P1's people decide.
    Consent,
    /// The common users are found.
    Alignment,
    /// Parameters and keys are agreed on.
    Setup,
    /// What the rounds use up is made.
    Offline,
    /// The rounds.
    Online,
    /// P0 measures and stores its model.
    Evaluation,
}

impl Phase {
    /// As metrics name it: `online`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Alignment => "alignment",
            Self::Setup => "setup",
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Evaluation => "evaluation",
        }
    }
}
