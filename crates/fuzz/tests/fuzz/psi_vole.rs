//! Private set intersection by small VOLEs against a peer that sends anything.

use s3rec_psi::vole::{rating, social};
use s3rec_psi::{PsiError, PsiSession, Sizes};

const OWN: [&str; 6] = ["ann", "bob", "cid", "dee", "eve", "fay"];

fn session() -> PsiSession {
    PsiSession::new(&[1; 16], &[2; 32], &[3; 32], "nfc-trim")
}

fn assert_peers(error: &PsiError) {
    let early = matches!(error, PsiError::Unfinished { .. });
    assert!(early || error.blames_peer(), "{error:?}");
}

/// What the honest message becomes: as it is, with a byte changed, or the input itself.
fn spoilt(honest: Vec<u8>, (kind, at, bytes): &(u8, u16, Vec<u8>)) -> Vec<u8> {
    let mut message = honest;
    match kind % 3 {
        0 => message,
        1 if !message.is_empty() => {
            let at = usize::from(*at) % message.len();
            message[at] ^= bytes.first().copied().unwrap_or(1).max(1);
            message
        }
        _ => bytes.clone(),
    }
}

type Spoils = [(u8, u16, Vec<u8>); 6];

fn conversation(theirs: u8, spoils: &Spoils) -> Result<(), PsiError> {
    let (p0, p1) = (
        OWN.iter().copied(),
        OWN.iter().copied().take(usize::from(theirs % 7)),
    );
    let sizes = Sizes::new(6, u64::from(theirs % 7))?;
    let (starting, request) = social::begin(&session(), sizes, p1)?;
    let encoding = rating::begin(&session(), sizes, p0)?;
    let [
        request_spoilt,
        answer_spoilt,
        columns_spoilt,
        check_spoilt,
        labels_spoilt,
        claims_spoilt,
    ] = spoils;
    let (mut sending, answer) = encoding.take_request(&spoilt(request, request_spoilt))?;
    let mut receiving = starting.take_answer(&spoilt(answer, answer_spoilt))?;
    let columns = sending.next_chunk().unwrap_or_default();
    receiving = receiving.take_columns(&spoilt(columns, columns_spoilt))?;
    let check = sending.next_chunk().unwrap_or_default();
    let mut labelling = receiving.take_check(&spoilt(check, check_spoilt))?;
    let mut matching = sending.finish()?;
    while let Some(labels) = labelling.next_chunk() {
        matching = matching.take_labels(&spoilt(labels, labels_spoilt))?;
    }
    let (at_rating, claims) = matching.finish()?;
    let mut waiting = labelling.finish()?;
    for claims in claims.chunks() {
        waiting = waiting.take_claims(&spoilt(claims.to_vec(), claims_spoilt))?;
    }
    let at_social = waiting.finish()?;
    assert_eq!(at_rating.rows.len(), at_social.rows.len());
    assert!(
        at_rating
            .rows
            .iter()
            .all(|row| *row < u32::from(theirs % 7))
    );
    Ok(())
}

/// Whatever is changed on the way, nothing panics, and no false match is taken.
#[test]
fn between_both_platforms() {
    bolero::check!()
        .with_type::<(u8, Spoils)>()
        .for_each(|(theirs, spoils)| {
            if let Err(error) = conversation(*theirs, spoils) {
                assert_peers(&error);
            }
        });
}

#[test]
fn honest_parties_agree_under_the_same_harness() {
    for theirs in 0..7 {
        conversation(theirs, &std::array::from_fn(|_| (0, 0, Vec::new()))).unwrap();
    }
}
