//! Messages with one field changed: for checks that nothing of a message may differ unseen.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};

/// Every message that differs from the encoded one in exactly one field, at any depth, with the
/// field's path: scalars take another value, messages that are set also lose it, and messages
/// that are not set gain one.
///
/// # Panics
/// For descriptors, a name or bytes that do not fit each other.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that cannot begin says so")]
pub fn one_field_changed(
    descriptors: &[u8],
    message: &str,
    bytes: &[u8],
) -> Vec<(String, Vec<u8>)> {
    let pool = DescriptorPool::decode(descriptors).unwrap();
    let descriptor = pool.get_message_by_name(message).unwrap();
    let original = DynamicMessage::decode(descriptor, bytes).unwrap();
    let mut changed = Vec::new();
    walk(&original, "", &mut |path, message| {
        changed.push((path, message.encode_to_vec()));
    });
    changed
}

fn walk(message: &DynamicMessage, path: &str, found: &mut dyn FnMut(String, DynamicMessage)) {
    for field in message.descriptor().fields() {
        let here = format!("{path}{}", field.name());
        let mut with = |path: String, value: Value| {
            let mut changed = message.clone();
            changed.set_field(&field, value);
            found(path, changed);
        };
        if field.is_list() {
            let mut list = message
                .get_field(&field)
                .as_list()
                .unwrap_or_default()
                .to_vec();
            list.push(Value::default_value(&field.kind()));
            with(here, Value::List(list));
            continue;
        }
        let value = message.get_field(&field);
        match value.as_message().filter(|_| message.has_field(&field)) {
            Some(inner) => {
                walk(inner, &format!("{here}."), &mut |path, inner| {
                    with(path, Value::Message(inner));
                });
                let mut without = message.clone();
                without.clear_field(&field);
                found(here, without);
            }
            None => with(here, other(&field, &value)),
        }
    }
}

/// Another value of the field's type, of the same length where it has one.
fn other(field: &FieldDescriptor, value: &Value) -> Value {
    match value {
        Value::Bool(value) => Value::Bool(!value),
        Value::I32(value) => Value::I32(value ^ 1),
        Value::I64(value) => Value::I64(value ^ 1),
        Value::U32(value) => Value::U32(value ^ 1),
        Value::U64(value) => Value::U64(value ^ 1),
        Value::F32(value) => Value::F32(value + 1.0),
        Value::F64(value) => Value::F64(value + 1.0),
        Value::EnumNumber(value) => Value::EnumNumber(if *value == 1 { 2 } else { 1 }),
        Value::String(text) => {
            let mut text = text.clone();
            let last = if text.pop() == Some('1') { '2' } else { '1' };
            text.push(last);
            Value::String(text)
        }
        Value::Bytes(bytes) => {
            let mut bytes = bytes.to_vec();
            match bytes.first_mut() {
                Some(first) => *first ^= 1,
                None => bytes.push(1),
            }
            Value::Bytes(bytes.into())
        }
        _ => match field.kind() {
            Kind::Message(descriptor) => Value::Message(DynamicMessage::new(descriptor)),
            kind => Value::default_value(&kind),
        },
    }
}
