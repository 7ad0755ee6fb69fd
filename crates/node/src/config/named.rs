//! What a configuration may name instead of spelling out: a host to listen at.

use std::net::{SocketAddr, ToSocketAddrs};

use toml::{Table, Value};

use super::ConfigError;

/// Replaces names of hosts to listen at by their first address. A host may have an interface that only some networks reach: its name
/// there is known before its address is, as in containers.
pub(super) fn resolve(table: &mut Table) -> Result<(), ConfigError> {
    for section in ["operator", "peer", "observability", "console"] {
        let listen = table
            .get_mut(section)
            .and_then(|section| section.get_mut("listen"));
        if let Some(Value::String(listen)) = listen {
            *listen = address(section, listen)?;
        }
    }
    Ok(())
}

fn address(section: &str, given: &str) -> Result<String, ConfigError> {
    if given.parse::<SocketAddr>().is_ok() {
        return Ok(given.to_owned());
    }
    let refused = |source| ConfigError::Listen {
        field: format!("{section}.listen"),
        given: given.to_owned(),
        source,
    };
    let nobody = || std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    let mut addresses = given.to_socket_addrs().map_err(refused)?;
    let first = addresses.next().ok_or_else(|| refused(nobody()))?;
    Ok(first.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Table, ConfigError> {
        let mut table: Table = text.parse().unwrap();
        resolve(&mut table)?;
        Ok(table)
    }

    #[test]
    fn a_name_becomes_an_address_and_an_address_stays() {
        let table =
            resolved("[operator]\nlisten = \"localhost:7100\"\n[peer]\nlisten = \"0.0.0.0:0\"");
        let table = table.unwrap();
        let listen: SocketAddr = table["operator"]["listen"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            listen.ip().is_loopback() && listen.port() == 7100,
            "{listen}"
        );
        assert_eq!(table["peer"]["listen"].as_str(), Some("0.0.0.0:0"));
        for wrong in ["localhost", "no such host:1"] {
            let refused = resolved(&format!("[operator]\nlisten = \"{wrong}\""));
            let message = refused.unwrap_err().to_string();
            assert!(
                message.contains("operator.listen") && message.contains(wrong),
                "{message}"
            );
        }
    }
}
