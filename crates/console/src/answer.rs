//! Answers with the headers that every page has, and who asks.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName,
    HeaderValue, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{Response, StatusCode};
use maud::Markup;

use crate::form::Form;
use crate::logins::{Logins, Visitor};

/// Its prefix ties the cookie to this host, this path and HTTPS. Cookies know no ports: the consoles of
/// both platforms on one machine need names of their own, or one would log the other out.
pub(crate) fn cookie_name(role: &str) -> String {
    format!("__Host-s3rec-{role}")
}

/// Nothing but what the daemon itself serves, and nobody puts it into a frame.
const CONTENT: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                       img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of every answer.
pub(crate) fn guard(headers: &mut HeaderMap) {
    const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        // Not `no-referrer`: browsers then send forms with `Origin: null`, which is refused.
        (REFERRER_POLICY, SAME_ORIGIN),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            SAME_ORIGIN,
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            SAME_ORIGIN,
        ),
    ] {
        headers.insert(name, value);
    }
}

pub(crate) fn page(status: StatusCode, page: Markup) -> Response<Body> {
    of_type(status, "text/html; charset=utf-8", page.into_string())
}

pub(crate) fn of_type(
    status: StatusCode,
    form: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form));
    response
}

/// Sends the browser to another page, which it gets.
pub(crate) fn go_to(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// Sets the session's cookie, or takes it away where `token` is empty.
pub(crate) fn with_cookie(mut response: Response<Body>, role: &str, token: &str) -> Response<Body> {
    let name = cookie_name(role);
    let age = if token.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{name}={token}; Path=/; Secure; HttpOnly; SameSite=Strict{age}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// The session's token, as the browser sends it.
pub(crate) fn token<'a>(headers: &'a HeaderMap, role: &str) -> Option<&'a str> {
    let name = cookie_name(role);
    let cookies = headers.get_all(COOKIE).iter();
    cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(name.as_str())?.strip_prefix('='))
}

/// Who asks.
pub(crate) fn visitor(logins: &Logins, headers: &HeaderMap, role: &str) -> Option<Visitor> {
    logins.visitor(token(headers, role)?)
}

/// Whether a form was sent from one of this session's own pages: it carries the session's token, and
/// the browser does not say that another site sent it.
pub(crate) fn is_own_form(session: &str, headers: &HeaderMap, form: &Form) -> bool {
    let sent = blake3::hash(form.text("form_token").as_bytes());
    let is_same_site = headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin");
    // Compared by their hashes: in a time that tells nothing.
    sent == blake3::hash(session.as_bytes()) && is_same_site && !is_foreign(headers)
}

/// Whether the browser names another origin than the host that it asks.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let host = host.map(|host| format!("https://{host}"));
    origin.to_str().ok() != host.as_deref()
}
