//! `postgres://USER@HOST/DATABASE` with the parameters of libpq, and what the environment adds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::password;
use crate::error::{SourceError, Trouble, chain};
use crate::trust::{self, Identity};

/// A variable of the environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Until a connection stands.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// A machine that is silent for so long is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// And again after so long.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// So often.
const KEEPALIVE_RETRIES: u32 = 3;
/// What we call ourselves in `pg_stat_activity`.
const APPLICATION: &str = "s3rec";

/// Where to connect, and how.
pub(super) struct Address {
    /// Without secrets.
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) encryption: Encryption,
}

/// What crosses the network.
pub(super) enum Encryption {
    /// All of it in the clear; only where it was asked for, and over a socket of this machine.
    Off,
    /// TLS, the server's certificate and name verified.
    Verified(Arc<ClientConfig>),
}

/// The parameters that are ours to heed: the client's library has no certificates.
#[derive(Default)]
struct Own {
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
    sslcert: Option<PathBuf>,
    sslkey: Option<PathBuf>,
    passfile: Option<PathBuf>,
}

impl Address {
    /// Reads an address; password and certificates may come from the environment as libpq has them:
    /// `PGPASSWORD`, `PGPASSFILE`, `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY`.
    ///
    /// # Errors
    /// [`Trouble::Place`]; [`Trouble::Credentials`] of a file of passwords that others can read.
    pub(super) fn parse(
        text: &str,
        name: &str,
        environment: Environment<'_>,
    ) -> Result<Self, SourceError> {
        let refused =
            |what: String, remedy: &str| SourceError::new(name, Trouble::Place, what, remedy);
        let (text, own, given) = split(text, environment);
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            let remedy =
                "write postgres://USER@HOST/DATABASE, perhaps with ?sslmode=…&sslrootcert=…";
            refused(chain(&error), remedy)
        })?;
        if config.get_hosts().is_empty() {
            let remedy = "write postgres://USER@HOST/DATABASE; of a socket of this machine \
                          postgres:///DATABASE?host=/var/run/postgresql";
            return Err(refused("this names no host".into(), remedy));
        }
        for (name, set) in WITHOUT {
            if !given.iter().any(|given| given == name) {
                set(&mut config);
            }
        }
        let is_local = config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)));
        let encryption = own
            .encryption(is_local)
            .map_err(|(what, remedy)| refused(what, remedy))?;
        config.ssl_mode(match encryption {
            Encryption::Off => SslMode::Disable,
            Encryption::Verified(_) => SslMode::Require,
        });
        if config.get_password().is_none()
            && let Some(found) = password::find(&config, own.passfile.as_deref(), environment)
                .map_err(|what| {
                    let remedy = "let only yourself read it (chmod 600)";
                    SourceError::new(name, Trouble::Credentials, what, remedy)
                })?
        {
            config.password(found.as_bytes());
        }
        Ok(Self {
            name: name.to_owned(),
            config,
            encryption,
        })
    }

    /// Who logs in.
    pub(super) fn user(&self) -> String {
        let named = self.config.get_user().map(str::to_owned);
        named.unwrap_or_else(|| "of this machine's account".to_owned())
    }
}

/// Sets something.
type Setter = fn(&mut Config);

/// What is set where the address does not say it.
const WITHOUT: [(&str, Setter); 4] = [
    ("connect_timeout", |config| {
        config.connect_timeout(CONNECT_LIMIT);
    }),
    ("keepalives_idle", |config| {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }),
    ("keepalives_interval", |config| {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }),
    ("application_name", |config| {
        config.application_name(APPLICATION);
    }),
];

/// The address without what is ours, that, and the names of all parameters.
fn split(text: &str, environment: Environment<'_>) -> (String, Own, Vec<String>) {
    let path = |name: &str| environment(name).map(PathBuf::from);
    let mut own = Own {
        sslmode: environment("PGSSLMODE"),
        sslrootcert: path("PGSSLROOTCERT"),
        sslcert: path("PGSSLCERT"),
        sslkey: path("PGSSLKEY"),
        passfile: path("PGPASSFILE"),
    };
    let (base, parameters) = text.split_once('?').unwrap_or((text, ""));
    let mut kept = Vec::new();
    let mut given = Vec::new();
    for parameter in parameters.split('&').filter(|one| !one.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        given.push(name.to_owned());
        match name {
            "sslmode" => own.sslmode = Some(value),
            "sslrootcert" => own.sslrootcert = Some(value.into()),
            "sslcert" => own.sslcert = Some(value.into()),
            "sslkey" => own.sslkey = Some(value.into()),
            "passfile" => own.passfile = Some(value.into()),
            _ => kept.push(parameter),
        }
    }
    let text = match kept.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", kept.join("&")),
    };
    (text, own, given)
}

impl Own {
    /// Every mode that encrypts verifies as well; what would go on without is refused.
    fn encryption(&self, is_local: bool) -> Result<Encryption, (String, &'static str)> {
        match self.sslmode.as_deref().unwrap_or("verify-full") {
            "disable" => return Ok(Encryption::Off),
            "require" | "verify-ca" | "verify-full" => {}
            other => {
                let what = format!("sslmode={other} may send everything in the clear");
                return Err((
                    what,
                    "say verify-full, or disable where the network is yours",
                ));
            }
        }
        if is_local {
            return Ok(Encryption::Off);
        }
        let roots = self.sslrootcert.as_deref();
        let roots = roots.filter(|file| *file != Path::new("system"));
        let identity = match (&self.sslcert, &self.sslkey) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, None) => None,
            _ => {
                let what = "a certificate of ours and its key go together".to_owned();
                return Err((what, "give sslcert and sslkey, or neither"));
            }
        };
        match trust::client(roots, identity.as_ref()) {
            Ok(config) => Ok(Encryption::Verified(Arc::new(config))),
            Err(what) => Err((
                what,
                "let sslrootcert name a file of the certificates of the server's authority",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Address, SourceError> {
        Address::parse(text, "postgres://h/d", &|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
        match parse(text, variables) {
            Ok(_) => panic!("{text} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn nothing_crosses_a_network_in_the_clear_unless_asked_for() {
        let is_off = |text: &str, variables: &[(&str, &str)]| {
            matches!(parse(text, variables).unwrap().encryption, Encryption::Off)
        };
        assert!(!is_off("postgres://ann@h/d", &[]));
        assert!(!is_off("postgres://ann@h/d?sslmode=require", &[]));
        assert!(is_off("postgres://ann@h/d?sslmode=disable", &[]));
        assert!(is_off("postgres://ann@h/d", &[("PGSSLMODE", "disable")]));
        assert!(is_off("postgres:///d?host=/run/postgresql&user=ann", &[]));
        for mode in ["prefer", "allow", "nonsense"] {
            let said = refusal(&format!("postgres://h/d?sslmode={mode}"), &[]);
            assert!(
                said.contains(mode) && said.contains("verify-full"),
                "{said}"
            );
        }
        let said = refusal("postgres://h/d?sslcert=/tmp/nothing", &[]);
        assert!(said.contains("sslkey"), "{said}");
        let said = refusal("postgres://h/d?sslrootcert=/nowhere/ca.pem", &[]);
        assert!(said.contains("/nowhere/ca.pem"), "{said}");
    }

    #[test]
    fn passwords_come_from_the_address_or_the_environment() {
        let password = |text: &str, variables: &[(&str, &str)]| {
            let config = parse(text, variables).unwrap().config;
            config.get_password().map(<[u8]>::to_vec)
        };
        let both = [("PGPASSWORD", "b"), ("PGPASSFILE", "/nowhere")];
        assert_eq!(
            password("postgres://u:a%40@h/d", &both),
            Some(b"a@".to_vec())
        );
        assert_eq!(password("postgres://u@h/d", &both), Some(b"b".to_vec()));
        assert_eq!(password("postgres://u@h/d", &[]), None);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_secrets() {
        for (text, part) in [
            ("postgres://u:secret@/d", "host"),
            ("postgres://u:secret@h:port/d", "port"),
            ("postgres://u:secret@h/d?colour=secret", "colour"),
            ("postgres:///d", "no host"),
        ] {
            let said = refusal(text, &[]);
            assert!(said.contains(part) && !said.contains("secret"), "{said}");
        }
    }
}
