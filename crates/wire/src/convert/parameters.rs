//! The product's parameters. Both sides hold the same and check them for themselves.

use s3rec_job::AgreedParameters;
use s3rec_spmm::ProductParameters;

use super::{
    friends_parameters_from_wire, friends_parameters_to_wire, operator_from_wire, operator_to_wire,
    pattern_from_wire, pattern_to_wire, protocol_from_wire, protocol_to_wire, release_from_wire,
    release_to_wire,
};
use crate::record::Record;
use crate::{WireError, v1};

/// The message of checked parameters, with what follows from them for people to read.
///
/// # Errors
/// [`s3rec_spmm::SpmmError`] when the parameters do not satisfy the inequalities.
pub fn parameters_to_wire(
    parameters: &ProductParameters,
) -> Result<v1::ProductParameters, s3rec_spmm::SpmmError> {
    let layout = parameters.layout()?;
    Ok(v1::ProductParameters {
        users: parameters.users,
        columns: parameters.columns,
        rounds: parameters.rounds,
        ring_bits: parameters.ring_bits,
        scale_bits: parameters.scale_bits,
        weight_bits: parameters.weight_bits(),
        guard_bits: parameters.guard_bits,
        saturation_bound: parameters.saturation_bound,
        row_norm_bound: parameters.row_norm_bound,
        nonzeros_bound: parameters.nonzeros_bound,
        operator: operator_to_wire(parameters.operator).into(),
        protocol: protocol_to_wire(parameters.protocol).into(),
        pattern_policy: pattern_to_wire(parameters.pattern).into(),
        release_policy: Some(release_to_wire(&parameters.release)),
        glwe_dimension: parameters.glwe_dimension,
        polynomial_size: parameters.polynomial_size,
        noise_bits: parameters.noise_bits,
        dropped_body_bits: parameters.dropped_body_bits,
        rows_per_response: layout.rows_per_response,
        returned_rows: parameters.returned_rows,
        security_bits: parameters.security_bits(),
        statistical_bits: parameters.statistical_bits()?,
        uploaded_rows: parameters.uploaded_rows,
        fetched_rows_bound: parameters.fetched_rows_bound,
    })
}

/// Reads parameters and refuses any message that states what does not follow from them.
///
/// The inequalities are the receiver's to check, with `ProductParameters::validate`.
///
/// # Errors
/// [`WireError`] naming the field.
pub fn parameters_from_wire(
    message: &v1::ProductParameters,
) -> Result<ProductParameters, WireError> {
    let parameters = ProductParameters {
        protocol: protocol_from_wire("protocol", message.protocol)?,
        operator: operator_from_wire("operator", message.operator)?,
        pattern: pattern_from_wire("pattern_policy", message.pattern_policy)?,
        release: release_from_wire(message.release_policy)?,
        users: message.users,
        uploaded_rows: message.uploaded_rows,
        returned_rows: message.returned_rows,
        fetched_rows_bound: message.fetched_rows_bound,
        columns: message.columns,
        rounds: message.rounds,
        ring_bits: message.ring_bits,
        scale_bits: message.scale_bits,
        guard_bits: message.guard_bits,
        saturation_bound: message.saturation_bound,
        row_norm_bound: message.row_norm_bound,
        nonzeros_bound: message.nonzeros_bound,
        glwe_dimension: message.glwe_dimension,
        polynomial_size: message.polynomial_size,
        noise_bits: message.noise_bits,
        dropped_body_bits: message.dropped_body_bits,
    };
    match parameters_to_wire(&parameters) {
        Ok(again) if again == *message => Ok(parameters),
        _ => Err(WireError::Contradiction {
            field: "parameters",
        }),
    }
}

/// The messages of what was agreed on, of which one is there at most.
pub(super) fn agreed_to_wire(
    agreed: Option<&AgreedParameters>,
) -> (Option<v1::ProductParameters>, Option<v1::FriendsParameters>) {
    let product = agreed.and_then(AgreedParameters::product);
    let friends = agreed.and_then(AgreedParameters::friends);
    (
        product.and_then(|product| parameters_to_wire(product).ok()),
        friends.map(friends_parameters_to_wire),
    )
}

/// What was agreed on; parameters that this version refuses are left out.
pub(super) fn agreed_from_wire(
    product: Option<&v1::ProductParameters>,
    friends: Option<&v1::FriendsParameters>,
) -> Option<AgreedParameters> {
    let product = product.and_then(|product| parameters_from_wire(product).ok());
    let friends = friends.and_then(|friends| friends_parameters_from_wire(friends).ok());
    let product = product.map(AgreedParameters::from);
    product.or(friends.map(AgreedParameters::from))
}

/// The digest by which both sides name the agreed parameters: BLAKE3 over the message, whose
/// encoding is canonical (fields in order, no maps, no unknown fields).
#[must_use]
pub fn parameters_digest(message: &v1::ProductParameters) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("s3rec v1 product parameters");
    hasher.update(&message.to_record());
    *hasher.finalize().as_bytes()
}
