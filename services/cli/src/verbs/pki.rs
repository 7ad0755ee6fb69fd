//! `s3rec pki`.

use std::path::Path;

use s3rec_node::pki::{self, CertificateRole, IssuedIdentity};
use serde_json::{Value, json};

use super::{pki_cards, pki_install, pki_shares};
use crate::arguments::{PkiArgs, PkiVerb, RotateArgs};
use crate::failure::Failure;
use crate::output::Output;

/// Makes, replaces and takes back identities.
///
/// # Errors
/// [`Failure::Pki`], also rather than overwriting anything.
pub fn pki(arguments: &PkiArgs, output: Output) -> Result<(), Failure> {
    match &arguments.verb {
        Some(PkiVerb::Rotate(rotate)) => self::rotate(rotate, output),
        Some(PkiVerb::Activate(activate)) => {
            let active = pki::activate(&activate.dir, activate.role)?;
            write_pin(&active)?;
            // Its pin stands in NAME.pin now. Whoever has removed the other file has no need of it.
            let _ = std::fs::remove_file(activate.dir.join(format!("{}.next.pin", active.role)));
            output.value(&to_json(&active), || {
                let role = active.role;
                format!(
                    "{}A running daemon takes it up within seconds. Then have the other platform \
                     forget the old pin, and revoke {role}.old.pem.",
                    words(&active)
                )
            })
        }
        Some(PkiVerb::Revoke(revoke)) => {
            let list = pki::revoke(&revoke.dir, &revoke.certificate)?;
            output.value(&json!({ "revocations": list }), || {
                format!(
                    "{} now names it. Copy the list to where tls.revoked of each platform says; \
                     running daemons take it up within seconds.",
                    list.display()
                )
            })
        }
        Some(PkiVerb::Request(request)) => pki_cards::request(request, output),
        Some(PkiVerb::Sign(sign)) => pki_cards::sign(sign, output),
        Some(PkiVerb::Trust(trust)) => pki_cards::trust(trust, output),
        Some(PkiVerb::Card(card)) => pki_cards::card(card, output),
        Some(PkiVerb::Install(install)) => pki_install::install(install, output),
        None => match (&arguments.out, &arguments.shares) {
            (Some(out), _) => issue(out, &arguments.hosts, output),
            (None, Some(shares)) => pki_shares::hand_out(shares, &arguments.hosts, output),
            (None, None) => Err(Failure::Usage(
                "--out DIR or --shares DIR is missing".into(),
            )),
        },
    }
}

fn issue(out: &Path, hosts: &[String], output: Output) -> Result<(), Failure> {
    let issued = pki::issue(out, hosts)?;
    issued.identities.iter().try_for_each(write_pin)?;
    let identities: Vec<Value> = issued.identities.iter().map(to_json).collect();
    output.value(
        &json!({ "ca": issued.ca_path, "identities": identities }),
        || {
            let mut text = format!("Authority: {}\n", issued.ca_path.display());
            for identity in &issued.identities {
                text.push_str(&words(identity));
            }
            text.push_str(
                "Each platform gets its own key, its operators' keys, ca.pem and ca.crl, and \
                 nothing else.\nIn [peer] of each configuration, set pin to the other platform's \
                 pin, or pin_file to a file with it.",
            );
            text
        },
    )
}

/// Makes the next identity; with `--now` also moves it into place, for certificates that nobody
/// pins.
fn rotate(arguments: &RotateArgs, output: Output) -> Result<(), Failure> {
    let mut made = pki::rotate(&arguments.dir, arguments.role, &arguments.hosts)?;
    if arguments.now {
        made = pki::activate(&arguments.dir, arguments.role)?;
    }
    write_pin(&made)?;
    output.value(&to_json(&made), || {
        let next = match (arguments.now, arguments.role) {
            (true, _) => "It is in place.".into(),
            (false, CertificateRole::Rating | CertificateRole::Social) => format!(
                "Have the other platform add this pin as a line of its peer.pin_file, then run: \
                 s3rec pki activate --dir {} --role {}",
                arguments.dir.display(),
                arguments.role
            ),
            (false, role) => format!(
                "Put it into place with: s3rec pki activate --dir {} --role {role}",
                arguments.dir.display()
            ),
        };
        format!("{}{next}", words(&made))
    })
}

fn write_pin(identity: &IssuedIdentity) -> Result<(), Failure> {
    let path = identity.certificate_path.with_extension("pin");
    std::fs::write(&path, format!("{}\n", identity.pin)).map_err(Failure::at(&path))
}

fn to_json(identity: &IssuedIdentity) -> Value {
    json!({
        "role": identity.role.name(),
        "certificate": identity.certificate_path,
        "key": identity.key_path,
        "pin": identity.pin.to_string(),
    })
}

fn words(identity: &IssuedIdentity) -> String {
    let (role, path) = (identity.role.name(), identity.certificate_path.display());
    format!("{role:<16} {path}\n{:<16} pin {}\n", "", identity.pin)
}
