//! Which certificate may call which service.

use s3rec_wire::status::{Fault, Reason};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::pki::{CertificateRole, Pin, inspect};

/// Lets through callers of one role, and of one pinned certificate where there is a pin.
#[derive(Clone, Copy, Debug)]
pub struct Authorize {
    role: CertificateRole,
    pin: Option<Pin>,
}

/// Who calls; in the extensions of every request that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Common name of the certificate.
    pub name: String,
    /// Its role.
    pub role: CertificateRole,
}

impl Authorize {
    /// Any certificate of that role.
    #[must_use]
    pub fn role(role: CertificateRole) -> Self {
        Self { role, pin: None }
    }

    /// One certificate of that role.
    #[must_use]
    pub fn pinned(role: CertificateRole, pin: Pin) -> Self {
        Self {
            role,
            pin: Some(pin),
        }
    }

    /// Judges a certificate.
    ///
    /// # Errors
    /// [`Reason::WrongRole`] or [`Reason::WrongPin`], naming what was expected and what came.
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
        if let Some(pin) = self.pin.filter(|pin| *pin != inspected.pin) {
            let message = format!(
                "the certificate presented has the pin {}; the configured one is {pin}",
                inspected.pin
            );
            return Err(Fault::new(Reason::WrongPin, message));
        }
        Ok(Caller {
            name: inspected.name,
            role: inspected.role,
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
