//! A client of the store that a place names, with keys and endpoints from the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::http::Connector;
use super::{profile, trouble};
use crate::error::SourceError;
use crate::place::{ObjectPlace, Service};

/// A request that fails in passing is made so often again.
const MOST_RETRIES: usize = 5;
/// But not after so long.
const RETRY_LIMIT: Duration = Duration::from_secs(180);
/// Waited before another, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The variables that name who we are to S3.
const WHO: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The store of a place.
///
/// # Errors
/// [`SourceError`] where the environment says something that cannot be.
pub(super) fn open(place: &ObjectPlace) -> Result<Arc<dyn ObjectStore>, SourceError> {
    let bucket = place.bucket.as_str();
    let built: object_store::Result<Arc<dyn ObjectStore>> = match place.service {
        Service::S3 => s3(place)?
            .with_bucket_name(bucket)
            .with_retry(retry())
            .with_http_connector(Connector)
            .build()
            .map(|store| Arc::new(store) as _),
        Service::Gcs => GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_retry(retry())
            .with_http_connector(Connector)
            .build()
            .map(|store| Arc::new(store) as _),
        Service::Azure => MicrosoftAzureBuilder::from_env()
            .with_container_name(bucket)
            .with_retry(retry())
            .with_http_connector(Connector)
            .build()
            .map(|store| Arc::new(store) as _),
    };
    built.map_err(|error| trouble::explain(place, &error))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: FIRST_WAIT,
            max_backoff: LONGEST_WAIT,
            base: 2.0,
        },
        max_retries: MOST_RETRIES,
        retry_timeout: RETRY_LIMIT,
    }
}

/// What the environment says of S3, and where it says nothing of who we are, the file of the AWS tools.
fn s3(place: &ObjectPlace) -> Result<AmazonS3Builder, SourceError> {
    let builder = AmazonS3Builder::from_env();
    let environment = |name: &str| std::env::var(name).ok();
    if WHO.iter().any(|name| environment(name).is_some()) {
        return Ok(builder);
    }
    let Some(profile) = profile::read(&place.name(), &environment)? else {
        return Ok(builder);
    };
    let mut builder = builder
        .with_access_key_id(profile.key.as_str())
        .with_secret_access_key(profile.secret.as_str());
    if let Some(token) = profile.token {
        builder = builder.with_token(token.as_str());
    }
    if let Some(region) = profile.region
        && builder
            .get_config_value(&AmazonS3ConfigKey::Region)
            .is_none()
    {
        builder = builder.with_region(region);
    }
    Ok(builder)
}
