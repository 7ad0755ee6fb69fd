//! The form of small VOLEs, over a connection.

use std::io::Read;

use s3rec_data::IdTable;
use s3rec_psi::vole::{rating, social};
use s3rec_psi::{Common, PsiSession, Sizes};

use super::wire::{Kind, Wire, expect};
use crate::BenchError;

pub(crate) fn rating(
    session: &PsiSession,
    sizes: Sizes,
    ids: &IdTable,
    wire: &Wire<'_>,
    reader: &mut dyn Read,
) -> Result<Common, BenchError> {
    let encoding = rating::begin(session, sizes, ids.names())?;
    let (mut sending, answer) = encoding.take_request(&expect(Kind::Columns, reader)?)?;
    wire.send(Kind::Columns, &answer)?;
    while let Some(chunk) = sending.next_chunk() {
        wire.send(Kind::Columns, &chunk)?;
    }
    let mut matching = sending.finish()?;
    while !matching.is_complete() {
        matching = matching.take_labels(&expect(Kind::Labels, reader)?)?;
    }
    let (common, claims) = matching.finish()?;
    for chunk in claims.chunks() {
        wire.send(Kind::Claims, chunk)?;
    }
    Ok(common)
}

pub(crate) fn social(
    session: &PsiSession,
    sizes: Sizes,
    ids: &IdTable,
    wire: &Wire<'_>,
    reader: &mut dyn Read,
) -> Result<Common, BenchError> {
    let (starting, request) = social::begin(session, sizes, ids.names())?;
    wire.send(Kind::Columns, &request)?;
    let mut receiving = starting.take_answer(&expect(Kind::Columns, reader)?)?;
    while !receiving.is_complete() {
        receiving = receiving.take_columns(&expect(Kind::Columns, reader)?)?;
    }
    let mut labelling = receiving.take_check(&expect(Kind::Columns, reader)?)?;
    while let Some(labels) = labelling.next_chunk() {
        wire.send(Kind::Labels, &labels)?;
    }
    let mut waiting = labelling.finish()?;
    while !waiting.is_complete() {
        waiting = waiting.take_claims(&expect(Kind::Claims, reader)?)?;
    }
    Ok(waiting.finish()?)
}
