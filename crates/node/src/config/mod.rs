//! One file, the environment and flags become one checked configuration.

mod layers;
mod named;
mod settings;

pub use layers::{ConfigError, Overrides, load};
pub use settings::{
    Limits, LogFormat, LogSettings, ObservabilitySettings, OperatorSettings, PeerSettings,
    RatingPeer, RatingSettings, Retention, Settings, SocialPeer, SocialSettings, TlsSettings,
};
