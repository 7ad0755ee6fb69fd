//! What a form sends.

use std::collections::BTreeMap;

/// Its fields by name; of a name that comes twice the last counts.
#[derive(Clone, Debug, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Of a request's body.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field, without white space at its ends; empty where it is missing.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }

    /// All fields but the session's token.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.0.iter().filter(|(name, _)| *name != "form_token");
        own.map(|(name, text)| (name.as_str(), text.as_str()))
    }
}
