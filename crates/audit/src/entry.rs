//! One thing that happened, and its only encoding.
//!
//! Body, integers little-endian: sequence `u64`, milliseconds since the Unix epoch `i64`, hash
//! of the entry before (32 bytes, zeros for the first), kind `u8`, number of fields `u8`, then
//! each field: length of its name `u8`, the name, type `u8`, and its value: a number as `u64`,
//! text and bytes as length `u32` and content. Names ascend, so every entry has one encoding.

use std::collections::BTreeMap;

use crate::AuditError;

/// Longest body, bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident = $number:literal, $name:literal;)+) => {
        /// What an entry is about. Numbers and names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])+ $variant,)+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in exports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            const fn number(self) -> u8 {
                match self { $(Self::$variant => $number,)+ }
            }
        }
    };
}

kinds! {
    /// A certificate and the signing key it names: our own (always the first entry) or the peer's.
    Identity = 1, "identity";
    /// The daemon started, or stopped in good order.
    Daemon = 2, "daemon";
    /// A version of a data set.
    Import = 3, "import";
    /// An operator's call.
    Call = 4, "call";
    /// A proposal as sent or received.
    Proposal = 5, "proposal";
    /// An approval with its signature, a rejection, or a consent that was taken back.
    Decision = 6, "decision";
    /// A job reached a phase.
    Phase = 7, "phase";
    /// A round's columns are opened.
    Opening = 8, "opening";
    /// What a job has disclosed in all.
    Disclosure = 9, "disclosure";
    /// Both platforms signed both heads.
    HeadExchange = 10, "meeting";
    /// A job ended.
    End = 11, "end";
    /// A policy file was taken or refused.
    Policy = 12, "policy";
    /// A stock of masked columns was uploaded or answered again.
    Stock = 13, "stock";
    /// Something that depends on links or ids is about to leave, beside the openings.
    Showing = 14, "showing";
    /// A data set, a model, or the details of ended jobs were deleted.
    Deletion = 20, "deletion";
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// Text.
    Text(String),
    /// Bytes: digests, keys, signatures, messages.
    Bytes(Vec<u8>),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// The fields of an entry by name.
pub type Fields = BTreeMap<String, Value>;

/// Fields from names and values.
pub fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Fields {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 0.
    pub sequence: u64,
    /// When, by the clock of whoever wrote it.
    pub time_unix_ms: i64,
    /// Hash of the entry before it; zeros for the first.
    pub previous: [u8; 32],
    /// What it is about.
    pub kind: Kind,
    /// What it says.
    pub fields: Fields,
}

impl Entry {
    /// The body's bytes.
    ///
    /// # Errors
    /// [`AuditError::TooLong`] or [`AuditError::Form`] for what no reader would take.
    pub fn encode(&self) -> Result<Vec<u8>, AuditError> {
        let mut body = Vec::new();
        body.extend(self.sequence.to_le_bytes());
        body.extend(self.time_unix_ms.to_le_bytes());
        body.extend(self.previous);
        body.push(self.kind.number());
        body.push(short(self.fields.len(), "number of fields")?);
        for (name, value) in &self.fields {
            body.push(short(name.len(), "length of a name")?);
            body.extend(name.as_bytes());
            match value {
                Value::Number(number) => {
                    body.push(0);
                    body.extend(number.to_le_bytes());
                }
                Value::Text(text) => long(&mut body, 1, text.as_bytes())?,
                Value::Bytes(bytes) => long(&mut body, 2, bytes)?,
            }
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(AuditError::TooLong {
                most: MAX_BODY_BYTES,
                actual: body.len(),
            });
        }
        Ok(body)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`AuditError::Form`] for anything that [`Self::encode`] does not write.
    pub fn decode(body: &[u8]) -> Result<Self, AuditError> {
        let mut rest = Rest(body);
        let mut entry = Self {
            sequence: u64::from_le_bytes(rest.array("number")?),
            time_unix_ms: i64::from_le_bytes(rest.array("time")?),
            previous: rest.array("hash of the entry before")?,
            kind: kind_of(rest.byte("kind")?)?,
            fields: Fields::new(),
        };
        let fields = rest.byte("number of fields")?;
        for _ in 0..fields {
            let length = rest.byte("length of a name")?.into();
            let name = text_of(rest.take(length, "name of a field")?)?;
            let value = match rest.byte("type of a field")? {
                0 => Value::Number(u64::from_le_bytes(rest.array("number of a field")?)),
                1 => Value::Text(text_of(rest.long()?)?),
                2 => Value::Bytes(rest.long()?.into()),
                _ => return Err(form("type of a field")),
            };
            let ascends = entry
                .fields
                .last_key_value()
                .is_none_or(|(last, _)| *last < name);
            if !ascends {
                return Err(form("order of the fields"));
            }
            entry.fields.insert(name, value);
        }
        match rest.0 {
            [] => Ok(entry),
            _ => Err(form("bytes behind the last field")),
        }
    }

    /// A field that holds text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.fields.get(field) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A field that holds a number.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        match self.fields.get(field) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A field that holds bytes.
    #[must_use]
    pub fn bytes(&self, field: &str) -> Option<&[u8]> {
        match self.fields.get(field) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a field that every entry of this kind has.
    ///
    /// # Errors
    /// [`AuditError::Field`].
    pub fn needed_text(&self, field: &'static str) -> Result<&str, AuditError> {
        self.text(field).ok_or(AuditError::Field { field })
    }

    /// The number of a field that every entry of this kind has.
    ///
    /// # Errors
    /// [`AuditError::Field`].
    pub fn needed_number(&self, field: &'static str) -> Result<u64, AuditError> {
        self.number(field).ok_or(AuditError::Field { field })
    }

    /// The bytes of a field that every entry of this kind has.
    ///
    /// # Errors
    /// [`AuditError::Field`].
    pub fn needed_bytes(&self, field: &'static str) -> Result<&[u8], AuditError> {
        self.bytes(field).ok_or(AuditError::Field { field })
    }
}

fn form(what: &'static str) -> AuditError {
    AuditError::Form { what }
}

fn short(length: usize, what: &'static str) -> Result<u8, AuditError> {
    u8::try_from(length).map_err(|_| form(what))
}

fn long(body: &mut Vec<u8>, kind: u8, content: &[u8]) -> Result<(), AuditError> {
    let length = u32::try_from(content.len()).map_err(|_| form("length of a field"))?;
    body.push(kind);
    body.extend(length.to_le_bytes());
    body.extend(content);
    Ok(())
}

fn text_of(bytes: &[u8]) -> Result<String, AuditError> {
    let text = std::str::from_utf8(bytes).map_err(|_| form("text that is not UTF-8"))?;
    Ok(text.to_owned())
}

fn kind_of(number: u8) -> Result<Kind, AuditError> {
    let known = Kind::ALL.iter().find(|kind| kind.number() == number);
    known.copied().ok_or_else(|| form("kind"))
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], AuditError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| form(what))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], AuditError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(|| form(what))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, AuditError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    fn long(&mut self) -> Result<&'a [u8], AuditError> {
        let length = u32::from_le_bytes(self.array("length of a field")?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.take(length, "content of a field")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Entry {
        Entry {
            sequence: 7,
            time_unix_ms: -3,
            previous: [9; 32],
            kind: Kind::Opening,
            fields: fields([
                ("job", "j".into()),
                ("round", 4_u32.into()),
                ("digest", [1; 32].into()),
            ]),
        }
    }

    #[test]
    fn an_entry_has_one_encoding() {
        let body = sample().encode().unwrap();
        assert_eq!(Entry::decode(&body).unwrap(), sample());
        for shorter in 0..body.len() {
            assert!(Entry::decode(&body[..shorter]).is_err(), "{shorter}");
        }
        let mut longer = body;
        longer.push(0);
        assert!(Entry::decode(&longer).is_err());
    }

    #[test]
    fn fields_out_of_order_or_twice_are_refused() {
        let mut entry = sample();
        entry.fields = fields([("aa", 1_u32.into()), ("ab", 2_u32.into())]);
        let body = entry.encode().unwrap();
        let at = |name: &[u8]| body.windows(2).position(|pair| pair == name).unwrap();
        let mut twice = body.clone();
        twice[at(b"ab") + 1] = b'a';
        assert_eq!(Entry::decode(&twice), Err(form("order of the fields")));
    }

    #[test]
    fn numbers_and_names_of_kinds_are_distinct() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind_of(kind.number()), Ok(*kind));
            let later = &Kind::ALL[index + 1..];
            assert!(later.iter().all(|other| other.name() != kind.name()));
        }
        assert!(kind_of(0).is_err());
    }

    #[test]
    fn the_longest_body_is_written_and_read() {
        let mut entry = sample();
        entry.fields = fields([("much", Value::Bytes(Vec::new()))]);
        let rest = MAX_BODY_BYTES - entry.encode().unwrap().len();
        entry.fields = fields([("much", vec![7; rest].into())]);
        let body = entry.encode().unwrap();
        assert_eq!(body.len(), MAX_BODY_BYTES);
        assert_eq!(Entry::decode(&body).unwrap(), entry);
        entry.fields = fields([("much", vec![7; rest + 1].into())]);
        let actual = MAX_BODY_BYTES + 1;
        let most = MAX_BODY_BYTES;
        assert_eq!(entry.encode(), Err(AuditError::TooLong { most, actual }));
    }

    #[test]
    fn fields_are_read_by_name_and_type_only() {
        let entry = sample();
        assert_eq!(entry.text("job"), Some("j"));
        assert_eq!(entry.number("round"), Some(4));
        assert_eq!(entry.bytes("digest"), Some(&[1; 32][..]));
        assert_eq!(entry.text("round"), None);
        assert_eq!(entry.number("job"), None);
        assert_eq!(entry.bytes("job"), None);
        assert_eq!(entry.text("nothing"), None);
    }

    #[test]
    fn what_no_reader_takes_is_not_written() {
        let mut entry = sample();
        entry.fields = fields([("much", vec![0; MAX_BODY_BYTES].into())]);
        assert!(matches!(entry.encode(), Err(AuditError::TooLong { .. })));
    }
}
