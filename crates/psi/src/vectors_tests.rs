//! Known answers: keys of a session, masked ids, labels, claims, the digest of the result.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use s3rec_vectors::Vectors;

use crate::group::{Secret, hash_id, tag};
use crate::{PsiSession, Sizes, pair, rating, social};

#[test]
fn keys_masks_labels_and_claims_are_the_known_ones() {
    let mut vectors = Vectors::new("the private set intersection");
    let session = PsiSession::new(&[3; 16], &[1; 32], &[2; 32], "nfc-trim");
    vectors.group("keys of the session of job 03…, halves 01… and 02…, rule nfc-trim");
    for (name, key) in [
        ("id", &session.id_key),
        ("hash to ristretto255", &session.point_key),
        ("tag", &session.tag_key),
        ("proof", &session.proof_key),
        ("order", &session.order_key),
    ] {
        vectors.bytes(name, key);
    }
    vectors.group("one id under the scalars drawn from 0a… and 0b…");
    let secret = |seed| Secret::draw(&mut ChaCha20Rng::from_seed([seed; 32]));
    for id in ["alice", "größe", ""] {
        let hash = hash_id(&session, id);
        let masked = secret(10).mask(&session, &[hash]);
        let doubly = secret(11).mask_again(&masked, 0).unwrap();
        vectors.bytes(&format!("hash of {id:?}"), &hash);
        vectors.bytes(&format!("masked {id:?}"), &masked[0]);
        vectors.bytes(&format!("doubly masked {id:?}"), &doubly[0]);
        vectors.bytes(&format!("tag of {id:?}"), &tag(&session, &doubly[0]));
    }
    vectors.group("a whole run: five ids against four, three of them common");
    let (p0, p1) = (["a", "b", "c", "d", "e"], ["x", "d", "b", "a"]);
    let sizes = Sizes::new(5, 4).unwrap();
    let from_rating = rating::begin_seeded(&session, sizes, p0.into_iter(), &[20; 32]).unwrap();
    let from_social = social::begin_seeded(&session, sizes, p1.into_iter(), &[21; 32]).unwrap();
    let (at_rating, at_social, transcript) = pair::run(from_rating, from_social).unwrap();
    for (name, stream) in [
        ("masked ids of P0", &transcript.rating_points),
        ("masked ids of P1", &transcript.social_points),
        ("labels", &transcript.labels),
        ("claims", &transcript.claims),
    ] {
        vectors.bytes(name, &stream.concat());
    }
    vectors.text("rows of P0", &format!("{:?}", at_rating.rows));
    vectors.text("rows of P1", &format!("{:?}", at_social.rows));
    vectors.bytes("digest", &at_rating.digest);
    vectors.check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.txt"));
}
