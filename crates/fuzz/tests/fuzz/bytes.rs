//! Decoders of single messages.

use s3rec_algebra::{RingBits, packing};
use s3rec_he::{GlweParameters, PublicKeyBodies, Response, RowBodies, decode_bodies};
use s3rec_pir::{PirParameters, QueryMessage, QueryReceiver};
use s3rec_wire::convert;
use s3rec_wire::convert::job_id;
use s3rec_wire::record::Record;
use s3rec_wire::v1;

#[test]
fn packed_values() {
    bolero::check!()
        .with_type::<(u8, u16, Vec<u8>)>()
        .for_each(|(width, count, bytes)| {
            // The width is never a peer's: 1 to 64 bits, or to 128.
            let (wide, count) = (1 + u32::from(*width) % 128, usize::from(*count));
            let width = 1 + wide % 64;
            if let Ok(values) = packing::unpack_u64(bytes, width, count) {
                let mut again = Vec::new();
                packing::pack_u64(&values, width, &mut again).unwrap();
                assert_eq!(&again, bytes, "decoding is strict, so it is injective");
            }
            let _ = packing::unpack_u128(bytes, wide, count);
        });
}

#[test]
fn ciphertexts() {
    let parameters = GlweParameters::new(320, 16, 3).unwrap();
    bolero::check!()
        .with_type::<(u8, u8, Vec<u8>)>()
        .for_each(|(slots, first, bytes)| {
            let ring = RingBits::new(32 + u32::from(*slots) % 17).unwrap();
            if let Ok(response) = Response::from_bytes(parameters, ring, usize::from(*slots), bytes)
            {
                assert_eq!(&response.to_bytes(), bytes);
            }
            let first = usize::from(*first);
            let _ = RowBodies::from_bytes(parameters, first..first + 2, bytes.clone());
            let _ = PublicKeyBodies::from_bytes(&parameters, bytes);
            let _ = decode_bodies(&parameters, bytes, first, &mut [0; 7]);
        });
}

#[test]
fn retrieval_queries() {
    let parameters = PirParameters::new(300, 32, 4).unwrap();
    bolero::check!().for_each(|bytes: &[u8]| {
        assert!(
            QueryMessage::decode(&parameters, bytes).is_err(),
            "no query is this short"
        );
        let mut receiver = QueryReceiver::new(parameters);
        let taken = receiver.receive(bytes).is_ok();
        assert!(!(taken && receiver.is_complete()));
    });
}

#[test]
fn protocol_messages() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(message) = v1::ProductParameters::from_record(bytes)
            && let Ok(parameters) = convert::parameters_from_wire(&message)
        {
            // What is accepted is within every bound, so its sizes can be computed.
            parameters.validate().unwrap();
        }
        if let Ok(message) = v1::FriendsParameters::from_record(bytes)
            && let Ok(parameters) = convert::friends_parameters_from_wire(&message)
        {
            parameters.validate().unwrap();
            assert!(parameters.sizes().total() > 0);
        }
        if let Ok(message) = v1::FriendsRelease::from_record(bytes) {
            let _ = convert::friends_release_from_wire(Some(message));
        }
        if let Ok(message) = v1::ExchangeChunk::from_record(bytes) {
            let _ = convert::header_of(&message);
            let header = convert::ChunkHeader {
                job: job_id("job_id", "67e55044-10b1-426f-9247-bb680e5fe0c8").unwrap(),
                phase: s3rec_job::Phase::Setup,
                round: 0,
                parameters_digest: [0; 32],
                counters: None,
                goes_on: false,
            };
            let mut direction = convert::Direction::new(&header, v1::Role::Rating);
            if let Ok(frame) = direction.frame_of(message) {
                assert!(frame.payload.len() <= s3rec_spmm::MAX_FRAME_BYTES);
            }
        }
        if let Ok(message) = v1::AlignChunk::from_record(bytes) {
            let opening = convert::align_opening(message.clone()).is_ok();
            assert!(!(opening && convert::align_part(message).is_ok()));
        }
        if let Ok(message) = v1::ReleasePolicy::from_record(bytes) {
            let _ = convert::release_from_wire(Some(message));
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = job_id("job_id", text);
        }
    });
}

#[test]
fn bitmaps() {
    bolero::check!()
        .with_type::<(u16, Vec<u8>)>()
        .for_each(|(users, bytes)| {
            let users = u32::from(*users);
            if let Ok(rows) = convert::rows_of_bitmap("active_rows", users, bytes) {
                assert_eq!(&convert::bitmap(users, &rows), bytes);
            }
        });
}
