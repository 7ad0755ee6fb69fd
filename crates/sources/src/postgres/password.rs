//! A password from the environment or a file of passwords as libpq has them.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use zeroize::Zeroizing;

use super::address::Environment;

/// Others than its owner.
const OTHERS: u32 = 0o077;
/// Of a server that says no other.
const USUAL_PORT: u16 = 5432;

/// The password for `config`: `PGPASSWORD`, else of the first line that fits of `file` or, where none
/// is named, of `~/.pgpass`.
///
/// # Errors
/// What is wrong with which file.
pub(super) fn find(
    config: &Config,
    file: Option<&Path>,
    environment: Environment<'_>,
) -> Result<Option<Zeroizing<String>>, String> {
    if let Some(password) = environment("PGPASSWORD") {
        return Ok(Some(Zeroizing::new(password)));
    }
    let usual = || Some(PathBuf::from(environment("HOME")?).join(".pgpass"));
    let (file, is_named) = match file {
        Some(file) => (file.to_owned(), true),
        None => match usual() {
            Some(file) => (file, false),
            None => return Ok(None),
        },
    };
    let failed = |what: String| format!("the file of passwords {}: {what}", file.display());
    let metadata = match std::fs::metadata(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound && !is_named => return Ok(None),
        found => found.map_err(|error| failed(error.to_string()))?,
    };
    let mode = metadata.permissions().mode();
    if metadata.is_file() && mode & OTHERS != 0 {
        return Err(failed(format!(
            "others can read it (mode {:o})",
            mode & 0o777
        )));
    }
    let lines = std::fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
    let lines = Zeroizing::new(lines);
    Ok(of_lines(&lines, config))
}

/// Of the first line `host:port:database:user:password` that fits; `*` fits anything.
fn of_lines(lines: &str, config: &Config) -> Option<Zeroizing<String>> {
    let user = config.get_user().unwrap_or_default();
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host,
        _ => "localhost",
    };
    let port = config.get_ports().first().unwrap_or(&USUAL_PORT);
    let wanted = [
        host.to_owned(),
        port.to_string(),
        config.get_dbname().unwrap_or(user).to_owned(),
        user.to_owned(),
    ];
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let fields = fields(line);
        let [rules @ .., password] = &fields[..] else {
            continue;
        };
        let fits = |(rule, wanted): (&Zeroizing<String>, &String)| {
            rule.as_str() == "*" || rule.as_str() == wanted
        };
        if rules.len() == wanted.len() && rules.iter().zip(&wanted).all(fits) {
            return Some(password.clone());
        }
    }
    None
}

/// The fields of a line; a backslash takes its meaning from what follows.
fn fields(line: &str) -> Vec<Zeroizing<String>> {
    // No reallocation leaves a part of a password behind.
    let empty = || Zeroizing::new(String::with_capacity(line.len()));
    let mut fields = vec![empty()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let (letter, ends) = match letter {
            '\\' => (letters.next().unwrap_or('\\'), false),
            ':' => (':', fields.len() < 5),
            letter => (letter, false),
        };
        match (ends, fields.last_mut()) {
            (true, _) | (_, None) => fields.push(empty()),
            (false, Some(field)) => field.push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &str, address: &str) -> Option<String> {
        let config: Config = address.parse().unwrap();
        of_lines(lines, &config).map(|password| password.to_string())
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let lines = "# h:*:*:*:none\nshort:line\nh:5433:*:ann:other\nh:5432:d:ann:a\\:b\\\\c:d\n*:*:*:*:any\n";
        for (address, password) in [
            ("postgres://ann@h/d", "a:b\\c:d"),
            ("postgres://ann@h:5433/d", "other"),
            ("postgres://bob@h/d", "any"),
            ("postgres:///d?host=/run&user=ann", "any"),
        ] {
            assert_eq!(
                found(lines, address).as_deref(),
                Some(password),
                "{address}"
            );
        }
        assert_eq!(found("h:*:*:ann:x\n", "postgres://bob@h/d"), None);
        assert_eq!(
            found("localhost:*:*:*:x\n", "postgres:///d?host=/run"),
            Some("x".into())
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwords");
        std::fs::write(&file, "*:*:*:*:x\n").unwrap();
        let config: Config = "postgres://ann@h/d".parse().unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            find(&config, Some(&file), &|_| None)
        };
        let said = mode(0o644).unwrap_err();
        assert!(
            said.contains("mode 644") && said.contains("passwords"),
            "{said}"
        );
        assert_eq!(mode(0o600).unwrap().unwrap().as_str(), "x");
        let home = folder.path().display().to_string();
        let at_home = |name: &str| (name == "HOME").then(|| home.clone());
        assert!(find(&config, None, &at_home).unwrap().is_none());
        std::fs::rename(&file, folder.path().join(".pgpass")).unwrap();
        assert!(find(&config, None, &at_home).unwrap().is_some());
        assert!(find(&config, Some(&file), &at_home).is_err());
    }
}
