//! A console for the people at a platform, served by its daemon over HTTPS on a port of its own.
//!
//! Off unless `console.listen` is set. Nothing is fetched from elsewhere; pages work without script but
//! for the live parts. Whoever is let in by the operators' port (`s3rec social console`, with an operator's
//! certificate) gets a link for one log-in; what is done then goes through the platform's own service in
//! that person's name, so that it is checked and logged as every other call of theirs.
//!
//! | module | one sentence |
//! |---|---|
//! | [`logins`] | links for one log-in, sessions, and the token that forms carry |
//! | [`link`] | the call that hands out a link |
//! | [`pages`] | what is shown, as functions of answers |
//! | [`social`] | the social platform's routes |
//! | [`serve`] | HTTPS for few and short connections |

pub mod link;
pub mod logins;
pub mod pages;
pub mod serve;
pub mod social;

mod answer;
mod form;

pub use link::Links;
pub use logins::Logins;
