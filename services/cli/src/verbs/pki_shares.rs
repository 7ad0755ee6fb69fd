//! `s3rec pki --shares`: one directory for each holder, with what that holder needs and nothing
//! else. The authority's key is in none of them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use s3rec_node::pki::{self, CertificateRole};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

/// Issues identities as `s3rec pki` does and hands them out: `DIR/ROLE/` gets `ROLE.pem`,
/// `ROLE.key` and `ca.pem`, a platform's also `ca.crl`, `ROLE.sign` and `peer.pin`, the other one's pin. Where all
/// four have theirs already, nothing is done: a set-up that starts again goes on as it was.
///
/// # Errors
/// [`Failure::Pki`] where only some have theirs, [`Failure::File`].
pub(super) fn hand_out(shares: &Path, hosts: &[String], output: Output) -> Result<(), Failure> {
    let directories = CertificateRole::ALL.map(|role| shares.join(role.name()));
    let given = CertificateRole::ALL
        .iter()
        .zip(&directories)
        .map(|(role, directory)| directory.join(format!("{role}.pem")))
        .filter(|certificate| certificate.exists())
        .collect::<Vec<_>>();
    let issued = given.len() < directories.len();
    if issued {
        if let Some(path) = given.into_iter().next() {
            return Err(pki::PkiError::Exists { path }.into());
        }
        issue(shares, hosts)?;
    }
    output.value(
        &json!({ "issued": issued, "shares": directories }),
        || match issued {
            true => format!(
                "Issued the four shares in {}; nobody holds the authority's key.",
                shares.display()
            ),
            false => format!("{} holds all four shares already.", shares.display()),
        },
    )
}

fn issue(shares: &Path, hosts: &[String]) -> Result<(), Failure> {
    // Removed with the authority's key: nobody can issue a fifth identity.
    let work = tempfile::tempdir().map_err(Failure::at(&std::env::temp_dir()))?;
    let issued = pki::issue(work.path(), hosts)?;
    for identity in &issued.identities {
        let directory = shares.join(identity.role.name());
        std::fs::create_dir_all(&directory).map_err(Failure::at(&directory))?;
        copy(&issued.ca_path, &directory, 0o644)?;
        copy(&identity.key_path, &directory, 0o600)?;
        // A platform's, for what it signs; its people sign nothing.
        let signing = identity.key_path.with_extension("sign");
        if signing.exists() {
            copy(&signing, &directory, 0o600)?;
        }
        let other = match identity.role {
            CertificateRole::Rating => Some(CertificateRole::Social),
            CertificateRole::Social => Some(CertificateRole::Rating),
            CertificateRole::RatingOperator | CertificateRole::SocialOperator => None,
        };
        if let Some(peer) = other.and_then(|other| issued.identity(other)) {
            copy(&issued.ca_path.with_extension("crl"), &directory, 0o644)?;
            let pin = format!("{}\n", peer.pin);
            write(&directory.join("peer.pin"), pin.as_bytes(), 0o644)?;
        }
        // Last, so that a share with a certificate is whole.
        copy(&identity.certificate_path, &directory, 0o644)?;
    }
    Ok(())
}

fn copy(from: &Path, directory: &Path, mode: u32) -> Result<(), Failure> {
    let bytes = std::fs::read(from).map_err(Failure::at(from))?;
    let name = from.file_name().unwrap_or_default();
    write(&directory.join(name), &bytes, mode)
}

/// What an issue that was cut off left behind is replaced.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(Failure::at(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn files(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn everybody_gets_their_own_and_nothing_else() {
        let shares = tempfile::tempdir().unwrap();
        hand_out(shares.path(), &["rating".into()], Output::new(true)).unwrap();
        let share = |role: &str| files(&shares.path().join(role));
        assert_eq!(
            share("rating"),
            [
                "ca.crl",
                "ca.pem",
                "peer.pin",
                "rating.key",
                "rating.pem",
                "rating.sign"
            ]
        );
        assert_eq!(
            share("social-operator"),
            ["ca.pem", "social-operator.key", "social-operator.pem"]
        );
        let key = shares.path().join("social/social.key");
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (social, _) = pki::inspect_file(&shares.path().join("social/social.pem")).unwrap();
        let pinned = std::fs::read_to_string(shares.path().join("rating/peer.pin")).unwrap();
        assert_eq!(pinned.trim(), social.pin.to_string());

        hand_out(shares.path(), &[], Output::new(true)).unwrap();
        let again = std::fs::read_to_string(shares.path().join("rating/peer.pin")).unwrap();
        assert_eq!(pinned, again, "a second call changes nothing");

        std::fs::remove_file(shares.path().join("social/social.pem")).unwrap();
        let some = hand_out(shares.path(), &[], Output::new(true));
        assert!(matches!(some, Err(Failure::Pki(_))), "only some are there");
    }
}
