//! `s3rec social review`: one proposal after the other, with what it would give away, and a question.

use std::io::{BufRead, Write};

use s3rec_wire::v1;
use serde_json::json;

use super::social::proposal;
use crate::client::SocialClient;
use crate::failure::Failure;
use crate::output::{Output, to_json};

/// What a person says to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Approve,
    Reject { reason: String },
    Later,
}

/// Shows every proposal that waits for a decision and asks for one; no answer leaves it as it is.
///
/// # Errors
/// [`Failure::Refused`] where the platform does not take a decision.
pub(super) async fn review(client: &mut SocialClient, output: Output) -> Result<(), Failure> {
    let request = v1::ListProposalsRequest { pending_only: true };
    let pending = client.list_proposals(request).await?.into_inner().proposals;
    let mut decided = Vec::new();
    for one in &pending {
        // On stderr: what is asked must be seen, whatever becomes of stdout.
        let answer = {
            let stdin = std::io::stdin();
            ask(one, &mut stdin.lock(), &mut std::io::stderr())?
        };
        let state = decide(client, &one.job_id, answer).await?;
        decided.push((to_json(one), state));
    }
    let document: Vec<_> = decided
        .iter()
        .map(|(one, state)| json!({ "proposal": one, "state": state.map(|s| s.as_str_name()) }))
        .collect();
    output.value(&json!({ "reviewed": document }), || {
        if pending.is_empty() {
            return "No proposal waits for a decision.".into();
        }
        let count = decided.iter().filter(|(_, state)| state.is_some()).count();
        format!("decided {count} of {} proposals", pending.len())
    })
}

async fn decide(
    client: &mut SocialClient,
    job: &str,
    answer: Answer,
) -> Result<Option<v1::JobState>, Failure> {
    let job_id = job.to_owned();
    Ok(match answer {
        Answer::Approve => {
            let request = v1::ApproveProposalRequest {
                job_id,
                ..v1::ApproveProposalRequest::default()
            };
            let approved = client.approve_proposal(request).await?.into_inner();
            Some(approved.state())
        }
        Answer::Reject { reason } => {
            let request = v1::RejectProposalRequest { job_id, reason };
            let rejected = client.reject_proposal(request).await?.into_inner();
            Some(rejected.state())
        }
        Answer::Later => None,
    })
}

fn ask(
    one: &v1::ProposalSummary,
    answers: &mut impl BufRead,
    shown: &mut impl Write,
) -> Result<Answer, Failure> {
    let failed = Failure::at("the terminal");
    write!(
        shown,
        "{}Approve exactly this? [y]es, [n]o and why, anything else for later: ",
        proposal(one)
    )
    .and_then(|()| shown.flush())
    .map_err(&failed)?;
    let mut line = String::new();
    answers.read_line(&mut line).map_err(&failed)?;
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Ok(match word.to_lowercase().as_str() {
        "y" | "yes" if rest.is_empty() => Answer::Approve,
        "n" | "no" => Answer::Reject {
            reason: rest.trim().to_owned(),
        },
        _ => Answer::Later,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_approves_and_what_consent_gives_away_is_shown_before() {
        let one = v1::ProposalSummary {
            job_id: "j1".into(),
            warnings: vec!["one exact opening shows links".into()],
            ..v1::ProposalSummary::default()
        };
        let no = |reason: &str| Answer::Reject {
            reason: reason.into(),
        };
        for (typed, expected) in [
            ("y\n", Answer::Approve),
            ("YES\n", Answer::Approve),
            ("y but less\n", Answer::Later),
            ("n\n", no("")),
            ("no too many columns\n", no("too many columns")),
            ("\n", Answer::Later),
            ("", Answer::Later),
        ] {
            let mut shown = Vec::new();
            let answer = ask(&one, &mut typed.as_bytes(), &mut shown).unwrap();
            assert_eq!(answer, expected, "{typed:?}");
            let shown = String::from_utf8(shown).unwrap();
            let given_away = shown.find("shows links").unwrap();
            assert!(given_away < shown.find("Approve exactly").unwrap());
        }
    }
}
