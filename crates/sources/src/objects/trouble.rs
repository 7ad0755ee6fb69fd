//! What a store's errors mean to whoever imports or exports.

use object_store::Error;

use crate::error::{SourceError, Trouble, chain};
use crate::place::{ObjectPlace, Service};

/// Longer answers are no sentence.
const LONGEST_ANSWER: usize = 300;
/// Where a machine of Amazon's tells who it is; asked when nothing else says it.
const MACHINE: &str = "169.254.169.254";
/// What stores answer who have no such bucket.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"];

/// What went wrong at a place.
pub(super) fn explain(place: &ObjectPlace, error: &Error) -> SourceError {
    let said = chain(error);
    let has = |part: &str| said.contains(part);
    let told = |trouble, what: String, remedy: &str| {
        SourceError::new(&place.name(), trouble, what, remedy)
    };
    if NO_BUCKET.iter().any(|answer| has(answer)) {
        let what = match place.service {
            Service::Azure => format!("there is no container {:?}", place.bucket),
            _ => format!("there is no bucket {:?}", place.bucket),
        };
        return told(Trouble::Missing, what, endpoint(place.service));
    }
    match error {
        Error::NotFound { .. } => told(
            Trouble::Missing,
            "there is no such object, nor a Parquet file below it".into(),
            "check the key; it is told apart by upper and lower case",
        ),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => told(
            Trouble::Credentials,
            format!("the store does not let us in: {}", answer(&said)),
            keys(place.service),
        ),
        _ if has(MACHINE) || has("metadata.google.internal") => told(
            Trouble::Credentials,
            "nothing says who we are to the store".into(),
            keys(place.service),
        ),
        _ if has("incorrectly configured region") => told(
            Trouble::Unreachable,
            "the bucket is in another region".into(),
            "set AWS_REGION to the bucket's",
        ),
        _ if has("was not allowed") => told(
            Trouble::Unreachable,
            "the endpoint's http:// sends everything in the clear".into(),
            "use https://, or allow it where the network is yours: AWS_ALLOW_HTTP=true (GOOGLE_…, AZURE_…)",
        ),
        _ => told(
            Trouble::Unreachable,
            format!("the store cannot be used: {}", answer(&said)),
            endpoint(place.service),
        ),
    }
}

/// A connection that broke more often than it was made anew.
pub(super) fn broken(place: &ObjectPlace, error: &Error, received: u64, of: u64) -> SourceError {
    SourceError::new(
        &place.name(),
        Trouble::Broken,
        format!(
            "the connection broke after {received} of {of} bytes, again and again ({})",
            answer(&chain(error))
        ),
        "nothing was imported; import again",
    )
}

fn keys(service: Service) -> &'static str {
    match service {
        Service::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE of ~/.aws/credentials, of \
             somebody who may list and read (to export, write) there"
        }
        Service::Gcs => {
            "let GOOGLE_APPLICATION_CREDENTIALS name the key file of an account that may read there"
        }
        Service::Azure => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or a SAS token)"
        }
    }
}

fn endpoint(service: Service) -> &'static str {
    match service {
        Service::S3 => {
            "check the name, AWS_REGION, and AWS_ENDPOINT_URL of a store that is not Amazon's"
        }
        Service::Gcs => "check the name, and that this machine reaches storage.googleapis.com",
        Service::Azure => "check the name, and AZURE_STORAGE_ACCOUNT_NAME",
    }
}

/// The sentence in an answer of XML, or the answer, not too long.
fn answer(said: &str) -> String {
    let between = |tag: &str| {
        let (_, rest) = said.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
    };
    let said = between("Message")
        .or_else(|| between("Code"))
        .unwrap_or(said);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match said.char_indices().nth(LONGEST_ANSWER) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(service: Service, error: &Error) -> SourceError {
        let place = ObjectPlace {
            service,
            bucket: "films".into(),
            key: "a".into(),
        };
        explain(&place, error)
    }

    #[test]
    fn an_answer_is_shown_by_its_sentence() {
        let xml =
            "403: <?xml?>\n<Error><Code>AccessDenied</Code><Message>Not\n you</Message></Error>";
        assert_eq!(answer(xml), "Not you");
        assert_eq!(answer("<Code>Busy</Code>"), "Busy");
        assert_eq!(answer(&"é".repeat(400)).chars().count(), LONGEST_ANSWER + 1);
    }

    #[test]
    fn every_trouble_has_its_remedy() {
        let generic = |text: &str| Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        };
        for (error, trouble, part) in [
            (
                generic("404 <Code>NoSuchBucket</Code>"),
                Trouble::Missing,
                "films",
            ),
            (
                generic("PUT http://169.254.169.254/x"),
                Trouble::Credentials,
                "AWS_PROFILE",
            ),
            (
                generic("incorrectly configured region"),
                Trouble::Unreachable,
                "AWS_REGION",
            ),
            (
                generic("connection refused"),
                Trouble::Unreachable,
                "connection refused",
            ),
        ] {
            let said = said(Service::S3, &error);
            assert_eq!(said.trouble, trouble, "{said}");
            assert!(said.to_string().contains(part), "{said}");
        }
        let denied = Error::PermissionDenied {
            path: "a".into(),
            source: "no".into(),
        };
        for (service, part) in [
            (Service::S3, "AWS_"),
            (Service::Gcs, "GOOGLE_"),
            (Service::Azure, "AZURE_"),
        ] {
            let said = said(service, &denied);
            assert_eq!(said.trouble, Trouble::Credentials);
            assert!(said.remedy.contains(part), "{said}");
        }
    }
}
