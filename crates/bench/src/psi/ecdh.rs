//! The form of Diffie-Hellman, over a connection.

use std::io::BufReader;
use std::net::TcpStream;
use std::thread;

use s3rec_data::IdTable;
use s3rec_psi::{Common, Masking, PsiSession, Sent, Sizes, SocialWaiting, rating, social};

use super::wire::{Kind, Wire, expect, receive, torn};
use crate::BenchError;

pub(super) fn rating(
    session: &PsiSession,
    sizes: Sizes,
    ids: &IdTable,
    wire: &Wire<'_>,
    stream: &TcpStream,
) -> Result<Common, BenchError> {
    let (masking, mut matching) = rating::begin(session, sizes, ids.names())?;
    thread::scope(|scope| {
        let sending = scope.spawn(|| send_masked(masking, wire));
        let mut reader = BufReader::new(stream);
        while !matching.is_complete() {
            matching = match receive(&mut reader)? {
                (Kind::Points, bytes) => matching.take_points(&bytes)?,
                (Kind::Labels, bytes) => matching.take_labels(&bytes)?,
                (Kind::Claims | Kind::Columns, _) => return Err(torn()),
            };
        }
        let sent = joined(sending.join())?;
        let (common, claims) = matching.finish(sent)?;
        for chunk in claims.chunks() {
            wire.send(Kind::Claims, chunk)?;
        }
        Ok(common)
    })
}

pub(super) fn social(
    session: &PsiSession,
    sizes: Sizes,
    ids: &IdTable,
    wire: &Wire<'_>,
    stream: &TcpStream,
) -> Result<Common, BenchError> {
    let (masking, mut answering) = social::begin(session, sizes, ids.names())?;
    thread::scope(|scope| {
        let sending = scope.spawn(|| send_masked(masking, wire));
        let mut reader = BufReader::new(stream);
        while !answering.is_complete() {
            let labels;
            (answering, labels) = answering.answer(&expect(Kind::Points, &mut reader)?)?;
            wire.send(Kind::Labels, &labels)?;
        }
        let mut waiting: SocialWaiting = answering.finish()?;
        let sent = joined(sending.join())?;
        while !waiting.is_complete() {
            waiting = waiting.take_claims(&expect(Kind::Claims, &mut reader)?)?;
        }
        Ok(waiting.finish(sent)?)
    })
}

fn send_masked(mut masking: Masking, wire: &Wire<'_>) -> Result<Sent, BenchError> {
    while let Some(points) = masking.next_chunk() {
        wire.send(Kind::Points, &points)?;
    }
    Ok(masking.finish()?)
}

fn joined<T>(result: thread::Result<Result<T, BenchError>>) -> Result<T, BenchError> {
    result.unwrap_or_else(|_| Err(torn()))
}
