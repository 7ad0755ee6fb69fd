//! What a database's errors mean to whoever imports.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::COPY;
use super::address::Address;
use crate::error::{SourceError, Trouble, cause, chain};

/// What went wrong with `query` at `address`: before it gave its first row, or after so many.
pub(super) fn explain(
    address: &Address,
    query: &str,
    error: &Error,
    rows: Option<u64>,
) -> SourceError {
    let told = |trouble, what: String, remedy: &str| {
        SourceError::new(&address.name, trouble, what, remedy)
    };
    if let Some(database) = error.as_db_error() {
        return of_database(address, query, database, rows);
    }
    if let Some(rows) = rows {
        return told(
            Trouble::Broken,
            format!("the connection broke after {rows} rows ({})", chain(error)),
            "nothing was imported; import again",
        );
    }
    let said = chain(error);
    if said.contains("password missing") {
        return told(
            Trouble::Credentials,
            format!(
                "the database asks for the password of user {}",
                address.user()
            ),
            PASSWORD,
        );
    }
    if said.contains("does not support TLS") {
        return told(
            Trouble::Unreachable,
            "the database speaks no TLS".into(),
            "switch it on there (ssl = on), or say ?sslmode=disable where the network is yours",
        );
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return told(
            Trouble::Unreachable,
            format!("the server's certificate is not accepted: {tls}"),
            "let ?sslrootcert=FILE name its authority, and the host be called as its certificate has it",
        );
    }
    told(
        Trouble::Unreachable,
        said,
        "check host and port, and that the database takes connections from here (listen_addresses, \
         pg_hba.conf)",
    )
}

/// Where passwords are kept.
const PASSWORD: &str = "set PGPASSWORD, or write it into ~/.pgpass, PGPASSFILE or ?passfile=FILE \
                        as HOST:PORT:DATABASE:USER:PASSWORD";

fn of_database(address: &Address, query: &str, error: &DbError, rows: Option<u64>) -> SourceError {
    let user = address.user();
    let said = error.message();
    let code = error.code();
    let (trouble, what, remedy) = if *code == SqlState::INVALID_PASSWORD {
        let what = format!("the database does not accept the password of user {user}");
        (Trouble::Credentials, what, PASSWORD)
    } else if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        let remedy = "check the user's name, and what pg_hba.conf of the database allows";
        (
            Trouble::Credentials,
            format!("the database refuses user {user}: {said}"),
            remedy,
        )
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        let remedy = "check the name after the host; psql -l lists them";
        (Trouble::Missing, said.to_owned(), remedy)
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        let what = format!("user {user} may not read that: {said}");
        (
            Trouble::Credentials,
            what,
            "GRANT SELECT ON … to that user, or log in as another",
        )
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        (
            Trouble::Query,
            format!("an import only reads: {said}"),
            "give a query that changes nothing",
        )
    } else if *code == SqlState::QUERY_CANCELED {
        (
            Trouble::Query,
            said.to_owned(),
            "give the query more time (statement_timeout) or less to do",
        )
    } else if code.code().starts_with("57P") || code.code().starts_with("53") {
        let rows = rows.map_or_else(String::new, |rows| format!(" after {rows} rows"));
        let what = format!("the database ended the connection{rows}: {said}");
        (Trouble::Broken, what, "nothing was imported; import again")
    } else {
        let at = place(query, error.position()).unwrap_or_default();
        let mut what = format!("the query fails{at}: {said}");
        for more in [error.detail(), error.hint()].into_iter().flatten() {
            what.push_str(&format!(" ({more})"));
        }
        (Trouble::Query, what, "mend it and import again")
    };
    SourceError::new(&address.name, trouble, what, remedy)
}

/// Where in the query, as people count; the server counts characters of the whole statement from 1.
fn place(query: &str, position: Option<&ErrorPosition>) -> Option<String> {
    let Some(ErrorPosition::Original(position)) = position else {
        return None;
    };
    let before = COPY.chars().count() + 1;
    let at = usize::try_from(*position).ok()?.checked_sub(before)?;
    let until: String = query.trim().chars().take(at).collect();
    let line = until.matches('\n').count() + 1;
    let column = until.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Some(format!(" at line {line}, character {column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_the_query_alone() {
        let shift = u32::try_from(COPY.len()).unwrap();
        let of = |query: &str, at: u32| {
            place(query, Some(&ErrorPosition::Original(shift + at))).unwrap_or_default()
        };
        assert_eq!(of("SELECT x", 8), " at line 1, character 8");
        assert_eq!(of("SELECT\n\n é, x", 13), " at line 3, character 5");
        assert_eq!(place("SELECT", Some(&ErrorPosition::Original(2))), None);
        assert_eq!(place("SELECT", None), None);
    }
}
