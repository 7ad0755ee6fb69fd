//! A connection as timely dataflow sees it: a blocking stream. Behind it are whole messages alone, of
//! bounded length and for this member, and an orderly end whatever became of the connection: what
//! timely would panic at never reaches it. Why a connection ended, [`Health`](crate::health::Health)
//! knows.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timely::communication::allocator::zero_copy::stream::Stream;
use timely::communication::networking::MessageHeader;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::frame::LARGEST;

/// Bytes of one message of timely's, at most: tasks and results have public sizes far below it.
const LONGEST: usize = 1 << 30;
const HEADER: usize = 6 * 8;
/// Frames or messages between a relay and timely.
const WAITING: usize = 16;

pub(crate) type Chunk = Zeroizing<Vec<u8>>;

/// What timely reads from and writes to.
pub(crate) struct Pipe {
    incoming: Arc<Mutex<Incoming>>,
    outgoing: Arc<Mutex<Option<mpsc::Sender<Chunk>>>>,
}

struct Incoming {
    messages: mpsc::Receiver<Chunk>,
    current: Chunk,
    read: usize,
    has_ended: bool,
}

/// The relay's ends of a pipe.
pub(crate) struct Ends {
    pub(crate) incoming: mpsc::Sender<Chunk>,
    pub(crate) outgoing: mpsc::Receiver<Chunk>,
    pub(crate) messages: Messages,
}

/// A pipe between member `own` and member `peer`.
pub(crate) fn pipe(own: usize, peer: usize) -> (Pipe, Ends) {
    let (incoming, messages) = mpsc::channel(WAITING);
    let (sender, outgoing) = mpsc::channel(WAITING);
    let pipe = Pipe {
        incoming: Arc::new(Mutex::new(Incoming {
            messages,
            current: Chunk::default(),
            read: 0,
            has_ended: false,
        })),
        outgoing: Arc::new(Mutex::new(Some(sender))),
    };
    let messages = Messages::new(own, peer);
    let ends = Ends {
        incoming,
        outgoing,
        messages,
    };
    (pipe, ends)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How timely says that nothing more comes.
fn end() -> Chunk {
    Zeroizing::new(vec![0; HEADER])
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut incoming = lock(&self.incoming);
        while incoming.read == incoming.current.len() {
            incoming.current = match incoming.messages.blocking_recv() {
                Some(message) => message,
                None if incoming.has_ended => return Ok(0),
                None => end(),
            };
            incoming.read = 0;
            incoming.has_ended |= incoming.current.len() == HEADER;
        }
        let rest = &incoming.current[incoming.read..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        incoming.read += count;
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(LARGEST);
        if let Some(outgoing) = lock(&self.outgoing).as_ref() {
            // Of a connection that is gone nothing is needed any more.
            let _ = outgoing.blocking_send(Zeroizing::new(bytes[..count].to_vec()));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Pipe {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            incoming: Arc::clone(&self.incoming),
            outgoing: Arc::clone(&self.outgoing),
        })
    }

    fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Read {
            lock(&self.outgoing).take();
        }
        Ok(())
    }
}

/// Puts messages of timely's together from frames.
pub(crate) struct Messages {
    own: usize,
    peer: usize,
    partial: Chunk,
    has_ended: bool,
}

impl Messages {
    fn new(own: usize, peer: usize) -> Self {
        Self {
            own,
            peer,
            partial: Chunk::default(),
            has_ended: false,
        }
    }

    /// Whether the peer's dataflow has ended, and nothing is left over.
    pub(crate) fn have_ended(&self) -> bool {
        self.has_ended && self.partial.is_empty()
    }

    /// The messages that `bytes` complete. Memory is taken as bytes come, not for what a header says.
    ///
    /// # Errors
    /// What is wrong with a header: too long, from or for another member, or behind the end.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Chunk>, &'static str> {
        grow(&mut self.partial, bytes);
        let mut whole = Vec::new();
        while let Some(length) = self.next_length()? {
            if self.partial.len() < length {
                break;
            }
            let rest = Zeroizing::new(self.partial[length..].to_vec());
            let mut message = std::mem::replace(&mut self.partial, rest);
            zeroize::Zeroize::zeroize(&mut message[length..]);
            message.truncate(length);
            whole.push(message);
        }
        Ok(whole)
    }

    /// Of the message that is begun, its header included.
    fn next_length(&mut self) -> Result<Option<usize>, &'static str> {
        if self.partial.is_empty() {
            return Ok(None);
        }
        if self.has_ended {
            return Err("goes on behind its end");
        }
        let Some(header) = self.partial.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        // Where only the header is there, nothing but an empty message reads as whole.
        let (fields, _) = header.as_chunks::<8>();
        let field = |index: usize| usize::try_from(u64::from_be_bytes(fields[index])).ok();
        let [Some(source), Some(lower), Some(upper), Some(length)] = [1, 2, 3, 4].map(field) else {
            return Err("sends a message that does not exist");
        };
        if length == 0 {
            if MessageHeader::try_read(header).is_none_or(|header| header.length != 0) {
                return Err("sends a message that does not exist");
            }
            self.has_ended = self.partial.len() == HEADER;
            return match self.has_ended {
                true => Ok(Some(HEADER)),
                false => Err("goes on behind its end"),
            };
        }
        if length > LONGEST {
            return Err("sends a message longer than 1 GiB");
        }
        if (source, lower, upper) != (self.peer, self.own, self.own + 1) {
            return Err("sends a message that is another member's, or for another");
        }
        Ok(Some(HEADER + length))
    }
}

/// Appends without leaving behind what a reallocation would.
fn grow(chunk: &mut Chunk, bytes: &[u8]) {
    let needed = chunk.len() + bytes.len();
    if needed > chunk.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(chunk);
        *chunk = larger;
    }
    chunk.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(source: usize, target: usize, payload: &[u8]) -> Vec<u8> {
        let header = MessageHeader {
            channel: 5,
            source,
            target_lower: target,
            target_upper: target + 1,
            length: payload.len(),
            seqno: 9,
        };
        let mut bytes = Vec::new();
        header.write_to(&mut bytes).unwrap();
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn messages_are_whole_however_they_arrive() {
        let sent = [message(3, 1, &[7; 100]), message(3, 1, &[8; 16])];
        let bytes = [sent.concat(), vec![0; HEADER]].concat();
        for step in [1, 7, 48, 60, bytes.len() - HEADER] {
            let mut messages = Messages::new(1, 3);
            let (data, end) = bytes.split_at(bytes.len() - HEADER);
            let mut got = Vec::new();
            for part in data.chunks(step) {
                got.extend(messages.take(part).unwrap());
            }
            assert!(!messages.have_ended());
            got.extend(messages.take(end).unwrap());
            let got: Vec<Vec<u8>> = got.iter().map(|chunk| chunk.to_vec()).collect();
            assert_eq!(got, [&sent[0][..], &sent[1], &[0; HEADER]], "{step}");
            assert!(messages.have_ended());
            assert_eq!(messages.take(&[1]), Err("goes on behind its end"));
        }
    }

    #[test]
    fn what_timely_would_panic_at_is_refused() {
        let take = |bytes: &[u8]| Messages::new(1, 3).take(bytes).map(|all| all.len());
        assert_eq!(take(&message(3, 1, &[1])), Ok(1));
        let other = Err("sends a message that is another member's, or for another");
        assert_eq!(take(&message(2, 1, &[1])), other);
        assert_eq!(take(&message(3, 2, &[1])), other);
        let mut wide = message(3, 1, &[1]);
        wide[31] = 9;
        assert_eq!(take(&wide), other);
        let mut long = message(3, 1, &[1]);
        long[32..40].copy_from_slice(&((LONGEST as u64 + 1).to_be_bytes()));
        assert_eq!(take(&long), Err("sends a message longer than 1 GiB"));
        long[32..40].fill(0xff);
        assert!(take(&long).is_err());
        assert_eq!(take(&[0; HEADER + 1]), Err("goes on behind its end"));
    }

    /// A connection that breaks in the midst of a message ends like one that ended.
    #[test]
    fn timely_reads_whole_messages_and_an_end() {
        let (mut pipe, ends) = pipe(1, 3);
        let bytes = message(3, 1, &[7; 100]);
        ends.incoming
            .blocking_send(Zeroizing::new(bytes.clone()))
            .unwrap();
        drop(ends);
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).unwrap();
        assert_eq!(read, [bytes, vec![0; HEADER]].concat());
        // What is written then goes nowhere, and fails nobody.
        pipe.write_all(&[1; 3 * LARGEST]).unwrap();
    }
}
