//! A console for the people at a platform, served by its daemon over HTTPS on a port of its own.
//!
//! Off unless `console.listen` is set. Nothing is fetched from elsewhere; pages work without script but
//! for the live parts. Whoever is let in by the operators' port (`s3rec rating console`, `s3rec social
//! console`, with an operator's certificate) gets a link for one log-in; what is done then goes through
//! the platform's own service in that person's name, so that it is checked and logged as every other call
//! of theirs.
//!
//! | module | one sentence |
//! |---|---|
//! | [`mount`] | a daemon's console: its port, and what it serves |
//! | [`logins`] | links for one log-in, sessions, and the token that forms carry |
//! | [`form`] | what a form sends |
//! | [`link`] | the call that hands out a link |
//! | [`pages`] | what is shown, as functions of answers |
//! | [`site`] | what both consoles share: who asks, and the pages that both have |
//! | [`rating`], [`social`] | the routes of each platform |
//! | [`serve`] | HTTPS for few and short connections |

pub mod form;
pub mod link;
pub mod logins;
pub mod mount;
pub mod pages;
pub mod rating;
pub mod serve;
pub mod site;
pub mod social;

mod answer;
mod proposing;
#[cfg(test)]
mod trial;

pub use link::Links;
pub use logins::Logins;
pub use mount::{Console, Of, examined};
