//! `s3rec healthcheck`.

use std::process::ExitCode;

use s3rec_node::health;
use serde_json::json;

use crate::arguments::HealthcheckArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Asks the daemon that runs with a configuration, of either platform. It blocks, with an
/// executor of its own.
pub fn healthcheck(arguments: &HealthcheckArgs, output: Output) -> ExitCode {
    let asked = health::check(&arguments.config, &arguments.overrides).map_err(Failure::from);
    let said = asked.and_then(|()| output.value(&json!({ "serving": true }), || "serving".into()));
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}
