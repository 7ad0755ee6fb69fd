//! What a request must carry before anything is called at the rating platform.

use axum::http::StatusCode;

use super::*;
use crate::trial::{Trial, get_of, post_of};

#[tokio::test]
async fn nobody_gets_in_without_a_session_and_nothing_is_called() {
    let site = Trial::new("rating", router);
    let link = site.link();
    for session in ["", "guess", &link] {
        for path in [
            "/",
            "/job/j",
            "/events/j",
            "/propose",
            "/datasets",
            "/models",
            "/model/m",
            "/recommend",
            "/disclosures",
            "/health",
            "/audit",
        ] {
            let (status, _, text) = site.ask(get_of(path, session)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(text.contains("s3rec rating console"), "{text}");
        }
        for path in [
            "/propose/send",
            "/job/j/start",
            "/recommend",
            "/model/m/delete",
        ] {
            let (status, ..) = site.ask(post_of(path, session, "sure=yes", &[])).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    assert_eq!(site.called(), []);
}

#[tokio::test]
async fn a_form_of_another_session_does_nothing() {
    let site = Trial::new("rating", router);
    let session = site.log_in().await;
    let other = site.log_in().await;
    let token = site.logins.visitor(&other).unwrap().form_token;
    for path in [
        "/propose/estimate",
        "/propose/send",
        "/propose/change",
        "/job/j/start",
        "/job/j/cancel",
        "/job/j/delete",
        "/model/m/delete",
        "/recommend",
        "/logout",
    ] {
        for form in [
            "purpose=p&sure=yes".into(),
            format!("form_token={token}&purpose=p&sure=yes"),
        ] {
            let (status, ..) = site.ask(post_of(path, &session, &form, &[])).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {form}");
        }
    }
    assert_eq!(site.called(), []);
}

#[tokio::test]
async fn each_form_makes_its_one_call_in_that_persons_name() {
    let site = Trial::new("rating", router);
    let session = site.log_in().await;
    let token = site.logins.visitor(&session).unwrap().form_token;
    for (path, form, verb) in [
        ("/job/j/start", "", "StartJob"),
        ("/job/j/cancel", "&reason=no", "CancelJob"),
        ("/job/j/delete", "&sure=yes", "DeleteJob"),
        ("/model/m/delete", "&sure=yes", "DeleteModel"),
        ("/propose/estimate", "&purpose=p", "EstimateJob"),
        ("/propose/send", "&purpose=p", "ProposeJob"),
        ("/recommend", "&user=u", "Recommend"),
    ] {
        let form = format!("form_token={token}{form}");
        site.ask(post_of(path, &session, &form, &[])).await;
        let called = site.called();
        let first = called
            .first()
            .map(|(verb, who)| (verb.as_str(), who.as_str()));
        assert_eq!(first, Some((verb, "alice")), "{called:?}");
    }
}

#[tokio::test]
async fn what_is_gone_for_good_needs_a_tick_and_what_makes_no_sense_is_not_sent() {
    let site = Trial::new("rating", router);
    let session = site.log_in().await;
    let token = site.logins.visitor(&session).unwrap().form_token;
    for path in ["/job/j/delete", "/model/m/delete"] {
        let form = format!("form_token={token}");
        let (status, ..) = site.ask(post_of(path, &session, &form, &[])).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(site.called(), []);
    let form = format!("form_token={token}&purpose=p&rank=many");
    site.ask(post_of("/propose/send", &session, &form, &[]))
        .await;
    let called = site.called();
    assert!(
        called.iter().all(|(verb, _)| verb == "ListDatasets"),
        "{called:?}"
    );
}
