//! `s3rec social …`.

use s3rec_wire::v1;

use super::EventView;
use super::shared_text::{cost_rows, disclosures, model_words, parameters, state, stocks};
use crate::arguments::{JobArgs, ReasonedJobArgs, SocialVerb};
use crate::client::{self, FileSource, SocialClient};
use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::output::{Output, bytes, count, name};

/// Does what the verb says.
///
/// # Errors
/// [`Failure`] of the connection, the platform, or the job.
pub async fn social(verb: SocialVerb, output: Output) -> Result<(), Failure> {
    match verb {
        SocialVerb::Import(arguments) => {
            let mut client = connect(arguments.connection).await?;
            let source = FileSource::from(arguments.file);
            output.message(&client::import_links(&mut client, &source).await?, imported)
        }
        SocialVerb::Proposals(arguments) => {
            let request = v1::ListProposalsRequest {
                pending_only: arguments.pending,
            };
            let mut client = connect(arguments.connection).await?;
            output.message(
                &client.list_proposals(request).await?.into_inner(),
                proposals,
            )
        }
        SocialVerb::Approve(arguments) => {
            let request = v1::ApproveProposalRequest {
                job_id: arguments.job.job,
                dataset: arguments.dataset,
            };
            let mut client = connect(arguments.job.connection).await?;
            let approved = client.approve_proposal(request).await?.into_inner();
            output.message(&approved, |approved| state(approved.state()))
        }
        SocialVerb::Reject(ReasonedJobArgs { job, reason }) => {
            let request = v1::RejectProposalRequest {
                job_id: job.job,
                reason,
            };
            let mut client = connect(job.connection).await?;
            let rejected = client.reject_proposal(request).await?.into_inner();
            output.message(&rejected, |rejected| state(rejected.state()))
        }
        SocialVerb::Revoke(ReasonedJobArgs { job, reason }) => {
            let request = v1::RevokeApprovalRequest {
                job_id: job.job,
                reason,
            };
            let mut client = connect(job.connection).await?;
            let revoked = client.revoke_approval(request).await?.into_inner();
            output.message(&revoked, |revoked| state(revoked.state()))
        }
        SocialVerb::Watch(JobArgs { job, connection }) => {
            let mut client = connect(connection).await?;
            let mut view = EventView::new(output);
            let last = client::social_events(&mut client, &job, |event| view.show(event)).await;
            view.finish(last)
        }
        SocialVerb::Stock(connection) => {
            let request = v1::StockStatusRequest::default();
            let mut client = connect(connection).await?;
            let status = client.stock_status(request).await?.into_inner();
            output.message(&status, |status| stocks(&status.stocks))
        }
        SocialVerb::Disclosures(connection) => {
            let request = v1::ListSocialDisclosuresRequest {};
            let mut client = connect(connection).await?;
            let shown = client.list_disclosures(request).await?.into_inner();
            output.message(&shown, |shown| disclosures(&shown.disclosures))
        }
        SocialVerb::Cost(JobArgs { job, connection }) => {
            let request = v1::JobCostRequest { job_id: job };
            let answer = connect(connection)
                .await?
                .job_cost(request)
                .await?
                .into_inner();
            output.message(&answer, cost)
        }
    }
}

async fn connect(connection: ConnectionArgs) -> Result<SocialClient, Failure> {
    client::social(&connection.resolve()?).await
}

fn imported(answer: &v1::ImportLinksResponse) -> String {
    format!(
        "{}: {} links among {} users ({} repeated, {} to oneself left out)",
        answer.dataset,
        count(answer.links),
        count(answer.users),
        count(answer.duplicates),
        count(answer.self_links)
    )
}

fn proposals(answer: &v1::ListProposalsResponse) -> String {
    if answer.proposals.is_empty() {
        return "No proposals.".into();
    }
    answer.proposals.iter().map(proposal).collect()
}

fn proposal(one: &v1::ProposalSummary) -> String {
    let event = one.last_event.clone().unwrap_or_default();
    let release = one.release_policy.unwrap_or_default();
    let mut text = format!(
        "job {} of {}: {}\n  purpose: {}\n  {}\n  pattern {}, release {}\n",
        one.job_id,
        one.peer,
        state(event.state()),
        one.purpose,
        model_words(one.model.as_ref(), one.protocol()),
        name(one.pattern_policy().as_str_name(), "PATTERN_POLICY"),
        name(release.kind().as_str_name(), "RELEASE_KIND"),
    );
    for warning in &one.warnings {
        text.push_str(&format!("  ! {warning}\n"));
    }
    text
}

fn cost(answer: &v1::JobCostResponse) -> String {
    let table = cost_rows(answer.offline.as_ref(), answer.online.as_ref());
    let mut text = format!("{table}\npeak memory {}\n", bytes(answer.peak_rss_bytes));
    if let Some(chosen) = &answer.parameters {
        text.push_str(&parameters(chosen));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_shows_what_consent_gives_away() {
        let one = v1::ProposalSummary {
            job_id: "j1".into(),
            peer: "rating.example".into(),
            purpose: "a test".into(),
            warnings: vec!["one exact opening shows links".into()],
            ..Default::default()
        };
        let text = proposals(&v1::ListProposalsResponse {
            proposals: vec![one],
        });
        for words in [
            "job j1 of rating.example",
            "a test",
            "! one exact opening shows links",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }
}
