//! Every frame of a job, known before any data moves: the cost model adds up their payloads, and
//! a link can add its own framing to each.

use crate::chunks::Chunks;
use crate::cost::Sizes;
use crate::preprocessed::meeting_sizes;
use crate::{ProductParameters, SpmmError, Step};

/// What two endpoints exchange in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// P1's queries, where it fetches privately (section 3.2).
    Queries,
    /// P0's public key.
    PublicKey,
    /// An upload and its responses: a round of `he`, a block of a stock.
    Upload,
    /// The meeting over a finished stock.
    Meeting,
    /// A round over a stock.
    Opening,
    /// A stock's close.
    Close,
}

/// One frame of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// P0 sends it.
    pub to_social: bool,
    /// Its step.
    pub step: Step,
    /// Its place among the sender's frames of the exchange.
    pub sequence: u32,
    /// Bytes of its payload.
    pub payload_bytes: usize,
}

impl Exchange {
    /// The exchanges of a whole job, each with how often it happens: those before the rounds, the
    /// rounds, and those after.
    ///
    /// # Errors
    /// Those of [`ProductParameters::layout`].
    pub fn of_job(parameters: &ProductParameters) -> Result<Vec<(Exchange, u32)>, SpmmError> {
        let mut exchanges = Vec::new();
        if parameters.protocol.fetches_privately() {
            exchanges.push((Exchange::Queries, 1));
        }
        exchanges.push((Exchange::PublicKey, 1));
        if parameters.protocol.is_preprocessed() {
            exchanges.push((Exchange::Upload, parameters.layout()?.blocks));
            exchanges.push((Exchange::Meeting, 1));
            exchanges.push((Exchange::Opening, parameters.rounds));
            exchanges.push((Exchange::Close, 1));
        } else {
            exchanges.push((Exchange::Upload, parameters.rounds));
        }
        Ok(exchanges)
    }

    /// Its frames, P0's before P1's.
    ///
    /// # Errors
    /// Sizes that no frame can carry.
    pub fn crossings(self, parameters: &ProductParameters) -> Result<Vec<Crossing>, SpmmError> {
        let mut crossings = Vec::new();
        let mut next = [0, 0];
        for (to_social, chunks) in self.parts(parameters)? {
            for index in 0..chunks.frames() {
                let [ours, theirs] = &mut next;
                let sequence = if to_social { ours } else { theirs };
                crossings.push(Crossing {
                    to_social,
                    step: chunks.step(),
                    sequence: *sequence,
                    payload_bytes: chunks.items_of(index).len() * chunks.item_bytes(),
                });
                *sequence += 1;
            }
        }
        Ok(crossings)
    }

    /// What crosses, in each sender's order; true where P0 sends.
    pub(crate) fn parts(
        self,
        parameters: &ProductParameters,
    ) -> Result<Vec<(bool, Chunks)>, SpmmError> {
        Ok(match self {
            Exchange::Queries => vec![(false, Sizes::queries(parameters)?)],
            Exchange::PublicKey => vec![(true, Sizes::public_key(parameters)?)],
            Exchange::Upload => vec![
                (true, Sizes::mask_seed()?),
                (true, Sizes::bodies(parameters)?),
                (false, Sizes::responses(parameters)?),
            ],
            Exchange::Meeting => meeting_sizes()?,
            Exchange::Opening => {
                let (step, rows) = (Step::MaskedFactors, parameters.uploaded_rows);
                vec![
                    (true, Sizes::opening()?),
                    (true, Sizes::ring_values(parameters, step, rows)?),
                    (false, Sizes::opening()?),
                    (false, Sizes::released_values(parameters)?),
                ]
            }
            Exchange::Close => vec![
                (true, Sizes::identity()?),
                (false, Sizes::closed_openings()?),
            ],
        })
    }
}
