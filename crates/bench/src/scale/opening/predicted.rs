//! What a larger job takes by the cost model, on a machine on which a smaller one was measured.

use s3rec_psi::Sizes;
use s3rec_psi::vole::Layout;
use s3rec_spmm::cost::{friends_answer_seconds, friends_prepare_seconds};
use serde::{Deserialize, Serialize};

use super::{OpeningRecord, OpeningWorkload};
use crate::BenchError;
use crate::psi::Party;

/// One party's core-seconds, predicted from the first size that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Whose.
    pub party: Party,
    /// Core-seconds by phase, in the order of what was measured.
    pub phases: Vec<(String, f64)>,
    /// Of all phases.
    pub core_seconds: f64,
    /// Measured over predicted.
    pub ratio: f64,
}

/// Bytes by the model: of the opening, its name of 72 bytes included, and of the intersection,
/// without the five that frame each message.
///
/// # Errors
/// A workload without parameters.
pub fn bytes(workload: &OpeningWorkload) -> Result<(u64, u64), BenchError> {
    let opening = workload.parameters()?.sizes().total() as u64 + 72;
    let layout = Layout::new(Sizes::new(workload.users.into(), workload.users.into())?);
    Ok((opening, layout.bytes_to_social() + layout.bytes_to_rating()))
}

/// Both parties' core-seconds at the size of `other`, from those measured at that of `first`.
///
/// # Errors
/// Workloads without parameters.
pub fn core_seconds(
    first: &OpeningRecord,
    other: &OpeningRecord,
) -> Result<[Predicted; 2], BenchError> {
    let of = |side: usize| {
        let (measured, party) = (&first.parties[side], &other.parties[side]);
        let phases = measured.phases.iter().map(|phase| {
            let less = work(&phase.name, first)?;
            let more = work(&phase.name, other)?;
            Ok((phase.name.clone(), phase.core_seconds * more / less))
        });
        let phases = phases.collect::<Result<Vec<_>, BenchError>>()?;
        let core_seconds = phases.iter().map(|(_, seconds)| seconds).sum::<f64>();
        Ok(Predicted {
            party: party.party,
            phases,
            core_seconds,
            ratio: party.core_seconds() / core_seconds,
        })
    };
    let [rating, social]: [Result<Predicted, BenchError>; 2] = [of(0), of(1)];
    Ok([rating?, social?])
}

/// How much a phase is, in whatever unit it grows by.
fn work(phase: &str, of: &OpeningRecord) -> Result<f64, BenchError> {
    let parameters = of.workload.parameters()?;
    let pairs = of.parties[1].pairs;
    Ok(match phase {
        "prepare" => friends_prepare_seconds(&parameters, pairs),
        // P0 waits for it, and moves bytes.
        "answer" => friends_answer_seconds(&parameters, pairs),
        "links" => pairs as f64,
        "keys" => 1.0,
        _ => f64::from(of.workload.users),
    })
}
