//! How s3rec works and why, page by page.
//!
//! | who you are | read, in this order |
//! |---|---|
//! | new here | the README, [`tutorial`], [`quick_start`], [`glossary`], [`objectives`] |
//! | about to consent for a platform | [`consent`], [`threat_model`], [`leakage`], [`noised_opening`] section 2 |
//! | an operator | [`packages`], [`operating`], [`troubleshooting`], [`resuming`], [`cluster`] |
//! | after better recommendations | [`solvers`], [`benchmarks`], [`reproduction`] |
//! | reviewing the cryptography | [`protocol`], [`noised_opening`], [`parameters`], [`threats_and_faults`] |
//! | changing the code | [`contributing`], [`decisions`], [`extending`], [`wire_format`], [`profile`] |

#[doc = include_str!("glossary.md")]
pub mod glossary {}

#[doc = include_str!("quick_start.md")]
pub mod quick_start {}

#[doc = include_str!("tutorial.md")]
pub mod tutorial {}

#[doc = include_str!("packages.md")]
pub mod packages {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("cluster.md")]
pub mod cluster {}

#[doc = include_str!("contributing.md")]
pub mod contributing {}

#[doc = include_str!("decisions.md")]
pub mod decisions {}

#[doc = include_str!("threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("threats_and_faults.md")]
pub mod threats_and_faults {}

#[doc = include_str!("consent.md")]
pub mod consent {}

#[doc = include_str!("protocol.md")]
pub mod protocol {}

#[doc = include_str!("leakage.md")]
pub mod leakage {}

#[doc = include_str!("noised_opening.md")]
pub mod noised_opening {}

#[doc = include_str!("objectives.md")]
pub mod objectives {}

#[doc = include_str!("solvers.md")]
pub mod solvers {}

#[doc = include_str!("lists.md")]
pub mod lists {}

#[doc = include_str!("benchmarks.md")]
pub mod benchmarks {}

#[doc = include_str!("reproduction.md")]
pub mod reproduction {}

#[doc = include_str!("profile.md")]
pub mod profile {}

#[doc = include_str!("parameters.md")]
pub mod parameters {}

#[doc = include_str!("wire_format.md")]
pub mod wire_format {}

#[doc = include_str!("extending.md")]
pub mod extending {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("walk.md")]
pub mod walk {}

#[doc = include_str!("resuming.md")]
pub mod resuming {}
