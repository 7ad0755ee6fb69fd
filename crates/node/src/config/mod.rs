//! One file, the environment and flags become one checked configuration.
//!
#![doc = include_str!("reference.md")]

mod layers;
mod named;
#[cfg(test)]
mod reference_tests;
mod settings;

pub use layers::{ConfigError, Overrides, load};
pub use settings::{
    ConsoleSettings, Limits, LogFormat, LogSettings, ObservabilitySettings, OperatorSettings,
    PeerSettings, RatingPeer, RatingSettings, Retention, Settings, SocialPeer, SocialSettings,
    TlsSettings,
};
