//! Measures one fetch at the size issue 3 asks for, both parties in one process.
//!
//! `cargo run --release -p s3rec-pir --example fetch -- [rows] [row_bytes] [needed] [needed_bound] [kept_mib]`
//!
//! The table is synthetic (uniform bytes, as row bodies are). Set RAYON_NUM_THREADS=2 for the
//! two cores of the bound. The last argument is memory for expanded
//! selectors, in MiB.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use s3rec_algebra::{Seed, Stream};
use s3rec_pir::{PirParameters, QueryReceiver, RowTable, cost, expand, noise, query, respond};

/// Uniform rows made on demand, so that a table may be larger than memory.
struct Synthetic {
    rows: u32,
    row_bytes: u32,
    stream: Stream,
}

impl RowTable for Synthetic {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn row_bytes(&self) -> u32 {
        self.row_bytes
    }

    fn read_row(&self, row: u32, out: &mut [u8]) -> std::io::Result<()> {
        let position = u64::from(row) * u64::from(self.row_bytes);
        self.stream.at(position).fill_bytes(out);
        Ok(())
    }
}

fn argument(position: usize, default: u32) -> Result<u32, Box<dyn Error>> {
    match std::env::args().nth(position) {
        Some(text) => Ok(text.parse()?),
        None => Ok(default),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let (rows, row_bytes) = (argument(1, 100_000)?, argument(2, 7_168)?);
    let (needed_count, needed_bound) = (argument(3, 500)?, argument(4, 512)?);
    let kept_bytes = u64::from(argument(5, 0)?) << 20;
    let parameters = PirParameters::new(rows, row_bytes, needed_bound)?;
    let predicted = cost(&parameters);

    let table = Synthetic {
        rows,
        row_bytes,
        stream: Stream::new(&Seed::from_bytes([1; 32])),
    };
    // Spread evenly over the table.
    let needed: Vec<u32> = (0..needed_count)
        .map(|index| index * (rows / needed_count.max(1)))
        .collect();

    let start = Instant::now();
    let (client, message) = query(&parameters, &needed, &Seed::from_bytes([2; 32]))?;
    let query_seconds = start.elapsed().as_secs_f64();

    let mut receiver = QueryReceiver::new(parameters);
    let mut up_bytes = 0;
    for frame in message.frames() {
        up_bytes += frame.len() as u64;
        receiver.receive(&frame)?;
    }

    let start = Instant::now();
    let selectors = expand(&parameters, &receiver.finish()?, kept_bytes)?;
    let expand_seconds = start.elapsed().as_secs_f64();

    let (mut respond_seconds, mut extract_seconds) = (0.0, 0.0);
    let mut down_bytes = 0;
    let mut responder = respond(&selectors, &table)?;
    let mut extraction = client.extraction();
    loop {
        let start = Instant::now();
        let frame = responder.next_frame()?;
        respond_seconds += start.elapsed().as_secs_f64();
        let Some(frame) = frame else { break };
        down_bytes += frame.len() as u64;
        let start = Instant::now();
        extraction.receive(&frame)?;
        extract_seconds += start.elapsed().as_secs_f64();
    }
    let fetched = extraction.finish()?;
    let mut exact = fetched.len() == needed.len();
    for (fetched, &row) in fetched.iter().zip(&needed) {
        let mut expected = vec![0; row_bytes as usize];
        table.read_row(row, &mut expected)?;
        exact &= fetched.row == row && fetched.bytes == expected;
    }

    let everything = u64::from(rows) * u64::from(row_bytes);
    let fetch_bytes = up_bytes + down_bytes;
    writeln!(
        out,
        "rows {rows}, row_bytes {row_bytes}, needed {needed_count} of at most {needed_bound}, buckets {}",
        parameters.buckets()
    )?;
    writeln!(out, "threads {}", rayon::current_num_threads())?;
    writeln!(
        out,
        "up_bytes {up_bytes} (predicted {}), of which keys {} and query {}",
        predicted.upload_bytes(),
        predicted.key_bytes,
        predicted.query_bytes
    )?;
    writeln!(
        out,
        "down_bytes {down_bytes} (predicted {})",
        predicted.answer_bytes
    )?;
    writeln!(
        out,
        "all rows' bodies {everything}: {:.1} times as many",
        everything as f64 / fetch_bytes as f64
    )?;
    writeln!(
        out,
        "seconds: query {query_seconds:.2}, expand {expand_seconds:.2} ({kept_bytes} bytes kept), respond {respond_seconds:.2}, extract {extract_seconds:.2}"
    )?;
    writeln!(
        out,
        "10 sigma of the noise: 2^{:.2}, allowed 2^55",
        noise::margin_bits(
            parameters.expansion_levels(),
            u64::from(parameters.bucket_capacity())
        )
    )?;
    writeln!(out, "every needed row exact: {exact}")?;
    Ok(())
}
