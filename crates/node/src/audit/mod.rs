//! A platform's audit log: what happened here, signed together with the peer at every phase.

mod calls;
mod file;
mod peers;

pub use calls::LogCalls;
pub use file::{AuditFileError, HEAD_FILE, LOG_FILE, LogFile, last_acknowledged};
pub(crate) use file::{EARLIER_END, EARLIER_LOG, earlier_logs};
pub use peers::PeerLog;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3rec_audit::entry::{Fields, fields};
use s3rec_audit::{
    AuditError, Entry, Head, HeadExchange, Kind, PublicKey, Signature, Signer, Value,
    head_exchange, verify,
};
use s3rec_wire::status::{Fault, Reason};

use crate::pki::{CertificateRole, inspect};
use crate::process::now_unix_ms;

impl From<AuditFileError> for Fault {
    fn from(error: AuditFileError) -> Self {
        let fault = Self::storage(format!("the audit log: {error}"), error.kind());
        match error {
            AuditFileError::Entry {
                source: AuditError::Field { .. },
                ..
            } => fault.remedied_by(
                "`s3rec audit export` prints the entry. Where a later version of the daemon wrote \
                 it, start that version; otherwise report it, and keep the log and the store.",
            ),
            _ => fault,
        }
    }
}

/// The log of one platform; clones share it.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    role: &'static str,
    signer: Signer,
    log: Mutex<LogFile>,
    /// The certificates that the log knows the peer by since this start.
    peers: Mutex<Vec<Vec<u8>>>,
}

impl Audit {
    /// Opens the log in `data_dir`. A new log, and one whose platform has a new certificate,
    /// gets an entry with the certificate.
    ///
    /// # Errors
    /// [`AuditFileError`].
    pub fn open(
        data_dir: &Path,
        role: CertificateRole,
        certificate: &[u8],
        signer: Signer,
    ) -> Result<Self, AuditFileError> {
        let log = LogFile::open(data_dir)?;
        let audit = Self(Arc::new(Shared {
            role: role.name(),
            signer,
            log: Mutex::new(log),
            peers: Mutex::default(),
        }));
        // Whose signatures follow stands in the log anew at every start, whatever stood there.
        let key = audit.0.signer.public();
        audit.append(Kind::Identity, audit.identity("own", certificate, &key))?;
        let started = fields([
            ("what", "started".into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
        ]);
        audit.append(Kind::Daemon, started)?;
        Ok(audit)
    }

    /// Appends an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn record<'a>(
        &self,
        kind: Kind,
        of: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Head, Fault> {
        Ok(self.append(kind, fields(of))?)
    }

    /// As [`Self::record`], where the thing has happened whether it can be written or not.
    pub fn note<'a>(&self, kind: Kind, of: impl IntoIterator<Item = (&'a str, Value)>) {
        if let Err(fault) = self.record(kind, of) {
            tracing::error!("not in the audit log: {fault}");
        }
    }

    /// Learns the peer's certificate and gives the signing key that it names. Each certificate is
    /// one entry of the log from start to start, however often the peer changes between several.
    ///
    /// # Errors
    /// [`Reason::WrongRole`] for a certificate that names no key.
    pub fn peer(&self, certificate: &[u8]) -> Result<PublicKey, Fault> {
        let key = inspect(certificate).ok().and_then(|seen| seen.signer);
        let key = key.ok_or_else(|| {
            let message = "the other platform's certificate names no signing key";
            Fault::new(Reason::WrongRole, message).remedied_by(
                "Issue its certificate with `s3rec pki`, or with the alternative name that the \
                 other platform's daemon names when it refuses to start.",
            )
        })?;
        let mut known = self.0.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|known| known == certificate) {
            let entry = self.identity("peer", certificate, &key);
            self.append(Kind::Identity, entry)?;
            known.push(certificate.to_vec());
        }
        Ok(key)
    }

    /// Signs as this platform.
    #[must_use]
    pub fn sign(&self, label: &str, bytes: &[u8]) -> Signature {
        self.0.signer.sign(label, bytes)
    }

    /// Our public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.0.signer.public()
    }

    /// The newest entry.
    ///
    /// # Errors
    /// [`Reason::Bug`]: there is always one.
    pub fn head(&self) -> Result<Head, Fault> {
        let head = self.log().head();
        head.ok_or_else(|| Fault::new(Reason::Bug, "the audit log is empty"))
    }

    /// Signs both heads.
    #[must_use]
    pub fn sign_heads(&self, heads: &HeadExchange) -> Signature {
        self.sign(head_exchange::LABEL, &heads.statement())
    }

    /// Copies the log up to its newest entry, which it gives.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub(crate) fn copy(&self, to: &Path) -> Result<Head, Fault> {
        // Nothing before its end ever changes, so it is copied while others append.
        let (path, length, head) = self.log().end();
        let copied = File::open(&path)
            .and_then(|log| std::io::copy(&mut log.take(length), &mut File::create(to)?));
        copied.map_err(|error| {
            Fault::storage(format!("{}: {error}", path.display()), error.kind())
        })?;
        head.ok_or_else(|| Fault::new(Reason::Bug, "the audit log is empty"))
    }

    /// What signs for this platform.
    pub(crate) fn signer(&self) -> &Signer {
        &self.0.signer
    }

    /// Shows every acknowledged entry, oldest first, until `look` misses something in one: those of
    /// logs that a restore has ended before those of this one.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`], with the entry's number where something is wrong with one.
    pub fn each(&self, look: impl FnMut(&Entry) -> Result<(), AuditError>) -> Result<(), Fault> {
        Ok(self.log().each(look)?)
    }

    /// Keeps heads that both have signed.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn keep_heads(
        &self,
        heads: &HeadExchange,
        rating: &Signature,
        social: &Signature,
    ) -> Result<Head, Fault> {
        Ok(self.append(Kind::HeadExchange, heads.fields(rating, social))?)
    }

    fn identity(&self, party: &str, certificate: &[u8], key: &PublicKey) -> Fields {
        fields([
            ("party", party.into()),
            ("role", self.0.role.into()),
            ("certificate", certificate.into()),
            ("key", (*key.as_bytes()).into()),
        ])
    }

    /// Every entry has a nonce: whoever is shown a head and knows the rest of an entry would else find
    /// out the number in it (of links imported, for one) by trying.
    fn append(&self, kind: Kind, mut fields: Fields) -> Result<Head, AuditFileError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| AuditFileError::no_entropy())?;
        fields.insert(NONCE.to_owned(), nonce.into());
        self.log().append(now_unix_ms(), kind, fields)
    }

    fn log(&self) -> MutexGuard<'_, LogFile> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The field of an entry that nobody can guess.
const NONCE: &str = "nonce";
const NONCE_BYTES: usize = 16;

/// The label under which approvals are signed.
pub const APPROVAL_LABEL: &str = verify::APPROVAL;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{certificate_in, issue, rotate};
    use s3rec_audit::Chain;

    /// Each certificate is one entry, however often the peer changes between them.
    #[test]
    fn a_peer_that_alternates_between_certificates_fills_no_log() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path();
        issue(keys, &[]).unwrap();
        rotate(keys, CertificateRole::Rating, &[]).unwrap();
        let certificate = |name: &str| certificate_in(&keys.join(name)).unwrap();
        let own = certificate("social.pem");
        let open = || {
            let signer = Signer::generate().unwrap();
            Audit::open(keys, CertificateRole::Social, &own, signer).unwrap()
        };
        let named = |audit: &Audit| {
            let mut parties = Vec::new();
            let look = |entry: &Entry| {
                if entry.kind == Kind::Identity {
                    parties.push(entry.needed_text("party")?.to_owned());
                }
                Ok(())
            };
            audit.each(look).unwrap();
            parties
        };
        let audit = open();
        for _ in 0..20 {
            for name in ["rating.pem", "rating.next.pem"] {
                audit.peer(&certificate(name)).unwrap();
            }
        }
        assert_eq!(named(&audit), ["own", "peer", "peer"]);
        drop(audit);
        let audit = open();
        audit.peer(&certificate("rating.pem")).unwrap();
        assert_eq!(named(&audit), ["own", "peer", "peer", "own", "peer"]);
    }

    /// Whoever is shown heads knows all of an import but its size, and tries every size.
    #[test]
    fn a_head_does_not_tell_how_many_links_were_imported() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path();
        issue(keys, &[]).unwrap();
        let own = certificate_in(&keys.join("social.pem")).unwrap();
        let signer = Signer::generate().unwrap();
        let audit = Audit::open(keys, CertificateRole::Social, &own, signer).unwrap();
        let before = audit.head().unwrap();
        let import = |links: u64| {
            let of = [("dataset", "friends".into()), ("links", links.into())];
            fields(of)
        };
        let guessed = |links, at| {
            let next = Chain::behind(before).next(at, Kind::Import, import(links));
            next.unwrap().1.head().unwrap().hash
        };
        let shown = audit.record(
            Kind::Import,
            [("dataset", "friends".into()), ("links", 60u64.into())],
        );
        let shown = shown.unwrap();
        let mut at = 0;
        let look = |entry: &Entry| {
            at = entry.time_unix_ms;
            Ok(())
        };
        audit.each(look).unwrap();
        for links in 0..200 {
            assert_ne!(guessed(links, at), shown.hash, "{links}");
        }
    }

    /// Logs of before entries had a nonce verify and go on.
    #[test]
    fn a_log_without_nonces_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path();
        issue(keys, &[]).unwrap();
        let own = certificate_in(&keys.join("social.pem")).unwrap();
        let signer = Signer::generate().unwrap();
        let mut old = LogFile::open(keys).unwrap();
        let key = signer.public();
        let identity = fields([
            ("party", "own".into()),
            ("role", "social".into()),
            ("certificate", own.as_ref().into()),
            ("key", (*key.as_bytes()).into()),
        ]);
        old.append(5, Kind::Identity, identity).unwrap();
        old.append(6, Kind::Import, fields([("links", 60u64.into())]))
            .unwrap();
        drop(old);
        let audit = Audit::open(keys, CertificateRole::Social, &own, signer).unwrap();
        audit
            .record(Kind::Import, [("links", 61u64.into())])
            .unwrap();
        let log = verify::verify(&std::fs::read(keys.join(LOG_FILE)).unwrap()).unwrap();
        assert_eq!(log.entries.len(), 5);
        let nonces = log
            .entries
            .iter()
            .filter_map(|(entry, _)| entry.bytes(NONCE));
        assert_eq!(nonces.collect::<std::collections::BTreeSet<_>>().len(), 3);
    }
}
