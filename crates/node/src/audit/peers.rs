//! The other platform's audit log as it has shown it: it goes on where it was, or a person here
//! has said that it may begin anew.

use s3rec_audit::export::hexadecimal;
use s3rec_audit::{Head, Kind};
use s3rec_wire::status::{Fault, Reason, echo};

use super::Audit;
use crate::pki::CertificateRole;
use crate::records::{RefusedHead, SeenHead};
use crate::store::{Store, Table};

const SEEN: Table = Table("peer heads");
const REFUSED: Table = Table("refused peer heads");

/// The log of one other platform.
pub struct PeerLog<'a> {
    store: &'a Store,
    role: CertificateRole,
}

impl<'a> PeerLog<'a> {
    /// Of the platform that has that role.
    #[must_use]
    pub fn of(role: CertificateRole, store: &'a Store) -> Self {
        Self { store, role }
    }

    /// Whether the log may end with `head` now: at or after the newest head that both platforms
    /// have signed, in the same log. What may not is remembered for [`accept`](Self::accept).
    ///
    /// # Errors
    /// [`Reason::LedgersDiffer`] for a log that has become shorter, differs in the entry signed
    /// last, or is another one; the remedy says how to accept it.
    pub fn check(&self, head: &Head) -> Result<(), Fault> {
        let Some(seen) = self.seen()? else {
            return Ok(());
        };
        let same_log = seen.log == head.log;
        if same_log && (head.sequence > seen.sequence || *head == seen) {
            return Ok(());
        }
        let refused = RefusedHead {
            head: SeenHead::of(head),
            is_accepted: false,
        };
        self.store.put(REFUSED, self.role.name(), &refused)?;
        let (role, log) = (self.role, hexadecimal(&head.log));
        let message = match same_log {
            true => format!(
                "the {role} platform's audit log ends at entry {}; it has signed entry {} before",
                head.sequence, seen.sequence
            ),
            false => format!(
                "the {role} platform has begun another audit log ({log}) than the one that was \
                 signed before ({})",
                hexadecimal(&seen.log)
            ),
        };
        tracing::error!("{message}");
        let here = match self.role {
            CertificateRole::Rating => "social",
            _ => "rating",
        };
        let remedy = format!(
            "An older state was put back at the {role} platform, or its log was replaced: what it \
             has counted since is lost. Bring back its newer state. If it is lost for good, and \
             its people confirm the log over a way that both trust, accept it at the {here} \
             platform: s3rec {here} accept-log {log}"
        );
        Err(Fault::new(Reason::LedgersDiffer, message).remedied_by(remedy))
    }

    /// Remembers a head that both platforms have signed.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn signed(&self, head: &Head) -> Result<(), Fault> {
        let seen = SeenHead::of(head);
        Ok(self.store.put(SEEN, self.role.name(), &seen)?)
    }

    /// Takes the head that was refused last for the log's new beginning, in the name of `who`.
    /// `log` must name its log, so that nobody accepts another one than was confirmed.
    ///
    /// # Errors
    /// [`Reason::WrongState`] when nothing was refused, [`Reason::InvalidRequest`] for another
    /// log.
    pub fn accept(&self, audit: &Audit, log: &str, who: &str) -> Result<Head, Fault> {
        let refused: Option<RefusedHead> = self.store.get(REFUSED, self.role.name())?;
        let refused = refused.filter(|refused| !refused.is_accepted);
        let refused = refused.ok_or_else(|| {
            let message = format!("no audit log of the {} platform was refused", self.role);
            Fault::new(Reason::WrongState, message)
                .remedied_by("A log is accepted only after a job has failed because of it.")
        })?;
        let head = refused.head.head();
        let named = hexadecimal(&head.log);
        if log != named {
            let message = format!("the log that was refused is {named}, not {}", echo(log));
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "log"));
        }
        let before = self.seen()?;
        let (log, sequence) = before.map_or_else(
            || (Vec::new(), 0),
            |before| (before.log.to_vec(), before.sequence),
        );
        // In our own log first: whoever reads it sees where the other one broke, and who said yes.
        let entry = [
            ("what", "accepted the other platform's audit log".into()),
            ("by", who.into()),
            ("log", head.log.into()),
            ("sequence", head.sequence.into()),
            ("before", log.as_slice().into()),
            ("before_sequence", sequence.into()),
        ];
        audit.record(Kind::Decision, entry)?;
        self.signed(&head)?;
        let accepted = RefusedHead {
            is_accepted: true,
            ..refused
        };
        self.store.put(REFUSED, self.role.name(), &accepted)?;
        Ok(head)
    }

    fn seen(&self) -> Result<Option<Head>, Fault> {
        let seen: Option<SeenHead> = self.store.get(SEEN, self.role.name())?;
        Ok(seen.map(|seen| seen.head()))
    }
}

#[cfg(test)]
mod tests {
    use s3rec_audit::Signer;

    use super::*;

    fn head(log: u8, sequence: u64, hash: u8) -> Head {
        Head {
            log: [log; 32],
            sequence,
            hash: [hash; 32],
        }
    }

    #[test]
    fn a_log_goes_on_or_a_person_has_accepted_that_it_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let signer = Signer::generate().unwrap();
        let role = CertificateRole::Social;
        let audit = Audit::open(directory.path(), role, b"certificate", signer).unwrap();
        let theirs = PeerLog::of(CertificateRole::Rating, &store);
        theirs.check(&head(1, 5, 5)).unwrap();
        theirs.signed(&head(1, 5, 5)).unwrap();
        theirs.check(&head(1, 5, 5)).unwrap();
        theirs.check(&head(1, 6, 6)).unwrap();
        let nothing = theirs.accept(&audit, &hexadecimal(&[1; 32]), "who");
        assert_eq!(nothing.unwrap_err().reason, Reason::WrongState);

        // Shorter, forked, and another log, each until it is accepted.
        for (refused, then) in [
            (head(1, 4, 4), head(1, 5, 9)),
            (head(1, 4, 8), head(1, 4, 8)),
            (head(2, 0, 0), head(2, 7, 7)),
        ] {
            let fault = theirs.check(&refused).unwrap_err();
            assert_eq!(fault.reason, Reason::LedgersDiffer, "{refused:?}");
            let log = hexadecimal(&refused.log);
            assert!(
                fault.remedy.ends_with(&format!("accept-log {log}")),
                "{fault:?}"
            );
            assert!(theirs.check(&refused).is_err(), "it stays refused");
            let other = theirs.accept(&audit, &hexadecimal(&[7; 32]), "who");
            assert_eq!(other.unwrap_err().reason, Reason::InvalidRequest);
            assert!(theirs.check(&refused).is_err(), "nobody has accepted it");
            let last = audit.head().unwrap().sequence;
            theirs.accept(&audit, &log, "who").unwrap();
            assert_eq!(audit.head().unwrap().sequence, last + 1);
            theirs.check(&then).unwrap();
            // Once: what both sign afterwards is not given up by the same word again.
            theirs.signed(&then).unwrap();
            assert!(theirs.accept(&audit, &log, "who").is_err());
        }
        // The old log does not come back unasked.
        assert!(theirs.check(&head(1, 99, 99)).is_err());
    }
}
