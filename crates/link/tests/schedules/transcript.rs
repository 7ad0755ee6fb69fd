//! Everything that ever left a machine, delivered or not, held to the rules of section 3.3.

use std::collections::BTreeMap;

use s3rec_spmm::preprocessed::StockPlace;
use s3rec_spmm::{Frame, Step};

use crate::weather::Side;

/// What names a frame's content for good: who sent it, of which stock, which part of it. Whatever
/// has that name must be the same whenever it leaves.
type Name = (bool, Vec<u8>, u32, u32);

#[derive(Default)]
pub(crate) struct Transcript {
    seen: BTreeMap<Name, [u8; 32]>,
    /// Stock and round of the exchange, as its Opening frame states it, or the block.
    about: Vec<u8>,
    /// Where the block was gone on with: the frames that do not leave again.
    place: Option<StockPlace>,
}

impl Transcript {
    /// The frames that follow are about this block of this stock from `place` on, or about the key.
    pub(crate) fn about(&mut self, what: Vec<u8>, place: Option<StockPlace>) {
        self.about = what;
        self.place = place;
    }

    pub(crate) fn note(&mut self, from: Side, frame: &Frame) {
        match frame.step {
            // Fresh at every resume handshake.
            Step::Identity | Step::Cursor => return,
            Step::Opening => self.about = frame.payload.clone(),
            _ => {}
        }
        let before = self.place.map_or(0, |place| match frame.step {
            Step::Bodies => place.bodies,
            Step::Responses => place.responses,
            _ => 0,
        });
        let name = (
            from == Side::Rating,
            self.about.clone(),
            u32::from(frame.step.number()),
            before + frame.sequence,
        );
        let content = *blake3::hash(&frame.payload).as_bytes();
        let first = *self.seen.entry(name).or_insert(content);
        assert!(
            first == content,
            "{} of {from:?} leaves twice with different content: a column serves two inputs",
            frame.step.name()
        );
    }

    /// Openings of friends' sums of which an answer has left.
    pub(crate) fn answers(&self) -> usize {
        let step = u32::from(Step::Responses.number());
        let names = self.seen.keys();
        let answers = names.filter(|(rating, _, of, first)| !rating && *of == step && *first == 0);
        answers.count()
    }

    /// Openings of which an answer has left.
    pub(crate) fn answered(&self) -> usize {
        let step = u32::from(Step::Opening.number());
        let answers = self.seen.keys();
        answers
            .filter(|(rating, _, of, _)| !rating && *of == step)
            .count()
    }
}
