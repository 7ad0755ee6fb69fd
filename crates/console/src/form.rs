//! What a form sends.

use std::collections::HashMap;

/// Its fields by name; of a name that comes twice the last counts.
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    pub(crate) fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field, without white space at its ends; empty where it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }
}
