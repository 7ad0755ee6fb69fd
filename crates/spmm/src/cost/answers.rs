//! The earliest times at which P1 answers: of public sizes alone, so that no time says anything of
//! its links.

use super::{homomorphic_block, masked_round, queries};
use crate::noise_first::MachinePace;
use crate::{ProductParameters, SpmmError, Step, noise_first};

/// Times the prediction for one core: what an honest P1 stays under on two cores, storage included.
const ANSWER_MARGIN: f64 = 2.0;

/// Added to it for whatever does not grow with the job.
pub(super) const ANSWER_FLOOR_SECONDS: f64 = 0.02;

/// The earliest time after the last byte of an upload or masked input, or after the header of the
/// queries' exchange, at which P1 may send, in seconds: from the bounds on non-zeros and needed rows, so that the time says nothing about Y (section 3.3,
/// "Times"). The node holds the answer until then; a P1 that needs longer still shows that.
///
/// # Errors
/// As [`super::predict`].
pub fn answer_not_before(parameters: &ProductParameters, step: Step) -> Result<f64, SpmmError> {
    let seconds = match step {
        Step::MaskedProduct => masked_round(parameters)?.social_seconds,
        Step::Responses => homomorphic_block(parameters)?.social_seconds,
        Step::Queries if parameters.protocol.fetches_privately() => {
            queries(parameters)?.social_seconds
        }
        _ => return Ok(0.0),
    };
    Ok(ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS)
}

/// P1's seconds for a link that it reads, checks against its commitment and makes Y of, and for a
/// common user: what an honest one stays well under.
const READING_LINK_SECONDS: f64 = 1e-6;
const PLACING_USER_SECONDS: f64 = 0.5e-6;

/// The earliest time at which P1 answers what it must read its links for, without the product:
/// Setup's answers, and the resume handshake after an absence; in seconds after the request or the header.
/// Of what P1 stated of its links, and of the common users, alone.
pub fn setup_not_before(stated_links: u64, users: u32) -> f64 {
    let seconds =
        READING_LINK_SECONDS * stated_links as f64 + PLACING_USER_SECONDS * f64::from(users);
    ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS
}

/// The earliest time at which P1 sends the a-parts of an opening of friends' sums, in seconds after
/// the last frame received: of the agreed sizes, of what P1 stated of its links, and of its machine
/// alone. A pack costs as much whatever is in it, but for the friends that are added up. P0, who
/// does not know P1's machine, counts with [`MachinePace::STATED`].
pub fn friends_prepare_not_before(
    parameters: &noise_first::Parameters,
    stated_links: u64,
    pace: MachinePace,
) -> f64 {
    let seconds = friends_record_seconds(parameters)
        + pace.share() * friends_prepare_seconds(parameters, stated_links);
    ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS
}

/// The same of the answer, after the last of P0's rows.
pub fn friends_answer_not_before(parameters: &noise_first::Parameters, stated_links: u64) -> f64 {
    let seconds =
        friends_record_seconds(parameters) + friends_answer_seconds(parameters, stated_links);
    ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS
}

/// P1's core-seconds for the a-parts, which an honest one stays well under: how much more one
/// opening is than another, on any machine.
pub fn friends_prepare_seconds(parameters: &noise_first::Parameters, links: u64) -> f64 {
    let rows = (parameters.packs() * parameters.places()) as f64;
    FRIENDS_ROW_SECONDS * rows
        + FRIENDS_MASK_SECONDS * parameters.groups() as f64
        + FRIENDS_ADDED_SECONDS * friends_bound(parameters, links)
}

/// The same for the answer.
pub fn friends_answer_seconds(parameters: &noise_first::Parameters, links: u64) -> f64 {
    let columns = parameters.columns() as f64;
    let noised = parameters.opened() as f64 * columns;
    let read = parameters.uploaded() as f64 * columns;
    let added = friends_bound(parameters, links) * columns;
    FRIENDS_NOISE_SECONDS * noised + FRIENDS_VALUE_SECONDS * (read + added)
}

/// What is on disk before anything leaves: the upload's digest, the count in log and ledger, the answer
/// with its a-parts and keys. Of sizes alone, but what it takes comes on top of what follows the links.
fn friends_record_seconds(parameters: &noise_first::Parameters) -> f64 {
    let sizes = parameters.sizes();
    let users = 4 * (parameters.opened() + parameters.uploaded());
    let bytes = sizes.keys + sizes.masks + sizes.bodies + users;
    FRIENDS_RECORDS_SECONDS + FRIENDS_RECORDED_BYTE_SECONDS * bytes as f64
}

/// Friends that are added up in all, at most.
fn friends_bound(parameters: &noise_first::Parameters, stated_links: u64) -> f64 {
    let degree = f64::from(parameters.terms().degree_bound).min(parameters.uploaded() as f64);
    // A link is a friend of either end.
    (parameters.opened() as f64 * degree).min(2.0 * stated_links as f64)
}

/// P1's seconds, which an honest one stays well under: for ten times that something is durably
/// written; for a byte of the opening's record, read and written several times.
const FRIENDS_RECORDS_SECONDS: f64 = 0.04;
const FRIENDS_RECORDED_BYTE_SECONDS: f64 = 20e-9;

/// P1's seconds, which an honest one stays well under: to collapse and re-randomise, for a row; to
/// expand a group's mask; to add a friend's; for the noise of a value; to read or add a value.
const FRIENDS_ROW_SECONDS: f64 = 100e-6;
const FRIENDS_MASK_SECONDS: f64 = 30e-6;
const FRIENDS_ADDED_SECONDS: f64 = 1.2e-6;
const FRIENDS_NOISE_SECONDS: f64 = 0.3e-6;
const FRIENDS_VALUE_SECONDS: f64 = 3e-9;
