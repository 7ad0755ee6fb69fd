//! The command `s3rec`.

use std::process::ExitCode;

fn main() -> ExitCode {
    s3rec_cli::main()
}
