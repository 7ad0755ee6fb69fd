//! Keys, and a folder for each member with what it needs and nothing else.

use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};
use s3rec_node::pki::Pin;

use crate::ClusterError;
use crate::members::{COORDINATOR, Members, is_name, wrong};

/// The file of workers in a member's folder.
const FILE: &str = "workers.toml";

/// Makes a member's key and certificate, `NAME.key` (mode 0600) and `NAME.pem`, in `directory`; its
/// pin is what the file of workers gives it. Nobody signs it: it is believed by that pin alone.
///
/// # Errors
/// [`ClusterError::File`] also rather than overwriting anything.
pub fn make_key(directory: &Path, name: &str) -> Result<Pin, ClusterError> {
    if !is_name(name) {
        return Err(wrong(directory, format!("{name:?} is no member's name")));
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    let of = format!("s3rec cluster {name}");
    params.distinguished_name.push(DnType::CommonName, of);
    let certificate = params.self_signed(&key)?;
    let at = |ending: &str| directory.join(format!("{name}.{ending}"));
    write(&at("key"), &key.serialize_pem(), 0o600)?;
    write(&at("pem"), &certificate.pem(), 0o644)?;
    Ok(Pin::of(certificate.der()))
}

/// Makes `directory/NAME/` for the coordinator and every worker, each with its key, its certificate
/// and `workers.toml`: that folder and no other goes to its machine. `workers` are names and
/// HOST:PORT. Whether anything was made: where every folder is there and whole, nothing is.
///
/// # Errors
/// [`ClusterError::Members`] for names or addresses that are none and where only some folders are
/// there, [`ClusterError::File`].
pub fn make_folders(
    directory: &Path,
    workers: &[(String, String)],
    wait_seconds: u64,
) -> Result<bool, ClusterError> {
    let names = || std::iter::once(COORDINATOR).chain(workers.iter().map(|(name, _)| &**name));
    let whole = |name: &&str| Members::read(&directory.join(name).join(FILE)).is_ok();
    match names().filter(whole).count() {
        0 => {}
        all if all == workers.len() + 1 => return Ok(false),
        some => {
            let detail = format!("{some} members have their folder already; choose an empty one");
            return Err(wrong(directory, detail));
        }
    }
    let mut pins = Vec::new();
    for name in names() {
        let folder = directory.join(name);
        std::fs::create_dir_all(&folder).map_err(|source| ClusterError::File {
            path: folder.clone(),
            source,
        })?;
        pins.push(make_key(&folder, name)?);
    }
    let mut members = format!("\n[coordinator]\npin = \"{}\"\n", pins[0]);
    for ((name, address), pin) in workers.iter().zip(&pins[1..]) {
        // Infallible: into memory.
        let _ = write!(
            members,
            "\n[[worker]]\nname = \"{name}\"\naddress = {address:?}\npin = \"{pin}\"\n"
        );
    }
    for name in names() {
        let text = format!(
            "# The same at every member but for [this].\nwait_seconds = {wait_seconds}\n\n[this]\n\
             name = \"{name}\"\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n{members}"
        );
        let file = directory.join(name).join(FILE);
        write(&file, &text, 0o644)?;
        Members::read(&file)?;
    }
    Ok(true)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), ClusterError> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| ClusterError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_its_own_key_and_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let workers = [("a", "10.0.0.1:7300"), ("b", "10.0.0.2:7300")];
        let workers = workers.map(|(name, address)| (name.to_owned(), address.to_owned()));
        let make = || make_folders(directory.path(), &workers, 7);
        assert!(make().unwrap());
        let read = |name: &str| Members::read(&directory.path().join(name).join(FILE)).unwrap();
        for (own, name) in ["coordinator", "a", "b"].into_iter().enumerate() {
            let members = read(name);
            assert_eq!((members.own, members.wait.as_secs()), (own, 7));
            assert_eq!(members.all, read("coordinator").all);
            assert_eq!(members.digest(), read("coordinator").digest());
            // It reads, and nobody else's key is there.
            members.identity().unwrap();
            let files = std::fs::read_dir(directory.path().join(name)).unwrap();
            assert_eq!(files.count(), 3);
        }
        assert!(
            !make().unwrap(),
            "a set-up that starts again goes on as it was"
        );
        std::fs::remove_file(directory.path().join("b").join(FILE)).unwrap();
        let refused = make().unwrap_err().to_string();
        assert!(
            refused.contains("2 members have their folder already"),
            "{refused}"
        );
        let twice = [workers[0].clone(), workers[0].clone()];
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(make_folders(elsewhere.path(), &twice, 7).is_err());
    }
}
