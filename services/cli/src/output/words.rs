//! Numbers and names as people read them.

pub use s3rec_bench::number_format::{bytes, count, duration};

/// `JOB_STATE_RUNNING` of the type `JOB_STATE` becomes `running`.
#[must_use]
pub fn name(proto_name: &str, type_prefix: &str) -> String {
    let bare = proto_name.strip_prefix(type_prefix).unwrap_or(proto_name);
    bare.trim_start_matches('_')
        .to_lowercase()
        .replace('_', "-")
}

/// Today, UTC: `2026-11-27`.
#[must_use]
pub fn date_now() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_type() {
        assert_eq!(
            name("OPERATOR_NORMALIZED_LAPLACIAN", "OPERATOR"),
            "normalized-laplacian"
        );
    }
}
