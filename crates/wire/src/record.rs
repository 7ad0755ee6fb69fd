//! Messages as stored bytes: protocol buffers keep old records readable when fields are added.

use prost::{Message, Name};

use crate::WireError;

/// A message that can be stored.
pub trait Record: Sized {
    /// The bytes to store.
    fn to_record(&self) -> Vec<u8>;

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`WireError::Record`] for anything else.
    fn from_record(bytes: &[u8]) -> Result<Self, WireError>;

    /// Bytes of the message on the wire, without gRPC's five bytes in front.
    fn wire_bytes(&self) -> u64;
}

impl<M: Message + Name + Default> Record for M {
    fn to_record(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    fn from_record(bytes: &[u8]) -> Result<Self, WireError> {
        M::decode(bytes).map_err(|_| WireError::Record { message: M::NAME })
    }

    fn wire_bytes(&self) -> u64 {
        self.encoded_len() as u64
    }
}
