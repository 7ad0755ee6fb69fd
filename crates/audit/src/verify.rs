//! Checks a whole log, names the first bad entry, and compares two platforms' logs.

use crate::record::{Chain, Head, MAGIC};
use crate::{AuditError, Entry, HeadExchange, Kind, PublicKey};

/// The label of an approval's signature.
pub const APPROVAL: &str = "approval";

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry} (byte {offset}): {what}")]
pub struct Finding {
    /// Which entry, from 0.
    pub entry: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// What is wrong.
    pub what: AuditError,
}

/// A log that was checked.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whose log it is, as its first entry says: `rating` or `social`.
    pub role: String,
    /// All entries with their hashes.
    pub entries: Vec<(Entry, [u8; 32])>,
    /// The exchanges of heads, each with the entry that keeps it.
    pub head_exchanges: Vec<(u64, HeadExchange)>,
    /// Approvals whose signature was checked.
    pub approvals: u64,
}

/// Checks chain, signatures and signed heads of the log in `bytes`.
///
/// The keys are the ones that the log's own identity entries name; whoever trusts them only as
/// parts of certificates compares those (`bytes("certificate")`) with what is pinned.
///
/// # Errors
/// The first [`Finding`].
pub fn verify(bytes: &[u8]) -> Result<Verified, Finding> {
    let magic = MAGIC.as_bytes();
    if !bytes.starts_with(magic) {
        return Err(Finding {
            entry: 0,
            offset: 0,
            what: AuditError::Magic { expected: MAGIC },
        });
    }
    let mut log = Verified {
        role: String::new(),
        entries: Vec::new(),
        head_exchanges: Vec::new(),
        approvals: 0,
    };
    let (mut chain, mut offset, mut keys) = (Chain::default(), magic.len(), Keys::default());
    while offset < bytes.len() {
        let (entry, at) = (log.entries.len() as u64, offset as u64);
        let finding = |what| Finding {
            entry,
            offset: at,
            what,
        };
        let (entry, next, length) = chain.read(&bytes[offset..]).map_err(finding)?;
        log.check(&entry, &mut keys).map_err(finding)?;
        log.entries
            .extend(next.head().map(|head| (entry, head.hash)));
        (chain, offset) = (next, offset + length);
    }
    if log.entries.is_empty() {
        return Err(Finding {
            entry: 0,
            offset: offset as u64,
            what: AuditError::Field { field: "role" },
        });
    }
    Ok(log)
}

/// Checks that each log holds what the other one's signed heads say of it.
///
/// # Errors
/// The first [`AuditError::Head`] or [`AuditError::Truncated`], naming whose log it is.
pub fn compare(rating: &Verified, social: &Verified) -> Result<(), AuditError> {
    for (_, heads) in &social.head_exchanges {
        rating.holds("the rating platform's", &heads.rating)?;
    }
    for (_, heads) in &rating.head_exchanges {
        social.holds("the social platform's", &heads.social)?;
    }
    Ok(())
}

/// The keys in force.
#[derive(Default)]
struct Keys {
    own: Option<PublicKey>,
    /// Of the peer's certificates that were met since our own key was named last, at a start, and
    /// of the one before those.
    peers: Vec<PublicKey>,
}

impl Keys {
    /// Whose signatures count, by the party.
    fn of(&self, is_own: bool) -> Result<&[PublicKey], AuditError> {
        let keys = if is_own {
            self.own.as_slice()
        } else {
            &self.peers
        };
        match keys {
            [] => Err(AuditError::Field { field: "key" }),
            keys => Ok(keys),
        }
    }
}

impl Verified {
    /// The newest entry.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let (newest, hash) = self.entries.last()?;
        Some(Head {
            log: self.entries.first()?.1,
            sequence: newest.sequence,
            hash: *hash,
        })
    }

    /// Certificates that the log names, in DER: whose (`own` or `peer`), and the entry.
    pub fn certificates(&self) -> impl Iterator<Item = (u64, &str, &[u8])> {
        let identities = self.entries.iter().map(|(entry, _)| entry);
        identities
            .filter(|entry| entry.kind == Kind::Identity)
            .filter_map(|entry| {
                let (party, certificate) = (entry.text("party")?, entry.bytes("certificate")?);
                Some((entry.sequence, party, certificate))
            })
    }

    /// Whether this log has that head somewhere.
    ///
    /// # Errors
    /// [`AuditError::Head`], [`AuditError::Truncated`].
    pub fn holds(&self, whose: &'static str, head: &Head) -> Result<(), AuditError> {
        let place = usize::try_from(head.sequence).unwrap_or(usize::MAX);
        let log = self.entries.first().map(|(_, hash)| *hash);
        match self.entries.get(place) {
            None => Err(AuditError::Truncated {
                whose,
                entries: self.entries.len() as u64,
                sequence: head.sequence,
            }),
            Some((_, hash)) if *hash == head.hash && log == Some(head.log) => Ok(()),
            Some(_) => Err(AuditError::Head {
                whose,
                sequence: head.sequence,
            }),
        }
    }

    fn check(&mut self, entry: &Entry, keys: &mut Keys) -> Result<(), AuditError> {
        match entry.kind {
            Kind::Identity => self.check_identity(entry, keys),
            _ if self.entries.is_empty() => Err(AuditError::Field { field: "role" }),
            Kind::HeadExchange => self.check_heads(entry, keys),
            Kind::Decision => self.check_decision(entry, keys),
            _ => Ok(()),
        }
    }

    fn check_identity(&mut self, entry: &Entry, keys: &mut Keys) -> Result<(), AuditError> {
        let missing = |field| AuditError::Field { field };
        let key = entry.bytes("key").and_then(|key| key.try_into().ok());
        let key = PublicKey::from_bytes(key.ok_or_else(|| missing("key"))?)?;
        match (entry.text("party"), self.entries.is_empty()) {
            (Some("own"), true) => {
                let role = entry.text("role").ok_or_else(|| missing("role"))?;
                if !["rating", "social"].contains(&role) {
                    return Err(missing("role"));
                }
                self.role = role.into();
                keys.own = Some(key);
            }
            (Some("own"), false) => {
                keys.own = Some(key);
                // Of those met before this start the one met last is known still.
                keys.peers = keys.peers.pop().into_iter().collect();
            }
            (Some("peer"), false) => keys.peers.push(key),
            _ => return Err(missing("party")),
        }
        Ok(())
    }

    fn check_heads(&mut self, entry: &Entry, keys: &Keys) -> Result<(), AuditError> {
        let (heads, rating_signature, social_signature) = HeadExchange::of(entry)?;
        let is_rating = self.role == "rating";
        let by_one_of = |keys: &[PublicKey], signer, signature: &[u8]| {
            let mut refused = Ok(());
            for key in keys {
                refused = heads.check(signer, key, signature);
                if refused.is_ok() {
                    break;
                }
            }
            refused
        };
        let (rating_keys, social_keys) = (keys.of(is_rating)?, keys.of(!is_rating)?);
        by_one_of(rating_keys, "the rating platform", rating_signature)?;
        by_one_of(social_keys, "the social platform", social_signature)?;
        let own = if is_rating {
            &heads.rating
        } else {
            &heads.social
        };
        self.holds("this", own)?;
        self.head_exchanges.push((entry.sequence, heads));
        Ok(())
    }

    fn check_decision(&mut self, entry: &Entry, keys: &Keys) -> Result<(), AuditError> {
        let Some(approval) = entry.bytes("approval") else {
            return Ok(());
        };
        let signature = entry.bytes("signature");
        let signature = signature.ok_or(AuditError::Field { field: "signature" })?;
        let keys = keys.of(self.role == "social")?;
        let has_signed = |key: &PublicKey| key.has_signed(APPROVAL, approval, signature);
        if !keys.iter().any(has_signed) {
            return Err(AuditError::Signature {
                signer: "the social platform",
                what: "the approval",
            });
        }
        self.approvals += 1;
        Ok(())
    }
}
