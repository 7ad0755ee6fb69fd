//! Private set intersection against a peer that sends anything.

use s3rec_psi::{PsiError, PsiSession, Sizes, pair, rating, social};

const OWN: [&str; 6] = ["ann", "bob", "cid", "dee", "eve", "fay"];

fn session() -> PsiSession {
    PsiSession::new(&[1; 16], &[2; 32], &[3; 32], "nfc-trim")
}

fn assert_peers(error: &PsiError) {
    let early = matches!(error, PsiError::Unfinished { .. });
    assert!(early || error.blames_peer(), "{error:?}");
}

/// P0 is fed points and labels cut from the input, real ones of the peer mixed in.
#[test]
fn at_the_rating_platform() {
    bolero::check!()
        .with_type::<(u8, Vec<(u8, Vec<u8>)>)>()
        .for_each(|(theirs, messages)| {
            let sizes = Sizes::new(6, u64::from(*theirs % 8)).unwrap();
            let ids = OWN.iter().copied();
            let (mut masking, mut matching) = rating::begin(&session(), sizes, ids).unwrap();
            while masking.next_chunk().is_some() {}
            for (kind, bytes) in messages {
                let taken = match kind % 3 {
                    0 => matching.take_points(bytes),
                    1 => matching.take_points(&points(bytes).unwrap()),
                    _ => matching.take_labels(bytes),
                };
                match taken {
                    Ok(next) => matching = next,
                    Err(error) => return assert_peers(&error),
                }
            }
            let (points, labels) = matching.received();
            assert!(points <= u64::from(sizes.social()) && labels <= 6);
            if let Err(error) = matching.finish(masking.finish().unwrap()) {
                assert_peers(&error);
            }
        });
}

/// P1 is fed points, then claims; only true claims are taken.
#[test]
fn at_the_social_platform() {
    bolero::check!()
        .with_type::<(u8, Vec<u8>, Vec<Vec<u8>>)>()
        .for_each(|(theirs, first, claims)| {
            let sizes = Sizes::new(u64::from(*theirs % 8), 6).unwrap();
            let ids = OWN.iter().copied();
            let (mut masking, mut answering) = social::begin(&session(), sizes, ids).unwrap();
            while masking.next_chunk().is_some() {}
            for bytes in [points(first).unwrap(), first.clone()] {
                if bytes.is_empty() {
                    continue;
                }
                match answering.answer(&bytes) {
                    Ok((next, labels)) => {
                        assert_eq!(labels.len(), bytes.len() / 32 * sizes.label_bytes());
                        answering = next;
                    }
                    Err(error) => return assert_peers(&error),
                }
            }
            let mut waiting = match answering.finish() {
                Ok(waiting) => waiting,
                Err(error) => return assert_peers(&error),
            };
            for bytes in claims {
                match waiting.take_claims(bytes) {
                    Ok(next) => waiting = next,
                    Err(error) => return assert_peers(&error),
                }
            }
            match waiting.finish(masking.finish().unwrap()) {
                Ok(common) => assert!(common.rows.is_empty(), "nobody matched anything"),
                Err(error) => assert_peers(&error),
            }
        });
}

/// Proper points, as many as the input says, at most three: the first masked ids of another run.
fn points(bytes: &[u8]) -> Result<Vec<u8>, PsiError> {
    let count = bytes.first().map_or(0, |byte| usize::from(byte % 4));
    let sizes = Sizes::new(3, 0)?;
    let ids = ["x", "y", "z"].into_iter();
    let (mut masking, _) = rating::begin(&session(), sizes, ids)?;
    let mut points = masking.next_chunk().unwrap_or_default();
    points.truncate(32 * count);
    Ok(points)
}

#[test]
fn honest_parties_agree_under_the_same_harness() {
    let sizes = Sizes::new(6, 2).unwrap();
    let p0 = rating::begin(&session(), sizes, OWN.iter().copied()).unwrap();
    let p1 = social::begin(&session(), sizes, ["eve", "zoe"].into_iter()).unwrap();
    let (at_rating, at_social, _) = pair::run(p0, p1).unwrap();
    assert_eq!(at_rating.rows, [4]);
    assert_eq!(at_social.rows, [0]);
}
