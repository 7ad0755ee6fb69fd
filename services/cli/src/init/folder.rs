//! The folder of one platform.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use s3rec_node::pki::{self, Card, CertificateRole, Pin};

use crate::failure::Failure;

/// What both configurations say of both machines.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) rating_host: String,
    pub(super) social_host: String,
    pub(super) rating_port: u16,
    pub(super) social_port: u16,
    pub(super) peer_port: u16,
    /// Whether the configurations switch the consoles on.
    pub(super) consoles: bool,
}

/// One that was made.
pub(super) struct Folder {
    pub(super) role: CertificateRole,
    pub(super) card: Card,
    pub(super) pin: Pin,
    path: PathBuf,
}

impl Pair {
    /// A template with everything put in.
    fn fill(&self, template: &str) -> String {
        // Nothing but loopback reaches a platform that is called localhost.
        let peer_listen = match self.social_host.as_str() {
            "localhost" | "127.0.0.1" => "127.0.0.1",
            "::1" => "[::1]",
            host if host.contains(':') => "[::]",
            _ => "0.0.0.0",
        };
        [
            ("{{rating_host}}", self.rating_host.clone()),
            ("{{social_host}}", self.social_host.clone()),
            ("{{social_address}}", in_url(&self.social_host)),
            ("{{peer_listen}}", peer_listen.to_owned()),
            ("{{rating_port}}", self.rating_port.to_string()),
            ("{{social_port}}", self.social_port.to_string()),
            ("{{peer_port}}", self.peer_port.to_string()),
        ]
        .into_iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(name, &value)
        })
    }
}

impl Folder {
    /// Makes keys, configuration and client file in `path`, for the daemon of `role`.
    pub(super) fn make(path: &Path, role: CertificateRole, pair: &Pair) -> Result<Self, Failure> {
        let keys = path.join("keys");
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keys);
        made.map_err(Failure::at(&keys))?;
        let (host, port, address) = match role {
            CertificateRole::Social => (
                &pair.social_host,
                pair.social_port,
                Some(pair.fill("https://{{social_address}}:{{peer_port}}")),
            ),
            _ => (&pair.rating_host, pair.rating_port, None),
        };
        let issued = pki::issue_platform(&keys, role, std::slice::from_ref(host))?;
        let own = issued.identity(role).ok_or(Failure::Incomplete {
            missing: "identity",
        })?;
        let certificate = read(&own.certificate_path)?;
        let card = Card::new(&keys, &certificate, address)?;
        let client = include_str!("client.toml")
            .replace("{{platform}}", role.name())
            .replace("{{port}}", &port.to_string());
        let configuration = match role {
            CertificateRole::Social => {
                let policy = include_str!("../../../../deploy/policy.toml");
                write(&path.join("policy.toml"), policy)?;
                include_str!("social.toml")
            }
            _ => include_str!("rating.toml"),
        };
        write(
            &path.join(format!("{role}.toml")),
            &pair.fill(&with_console(configuration, pair.consoles)),
        )?;
        write(&path.join("client.toml"), &client)?;
        write(&path.join(format!("{role}.card")), &card.to_text())?;
        Ok(Self {
            role,
            pin: own.pin,
            card,
            path: path.to_owned(),
        })
    }

    /// Where its keys are.
    pub(super) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// What is left for people to do.
    pub(super) fn write_checklist(&self, pair: &Pair) -> Result<(), Failure> {
        let name = self.role.name();
        let other = match self.role {
            CertificateRole::Social => "rating",
            _ => "social",
        };
        let trust = match std::fs::read_to_string(self.keys().join("peer.pin")) {
            Ok(pin) => format!(
                "- [x] The {other} platform is known by its pin, {}",
                pin.trim()
            ),
            Err(_) => format!(
                "- [ ] Send `{name}.card` to the {other} platform, and read its operators our pin over a way \
                 that both trust:\n      `{}`\n- [ ] Take theirs up: `s3rec pki trust --dir keys {other}.card`",
                self.pin
            ),
        };
        let template = match self.role {
            CertificateRole::Social => include_str!("checklist_social.md"),
            _ => include_str!("checklist_rating.md"),
        };
        let text = pair
            .fill(template)
            .replace("{{trust}}", &trust)
            .replace("{{date}}", &crate::output::date_now());
        write(&self.path.join("CHECKLIST.md"), &text)
    }
}

/// A sample configuration, whose console is commented out, with the console where it is wanted.
fn with_console(configuration: &str, wanted: bool) -> String {
    match wanted {
        true => configuration.replace("# [console]\n# listen", "[console]\nlisten"),
        false => configuration.to_owned(),
    }
}

/// Host and port of `https://HOST:PORT`.
pub(super) fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.strip_prefix("https://")?.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    pki::check_host(host).ok()?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// A host as it stands in a URL.
fn in_url(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::at(path))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(Failure::at(path))
}

#[cfg(test)]
mod tests {
    use s3rec_node::Overrides;
    use s3rec_node::config::{PeerSettings, RatingPeer, SocialPeer, load};
    use s3rec_node::tls::Identity;

    use super::*;

    fn pair(social_host: &str) -> Pair {
        Pair {
            rating_host: "p0.example".into(),
            social_host: social_host.into(),
            rating_port: 7100,
            social_port: 7200,
            peer_port: 7201,
            consoles: social_host == "::1",
        }
    }

    #[test]
    fn both_folders_are_read_by_the_daemons_and_trust_each_other() {
        let home = tempfile::tempdir().unwrap();
        for host in ["p1.example", "::1"] {
            let at = home.path().join(host);
            let pair = pair(host);
            let rating = Folder::make(&at.join("rating"), CertificateRole::Rating, &pair).unwrap();
            let social = Folder::make(&at.join("social"), CertificateRole::Social, &pair).unwrap();
            rating.write_checklist(&pair).unwrap();
            let list = read(&at.join("rating/CHECKLIST.md")).unwrap();
            assert!(list.contains("pki trust --dir keys social.card"), "{list}");
            pki::trust(&rating.keys(), &social.card).unwrap();
            pki::trust(&social.keys(), &rating.card).unwrap();
            social.write_checklist(&pair).unwrap();
            let list = read(&at.join("social/CHECKLIST.md")).unwrap();
            assert!(list.contains(&rating.pin.to_string()), "{list}");
            assert!(!list.contains("{{"), "{list}");

            let none = Overrides::default();
            let settings = load::<RatingPeer>(&at.join("rating/rating.toml"), &none).unwrap();
            let console = settings.console.listen.map(|address| address.port());
            assert_eq!(console, pair.consoles.then_some(7310));
            let (host, port) = host_and_port(&settings.peer.address).unwrap();
            assert_eq!((host.as_str(), port), (pair.social_host.as_str(), 7201));
            let role = CertificateRole::Rating;
            let ca = settings.operator.ca.as_deref();
            let pins = settings.peer.pins().unwrap();
            let identity = Identity::load(&settings.tls, ca, pins, role).unwrap();
            assert_eq!(identity.peer_pin(), social.pin);
            let settings = load::<SocialPeer>(&at.join("social/social.toml"), &none).unwrap();
            let role = CertificateRole::Social;
            let ca = settings.operator.ca.as_deref();
            let pins = settings.peer.pins().unwrap();
            let identity = Identity::load(&settings.tls, ca, pins, role).unwrap();
            assert_eq!(identity.peer_pin(), rating.pin);
            s3rec_social::check_policy(settings.peer.policy.as_deref().unwrap()).unwrap();
            assert_eq!(settings.peer.listen.ip().is_loopback(), host == "::1");
            let console = settings.console.listen.map(|address| address.port());
            assert_eq!(console, pair.consoles.then_some(7300));
        }
    }

    #[test]
    fn the_rule_that_the_policy_suggests_is_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("policy.toml");
        let text = include_str!("../../../../deploy/policy.toml");
        let (head, rule) = text.split_once("# [[rule]]").unwrap();
        let rule = rule.replace("\n# ", "\n");
        std::fs::write(&path, format!("{head}[[rule]]{rule}")).unwrap();
        s3rec_social::check_policy(&path).unwrap();
    }
}
