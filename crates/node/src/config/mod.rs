//! One file, the environment and flags become one checked configuration.

mod layers;
mod settings;

pub use layers::{ConfigError, Overrides, load};
pub use settings::{
    Limits, LogFormat, LogSettings, OperatorSettings, RatingPeer, RatingSettings, Settings,
    SocialPeer, SocialSettings, TlsSettings,
};
