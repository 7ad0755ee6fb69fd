//! Links for one log-in, sessions, and the token that forms carry.
//!
//! Tokens are 256 random bits, of which only a hash is kept. A link is good once and for two minutes; a
//! session ends after half an hour without a request, eight hours after it began, and as soon as the
//! certificate that it was opened with is no longer let in.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use s3rec_node::tls::Caller;

/// How long a link is good.
pub const LINK_FOR: Duration = Duration::from_secs(120);
/// How long a session lasts without a request.
pub const IDLE_FOR: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts at most.
pub const SESSION_FOR: Duration = Duration::from_secs(8 * 60 * 60);

/// Links and sessions at a time; the oldest makes room.
const MOST: usize = 64;

/// Whether the holder of a certificate is let in now.
type Judge = Box<dyn Fn(&Caller) -> bool + Send + Sync>;

/// Who may come in, and who is in.
pub struct Logins {
    is_let_in: Judge,
    kept: Mutex<Kept>,
}

/// By the hash of their token.
#[derive(Default)]
struct Kept {
    links: HashMap<blake3::Hash, Entry>,
    sessions: HashMap<blake3::Hash, Entry>,
}

struct Entry {
    caller: Caller,
    began: Instant,
    seen: Instant,
}

/// Somebody with a session.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Whose certificate the session was opened with.
    pub caller: Caller,
    /// What every form of this session carries.
    pub form_token: String,
}

impl Logins {
    /// Nobody yet. `is_let_in` is asked at every request whether a certificate is still good.
    pub fn new(is_let_in: impl Fn(&Caller) -> bool + Send + Sync + 'static) -> Self {
        Self {
            is_let_in: Box::new(is_let_in),
            kept: Mutex::default(),
        }
    }

    /// A token for one log-in as `caller`.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn link(&self, caller: Caller) -> Result<String, getrandom::Error> {
        let (token, hash) = fresh()?;
        insert(&mut self.kept().links, hash, caller, Instant::now());
        Ok(token)
    }

    /// Who a link is for, without using it up.
    #[must_use]
    pub fn invited(&self, token: &str) -> Option<String> {
        let kept = self.kept();
        let link = kept.links.get(&hash_of(token))?;
        (link.began.elapsed() < LINK_FOR).then(|| link.caller.name.clone())
    }

    /// The token of a new session for that of a link, which is used up.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn redeem(&self, token: &str) -> Result<Option<String>, getrandom::Error> {
        self.redeem_at(token, Instant::now())
    }

    fn redeem_at(&self, token: &str, now: Instant) -> Result<Option<String>, getrandom::Error> {
        let Some(link) = self.kept().links.remove(&hash_of(token)) else {
            return Ok(None);
        };
        if now.duration_since(link.began) >= LINK_FOR || !(self.is_let_in)(&link.caller) {
            return Ok(None);
        }
        let (token, hash) = fresh()?;
        insert(&mut self.kept().sessions, hash, link.caller, now);
        Ok(Some(token))
    }

    /// Who has the session of that token.
    #[must_use]
    pub fn visitor(&self, token: &str) -> Option<Visitor> {
        self.visitor_at(token, Instant::now())
    }

    fn visitor_at(&self, token: &str, now: Instant) -> Option<Visitor> {
        let hash = hash_of(token);
        let mut kept = self.kept();
        let session = kept.sessions.get_mut(&hash)?;
        let is_over = now.duration_since(session.seen) >= IDLE_FOR
            || now.duration_since(session.began) >= SESSION_FOR
            || !(self.is_let_in)(&session.caller);
        if is_over {
            kept.sessions.remove(&hash);
            return None;
        }
        session.seen = now;
        Some(Visitor {
            caller: session.caller.clone(),
            form_token: form_token(token),
        })
    }

    /// Ends the session of that token.
    pub fn end(&self, token: &str) {
        self.kept().sessions.remove(&hash_of(token));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the forms of a session carry: nobody who does not know its token can make it, and it tells
/// nothing of that.
fn form_token(token: &str) -> String {
    let derived = blake3::derive_key("s3rec console 2026 form token", token.as_bytes());
    blake3::Hash::from_bytes(derived).to_hex().to_string()
}

fn fresh() -> Result<(String, blake3::Hash), getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let token = blake3::Hash::from_bytes(bytes).to_hex().to_string();
    let hash = hash_of(&token);
    Ok((token, hash))
}

fn hash_of(token: &str) -> blake3::Hash {
    blake3::hash(token.as_bytes())
}

fn insert(
    entries: &mut HashMap<blake3::Hash, Entry>,
    hash: blake3::Hash,
    caller: Caller,
    now: Instant,
) {
    if entries.len() >= MOST {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.seen);
        if let Some(hash) = oldest.map(|(hash, _)| *hash) {
            entries.remove(&hash);
        }
    }
    let entry = Entry {
        caller,
        began: now,
        seen: now,
    };
    entries.insert(hash, entry);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use s3rec_node::pki::{CertificateRole, Pin};

    use super::*;

    fn caller() -> Caller {
        Caller {
            name: "alice".into(),
            role: CertificateRole::SocialOperator,
            pin: Pin::of(b"alice"),
            certificate: b"alice".to_vec(),
        }
    }

    #[test]
    fn a_link_is_good_once_and_soon() {
        let logins = Logins::new(|_| true);
        let token = logins.link(caller()).unwrap();
        assert_eq!(logins.invited(&token).as_deref(), Some("alice"));
        assert_eq!(logins.invited("another"), None);
        assert!(logins.redeem(&token).unwrap().is_some());
        assert!(logins.redeem(&token).unwrap().is_none(), "used up");
        let late = logins.link(caller()).unwrap();
        let now = Instant::now() + LINK_FOR;
        assert!(logins.redeem_at(&late, now).unwrap().is_none());
    }

    #[test]
    fn a_session_ends_by_itself_and_with_its_certificate() {
        let good = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&good);
        let logins = Logins::new(move |_| asked.load(Ordering::Relaxed));
        let session = || {
            let link = logins.link(caller()).unwrap();
            logins.redeem(&link).unwrap().unwrap()
        };
        let now = Instant::now();
        let token = session();
        let visitor = logins.visitor(&token).unwrap();
        assert_eq!(visitor.caller, caller());
        assert_ne!(visitor.form_token, token);
        assert!(logins.visitor(&visitor.form_token).is_none());
        assert!(logins.visitor_at(&token, now + IDLE_FOR * 2).is_none());
        assert!(logins.visitor(&token).is_none(), "and does not come back");

        let token = session();
        let mut at = now;
        while at < now + SESSION_FOR {
            assert!(logins.visitor_at(&token, at).is_some());
            at += IDLE_FOR / 2;
        }
        // It began a moment after `now`.
        let over = at + Duration::from_secs(60);
        assert!(logins.visitor_at(&token, over).is_none(), "however busy");

        let (left, revoked) = (session(), session());
        logins.end(&left);
        assert!(logins.visitor(&left).is_none());
        good.store(false, Ordering::Relaxed);
        assert!(logins.visitor(&revoked).is_none());
        let link = logins.link(caller()).unwrap();
        assert!(logins.redeem(&link).unwrap().is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let logins = Logins::new(|_| true);
        let first = logins.link(caller()).unwrap();
        for _ in 0..MOST {
            logins.link(caller()).unwrap();
        }
        assert!(logins.redeem(&first).unwrap().is_none());
        assert_eq!(logins.kept().links.len(), MOST);
    }
}
