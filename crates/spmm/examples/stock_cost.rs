//! What a stock of Epinions' size costs: both parties in one process, stocks on disk.
//!
//! `cargo run --release -p s3rec-spmm --example stock_cost -- [users] [rounds] [memory-limit-mib] [operator]`
//!
//! The graph is synthetic with Epinions' density and a heavy tail; times are of both parties.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use s3rec_algebra::{RingMatrix, Seed, Stream};
use s3rec_sparse::{
    OperatorKind, PatternPolicy, SecretPattern, SocialMatrix, SocialOperator, declassify,
};
use s3rec_spmm::pair::{self, Honest, Side};
use s3rec_spmm::preprocessed::{
    DirectoryStorage, RatingBlock, RatingOpening, RatingSession, RatingStock, SocialBlock,
    SocialOpening, SocialSession, SocialStock, StockTerms,
};
use s3rec_spmm::{ProductRequest, Protocol, SocialOperand, Uncounted, choose_parameters, cost, he};

const LINKS_PER_USER: u32 = 9;
const COLUMNS: u32 = 10;

#[expect(clippy::print_stdout, reason = "a command for people")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u32| {
        arguments
            .get(index)
            .map_or(Ok(default), |text| text.parse())
    };
    let (users, rounds, memory_limit_mib) = (number(0, 49_288)?, number(1, 409)?, number(2, 3072)?);
    let operator = if arguments.get(3).is_some_and(|name| name == "normalized") {
        OperatorKind::NormalizedLaplacian
    } else {
        OperatorKind::Laplacian
    };
    let operator = SocialOperator::build(
        operator,
        &SocialMatrix::from_links(users as usize, links(users))?,
    );
    println!(
        "{} users, {} non-zeros, L = {}",
        users,
        operator.nonzeros(),
        operator.row_norm_bound()
    );
    let mut request = ProductRequest::new(
        Protocol::Preprocessed,
        operator.kind(),
        users,
        COLUMNS,
        rounds,
    );
    (request.row_norm_bound, request.nonzeros_bound) =
        (operator.row_norm_bound(), operator.nonzeros_bound());
    let parameters = choose_parameters(&request)?;
    println!("{parameters:?}\n{:?}", parameters.layout()?);
    println!("predicted {:?}", cost::predict(&parameters)?);

    let directory = std::env::temp_dir().join(format!("s3rec-stock-cost-{}", std::process::id()));
    let pattern = Arc::new(declassify(
        &SecretPattern::of(&operator),
        PatternPolicy::Nothing,
    ));
    let operand = Arc::new(SocialOperand::new(
        &parameters,
        &pattern,
        &operator,
        &Seed::generate()?,
    )?);
    let terms = StockTerms {
        stock_id: [0; 16],
        rating_party: [0; 32],
        social_party: [1; 32],
        users_digest: [2; 32],
        operator_commitment: operand.commitment(),
        key_seed: he::public_key_seed(&[0; 32], &[1; 32], b"cost"),
        parameters: parameters.clone(),
    };
    let rating_storage = Arc::new(DirectoryStorage::open(&directory.join("rating"))?);
    let social_storage = Arc::new(DirectoryStorage::open(&directory.join("social"))?);
    let mut rating = RatingStock::create(rating_storage, terms.clone(), Arc::clone(&pattern))?;
    let mut social = SocialStock::create(social_storage, terms, &pattern, operand)?;
    let start = Instant::now();
    let mut announcing = rating.key_setup()?;
    let mut receiving = social.key_setup()?;
    pair::run(&mut announcing, &mut receiving, &mut Honest)?;
    social.accept_key(receiving)?;
    let mut bytes = [0u64; 2];
    for _ in 0..parameters.layout()?.blocks {
        let mut uploading = RatingBlock::new(rating)?;
        let mut answering = SocialBlock::new(social, (memory_limit_mib as usize) << 20)?;
        let transcript = pair::run(&mut uploading, &mut answering, &mut Honest)?;
        bytes[0] += transcript.bytes_from(Side::Rating);
        bytes[1] += transcript.bytes_from(Side::Social);
        (rating, social) = (uploading.into_stock()?, answering.into_stock()?);
    }
    let values = f64::from(users) * f64::from(COLUMNS) * f64::from(rounds);
    println!(
        "offline {:.1} s, {:.2} MB up, {:.2} MB down, {:.2} bytes a value, peak {} MiB (both parties)",
        start.elapsed().as_secs_f64(),
        bytes[0] as f64 / 1e6,
        bytes[1] as f64 / 1e6,
        (bytes[0] + bytes[1]) as f64 / values,
        peak_mib()
    );

    let mut calling = RatingSession::new(rating)?;
    let mut called = SocialSession::new(social)?;
    pair::run(&mut calling, &mut called, &mut Honest)?;
    (rating, social) = (calling.into_stock()?, called.into_stock()?);
    let factors = uniform(&parameters)?;
    let expected = operator.multiply_ring(&factors)?;
    for _ in 0..rounds.min(6) {
        let start = Instant::now();
        let mut sending = RatingOpening::new(rating, &factors)?;
        let reserved = start.elapsed();
        let mut answering = SocialOpening::new(social, Uncounted)?;
        let transcript = pair::run(&mut sending, &mut answering, &mut Honest)?;
        let exchanged = start.elapsed();
        let (product, stock) = sending.into_product()?;
        let finished = start.elapsed();
        (rating, social) = (stock, answering.into_stock());
        let all = transcript.bytes_from(Side::Rating) + transcript.bytes_from(Side::Social);
        println!(
            "round {:.1} ms (reserve {:.1}, exchange {:.1}, open {:.1}), {} bytes, exact: {}",
            finished.as_secs_f64() * 1e3,
            reserved.as_secs_f64() * 1e3,
            (exchanged - reserved).as_secs_f64() * 1e3,
            (finished - exchanged).as_secs_f64() * 1e3,
            all,
            product == expected
        );
    }
    let clear = Instant::now();
    operator.multiply_ring(&factors)?;
    println!(
        "clear ring product {:.1} ms",
        clear.elapsed().as_secs_f64() * 1e3
    );
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// Trusters uniform, trustees with a tail like a power law's.
fn links(users: u32) -> impl Iterator<Item = (u32, u32)> {
    let mut words = vec![0u64; (users * LINKS_PER_USER) as usize];
    Stream::new(&Seed::from_bytes([1; 32])).fill_u64(&mut words);
    words.into_iter().map(move |word| {
        let from = (word & 0xffff_ffff) % u64::from(users);
        let uniform = (word >> 32) as f64 / f64::from(u32::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and users"
        )]
        let to = (f64::from(users) * uniform.powi(3)) as u32;
        let from = from as u32;
        (from, to.min(users - 1))
    })
}

fn uniform(parameters: &s3rec_spmm::ProductParameters) -> Result<RingMatrix, Box<dyn Error>> {
    let count = parameters.users as usize * parameters.columns as usize;
    let mut values = vec![0u64; count];
    Stream::new(&Seed::from_bytes([2; 32])).fill_u64(&mut values);
    let ring = parameters.ring()?;
    let values = values
        .into_iter()
        .map(|word| ring.from_signed((word >> 52).cast_signed() * 4 - 8192))
        .collect();
    Ok(RingMatrix::new(
        ring,
        parameters.users as usize,
        parameters.columns as usize,
        values,
    )?)
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
