//! The social platform's routes.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tonic::Status;

use crate::answer::go_to;
use crate::pages;
use crate::site::{
    Answer, Calls, Sent, Site, Visit, back_to, failed, live_events, not_found, refused, shown,
    with_shared,
};

/// All routes.
pub fn router(site: Site) -> Router {
    let own = Router::new()
        .route("/", get(overview))
        .route("/proposal/{job}", get(proposal))
        .route("/proposal/{job}/{verb}", post(decide))
        .route("/events/{job}", get(events))
        .route("/disclosures", get(disclosures))
        .route("/policy", get(policy))
        .route("/policy/reload", post(reload_policy));
    with_shared(own, site)
}

fn client(visit: &Visit) -> SocialPlatformClient<Calls> {
    SocialPlatformClient::new(visit.calls())
}

async fn proposals(visit: &Visit) -> Result<Vec<v1::ProposalSummary>, Status> {
    let request = v1::ListProposalsRequest {
        pending_only: false,
    };
    let listed = client(visit).list_proposals(request).await?;
    Ok(listed.into_inner().proposals)
}

async fn overview(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let made = proposals(&visit).await;
    shown(frame, made.map(|all| pages::overview(frame, &all)))
}

async fn proposal(Path(job): Path<String>, visit: Visit) -> Answer {
    let frame = &visit.frame;
    let made = async {
        let all = proposals(&visit).await?;
        let one = all.iter().find(|one| one.job_id == job);
        let one = one.ok_or_else(|| Status::from(Fault::no_job(&job)))?;
        let request = v1::ListDatasetsRequest::default();
        let sets = client(&visit).list_datasets(request).await?;
        let sets: Vec<String> = sets
            .into_inner()
            .datasets
            .into_iter()
            .map(|summary| summary.dataset)
            .collect();
        Ok(pages::proposal(frame, one, &sets))
    };
    shown(frame, made.await)
}

/// Approves, rejects, revokes; then shows what became of the proposal.
async fn decide(
    Path((job, verb)): Path<(String, String)>,
    Sent { visit, form }: Sent,
) -> Result<Answer, Answer> {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let (job_id, reason) = (job.clone(), form.text("reason").to_owned());
    let done = match verb.as_str() {
        "approve" if form.text("read") != "yes" => {
            let message = "the box that says that you have read what it gives away is empty";
            return Err(refused(
                frame,
                message,
                "Go back, read it, and tick the box.",
            ));
        }
        "approve" => {
            let request = v1::ApproveProposalRequest {
                job_id,
                dataset: form.text("dataset").to_owned(),
                ..v1::ApproveProposalRequest::default()
            };
            client.approve_proposal(request).await.map(drop)
        }
        "reject" => {
            let request = v1::RejectProposalRequest { job_id, reason };
            client.reject_proposal(request).await.map(drop)
        }
        "revoke" => {
            let request = v1::RevokeApprovalRequest { job_id, reason };
            client.revoke_approval(request).await.map(drop)
        }
        _ => return Err(not_found(frame)),
    };
    match done {
        Ok(()) => Ok(back_to("/proposal/", &job)),
        Err(status) => Ok(failed(frame, &status)),
    }
}

async fn events(Path(job): Path<String>, visit: Visit) -> Result<Answer, Answer> {
    let frame = &visit.frame;
    let request = v1::WatchProposalRequest { job_id: job };
    let watched = client(&visit).watch_proposal(request).await;
    let events = watched.map_err(|status| failed(frame, &status))?;
    Ok(live_events(events.into_inner()))
}

async fn disclosures(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let request = v1::ListSocialDisclosuresRequest {};
    let listed = client(&visit).list_disclosures(request).await;
    let made = listed.map(|all| {
        let all = all.into_inner();
        let budgets = pages::budgets(&all.budgets);
        pages::disclosures(
            frame,
            "/proposal/",
            &all.disclosures,
            &all.accounts,
            &budgets,
        )
    });
    shown(frame, made)
}

async fn policy(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let answered = client(&visit).show_policy(v1::PolicyRequest {}).await;
    let made = answered.map(|answer| pages::policy(frame, &answer.into_inner()));
    shown(frame, made)
}

async fn reload_policy(Sent { visit, .. }: Sent) -> Answer {
    match client(&visit).reload_policy(v1::PolicyRequest {}).await {
        Ok(_) => go_to("/policy"),
        Err(status) => failed(&visit.frame, &status),
    }
}

#[cfg(test)]
mod tests;
