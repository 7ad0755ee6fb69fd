//! One opening (section 3.3, online): M = U − Z one way, T = Y·M + R the other.

use std::sync::Arc;

use s3rec_algebra::{RingMatrix, Stream, packing};

use super::session::Reader;
use super::{RatingStock, SocialStock};
use crate::exchange::{Runner, State, endpoints};
use crate::ideal::unpack;
use crate::release::Release;
use crate::rows::{check_shape, gather, scatter};
use crate::{Admission, Exchange, ProductParameters, SpmmError, Step};

/// P0's side of an opening as an endpoint.
pub struct RatingOpening(Runner<Reserved, Vec<u8>>);

/// A stock that gave columns to the input under way.
struct Reserved {
    stock: RatingStock,
    round: u32,
}

impl RatingOpening {
    /// Gives `factors` (m × k) the next columns of the stock. They are used, on disk, when this
    /// returns, whatever becomes of the exchange.
    ///
    /// # Errors
    /// [`SpmmError::Exhausted`]; [`SpmmError::Shape`]; [`SpmmError::Unfinished`] before the
    /// parties have met in this process; the storage's.
    pub fn new(mut stock: RatingStock, factors: &RingMatrix) -> Result<RatingOpening, SpmmError> {
        in_session(stock.in_session)?;
        check_shape(stock.parameters(), &stock.pattern, factors)?;
        let schedule = Exchange::Opening.schedule(stock.parameters())?;
        let pattern = Arc::clone(&stock.pattern);
        let upload = gather(factors, &pattern.uploaded_rows)?;
        let reserved = stock.reserve(upload.as_ref())?;
        let header = header(stock.record.sealed()?, reserved.round);
        let expected = header.clone();
        let answer = State::take(move |_: &mut Reserved, named| {
            if named == expected {
                Ok(State::collect(|_, bytes| Ok(State::Finished(bytes))))
            } else {
                Err(SpmmError::OtherStock)
            }
        });
        let sending = State::bytes(header, State::bytes(reserved.packed, answer));
        let round = reserved.round;
        Ok(RatingOpening(Runner::rating(
            schedule,
            Reserved { stock, round },
            sending,
        )))
    }

    /// The round whose columns the opening uses.
    pub fn round(&self) -> u32 {
        self.0.context().round
    }

    /// Y·U, m × k, zero where no row is returned, and the stock for the next opening.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame; the storage's.
    pub fn into_product(self) -> Result<(RingMatrix, RatingStock), SpmmError> {
        let (Reserved { mut stock, round }, bytes) = self.0.finish()?;
        let parameters = stock.parameters();
        let mut product = unpack_released(parameters, &bytes)?;
        let storage = stock.storage.as_ref();
        stock.shares.add_round(storage, round, &mut product)?;
        parameters.fixed_point()?.round_guard(&mut product);
        let pattern = Arc::clone(&stock.pattern);
        stock.record.answered_through = stock.record.answered_through.max(round + 1);
        Ok((
            scatter(product, &pattern.returned_rows, pattern.users)?,
            stock,
        ))
    }

    /// The stock, when the exchange failed: the columns stay used, and the same factors may be
    /// sent again after the parties have met again.
    pub fn into_stock(self) -> RatingStock {
        let mut stock = self.0.into_context().stock;
        stock.in_session = false;
        stock
    }
}

/// P1's side of an opening as an endpoint. What is answered is decided in one place, when the
/// whole input is here: what the frames name and what the stock's record holds, then the word of
/// an [`Admission`], then the record, then the count, and only then the product.
pub struct SocialOpening(Runner<Answering, ()>);

struct Answering {
    stock: SocialStock,
    admission: Box<dyn Admission>,
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
        in_session(stock.in_session)?;
        let schedule = Exchange::Opening.schedule(stock.parameters())?;
        let answering = Answering {
            stock,
            admission: Box::new(admission),
        };
        let waiting = State::take(|answering: &mut Answering, named| {
            let round = answering.named(named)?;
            Ok(State::collect(move |_, masked| {
                Ok(State::compute(move |answering: &mut Answering| {
                    let (header, product) = answering.answer(round, &masked)?;
                    let product = State::bytes(product, State::Finished(()));
                    Ok(State::bytes(header, product))
                }))
            }))
        });
        Ok(SocialOpening(Runner::social(schedule, answering, waiting)))
    }

    /// The stock for the next opening. After a failed exchange the parties meet again first.
    pub fn into_stock(self) -> SocialStock {
        let is_done = self.0.is_done();
        let mut stock = self.0.into_context().stock;
        stock.in_session = is_done;
        stock
    }
}

endpoints!(RatingOpening, SocialOpening);

impl Answering {
    /// The round that a header names, of this stock.
    fn named(&mut self, header: &[u8]) -> Result<u32, SpmmError> {
        let mut reader = Reader::new(Step::Opening, header);
        let named: [u8; 32] = reader.array()?;
        let round = u32::from_le_bytes(reader.array()?);
        if Some(named) != self.stock.record.identity {
            return Err(SpmmError::OtherStock);
        }
        self.admission.named(round)?;
        Ok(round)
    }

    /// T = Y·M + R and the policy's noise, behind its header. The columns are answered, on disk,
    /// before T exists.
    fn answer(&mut self, round: u32, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SpmmError> {
        let stock = &mut self.stock;
        let parameters = stock.parameters().clone();
        let masked = unpack(&parameters, parameters.uploaded_rows as usize, bytes)?;
        let asked = stock.examine(round, bytes)?;
        self.admission.permit(&asked)?;
        stock.admit(&asked)?;
        self.admission.count(&asked)?;
        let mut product = stock.operand.multiply_ring(&masked)?;
        let storage = stock.storage.as_ref();
        stock.shares.add_round(storage, round, &mut product)?;
        let release = Release::of(&parameters)?;
        let mut values = product.into_values();
        let noise = stock.noise_seed(round, &asked.digest)?;
        release.add_noise(&mut values, &mut Stream::new(&noise));
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
        Ok((header(stock.record.sealed()?, round), packed))
    }
}

/// Columns are given to nothing before the parties have met.
fn in_session(is_in_session: bool) -> Result<(), SpmmError> {
    let pending = Step::Identity;
    is_in_session
        .then_some(())
        .ok_or(SpmmError::Unfinished { pending })
}

/// Identity of the stock, then the round.
fn header(identity: [u8; 32], round: u32) -> Vec<u8> {
    [identity.as_slice(), &round.to_le_bytes()].concat()
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
