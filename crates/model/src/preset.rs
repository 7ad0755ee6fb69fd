//! Settings found by search on the published sets, and what they reach.

use crate::SolverSettings;
use s3rec_sparse::OperatorKind;

/// Settings under a name, with the scale that the data set's ratings have.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// The name on the command line.
    pub name: &'static str,
    /// Rating scale; rows outside are dropped.
    pub scale: (f32, f32),
    /// Which Y.
    pub operator: OperatorKind,
    /// Everything else.
    pub settings: SolverSettings,
}

impl Preset {
    /// The preset of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|preset| preset.name == name)
    }

    /// Every preset.
    pub fn all() -> [Self; 4] {
        [
            Self::filmtrust(),
            Self::ciao(),
            Self::epinions(),
            Self::published(),
        ]
    }

    /// Films, dense: factors matter most.
    fn filmtrust() -> Self {
        Self {
            name: "filmtrust",
            scale: (0.5, 4.0),
            operator: OperatorKind::NormalizedLaplacian,
            settings: SolverSettings {
                openings: 5,
                warm_sweeps: 15,
                user_decay: 12.0,
                item_decay: 14.0,
                user_bias_decay: 3.5,
                item_bias_decay: 6.0,
                implicit_ridge: Some(3.0),
                social_weight: 5.0,
                ..als()
            },
        }
    }

    /// Products, very sparse: biases matter most, and the social term on them.
    fn ciao() -> Self {
        Self {
            name: "ciao",
            scale: (1.0, 5.0),
            operator: OperatorKind::NormalizedLaplacian,
            settings: SolverSettings {
                rank: 5,
                openings: 4,
                warm_sweeps: 6,
                user_decay: 20.0,
                item_decay: 22.0,
                user_bias_decay: 3.3,
                item_bias_decay: 2.2,
                implicit_ridge: Some(20.0),
                social_weight: 5.0,
                social_bias_weight: 9.0,
                ..als()
            },
        }
    }

    /// Products, sparser still.
    fn epinions() -> Self {
        Self {
            name: "epinions",
            scale: (1.0, 5.0),
            operator: OperatorKind::NormalizedLaplacian,
            settings: SolverSettings {
                rank: 5,
                openings: 4,
                warm_sweeps: 6,
                user_decay: 25.0,
                item_decay: 22.0,
                user_bias_decay: 2.2,
                item_bias_decay: 2.3,
                implicit_ridge: Some(20.0),
                social_weight: 6.0,
                social_bias_weight: 10.0,
                ..als()
            },
        }
    }

    /// Section 5 of the protocol page: the setting in which gd, adam and als are compared.
    /// Less decay than is best without friends, so that the social term has work to do.
    fn published() -> Self {
        Self {
            name: "published",
            scale: (0.5, 4.0),
            operator: OperatorKind::NormalizedLaplacian,
            settings: SolverSettings {
                openings: 10,
                ..als()
            },
        }
    }
}

fn als() -> SolverSettings {
    SolverSettings {
        warm_sweeps: 10,
        ..SolverSettings::default()
    }
}
