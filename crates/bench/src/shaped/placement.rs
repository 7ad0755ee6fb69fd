//! Where both daemons run: on the loopback, or each in a network of its own.

use std::net::{IpAddr, Ipv4Addr};

use s3rec_job::Party;

/// One daemon's place.
#[derive(Clone, Debug)]
pub struct Place {
    /// Command to start the daemon by, before its own; empty for none.
    pub launcher: Vec<String>,
    /// Where its people reach it.
    pub operator: IpAddr,
    /// Where the other platform reaches it.
    pub peer: IpAddr,
}

impl Default for Place {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            launcher: Vec::new(),
            operator: loopback,
            peer: loopback,
        }
    }
}

/// Both daemons' places; the default is the loopback.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// P0's.
    pub rating: Place,
    /// P1's.
    pub social: Place,
}

impl Placement {
    /// That of a party.
    #[must_use]
    pub fn of(&self, party: Party) -> &Place {
        match party {
            Party::Rating => &self.rating,
            Party::Social => &self.social,
        }
    }

    /// Addresses that the certificates must be valid for.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let addresses = [&self.rating, &self.social].map(|place| [place.operator, place.peer]);
        let mut hosts: Vec<String> = addresses
            .as_flattened()
            .iter()
            .filter(|address| !address.is_loopback())
            .map(ToString::to_string)
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}
