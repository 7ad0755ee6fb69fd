//! `s3rec generate`, `completions` and `man`.

use std::path::Path;

use clap::CommandFactory;
use serde_json::json;

use crate::arguments::{Arguments, CompletionsArgs, GenerateArgs, ManArgs};
use crate::demo::write_synthetic;
use crate::failure::Failure;
use crate::output::Output;

/// Draws a set of ratings and links.
///
/// # Errors
/// [`Failure::Data`] for settings that make no sense, [`Failure::File`].
pub fn generate(arguments: &GenerateArgs, output: Output) -> Result<(), Failure> {
    made(&arguments.out)?;
    let (ratings, links) = write_synthetic(&arguments.out, &arguments.settings())?;
    output.value(&json!({ "ratings": ratings, "links": links }), || {
        format!("{}\n{}", ratings.display(), links.display())
    })
}

/// Prints a shell's completions.
///
/// # Errors
/// [`Failure::File`] when stdout cannot be written.
pub fn completions(arguments: &CompletionsArgs, output: Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "s3rec",
        &mut text,
    );
    output.write(&String::from_utf8_lossy(&text))
}

/// Writes the man pages of the command, of every verb of it, and of both daemons.
///
/// # Errors
/// [`Failure::File`].
pub fn man(arguments: &ManArgs, output: Output) -> Result<(), Failure> {
    made(&arguments.out)?;
    let commands = [
        Arguments::command(),
        s3rec_rating::Args::command(),
        s3rec_social::Args::command(),
    ];
    for command in commands {
        clap_mangen::generate_to(command, &arguments.out).map_err(Failure::at(&arguments.out))?;
    }
    output.value(&json!({ "out": arguments.out }), || {
        arguments.out.display().to_string()
    })
}

fn made(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(Failure::at(directory))
}
