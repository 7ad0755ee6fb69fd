//! `s3rec doctor`: examines one platform from its own machine, with its own configuration and
//! keys, and says of each thing whether it is well or how to mend it.

mod peer;
mod plan;

use std::path::Path;
use std::sync::Arc;

use s3rec_node::config::{PeerSettings, RatingPeer, Settings, SocialPeer, load};
use s3rec_node::examine::{self, Findings, Verdict};
use s3rec_node::tls::Identity;
use serde_json::json;

use crate::arguments::DoctorArgs;
use crate::failure::Failure;
use crate::output::{Output, terminal};

/// Examines the platform whose daemon runs with the given configuration.
///
/// # Errors
/// [`Failure::Unwell`] when a line is wrong; all lines are shown before.
pub async fn doctor(arguments: DoctorArgs, output: Output) -> Result<(), Failure> {
    let mut findings = Findings::default();
    let role = if listens(&arguments.config) {
        match load::<SocialPeer>(&arguments.config, &arguments.overrides) {
            Ok(settings) => {
                findings.ok("configuration", arguments.config.display().to_string());
                let found = on_this_machine(&mut findings, &arguments, &settings).await;
                peer::examine_port(&mut findings, &settings, found).await;
                let (place, limits) = (&settings.data_dir, &settings.limits);
                plan::examine(&mut findings, &arguments, place, limits, None);
            }
            Err(error) => unread(&mut findings, &error),
        }
        "social"
    } else {
        match load::<RatingPeer>(&arguments.config, &arguments.overrides) {
            Ok(settings) => {
                findings.ok("configuration", arguments.config.display().to_string());
                let found = on_this_machine(&mut findings, &arguments, &settings).await;
                let link = peer::examine_peer(&mut findings, &settings, found).await;
                let (place, limits) = (&settings.data_dir, &settings.limits);
                plan::examine(&mut findings, &arguments, place, limits, link);
            }
            Err(error) => unread(&mut findings, &error),
        }
        "rating"
    };
    show(&findings, role, output)
}

/// Files, keys, certificates and the daemon itself; gives the identity when it is whole.
async fn on_this_machine<P: PeerSettings>(
    findings: &mut Findings,
    arguments: &DoctorArgs,
    settings: &Settings<P>,
) -> Option<Arc<Identity>> {
    let identity = examine::examine(findings, settings);
    let (config, overrides) = (arguments.config.clone(), arguments.overrides.clone());
    // It has an executor of its own.
    let asked = tokio::task::spawn_blocking(move || s3rec_node::health::check(&config, &overrides));
    match asked.await {
        Ok(Ok(())) => findings.ok("daemon", "it runs and serves its operators"),
        Ok(Err(error)) => findings.skipped("daemon", format!("not running: {error}")),
        Err(error) => findings.skipped("daemon", error.to_string()),
    }
    identity
}

/// Whether the configuration is the social platform's, whose other side calls it.
fn listens(config: &Path) -> bool {
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let peer = table.get("peer").and_then(toml::Value::as_table);
    peer.is_some_and(|peer| peer.contains_key("listen"))
}

fn unread(findings: &mut Findings, error: &s3rec_node::config::ConfigError) {
    let remedy = "Correct the named place; README and deploy/*.toml show every setting.";
    findings.wrong("configuration", error.to_string(), remedy);
}

fn show(findings: &Findings, role: &str, output: Output) -> Result<(), Failure> {
    let wrong = findings.wrongs();
    let lines: Vec<_> = findings
        .lines()
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "verdict": finding.verdict.name(),
                "detail": finding.detail,
                "remedy": finding.remedy,
            })
        })
        .collect();
    let document = json!({ "platform": role, "well": wrong == 0, "checks": lines });
    output.value(&document, || {
        let lines = findings.lines().iter().map(|finding| {
            let word = match finding.verdict {
                Verdict::Ok => terminal::good("OK    "),
                Verdict::Wrong => terminal::bad("WRONG "),
                Verdict::Skipped => "-     ".into(),
            };
            let mut line = format!("{word} {:<18} {}", finding.check, finding.detail);
            if !finding.remedy.is_empty() {
                line.push_str(&format!("\n{:<25} {}", "", finding.remedy));
            }
            line
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    match wrong {
        0 => Ok(()),
        wrong => Err(Failure::Unwell { wrong }),
    }
}
