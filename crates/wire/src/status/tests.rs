use super::*;

#[test]
fn every_reason_survives_the_wire() {
    for reason in Reason::ALL {
        let fault = Fault::new(*reason, "what happened").at("round", 7);
        let status = fault.clone().into_status();
        assert_eq!(status.code(), reason.code());
        assert_eq!(Fault::from_status(&status), Some(fault));
        let retry = status.get_error_details().retry_info().is_some();
        assert_eq!(retry, reason.retry_seconds().is_some());
    }
}

#[test]
fn a_disk_that_refuses_comes_with_the_remedy_for_its_cause() {
    let remedy = |kind| Fault::storage("file", kind).remedy;
    assert!(remedy(ErrorKind::StorageFull).contains("Make room"));
    assert!(remedy(ErrorKind::ReadOnlyFilesystem).contains("writable"));
    assert!(remedy(ErrorKind::PermissionDenied).contains("chown"));
    assert_eq!(remedy(ErrorKind::Other), Reason::StorageFailed.remedy());
}

#[test]
fn the_other_platform_hears_nothing_of_our_files() {
    let ours = Fault::storage(
        "/var/lib/s3rec/stocks/7/record: No space left on device",
        ErrorKind::StorageFull,
    )
    .at("job", "7")
    .at("file", "/var/lib/s3rec/links/default");
    let told = ours.outward();
    assert_eq!(told.reason, Reason::PlatformFailed);
    // Nor which kind of failure it was.
    for reason in [Reason::Bug, Reason::InvalidFile, Reason::StorageFailed] {
        let other = Fault::new(reason, "something else").at("job", "7");
        assert_eq!(other.outward(), told);
    }
    assert_eq!(told.metadata.get("job").map(String::as_str), Some("7"));
    let words = format!("{told:?}");
    for secret in ["/var", "No space", "disk", "record"] {
        assert!(!words.contains(secret), "{words}");
    }
    let theirs = Fault::new(Reason::BeyondConsent, "most_values").at("field", "most_values");
    assert_eq!(theirs.clone().outward(), theirs);
}

#[test]
fn what_is_repeated_of_a_clients_words_is_cut() {
    assert_eq!(echo("job"), "job");
    assert_eq!(echo("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
    assert_eq!(echo(&"é".repeat(100)), "é".repeat(100));
    assert_eq!(echo(&"é".repeat(4000)), "é".repeat(100) + "…");
    for name in ["x".repeat(4000), "é".repeat(4000), "\u{1f600}".repeat(4000)] {
        let fault = Fault::new(Reason::NotFound, format!("there is no {name}"));
        let status = fault.at("job", &name).at("field", &name).into_status();
        // A header holds the message percent-encoded and the details in base64.
        let bytes = 3 * status.message().len() + status.details().len().div_ceil(3) * 4;
        assert!(bytes < 8 << 10, "{bytes}");
        let read = Fault::from_status(&status).unwrap();
        assert_eq!(read.metadata["job"].chars().count(), 101);
    }
    let fault = Fault::no_job(&"x".repeat(4000));
    assert!(fault.message.len() < 200 && fault.reason == Reason::NotFound);
}

#[test]
fn a_foreign_status_is_not_ours() {
    assert_eq!(Fault::from_status(&Status::unavailable("proxy")), None);
}

#[test]
fn a_bad_field_is_named_in_the_details() {
    let status = Fault::from(WireError::Missing { field: "rank" }).into_status();
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "rank");
}
