//! Two platforms as processes of this command's own program, over a loopback connection: each has
//! its own memory, threads and processor time.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use s3rec_bench::BenchError;
use s3rec_bench::psi::Party;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::output::Output;

/// Runs `s3rec bench` with these arguments as both parties, and reads what each measured: P0, P1.
pub(super) fn both<T: DeserializeOwned>(arguments: &[&str]) -> Result<[T; 2], Failure> {
    let mut social = Started::start(arguments, None)?;
    let address = social.line()?;
    let mut rating = Started::start(arguments, Some(address.trim()))?;
    Ok([rating.record()?, social.record()?])
}

/// In a party's process: which it is, and its connection to the other.
pub(super) fn connected(
    connect: Option<SocketAddr>,
    output: Output,
) -> Result<(Party, TcpStream), Failure> {
    let (party, stream) = match connect {
        Some(address) => (Party::Rating, TcpStream::connect(address)),
        None => (Party::Social, accept(output)?),
    };
    Ok((party, stream.map_err(BenchError::Connection)?))
}

/// In a party's process: what it measured, for [`both`].
pub(super) fn say(record: &impl Serialize, output: Output) -> Result<(), Failure> {
    let line = serde_json::to_string(record).map_err(|error| broken(&error.to_string()))?;
    output.write(&line)
}

/// The parties did not finish as they should.
pub(super) fn broken(what: &str) -> Failure {
    BenchError::Connection(std::io::Error::other(what.to_owned())).into()
}

fn accept(output: Output) -> Result<std::io::Result<TcpStream>, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(BenchError::Connection)?;
    let address = listener.local_addr().map_err(BenchError::Connection)?;
    output.write(&address.to_string())?;
    Ok(listener.accept().map(|(stream, _)| stream))
}

/// A party's process; killed when dropped.
struct Started {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Started {
    fn start(arguments: &[&str], connect: Option<&str>) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(BenchError::Connection)?;
        let mut command = Command::new(program);
        command.arg("bench").args(arguments);
        if let Some(address) = connect {
            command.args(["--connect", address]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(BenchError::Connection)?;
        let stdout = child.stdout.take();
        let lines = BufReader::new(stdout.ok_or_else(|| broken("no pipe"))?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        match read.map_err(BenchError::Connection)? {
            0 => Err(broken("a party ended early")),
            _ => Ok(line),
        }
    }

    fn record<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|error| broken(&error.to_string()))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
