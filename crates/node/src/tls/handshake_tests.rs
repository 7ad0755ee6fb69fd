//! Handshakes in memory: who is let in by which authority, and that no session is taken up again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::server::ServerSessionMemoryCache;
use rustls::version::TLS12;
use rustls::{
    ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore, ServerConfig,
    ServerConnection,
};

use super::{Clients, Identity, PinSource, TlsError, TlsMaterial};
use crate::config::TlsSettings;
use crate::pki::{CertificateRole, issue};

/// Two authorities, one for each platform, as two real platforms have them.
struct Authorities(tempfile::TempDir);

impl Authorities {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        issue(&directory.path().join("ours"), &[]).unwrap();
        issue(&directory.path().join("theirs"), &[]).unwrap();
        let read = |of: &str| std::fs::read(directory.path().join(of).join("ca.pem")).unwrap();
        let both = [read("theirs"), read("ours")].concat();
        std::fs::write(directory.path().join("both.pem"), both).unwrap();
        Self(directory)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn settings(&self, ca: &str, whose: &str, role: CertificateRole) -> TlsSettings {
        TlsSettings {
            ca: self.at(ca),
            certificate: self.at(&format!("{whose}/{role}.pem")),
            key: self.at(&format!("{whose}/{role}.key")),
            revoked: None,
        }
    }

    fn material(&self, ca: &str, whose: &str, role: CertificateRole) -> TlsMaterial {
        TlsMaterial::load(&self.settings(ca, whose, role), role).unwrap()
    }

    /// The social platform, ours, that believes `ca`.
    fn identity(&self, ca: &str, operator_ca: Option<&Path>) -> Result<Arc<Identity>, TlsError> {
        let settings = self.settings(ca, "ours", CertificateRole::Social);
        let pins = PinSource::Fixed(
            self.material(ca, "theirs", CertificateRole::Rating)
                .own()
                .pin,
        );
        Identity::load(&settings, operator_ca, pins, CertificateRole::Social)
    }
}

/// Both ends after the handshake and whatever follows it.
fn meet(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(client, name)?;
    let mut server = ServerConnection::new(server)?;
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

fn let_in(client: ClientConfig, server: &Arc<ServerConfig>) -> bool {
    meet(Arc::new(client), Arc::clone(server)).is_ok()
}

/// How the second of two connections between the same two configurations began.
fn second(client: ClientConfig, server: ServerConfig) -> HandshakeKind {
    let (client, server) = (Arc::new(client), Arc::new(server));
    meet(Arc::clone(&client), Arc::clone(&server)).unwrap();
    let (client, server) = meet(client, server).unwrap();
    assert_eq!(client.handshake_kind(), server.handshake_kind());
    client.handshake_kind().unwrap()
}

#[test]
fn no_session_is_taken_up_again_whoever_of_both_would() {
    let all = Authorities::new();
    let ours = all.material("ours/ca.pem", "ours", CertificateRole::Social);
    let operator = all.material("ours/ca.pem", "ours", CertificateRole::SocialOperator);
    let client = || operator.client_config().unwrap();
    let keeping = || {
        let mut config = client();
        config.resumption = Resumption::in_memory_sessions(8);
        config
    };
    for clients in [Clients::Platforms, Clients::Operators(None)] {
        let server = || ours.server_config(clients).unwrap();
        let giving = || {
            let mut config = server();
            config.send_tls13_tickets = 2;
            config.session_storage = ServerSessionMemoryCache::new(8);
            config
        };
        assert_eq!(second(keeping(), giving()), HandshakeKind::Resumed);
        assert_eq!(second(keeping(), server()), HandshakeKind::Full);
        assert_eq!(second(client(), giving()), HandshakeKind::Full);
    }
}

#[test]
fn tls_1_2_is_not_spoken() {
    let all = Authorities::new();
    let ours = all.material("ours/ca.pem", "ours", CertificateRole::Social);
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let older_client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::clone(&ours.roots))
        .with_client_auth_cert(ours.chain.clone(), ours.key.clone_key())
        .unwrap();
    let older_server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(ours.chain.clone(), ours.key.clone_key())
        .unwrap();
    let (older_client, older_server) = (Arc::new(older_client), Arc::new(older_server));
    meet(Arc::clone(&older_client), Arc::clone(&older_server)).unwrap();
    for clients in [Clients::Platforms, Clients::Operators(None)] {
        let server = Arc::new(ours.server_config(clients).unwrap());
        assert!(meet(Arc::clone(&older_client), server).is_err());
    }
    for client in [ours.client_config(), ours.client_config_to_itself()] {
        assert!(meet(Arc::new(client.unwrap()), Arc::clone(&older_server)).is_err());
    }
}

#[test]
fn the_other_platforms_authority_makes_no_operators_of_ours() {
    let all = Authorities::new();
    let person = |whose: &str| {
        let material = all.material("ours/ca.pem", whose, CertificateRole::SocialOperator);
        material.client_config().unwrap()
    };
    let refused = all.identity("theirs/ca.pem", None).err().unwrap();
    assert!(
        matches!(refused, TlsError::OperatorAuthority { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("set operator.ca"), "{refused}");

    let ours = all.at("ours/ca.pem");
    let layouts = [
        ("theirs/ca.pem", Some(ours.as_path())),
        ("both.pem", Some(ours.as_path())),
        // An authority each in one file, and nothing said of operators.
        ("both.pem", None),
    ];
    for (ca, operator_ca) in layouts {
        let port = Arc::clone(&all.identity(ca, operator_ca).unwrap().now().operators);
        assert!(let_in(person("ours"), &port), "{ca} {operator_ca:?}");
        assert!(!let_in(person("theirs"), &port), "{ca} {operator_ca:?}");
    }
    // The other platform itself is let in where it calls.
    let port = Arc::clone(&all.identity("both.pem", None).unwrap().now().peers);
    let peer = all.material("ours/ca.pem", "theirs", CertificateRole::Rating);
    assert!(let_in(peer.client_config().unwrap(), &port));
}

#[test]
fn a_daemon_knows_itself_at_both_ports_and_nobody_poses_as_it() {
    let all = Authorities::new();
    let ours = all.at("ours/ca.pem");
    let identity = all.identity("theirs/ca.pem", Some(&ours)).unwrap();
    let itself = || identity.now().material.client_config_to_itself().unwrap();
    for port in [&identity.now().operators, &identity.now().peers] {
        assert!(let_in(itself(), port));
    }
    // Of the same role and of an authority that is believed, but not our certificate.
    for whose in ["theirs", "ours"] {
        let role = match whose {
            "ours" => CertificateRole::Rating,
            _ => CertificateRole::Social,
        };
        let posing = all.material("ours/ca.pem", whose, role);
        let posing = Arc::new(posing.server_config(Clients::Platforms).unwrap());
        assert!(!let_in(itself(), &posing), "{whose}");
    }
}
