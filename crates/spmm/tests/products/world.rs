//! A small world for tests: links, factors, parameters, and a seeded source of all of them.

use std::sync::Arc;

use s3rec_algebra::{RealMatrix, RingMatrix, Seed, Stream};
use s3rec_sparse::{
    OperatorKind, PatternPolicy, PublicPattern, SecretPattern, SocialMatrix, SocialOperator,
    declassify, ladder,
};
use s3rec_spmm::{
    ProductParameters, ProductRequest, Protocol, ReleasePolicy, SocialOperand, WorkingSpace,
    choose_parameters,
};

/// So little memory that most rounds of `he` are computed in pieces, from a file.
pub(crate) fn space() -> WorkingSpace {
    WorkingSpace {
        memory_limit_bytes: 2 << 20,
        directory: std::env::temp_dir(),
    }
}

/// What a test varies.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) users: u32,
    pub(crate) columns: u32,
    pub(crate) rounds: u32,
    pub(crate) links: Vec<(u32, u32)>,
    pub(crate) operator: OperatorKind,
    pub(crate) policy: PatternPolicy,
    pub(crate) guard_bits: u32,
    pub(crate) protocol: Protocol,
    pub(crate) release: ReleasePolicy,
    /// Announced instead of the ladder value of the needed rows.
    pub(crate) fetched_rows_bound: Option<u32>,
}

impl Shape {
    pub(crate) fn new(users: u32, columns: u32, links: Vec<(u32, u32)>) -> Shape {
        Shape {
            users,
            columns,
            rounds: 2,
            links,
            operator: OperatorKind::Laplacian,
            policy: PatternPolicy::Nothing,
            guard_bits: 2,
            protocol: Protocol::He,
            release: ReleasePolicy::Exact,
            fetched_rows_bound: None,
        }
    }
}

/// Both parties' inputs and everything public between them.
pub(crate) struct World {
    pub(crate) parameters: ProductParameters,
    pub(crate) pattern: Arc<PublicPattern>,
    pub(crate) operator: Arc<SocialOperator>,
    pub(crate) operand: Arc<SocialOperand>,
    pub(crate) factors: Vec<RingMatrix>,
}

impl World {
    /// Announces ladder bounds of the operator itself.
    pub(crate) fn new(shape: &Shape, seed: u8) -> World {
        let operator = build(shape);
        let bounds = (operator.row_norm_bound(), operator.nonzeros_bound());
        World::with_bounds(shape, bounds, seed)
    }

    /// Announces other bounds, as two data sets under one bound do.
    pub(crate) fn with_bounds(
        shape: &Shape,
        (row_norm_bound, nonzeros_bound): (u64, u64),
        seed: u8,
    ) -> World {
        let operator = build(shape);
        let pattern = declassify(&SecretPattern::of(&operator), shape.policy);
        let mut request = ProductRequest::new(
            shape.protocol,
            shape.operator,
            shape.users,
            shape.columns,
            shape.rounds,
        );
        request.row_norm_bound = row_norm_bound;
        request.nonzeros_bound = nonzeros_bound;
        request.guard_bits = shape.guard_bits;
        request.pattern = shape.policy;
        request.release = shape.release;
        request.uploaded_rows = u32::try_from(pattern.uploaded_rows.len()).unwrap();
        request.returned_rows = u32::try_from(pattern.returned_rows.len()).unwrap();
        if shape.protocol.fetches_privately() {
            let needed = u64::try_from(operator.active_columns().len()).unwrap();
            let bound = shape
                .fetched_rows_bound
                .unwrap_or(u32::try_from(ladder(needed)).unwrap());
            request.fetched_rows_bound = bound.min(shape.users);
        }
        let parameters = choose_parameters(&request).unwrap();
        let operand = SocialOperand::new(
            &parameters,
            &pattern,
            &operator,
            &Seed::from_bytes([seed; 32]),
        )
        .unwrap();
        let factors = (0..shape.rounds)
            .map(|round| factors(&parameters, seed, round))
            .collect();
        World {
            parameters,
            pattern: Arc::new(pattern),
            operator: Arc::new(operator),
            operand: Arc::new(operand),
            factors,
        }
    }

    /// What P0 is to learn from a round.
    pub(crate) fn expected(&self, round: usize) -> RingMatrix {
        s3rec_spmm::ideal::product(&self.operator, &self.factors[round]).unwrap()
    }
}

fn build(shape: &Shape) -> SocialOperator {
    let links =
        SocialMatrix::from_links(shape.users as usize, shape.links.iter().copied()).unwrap();
    SocialOperator::build(shape.operator, &links)
}

/// U uniform in ±u_max, both ends included.
fn factors(parameters: &ProductParameters, seed: u8, round: u32) -> RingMatrix {
    let count = parameters.users as usize * parameters.columns as usize;
    let mut words = vec![0u64; count];
    Stream::new(&Seed::from_bytes([seed; 32]).derive("test factors", &[&round.to_le_bytes()]))
        .fill_u64(&mut words);
    let bound = parameters.saturation_bound;
    let values = words
        .iter()
        .enumerate()
        .map(|(index, &word)| match index % 7 {
            0 => bound,
            1 => -bound,
            _ => (word as f64 / u64::MAX as f64 * 2.0 - 1.0) * bound,
        })
        .collect();
    let real = RealMatrix::from_vec(
        parameters.users as usize,
        parameters.columns as usize,
        values,
    )
    .unwrap();
    parameters.fixed_point().unwrap().encode(&real).0
}
