//! Who gets in, and what a request must carry before anything is called.

use axum::http::StatusCode;

use super::*;
use crate::site::FORM_BYTES;
use crate::trial::{Trial, get_of, post_of};

#[tokio::test]
async fn nobody_gets_in_without_a_session_and_nothing_is_called() {
    let site = Trial::new("social", router);
    let link = site.link();
    for session in ["", "guess", &link] {
        for path in [
            "/",
            "/proposal/j",
            "/events/j",
            "/disclosures",
            "/policy",
            "/health",
            "/audit",
            "/nothing",
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
    let site = Trial::new("social", router);
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
    let site = Trial::new("social", router);
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
    let site = Trial::new("social", router);
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
