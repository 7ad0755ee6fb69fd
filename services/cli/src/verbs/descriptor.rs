//! `s3rec descriptor`.

use serde_json::json;

use crate::arguments::DescriptorArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Writes the conversation's `FileDescriptorSet`, imports included, from which clients in other
/// languages are generated.
///
/// # Errors
/// [`Failure::File`].
pub fn descriptor(arguments: &DescriptorArgs, output: Output) -> Result<(), Failure> {
    let bytes = s3rec_wire::FILE_DESCRIPTOR_SET;
    std::fs::write(&arguments.out, bytes).map_err(Failure::at(&arguments.out))?;
    output.value(
        &json!({ "out": arguments.out, "bytes": bytes.len() }),
        || format!("{}: {} bytes", arguments.out.display(), bytes.len()),
    )
}
