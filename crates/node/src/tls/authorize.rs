//! Which certificate may call which service.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use s3rec_wire::status::{Fault, Reason};
use tonic::Request;

use super::Identity;
use crate::pki::{CertificateRole, Inspected, Pin, inspect};
use crate::process::latest_unix_ms;

/// Lets through callers of a role, of the pinned certificates where there are pins, and nobody
/// whose certificate has ended or was revoked.
///
/// All of it is asked at every call, not only where a connection begins, and again while a call
/// goes on ([`Admitted`](super::Admitted)): a certificate may end meanwhile.
#[derive(Clone)]
pub struct Authorize {
    /// Any of them.
    pub(super) roles: Vec<CertificateRole>,
    pub(super) pinned: bool,
    pub(super) identity: Option<Arc<Identity>>,
}

/// Who calls; in the extensions of every request that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Common name of the certificate.
    pub name: String,
    /// Its role.
    pub role: CertificateRole,
    /// Its pin.
    pub pin: Pin,
    /// The certificate itself, DER.
    pub certificate: Vec<u8>,
}

impl Caller {
    /// The certificate's name of whoever makes a request; empty where nobody was let through.
    #[must_use]
    pub fn name_of<T>(request: &Request<T>) -> String {
        let caller = request.extensions().get::<Self>();
        caller.map(|caller| caller.name.clone()).unwrap_or_default()
    }
}

impl Authorize {
    /// Any certificate of that role.
    #[must_use]
    pub fn role(role: CertificateRole) -> Self {
        Self {
            roles: vec![role],
            pinned: false,
            identity: None,
        }
    }

    /// Any certificate of that role that was not revoked, as `identity` knows at each call.
    #[must_use]
    pub fn unrevoked(role: CertificateRole, identity: &Arc<Identity>) -> Self {
        Self {
            roles: vec![role],
            pinned: false,
            identity: Some(Arc::clone(identity)),
        }
    }

    /// As [`unrevoked`](Self::unrevoked), and the daemon itself, which asks how it is.
    #[must_use]
    pub fn unrevoked_or_itself(role: CertificateRole, identity: &Arc<Identity>) -> Self {
        let mut rule = Self::unrevoked(role, identity);
        rule.roles.push(identity.own().role);
        rule
    }

    /// The certificates of that role that `identity` pins at each call, unless revoked.
    #[must_use]
    pub fn pinned(role: CertificateRole, identity: &Arc<Identity>) -> Self {
        Self {
            roles: vec![role],
            pinned: true,
            identity: Some(Arc::clone(identity)),
        }
    }

    /// The first role that is let through.
    pub(crate) fn wanted(&self) -> CertificateRole {
        let first = self.roles.first().copied();
        // Every constructor names one.
        first.unwrap_or(CertificateRole::Rating)
    }

    /// Judges a certificate.
    ///
    /// # Errors
    /// [`Reason::WrongRole`], [`Reason::NotInForce`], [`Reason::Revoked`] or
    /// [`Reason::WrongPin`], naming what was expected and what came.
    pub fn judge(&self, certificate_der: &[u8]) -> Result<Caller, Fault> {
        let caller = self.judge_at(certificate_der, now_unix_s())?;
        if let Some(identity) = self.identity.as_ref().filter(|_| self.pinned) {
            identity.met(caller.pin);
        }
        Ok(caller)
    }

    /// Whether a certificate that was let through still would be: no new meeting with its holder.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub(super) fn still(&self, certificate_der: &[u8]) -> Result<(), Fault> {
        self.judge_at(certificate_der, now_unix_s()).map(drop)
    }

    /// Judges whoever a connection is from; gives its certificate too.
    pub(super) fn admit(
        &self,
        leaf: Option<&CertificateDer<'_>>,
    ) -> Result<(Caller, CertificateDer<'static>), Fault> {
        let judged = match leaf {
            Some(leaf) => self
                .judge(leaf)
                .map(|caller| (caller, leaf.clone().into_owned())),
            None => Err(Fault::new(
                Reason::NoCertificate,
                "no client certificate was presented",
            )),
        };
        judged.inspect_err(|fault| {
            tracing::warn!(reason = fault.reason.name(), "refused a caller: {fault}");
        })
    }

    fn judge_at(&self, certificate_der: &[u8], now_unix_s: i64) -> Result<Caller, Fault> {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        let roles = roles.join(" or ");
        let inspected = inspect(certificate_der).map_err(|error| {
            let message = format!("a certificate of the role {roles} is needed, but {error}");
            Fault::new(Reason::WrongRole, message)
        })?;
        if !self.roles.contains(&inspected.role) {
            let message = format!(
                "a certificate of the role {roles} is needed; the one presented has the role {}",
                inspected.role
            );
            return Err(Fault::new(Reason::WrongRole, message));
        }
        in_force(&inspected, now_unix_s)?;
        if let Some(identity) = &self.identity {
            if identity.has_revoked(&inspected) {
                let message = format!("the certificate presented ({}) was revoked", inspected.pin);
                return Err(Fault::new(Reason::Revoked, message));
            }
            if self.pinned
                && let Err(pins) = identity.pins(inspected.pin)
            {
                let pins: Vec<String> = pins.iter().map(Pin::to_string).collect();
                let message = format!(
                    "the certificate presented has the pin {}; the configured one is {}",
                    inspected.pin,
                    pins.join(" or ")
                );
                return Err(Fault::new(Reason::WrongPin, message));
            }
        }
        Ok(Caller {
            name: inspected.name,
            role: inspected.role,
            pin: inspected.pin,
            certificate: certificate_der.to_vec(),
        })
    }
}

fn in_force(certificate: &Inspected, now_unix_s: i64) -> Result<(), Fault> {
    let ended = certificate.not_after_unix_s < now_unix_s;
    if !ended && certificate.not_before_unix_s <= now_unix_s {
        return Ok(());
    }
    let message = format!(
        "the certificate presented ({}) {}",
        certificate.pin,
        if ended {
            "has ended"
        } else {
            "is not valid yet"
        }
    );
    Err(Fault::new(Reason::NotInForce, message))
}

fn now_unix_s() -> i64 {
    latest_unix_ms().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsSettings;
    use crate::pki::{certificate_in, issue, revoke, rotate};
    use crate::tls::PinSource;

    /// One fault for each rule that is taken away fails here, and in the end-to-end tests.
    #[test]
    fn role_pin_and_revocation_are_each_asked() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let issued = issue(directory.path(), &[]).unwrap();
        let settings = TlsSettings {
            ca: at("ca.pem"),
            certificate: at("social.pem"),
            key: at("social.key"),
            revoked: Some(at("ca.crl")),
        };
        let pinned = issued.identity(CertificateRole::Rating).unwrap().pin;
        let pins = PinSource::Fixed(pinned);
        let identity = Identity::load(&settings, None, pins, CertificateRole::Social).unwrap();
        let peers = Authorize::pinned(CertificateRole::Rating, &identity);
        let people = Authorize::unrevoked(CertificateRole::SocialOperator, &identity);
        let certificate = |name: &str| certificate_in(&at(name)).unwrap();
        let reason = |rule: &Authorize, name: &str| {
            let judged = rule.judge(&certificate(name));
            judged.err().map(|fault| fault.reason)
        };

        assert_eq!(reason(&peers, "rating.pem"), None);
        assert_eq!(reason(&people, "social-operator.pem"), None);
        for name in ["rating.pem", "social.pem", "rating-operator.pem"] {
            assert_eq!(reason(&people, name), Some(Reason::WrongRole), "{name}");
        }
        for name in ["social.pem", "rating-operator.pem", "social-operator.pem"] {
            assert_eq!(reason(&peers, name), Some(Reason::WrongRole), "{name}");
        }
        let seen = inspect(&certificate("rating.pem")).unwrap();
        for (at, expected) in [
            (seen.not_before_unix_s - 1, Some(Reason::NotInForce)),
            (seen.not_before_unix_s, None),
            (seen.not_after_unix_s, None),
            (seen.not_after_unix_s + 1, Some(Reason::NotInForce)),
        ] {
            let judged = peers.judge_at(&certificate("rating.pem"), at);
            assert_eq!(judged.err().map(|fault| fault.reason), expected, "{at}");
        }
        rotate(directory.path(), CertificateRole::Rating, &[]).unwrap();
        assert_eq!(reason(&peers, "rating.next.pem"), Some(Reason::WrongPin));
        revoke(directory.path(), &at("social-operator.pem")).unwrap();
        revoke(directory.path(), &at("rating.pem")).unwrap();
        assert!(identity.look());
        for (rule, name) in [(&people, "social-operator.pem"), (&peers, "rating.pem")] {
            assert_eq!(reason(rule, name), Some(Reason::Revoked), "{name}");
        }
    }
}
