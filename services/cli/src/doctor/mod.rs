//! `s3rec doctor`: examines one platform from its own machine, with its own configuration and
//! keys, and says of each thing whether it is well or how to mend it.

mod local;
mod peer;
mod plan;

use std::path::Path;

use s3rec_node::config::{RatingPeer, SocialPeer, load};
use serde_json::json;

use crate::arguments::DoctorArgs;
use crate::failure::Failure;
use crate::output::{Output, terminal};

/// How one thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Well.
    Ok,
    /// Not well; the finding says how to mend it.
    Wrong,
    /// Not to be seen from here, or not while something else is wrong.
    Skipped,
}

/// One line of the examination.
#[derive(Clone, Debug)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    remedy: String,
}

/// All lines, in the order in which they were examined.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Verdict::Ok, detail.into(), String::new());
    }

    pub(crate) fn wrong(
        &mut self,
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Verdict::Wrong, detail.into(), remedy.into());
    }

    pub(crate) fn skipped(&mut self, check: &'static str, why: impl Into<String>) {
        self.add(check, Verdict::Skipped, why.into(), String::new());
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, detail: String, remedy: String) {
        self.0.push(Finding {
            check,
            verdict,
            detail,
            remedy,
        });
    }

    fn wrongs(&self) -> usize {
        let wrong = |finding: &&Finding| finding.verdict == Verdict::Wrong;
        self.0.iter().filter(wrong).count()
    }
}

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
                let found = local::examine(&mut findings, &arguments, &settings).await;
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
                let found = local::examine(&mut findings, &arguments, &settings).await;
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
        .0
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "verdict": match finding.verdict {
                    Verdict::Ok => "ok",
                    Verdict::Wrong => "wrong",
                    Verdict::Skipped => "skipped",
                },
                "detail": finding.detail,
                "remedy": finding.remedy,
            })
        })
        .collect();
    let document = json!({ "platform": role, "well": wrong == 0, "checks": lines });
    output.value(&document, || {
        let lines = findings.0.iter().map(|finding| {
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
