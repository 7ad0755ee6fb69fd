//! Bytes from a deviating peer: errors where the form is wrong, never a panic.

use proptest::prelude::*;
use s3rec_algebra::Seed;
use s3rec_pir::{
    ClientState, MAX_FRAME_BYTES, PirError, PirParameters, QueryMessage, QueryReceiver,
    ServerTable, cost, expand, query, respond,
};

/// Rows of 301 bytes: six tails share an answer ciphertext.
#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn parameters() -> PirParameters {
    PirParameters::new(60, 301, 8).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn client() -> (ClientState, QueryMessage) {
    query(&parameters(), &[1, 2, 3], &Seed::from_bytes([1; 32])).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn answers() -> Vec<Vec<u8>> {
    let selectors = expand(&parameters(), &client().1, 0).unwrap();
    let table = ServerTable::new(60, 301, vec![7; 60 * 301]).unwrap();
    let mut responder = respond(&selectors, &table).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = responder.next_frame().unwrap() {
        frames.push(frame);
    }
    frames
}

#[test]
fn queries_of_another_length_are_refused() {
    let bytes = client().1.encode();
    let mut longer = bytes.clone();
    longer.push(0);
    for wrong in [&[][..], &bytes[..63], &bytes[..bytes.len() - 1], &longer] {
        let error = QueryMessage::decode(&parameters(), wrong).err();
        assert!(matches!(
            error,
            Some(PirError::Length { part: "query", .. })
        ));
    }
    let decoded = QueryMessage::decode(&parameters(), &bytes).unwrap();
    assert!(decoded.encode() == bytes);
}

#[test]
fn query_frames_have_one_length_each() {
    let frames: Vec<_> = client().1.frames().collect();
    let mut receiver = QueryReceiver::new(parameters());
    assert!(receiver.receive(&[]).is_err());
    assert!(receiver.receive(&frames[0][1..]).is_err());
    assert!(receiver.receive(&vec![0; MAX_FRAME_BYTES + 1]).is_err());
    for frame in &frames {
        receiver.receive(frame).unwrap();
    }
    let trailing = receiver.receive(&[0]).err();
    assert!(matches!(trailing, Some(PirError::Trailing { .. })));
    assert!(receiver.finish().is_ok());
    let unfinished = QueryReceiver::new(parameters()).finish().err();
    assert!(matches!(
        unfinished,
        Some(PirError::Incomplete { received: 0, .. })
    ));
}

#[test]
fn answer_frames_have_one_length_each() {
    let (client, _) = client();
    let frames = answers();
    let mut extraction = client.extraction();
    assert!(extraction.receive(&frames[0][1..]).is_err());
    for frame in &frames {
        extraction.receive(frame).unwrap();
    }
    let trailing = extraction.receive(&[0]).err();
    assert!(matches!(trailing, Some(PirError::Trailing { .. })));
    assert_eq!(extraction.finish().unwrap().len(), 3);
    assert!(client.extraction().finish().is_err());
}

#[test]
fn set_padding_is_refused() {
    // 1,401 values of 12 bits end in the middle of a byte.
    let parameters = PirParameters::new(60, 1_401, 8).unwrap();
    let (client, _) = query(&parameters, &[1], &Seed::from_bytes([1; 32])).unwrap();
    let mut frame = vec![0; MAX_FRAME_BYTES];
    let last_byte_of_first = 4_352 + 2_101;
    frame[last_byte_of_first] = 0x10;
    let error = client.extraction().receive(&frame).err();
    assert!(matches!(error, Some(PirError::Padding { .. })), "{error:?}");
    frame[last_byte_of_first] = 0x0f;
    assert!(client.extraction().receive(&frame).is_ok());
}

#[test]
fn a_query_for_other_sizes_is_refused() {
    let larger = PirParameters::new(600, 301, 8).unwrap();
    let error = expand(&larger, &client().1, 0).err();
    assert!(matches!(error, Some(PirError::Length { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// A query of the right length is answered, whatever its bytes: nothing in it can be wrong.
    #[test]
    fn any_query_is_answered(seed in any::<[u8; 32]>(), fill in any::<u64>()) {
        let parameters = PirParameters::new(30, 50, 8).unwrap();
        let length = usize::try_from(cost(&parameters).upload_bytes()).unwrap();
        let mut bytes = vec![0; length];
        s3rec_algebra::Stream::new(&Seed::from_bytes(seed)).fill_bytes(&mut bytes);
        if fill % 2 == 0 {
            bytes[64..].fill(fill.to_le_bytes()[1]);
        }
        let message = QueryMessage::decode(&parameters, &bytes).unwrap();
        let selectors = expand(&parameters, &message, 0).unwrap();
        let table = ServerTable::new(30, 50, vec![255; 1_500]).unwrap();
        let mut responder = respond(&selectors, &table).unwrap();
        let mut sent = 0;
        while let Some(frame) = responder.next_frame().unwrap() {
            sent += frame.len() as u64;
        }
        prop_assert_eq!(sent, cost(&parameters).answer_bytes);
    }

    /// P1 never shows what it fetched: answers of the right form are taken, whatever they say.
    #[test]
    fn any_answer_content_is_accepted(seed in any::<[u8; 32]>()) {
        let parameters = PirParameters::new(60, 2_048, 8).unwrap();
        let (client, _) = query(&parameters, &[1, 50], &Seed::from_bytes([1; 32])).unwrap();
        let mut left = cost(&parameters).answer_bytes;
        let mut stream = s3rec_algebra::Stream::new(&Seed::from_bytes(seed));
        let mut extraction = client.extraction();
        while left > 0 {
            let mut frame = vec![0; usize::try_from(left).unwrap().min(MAX_FRAME_BYTES)];
            stream.fill_bytes(&mut frame);
            extraction.receive(&frame).unwrap();
            left -= frame.len() as u64;
        }
        prop_assert_eq!(extraction.finish().unwrap().len(), 2);
    }

    #[test]
    fn any_frame_is_an_error_or_the_one_due(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut receiver = QueryReceiver::new(parameters());
        prop_assert!(receiver.receive(&bytes).is_err());
        let (client, _) = client();
        prop_assert!(client.extraction().receive(&bytes).is_err());
    }
}
