//! `s3rec init`: a folder for each platform with everything its operators need, and nothing of the
//! other's that is secret.

mod ask;
mod folder;

use std::path::{Path, PathBuf};

use s3rec_node::pki::{self, Card, CertificateRole};
use serde_json::{Value, json};

use crate::arguments::{InitArgs, InitPlatform};
use crate::contexts::{self, Contexts};
use crate::failure::Failure;
use crate::output::Output;
use crate::verbs::agree_on;
use folder::{Folder, Pair};

/// Makes the folders of both platforms, or of one where only that one's operators are.
///
/// With both, the cards are exchanged here; with one, the other's is taken up where `--card` names it,
/// or later by `s3rec pki trust`.
///
/// # Errors
/// [`Failure::Usage`] for what is missing and cannot be asked, [`Failure::Pki`] rather than overwriting
/// anything, [`Failure::File`].
pub fn init(arguments: &InitArgs, output: Output) -> Result<(), Failure> {
    let card = arguments.card.as_deref().map(Card::read).transpose()?;
    if let Some(card) = &card {
        let inspected = card.inspect()?;
        let what = format!("the card of the role {}", inspected.role);
        agree_on(&what, "pin", inspected.pin, arguments.pin)?;
    }
    let pair = pair(arguments, card.as_ref())?;
    refuse_full(&arguments.out)?;
    let parent = match arguments.out.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&parent).map_err(Failure::at(&parent))?;
    // Whole or not at all: nobody finds half a folder.
    let work = tempfile::Builder::new()
        .prefix(".s3rec-init-")
        .tempdir_in(&parent)
        .map_err(Failure::at(&parent))?;
    let folders = make(arguments, &pair, work.path())?;
    if let (Some(card), [folder]) = (&card, &folders[..]) {
        pki::trust(&folder.keys(), card)?;
    }
    for folder in &folders {
        folder.write_checklist(&pair)?;
    }
    // One that is there is empty, as was seen above.
    let _ = std::fs::remove_dir(&arguments.out);
    let made = work.keep();
    std::fs::rename(&made, &arguments.out).map_err(Failure::at(&arguments.out))?;
    let out = std::fs::canonicalize(&arguments.out).map_err(Failure::at(&arguments.out))?;
    let context = match arguments.no_context {
        true => None,
        false => remember(arguments, &out)?,
    };
    output.value(&document(&folders, &out, context.as_deref()), || {
        words(&folders, &arguments.out, card.is_some(), context.as_deref())
    })
}

/// What both configurations say of both machines: as given, as the card says, or as asked.
fn pair(arguments: &InitArgs, card: Option<&Card>) -> Result<Pair, Failure> {
    let called = card.and_then(|card| card.address.as_deref());
    let (called_host, called_port) = match called.map(folder::host_and_port) {
        Some(Some((host, port))) => (Some(host), Some(port)),
        Some(None) => {
            let message = "the card's address is not https://HOST:PORT; ask for another card";
            return Err(Failure::Usage(message.into()));
        }
        None => (None, None),
    };
    let (needs_rating, needs_social) = match arguments.only {
        Some(InitPlatform::Social) => (false, true),
        _ => (true, true),
    };
    let host = |given: &Option<String>, flag, what, needed: bool| match (given, needed) {
        (Some(host), _) => Ok(host.clone()),
        (None, true) => ask::host(flag, what),
        (None, false) => Ok("the rating platform's machine".into()),
    };
    Ok(Pair {
        rating_host: host(
            &arguments.rating_host,
            "--rating-host",
            "Host name of the rating platform's machine",
            needs_rating,
        )?,
        social_host: host(
            &arguments.social_host.clone().or(called_host),
            "--social-host",
            "Host name that the rating platform reaches the social platform under",
            needs_social,
        )?,
        rating_port: arguments.rating_port,
        social_port: arguments.social_port,
        peer_port: called_port.unwrap_or(arguments.peer_port),
        consoles: arguments.consoles,
    })
}

fn make(arguments: &InitArgs, pair: &Pair, work: &Path) -> Result<Vec<Folder>, Failure> {
    use CertificateRole::{Rating, Social};
    if let Some(only) = arguments.only {
        let role = match only {
            InitPlatform::Rating => Rating,
            InitPlatform::Social => Social,
        };
        return Ok(vec![Folder::make(work, role, pair)?]);
    }
    let folders = vec![
        Folder::make(&work.join("rating"), Rating, pair)?,
        Folder::make(&work.join("social"), Social, pair)?,
    ];
    if let [rating, social] = &folders[..] {
        pki::trust(&rating.keys(), &social.card)?;
        pki::trust(&social.keys(), &rating.card)?;
    }
    Ok(folders)
}

/// A directory with anything in it is somebody's.
fn refuse_full(path: &Path) -> Result<(), Failure> {
    let is_free = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    match is_free {
        true => Ok(()),
        false => Err(pki::PkiError::Exists {
            path: path.to_owned(),
        }
        .into()),
    }
}

/// Makes the new folders the context in use; gives its name.
fn remember(arguments: &InitArgs, out: &Path) -> Result<Option<String>, Failure> {
    let Some(directory) = contexts::directory() else {
        return Ok(None);
    };
    let name = match &arguments.context {
        Some(name) => name.clone(),
        None => out.file_name().unwrap_or_default().to_string_lossy().into(),
    };
    let mut all = Contexts::read(&directory)?;
    let context = all.contexts.entry(name.clone()).or_default();
    let file = |folder: &str| Some(out.join(folder).join("client.toml"));
    match arguments.only {
        Some(InitPlatform::Rating) => context.rating = file(""),
        Some(InitPlatform::Social) => context.social = file(""),
        None => (context.rating, context.social) = (file("rating"), file("social")),
    }
    all.current = Some(name.clone());
    all.write(&directory)?;
    Ok(Some(name))
}

fn document(folders: &[Folder], out: &Path, context: Option<&str>) -> Value {
    let folders: Vec<Value> = folders
        .iter()
        .map(|folder| {
            let place = match folders.len() {
                1 => out.to_owned(),
                _ => out.join(folder.role.name()),
            };
            let name = folder.role.name();
            json!({
                "role": name,
                "folder": place,
                "configuration": place.join(format!("{name}.toml")),
                "client": place.join("client.toml"),
                "card": place.join(format!("{name}.card")),
                "pin": folder.pin.to_string(),
            })
        })
        .collect();
    json!({ "folders": folders, "context": context })
}

fn words(folders: &[Folder], out: &Path, is_trusted: bool, context: Option<&str>) -> String {
    let mut text = String::new();
    for folder in folders {
        let name = folder.role.name();
        let place = match folders.len() {
            1 => out.to_owned(),
            _ => out.join(name),
        };
        let shown = place.display();
        text.push_str(&format!(
            "{shown}: the {name} platform; CHECKLIST.md says what to do with it\n  \
             start it with: s3rec-{name} --config {}\n",
            place.join(format!("{name}.toml")).display()
        ));
        if folders.len() == 1 {
            text.push_str(&format!(
                "  send {} to the other platform, and read its operators the pin:\n    {}\n",
                place.join(format!("{name}.card")).display(),
                folder.pin
            ));
        }
        if folders.len() == 1 && !is_trusted {
            text.push_str(&format!(
                "  with their card: s3rec pki trust --dir {} CARD\n",
                place.join("keys").display()
            ));
        }
    }
    if folders.len() == 2 {
        text.push_str(
            "Each folder goes to the operators of its own machine alone: it holds private keys. Where \
             they shall never travel, run s3rec init --only at each.\n",
        );
    }
    if let Some(context) = context {
        text.push_str(&format!(
            "s3rec rating and s3rec social mean these platforms now (context {context}).\n"
        ));
    }
    text
}
