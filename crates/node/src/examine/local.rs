//! What can be seen on this machine alone: files, keys, certificates.

use std::path::Path;
use std::sync::Arc;

use s3rec_job::number_format::bytes;

use super::Findings;
use crate::config::{PeerSettings, Settings};
use crate::pki::{CertificateRole, inspect_file};
use crate::process::{free_disk_bytes, now_unix_ms};
use crate::tls::{Identity, TlsError, TlsMaterial};

/// A certificate that ends sooner is to be replaced now.
const RENEW_WITHIN_DAYS: i64 = 14;

/// Less free disk than this stops a store whatever the job is.
const LEAST_FREE_BYTES: u64 = 256 << 20;

/// Examines files, keys and certificates; gives the identity when it is whole.
pub fn examine<P: PeerSettings>(
    findings: &mut Findings,
    settings: &Settings<P>,
) -> Option<Arc<Identity>> {
    data_directory(findings, &settings.data_dir);
    certificate(findings, &settings.tls.certificate);
    keys(findings, settings)
}

fn data_directory(findings: &mut Findings, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.skipped(
                "data directory",
                format!("{shown} is made at the first start"),
            );
            return;
        }
        Err(error) => {
            let remedy = format!("Give this user the directory: chown -R $(id -u) {shown}");
            findings.wrong("data directory", format!("{shown}: {error}"), remedy);
            return;
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let detail = format!("{shown} can be used by others (mode {mode:03o})");
        findings.wrong("data directory", detail, format!("chmod 700 {shown}"));
        return;
    }
    let trial = path.join("doctor.trial");
    let tried = std::fs::write(&trial, [0; 4096]).and_then(|()| std::fs::remove_file(&trial));
    match (tried, free_disk_bytes(path)) {
        (Err(error), _) | (_, Err(error)) => {
            let remedy = "Free disk space there, or mount it writable for this user.";
            findings.wrong("data directory", format!("{shown}: {error}"), remedy);
        }
        (Ok(()), Ok(free)) if free < LEAST_FREE_BYTES => {
            let detail = format!("{shown} has {} left", bytes(free));
            findings.wrong("data directory", detail, "Free disk space there.");
        }
        (Ok(()), Ok(free)) => {
            findings.ok("data directory", format!("{shown}, {} free", bytes(free)));
        }
    }
}

fn certificate(findings: &mut Findings, path: &Path) {
    let rotate = "Make the next one: s3rec pki rotate; or ask your authority.";
    let own = match inspect_file(path) {
        Ok((own, _)) => own,
        Err(error) => {
            let detail = format!("{}: {error}", path.display());
            findings.wrong("certificate", detail, rotate);
            return;
        }
    };
    let now = now_unix_ms() / 1000;
    let days = (own.not_after_unix_s - now).div_euclid(86_400);
    let (role, pin) = (own.role, own.pin);
    if own.not_before_unix_s > now {
        let detail = "it is not valid yet";
        findings.wrong("certificate", detail, "Set this machine's clock, or wait.");
    } else if own.not_after_unix_s <= now {
        findings.wrong(
            "certificate",
            format!("it ended {} days ago", -days),
            rotate,
        );
    } else if days < RENEW_WITHIN_DAYS {
        findings.wrong("certificate", format!("it ends in {days} days"), rotate);
    } else {
        findings.ok(
            "certificate",
            format!("{role}, {days} days left, pin {pin}"),
        );
    }
}

fn keys<P: PeerSettings>(findings: &mut Findings, settings: &Settings<P>) -> Option<Arc<Identity>> {
    let remedy = "To fix it, correct the named file: s3rec pki trust writes peer-ca.pem and peer.pin from the other \
                  platform's card; s3rec init and s3rec pki make our own.";
    let role = match inspect_file(&settings.tls.certificate) {
        Ok((own, _)) => own.role,
        Err(_) => {
            findings.skipped("keys", "the certificate cannot be read");
            return None;
        }
    };
    if !matches!(role, CertificateRole::Rating | CertificateRole::Social) {
        let detail = format!("the certificate is for the role {role}, not for a platform");
        findings.wrong("keys", detail, "Set tls.certificate to the platform's own.");
        return None;
    }
    match TlsMaterial::load(&settings.tls, role) {
        Ok(material) => {
            findings.ok("keys", settings.tls.key.display().to_string());
            chain(findings, settings, &material);
            match material.signer() {
                Ok(_) => findings.ok("signing key", "fits the certificate"),
                Err(error) => findings.wrong("signing key", error.to_string(), remedy),
            }
        }
        Err(error) => {
            findings.wrong("keys", error.to_string(), remedy);
            return None;
        }
    }
    let operator_ca = settings.operator.ca.as_deref();
    let pins = settings.peer.pins();
    let identity = pins.and_then(|pins| Identity::load(&settings.tls, operator_ca, pins, role));
    if let Err(error @ TlsError::OperatorAuthority { .. }) = &identity {
        let remedy = "Set operator.ca to the authority of your own operators' certificates, and \
                      leave tls.ca to the other platform's.";
        findings.wrong("operators", error.to_string(), remedy);
        findings.skipped("pin", "not before it is known who the operators are");
        return None;
    }
    match identity {
        Ok(identity) => {
            let whose = match operator_ca {
                Some(path) => format!("of the authority in {}", path.display()),
                None => "of the authority of our own certificate".into(),
            };
            findings.ok("operators", whose);
            findings.ok("pin", identity.peer_pin().to_string());
            Some(identity)
        }
        Err(error) => {
            let remedy = "Set peer.pin or peer.pin_file to the other platform's pin, as its \
                          operators read it to you.";
            findings.wrong("pin", error.to_string(), remedy);
            None
        }
    }
}

/// Whether our own certificate is as good as the other platform needs it. It need not be of an
/// authority that we believe: the other platform believes it, and we know the certificate.
fn chain<P: PeerSettings>(findings: &mut Findings, settings: &Settings<P>, material: &TlsMaterial) {
    let known = [
        Some(settings.tls.ca.as_path()),
        settings.operator.ca.as_deref(),
    ];
    for authority in known.into_iter().flatten() {
        match material.verify_own(authority) {
            Ok(()) => {
                return findings.ok("chain", format!("signed by {}", authority.display()));
            }
            Err(error) if error.is_of_another_authority() => {}
            Err(error) => {
                let remedy = "An ended or revoked certificate is replaced with s3rec pki rotate.";
                return findings.wrong("chain", error.to_string(), remedy);
            }
        }
    }
    let why = "our certificate is of neither tls.ca nor operator.ca, as it may be. The other platform \
               has to believe its authority: run s3rec doctor there";
    findings.skipped("chain", why);
}
