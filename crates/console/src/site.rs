//! What the consoles of both platforms share: who asks, the platform's service as that person calls
//! it, and the pages that are the same at both.

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures::{Stream, StreamExt};
use s3rec_node::audit::LOG_FILE;
use s3rec_node::examine::{Certificate, Findings};
use s3rec_node::tls::Caller;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use tonic::Status;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::answer::{self, go_to, of_type, page, with_cookie};
use crate::form::Form;
use crate::logins::Logins;
use crate::pages::{self, Frame};

/// The platform's own service, called in this process: authorised callers are in the requests'
/// extensions, as on the operators' port.
pub type Calls =
    BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, Infallible>;

/// What the daemon finds of itself, and the certificates that it goes by.
pub type Examine = Box<
    dyn Fn() -> Pin<Box<dyn Future<Output = (Findings, Vec<Certificate>)> + Send>> + Send + Sync,
>;

/// Largest form.
pub(crate) const FORM_BYTES: usize = 16 << 10;
/// Entries of the audit log that are shown.
const SHOWN_ENTRIES: usize = 30;
/// Characters of one entry's text.
const SHOWN_CHARACTERS: usize = 160;
/// How long a page waits for the next of a job's events that are there already.
const NEXT_EVENT: Duration = Duration::from_millis(100);

/// What the routes share.
pub struct Site {
    /// `rating` or `social`.
    pub role: &'static str,
    /// The platform's name.
    pub name: String,
    /// Where its audit log is.
    pub data_dir: PathBuf,
    /// Who is in.
    pub logins: Arc<Logins>,
    /// The platform's own service.
    pub calls: Calls,
    /// Keys, certificates, disk, and the other platform.
    pub examine: Examine,
}

pub(crate) type Shared = State<Arc<Site>>;
pub(crate) type Answer = Response<Body>;

/// The platform's own pages, and those that both have.
pub(crate) fn with_shared(own: Router<Arc<Site>>, site: Site) -> Router {
    own.route("/audit", get(audit))
        .route("/health", get(health))
        .route("/login/{token}", get(invited))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/style.css", get(style))
        .route("/live.js", get(live))
        .route("/icon.svg", get(icon))
        .fallback(elsewhere)
        .method_not_allowed_fallback(elsewhere)
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(map_response(guarded))
        .with_state(Arc::new(site))
}

async fn guarded(mut response: Answer) -> Answer {
    answer::guard(response.headers_mut());
    response
}

/// Somebody who is in asks for a page; whoever is not is told how to get in.
pub(crate) struct Visit {
    pub(crate) site: Arc<Site>,
    pub(crate) frame: Frame,
    caller: Caller,
}

impl Visit {
    /// The platform as this person calls it.
    pub(crate) fn calls(&self) -> Calls {
        let (caller, calls) = (self.caller.clone(), self.site.calls.clone());
        BoxCloneSyncService::new(calls.map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(caller.clone());
            request
        }))
    }
}

impl FromRequestParts<Arc<Site>> for Visit {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Answer> {
        let visitor = answer::visitor(&site.logins, &parts.headers, site.role)
            .ok_or_else(|| page(StatusCode::UNAUTHORIZED, pages::not_in(site.role)))?;
        Ok(Self {
            site: Arc::clone(site),
            frame: Frame {
                role: site.role,
                platform: site.name.clone(),
                person: visitor.caller.name.clone(),
                form_token: visitor.form_token,
            },
            caller: visitor.caller,
        })
    }
}

/// Somebody who is in sends a form, which must be this session's own.
pub(crate) struct Sent {
    pub(crate) visit: Visit,
    pub(crate) form: Form,
}

impl FromRequest<Arc<Site>> for Sent {
    type Rejection = Answer;

    async fn from_request(request: Request<Body>, site: &Arc<Site>) -> Result<Self, Answer> {
        let (mut parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), site).await;
        let form = Form::read(&body.map_err(IntoResponse::into_response)?);
        let visit = Visit::from_request_parts(&mut parts, site).await?;
        if answer::is_own_form(&visit.frame.form_token, &parts.headers, &form) {
            return Ok(Self { visit, form });
        }
        let message = "the form was not sent from a page of this session";
        let remedy = "Open the page again and send the form from there.";
        let told = pages::failed(&visit.frame, message, remedy);
        Err(page(StatusCode::FORBIDDEN, told))
    }
}

/// What a call of the platform came to, on a page.
pub(crate) fn shown(frame: &Frame, made: Result<maud::Markup, Status>) -> Answer {
    match made {
        Ok(made) => page(StatusCode::OK, made),
        Err(status) => failed(frame, &status),
    }
}

pub(crate) fn failed(frame: &Frame, status: &Status) -> Answer {
    let code = match status.code() {
        tonic::Code::NotFound => StatusCode::NOT_FOUND,
        tonic::Code::Internal | tonic::Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    let (message, remedy) = told(status);
    page(code, pages::failed(frame, &message, &remedy))
}

/// What went wrong, and what to do.
pub(crate) fn told(status: &Status) -> (String, String) {
    match Fault::from_status(status) {
        Some(fault) => (fault.message, fault.remedy),
        None => {
            let remedy = "The daemon's log has the details.".to_owned();
            (status.message().to_owned(), remedy)
        }
    }
}

pub(crate) fn refused(frame: &Frame, message: &str, remedy: &str) -> Answer {
    page(
        StatusCode::BAD_REQUEST,
        pages::failed(frame, message, remedy),
    )
}

pub(crate) fn not_found(frame: &Frame) -> Answer {
    let remedy = "Go on from one of the sections above.";
    let told = pages::failed(frame, "there is no such page", remedy);
    page(StatusCode::NOT_FOUND, told)
}

/// To a job's page after something was done; what is in a path came from a page of ours, or is no job.
pub(crate) fn back_to(section: &str, job: &str) -> Answer {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match job.chars().all(is_plain) {
        true => go_to(&format!("{section}{job}")),
        false => go_to("/"),
    }
}

/// A job's events that are there already.
pub(crate) async fn so_far(
    mut events: tonic::Streaming<v1::JobEvent>,
) -> Result<Vec<v1::JobEvent>, Status> {
    let mut seen = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(NEXT_EVENT, events.next()).await {
        seen.push(event?);
    }
    Ok(seen)
}

/// A job's events as they come, until it ends, as the script of a page takes them.
pub(crate) fn live_events(
    events: impl Stream<Item = Result<v1::JobEvent, Status>> + Send + 'static,
) -> Answer {
    let mut curves = pages::Curves::default();
    let told = events.map(move |event| {
        let event = event.map_err(|status| std::io::Error::other(status.message().to_owned()))?;
        curves.add(&event);
        let live = pages::live(&event, &curves);
        Ok::<_, std::io::Error>(Event::default().data(live.text()))
    });
    Sse::new(told).into_response()
}

async fn audit(Visit { site, frame, .. }: Visit) -> Answer {
    let path = site.data_dir.join(LOG_FILE);
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
    page(StatusCode::OK, pages::audit(&frame, &checked, &newest))
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
        // Certificates, hashes, nonces, signatures: the log itself has them.
        let is_digest =
            |text: &str| text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if value
            .as_str()
            .is_none_or(|text| text.len() <= 80 && !is_digest(text))
        {
            words.push_str(&format!(", {name} {}", text(value)));
        }
    }
    let mut cut: String = words.chars().take(SHOWN_CHARACTERS).collect();
    if cut.len() < words.len() {
        cut.push('…');
    }
    cut
}

async fn health(Visit { site, frame, .. }: Visit) -> Answer {
    let (findings, certificates) = (site.examine)().await;
    let made = pages::health(&frame, &findings, &certificates);
    page(StatusCode::OK, made)
}

async fn invited(State(site): Shared, Path(token): Path<String>) -> Answer {
    match site.logins.invited(&token) {
        Some(person) => page(StatusCode::OK, pages::invited(&person, &token)),
        None => page(StatusCode::UNAUTHORIZED, pages::not_in(site.role)),
    }
}

/// The one form without a session: it carries the link, which nobody else has.
async fn log_in(State(site): Shared, body: Bytes) -> Answer {
    let form = Form::read(&body);
    match site.logins.redeem(form.text("link")) {
        Ok(Some(token)) => with_cookie(go_to("/"), site.role, &token),
        Ok(None) => page(StatusCode::UNAUTHORIZED, pages::not_in(site.role)),
        Err(error) => {
            tracing::error!("nobody can log in: {error}");
            page(StatusCode::INTERNAL_SERVER_ERROR, pages::not_in(site.role))
        }
    }
}

async fn log_out(State(site): Shared, headers: HeaderMap, _: Sent) -> Answer {
    if let Some(token) = answer::token(&headers, site.role) {
        site.logins.end(token);
    }
    with_cookie(go_to("/"), site.role, "")
}

async fn elsewhere(visit: Visit) -> Answer {
    not_found(&visit.frame)
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

async fn icon() -> Answer {
    of_type(StatusCode::OK, "image/svg+xml", include_str!("icon.svg"))
}
