//! The error that guard bits remove: one opening of each protocol without them.
//!
//! The rounding of a response and of a share each lose a part of the last place (section 2); which
//! values are off depends on the columns used.

use s3rec_sparse::SocialOperator;
use s3rec_spmm::{ProductParameters, ProductRequest, Protocol, choose_parameters, ideal};

use crate::BenchError;
use crate::homomorphic::HomomorphicPair;
use crate::products::{ProductsOptions, largest_error, request};
use crate::stock_pair::StockPair;
use crate::workload::Workload;

/// Of `he`, and of `pir` too: fetching moves the bytes of the same ciphertexts.
pub(crate) fn he(workload: &Workload, operator: &SocialOperator) -> Result<u64, BenchError> {
    let parameters = parameters(workload, operator, Protocol::He)?;
    let (factors, _) = parameters.fixed_point()?.encode(&workload.factors(0));
    let (pair, _) = HomomorphicPair::set_up(&parameters, operator)?;
    let (product, _) = pair.round(0, &factors)?;
    Ok(largest_error(
        &product,
        &ideal::product(operator, &factors)?,
    ))
}

/// Of `preprocessed`, over a stock of one round.
pub(crate) fn preprocessed(
    workload: &Workload,
    operator: &SocialOperator,
    options: &ProductsOptions,
) -> Result<u64, BenchError> {
    let parameters = parameters(workload, operator, Protocol::Preprocessed)?;
    let directory = tempfile::Builder::new()
        .prefix("s3rec-bench-")
        .tempdir_in(&options.scratch)?;
    let memory = options.memory_limit_bytes;
    let (mut pair, _) = StockPair::set_up(&parameters, operator, directory.path(), memory)?;
    let (factors, _) = parameters.fixed_point()?.encode(&workload.factors(0));
    let (product, _) = pair.round(&factors)?;
    Ok(largest_error(
        &product,
        &ideal::product(operator, &factors)?,
    ))
}

fn parameters(
    workload: &Workload,
    operator: &SocialOperator,
    protocol: Protocol,
) -> Result<ProductParameters, BenchError> {
    Ok(choose_parameters(&ProductRequest {
        guard_bits: 0,
        rounds: 1,
        ..request(workload, operator, protocol)
    })?)
}
