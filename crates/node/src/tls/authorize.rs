//! Which certificate may call which service.

use std::sync::Arc;

use s3rec_wire::status::{Fault, Reason};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::Identity;
use crate::pki::{CertificateRole, Pin, inspect};

/// Lets through callers of one role, of the pinned certificates where there are pins, and
/// nobody whose certificate was revoked.
#[derive(Clone)]
pub struct Authorize {
    pub(super) role: CertificateRole,
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

impl Authorize {
    /// Any certificate of that role.
    #[must_use]
    pub fn role(role: CertificateRole) -> Self {
        Self {
            role,
            pinned: false,
            identity: None,
        }
    }

    /// Any certificate of that role that was not revoked, as `identity` knows at each call.
    #[must_use]
    pub fn unrevoked(role: CertificateRole, identity: &Arc<Identity>) -> Self {
        Self {
            role,
            pinned: false,
            identity: Some(Arc::clone(identity)),
        }
    }

    /// The certificates of that role that `identity` pins at each call, unless revoked.
    #[must_use]
    pub fn pinned(role: CertificateRole, identity: &Arc<Identity>) -> Self {
        Self {
            role,
            pinned: true,
            identity: Some(Arc::clone(identity)),
        }
    }

    /// Judges a certificate.
    ///
    /// # Errors
    /// [`Reason::WrongRole`], [`Reason::Revoked`] or [`Reason::WrongPin`], naming what was
    /// expected and what came.
    pub fn judge(&self, certificate_der: &[u8]) -> Result<Caller, Fault> {
        let inspected = inspect(certificate_der).map_err(|error| {
            let message = format!(
                "a certificate of the role {} is needed, but {error}",
                self.role
            );
            Fault::new(Reason::WrongRole, message)
        })?;
        if inspected.role != self.role {
            let message = format!(
                "a certificate of the role {} is needed; the one presented has the role {}",
                self.role, inspected.role
            );
            return Err(Fault::new(Reason::WrongRole, message));
        }
        if let Some(identity) = &self.identity {
            if identity.has_revoked(&inspected) {
                let message = format!("the certificate presented ({}) was revoked", inspected.pin);
                return Err(Fault::new(Reason::Revoked, message));
            }
            if self.pinned
                && let Err(pins) = identity.meets(inspected.pin)
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

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let certificates = request.peer_certs();
        let leaf = certificates.as_ref().and_then(|chain| chain.first());
        let judged = match leaf {
            Some(leaf) => self.judge(leaf),
            None => Err(Fault::new(
                Reason::NoCertificate,
                "no client certificate was presented",
            )),
        };
        match judged {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Ok(request)
            }
            Err(fault) => {
                tracing::warn!(reason = fault.reason.name(), "refused a caller: {fault}");
                Err(fault.into_status())
            }
        }
    }
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
