//! One opening (section 3.3, online): M = U − Z one way, T = Y·M + R the other.

use std::sync::Arc;

use s3rec_algebra::{RingMatrix, Stream, packing};

use super::rating_stock::named;
use super::session::Reader;
use super::{RatingStock, SocialStock};
use crate::chunks::{Chunks, Due, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::ideal::{Outgoing, unpack};
use crate::release::Release;
use crate::rows::{check_shape, gather, scatter};
use crate::{Admission, Endpoint, Frame, ProductParameters, SpmmError, Step};

/// P0's side of an opening as an endpoint.
pub struct RatingOpening {
    stock: RatingStock,
    round: u32,
    outgoing: Outgoing,
    incoming: Incoming,
}

impl RatingOpening {
    /// Gives `factors` (m × k) the next columns of the stock. They are used, on disk, when this
    /// returns, whatever becomes of the exchange.
    ///
    /// # Errors
    /// [`SpmmError::Exhausted`]; [`SpmmError::Shape`]; [`SpmmError::Unfinished`] before the
    /// parties have met in this process; the storage's.
    pub fn new(mut stock: RatingStock, factors: &RingMatrix) -> Result<RatingOpening, SpmmError> {
        if !stock.in_session {
            return Err(SpmmError::Unfinished {
                pending: Step::Identity,
            });
        }
        check_shape(stock.parameters(), &stock.pattern, factors)?;
        let pattern = Arc::clone(&stock.pattern);
        let upload = gather(factors, &pattern.uploaded_rows)?;
        let reserved = stock.reserve(upload.as_ref())?;
        let parameters = stock.parameters();
        let header = header(stock.record.identity, reserved.round)?;
        Ok(RatingOpening {
            outgoing: Outgoing::new(masked_chunks(parameters)?, reserved.packed).headed(header),
            incoming: Incoming::new(Sizes::released_values(parameters)?)?,
            round: reserved.round,
            stock,
        })
    }

    /// The round whose columns the opening uses.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Y·U, m × k, zero where no row is returned, and the stock for the next opening.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame; the storage's.
    pub fn into_product(self) -> Result<(RingMatrix, RatingStock), SpmmError> {
        let parameters = self.stock.parameters();
        let bytes = self.incoming.into_bytes()?;
        let mut product = unpack_released(parameters, &bytes)?;
        let storage = self.stock.storage.as_ref();
        self.stock
            .shares
            .add_round(storage, self.round, &mut product)?;
        parameters.fixed_point()?.round_guard(&mut product);
        let pattern = Arc::clone(&self.stock.pattern);
        let mut stock = self.stock;
        stock.record.answered_through = stock.record.answered_through.max(self.round + 1);
        Ok((
            scatter(product, &pattern.returned_rows, pattern.users)?,
            stock,
        ))
    }

    /// The stock, when the exchange failed: the columns stay used, and the same factors may be
    /// sent again after the parties have met again.
    pub fn into_stock(mut self) -> RatingStock {
        self.stock.in_session = false;
        self.stock
    }
}

impl Endpoint for RatingOpening {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.incoming.fuse.check()?;
        Ok(self.outgoing.next())
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        let ready = self.outgoing.is_empty();
        let expected = header(self.stock.record.identity, self.round)?;
        self.incoming.receive(&frame, ready, |found| {
            if found == expected {
                Ok(())
            } else {
                Err(SpmmError::OtherStock)
            }
        })
    }

    fn awaiting(&self) -> Option<Step> {
        self.incoming.awaiting()
    }

    fn is_done(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_complete()
    }
}

/// P1's side of an opening as an endpoint. What is answered is decided in one place, when the
/// whole input is here: what the frames name and what the stock's record holds, then the word of
/// an [`Admission`], then the record, then the count, and only then the product.
pub struct SocialOpening {
    stock: SocialStock,
    admission: Box<dyn Admission>,
    round: u32,
    incoming: Incoming,
    outgoing: Option<Outgoing>,
}

impl SocialOpening {
    /// Waits for a masked input, to be answered by the word of `admission`.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the parties have met in this process.
    pub fn new(
        stock: SocialStock,
        admission: impl Admission + 'static,
    ) -> Result<SocialOpening, SpmmError> {
        if !stock.in_session {
            return Err(SpmmError::Unfinished {
                pending: Step::Identity,
            });
        }
        let parameters = stock.parameters();
        Ok(SocialOpening {
            incoming: Incoming::new(masked_chunks(parameters)?)?,
            round: 0,
            outgoing: None,
            admission: Box::new(admission),
            stock,
        })
    }

    /// The stock for the next opening. After a failed exchange the parties meet again first.
    pub fn into_stock(mut self) -> SocialStock {
        self.stock.in_session = self.is_done();
        self.stock
    }

    /// T = Y·M + R and the policy's noise. The columns are answered, on disk, before T exists.
    fn answer(&mut self) -> Result<Outgoing, SpmmError> {
        let bytes = std::mem::take(&mut self.incoming.bytes);
        let parameters = self.stock.parameters().clone();
        let masked = unpack(&parameters, parameters.uploaded_rows as usize, &bytes)?;
        let asked = self.stock.examine(self.round, &bytes)?;
        self.admission.permit(&asked)?;
        self.stock.admit(&asked)?;
        self.admission.count(&asked)?;
        let mut product = self.stock.operand.multiply_ring(&masked)?;
        let storage = self.stock.storage.as_ref();
        self.stock
            .shares
            .add_round(storage, self.round, &mut product)?;
        let release = Release::of(&parameters)?;
        let mut values = product.into_values();
        release.add_noise(
            &mut values,
            &mut Stream::new(&self.stock.noise_seed(self.round, &asked.digest)?),
        );
        let bits = release.released_bits(parameters.ring_bits);
        let ring = parameters.ring()?;
        let dropped = parameters.ring_bits - bits;
        // Without noise and rounding the values are reduced as they are.
        if release != Release::Exact {
            let half = (1u64 << dropped) >> 1;
            for value in &mut values {
                *value = ring.reduce(value.wrapping_add(half)) >> dropped;
            }
        }
        let mut packed = Vec::new();
        packing::pack_u64(&values, bits, &mut packed)?;
        let header = header(self.stock.record.identity, self.round)?;
        Ok(Outgoing::new(Sizes::released_values(&parameters)?, packed).headed(header))
    }
}

impl Endpoint for SocialOpening {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.incoming.fuse.check()?;
        if self.incoming.is_complete() && self.outgoing.is_none() {
            let answer = self.answer();
            self.outgoing = Some(self.incoming.fuse.guard(Step::MaskedFactors, answer)?);
        }
        Ok(self.outgoing.as_mut().and_then(Outgoing::next))
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        let identity = self.stock.record.identity;
        let (round, admission) = (&mut self.round, &mut self.admission);
        self.incoming.receive(&frame, true, |found| {
            let mut reader = Reader(found);
            let named: [u8; 32] = reader.array();
            *round = u32::from_le_bytes(reader.array());
            if Some(named) == identity {
                admission.named(*round)
            } else {
                Err(SpmmError::OtherStock)
            }
        })
    }

    fn awaiting(&self) -> Option<Step> {
        self.incoming.awaiting()
    }

    fn is_done(&self) -> bool {
        self.outgoing.as_ref().is_some_and(Outgoing::is_empty)
    }
}

/// M: ℓ bits for each value of the uploaded rows.
fn masked_chunks(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
    Sizes::ring_values(parameters, Step::MaskedFactors, parameters.uploaded_rows)
}

/// Identity of the stock, then the round.
fn header(identity: Option<[u8; 32]>, round: u32) -> Result<Vec<u8>, SpmmError> {
    let identity = named(identity)?;
    Ok([identity.as_slice(), &round.to_le_bytes()].concat())
}

/// Values of which only the top bits were released, back at their place in the ring.
fn unpack_released(parameters: &ProductParameters, bytes: &[u8]) -> Result<RingMatrix, SpmmError> {
    let bits = Release::of(parameters)?.released_bits(parameters.ring_bits);
    let (rows, columns) = (
        parameters.returned_rows as usize,
        parameters.columns as usize,
    );
    let mut values = packing::unpack_u64(bytes, bits, rows * columns)?;
    if bits < parameters.ring_bits {
        values
            .iter_mut()
            .for_each(|value| *value <<= parameters.ring_bits - bits);
    }
    Ok(RingMatrix::new(parameters.ring()?, rows, columns, values)?)
}

/// A header that names stock and round, then packed values; never more bytes than agreed.
struct Incoming {
    header: Chunks,
    values: Chunks,
    due: Due,
    received: usize,
    bytes: Vec<u8>,
    fuse: Fuse,
}

impl Incoming {
    fn new(values: Chunks) -> Result<Incoming, SpmmError> {
        let header = Sizes::opening()?;
        Ok(Incoming {
            header,
            values,
            due: Due::default(),
            received: 0,
            bytes: Vec::new(),
            fuse: Fuse::default(),
        })
    }

    fn receive(
        &mut self,
        frame: &Frame,
        ready: bool,
        check_header: impl FnOnce(&[u8]) -> Result<(), SpmmError>,
    ) -> Result<(), SpmmError> {
        self.fuse.check()?;
        let due = self.awaiting().unwrap_or(self.values.step());
        let taken = if ready {
            self.take(frame, check_header)
        } else {
            Err(not_due(frame))
        };
        self.fuse.guard(due, taken)
    }

    fn take(
        &mut self,
        frame: &Frame,
        check_header: impl FnOnce(&[u8]) -> Result<(), SpmmError>,
    ) -> Result<(), SpmmError> {
        if self.is_complete() {
            return Err(not_due(frame));
        }
        match self.received.checked_sub(1) {
            None => {
                self.due.check(frame, &self.header, 0)?;
                check_header(&frame.payload)?;
            }
            Some(index) => {
                self.due.check(frame, &self.values, index)?;
                if index == 0 {
                    // As many as were agreed on, and the header was right.
                    self.bytes.reserve_exact(self.values.total_bytes());
                }
                self.bytes.extend_from_slice(&frame.payload);
            }
        }
        self.received += 1;
        Ok(())
    }

    fn is_complete(&self) -> bool {
        !self.fuse.is_blown() && self.received == 1 + self.values.frames()
    }

    fn awaiting(&self) -> Option<Step> {
        match self.received {
            0 => Some(Step::Opening),
            received if received <= self.values.frames() => Some(self.values.step()),
            _ => None,
        }
    }

    fn into_bytes(self) -> Result<Vec<u8>, SpmmError> {
        if self.is_complete() {
            Ok(self.bytes)
        } else {
            Err(SpmmError::Unfinished {
                pending: self.values.step(),
            })
        }
    }
}
