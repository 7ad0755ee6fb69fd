//! Where both daemons run: on the loopback, or each in a network of its own.

use std::net::{IpAddr, Ipv4Addr};

use super::workspace::Platform;

/// One daemon's place.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Command to start the daemon by, before its own; empty for none.
    pub(crate) launcher: Vec<String>,
    /// Where its people reach it.
    pub(crate) operator: IpAddr,
    /// Where the other platform reaches it.
    pub(crate) peer: IpAddr,
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
pub(crate) struct Placement {
    /// P0's.
    pub(crate) rating: Place,
    /// P1's.
    pub(crate) social: Place,
}

impl Placement {
    pub(super) fn of(&self, platform: Platform) -> &Place {
        match platform {
            Platform::Rating => &self.rating,
            Platform::Social => &self.social,
        }
    }

    /// Addresses that the certificates must be valid for.
    pub(super) fn hosts(&self) -> Vec<String> {
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
