//! FilmTrust's promised figures for `he`: at most 3.5 MB a round over the link.

use std::sync::Arc;
use std::time::Instant;

use crate::world::{Shape, World};
use s3rec_sparse::OperatorKind;
use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::{Uncounted, cost, he};

/// As many users and links as FilmTrust's common users have, at the worst degrees it has.
#[test]
fn a_round_of_filmtrust_is_small() {
    let links: Vec<_> = (0..1632u32)
        .map(|i| {
            if i < 118 {
                (i % 2 * 700, 1 + i)
            } else {
                (i % 739, i * 7 % 740)
            }
        })
        .collect();
    for operator in [OperatorKind::Laplacian, OperatorKind::NormalizedLaplacian] {
        let mut shape = Shape {
            operator,
            ..Shape::new(740, 10, links.clone())
        };
        shape.rounds = 20;
        let world = World::new(&shape, 7);
        let round = cost::predict(&world.parameters).unwrap().round;
        let seed = he::public_key_seed(&[1; 32], &[2; 32], b"filmtrust");
        let rating_keys = Arc::new(he::RatingKeys::generate(&world.parameters, &seed).unwrap());
        let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
        let mut receiving = he::SocialKeySetup::new(&world.parameters, &seed).unwrap();
        pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
        let social_keys = Arc::new(receiving.into_keys().unwrap());
        let start = Instant::now();
        let mut rating =
            he::RatingRound::new(&rating_keys, &world.pattern, &world.factors[0]).unwrap();
        let mut social = he::SocialRound::new(&social_keys, &world.operand, 0, Uncounted).unwrap();
        let transcript = pair::run(&mut rating, &mut social, &mut Honest).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(rating.into_product().unwrap(), world.expected(0));
        let bytes: usize = transcript.frames.iter().map(|(.., bytes)| bytes).sum();
        assert_eq!(bytes as u64, round.bytes());
        assert!(
            bytes <= 3_500_000,
            "{bytes} bytes with {:?}",
            world.parameters
        );
        assert!(seconds < 10.0, "{seconds} seconds");
        println!(
            "{operator}: {bytes} bytes, {seconds:.3} s, {:?}",
            world.parameters
        );
    }
}
