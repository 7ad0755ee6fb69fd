//! What a daemon presents and believes now: read from its files, and read again when they
//! change, without a restart.
//!
//! A new certificate, a new pin of the other platform or a new revocation list takes effect for
//! new connections at once; pins and revocations are asked at every call and every second of one,
//! so they end what is open too. Files that do not fit together (half a rotation) change nothing:
//! the daemon goes on with what it has, says so once, and looks again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use tokio::sync::watch;

use super::revocations::list_files;
use super::{Clients, PinSource, TlsError, TlsMaterial};
use crate::config::TlsSettings;
use crate::observe;
use crate::pki::{CertificateRole, Inspected, Pin};

/// Keys, authorities, pins and revocations, as of the last look at their files.
pub struct Presented {
    /// Our certificate and key.
    pub material: TlsMaterial,
    /// For the people's port.
    pub operators: Arc<ServerConfig>,
    /// For the other platform's port.
    pub peers: Arc<ServerConfig>,
    /// The first configured one, and all.
    first_pin: Pin,
    pins: Vec<Pin>,
}

/// The daemon's identity; follows its files once [`follow`](Self::follow) runs.
pub struct Identity {
    settings: TlsSettings,
    operator_ca: Option<PathBuf>,
    pins: PinSource,
    role: CertificateRole,
    presented: RwLock<Arc<Presented>>,
    /// Of the files as they were last tried, fit or not.
    tried: Mutex<Vec<Stamp>>,
    /// The pin that the other platform was last let through with.
    met: Mutex<Option<Pin>>,
}

/// Tells one content of a file from another, cheaply.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Identity {
    /// Reads everything; `role` is what our certificate must be for.
    ///
    /// # Errors
    /// [`TlsError`], naming the file to mend.
    pub fn load(
        settings: &TlsSettings,
        operator_ca: Option<&Path>,
        pins: PinSource,
        role: CertificateRole,
    ) -> Result<Arc<Self>, TlsError> {
        let files = files(settings, operator_ca, &pins);
        let tried = files.iter().map(|path| stamp(path)).collect();
        let presented = Presented::read(settings, operator_ca, &pins, role)?;
        Ok(Arc::new(Self {
            settings: settings.clone(),
            operator_ca: operator_ca.map(Path::to_owned),
            pins,
            role,
            presented: RwLock::new(Arc::new(presented)),
            tried: Mutex::new(tried),
            met: Mutex::new(None),
        }))
    }

    /// What holds now.
    #[must_use]
    pub fn now(&self) -> Arc<Presented> {
        let presented = self.presented.read();
        Arc::clone(&presented.unwrap_or_else(PoisonError::into_inner))
    }

    /// What our own certificate says now.
    #[must_use]
    pub fn own(&self) -> Inspected {
        self.now().material.own().clone()
    }

    /// The other platform's certificate: the one it was last let through with, or the first
    /// configured one before that.
    #[must_use]
    pub fn peer_pin(&self) -> Pin {
        let met = *self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.unwrap_or_else(|| self.now().first_pin)
    }

    /// Whether `pin` is one that the other platform may present now; those that it may, where not.
    pub(super) fn pins(&self, pin: Pin) -> Result<(), Vec<Pin>> {
        let presented = self.now();
        if presented.pins.contains(&pin) {
            Ok(())
        } else {
            Err(presented.pins.clone())
        }
    }

    /// The other platform was let through with that pin.
    pub(super) fn met(&self, pin: Pin) {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Some(pin);
    }

    /// Whether a certificate was revoked.
    pub(super) fn has_revoked(&self, certificate: &Inspected) -> bool {
        self.now().material.revocations().contain(certificate)
    }

    /// Looks at the files every `every` until `stop` turns true.
    pub async fn follow(self: Arc<Self>, every: Duration, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let identity = Arc::clone(&self);
            // A look that panicked is repeated at the next turn.
            let _ = tokio::task::spawn_blocking(move || identity.look()).await;
        }
    }

    /// Reads the files again if one of them has changed; true when what holds was replaced.
    pub fn look(&self) -> bool {
        let files = files(&self.settings, self.operator_ca.as_deref(), &self.pins);
        let stamps: Vec<Stamp> = files.iter().map(|path| stamp(path)).collect();
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == stamps {
            return false;
        }
        let operator_ca = self.operator_ca.as_deref();
        let read = Presented::read(&self.settings, operator_ca, &self.pins, self.role);
        *tried = stamps;
        match read {
            Ok(presented) => {
                let pin = presented.material.own().pin;
                let mut place = self
                    .presented
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *place = Arc::new(presented);
                observe::reloaded(true);
                tracing::info!(own_pin = %pin, "read keys, pins and revocations again");
                true
            }
            Err(error) => {
                observe::reloaded(false);
                tracing::error!("changed keys are not used, the old ones stay: {error}");
                false
            }
        }
    }
}

impl Presented {
    fn read(
        settings: &TlsSettings,
        operator_ca: Option<&Path>,
        pins: &PinSource,
        role: CertificateRole,
    ) -> Result<Self, TlsError> {
        let material = TlsMaterial::load(settings, role)?;
        let pins = pins.read()?;
        Ok(Self {
            operators: Arc::new(material.server_config(Clients::Operators(operator_ca))?),
            peers: Arc::new(material.server_config(Clients::Platforms)?),
            first_pin: pins.first().copied().ok_or(TlsError::Pins)?,
            pins,
            material,
        })
    }
}

fn files(settings: &TlsSettings, operator_ca: Option<&Path>, pins: &PinSource) -> Vec<PathBuf> {
    let TlsSettings {
        ca,
        certificate,
        key,
        revoked,
    } = settings;
    let always = [ca, certificate, key].into_iter().cloned();
    let lists = revoked.iter().flat_map(|place| list_files(place));
    let some = [
        operator_ca.map(Path::to_owned),
        pins.file().map(Path::to_owned),
    ];
    always
        .chain(lists)
        .chain(some.into_iter().flatten())
        .collect()
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{self, issue};

    fn identity(directory: &Path, issued: &pki::Issuance) -> Arc<Identity> {
        let social = issued.identity(CertificateRole::Social).unwrap().pin;
        std::fs::write(directory.join("social.pin"), format!("{social}\n")).unwrap();
        let settings = TlsSettings {
            ca: directory.join("ca.pem"),
            certificate: directory.join("rating.pem"),
            key: directory.join("rating.key"),
            revoked: Some(directory.join("ca.crl")),
        };
        let pins = PinSource::File(directory.join("social.pin"));
        Identity::load(&settings, None, pins, CertificateRole::Rating).unwrap()
    }

    #[test]
    fn a_rotation_is_taken_up_and_half_of_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let issued = issue(directory.path(), &[]).unwrap();
        let identity = identity(directory.path(), &issued);
        let old = identity.own().pin;
        assert!(!identity.look(), "nothing has changed");

        let next = pki::rotate(directory.path(), CertificateRole::Rating, &[]).unwrap();
        std::fs::copy(&next.certificate_path, at("rating.pem")).unwrap();
        assert!(!identity.look(), "the key does not fit");
        assert_eq!(identity.own().pin, old);
        pki::activate(directory.path(), CertificateRole::Rating).unwrap();
        assert!(identity.look());
        assert_eq!(identity.own().pin, next.pin);

        // The other platform announces its next certificate beside the present one.
        let social = issued.identity(CertificateRole::Social).unwrap().pin;
        let announced = pki::rotate(directory.path(), CertificateRole::Social, &[]).unwrap();
        assert!(identity.pins(announced.pin).is_err());
        std::fs::write(at("social.pin"), format!("{social}\n{}\n", announced.pin)).unwrap();
        assert!(identity.look());
        identity.pins(social).unwrap();
        identity.met(social);
        assert_eq!(identity.peer_pin(), social);
        identity.pins(announced.pin).unwrap();
        identity.met(announced.pin);
        assert_eq!(identity.peer_pin(), announced.pin);
    }

    #[test]
    fn a_revocation_is_taken_up() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(directory.path(), &[]).unwrap();
        let identity = identity(directory.path(), &issued);
        let operator = issued.identity(CertificateRole::RatingOperator).unwrap();
        let der = pki::certificate_in(&operator.certificate_path).unwrap();
        let inspected = pki::inspect(&der).unwrap();
        assert!(!identity.has_revoked(&inspected));
        pki::revoke(directory.path(), &operator.certificate_path).unwrap();
        assert!(identity.look());
        assert!(identity.has_revoked(&inspected));
        assert!(!identity.has_revoked(&identity.own()));
    }
}
