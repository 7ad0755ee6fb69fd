//! P0 keeps the row norm that a noised release's statement assumes.

use crate::pair::{Pair, request};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

/// The factors of users after a job of three openings under that release.
async fn users(
    pair: &mut Pair,
    protocol: v1::Protocol,
    change: impl Fn(&mut v1::ReleasePolicy),
) -> Vec<f64> {
    let mut request = request(3);
    request.set_protocol(protocol);
    change(request.release_policy.as_mut().unwrap());
    let (job, events) = pair.run(request).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    pair.model(&job).await.0
}

fn apart(one: &[f64], other: &[f64]) -> f64 {
    let apart = one.iter().zip(other).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f64::max)
}

/// P1 sees U masked or encrypted, so only P0 can keep to β. With noise too small to matter and β
/// far below every row, what comes back is far from the exact product; with β above every row it
/// is the exact product.
#[tokio::test(flavor = "multi_thread")]
async fn no_row_of_a_noised_opening_is_longer_than_beta() {
    for protocol in [v1::Protocol::He, v1::Protocol::Preprocessed] {
        let mut pair = Pair::start().await;
        pair.import().await;
        let noised = |beta: f64| {
            move |release: &mut v1::ReleasePolicy| {
                release.set_kind(v1::ReleaseKind::Noised);
                release.noise_sigma = 1e-3;
                release.row_norm_beta = beta;
                release.delta = 1e-6;
            }
        };
        let exact = users(&mut pair, protocol, |_| ()).await;
        let wide = users(&mut pair, protocol, noised(10.0)).await;
        let narrow = users(&mut pair, protocol, noised(1e-3)).await;
        let (noise, clipped) = (apart(&exact, &wide), apart(&exact, &narrow));
        assert!(noise < 0.01, "{protocol:?}: {noise}");
        assert!(
            clipped > 20.0 * noise,
            "{protocol:?}: {clipped} against {noise}"
        );
    }
}
