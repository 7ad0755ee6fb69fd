//! `s3rec pki install`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use crate::arguments::InstallArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Larger than any key, certificate or list that we write.
const MOST_BYTES: u64 = 1 << 20;

/// Copies keys, certificates, pins and revocation lists to where a daemon reads them, private keys so
/// that nobody else does. What is there already is replaced.
///
/// # Errors
/// [`Failure::File`].
pub(super) fn install(arguments: &InstallArgs, output: Output) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.to).map_err(Failure::at(&arguments.to))?;
    let mut installed = Vec::new();
    for entry in fs::read_dir(&arguments.from).map_err(Failure::at(&arguments.from))? {
        let path = entry.map_err(Failure::at(&arguments.from))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_ours = matches!(ending, Some("key" | "pem" | "pin" | "crl"));
        let Some(name) = path.file_name().filter(|_| is_ours) else {
            continue;
        };
        let metadata = fs::metadata(&path).map_err(Failure::at(&path))?;
        if !metadata.is_file() || metadata.len() > MOST_BYTES {
            continue;
        }
        let to = arguments.to.join(name);
        let mode = if ending == Some("key") { 0o600 } else { 0o644 };
        copy(&path, &to, mode).map_err(Failure::at(&to))?;
        installed.push(to);
    }
    if installed.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no *.key, *.pem, *.pin or *.crl",
            arguments.from.display()
        )));
    }
    installed.sort();
    output.value(&json!({ "installed": installed }), || {
        let shown: Vec<String> = installed
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        shown.join("\n")
    })
}

/// Made with its mode, and moved into place whole.
fn copy(from: &Path, to: &Path, mode: u32) -> std::io::Result<()> {
    let data = Zeroizing::new(fs::read(from)?);
    let new = to.with_extension("installing");
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(&data)?;
    file.sync_all()?;
    fs::rename(&new, to)
}
