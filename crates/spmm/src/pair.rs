//! Both endpoints in one process: the driver of tests and benchmarks.
//!
//! An [`Interceptor`] sees every frame and may drop, repeat, change or add some.

use crate::{Endpoint, Frame, SpmmError, Step};

/// One of the two parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// P0, the rating platform.
    Rating,
    /// P1, the social platform.
    Social,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Rating => Side::Social,
            Side::Social => Side::Rating,
        }
    }
}

/// Stands between the parties.
pub trait Interceptor {
    /// The frames that arrive when `frame` was sent by `from`.
    fn intercept(&mut self, from: Side, frame: Frame) -> Vec<Frame>;
}

/// Lets everything through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Honest;

impl Interceptor for Honest {
    fn intercept(&mut self, _from: Side, frame: Frame) -> Vec<Frame> {
        vec![frame]
    }
}

/// What crossed, sizes only, in the order of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Sender, step and payload bytes of every frame.
    pub frames: Vec<(Side, Step, usize)>,
}

impl Transcript {
    /// Payload bytes that one side sent.
    pub fn bytes_from(&self, side: Side) -> u64 {
        self.frames
            .iter()
            .filter(|(from, ..)| *from == side)
            .map(|&(.., bytes)| bytes as u64)
            .sum()
    }
}

/// How an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// One party's endpoint reported an error.
    #[error("{side:?}: {error}")]
    Failed {
        /// Who reported it.
        side: Side,
        /// What it reported.
        #[source]
        error: SpmmError,
    },
    /// Neither party has anything to send and at least one is not done.
    #[error(
        "both sides wait: the rating platform for {rating:?}, the social platform for {social:?}"
    )]
    Stalled {
        /// What P0 waits for.
        rating: Option<Step>,
        /// What P1 waits for.
        social: Option<Step>,
    },
}

/// Runs both endpoints to the end.
///
/// # Errors
/// [`PairError::Failed`] by the side that noticed, [`PairError::Stalled`] when a frame went missing.
pub fn run(
    rating: &mut dyn Endpoint,
    social: &mut dyn Endpoint,
    interceptor: &mut dyn Interceptor,
) -> Result<Transcript, PairError> {
    let mut transcript = Transcript::default();
    loop {
        let mut moved = false;
        for from in [Side::Rating, Side::Social] {
            let (sender, receiver): (&mut dyn Endpoint, &mut dyn Endpoint) = match from {
                Side::Rating => (&mut *rating, &mut *social),
                Side::Social => (&mut *social, &mut *rating),
            };
            while let Some(frame) = sender
                .poll_send()
                .map_err(|error| PairError::Failed { side: from, error })?
            {
                moved = true;
                transcript
                    .frames
                    .push((from, frame.step, frame.payload.len()));
                for frame in interceptor.intercept(from, frame) {
                    receiver.receive(frame).map_err(|error| PairError::Failed {
                        side: from.other(),
                        error,
                    })?;
                }
            }
        }
        if rating.is_done() && social.is_done() {
            return Ok(transcript);
        }
        if !moved {
            return Err(PairError::Stalled {
                rating: rating.awaiting(),
                social: social.awaiting(),
            });
        }
    }
}
