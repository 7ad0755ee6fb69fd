//! What each rule about certificates is for: without it, whom would a platform let in?

use super::{Authorize, Identity, PinSource};
use crate::config::TlsSettings;
use crate::pki::{CertificateRole, certificate_in, issue, revoke, rotate};

/// Every certificate that one authority may sign for a pair of platforms, and what the social
/// platform says to each at one of its ports.
struct Authority {
    directory: tempfile::TempDir,
    peers: Authorize,
    people: Authorize,
}

const ALL: [&str; 6] = [
    "rating",
    "rating.next",
    "rating-operator",
    "social",
    "social-operator",
    "social-operator.next",
];

impl Authority {
    /// `social-operator.next` was taken back.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let issued = issue(directory.path(), &[]).unwrap();
        // Of the same authority and role, but nobody has compared its pin.
        for role in [CertificateRole::Rating, CertificateRole::SocialOperator] {
            rotate(directory.path(), role, &[]).unwrap();
        }
        revoke(directory.path(), &at("social-operator.next.pem")).unwrap();
        let settings = TlsSettings {
            ca: at("ca.pem"),
            certificate: at("social.pem"),
            key: at("social.key"),
            revoked: Some(at("ca.crl")),
        };
        let pin = issued.identity(CertificateRole::Rating).unwrap().pin;
        let pins = PinSource::Fixed(pin);
        let identity = Identity::load(&settings, None, pins, CertificateRole::Social).unwrap();
        Self {
            peers: Authorize::pinned(CertificateRole::Rating, &identity),
            people: Authorize::unrevoked(CertificateRole::SocialOperator, &identity),
            directory,
        }
    }

    fn let_in(&self, rule: impl Fn(&[u8]) -> bool) -> Vec<&'static str> {
        let certificate = |name: &str| {
            let path = self.directory.path().join(format!("{name}.pem"));
            certificate_in(&path).unwrap().to_vec()
        };
        let judged = ALL.into_iter().filter(|name| rule(&certificate(name)));
        judged.collect()
    }
}

fn lets_in(rule: &Authorize) -> impl Fn(&[u8]) -> bool + '_ {
    |certificate| rule.judge(certificate).is_ok()
}

/// The rule with nobody asking for a role.
fn of_any_role(rule: &Authorize) -> impl Fn(&[u8]) -> bool + use<> {
    let rule = Authorize {
        roles: CertificateRole::ALL.to_vec(),
        ..rule.clone()
    };
    move |certificate| rule.judge(certificate).is_ok()
}

#[test]
fn without_the_pin_a_second_rating_platform_of_the_authority_is_the_peer() {
    let all = Authority::new();
    assert_eq!(all.let_in(lets_in(&all.peers)), ["rating"]);
    let without = Authorize {
        pinned: false,
        ..all.peers.clone()
    };
    assert_eq!(all.let_in(lets_in(&without)), ["rating", "rating.next"]);
}

#[test]
fn without_the_role_the_peer_may_decide_for_the_people_here() {
    let all = Authority::new();
    assert_eq!(all.let_in(lets_in(&all.people)), ["social-operator"]);
    let without = all.let_in(of_any_role(&all.people));
    let everybody_unrevoked = [
        "rating",
        "rating.next",
        "rating-operator",
        "social",
        "social-operator",
    ];
    assert_eq!(without, everybody_unrevoked);
    // At the peer port the pin alone would do, as long as nobody pins an operator's certificate.
    assert_eq!(all.let_in(of_any_role(&all.peers)), ["rating"]);
}

#[test]
fn without_revocations_a_certificate_that_was_taken_back_still_serves() {
    let all = Authority::new();
    let without = Authorize::role(CertificateRole::SocialOperator);
    let let_in = ["social-operator", "social-operator.next"];
    assert_eq!(all.let_in(lets_in(&without)), let_in);
    assert_eq!(all.let_in(lets_in(&all.people)), ["social-operator"]);
}
