//! What an operator writes down: configurations, certificates, keys, pins.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use s3rec_audit::{PublicKey, Signer};
use s3rec_fuzz::edited;
use s3rec_node::Overrides;
use s3rec_node::config::{RatingPeer, SocialPeer, TlsSettings, load};
use s3rec_node::pki::{CertificateRole, Pin, inspect, issue};
use s3rec_node::tls::{Clients, PinSource, Revocations, TlsMaterial};

const CONFIGURATION: &str = include_str!("../../../../deploy/rating.toml");

#[test]
fn configurations() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("daemon.toml");
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let base = if *whole {
                CONFIGURATION.as_bytes()
            } else {
                &[]
            };
            fs::write(&path, edited(base, edits, tail)).unwrap();
            let _ = load::<RatingPeer>(&path, &Overrides::default());
            let _ = load::<SocialPeer>(&path, &Overrides::default());
        });
}

#[test]
fn overrides() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rating.toml");
    bolero::check!().for_each(|bytes: &[u8]| {
        let given = String::from_utf8_lossy(bytes).into_owned();
        let overrides = Overrides {
            set: vec![given],
            ..Overrides::default()
        };
        let _ = load::<RatingPeer>(&path, &overrides);
    });
}

#[test]
fn pins() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(pin) = text.parse::<Pin>() {
            assert_eq!(pin.to_string().parse::<Pin>().unwrap(), pin);
        }
    });
}

#[test]
fn pin_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peer.pin");
    let honest = format!(
        "# theirs\n{}\nsha256:{}\n",
        Pin::of(b"one"),
        Pin::of(b"two")
    );
    let source = PinSource::File(path.clone());
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let base = if *whole { honest.as_bytes() } else { &[] };
            fs::write(&path, edited(base, edits, tail)).unwrap();
            if let Ok(pins) = source.read() {
                assert!((1..=8).contains(&pins.len()));
            }
        });
}

#[test]
fn revocation_lists() {
    let directory = tempfile::tempdir().unwrap();
    issue(directory.path(), &[]).unwrap();
    let path = directory.path().join("ca.crl");
    let honest = fs::read(&path).unwrap();
    let own = fs::read(directory.path().join("rating.pem")).unwrap();
    let own = inspect(&CertificateDer::from_pem_slice(&own).unwrap()).unwrap();
    bolero::check!()
        .with_type::<(bool, bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, as_der, edits, tail)| {
            let bytes = if *as_der {
                // Changed below its armour, so that the list itself is reached.
                let list = CertificateRevocationListDer::from_pem_slice(&honest).unwrap();
                armoured(&edited(&list, edits, tail))
            } else {
                edited(if *whole { &honest } else { &[] }, edits, tail)
            };
            fs::write(&path, bytes).unwrap();
            if let Ok(lists) = Revocations::read(Some(&path)) {
                let _ = lists.contain(&own);
            }
        });
}

/// PEM of a revocation list.
fn armoured(der: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = b"-----BEGIN X509 CRL-----\n".to_vec();
    for (index, three) in der.chunks(3).enumerate() {
        let mut padded = [0; 4];
        padded[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(padded);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize % 64];
            text.push(if place <= three.len() { digit } else { b'=' });
        }
        if index % 16 == 15 {
            text.push(b'\n');
        }
    }
    text.extend(b"\n-----END X509 CRL-----\n");
    text
}

#[test]
fn certificates() {
    let directory = tempfile::tempdir().unwrap();
    let issued = issue(directory.path(), &[]).unwrap();
    let path = &issued
        .identity(CertificateRole::Rating)
        .unwrap()
        .certificate_path;
    let honest = CertificateDer::from_pem_file(path).unwrap().to_vec();
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let der = edited(if *whole { &honest } else { &[] }, edits, tail);
            if let Ok(inspected) = inspect(&der) {
                assert_eq!(inspected.pin, Pin::of(&der));
            }
        });
}

#[test]
fn key_files() {
    let directory = tempfile::tempdir().unwrap();
    issue(directory.path(), &[]).unwrap();
    let at = |name: &str| directory.path().join(name);
    let settings = TlsSettings {
        revoked: None,
        ca: at("edited-ca.pem"),
        certificate: at("edited.pem"),
        key: at("edited.key"),
    };
    let honest = [
        (&settings.ca, fs::read(at("ca.pem")).unwrap()),
        (&settings.certificate, fs::read(at("rating.pem")).unwrap()),
        (&settings.key, fs::read(at("rating.key")).unwrap()),
    ];
    fs::write(&settings.key, "").unwrap();
    fs::set_permissions(&settings.key, fs::Permissions::from_mode(0o600)).unwrap();
    bolero::check!()
        .with_type::<(u8, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(which, edits, tail)| {
            for (index, (path, bytes)) in honest.iter().enumerate() {
                let edits = if index == usize::from(*which) % 3 {
                    (edits.as_slice(), tail.as_slice())
                } else {
                    (&[] as &[_], &[] as &[_])
                };
                fs::write(path, edited(bytes, edits.0, edits.1)).unwrap();
            }
            if let Ok(material) = TlsMaterial::load(&settings, CertificateRole::Rating) {
                let _ = material.client_config();
                let _ = material.server_config(Clients::Platforms);
                let _ = material.server_config(Clients::Operators(None));
            }
        });
}

#[test]
fn signing_keys() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = Signer::from_pem(&String::from_utf8_lossy(bytes));
        if let Some(key) = bytes.first_chunk::<32>()
            && let Ok(key) = PublicKey::from_bytes(key)
        {
            assert!(!key.has_signed("fuzz", b"nothing", bytes));
        }
    });
}
