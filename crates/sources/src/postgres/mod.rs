//! The rows of a query, by `COPY … TO STDOUT`: as CSV with a header, so that columns go by their names.
//!
//! The query runs alone in a transaction that may only read. Nothing is tried a second time: another
//! run would see other rows.

mod address;
mod password;
mod session;
mod trouble;

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, CopyOutStream, Error, NoTls};

use crate::error::{SourceError, Trouble};
use crate::opened::Opened;
use crate::spool::{self, Spool};
use address::{Address, Encryption};

/// No row for so long, and the database is given up. A query that sorts may take its time before
/// the first; that the machine is still there the system asks by itself.
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// What stands before the query.
const COPY: &str = "COPY (\n";
/// What stands after it, on a line of its own lest a comment at its end swallow it. Every value is in
/// quotes: a row whose first begins with `#` is no comment, and what has no value has no quotes.
const AS_CSV: &str = "\n) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)";
/// Times and numbers as they are read, whatever the server is set to.
const BEGIN: &str = "START TRANSACTION READ ONLY; SET LOCAL DateStyle = 'ISO, YMD'; \
                     SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1";

/// Copies all rows of `query` into a file that nobody else can open.
///
/// # Errors
/// [`SourceError`] naming `name`, which has no secrets.
pub(crate) async fn open(address: &str, name: &str, query: &str) -> Result<Opened, SourceError> {
    let address = Address::parse(address, name, &|name| std::env::var(name).ok())?;
    let mut connected = connect(&address).await?;
    match copy(&connected.client, name, query).await {
        Ok(opened) => Ok(opened),
        Err(Stopped::Ours(error)) => Err(error),
        Err(Stopped::Theirs { error, rows }) => {
            // A closed connection says why to whoever drove it.
            let reason = match error.is_closed() {
                true => connected.reason().await,
                false => None,
            };
            let error = reason.unwrap_or(error);
            Err(trouble::explain(&address, query, &error, rows))
        }
    }
}

/// A connection, and the task that drives it.
struct Connected {
    client: Client,
    driver: JoinHandle<Result<(), Error>>,
}

impl Connected {
    /// Why the connection ended.
    async fn reason(&mut self) -> Option<Error> {
        (&mut self.driver).await.ok().and_then(Result::err)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn connect(address: &Address) -> Result<Connected, SourceError> {
    let explain = |error: Error| trouble::explain(address, "", &error, None);
    let (client, driver) = match &address.encryption {
        Encryption::Off => {
            let (client, connection) = address.config.connect(NoTls).await.map_err(explain)?;
            (client, tokio::spawn(connection))
        }
        Encryption::Verified(tls) => {
            let tls = session::Tls::new(tls.clone());
            let (client, connection) = address.config.connect(tls).await.map_err(explain)?;
            (client, tokio::spawn(connection))
        }
    };
    Ok(Connected { client, driver })
}

/// Why copying ended early.
enum Stopped {
    /// On this side.
    Ours(SourceError),
    /// On the other, after so many rows, or before the first.
    Theirs { error: Error, rows: Option<u64> },
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Ours(error)
    }
}

async fn copy(client: &Client, name: &str, query: &str) -> Result<Opened, Stopped> {
    let theirs = |error| Stopped::Theirs { error, rows: None };
    let query = query.trim().trim_end_matches(';');
    client.batch_execute(BEGIN).await.map_err(theirs)?;
    let statement = format!("{COPY}{query}{AS_CSV}");
    let lines = client.copy_out(&statement).await.map_err(theirs)?;
    let (spool, rows) = receive(lines, name, Spool::new(spool::file()?)).await?;
    let rows = Some(rows);
    let theirs = |error| Stopped::Theirs { error, rows };
    client.batch_execute("COMMIT").await.map_err(theirs)?;
    Ok(spool.finish().await?)
}

/// All lines, and how many of them are rows.
async fn receive(
    lines: CopyOutStream,
    name: &str,
    mut spool: Spool,
) -> Result<(Spool, u64), Stopped> {
    let mut lines = pin!(lines);
    let mut received = 0_u64;
    loop {
        // The first line is the header.
        let rows = received.saturating_sub(1);
        match timeout(IDLE_LIMIT, lines.next()).await {
            Ok(None) => return Ok((spool, rows)),
            Ok(Some(Ok(line))) => {
                spool.write(&line).await?;
                received += 1;
            }
            Ok(Some(Err(error))) => {
                let rows = Some(rows);
                return Err(Stopped::Theirs { error, rows });
            }
            Err(_) => {
                let minutes = IDLE_LIMIT.as_secs() / 60;
                let what = format!("no further row came for {minutes} minutes, after {rows}");
                let remedy = "nothing was imported; see what holds the query up \
                              (pg_stat_activity), or keep its rows in a table first";
                return Err(SourceError::new(name, Trouble::Broken, what, remedy).into());
            }
        }
    }
}
