//! Rows fetched privately between two daemons: the model of `preprocessed` and `he`, bit for bit,
//! with SocialMF on the operator that has columns of its own.

use s3rec_job::{Counters, Phase};
use s3rec_link::grpc;
use s3rec_spmm::{Exchange, Frame, ProductParameters, Step, cost};
use s3rec_wire::convert::{ChunkHeader, frame_bytes, job_id, parameters_from_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Operator, PatternPolicy, Protocol, StockState};

use crate::joint_training::oracle;
use crate::pair::{Pair, request};

fn social_mf(protocol: Protocol, pattern: PatternPolicy) -> v1::ProposeJobRequest {
    let mut request = request(3);
    let model = request.model.as_mut().unwrap();
    model.set_operator(Operator::OutAverage);
    request.set_protocol(protocol);
    request.set_pattern_policy(pattern);
    request
}

fn counted(cost: &v1::Cost) -> [u64; 3] {
    [cost.bytes_to_social, cost.bytes_to_rating, cost.messages]
}

async fn report(pair: &mut Pair, job: &str) -> (v1::JobReportResponse, ProductParameters) {
    let request = v1::JobReportRequest { job_id: job.into() };
    let report = pair.rating.job_report(request).await.unwrap().into_inner();
    let parameters = parameters_from_wire(&report.parameters.unwrap()).unwrap();
    (report, parameters)
}

/// What `earlier` jobs, each of three rounds of four columns, and `openings` of one more have
/// opened without noise: the counters before its next round.
fn counters(parameters: &ProductParameters, earlier: &[u32], openings: u32) -> Counters {
    let jobs = u32::try_from(earlier.len()).unwrap();
    let columns = |openings: u32| u64::from(openings) * 4;
    let of_earlier = earlier.iter().map(|rows| columns(3) * u64::from(*rows));
    let values = of_earlier.sum::<u64>() + columns(openings) * u64::from(parameters.returned_rows);
    Counters {
        jobs: jobs + u32::from(openings > 0),
        openings: u64::from(3 * jobs + openings),
        opened_columns: columns(3 * jobs + openings),
        opened_values: values,
        exact_values: values,
        nano_rho: 0,
        stocks: jobs + 1,
    }
}

/// What the exchanges of the job take as messages, each with a header both ways: before and after
/// the rounds, and in the rounds. `earlier` are the rows that came back to each job before it.
fn foretold(parameters: &ProductParameters, job: &str, earlier: &[u32]) -> [[u64; 3]; 2] {
    let mut totals = [[0; 3]; 2];
    for (exchange, times) in Exchange::of_job(parameters).unwrap() {
        let is_round = exchange == Exchange::Opening
            || (exchange == Exchange::Upload && !parameters.protocol.is_preprocessed());
        let phase = match exchange {
            Exchange::Queries | Exchange::PublicKey => Phase::Setup,
            _ if is_round => Phase::Online,
            _ => Phase::Offline,
        };
        let header = |round: u32| {
            grpc::header_bytes(&ChunkHeader {
                job: job_id("job", job).unwrap(),
                phase,
                round,
                parameters_digest: [1; 32],
                counters: (phase == Phase::Online)
                    .then(|| counters(parameters, earlier, round - 1)),
                goes_on: false,
            })
        };
        // Every round states other counters, whose bytes are as many as they need.
        let headers: u64 = match is_round {
            true => (1..=times).map(header).sum(),
            false => header(0) * u64::from(times),
        };
        let mut once = [0, 0, 2];
        for scheduled in exchange.frames(parameters).unwrap() {
            let frame = Frame {
                step: scheduled.step,
                sequence: scheduled.sequence,
                payload: vec![1; scheduled.payload_bytes],
            };
            once[usize::from(!scheduled.to_social)] += frame_bytes(&frame);
            once[2] += 1;
        }
        let total = &mut totals[usize::from(is_round)];
        total[0] += headers;
        total[1] += headers;
        for (total, once) in total.iter_mut().zip(once) {
            *total += once * u64::from(times);
        }
    }
    totals
}

/// What both calls of Setup take.
fn setup_bytes(parameters: v1::ProductParameters, job: &str) -> [u64; 3] {
    let asked = v1::SetupRequest {
        job_id: job.into(),
        seed_half: vec![1; 32],
        users_digest: vec![1; 32],
        parameters: None,
        stock_id: vec![5; 16],
        ..v1::SetupRequest::default()
    };
    let bitmap = match parameters.pattern_policy() {
        PatternPolicy::ActiveRows => vec![1; 30_usize.div_ceil(8)],
        _ => Vec::new(),
    };
    let bounds = v1::SetupResponse {
        job_id: job.into(),
        seed_half: vec![1; 32],
        common_users: parameters.users,
        row_norm_bound: parameters.row_norm_bound,
        nonzeros_bound: parameters.nonzeros_bound,
        fetched_rows_bound: parameters.fetched_rows_bound,
        ..v1::SetupResponse::default()
    };
    let agreed = v1::SetupResponse {
        parameters_digest: vec![1; 32],
        operator_commitment: vec![1; 32],
        ..bounds.clone()
    };
    let bounds = v1::SetupResponse {
        active_rows: bitmap,
        ..bounds
    };
    let stated = v1::SetupRequest {
        parameters: Some(parameters),
        ..asked.clone()
    };
    [
        asked.wire_bytes() + stated.wire_bytes(),
        bounds.wire_bytes() + agreed.wire_bytes(),
        4,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_trains_one_model_on_trusted_users() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (mut models, mut alignments, mut earlier) = (Vec::new(), Vec::new(), Vec::new());
    for protocol in [
        Protocol::Preprocessed,
        Protocol::PreprocessedPir,
        Protocol::He,
        Protocol::HePir,
    ] {
        for pattern in [PatternPolicy::Nothing, PatternPolicy::ActiveRows] {
            let (job, events) = pair.run(social_mf(protocol, pattern)).await;
            let last = events.last().unwrap();
            assert_eq!(last.state(), JobState::Finished, "{}", last.message);
            assert_eq!(pair.social_end(&job).await.state(), JobState::Finished);
            models.push(pair.model(&job).await);
            let (report, parameters) = report(&mut pair, &job).await;
            // 28 of 30 common users trust one of them, and 28 are trusted: the ladder says 32,
            // and m is less.
            let fetches = parameters.protocol.fetches_privately();
            let bound = if fetches { 30 } else { 0 };
            assert_eq!(parameters.fetched_rows_bound, bound);
            let returned = if pattern == PatternPolicy::Nothing {
                30
            } else {
                28
            };
            let rows = (parameters.uploaded_rows, parameters.returned_rows);
            assert_eq!(rows, (30, returned));
            let held = cost::answer_not_before(&parameters, Step::Queries).unwrap();
            let (offline, online) = (report.offline.unwrap(), report.online.unwrap());
            assert!(!fetches || offline.seconds >= held, "{offline:?} < {held}");
            let cost = v1::JobCostRequest {
                job_id: job.clone(),
            };
            let cost = pair.social.job_cost(cost).await.unwrap().into_inner();
            for (ours, theirs) in [(offline, cost.offline), (online, cost.online)] {
                assert_eq!(counted(&ours), counted(&theirs.unwrap()));
            }
            let [before, rounds] = foretold(&parameters, &job, &earlier);
            earlier.push(parameters.returned_rows);
            assert_eq!(counted(&online), rounds, "{protocol:?}");
            let setup = setup_bytes(report.parameters.unwrap(), &job);
            let [up, down, messages] = counted(&offline);
            alignments.push([
                up - before[0] - setup[0],
                down - before[1] - setup[1],
                messages - before[2] - setup[2],
            ]);
        }
    }
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let (users, items) = models.first().unwrap();
    assert_eq!(users.len(), 40 * 4);
    for (other_users, other_items) in &models {
        assert_eq!(bits(users), bits(other_users));
        assert_eq!(bits(items), bits(other_items));
    }

    // Whatever was not foretold is the search for common users, the same for every protocol.
    assert!(
        alignments
            .iter()
            .all(|a| *a == alignments[0] && a[0] > 30 * 32),
        "{alignments:?}"
    );

    let oracle = oracle(&social_mf(Protocol::He, PatternPolicy::Nothing));
    let clear = |matrix: &s3rec_algebra::RealMatrix| -> Vec<f64> {
        (0..matrix.rows())
            .flat_map(|row| matrix.row(row)[..4].to_vec())
            .collect()
    };
    for (secure, clear) in [(users, clear(&oracle.users)), (items, clear(&oracle.items))] {
        let differences = secure.iter().zip(&clear).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f64::max);
        assert!(largest > 0.0 && largest < 1e-3, "{largest}");
    }

    let stocks = pair.social.stock_status(v1::StockStatusRequest::default());
    let stocks = stocks.await.unwrap().into_inner().stocks;
    assert_eq!(stocks.len(), 4);
    for stock in stocks {
        assert_eq!(stock.state(), StockState::Erased);
        assert_eq!((stock.columns_made, stock.columns_used), (12, 12));
    }
    // Both have counted alike, the uploads too.
    let (seen, shown) = (pair.seen().await.accounts, pair.shown().await.accounts);
    assert_eq!((seen.len(), shown.len()), (1, 1));
    assert_eq!(seen[0].counters, shown[0].counters);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_is_told_to_who_consents_and_refused_where_it_means_nothing() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let fetching = social_mf(Protocol::PreprocessedPir, PatternPolicy::ActiveRows);
    pair.rating.propose_job(fetching.clone()).await.unwrap();
    let pending = v1::ListProposalsRequest { pending_only: true };
    let pending = pair.social.list_proposals(pending).await.unwrap();
    let warnings = pending.into_inner().proposals[0].warnings.join("\n");
    assert!(warnings.contains("fetched privately"), "{warnings}");

    let mut symmetric = fetching.clone();
    let model = symmetric.model.as_mut().unwrap();
    model.set_operator(Operator::NormalizedLaplacian);
    let mut trimmed = fetching;
    trimmed.set_pattern_policy(PatternPolicy::ActiveRowsAndColumns);
    for (request, field) in [(symmetric, "protocol"), (trimmed, "pattern_policy")] {
        let refused = pair.rating.propose_job(request).await.unwrap_err();
        let fault = Fault::from_status(&refused).unwrap();
        assert_eq!(fault.reason, Reason::Unsupported, "{refused:?}");
        assert_eq!(fault.metadata["field"], field);
        assert!(fault.advice().contains("active-rows"), "{fault:?}");
    }
}
