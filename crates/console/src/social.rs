//! The social platform's routes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use s3rec_node::tls::Caller;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tonic::Status;

use crate::answer::go_to;
use crate::pages;
use crate::site::{
    Answer, Calls, Shared, Site, back_to, failed, live_events, not_found, refused, shown,
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

fn client(site: &Site, caller: Caller) -> SocialPlatformClient<Calls> {
    SocialPlatformClient::new(site.calls_of(caller))
}

async fn proposals(site: &Site, caller: Caller) -> Result<Vec<v1::ProposalSummary>, Status> {
    let request = v1::ListProposalsRequest {
        pending_only: false,
    };
    let listed = client(site, caller).list_proposals(request).await?;
    Ok(listed.into_inner().proposals)
}

async fn overview(State(site): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (visitor, frame) = site.visitor(&headers)?;
    let made = proposals(&site, visitor.caller).await;
    Ok(shown(&frame, made.map(|all| pages::overview(&frame, &all))))
}

async fn proposal(
    State(site): Shared,
    Path(job): Path<String>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let (visitor, frame) = site.visitor(&headers)?;
    let made = async {
        let all = proposals(&site, visitor.caller.clone()).await?;
        let one = all.iter().find(|one| one.job_id == job);
        let one = one.ok_or_else(|| Status::from(Fault::no_job(&job)))?;
        let request = v1::ListDatasetsRequest::default();
        let sets = client(&site, visitor.caller).list_datasets(request).await?;
        let sets: Vec<String> = sets
            .into_inner()
            .datasets
            .into_iter()
            .map(|summary| summary.dataset)
            .collect();
        Ok(pages::proposal(&frame, one, &sets))
    };
    Ok(shown(&frame, made.await))
}

/// Approves, rejects, revokes; then shows what became of the proposal.
async fn decide(
    State(site): Shared,
    Path((job, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let (visitor, frame, form) = site.sender(&headers, &body)?;
    let mut client = client(&site, visitor.caller);
    let (job_id, reason) = (job.clone(), form.text("reason").to_owned());
    let done = match verb.as_str() {
        "approve" if form.text("read") != "yes" => {
            let message = "the box that says that you have read what it gives away is empty";
            return Err(refused(
                &frame,
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
        _ => return Err(not_found(&frame)),
    };
    match done {
        Ok(()) => Ok(back_to("/proposal/", &job)),
        Err(status) => Ok(failed(&frame, &status)),
    }
}

async fn events(
    State(site): Shared,
    Path(job): Path<String>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let (visitor, frame) = site.visitor(&headers)?;
    let request = v1::WatchProposalRequest { job_id: job };
    let watched = client(&site, visitor.caller).watch_proposal(request).await;
    let events = watched.map_err(|status| failed(&frame, &status))?;
    Ok(live_events(events.into_inner()))
}

async fn disclosures(State(site): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (visitor, frame) = site.visitor(&headers)?;
    let request = v1::ListSocialDisclosuresRequest {};
    let listed = client(&site, visitor.caller)
        .list_disclosures(request)
        .await;
    let made = listed.map(|all| {
        let all = all.into_inner();
        let budgets = pages::budgets(&all.budgets);
        pages::disclosures(
            &frame,
            "/proposal/",
            &all.disclosures,
            &all.accounts,
            &budgets,
        )
    });
    Ok(shown(&frame, made))
}

async fn policy(State(site): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (visitor, frame) = site.visitor(&headers)?;
    let answered = client(&site, visitor.caller)
        .show_policy(v1::PolicyRequest {})
        .await;
    let made = answered.map(|answer| pages::policy(&frame, &answer.into_inner()));
    Ok(shown(&frame, made))
}

async fn reload_policy(
    State(site): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let (visitor, frame, _) = site.sender(&headers, &body)?;
    let reloaded = client(&site, visitor.caller)
        .reload_policy(v1::PolicyRequest {})
        .await;
    Ok(match reloaded {
        Ok(_) => go_to("/policy"),
        Err(status) => failed(&frame, &status),
    })
}

#[cfg(test)]
mod tests;
