//! A console in front of a platform that notes every call and answers none.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use s3rec_node::pki::{CertificateRole, Pin};
use s3rec_node::tls::Caller;
use tonic::Status;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use crate::answer;
use crate::logins::Logins;
use crate::site::Site;

/// What was called at the platform, and as whom.
type Called = Arc<Mutex<Vec<(String, String)>>>;

pub(crate) struct Trial {
    role: &'static str,
    router: Router,
    pub(crate) logins: Arc<Logins>,
    called: Called,
}

fn alice() -> Caller {
    Caller {
        name: "alice".into(),
        role: CertificateRole::SocialOperator,
        pin: Pin::of(b"alice"),
        certificate: b"alice".to_vec(),
    }
}

impl Trial {
    /// In front of a platform that notes every call and answers none.
    pub(crate) fn new(role: &'static str, router: fn(Site) -> Router) -> Self {
        let called = Called::default();
        let noted = Arc::clone(&called);
        let calls = service_fn(move |request: Request<tonic::body::Body>| {
            let verb = request.uri().path().rsplit('/').next().unwrap_or_default();
            let caller = request.extensions().get::<Caller>();
            let who = caller.map(|caller| caller.name.clone()).unwrap_or_default();
            noted.lock().unwrap().push((verb.to_owned(), who));
            async { Ok::<_, Infallible>(Status::not_found("no such job").into_http()) }
        });
        let logins = Arc::new(Logins::new(|_| true));
        let router = router(Site {
            role,
            name: "platform.example".into(),
            data_dir: "/nowhere".into(),
            logins: Arc::clone(&logins),
            calls: BoxCloneSyncService::new(calls),
            examine: Box::new(|| Box::pin(async { Default::default() })),
        });
        Self {
            role,
            router,
            logins,
            called,
        }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let answered = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answered.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (head.status, head.headers, text)
    }

    /// What the command prints.
    pub(crate) fn link(&self) -> String {
        self.logins.link(alice()).unwrap()
    }

    /// A session's token, by such a link.
    pub(crate) async fn log_in(&self) -> String {
        let link = self.link();
        let form = format!("link={link}");
        let (status, headers, _) = self.ask(post_of("/login", "", &form, &[])).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let cookie = headers["set-cookie"].to_str().unwrap();
        for kept in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(kept), "{cookie}");
        }
        let (_, again, _) = self.ask(post_of("/login", "", &form, &[])).await;
        assert!(!again.contains_key("set-cookie"), "a link is good once");
        let (name, rest) = cookie.split_once('=').unwrap();
        assert_eq!(name, answer::cookie_name(self.role), "one for each console");
        rest.split(';').next().unwrap().to_owned()
    }

    pub(crate) fn called(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.called.lock().unwrap())
    }
}

fn request(method: &str, path: &str, session: &str) -> axum::http::request::Builder {
    let [rating, social] = ["rating", "social"].map(answer::cookie_name);
    let cookie = format!("other=1; {rating}={session}; {social}={session}");
    let builder = Request::builder().method(method).uri(path);
    builder
        .header("host", "localhost:7300")
        .header("cookie", cookie)
}

pub(crate) fn post_of(
    path: &str,
    session: &str,
    form: &str,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut builder =
        request("POST", path, session).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::from(form.to_owned())).unwrap()
}

pub(crate) fn get_of(path: &str, session: &str) -> Request<Body> {
    request("GET", path, session).body(Body::empty()).unwrap()
}
