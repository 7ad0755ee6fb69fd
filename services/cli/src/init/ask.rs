//! What nobody has said is asked, where somebody is there to answer.

use std::io::{BufRead, IsTerminal, Write};

use s3rec_node::pki::check_host;

use crate::failure::Failure;

/// A host, typed on the terminal; without one the flag is named.
pub(super) fn host(flag: &str, what: &str) -> Result<String, Failure> {
    let mut stderr = std::io::stderr();
    if !(std::io::stdin().is_terminal() && stderr.is_terminal()) {
        let message = format!("{flag} is missing: {}", what.to_lowercase());
        return Err(Failure::Usage(message));
    }
    read(&mut std::io::stdin().lock(), &mut stderr, what)
}

fn read(answers: &mut impl BufRead, shown: &mut impl Write, what: &str) -> Result<String, Failure> {
    let failed = Failure::at("the terminal");
    loop {
        write!(shown, "{what} [localhost]: ")
            .and_then(|()| shown.flush())
            .map_err(&failed)?;
        let mut line = String::new();
        if answers.read_line(&mut line).map_err(&failed)? == 0 {
            return Err(Failure::Interrupted);
        }
        let host = match line.trim() {
            "" => "localhost",
            host => host,
        };
        match check_host(host) {
            Ok(()) => return Ok(host.to_owned()),
            Err(error) => writeln!(shown, "{error}").map_err(&failed)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_until_it_is_a_host() {
        let asked = |typed: &str| {
            let mut shown = Vec::new();
            let host = read(&mut typed.as_bytes(), &mut shown, "Host").ok();
            (host, String::from_utf8(shown).unwrap())
        };
        assert_eq!(asked("\n").0, Some("localhost".into()));
        let (host, shown) = asked("p0.example:7200\np0.example\n");
        assert_eq!(host, Some("p0.example".into()));
        assert!(shown.contains("without port"), "{shown}");
        assert_eq!(asked("").0, None);
    }
}
