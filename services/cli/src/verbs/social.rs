//! `s3rec social …`.

use s3rec_node::pki::CertificateRole;
use s3rec_node::process::now_unix_ms;
use s3rec_wire::v1;
use serde_json::json;

use super::rating::in_days;
use super::shared_text::{
    accounts, cost_rows, disclosures, model_words, parameters, state, stocks, waiting,
};
use super::{EventView, importing, review, stored_text};
use crate::arguments::{
    BoundsName, DatasetArgs, DatasetsVerb, JobArgs, JobsVerb, PolicyVerb, ReasonedJobArgs,
    SocialVerb,
};
use crate::client::{self, SocialClient, short};
use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::output::{Output, bytes, count, name, relative};

/// Does what the verb says.
///
/// # Errors
/// [`Failure`] of the connection, the platform, or the job.
pub async fn social(verb: SocialVerb, output: Output) -> Result<(), Failure> {
    match verb {
        SocialVerb::Import(arguments) => {
            let source = importing::links(&arguments, output)?;
            let mut client = connect(arguments.connection).await?;
            output.message(&client::import_links(&mut client, &source).await?, imported)
        }
        SocialVerb::Proposals(arguments) => {
            let request = v1::ListProposalsRequest {
                pending_only: arguments.pending,
            };
            let mut client = connect(arguments.connection).await?;
            let mut listed = client.list_proposals(request).await?.into_inner();
            if !arguments.all {
                let is_open = |one: &v1::ProposalSummary| {
                    let state = one.last_event.as_ref().map(v1::JobEvent::state);
                    !state.is_some_and(client::is_terminal)
                };
                listed.proposals.retain(is_open);
            }
            output.message(&listed, proposals)
        }
        SocialVerb::Console(connection) => {
            super::console(connection, CertificateRole::SocialOperator, output).await
        }
        SocialVerb::Review(connection) => {
            let mut client = connect(connection).await?;
            review::review(&mut client, output).await
        }
        SocialVerb::Approve(arguments) => {
            let bounds_rule = match arguments.bounds {
                None => v1::BoundsRule::Unspecified,
                Some(BoundsName::Stated) => v1::BoundsRule::Stated,
                Some(BoundsName::Ladder) => v1::BoundsRule::Ladder,
            };
            let mut client = connect(arguments.job.connection).await?;
            let request = v1::ApproveProposalRequest {
                job_id: client::social_job(&mut client, &arguments.job.job).await?,
                dataset: arguments.dataset.unwrap_or_default(),
                expires_unix_ms: arguments.expires_days.map_or(0, in_days),
                degree_bound: arguments.degree_bound.unwrap_or(0),
                links_bound: arguments.links_bound.unwrap_or(0),
                bounds_rule: bounds_rule.into(),
            };
            let approved = client.approve_proposal(request).await?.into_inner();
            output.message(&approved, |approved| state(approved.state()))
        }
        SocialVerb::Reject(ReasonedJobArgs { job, reason }) => {
            let mut client = connect(job.connection).await?;
            let request = v1::RejectProposalRequest {
                job_id: client::social_job(&mut client, &job.job).await?,
                reason,
            };
            let rejected = client.reject_proposal(request).await?.into_inner();
            output.message(&rejected, |rejected| state(rejected.state()))
        }
        SocialVerb::Revoke(ReasonedJobArgs { job, reason }) => {
            let mut client = connect(job.connection).await?;
            let request = v1::RevokeApprovalRequest {
                job_id: client::social_job(&mut client, &job.job).await?,
                reason,
            };
            let revoked = client.revoke_approval(request).await?.into_inner();
            output.message(&revoked, |revoked| state(revoked.state()))
        }
        SocialVerb::Watch(JobArgs { job, connection }) => {
            let mut client = connect(connection).await?;
            let job = client::social_job(&mut client, &job).await?;
            let mut view = EventView::new(output);
            let last = client::watch_social(&mut client, &job, |event| view.show(event)).await;
            view.finish(last)
        }
        SocialVerb::Stock(connection) => {
            let request = v1::StockStatusRequest::default();
            let mut client = connect(connection).await?;
            let status = client.stock_status(request).await?.into_inner();
            output.message(&status, |status| stocks(&status.stocks))
        }
        SocialVerb::AcceptLog(arguments) => {
            let request = v1::AcceptPeerLogRequest { log: arguments.log };
            let mut client = connect(arguments.connection).await?;
            let accepted = client.accept_peer_log(request).await?.into_inner();
            output.message(&accepted, super::accepted_log)
        }
        SocialVerb::Backup(arguments) => {
            let mut client = connect(arguments.connection).await?;
            let call = client.backup(v1::BackupRequest {});
            let written = client::write_backup(&arguments.out, call).await?;
            output.value(&json!(written), || super::backup_written(&written))
        }
        SocialVerb::Reconcile(arguments) => {
            let request = super::reconciling(&arguments)?;
            let mut client = connect(arguments.connection).await?;
            let answer = client.reconcile(request).await?.into_inner();
            output.message(&answer, super::reconciled)
        }
        SocialVerb::Disclosures(connection) => {
            let request = v1::ListSocialDisclosuresRequest {};
            let mut client = connect(connection).await?;
            let shown = client.list_disclosures(request).await?.into_inner();
            output.message(&shown, |shown| {
                let mut text = disclosures(&shown.disclosures);
                text.push_str(&accounts(&shown.accounts));
                text
            })
        }
        SocialVerb::Leakage(arguments) => super::leakage::own(&arguments, output),
        SocialVerb::Policy(verb) => policy(verb, output).await,
        SocialVerb::Cost(JobArgs { job, connection }) => {
            let mut client = connect(connection).await?;
            let job_id = client::social_job(&mut client, &job).await?;
            let request = v1::JobCostRequest { job_id };
            let answer = client.job_cost(request).await?.into_inner();
            output.message(&answer, cost)
        }
        SocialVerb::Datasets(verb) => datasets(verb, output).await,
        SocialVerb::Jobs(JobsVerb::Delete(JobArgs { job, connection })) => {
            let mut client = connect(connection).await?;
            let job_id = client::social_job(&mut client, &job).await?;
            let request = v1::DeleteJobRequest { job_id };
            let deleted = client.delete_job(request).await?.into_inner();
            output.message(&deleted, stored_text::job_deleted)
        }
    }
}

async fn datasets(verb: DatasetsVerb, output: Output) -> Result<(), Failure> {
    match verb {
        DatasetsVerb::List(connection) => {
            let request = v1::ListDatasetsRequest::default();
            let mut client = connect(connection).await?;
            let listed = client.list_datasets(request).await?.into_inner();
            output.message(&listed, |listed| stored_text::datasets(listed, "links"))
        }
        DatasetsVerb::Show(DatasetArgs {
            dataset,
            connection,
        }) => {
            let request = v1::ShowDatasetRequest {
                dataset,
                ..v1::ShowDatasetRequest::default()
            };
            let mut client = connect(connection).await?;
            let shown = client.show_dataset(request).await?.into_inner();
            output.message(&shown, |shown| {
                let found = shown.imported.as_ref().map(imported);
                stored_text::dataset(shown.dataset.as_ref(), shown.header.as_ref(), found)
            })
        }
        DatasetsVerb::Delete(DatasetArgs {
            dataset,
            connection,
        }) => {
            let request = v1::DeleteDatasetRequest {
                dataset,
                ..v1::DeleteDatasetRequest::default()
            };
            let mut client = connect(connection).await?;
            let deleted = client.delete_dataset(request).await?.into_inner();
            output.message(&deleted, stored_text::dataset_deleted)
        }
    }
}

async fn policy(verb: PolicyVerb, output: Output) -> Result<(), Failure> {
    let request = v1::PolicyRequest {};
    let answer = match verb {
        PolicyVerb::Show(connection) => connect(connection).await?.show_policy(request).await?,
        PolicyVerb::Reload(connection) => connect(connection).await?.reload_policy(request).await?,
        PolicyVerb::Check { file } => {
            s3rec_social::check_policy(&file).map_err(|error| Failure::Usage(error.to_string()))?;
            let good = || format!("{} is a policy", file.display());
            return output.value(&json!({ "policy": file }), good);
        }
    };
    output.message(&answer.into_inner(), |answer| match answer.path.as_str() {
        "" => "There is no policy: people decide. Of limits over all jobs those of the configuration hold, and √Σμ² of 2 where friends' sums are opened.".into(),
        path => format!("# {path}\n{}", answer.text),
    })
}

async fn connect(connection: ConnectionArgs) -> Result<SocialClient, Failure> {
    client::social(&connection.resolve(CertificateRole::SocialOperator)?).await
}

fn imported(answer: &v1::ImportLinksResponse) -> String {
    let mut text = format!(
        "{}: {} links among {} users, density {:.4} % ({} repeated, {} to oneself left out), at most \
         {} of one user, both directions together",
        answer.dataset,
        count(answer.links),
        count(answer.users),
        100.0 * answer.density,
        count(answer.duplicates),
        count(answer.self_links),
        count(answer.largest_degree.into())
    );
    if answer.not_positive > 0 {
        let dropped = count(answer.not_positive);
        text.push_str(&format!(
            "\n{dropped} rows without a positive weight were dropped (read them with --any-weight)"
        ));
    }
    for (number, what) in [
        (answer.missing, "rows without a weight were dropped"),
        (answer.reversed, "links were added in the other direction"),
        (answer.empty_lists, "rows list nobody"),
    ] {
        if number > 0 {
            text.push_str(&format!("\n{} {what}", count(number)));
        }
    }
    let roster = answer.roster.as_ref();
    text.push_str(&importing::roster_text(roster, "a link"));
    text.push_str(&importing::reading_text(answer.reading.as_ref()));
    text
}

fn proposals(answer: &v1::ListProposalsResponse) -> String {
    if answer.proposals.is_empty() {
        return "No proposals.".into();
    }
    answer.proposals.iter().map(proposal).collect()
}

pub(super) fn proposal(one: &v1::ProposalSummary) -> String {
    let event = one.last_event.clone().unwrap_or_default();
    let release = one.release_policy.unwrap_or_default();
    let mut text = format!(
        "job {} of {}: {}\n  purpose: {}\n  {}\n  pattern {}, release {}\n",
        short(&one.job_id),
        one.peer,
        state(event.state()),
        one.purpose,
        model_words(one.model.as_ref(), one.protocol()),
        name(one.pattern_policy().as_str_name(), "PATTERN_POLICY"),
        name(release.kind().as_str_name(), "RELEASE_KIND"),
    );
    let now = now_unix_ms();
    let (made, end) = (one.created_unix_ms, one.expires_unix_ms);
    for (what, when) in [
        ("proposed", relative(made, now)),
        ("waiting for", waiting(&event)),
        ("ends", relative(end, now)),
    ] {
        if !when.is_empty() {
            text.push_str(&format!("  {what} {when}\n"));
        }
    }
    for warning in &one.warnings {
        text.push_str(&format!("  ! {warning}\n"));
    }
    if !one.policy.is_empty() {
        text.push_str(&format!("  policy: {}\n", one.policy));
    }
    text.push_str(&accounts(&one.accounts));
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
            accounts: vec![v1::Account {
                dataset: "links".into(),
                statements: vec!["40 columns left".into()],
                ..Default::default()
            }],
            ..Default::default()
        };
        let text = proposals(&v1::ListProposalsResponse {
            proposals: vec![one],
        });
        for words in [
            "job j1 of rating.example",
            "a test",
            "! one exact opening shows links",
            "so far of links",
            "40 columns left",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }
}
