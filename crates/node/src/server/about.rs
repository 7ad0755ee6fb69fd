//! What any client may ask a port: which services it has, and whether they serve.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;

use super::ServeError;
use crate::tls::{Admitted, Authorize};

/// Longest question: a service's or a file's name.
const MAX_QUESTION_BYTES: usize = 4 << 10;

/// Adds gRPC health, of the port as a whole and by service, and reflection in both of its
/// versions, of the one service `S` that the port has besides them. `callers` may ask.
///
/// # Errors
/// [`ServeError::Reflection`]; [`ServeError::Descriptors`] for a service that is not ours.
pub(super) async fn add_health_and_reflection<S: NamedService>(
    routes: &mut RoutesBuilder,
    callers: &Authorize,
) -> Result<(), ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<S>().await;
    let files = files_of(S::NAME)?.encode_to_vec();
    let reflection = || {
        use tonic_reflection::pb;
        // Either version tells of both.
        tonic_reflection::server::Builder::configure()
            .include_reflection_service(false)
            .register_encoded_file_descriptor_set(&files)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(pb::v1alpha::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection()
        .build_v1()?
        .max_decoding_message_size(MAX_QUESTION_BYTES);
    let v1alpha = reflection()
        .build_v1alpha()?
        .max_decoding_message_size(MAX_QUESTION_BYTES);
    let health = health.max_decoding_message_size(MAX_QUESTION_BYTES);
    routes.add_service(Admitted::new(health, callers.clone()));
    routes.add_service(Admitted::new(v1, callers.clone()));
    routes.add_service(Admitted::new(v1alpha, callers.clone()));
    Ok(())
}

/// The file of a service and all that it imports, and none of the other services'.
fn files_of(service: &'static str) -> Result<FileDescriptorSet, ServeError> {
    let unknown = || ServeError::Descriptors { service };
    let all = FileDescriptorSet::decode(s3rec_wire::FILE_DESCRIPTOR_SET).map_err(|_| unknown())?;
    let home = all.file.iter().find(|file| {
        let (package, name) = service.rsplit_once('.').unwrap_or(("", service));
        file.package() == package && file.service.iter().any(|one| one.name() == name)
    });
    let mut needed = BTreeSet::new();
    let mut next = vec![home.ok_or_else(unknown)?.name().to_owned()];
    while let Some(name) = next.pop() {
        let file = all.file.iter().find(|file| file.name() == name);
        next.extend_from_slice(&file.ok_or_else(unknown)?.dependency);
        needed.insert(name);
        next.retain(|name| !needed.contains(name));
    }
    let file = all.file.into_iter();
    Ok(FileDescriptorSet {
        file: file.filter(|file| needed.contains(file.name())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_comes_with_what_it_imports_and_without_the_others() {
        for own in ["RatingPlatform", "SocialPlatform", "Peer"] {
            let name: &'static str = format!("s3rec.v1.{own}").leak();
            let files = files_of(name).unwrap().file;
            let services: Vec<&str> = files
                .iter()
                .flat_map(|file| &file.service)
                .map(|service| service.name())
                .collect();
            assert_eq!(services, [own]);
            for file in &files {
                for import in &file.dependency {
                    assert!(files.iter().any(|file| file.name() == import), "{import}");
                }
            }
        }
        assert!(files_of("s3rec.v1.Nobody").is_err());
    }
}
