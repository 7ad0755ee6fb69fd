//! Compiles `proto/` without `protoc`: protox parses, prost and tonic generate.

use std::error::Error;
use std::path::Path;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files = ["rating", "social", "peer", "console", "stored"]
        .map(|name| format!("s3rec/v1/{name}.proto"));
    let descriptors = protox::compile(files, [&root])?;

    // Reflection and JSON read this; comments stay in, so that clients can show them.
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(
        Path::new(&out).join("s3rec.v1.binpb"),
        descriptors.encode_to_vec(),
    )?;

    let mut config = prost_build::Config::new();
    config.enable_type_names();
    // Prose in our comments is not rustdoc's Markdown.
    config.disable_comments(["."]);
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
