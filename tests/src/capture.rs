//! What crossed a network in the clear: a capture by tcpdump, its TCP streams put together, and
//! a search for values in the forms that they could have.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::processes::{send, wait_until};

/// A running tcpdump.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
    log: PathBuf,
}

impl Capture {
    /// Captures everything on `interface` into `directory`.
    #[must_use]
    pub fn start(interface: &str, directory: &Path) -> Self {
        let (file, log) = (directory.join("link.pcap"), directory.join("tcpdump.log"));
        let mut command = Command::new("tcpdump");
        command.args(["-i", interface, "-n", "-B", "65536", "-Z", "root"]);
        // Each packet is written as it comes: without, those of the last second are lost.
        command.args(["-U", "--immediate-mode"]);
        command.arg("-w").arg(&file).stdin(Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        let tcpdump = command.spawn().unwrap();
        wait_until("tcpdump listens", Duration::from_secs(10), || {
            std::fs::read_to_string(&log)
                .unwrap()
                .contains("listening on")
        });
        Self { tcpdump, file, log }
    }

    /// Ends it once `last` was captured, in one packet; the streams in the order of their first
    /// packet. Nothing may have been dropped.
    #[must_use]
    pub fn stop_after(mut self, last: &[u8]) -> Vec<Stream> {
        wait_until("the capture has all", Duration::from_secs(30), || {
            let captured = std::fs::read(&self.file).unwrap();
            captured.windows(last.len()).any(|window| window == last)
        });
        send(self.tcpdump.id(), Signal::INT);
        self.tcpdump.wait().unwrap();
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(log.contains("\n0 packets dropped by kernel"), "{log}");
        streams(&std::fs::read(&self.file).unwrap())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// One direction of a TCP connection, or a packet of anything else.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Port of whoever sent it; 0 for what is not TCP.
    pub source_port: u16,
    /// Port of whoever received it.
    pub target_port: u16,
    /// What was sent, in order and once.
    pub bytes: Vec<u8>,
}

/// Source and target, address and port.
type Flow = ([u8; 4], u16, [u8; 4], u16);

/// Puts the TCP streams of a pcap file (Ethernet, little-endian) together.
///
/// # Panics
/// For a file that is not such, a packet that was cut, or a stream with a hole.
#[must_use]
pub fn streams(pcap: &[u8]) -> Vec<Stream> {
    assert_eq!(&pcap[..4], [0xd4, 0xc3, 0xb2, 0xa1], "not a pcap file");
    assert_eq!(pcap[20], 1, "not Ethernet");
    let mut flows: BTreeMap<Flow, Vec<(u32, &[u8])>> = BTreeMap::new();
    let mut order: Vec<Flow> = Vec::new();
    let mut others = Vec::new();
    let mut rest = &pcap[24..];
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (captured, original) = (word(8), word(12));
        assert_eq!(captured, original, "a packet was cut");
        let frame = &rest[16..16 + captured];
        rest = &rest[16 + captured..];
        match tcp(frame) {
            Some((flow, first, payload)) => {
                let segments = flows.entry(flow).or_insert_with(|| {
                    order.push(flow);
                    Vec::new()
                });
                segments.push((first, payload));
            }
            None => others.push(Stream {
                bytes: frame.to_vec(),
                ..Stream::default()
            }),
        }
    }
    let joined = order.into_iter().map(|flow| Stream {
        source_port: flow.1,
        target_port: flow.3,
        bytes: join(&flows[&flow]),
    });
    joined.chain(others).collect()
}

/// Flow, first sequence number of the payload, payload.
fn tcp(frame: &[u8]) -> Option<(Flow, u32, &[u8])> {
    let ip = frame.get(14..).filter(|_| frame[12..14] == [8, 0])?;
    let (header, total) = (
        usize::from(ip[0] & 15) * 4,
        usize::from(u16::from_be_bytes([ip[2], ip[3]])),
    );
    let segment = ip.get(header..total).filter(|_| ip[9] == 6)?;
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    let address = |at: usize| <[u8; 4]>::try_from(&ip[at..at + 4]).unwrap();
    let flow = (address(12), port(0), address(16), port(2));
    let sequence = u32::from_be_bytes(segment[4..8].try_into().unwrap());
    // A SYN takes a number of its own.
    let first = sequence.wrapping_add(u32::from(segment[13] & 2 != 0));
    Some((flow, first, &segment[usize::from(segment[12] >> 4) * 4..]))
}

/// Segments in the order of their numbers, what was sent twice taken once.
fn join(segments: &[(u32, &[u8])]) -> Vec<u8> {
    let start = segments[0].0;
    let mut placed: Vec<(usize, &[u8])> = segments
        .iter()
        .filter(|(_, payload)| !payload.is_empty())
        .filter_map(|(first, payload)| {
            // A keepalive repeats the byte before; nothing of it is new.
            let offset = i32::from_ne_bytes(first.wrapping_sub(start).to_ne_bytes());
            Some((usize::try_from(offset).ok()?, *payload))
        })
        .collect();
    placed.sort_by_key(|(offset, _)| *offset);
    let mut bytes: Vec<u8> = Vec::new();
    for (offset, payload) in placed {
        assert!(offset <= bytes.len(), "a hole in a captured stream");
        let new = bytes.len() - offset;
        bytes.extend_from_slice(payload.get(new..).unwrap_or_default());
    }
    bytes
}

/// What to look for: kinds of values, each in every form that it could have.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By the first eight bytes.
    markers: HashMap<[u8; 8], Vec<(&'static str, Vec<u8>)>>,
}

impl Wanted {
    /// Looks for these bytes, of which there must be eight: fewer occur by chance.
    pub fn bytes(&mut self, kind: &'static str, bytes: &[u8]) {
        let start = bytes[..8].try_into().unwrap();
        let marker = (kind, bytes.to_vec());
        let markers = self.markers.entry(start).or_default();
        if !markers.contains(&marker) {
            markers.push(marker);
        }
    }

    /// Looks for a run of numbers: each as float64 in both byte orders, two
    /// neighbours as float32 and as 32-bit and 64-bit fixed point with 8 to 24 fractional bits.
    pub fn numbers(&mut self, kind: &'static str, run: &[f64]) {
        // Numbers next to nothing have bytes like everybody's.
        let speaks = |value: &f64| value.abs() > 1e-3;
        for value in run.iter().copied().filter(speaks) {
            self.bytes(kind, &value.to_le_bytes());
            self.bytes(kind, &value.to_be_bytes());
        }
        for pair in run.windows(2).filter(|pair| pair.iter().all(speaks)) {
            let halves = |of: &dyn Fn(f64) -> [u8; 4]| [of(pair[0]), of(pair[1])].concat();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "float32 is the form wanted"
            )]
            self.bytes(kind, &halves(&|value| (value as f32).to_le_bytes()));
            for bits in 8..=24 {
                let fixed = |value: f64| (value * f64::from(1 << bits)).round();
                // Small numbers in few bits look like any other.
                if pair.iter().any(|value| fixed(*value).abs() < 256.0) {
                    continue;
                }
                #[expect(clippy::cast_possible_truncation, reason = "fixed point")]
                self.bytes(kind, &halves(&|value| (fixed(value) as i32).to_le_bytes()));
                #[expect(clippy::cast_possible_truncation, reason = "fixed point")]
                let wide = pair
                    .iter()
                    .map(|value| (fixed(*value) as i64).to_le_bytes());
                // One alone is mostly zeros, as are some fields of a TLS handshake.
                self.bytes(kind, &wide.collect::<Vec<_>>().concat());
            }
        }
    }

    /// One marker of every kind after another: what a search must find.
    #[must_use]
    pub fn sample(&self) -> Vec<u8> {
        let mut kinds: BTreeMap<&str, &[u8]> = BTreeMap::new();
        for (kind, bytes) in self.markers.values().flatten() {
            kinds.insert(kind, bytes);
        }
        kinds.into_values().flatten().copied().collect()
    }

    /// How many markers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.markers.values().map(Vec::len).sum()
    }

    /// The kinds of which something is in `bytes`, and how often.
    #[must_use]
    pub fn found(&self, bytes: &[u8]) -> BTreeMap<&'static str, usize> {
        let mut found = BTreeMap::new();
        for (at, start) in bytes.windows(8).enumerate() {
            let start: &[u8; 8] = start.try_into().unwrap();
            for (kind, marker) in self.markers.get(start).into_iter().flatten() {
                if bytes[at..].starts_with(marker) {
                    *found.entry(*kind).or_default() += 1;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_out_of_order_and_sent_twice_make_one_stream() {
        let near_the_end = u32::MAX - 1;
        let segments: [(u32, &[u8]); 4] =
            [(near_the_end, b"ab"), (2, b"efg"), (0, b"cd"), (0, b"cdef")];
        assert_eq!(join(&segments), b"abcdefg");
    }

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let mut wanted = Wanted::default();
        wanted.bytes("id", b"somebody's id");
        wanted.numbers("factor", &[0.123_456_789, -0.987_654_321]);
        let mut sent = b"...somebody's id..".to_vec();
        for value in [2023_i32, -16182] {
            sent.extend(value.to_le_bytes());
        }
        sent.extend((-0.987_654_321_f64).to_be_bytes());
        let found = wanted.found(&sent);
        assert_eq!((found["id"], found["factor"]), (1, 2));
        assert!(wanted.found(b"somebody's i and 0.123456789").is_empty());
        assert_eq!(wanted.found(&wanted.sample()).len(), 2);
    }
}
