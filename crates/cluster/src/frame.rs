//! What crosses a connection between two members: a kind, a length of at most 64 KiB, and so many
//! bytes. Nothing is allocated for a length before it was found to be that small.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// Bytes of a frame, at most.
pub(crate) const LARGEST: usize = 1 << 16;
const HEADER: usize = 1 + 4;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first words of whoever calls.
    Hello = 1,
    /// The call is taken.
    Accepted = 2,
    /// It is not, and why.
    Refused = 3,
    /// A worker has all its connections.
    Ready = 4,
    /// Bytes of timely dataflow.
    Data = 5,
    /// Nothing to say, but there.
    Alive = 6,
    /// Nothing more will come.
    End = 7,
    /// The sender has lost the session, and why.
    Failed = 8,
    /// The work went wrong at the sender, and why: it would again.
    Wrong = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Hello,
        Self::Accepted,
        Self::Refused,
        Self::Ready,
        Self::Data,
        Self::Alive,
        Self::End,
        Self::Failed,
        Self::Wrong,
    ];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The next frame; none where the connection was closed between two.
///
/// # Errors
/// The connection's; `InvalidData` for a kind or length that no member sends.
pub(crate) async fn read(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(Kind, Zeroizing<Vec<u8>>)>> {
    let mut header = [0; HEADER];
    if from.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[1..]).await?;
    let [kind, length @ ..] = header;
    let other = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let kind = Kind::of(kind).ok_or_else(|| other("a frame of no kind"))?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LARGEST {
        return Err(other("a frame longer than 64 KiB"));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes).await?;
    Ok(Some((kind, bytes)))
}

/// Writes a frame of at most [`LARGEST`] bytes; it may stay buffered until [`AsyncWriteExt::flush`].
///
/// # Errors
/// The connection's; `InvalidInput` for more bytes.
pub(crate) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    bytes: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok();
    let length = length.filter(|_| bytes.len() <= LARGEST);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut header = [kind as u8; HEADER];
    header[1..].copy_from_slice(&length.to_le_bytes());
    to.write_all(&header).await?;
    to.write_all(bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(mut bytes: &[u8]) -> io::Result<Vec<(Kind, Vec<u8>)>> {
        let mut frames = Vec::new();
        while let Some((kind, payload)) = read(&mut bytes).await? {
            frames.push((kind, payload.to_vec()));
        }
        Ok(frames)
    }

    #[tokio::test]
    async fn frames_come_back_and_nothing_else_is_one() {
        let mut bytes = Vec::new();
        for kind in Kind::ALL {
            write(&mut bytes, kind, &vec![7; kind as usize])
                .await
                .unwrap();
        }
        let frames = read_all(&bytes).await.unwrap();
        assert_eq!(frames.len(), Kind::ALL.len());
        for (kind, payload) in frames {
            assert_eq!(payload, vec![7; kind as usize]);
        }
        for other in [
            &[0, 0, 0, 0, 0][..],
            &[10, 0, 0, 0, 0],
            &[5, 1, 0, 1, 0],
            &[5, 255, 255, 255, 255],
            &[5, 2, 0, 0, 0, 1],
            &[5, 2],
        ] {
            assert!(read_all(other).await.is_err(), "{other:?}");
        }
        let large = vec![0; LARGEST + 1];
        assert!(write(&mut Vec::new(), Kind::Data, &large).await.is_err());
        assert!(
            write(&mut Vec::new(), Kind::Data, &large[1..])
                .await
                .is_ok()
        );
    }
}
