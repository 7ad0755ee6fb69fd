//! Who gets in, and what a request must carry before anything is called.

use std::sync::Mutex;

use http_body_util::BodyExt;
use s3rec_node::pki::{CertificateRole, Pin};
use tower::service_fn;

use super::*;

/// What was called at the platform, and as whom.
type Called = Arc<Mutex<Vec<(String, String)>>>;

struct Site {
    router: Router,
    logins: Arc<Logins>,
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

impl Site {
    /// In front of a platform that notes every call and answers none.
    fn new() -> Self {
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
        let router = router(Social {
            name: "p1.example".into(),
            data_dir: "/nowhere".into(),
            logins: Arc::clone(&logins),
            calls: BoxCloneSyncService::new(calls),
        });
        Self {
            router,
            logins,
            called,
        }
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let answered = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answered.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (head.status, head.headers, text)
    }

    /// A session's token, by the link that `s3rec social console` prints.
    async fn log_in(&self) -> String {
        let link = self.logins.link(alice()).unwrap();
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
        assert_eq!(name, answer::COOKIE_NAME);
        rest.split(';').next().unwrap().to_owned()
    }

    fn called(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.called.lock().unwrap())
    }
}

fn request(method: &str, path: &str, session: &str) -> axum::http::request::Builder {
    let cookie = format!("other=1; {}={session}", answer::COOKIE_NAME);
    let builder = Request::builder().method(method).uri(path);
    builder
        .header("host", "localhost:7300")
        .header("cookie", cookie)
}

fn post_of(path: &str, session: &str, form: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut builder =
        request("POST", path, session).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::from(form.to_owned())).unwrap()
}

fn get_of(path: &str, session: &str) -> Request<Body> {
    request("GET", path, session).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn nobody_gets_in_without_a_session_and_nothing_is_called() {
    let site = Site::new();
    let link = site.logins.link(alice()).unwrap();
    for session in ["", "guess", &link] {
        for path in [
            "/",
            "/proposal/j",
            "/events/j",
            "/disclosures",
            "/policy",
            "/audit",
        ] {
            let (status, headers, text) = site.ask(get_of(path, session)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(text.contains("s3rec social console"), "{text}");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
        }
        for path in ["/proposal/j/approve", "/policy/reload", "/logout"] {
            let (status, ..) = site.ask(post_of(path, session, "read=yes", &[])).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    assert_eq!(site.called(), []);
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let site = Site::new();
    let session = site.log_in().await;
    let token = site.logins.visitor(&session).unwrap().form_token;
    let right = format!("form_token={token}&reason=no");
    let other = {
        let session = site.log_in().await;
        site.logins.visitor(&session).unwrap().form_token
    };
    let path = "/proposal/j/reject";
    for (form, headers) in [
        ("reason=no".to_owned(), vec![]),
        (format!("form_token={other}&reason=no"), vec![]),
        (format!("form_token={session}&reason=no"), vec![]),
        (right.clone(), vec![("sec-fetch-site", "cross-site")]),
        (right.clone(), vec![("sec-fetch-site", "same-site")]),
        (right.clone(), vec![("origin", "https://evil.example")]),
        (right.clone(), vec![("origin", "null")]),
    ] {
        let (status, ..) = site.ask(post_of(path, &session, &form, &headers)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{form} {headers:?}");
    }
    assert_eq!(site.called(), []);

    let own = [
        ("origin", "https://localhost:7300"),
        ("sec-fetch-site", "same-origin"),
    ];
    let (status, ..) = site.ask(post_of(path, &session, &right, &own)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "what the platform answers");
    assert_eq!(
        site.called(),
        [("RejectProposal".to_owned(), "alice".to_owned())]
    );
}

#[tokio::test]
async fn consent_needs_the_box_that_says_it_was_read() {
    let site = Site::new();
    let session = site.log_in().await;
    let token = site.logins.visitor(&session).unwrap().form_token;
    let path = "/proposal/j/approve";
    let form = format!("form_token={token}");
    let (status, ..) = site.ask(post_of(path, &session, &form, &[])).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(site.called(), []);
    let form = format!("form_token={token}&read=yes");
    site.ask(post_of(path, &session, &form, &[])).await;
    assert_eq!(
        site.called(),
        [("ApproveProposal".to_owned(), "alice".to_owned())]
    );
    // A form larger than any of ours is not read.
    let form = format!("{form}&reason={}", "x".repeat(FORM_BYTES));
    let (status, ..) = site.ask(post_of(path, &session, &form, &[])).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(site.called(), []);
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let site = Site::new();
    let session = site.log_in().await;
    let token = site.logins.visitor(&session).unwrap().form_token;
    let (status, ..) = site.ask(get_of("/audit", &session)).await;
    assert_eq!(status, StatusCode::OK);
    let form = format!("form_token={token}");
    let (status, headers, _) = site.ask(post_of("/logout", &session, &form, &[])).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(
        headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    let (status, ..) = site.ask(get_of("/audit", &session)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}
