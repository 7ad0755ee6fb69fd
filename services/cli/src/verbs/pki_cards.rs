//! `s3rec pki request`, `sign`, `trust` and `card`: certificates without a key that travels.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use s3rec_node::pki::{self, Card, CertificateRole, Pin};
use serde_json::json;

use crate::arguments::{CardArgs, RequestArgs, SignArgs, TrustArgs};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn request(arguments: &RequestArgs, output: Output) -> Result<(), Failure> {
    let made = pki::request(&arguments.dir, arguments.role, &arguments.hosts)?;
    let document = json!({
        "role": arguments.role.name(),
        "request": made.request_path,
        "key": made.key_path,
        "digest": made.digest.to_string(),
    });
    output.value(&document, || {
        let (request, role) = (made.request_path.display(), arguments.role);
        format!(
            "The key stays in {}. Send {request} to whoever signs, and read them its digest:\n  {}\n\
             There: s3rec pki sign --dir AUTHORITY --role {role} {request}\n\
             With the card that comes back: s3rec pki trust --dir {} CARD",
            made.key_path.display(),
            made.digest,
            arguments.dir.display()
        )
    })
}

pub(super) fn sign(arguments: &SignArgs, output: Output) -> Result<(), Failure> {
    let request = pki::read_request(&arguments.request)?;
    let shown = arguments.request.display();
    if request.role != arguments.role {
        return Err(Failure::Usage(format!(
            "{shown} asks for the role {}, not {}: sign it with --role {} if that is what you want",
            request.role, arguments.role, request.role
        )));
    }
    let names = match request.hosts.is_empty() {
        true => "this machine's own names alone".to_owned(),
        false => request.hosts.join(", "),
    };
    agree_on(
        &format!(
            "{shown}: a certificate for the role {}, valid for {names}",
            request.role
        ),
        "digest",
        request.digest,
        arguments.digest,
    )?;
    let card = pki::sign(&arguments.dir, &request)?;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => arguments.request.with_extension("card"),
    };
    write_card(&out, &card)?;
    let pin = card.inspect()?.pin;
    let document = json!({ "role": request.role.name(), "card": out, "pin": pin.to_string() });
    output.value(&document, || {
        format!(
            "Signed. Send {} back; nothing in it is secret. There:\n  \
             s3rec pki trust --dir DIR --pin {pin} {}",
            out.display(),
            out.display()
        )
    })
}

pub(super) fn trust(arguments: &TrustArgs, output: Output) -> Result<(), Failure> {
    let card = Card::read(&arguments.card)?;
    let inspected = card.inspect()?;
    let shown = arguments.card.display();
    agree_on(
        &format!("{shown}: the certificate of the role {}", inspected.role),
        "pin",
        inspected.pin,
        arguments.pin,
    )?;
    let trusted = pki::trust(&arguments.dir, &card)?;
    let kept: Vec<String> = trusted.kept.iter().map(Pin::to_string).collect();
    let document = json!({
        "role": trusted.role.name(),
        "pin": trusted.pin.to_string(),
        "own": trusted.is_ours,
        "kept": kept,
        "written": trusted.written,
    });
    output.value(&document, || {
        let mut text = match trusted.is_ours {
            true => format!(
                "This is our own certificate ({}), and is in place.",
                trusted.role
            ),
            false => format!("The {} platform is known by {}.", trusted.role, trusted.pin),
        };
        for path in &trusted.written {
            text.push_str(&format!("\n  wrote {}", path.display()));
        }
        for pin in kept {
            text.push_str(&format!(
                "\n  {pin} is believed as well; take it out of peer.pin once they have changed over"
            ));
        }
        text
    })
}

pub(super) fn card(arguments: &CardArgs, output: Output) -> Result<(), Failure> {
    let CardArgs { dir, role, .. } = arguments;
    if !matches!(role, CertificateRole::Rating | CertificateRole::Social) {
        return Err(Failure::Usage(format!(
            "a {role} has no card: nobody pins it"
        )));
    }
    let ending = if arguments.next { "next.pem" } else { "pem" };
    let path = dir.join(format!("{role}.{ending}"));
    let pem = std::fs::read_to_string(&path).map_err(Failure::at(&path))?;
    let card = Card::new(dir, &pem, arguments.address.clone())?;
    write_card(&arguments.out, &card)?;
    let pin = card.inspect()?.pin;
    let document = json!({ "role": role.name(), "card": arguments.out, "pin": pin.to_string() });
    output.value(&document, || {
        format!(
            "Send {} to the other platform, and read its operators the pin:\n  {pin}",
            arguments.out.display()
        )
    })
}

pub(crate) fn write_card(path: &Path, card: &Card) -> Result<(), Failure> {
    std::fs::write(path, card.to_text()).map_err(Failure::at(path))
}

/// Makes sure that a person has compared what came with what was read to them: `given` as a flag, or
/// typed on the terminal. Without either nothing is believed.
///
/// # Errors
/// [`Failure::Usage`] for another one, or none.
pub(crate) fn agree_on(
    what: &str,
    called: &str,
    found: Pin,
    given: Option<Pin>,
) -> Result<(), Failure> {
    let differs = |given: &str| {
        Failure::Usage(format!(
            "{what} has the {called} {found}, and {given} was read to you: do not use this file; ask \
             for it again, over another way"
        ))
    };
    match given {
        Some(given) if given == found => return Ok(()),
        Some(given) => return Err(differs(&given.to_string())),
        None => {}
    }
    let mut stderr = std::io::stderr();
    if !(std::io::stdin().is_terminal() && stderr.is_terminal()) {
        return Err(Failure::Usage(format!(
            "{what} has the {called} {found}; compare it with what the other side reads to you over \
             a way that both trust, and give it with --{called}"
        )));
    }
    let failed = Failure::at("the terminal");
    write!(
        stderr,
        "{what}.\nIts {called}, as the other side reads it to you (the first 24 digits do): "
    )
    .and_then(|()| stderr.flush())
    .map_err(&failed)?;
    let mut typed = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut typed)
        .map_err(&failed)?;
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    // 96 bits: nobody makes another certificate that begins alike.
    if typed.len() >= 24 && found.to_string().starts_with(&typed.to_lowercase()) {
        return Ok(());
    }
    Err(differs(&typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_pin_or_none_is_refused_with_what_came() {
        let (found, other) = (Pin::of(b"one"), Pin::of(b"two"));
        agree_on("a card", "pin", found, Some(found)).unwrap();
        for given in [Some(other), None] {
            // Tests have no terminal to ask on.
            let refused = agree_on("a card", "pin", found, given).unwrap_err();
            assert!(
                refused.to_string().contains(&found.to_string()),
                "{refused}"
            );
            assert_eq!(refused.reason(), "USAGE");
        }
    }
}
