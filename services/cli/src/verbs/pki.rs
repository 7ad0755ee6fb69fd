//! `s3rec pki`.

use s3rec_node::pki;
use serde_json::{Value, json};

use crate::arguments::PkiArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Makes the authority and all identities, writes each pin beside its certificate, and says what
/// to pin where.
///
/// # Errors
/// [`Failure::Pki`], also rather than overwriting anything.
pub fn pki(arguments: &PkiArgs, output: Output) -> Result<(), Failure> {
    let issued = pki::issue(&arguments.out, &arguments.hosts)?;
    for identity in &issued.identities {
        let path = identity.certificate_path.with_extension("pin");
        std::fs::write(&path, format!("{}\n", identity.pin))
            .map_err(|source| Failure::File { path, source })?;
    }
    let identities: Vec<Value> = issued
        .identities
        .iter()
        .map(|identity| {
            json!({
                "role": identity.role.name(),
                "certificate": identity.certificate_path,
                "key": identity.key_path,
                "pin": identity.pin.to_string(),
            })
        })
        .collect();
    output.value(
        &json!({ "ca": issued.ca_path, "identities": identities }),
        || {
            let mut text = format!("Authority: {}\n", issued.ca_path.display());
            for identity in &issued.identities {
                let (role, path) = (identity.role.name(), identity.certificate_path.display());
                text.push_str(&format!(
                    "{role:<16} {path}\n{:<16} pin {}\n",
                    "", identity.pin
                ));
            }
            text.push_str(
            "Each platform gets its own key, its operators' keys and ca.pem, and nothing else.\n\
             In [peer] of each configuration, set pin to the other platform's pin.",
        );
            text
        },
    )
}
