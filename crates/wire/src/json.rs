//! Messages as JSON with the names of the proto files: fields in snake_case, enumerations by
//! name, 64-bit numbers as numbers, unset fields with their default.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, SerializeOptions};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // Unwrap safety: the bytes come out of our own build and a test decodes them.
    DescriptorPool::decode(crate::FILE_DESCRIPTOR_SET).expect("our descriptors decode")
});

/// `message` as a JSON value.
#[must_use]
pub fn to_json<M: Message + Name>(message: &M) -> serde_json::Value {
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(false)
        .use_proto_field_name(true)
        .skip_default_fields(false);
    let descriptor = POOL.get_message_by_name(&M::full_name());
    let dynamic = descriptor.and_then(|descriptor| {
        DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()
    });
    dynamic
        .and_then(|message| {
            message
                .serialize_with_options(serde_json::value::Serializer, &options)
                .ok()
        })
        .unwrap_or_default()
}

/// The message that [`to_json`] has made of it, or of a later version's with fields that this one
/// does not know.
///
/// # Errors
/// What does not fit, in words.
pub fn from_json<M: Message + Name + Default>(text: &str) -> Result<M, String> {
    let descriptor = POOL.get_message_by_name(&M::full_name());
    let descriptor = descriptor.ok_or_else(|| format!("{} is not described", M::full_name()))?;
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let mut json = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize_with_options(descriptor, &mut json, &options);
    let message = message.map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    message.transcode_to().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn names_replace_numbers() {
        let event = v1::JobEvent {
            job_id: "j".into(),
            state: v1::JobState::Running.into(),
            time_unix_ms: 1 << 60,
            ..v1::JobEvent::default()
        };
        let json = to_json(&event);
        assert_eq!(json["state"], "JOB_STATE_RUNNING");
        assert_eq!(json["time_unix_ms"], 1_u64 << 60);
        assert_eq!(json["round"], 0);
        assert_eq!(from_json::<v1::JobEvent>(&json.to_string()).unwrap(), event);
        let mut later = json;
        later["a_field_of_a_later_version"] = true.into();
        assert_eq!(
            from_json::<v1::JobEvent>(&later.to_string()).unwrap(),
            event
        );
        for bad in ["", "{", "[]", r#"{"round": "x"}"#, "{} {}"] {
            assert!(from_json::<v1::JobEvent>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_message_of_every_service_is_described() {
        let services: Vec<_> = POOL.services().map(|s| s.full_name().to_owned()).collect();
        assert_eq!(services.len(), 4, "{services:?}");
    }
}
