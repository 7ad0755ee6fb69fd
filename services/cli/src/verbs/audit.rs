//! `s3rec audit …`: works on files, so that anybody can check a log anywhere.

use std::path::{Path, PathBuf};

use s3rec_audit::{Verified, compare, export, verify};
use s3rec_node::audit::{LOG_FILE, last_acknowledged};
use s3rec_node::pki::{Pin, inspect};
use serde_json::json;

use crate::arguments::{AuditVerb, LogArgs};
use crate::failure::Failure;
use crate::output::Output;

/// Checks or exports.
///
/// # Errors
/// [`Failure::Audit`] naming the first bad entry, [`Failure::File`].
pub fn audit(verb: &AuditVerb, output: Output) -> Result<(), Failure> {
    match verb {
        AuditVerb::Verify {
            log,
            against,
            own_pin,
            peer_pin,
        } => {
            let (path, checked) = checked(log)?;
            certificates(&path, &checked, "own", own_pin.as_ref())?;
            certificates(&path, &checked, "peer", peer_pin.as_ref())?;
            if let Some(against) = against {
                let other = read(against)?;
                meet(&path, &checked, against, &other)?;
            }
            print(&path, &checked, against.is_some(), output)
        }
        AuditVerb::Export { log } => {
            let (_, checked) = checked(log)?;
            let lines = checked.entries.iter().map(|(entry, hash)| {
                let line = export::to_json(entry, hash);
                format!("{line}\n")
            });
            output.write(&lines.collect::<String>())
        }
    }
}

/// Reads and checks the log; one in a data directory must hold what its daemon acknowledged.
fn checked(log: &LogArgs) -> Result<(PathBuf, Verified), Failure> {
    let (path, directory) = match (&log.file, &log.data_dir) {
        (Some(file), _) => (file.clone(), None),
        (None, Some(directory)) => (directory.join(LOG_FILE), Some(directory)),
        (None, None) => return Err(Failure::Usage("name a log or a data directory".into())),
    };
    let checked = read(&path)?;
    if let Some(directory) = directory {
        let last = last_acknowledged(directory).map_err(|error| bad(&path, error))?;
        if let Some((head, _)) = last {
            checked
                .holds("this", &head)
                .map_err(|error| bad(&path, error))?;
        }
    }
    Ok((path, checked))
}

fn read(path: &Path) -> Result<Verified, Failure> {
    let bytes = std::fs::read(path).map_err(Failure::at(path))?;
    verify(&bytes).map_err(|finding| bad(path, finding))
}

/// Every identity's certificate must name the key it stands for, and the newest one of `party`
/// be the pinned one where there is a pin.
fn certificates(
    path: &Path,
    log: &Verified,
    party: &str,
    pin: Option<&Pin>,
) -> Result<(), Failure> {
    let mut newest = None;
    for (entry, whose, certificate) in log.certificates() {
        if whose != party {
            continue;
        }
        let wrong = |why: &str| {
            bad(
                path,
                format!("entry {entry}: the {party} certificate {why}"),
            )
        };
        let inspected = inspect(certificate).map_err(|error| wrong(&error.to_string()))?;
        let identity = log
            .entries
            .iter()
            .find(|(known, _)| known.sequence == entry);
        let key = identity.and_then(|(identity, _)| identity.bytes("key"));
        if inspected.signer.as_ref().map(|key| &key.as_bytes()[..]) != key {
            return Err(wrong("does not name the key of the signatures"));
        }
        newest = Some(inspected.pin);
    }
    match (pin, newest) {
        (Some(pin), Some(newest)) if *pin != newest => {
            let why = format!("the {party} certificate has the pin {newest}, not {pin}");
            Err(bad(path, why))
        }
        (Some(_), None) => Err(bad(path, format!("the log names no {party} certificate"))),
        _ => Ok(()),
    }
}

fn meet(path: &Path, log: &Verified, other_path: &Path, other: &Verified) -> Result<(), Failure> {
    let compared = match (log.role.as_str(), other.role.as_str()) {
        ("rating", "social") => compare(log, other),
        ("social", "rating") => compare(other, log),
        _ => {
            let message = format!(
                "{} and {} are both a {} platform's log",
                path.display(),
                other_path.display(),
                log.role
            );
            return Err(Failure::Usage(message));
        }
    };
    compared.map_err(|error| bad(path, error))
}

fn print(path: &Path, log: &Verified, compared: bool, output: Output) -> Result<(), Failure> {
    let head = log
        .head()
        .ok_or_else(|| bad(path, "the log has no entry"))?;
    let (id, head) = (
        export::hexadecimal(&head.log),
        export::hexadecimal(&head.hash),
    );
    let document = json!({
        "log": path,
        "role": log.role,
        "entries": log.entries.len(),
        "approvals": log.approvals,
        "meetings": log.head_exchanges.len(),
        "compared": compared,
        "id": id,
        "head": head,
    });
    output.value(&document, || {
        let mut text = format!(
            "{}: sound; {} entries of a {} platform, {} signed approvals, {} heads signed by both\n\
             log  {id}\nhead {head}\n",
            path.display(),
            log.entries.len(),
            log.role,
            log.approvals,
            log.head_exchanges.len(),
        );
        if !compared {
            text.push_str(
                "What a log that ends early has lost shows only against the other platform's \
                 log: --against FILE.\n",
            );
        }
        text
    })
}

fn bad(path: &Path, what: impl ToString) -> Failure {
    Failure::Audit {
        path: path.to_owned(),
        what: what.to_string(),
    }
}
