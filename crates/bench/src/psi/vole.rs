//! The form of small VOLEs, over a connection.

use std::io::BufReader;
use std::net::TcpStream;

use s3rec_data::IdTable;
use s3rec_psi::vole::{rating, social};
use s3rec_psi::{Common, PsiSession, Sizes};

use super::wire::{Kind, Wire, expect};
use crate::BenchError;

pub(super) fn rating(
    session: &PsiSession,
    sizes: Sizes,
    ids: &IdTable,
    wire: &Wire<'_>,
    stream: &TcpStream,
) -> Result<Common, BenchError> {
    let mut reader = BufReader::new(stream);
    let encoding = rating::begin(session, sizes, ids.names())?;
    let (mut sending, answer) = encoding.take_request(&expect(Kind::Columns, &mut reader)?)?;
    wire.send(Kind::Columns, &answer)?;
    while let Some(chunk) = sending.next_chunk() {
        wire.send(Kind::Columns, &chunk)?;
    }
    let mut matching = sending.finish()?;
    while !matching.is_complete() {
        matching = matching.take_labels(&expect(Kind::Labels, &mut reader)?)?;
    }
    let (common, claims) = matching.finish()?;
    for chunk in claims.chunks() {
        wire.send(Kind::Claims, chunk)?;
    }
    Ok(common)
}

pub(super) fn social(
    session: &PsiSession,
    sizes: Sizes,
    ids: &IdTable,
    wire: &Wire<'_>,
    stream: &TcpStream,
) -> Result<Common, BenchError> {
    let mut reader = BufReader::new(stream);
    let (starting, request) = social::begin(session, sizes, ids.names())?;
    wire.send(Kind::Columns, &request)?;
    let mut receiving = starting.take_answer(&expect(Kind::Columns, &mut reader)?)?;
    while !receiving.is_complete() {
        receiving = receiving.take_columns(&expect(Kind::Columns, &mut reader)?)?;
    }
    let mut labelling = receiving.take_check(&expect(Kind::Columns, &mut reader)?)?;
    while let Some(labels) = labelling.next_chunk() {
        wire.send(Kind::Labels, &labels)?;
    }
    let mut waiting = labelling.finish()?;
    while !waiting.is_complete() {
        waiting = waiting.take_claims(&expect(Kind::Claims, &mut reader)?)?;
    }
    Ok(waiting.finish()?)
}
