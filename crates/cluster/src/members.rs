//! Who takes part: one file, the same at the coordinator and at every worker but for `[this]`.
//!
//! ```toml
//! wait_seconds = 30                       # for a worker to come back
//!
//! [this]
//! name = "coordinator"                    # or the name of a worker
//! certificate = "coordinator.pem"         # as s3rec worker key makes it
//! key = "coordinator.key"
//!
//! [coordinator]
//! pin = "…"                               # SHA-256 of its certificate
//!
//! [[worker]]
//! name = "w1"
//! address = "10.0.0.11:7300"
//! pin = "…"
//! ```

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use s3rec_node::pki::Pin;
use s3rec_node::tls::{TlsError, refuse_exposed};
use serde::Deserialize;

use crate::ClusterError;

/// More are not connected each with each other.
const MOST_WORKERS: usize = 256;
/// How the coordinator is called in the file.
pub(crate) const COORDINATOR: &str = "coordinator";
const LONGEST_NAME: usize = 63;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "wait_seconds")]
    wait_seconds: u64,
    this: This,
    coordinator: Coordinator,
    #[serde(default)]
    worker: Vec<Worker>,
}

const fn wait_seconds() -> u64 {
    30
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct This {
    name: String,
    certificate: PathBuf,
    key: PathBuf,
    /// Where a worker listens, if not at its address.
    listen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Coordinator {
    pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worker {
    name: String,
    address: String,
    pin: String,
}

/// One who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As errors name it.
    pub name: String,
    /// HOST:PORT; none of the coordinator, whom nobody calls.
    pub address: Option<String>,
    /// Of the one certificate that it may present.
    pub pin: Pin,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "worker {} ({address})", self.name),
            None => write!(f, "the coordinator"),
        }
    }
}

/// Everybody who takes part, as one of them knows it.
#[derive(Clone, Debug)]
pub struct Members {
    /// The file.
    pub path: PathBuf,
    /// The coordinator, then the workers in the file's order.
    pub all: Vec<Member>,
    /// Which of them we are.
    pub own: usize,
    /// How long the coordinator waits for a worker that is gone.
    pub wait: Duration,
    /// Where a worker listens.
    pub listen: Option<String>,
    certificate: PathBuf,
    key: PathBuf,
}

impl Members {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ClusterError::File`], [`ClusterError::Members`] with what is wrong.
    pub fn read(path: &Path) -> Result<Self, ClusterError> {
        let text = std::fs::read_to_string(path).map_err(|source| ClusterError::File {
            path: path.to_owned(),
            source,
        })?;
        let written: Written = toml::from_str(&text).map_err(|error| wrong(path, error))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let pin = |of: &str, text: &str| {
            let pin = text.parse::<Pin>();
            pin.map_err(|error| wrong(path, format!("pin of {of}: {error}")))
        };
        let mut all = vec![Member {
            name: COORDINATOR.into(),
            address: None,
            pin: pin(COORDINATOR, &written.coordinator.pin)?,
        }];
        for worker in written.worker {
            if !is_name(&worker.name) {
                let detail = format!(
                    "the worker's name {:?} is none: letters, digits, - and _, {LONGEST_NAME} at most",
                    worker.name
                );
                return Err(wrong(path, detail));
            }
            all.push(Member {
                pin: pin(&worker.name, &worker.pin)?,
                name: worker.name,
                address: Some(worker.address),
            });
        }
        let workers = all.len() - 1;
        if workers == 0 || workers > MOST_WORKERS {
            let detail = format!("it names {workers} workers; 1 to {MOST_WORKERS} take part");
            return Err(wrong(path, detail));
        }
        refuse_repeats(path, &all)?;
        let this = written.this;
        let own = all.iter().position(|member| member.name == this.name);
        let own = own.ok_or_else(|| {
            let detail = format!("this.name is {:?}, which no member has", this.name);
            wrong(path, detail)
        })?;
        Ok(Self {
            path: path.to_owned(),
            all,
            own,
            wait: Duration::from_secs(written.wait_seconds),
            listen: this.listen,
            certificate: directory.join(this.certificate),
            key: directory.join(this.key),
        })
    }

    /// Of the workers, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().skip(1).map(|member| member.name.as_str())
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.all.len() - 1
    }

    /// Refuses a file that gives us another part than the program's: the coordinator's, or a worker's.
    ///
    /// # Errors
    /// [`ClusterError::Part`].
    pub fn is_coordinator(&self, expected: bool) -> Result<(), ClusterError> {
        if (self.own == 0) == expected {
            return Ok(());
        }
        Err(ClusterError::Part {
            path: self.path.clone(),
            name: self.all[self.own].name.clone(),
            expected: match expected {
                true => "and the daemon is the coordinator",
                false => "and s3rec worker serve needs the name of a worker",
            },
        })
    }

    /// Of names, addresses and pins in their order: all members must mean the same. Public.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2026 cluster members v1");
        for member in &self.all {
            for text in [
                member.name.as_str(),
                member.address.as_deref().unwrap_or(""),
            ] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            hasher.update(&member.pin.digest());
        }
        *hasher.finalize().as_bytes()
    }

    /// Our certificate and key.
    pub(crate) fn identity(
        &self,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), ClusterError> {
        refuse_exposed(&self.key)?;
        let not_pem = |path: &Path, expected| TlsError::Pem {
            path: path.to_owned(),
            expected,
        };
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| ClusterError::File {
                path: path.to_owned(),
                source,
            })
        };
        let certificate = CertificateDer::from_pem_slice(&read(&self.certificate)?)
            .map_err(|_| not_pem(&self.certificate, "certificate"))?;
        let key = zeroize::Zeroizing::new(read(&self.key)?);
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| not_pem(&self.key, "key"))?;
        let (own, actual) = (&self.all[self.own], Pin::of(&certificate));
        if own.pin != actual {
            return Err(ClusterError::OwnPin {
                path: self.certificate.clone(),
                name: own.name.clone(),
                expected: own.pin,
                actual,
            });
        }
        Ok((certificate, key))
    }
}

pub(crate) fn wrong(path: &Path, detail: impl fmt::Display) -> ClusterError {
    ClusterError::Members {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_fit)
}

fn refuse_repeats(path: &Path, all: &[Member]) -> Result<(), ClusterError> {
    let (mut names, mut pins, mut addresses) = (HashSet::new(), HashSet::new(), HashSet::new());
    for member in all {
        let name = &member.name;
        if !names.insert(name) {
            return Err(wrong(path, format!("two members are called {name:?}")));
        }
        if !pins.insert(member.pin.digest()) {
            let detail = format!("{name} has another member's pin; each has a key of its own");
            return Err(wrong(path, detail));
        }
        if let Some(address) = &member.address
            && !addresses.insert(address)
        {
            return Err(wrong(path, format!("two workers are at {address}")));
        }
    }
    Ok(())
}
