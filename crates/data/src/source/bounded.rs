//! A reader that ends in an error instead of growing without end: what a few compressed bytes
//! become is not known before they are read.

use std::io::{Error, ErrorKind, Read, Result};

/// Gives at most so many bytes, and an error of the kind `FileTooLarge` where more would come.
pub(crate) struct BoundedReader<R> {
    inner: R,
    limit: u64,
    left: u64,
}

impl<R: Read> BoundedReader<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            limit,
            left: limit,
        }
    }
}

impl<R: Read> Read for BoundedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(Error::new(ErrorKind::FileTooLarge, Limit(self.limit))),
        }
    }
}

/// The limit inside an error that [`BoundedReader`] gave.
pub(crate) fn limit_of(error: &Error) -> u64 {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.map_or(0, |Limit(limit)| *limit)
}

#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes")]
struct Limit(u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_read_and_one_byte_more_is_an_error() {
        let mut text = String::new();
        BoundedReader::new(&b"abc"[..], 3)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "abc");
        let error = BoundedReader::new(&b"abcd"[..], 3)
            .read_to_string(&mut text)
            .unwrap_err();
        assert_eq!(
            (error.kind(), limit_of(&error)),
            (ErrorKind::FileTooLarge, 3)
        );
    }
}
