use super::answers::ANSWER_FLOOR_SECONDS;
use super::*;
use crate::noise_first::MachinePace;
use crate::{OperatorKind, ProductRequest, Protocol, Step, choose_parameters, noise_first};

/// Two data sets under one bound are answered at one time, and a wider bound not earlier.
#[test]
fn the_earliest_answer_follows_from_bounds_alone() {
    for protocol in [Protocol::He, Protocol::Preprocessed] {
        let request = ProductRequest {
            row_norm_bound: 256,
            nonzeros_bound: 4096,
            ..ProductRequest::new(protocol, OperatorKind::Laplacian, 740, 10, 20)
        };
        let narrow = choose_parameters(&request).unwrap();
        let wide = ProductParameters {
            nonzeros_bound: 1 << 20,
            ..narrow.clone()
        };
        for step in [Step::Responses, Step::MaskedProduct] {
            let earlier = answer_not_before(&narrow, step).unwrap();
            assert!((ANSWER_FLOOR_SECONDS..1.0).contains(&earlier), "{earlier}");
            assert!(answer_not_before(&wide, step).unwrap() > earlier);
        }
        assert_eq!(answer_not_before(&narrow, Step::Identity).unwrap(), 0.0);
    }
}

/// By sizes and by what is stated of the links; and behind what must be on disk before: ten durable
/// writes, which on a solid-state disk take up to eight milliseconds each.
#[test]
fn friends_sums_leave_behind_what_must_be_on_disk() {
    let of = |users| {
        let terms = noise_first::Terms {
            sides: noise_first::Sides::One,
            opened: users,
            uploaded: users,
            columns: 8,
            row_norm_bound: 1.0,
            degree_bound: 100,
            mu: noise_first::guarantee::Mu::ONE,
        };
        noise_first::choose(terms).unwrap()
    };
    let (small, large) = (of(60), of(6000));
    let pace = MachinePace::measured();
    let measured = |sizes: &_, links| friends_prepare_not_before(sizes, links, pace);
    let stated = |sizes: &_, links| friends_prepare_not_before(sizes, links, MachinePace::STATED);
    for time in [0, 1, 2] {
        let time = |sizes: &_, links| match time {
            0 => measured(sizes, links),
            1 => stated(sizes, links),
            _ => friends_answer_not_before(sizes, links),
        };
        assert!(time(&small, 0) >= 10.0 * 0.008);
        assert!(time(&large, 0) > time(&small, 0));
        assert!(time(&large, 1 << 20) > time(&large, 0));
    }
    // What P0 waits for is never exceeded.
    assert!(measured(&large, 1 << 20) <= stated(&large, 1 << 20));
}

#[test]
fn the_footprint_keeps_to_the_limit() {
    let request = ProductRequest {
        row_norm_bound: 6144,
        nonzeros_bound: 1 << 20,
        ..ProductRequest::new(
            Protocol::Preprocessed,
            OperatorKind::Laplacian,
            49_288,
            10,
            409,
        )
    };
    let parameters = choose_parameters(&request).unwrap();
    let limit = 1 << 30;
    let needed = footprint(&parameters, limit).unwrap();
    assert!(
        needed.social_memory_bytes < limit + (64 << 20),
        "{needed:?}"
    );
    assert!(needed.rating_memory_bytes < limit / 4, "{needed:?}");
    // W: 4 bytes for each of 49,288 × 4,090 values.
    assert_eq!(needed.rating_disk_bytes, 4 * 49_288 * 4_090);
    assert!(needed.social_disk_bytes > needed.rating_disk_bytes);
}

/// Upload and answer of a million users, several gigabytes, do not stay in P1's memory.
#[test]
fn an_opening_of_he_keeps_to_the_limit_too() {
    let request = ProductRequest {
        row_norm_bound: 6144,
        nonzeros_bound: 10 << 20,
        ..ProductRequest::new(Protocol::He, OperatorKind::Laplacian, 1_000_000, 10, 3)
    };
    let parameters = choose_parameters(&request).unwrap();
    let limit = 1 << 30;
    let needed = footprint(&parameters, limit).unwrap();
    assert_eq!(
        needed.social_memory_bytes,
        12 * parameters.nonzeros_bound + limit
    );
    assert!(needed.social_disk_bytes > 4_000_000_000, "{needed:?}");
    let roomy = footprint(&parameters, 1 << 40).unwrap();
    assert_eq!(roomy.social_disk_bytes, 0);
    assert!(roomy.social_memory_bytes > needed.social_disk_bytes);
}
