//! Respond: each bucket's rows times their selectors, summed, rounded and sent.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::answer::{WideCiphertext, encode_group};
use crate::cost::{cost, row_polynomials};
use crate::error::PirError;
use crate::expand::{SelectorBlock, Selectors};
use crate::frames::FrameCounter;
use crate::parameters::{POLYNOMIAL_SIZE, PirParameters};
use crate::table::RowTable;
use crate::transform::{MAX_BATCH, MAX_SUMMED, Transformed, transform};

/// Answers one round from `table` (section 3.2, Respond).
///
/// The same selectors answer every round. All m rows are read whatever the query; what the
/// server does and sends depends on public sizes and the hash seed alone.
/// Bytes sent: [`crate::PirCost::answer_bytes`].
///
/// # Errors
/// [`PirError::TableShape`] when the table is not of the query's sizes.
pub fn respond<'a, T: RowTable>(
    selectors: &'a Selectors,
    table: &'a T,
) -> Result<Responder<'a, T>, PirError> {
    let parameters = selectors.parameters();
    if (table.rows(), table.row_bytes()) != (parameters.rows(), parameters.row_bytes()) {
        return Err(PirError::TableShape {
            rows: parameters.rows(),
            row_bytes: parameters.row_bytes(),
            actual_rows: u64::from(table.rows()),
            actual_bytes: u64::from(table.row_bytes()),
        });
    }
    Ok(Responder {
        selectors,
        table,
        next_unit: 0,
        next_group: 0,
        unfinished: BTreeMap::new(),
        pending: Vec::new(),
        counter: FrameCounter::new("answer frame", cost(parameters).answer_bytes),
    })
}

/// Computes the answers to one round as they are asked for, a few buckets ahead.
pub struct Responder<'a, T> {
    selectors: &'a Selectors,
    table: &'a T,
    next_unit: usize,
    next_group: u32,
    /// Sums of the buckets whose groups are not sent yet.
    unfinished: BTreeMap<u32, Vec<WideCiphertext>>,
    pending: Vec<u8>,
    counter: FrameCounter,
}

impl<T: RowTable> Responder<'_, T> {
    /// The next frame, or `None` after the last.
    ///
    /// Computes on rayon's pool when more rows are due; call it off an async executor.
    ///
    /// # Errors
    /// [`PirError::TableRead`] when the table fails.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, PirError> {
        let due = self.counter.next_bytes();
        if due == 0 {
            return Ok(None);
        }
        while self.pending.len() < due {
            self.advance()?;
        }
        let rest = self.pending.split_off(due);
        let frame = std::mem::replace(&mut self.pending, rest);
        self.counter.accept(&frame)?;
        Ok(Some(frame))
    }

    /// Works on a few units, then encodes the groups that became complete.
    fn advance(&mut self) -> Result<(), PirError> {
        let last = self.selectors.units();
        let wave = self.next_unit..(self.next_unit + 2 * rayon::current_num_threads()).min(last);
        let partial: Result<Vec<_>, PirError> = wave
            .clone()
            .into_par_iter()
            .map(|unit| answer_unit(self.selectors, self.table, unit))
            .collect();
        for (bucket, ciphertexts) in partial?.into_iter().flatten() {
            match self.unfinished.get_mut(&bucket) {
                Some(sums) => {
                    for (sum, term) in sums.iter_mut().zip(&ciphertexts) {
                        sum.add(term);
                    }
                }
                None => {
                    self.unfinished.insert(bucket, ciphertexts);
                }
            }
        }
        self.next_unit = wave.end;
        self.encode_complete_groups();
        Ok(())
    }

    fn encode_complete_groups(&mut self) {
        let parameters = self.selectors.parameters();
        let done = match self.next_unit.checked_sub(1) {
            Some(unit) => self.selectors.unit_positions(unit).end,
            None => 0,
        };
        while self.next_group < parameters.groups() {
            let buckets = parameters.group_buckets(self.next_group);
            let end = self.selectors.layout().positions(buckets.end - 1).end;
            if end > done {
                break;
            }
            let sums: Vec<_> = buckets
                // A bucket without rows answers with zeros.
                .map(|bucket| {
                    self.unfinished
                        .remove(&bucket)
                        .unwrap_or_else(|| zeros(parameters))
                })
                .collect();
            encode_group(parameters, &sums, &mut self.pending);
            self.next_group += 1;
        }
    }
}

fn zeros(parameters: &PirParameters) -> Vec<WideCiphertext> {
    let zero = |_| WideCiphertext::zero();
    (0..row_polynomials(parameters)).map(zero).collect()
}

/// The sums over one unit's selectors, for each bucket that the unit touches.
fn answer_unit<T: RowTable>(
    selectors: &Selectors,
    table: &T,
    unit: usize,
) -> Result<Vec<(u32, Vec<WideCiphertext>)>, PirError> {
    let positions = selectors.unit_positions(unit);
    let mut sum = BucketSum::new(selectors.parameters());
    let mut sums = Vec::new();
    match selectors.kept(unit) {
        Some(block) => {
            for run in bucket_runs(selectors, positions.clone()) {
                for start in run.clone().step_by(MAX_BATCH) {
                    let batch = start..(start + MAX_BATCH).min(run.end);
                    let rows = &selectors.layout().rows()[batch.clone()];
                    let held = batch.start - positions.start..batch.end - positions.start;
                    sum.add(table, rows, &block.masks[held.clone()], &block.bodies[held])?;
                }
                sums.push((selectors.layout().bucket_of(run.start), sum.take()));
            }
        }
        None => {
            let mut runs = bucket_runs(selectors, positions.clone());
            let mut run = runs.next().unwrap_or(positions.clone());
            let mut block = SelectorBlock::with_capacity(MAX_BATCH);
            let (mut position, mut held, mut failure) = (positions.start, 0, None);
            selectors.walk_unit(unit, &mut |mask, body| {
                if failure.is_some() {
                    return;
                }
                transform().forward_wide(mask, &mut block.masks[held]);
                transform().forward_wide(body, &mut block.bodies[held]);
                (position, held) = (position + 1, held + 1);
                if held == MAX_BATCH || position == run.end {
                    let rows = &selectors.layout().rows()[position - held..position];
                    let added = sum.add(table, rows, &block.masks[..held], &block.bodies[..held]);
                    failure = added.err();
                    held = 0;
                }
                if position == run.end {
                    sums.push((selectors.layout().bucket_of(run.start), sum.take()));
                    run = runs.next().unwrap_or(position..position);
                }
            });
            if let Some(error) = failure {
                return Err(error);
            }
        }
    }
    Ok(sums)
}

/// Cuts stream positions into runs that lie in one bucket each.
fn bucket_runs(
    selectors: &Selectors,
    positions: Range<usize>,
) -> impl Iterator<Item = Range<usize>> {
    let mut start = positions.start;
    std::iter::from_fn(move || {
        if start >= positions.end {
            return None;
        }
        let layout = selectors.layout();
        let end = layout
            .positions(layout.bucket_of(start))
            .end
            .min(positions.end);
        let run = start..end;
        start = end;
        Some(run)
    })
}

/// Σ selector·row over rows of one bucket, for every polynomial of a row.
struct BucketSum {
    row_bytes: usize,
    /// Mask and body of each row polynomial, transformed; `summed` products in each.
    transformed: Vec<[Transformed; 2]>,
    summed: usize,
    wide: Vec<WideCiphertext>,
    row_data: Vec<u8>,
    rows: Vec<Transformed>,
}

impl BucketSum {
    fn new(parameters: &PirParameters) -> Self {
        let polynomials = row_polynomials(parameters);
        let row_bytes = parameters.row_bytes() as usize;
        Self {
            row_bytes,
            transformed: (0..polynomials)
                .map(|_| [Transformed::zero(), Transformed::zero()])
                .collect(),
            summed: 0,
            wide: zeros(parameters),
            row_data: vec![0; MAX_BATCH * row_bytes],
            rows: vec![Transformed::zero(); MAX_BATCH],
        }
    }

    /// Adds at most [`MAX_BATCH`] rows times their selectors.
    fn add<T: RowTable>(
        &mut self,
        table: &T,
        rows: &[u32],
        masks: &[Transformed],
        bodies: &[Transformed],
    ) -> Result<(), PirError> {
        if self.summed + rows.len() > MAX_SUMMED {
            self.drain();
        }
        for (&row, data) in rows
            .iter()
            .zip(self.row_data.chunks_exact_mut(self.row_bytes))
        {
            table
                .read_row(row, data)
                .map_err(|source| PirError::TableRead { row, source })?;
        }
        let transform = transform();
        for (index, [mask_sum, body_sum]) in self.transformed.iter_mut().enumerate() {
            let range =
                index * POLYNOMIAL_SIZE..((index + 1) * POLYNOMIAL_SIZE).min(self.row_bytes);
            let data = self.row_data.chunks_exact(self.row_bytes).take(rows.len());
            for (data, row) in data.zip(&mut self.rows) {
                transform.forward_bytes(&data[range.clone()], row);
            }
            transform.accumulate(mask_sum, &self.rows[..rows.len()], masks);
            transform.accumulate(body_sum, &self.rows[..rows.len()], bodies);
        }
        self.summed += rows.len();
        Ok(())
    }

    /// Moves the transformed sums to the wide ones.
    fn drain(&mut self) {
        let mut term = WideCiphertext::zero();
        for ([mask, body], wide) in self.transformed.iter_mut().zip(&mut self.wide) {
            for (sum, out) in [(mask, &mut term.mask), (body, &mut term.body)] {
                transform().normalize(sum);
                transform().inverse(sum, out);
                sum.clear();
            }
            wide.add(&term);
        }
        self.summed = 0;
    }

    /// The bucket's sums; starts the next bucket.
    fn take(&mut self) -> Vec<WideCiphertext> {
        self.drain();
        let zero = self.wide.iter().map(|_| WideCiphertext::zero()).collect();
        std::mem::replace(&mut self.wide, zero)
    }
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::{Seed, Stream};

    use super::*;
    use crate::answer::SentCiphertext;
    use crate::client::{ClientState, query};
    use crate::expand::expand;
    use crate::noise;
    use crate::parameters::{BODY_BITS, MASK_BITS, PLAINTEXT_BITS, POLYNOMIAL_BYTES};
    use crate::table::ServerTable;

    const ROW_BYTES: u32 = 4 * POLYNOMIAL_BYTES;

    struct Fixture {
        client: ClientState,
        selectors: Selectors,
        table: ServerTable,
    }

    fn fixture(kept_bytes: u64) -> Fixture {
        let parameters = PirParameters::new(682, ROW_BYTES, 100).unwrap();
        let mut bytes = vec![0; 682 * ROW_BYTES as usize];
        Stream::new(&Seed::from_bytes([9; 32])).fill_bytes(&mut bytes);
        let needed: Vec<u32> = (0..100).map(|i| i * 6).collect();
        let (client, message) = query(&parameters, &needed, &Seed::from_bytes([4; 32])).unwrap();
        Fixture {
            client,
            selectors: expand(&parameters, &message, kept_bytes).unwrap(),
            table: ServerTable::new(682, ROW_BYTES, bytes).unwrap(),
        }
    }

    impl Fixture {
        /// The bytes that a bucket's answer should hold.
        fn expected(&self, bucket: u32) -> Vec<u8> {
            let mut row_bytes = vec![0; ROW_BYTES as usize];
            if let Some(row) = self.client.wanted()[bucket as usize] {
                self.table.read_row(row, &mut row_bytes).unwrap();
            }
            row_bytes
        }

        fn bucket_rows(&self, bucket: u32) -> u64 {
            self.selectors.layout().positions(bucket).len() as u64
        }
    }

    /// Squared errors and their expectation, summed over samples.
    #[derive(Default)]
    struct Noise {
        energy: f64,
        predicted: f64,
        worst_sigmas: f64,
        samples: u64,
    }

    impl Noise {
        fn record(&mut self, phase: u64, byte: u8, variance: f64) {
            let error = phase.wrapping_sub(u64::from(byte) << (64 - PLAINTEXT_BITS));
            let error = error.cast_signed() as f64;
            self.energy += error * error;
            self.predicted += variance;
            self.worst_sigmas = self.worst_sigmas.max(error.abs() / variance.sqrt());
            self.samples += 1;
        }
    }

    /// 3.5 million coefficients before rounding.
    #[test]
    fn products_are_as_noisy_as_the_formula_says() {
        let fixture = fixture(0);
        let mut sums: BTreeMap<u32, Vec<WideCiphertext>> = BTreeMap::new();
        for unit in 0..fixture.selectors.units() {
            for (bucket, part) in answer_unit(&fixture.selectors, &fixture.table, unit).unwrap() {
                let zero = zeros(fixture.selectors.parameters());
                let sum = sums.entry(bucket).or_insert(zero);
                sum.iter_mut()
                    .zip(&part)
                    .for_each(|(sum, part)| sum.add(part));
            }
        }
        let mut noise = Noise::default();
        for (bucket, sum) in sums {
            let variance = noise::product_variance(11, fixture.bucket_rows(bucket));
            let expected = fixture.expected(bucket);
            for (ciphertext, bytes) in sum.iter().zip(expected.chunks(POLYNOMIAL_SIZE)) {
                let phase = fixture
                    .client
                    .secret()
                    .phase(&ciphertext.mask, &ciphertext.body);
                for (phase, &byte) in phase.into_iter().zip(bytes) {
                    noise.record(phase, byte, variance);
                }
            }
        }
        assert!(noise.samples > 3_000_000);
        let ratio = noise.energy / noise.predicted;
        assert!((0.8..1.1).contains(&ratio), "{ratio}");
        assert!(noise.worst_sigmas < 10.0, "{}", noise.worst_sigmas);
    }

    /// 3.5 million coefficients as the client sees them.
    #[test]
    fn answers_are_as_noisy_as_the_formula_says() {
        let fixture = fixture(0);
        let mut responder = respond(&fixture.selectors, &fixture.table).unwrap();
        let mut answers = Vec::new();
        while let Some(frame) = responder.next_frame().unwrap() {
            answers.extend(frame);
        }
        let mut rest = answers.as_slice();
        let mut noise = Noise::default();
        for bucket in 0..fixture.selectors.parameters().buckets() {
            let variance = noise::response_variance(11, fixture.bucket_rows(bucket));
            for bytes in fixture.expected(bucket).chunks(POLYNOMIAL_SIZE) {
                let sent = SentCiphertext::decode(&mut rest, POLYNOMIAL_SIZE).unwrap();
                let mask: Vec<u64> = sent.mask.iter().map(|a| a << (64 - MASK_BITS)).collect();
                let body: Vec<u64> = sent.body.iter().map(|b| b << (64 - BODY_BITS)).collect();
                let phase = fixture.client.secret().phase(&mask, &body);
                for (phase, &byte) in phase.into_iter().zip(bytes) {
                    noise.record(phase, byte, variance);
                }
            }
        }
        assert!(rest.is_empty() && noise.samples > 3_000_000);
        let ratio = noise.energy / noise.predicted;
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
        assert!(noise.worst_sigmas < 10.0, "{}", noise.worst_sigmas);
    }

    #[test]
    fn kept_selectors_answer_the_same_bytes() {
        let answers = |kept_bytes| {
            let fixture = fixture(kept_bytes);
            let mut responder = respond(&fixture.selectors, &fixture.table).unwrap();
            let mut frames = Vec::new();
            while let Some(frame) = responder.next_frame().unwrap() {
                frames.push(frame);
            }
            frames
        };
        let none = answers(0);
        assert!(none == answers(3 << 23) && none == answers(u64::MAX));
    }
}
