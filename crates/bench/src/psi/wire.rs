//! Messages over a connection: a byte of kind, four of length, the payload.

use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use s3rec_psi::MAX_CHUNK_BYTES;

use crate::BenchError;
use crate::memory::moving;

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Points = 1,
    Labels = 2,
    Claims = 3,
    /// What the other form sends before its labels.
    Columns = 4,
}

/// This party's side of the connection; its threads write whole messages.
pub(crate) struct Wire<'a>(Mutex<(BufWriter<&'a TcpStream>, u64)>);

impl<'a> Wire<'a> {
    pub(crate) fn new(stream: &'a TcpStream) -> Self {
        Self(Mutex::new((BufWriter::new(stream), 0)))
    }

    pub(crate) fn send(&self, kind: Kind, bytes: &[u8]) -> Result<(), BenchError> {
        let length = u32::try_from(bytes.len()).map_err(|_| torn())?;
        let mut wire = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = moving(|| {
            wire.0
                .write_all(&[kind as u8])
                .and_then(|()| wire.0.write_all(&length.to_le_bytes()))
                .and_then(|()| wire.0.write_all(bytes))
                .and_then(|()| wire.0.flush())
        });
        written.map_err(BenchError::Connection)?;
        wire.1 += 5 + bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sent(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

pub(crate) fn receive(reader: &mut (impl Read + ?Sized)) -> Result<(Kind, Vec<u8>), BenchError> {
    let mut head = [0; 5];
    reader
        .read_exact(&mut head)
        .map_err(BenchError::Connection)?;
    let [kind, length @ ..] = head;
    let kind = match kind {
        1 => Kind::Points,
        2 => Kind::Labels,
        3 => Kind::Claims,
        4 => Kind::Columns,
        _ => return Err(torn()),
    };
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_CHUNK_BYTES {
        return Err(torn());
    }
    let mut bytes = vec![0; length];
    reader
        .read_exact(&mut bytes)
        .map_err(BenchError::Connection)?;
    Ok((kind, bytes))
}

/// The next message, which must be of one kind.
pub(crate) fn expect(kind: Kind, reader: &mut (impl Read + ?Sized)) -> Result<Vec<u8>, BenchError> {
    match receive(reader)? {
        (found, bytes) if found == kind => Ok(bytes),
        _ => Err(torn()),
    }
}

pub(crate) fn torn() -> BenchError {
    BenchError::Connection(std::io::ErrorKind::InvalidData.into())
}
