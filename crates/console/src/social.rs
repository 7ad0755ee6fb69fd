//! The social platform's routes.

#![expect(
    clippy::result_large_err,
    reason = "a page is the answer, whichever way it came about"
)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures::StreamExt;
use s3rec_node::audit::LOG_FILE;
use s3rec_node::tls::Caller;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tonic::Status;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::answer::{self, go_to, of_type, page, with_cookie};
use crate::form::Form;
use crate::logins::{Logins, Visitor};
use crate::pages::{self, Frame};

/// The platform's own service, called in this process: authorised callers are in the requests'
/// extensions, as on the operators' port.
pub type Calls =
    BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, Infallible>;

/// Largest form.
const FORM_BYTES: usize = 16 << 10;
/// Entries of the audit log that are shown.
const SHOWN_ENTRIES: usize = 30;
/// Characters of one entry's text.
const SHOWN_CHARACTERS: usize = 160;

/// What the routes share.
pub struct Social {
    /// The platform's name.
    pub name: String,
    /// Where its audit log is.
    pub data_dir: PathBuf,
    /// Who is in.
    pub logins: Arc<Logins>,
    /// The platform's own service.
    pub calls: Calls,
}

type Shared = State<Arc<Social>>;
type Answer = Response<Body>;

/// All routes.
pub fn router(social: Social) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/proposal/{job}", get(proposal))
        .route("/proposal/{job}/{verb}", post(decide))
        .route("/events/{job}", get(events))
        .route("/disclosures", get(disclosures))
        .route("/policy", get(policy))
        .route("/policy/reload", post(reload_policy))
        .route("/audit", get(audit))
        .route("/login/{token}", get(invited))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/style.css", get(style))
        .route("/live.js", get(live))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(map_response(guarded))
        .with_state(Arc::new(social))
}

async fn guarded(mut response: Answer) -> Answer {
    answer::guard(response.headers_mut());
    response
}

impl Social {
    /// Who asks, and the platform as that person calls it; or the page that says how to get in.
    fn visitor(&self, headers: &HeaderMap) -> Result<(Visitor, Frame), Answer> {
        let visitor = answer::visitor(&self.logins, headers)
            .ok_or_else(|| page(StatusCode::UNAUTHORIZED, pages::not_in("social")))?;
        let frame = Frame {
            role: "social",
            platform: self.name.clone(),
            person: visitor.caller.name.clone(),
            form_token: visitor.form_token.clone(),
        };
        Ok((visitor, frame))
    }

    fn client(&self, caller: Caller) -> SocialPlatformClient<Calls> {
        let calls = self
            .calls
            .clone()
            .map_request(move |mut request: Request<_>| {
                request.extensions_mut().insert(caller.clone());
                request
            });
        SocialPlatformClient::new(BoxCloneSyncService::new(calls))
    }

    async fn proposals(&self, caller: Caller) -> Result<Vec<v1::ProposalSummary>, Status> {
        let request = v1::ListProposalsRequest {
            pending_only: false,
        };
        let listed = self.client(caller).list_proposals(request).await?;
        Ok(listed.into_inner().proposals)
    }
}

/// What a call of the platform came to, on a page.
fn shown(frame: &Frame, made: Result<maud::Markup, Status>) -> Answer {
    match made {
        Ok(made) => page(StatusCode::OK, made),
        Err(status) => failed(frame, &status),
    }
}

fn failed(frame: &Frame, status: &Status) -> Answer {
    let code = match status.code() {
        tonic::Code::NotFound => StatusCode::NOT_FOUND,
        tonic::Code::Internal | tonic::Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    let told = match Fault::from_status(status) {
        Some(fault) => pages::failed(frame, &fault.message, &fault.remedy),
        None => pages::failed(frame, status.message(), "The daemon's log has the details."),
    };
    page(code, told)
}

async fn overview(State(social): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    let made = social.proposals(visitor.caller).await;
    Ok(shown(&frame, made.map(|all| pages::overview(&frame, &all))))
}

async fn proposal(
    State(social): Shared,
    Path(job): Path<String>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    let made = async {
        let all = social.proposals(visitor.caller.clone()).await?;
        let one = all.iter().find(|one| one.job_id == job);
        let one = one.ok_or_else(|| Status::from(Fault::no_job(&job)))?;
        let request = v1::ListDatasetsRequest::default();
        let sets = social.client(visitor.caller).list_datasets(request).await?;
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
    State(social): Shared,
    Path((job, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    let form = own_form(&visitor, &frame, &headers, &body)?;
    let mut client = social.client(visitor.caller);
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
    // What is in the path came from a page of ours, or is no job.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match done {
        Ok(()) if job.chars().all(is_plain) => Ok(go_to(&format!("/proposal/{job}"))),
        Ok(()) => Ok(go_to("/")),
        Err(status) => Ok(failed(&frame, &status)),
    }
}

/// A job's events as they come, until it ends.
async fn events(
    State(social): Shared,
    Path(job): Path<String>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    let request = v1::WatchProposalRequest { job_id: job };
    let watched = social.client(visitor.caller).watch_proposal(request).await;
    let events = watched.map_err(|status| failed(&frame, &status))?;
    let told = events.into_inner().map(|event| {
        let event = event.map_err(|status| std::io::Error::other(status.message().to_owned()))?;
        Ok::<_, std::io::Error>(Event::default().data(pages::live(&event).text()))
    });
    Ok(Sse::new(told).into_response())
}

async fn disclosures(State(social): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    let request = v1::ListSocialDisclosuresRequest {};
    let listed = social
        .client(visitor.caller)
        .list_disclosures(request)
        .await;
    let made = listed.map(|all| pages::disclosures(&frame, &all.into_inner()));
    Ok(shown(&frame, made))
}

async fn policy(State(social): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    let answered = social
        .client(visitor.caller)
        .show_policy(v1::PolicyRequest {})
        .await;
    let made = answered.map(|answer| pages::policy(&frame, &answer.into_inner()));
    Ok(shown(&frame, made))
}

async fn reload_policy(
    State(social): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    own_form(&visitor, &frame, &headers, &body)?;
    let reloaded = social
        .client(visitor.caller)
        .reload_policy(v1::PolicyRequest {})
        .await;
    Ok(match reloaded {
        Ok(_) => go_to("/policy"),
        Err(status) => failed(&frame, &status),
    })
}

async fn audit(State(social): Shared, headers: HeaderMap) -> Result<Answer, Answer> {
    let (_, frame) = social.visitor(&headers)?;
    let path = social.data_dir.join(LOG_FILE);
    // Reading and checking a long log takes a while.
    let checked = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
        s3rec_audit::verify(&bytes).map_err(|finding| finding.to_string())
    });
    let checked = checked.await.unwrap_or_else(|error| Err(error.to_string()));
    let entries = checked
        .as_ref()
        .map_or(&[][..], |verified| &verified.entries);
    let newest: Vec<(u64, String)> = entries
        .iter()
        .rev()
        .take(SHOWN_ENTRIES)
        .map(|(entry, hash)| {
            (
                entry.sequence,
                in_words(&s3rec_audit::export::to_json(entry, hash)),
            )
        })
        .collect();
    Ok(page(
        StatusCode::OK,
        pages::audit(&frame, &checked, &newest),
    ))
}

/// An entry's kind and what of its fields people can read.
fn in_words(entry: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut words = text(&entry["kind"]);
    let fields = entry["fields"].as_object();
    for (name, value) in fields.into_iter().flatten() {
        // Certificates, hashes, signatures: the log itself has them.
        if value.as_str().is_none_or(|text| text.len() <= 80) {
            words.push_str(&format!(", {name} {}", text(value)));
        }
    }
    let mut cut: String = words.chars().take(SHOWN_CHARACTERS).collect();
    if cut.len() < words.len() {
        cut.push('…');
    }
    cut
}

async fn invited(State(social): Shared, Path(token): Path<String>) -> Answer {
    match social.logins.invited(&token) {
        Some(person) => page(StatusCode::OK, pages::invited(&person, &token)),
        None => page(StatusCode::UNAUTHORIZED, pages::not_in("social")),
    }
}

/// The one form without a session: it carries the link, which nobody else has.
async fn log_in(State(social): Shared, body: Bytes) -> Answer {
    let form = Form::read(&body);
    match social.logins.redeem(form.text("link")) {
        Ok(Some(token)) => with_cookie(go_to("/"), &token),
        Ok(None) => page(StatusCode::UNAUTHORIZED, pages::not_in("social")),
        Err(error) => {
            tracing::error!("nobody can log in: {error}");
            page(StatusCode::INTERNAL_SERVER_ERROR, pages::not_in("social"))
        }
    }
}

async fn log_out(State(social): Shared, headers: HeaderMap, body: Bytes) -> Result<Answer, Answer> {
    let (visitor, frame) = social.visitor(&headers)?;
    own_form(&visitor, &frame, &headers, &body)?;
    if let Some(token) = answer::token(&headers) {
        social.logins.end(token);
    }
    Ok(with_cookie(go_to("/"), ""))
}

fn own_form(
    visitor: &Visitor,
    frame: &Frame,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Form, Answer> {
    let form = Form::read(body);
    match answer::is_own_form(visitor, headers, &form) {
        true => Ok(form),
        false => {
            let message = "the form was not sent from a page of this session";
            let remedy = "Open the page again and send the form from there.";
            let told = pages::failed(frame, message, remedy);
            Err(page(StatusCode::FORBIDDEN, told))
        }
    }
}

fn refused(frame: &Frame, message: &str, remedy: &str) -> Answer {
    page(
        StatusCode::BAD_REQUEST,
        pages::failed(frame, message, remedy),
    )
}

fn not_found(frame: &Frame) -> Answer {
    let told = pages::failed(frame, "there is no such page", "Go back to the proposals.");
    page(StatusCode::NOT_FOUND, told)
}

async fn style() -> Answer {
    of_type(
        StatusCode::OK,
        "text/css; charset=utf-8",
        include_str!("style.css"),
    )
}

async fn live() -> Answer {
    of_type(
        StatusCode::OK,
        "text/javascript; charset=utf-8",
        include_str!("live.js"),
    )
}

#[cfg(test)]
mod tests;
