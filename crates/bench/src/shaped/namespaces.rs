//! Each daemon in a network namespace of its own, joined by a veth pair that `tc netem` shapes.
//!
//! ```text
//! here ── 10.211.x.1/.2 ── rating ── 10.211.x.9 ═ shaped ═ 10.211.x.10 ── social ── 10.211.x.5/.6 ── here
//! ```
//!
//! The pairs to us are for the people at both platforms and are not shaped. Everything is removed
//! with the value, and what a killed process left is removed by the next one.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Output};

use s3rec_job::Party;

use super::{Place, Placement, ShapingError};
use crate::links::LinkShape;

/// What all of our namespaces are called, before the number of the process.
const PREFIX: &str = "s3rec-";
/// Packets that netem may hold back, enough for the largest rate times delay here.
const QUEUE_PACKETS: &str = "100000";

/// Two namespaces and three pairs.
#[derive(Debug)]
pub struct Namespaces {
    process: u32,
}

impl Namespaces {
    /// Tries everything that is needed, and takes it down again.
    ///
    /// # Errors
    /// [`ShapingError`] with what the system refused.
    pub fn probe() -> Result<(), ShapingError> {
        let link = LinkShape {
            name: "probe".to_owned(),
            bits_per_second: 1_000_000_000,
            round_trip_ms: 1.0,
        };
        Self::create(&link).map(drop)
    }

    /// Makes them and shapes the pair between them.
    ///
    /// # Errors
    /// As [`probe`](Self::probe).
    pub fn create(link: &LinkShape) -> Result<Self, ShapingError> {
        remove_stale();
        let namespaces = Self {
            process: std::process::id(),
        };
        // From here on dropping it removes whatever was made.
        for end in [Party::Rating, Party::Social] {
            run("ip", &["netns", "add", &namespaces.name(end)])?;
        }
        let [rating, social] = [Party::Rating, Party::Social].map(|end| namespaces.name(end));
        let (near, far) = (device("l", Party::Rating), device("l", Party::Social));
        run(
            "ip",
            &[
                "link", "add", &near, "netns", &rating, "type", "veth", "peer", "name", &far,
                "netns", &social,
            ],
        )?;
        for end in [Party::Rating, Party::Social] {
            namespaces.connect(end)?;
            namespaces.shape(end, link)?;
        }
        Ok(namespaces)
    }

    /// Gives one end its addresses and its pair to us.
    fn connect(&self, end: Party) -> Result<(), ShapingError> {
        let name = self.name(end);
        let own = device("l", end);
        let inside = device("m", end);
        let ours = self.ours(end);
        run(
            "ip",
            &[
                "link", "add", &ours, "type", "veth", "peer", "name", &inside, "netns", &name,
            ],
        )?;
        let within = |arguments: &[&str]| run("ip", &[&["-n", &name], arguments].concat());
        let cidr = |last| format!("{}/30", self.address(last));
        within(&["addr", "add", &cidr(peer_byte(end)), "dev", &own])?;
        within(&["addr", "add", &cidr(operator_byte(end)), "dev", &inside])?;
        for device in ["lo", own.as_str(), inside.as_str()] {
            within(&["link", "set", device, "up"])?;
        }
        let here = cidr(operator_byte(end) - 1);
        run("ip", &["addr", "add", &here, "dev", &ours])?;
        run("ip", &["link", "set", &ours, "up"]).map(drop)
    }

    /// Rate and half the round trip on what leaves this end.
    fn shape(&self, end: Party, link: &LinkShape) -> Result<(), ShapingError> {
        let delay = format!("{}us", (link.round_trip_ms * 500.0).round());
        let rate = format!("{}bit", link.bits_per_second);
        run(
            "tc",
            &[
                "-n",
                &self.name(end),
                "qdisc",
                "add",
                "dev",
                &device("l", end),
                "root",
                "netem",
                "delay",
                &delay,
                "rate",
                &rate,
                "limit",
                QUEUE_PACKETS,
            ],
        )
        .map(drop)
    }

    /// Where the daemons start and listen.
    #[must_use]
    pub fn placement(&self) -> Placement {
        let place = |end| {
            let launcher = ["ip", "netns", "exec", &self.name(end)];
            Place {
                launcher: launcher.map(str::to_owned).into(),
                operator: self.address(operator_byte(end)),
                peer: self.address(peer_byte(end)),
            }
        };
        Placement {
            rating: place(Party::Rating),
            social: place(Party::Social),
        }
    }

    /// Bytes that the shaped pair carried, both ways, framing included.
    ///
    /// # Errors
    /// [`ShapingError`].
    pub fn carried_bytes(&self) -> Result<u64, ShapingError> {
        let name = self.name(Party::Rating);
        let shown = run(
            "ip",
            &[
                "-n",
                &name,
                "-s",
                "-j",
                "link",
                "show",
                &device("l", Party::Rating),
            ],
        )?;
        let links: serde_json::Value =
            serde_json::from_slice(&shown.stdout).map_err(|e| ShapingError(e.to_string()))?;
        let bytes = |direction: &str| {
            links[0]["stats64"][direction]["bytes"]
                .as_u64()
                .unwrap_or_default()
        };
        Ok(bytes("rx") + bytes("tx"))
    }

    /// Our device of the pair to one end.
    fn ours(&self, end: Party) -> String {
        format!("s3r{}{}", suffix(end), self.process % 1_000_000)
    }

    fn name(&self, end: Party) -> String {
        format!("{PREFIX}{}-{}", self.process, suffix(end))
    }

    fn address(&self, last: u8) -> IpAddr {
        let [.., third] = self.process.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, 211, third, last))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for end in [Party::Rating, Party::Social] {
            // What was never made is no failure. A namespace takes its devices with it, but later:
            // ours goes first, so that its name is free at once.
            let _ = run("ip", &["link", "del", &self.ours(end)]);
            let _ = run("ip", &["netns", "del", &self.name(end)]);
        }
    }
}

const fn suffix(end: Party) -> &'static str {
    match end {
        Party::Rating => "r",
        Party::Social => "s",
    }
}

fn device(kind: &str, end: Party) -> String {
    format!("{kind}{}", suffix(end))
}

/// Last byte of the address towards the other platform.
const fn peer_byte(end: Party) -> u8 {
    match end {
        Party::Rating => 9,
        Party::Social => 10,
    }
}

/// Last byte of the address towards its people; ours is one less.
const fn operator_byte(end: Party) -> u8 {
    match end {
        Party::Rating => 2,
        Party::Social => 6,
    }
}

/// Removes what processes of ours left that are gone.
fn remove_stale() {
    let Ok(listed) = run("ip", &["netns", "list"]) else {
        return;
    };
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(process, _)| process.parse::<u32>().ok());
        if let Some(process) = process
            && !Path::new(&format!("/proc/{process}")).exists()
        {
            let _ = run("ip", &["netns", "del", name]);
        }
    }
}

/// Runs a command to its end; what it says on stderr is the failure.
fn run(program: &str, arguments: &[&str]) -> Result<Output, ShapingError> {
    let line = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| ShapingError(format!("{line}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ShapingError(format!("{line}: {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_platforms_have_addresses_of_their_own() {
        let namespaces = std::mem::ManuallyDrop::new(Namespaces { process: 70_000 });
        let placement = namespaces.placement();
        let all = [
            placement.rating.operator,
            placement.rating.peer,
            placement.social.operator,
            placement.social.peer,
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(placement.rating.launcher[3], "s3rec-70000-r");
    }

    #[test]
    fn what_the_system_refuses_is_told_with_the_command() {
        let refused = run("ip", &["netns", "del", "s3rec-0-none"]);
        let Err(ShapingError(text)) = refused else {
            panic!("{refused:?}");
        };
        assert!(text.contains("ip netns del s3rec-0-none"), "{text}");
    }
}
