//! The functionality itself, and a product that computes it in the clear.
//!
//! [`product`] is what every protocol must equal. [`RatingPlain`] and [`SocialPlain`] are
//! endpoints of the same shape as the secure ones: they carry tests of everything around a
//! product, and are the `plaintext` baseline of the benchmarks. P1 sees U: **no service may
//! reach them.**

use std::sync::Arc;

use s3rec_algebra::{RingMatrix, packing};
use s3rec_sparse::SocialOperator;

use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::rows::{check_shape, gather, scatter};
use crate::{Endpoint, Frame, ProductParameters, PublicPattern, SpmmError, Step};

/// Y·U over the ring, at scale 2^(f_u + f_y): what P0 is to learn from an opening.
///
/// # Errors
/// [`SpmmError::Sparse`] unless U has one row for each user.
pub fn product(operator: &SocialOperator, factors: &RingMatrix) -> Result<RingMatrix, SpmmError> {
    Ok(operator.multiply_ring(factors)?)
}

/// P0's side of a product in the clear: sends U, receives Y·U, ℓ bits a value.
pub struct RatingPlain {
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
    outgoing: Outgoing,
    incoming: Incoming,
}

impl RatingPlain {
    /// `factors` is m × k.
    ///
    /// # Errors
    /// [`SpmmError::Shape`] for operands that are not of the agreed shape.
    pub fn new(
        parameters: &ProductParameters,
        pattern: &Arc<PublicPattern>,
        factors: &RingMatrix,
    ) -> Result<RatingPlain, SpmmError> {
        check_shape(parameters, pattern, factors)?;
        let upload = gather(factors, &pattern.uploaded_rows)?;
        let incoming =
            Sizes::ring_values(parameters, Step::ClearProduct, parameters.returned_rows)?;
        Ok(RatingPlain {
            parameters: parameters.clone(),
            pattern: Arc::clone(pattern),
            outgoing: Outgoing::pack(parameters, Step::ClearFactors, &upload)?,
            incoming: Incoming::new(incoming),
        })
    }

    /// Y·U, m × k, zero where no row is returned.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_product(self) -> Result<RingMatrix, SpmmError> {
        let bytes = self.incoming.into_bytes()?;
        let rows = self.pattern.returned_rows.len();
        scatter(
            unpack(&self.parameters, rows, &bytes)?,
            &self.pattern.returned_rows,
            self.pattern.users,
        )
    }
}

impl Endpoint for RatingPlain {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        Ok(self.outgoing.next())
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.incoming.receive(&frame)
    }

    fn awaiting(&self) -> Option<Step> {
        self.incoming.awaiting()
    }

    fn is_done(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_complete()
    }
}

/// P1's side of a product in the clear.
pub struct SocialPlain {
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
    operator: Arc<SocialOperator>,
    incoming: Incoming,
    outgoing: Option<Outgoing>,
}

impl SocialPlain {
    /// Multiplies what it receives by `operator`.
    ///
    /// # Errors
    /// [`SpmmError::Shape`] when the operator is not over the agreed users.
    pub fn new(
        parameters: &ProductParameters,
        pattern: &Arc<PublicPattern>,
        operator: &Arc<SocialOperator>,
    ) -> Result<SocialPlain, SpmmError> {
        let incoming =
            Sizes::ring_values(parameters, Step::ClearFactors, parameters.uploaded_rows)?;
        Ok(SocialPlain {
            parameters: parameters.clone(),
            pattern: Arc::clone(pattern),
            operator: Arc::clone(operator),
            incoming: Incoming::new(incoming),
            outgoing: None,
        })
    }

    fn multiply(&self) -> Result<Outgoing, SpmmError> {
        let upload = unpack(
            &self.parameters,
            self.pattern.uploaded_rows.len(),
            &self.incoming.bytes,
        )?;
        let factors = scatter(upload, &self.pattern.uploaded_rows, self.pattern.users)?;
        let product = product(&self.operator, &factors)?;
        let returned = gather(&product, &self.pattern.returned_rows)?;
        Outgoing::pack(&self.parameters, Step::ClearProduct, &returned)
    }
}

impl Endpoint for SocialPlain {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        if self.incoming.is_complete() && self.outgoing.is_none() {
            self.outgoing = Some(self.multiply()?);
        }
        Ok(self.outgoing.as_mut().and_then(Outgoing::next))
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.incoming.receive(&frame)
    }

    fn awaiting(&self) -> Option<Step> {
        self.incoming.awaiting()
    }

    fn is_done(&self) -> bool {
        self.outgoing.as_ref().is_some_and(Outgoing::is_empty)
    }
}

/// Packed values on their way out, behind a header if they have one.
pub(crate) struct Outgoing {
    header: Option<Vec<u8>>,
    chunks: Chunks,
    bytes: Vec<u8>,
    numbering: Numbering,
    sent: usize,
}

impl Outgoing {
    /// All values of `matrix`, ℓ bits each, one behind the other.
    pub(crate) fn pack(
        parameters: &ProductParameters,
        step: Step,
        matrix: &RingMatrix,
    ) -> Result<Outgoing, SpmmError> {
        let rows = u32::try_from(matrix.rows()).unwrap_or(u32::MAX);
        let chunks = Sizes::ring_values(parameters, step, rows)?;
        let mut bytes = Vec::with_capacity(chunks.total_bytes());
        packing::pack_u64(matrix.values(), parameters.ring_bits, &mut bytes)?;
        Ok(Outgoing::new(chunks, bytes))
    }

    /// Bytes that are packed already.
    pub(crate) fn new(chunks: Chunks, bytes: Vec<u8>) -> Outgoing {
        Outgoing {
            header: None,
            chunks,
            bytes,
            numbering: Numbering::default(),
            sent: 0,
        }
    }

    /// The same, behind a frame that names what it belongs to.
    pub(crate) fn headed(self, header: Vec<u8>) -> Outgoing {
        Outgoing {
            header: Some(header),
            ..self
        }
    }

    pub(crate) fn next(&mut self) -> Option<Frame> {
        if let Some(header) = self.header.take() {
            return Some(self.numbering.frame(Step::Opening, header));
        }
        if self.is_empty() {
            return None;
        }
        let payload = self
            .bytes
            .get(self.chunks.items_of(self.sent))
            .unwrap_or_default()
            .to_vec();
        self.sent += 1;
        Some(self.numbering.frame(self.chunks.step(), payload))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.header.is_none() && self.sent == self.chunks.frames()
    }
}

/// Packed ring values on their way in; never more bytes than agreed.
pub(crate) struct Incoming {
    chunks: Chunks,
    due: Due,
    received: usize,
    bytes: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(chunks: Chunks) -> Incoming {
        Incoming {
            chunks,
            due: Due::default(),
            received: 0,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn receive(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.is_complete() {
            return Err(not_due(frame));
        }
        self.due.check(frame, &self.chunks, self.received)?;
        self.bytes.extend_from_slice(&frame.payload);
        self.received += 1;
        Ok(())
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.chunks.frames()
    }

    pub(crate) fn awaiting(&self) -> Option<Step> {
        (!self.is_complete()).then(|| self.chunks.step())
    }

    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, SpmmError> {
        if self.is_complete() {
            Ok(self.bytes)
        } else {
            Err(SpmmError::Unfinished {
                pending: self.chunks.step(),
            })
        }
    }
}

/// The values of `rows` rows from exactly their packed bytes.
pub(crate) fn unpack(
    parameters: &ProductParameters,
    rows: usize,
    bytes: &[u8],
) -> Result<RingMatrix, SpmmError> {
    let columns = parameters.columns as usize;
    let values = packing::unpack_u64(bytes, parameters.ring_bits, rows * columns)?;
    Ok(RingMatrix::new(parameters.ring()?, rows, columns, values)?)
}
