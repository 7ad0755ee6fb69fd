//! The product against the clear sums, its conditions, and what its randomness is bound to.

use s3rec_algebra::{PublicSeed, RealMatrix, Seed, Stream};
use s3rec_lattice::code::CodeBits;

use super::answer::answer_with;
use super::chooser::shapes;
use super::guarantee::Mu;
use super::parameters::Shape;
use super::prepare::LeftOut;
use super::*;

/// Both platforms in one process.
pub(super) struct World {
    pub(super) parameters: Parameters,
    pub(super) seeds: SessionSeeds,
    pub(super) rating: RatingKeys,
    pub(super) social: SocialKeys,
    pub(super) opening: Opening,
    pub(super) friends: Friends,
    pub(super) split: Split,
    pub(super) rows: RealMatrix,
    pub(super) key: Seed,
}

fn uniform(stream: &mut Stream) -> f64 {
    let mut word = [0];
    stream.fill_u64(&mut word);
    word[0] as f64 / u64::MAX as f64
}

fn below(stream: &mut Stream, bound: u32) -> u32 {
    let mut word = [0];
    stream.fill_u64(&mut word);
    u32::try_from(word[0] % u64::from(bound)).unwrap()
}

pub(super) fn terms(sides: Sides, opened: u32, uploaded: u32, columns: u32) -> Terms {
    Terms {
        sides,
        opened,
        uploaded,
        columns,
        row_norm_bound: 1.0,
        degree_bound: 128,
        mu: Mu::new(1.0).unwrap(),
    }
}

impl World {
    /// `opened` and `uploaded` users (all and all when two-sided), about eight friends each.
    pub(super) fn new(tag: u8, terms: Terms) -> Self {
        Self::with(tag, choose(terms).unwrap())
    }

    pub(super) fn with(tag: u8, parameters: Parameters) -> Self {
        let terms = *parameters.terms();
        let mut stream = Stream::new(&Seed::from_bytes([tag; 32]));
        let split = match terms.sides {
            Sides::One => {
                let users = terms.opened + terms.uploaded;
                Split::one_sided(users, (0..terms.opened).collect()).unwrap()
            }
            Sides::Two => Split::two_sided(terms.opened),
        };
        let users = split.users();
        let links: Vec<_> = (0..4 * users)
            .map(|_| (below(&mut stream, users), below(&mut stream, users)))
            .filter(|&(from, to)| from % 7 != 3 && to % 7 != 3)
            .collect();
        let friends = Friends::from_links(users, links).unwrap();
        let columns = parameters.columns();
        let mut values = Vec::new();
        for _ in 0..terms.uploaded {
            let row: Vec<f64> = (0..columns).map(|_| uniform(&mut stream) - 0.5).collect();
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            values.extend(row.iter().map(|x| x / norm));
        }
        let rows = RealMatrix::from_vec(terms.uploaded as usize, columns, values).unwrap();
        let seeds = SessionSeeds {
            rating: PublicSeed::from_bytes([tag ^ 1; 32]),
            social: PublicSeed::from_bytes([tag ^ 2; 32]),
        };
        let secret = Seed::from_bytes([tag ^ 3; 32]);
        let rating = RatingKeys::generate(&parameters, &seeds, &secret).unwrap();
        let social = SocialKeys::accept(&parameters, &seeds, rating.message()).unwrap();
        Self {
            parameters,
            seeds,
            rating,
            social,
            opening: Opening {
                number: 1,
                mask_seed: PublicSeed::from_bytes([tag ^ 4; 32]),
            },
            friends,
            split,
            rows,
            key: Seed::from_bytes([tag ^ 5; 32]),
        }
    }

    pub(super) fn job(&self) -> Job {
        self.rating
            .job(&[7; 32], &self.split, &self.opening)
            .unwrap()
    }

    pub(super) fn block(&self, friends: &Friends) -> Block {
        friends.block(&self.split).unwrap()
    }

    pub(super) fn prepare(&self, friends: &Friends, left_out: LeftOut) -> Prepared {
        let block = self.block(friends);
        Prepared::of(&self.social, self.job(), block, &self.key, left_out)
    }

    pub(super) fn upload(&self) -> (Rows, Upload) {
        let rows = Rows::encode(&self.parameters, &self.rows).unwrap();
        let errors = Seed::from_bytes([99; 32]);
        let upload = Upload::encrypt(&self.rating, &self.job(), &rows, &errors).unwrap();
        (rows, upload)
    }

    /// Σ over friends of the rows as they were encoded.
    pub(super) fn clear(&self, friends: &Friends, rows: &Rows) -> Vec<f64> {
        let (encoded, columns) = (rows.as_encoded(&self.parameters), self.parameters.columns());
        let block = self.block(friends);
        let mut sums = vec![0.0; block.rows() * columns];
        for (row, sums) in sums.chunks_mut(columns).enumerate() {
            for &friend in block.row(row) {
                let friend = &encoded[friend as usize * columns..][..columns];
                sums.iter_mut().zip(friend).for_each(|(sum, x)| *sum += x);
            }
        }
        sums
    }

    /// Everything P0 receives, and its differences from the clear sums in units of σ.
    fn run(&self, with_noise: bool) -> (Vec<u8>, Vec<u8>, Vec<f64>) {
        let prepared = self.prepare(&self.friends, LeftOut::default());
        let masks = prepared.masks().to_vec();
        let (rows, upload) = self.upload();
        let noised = answer_with(&prepared, &upload, noisy(with_noise)).unwrap();
        let opened = decode(&self.rating, &masks, noised.bytes()).unwrap();
        let clear = self.clear(&self.friends, &rows);
        let sigma = self.parameters.sigma();
        let differences = opened
            .values()
            .iter()
            .zip(&clear)
            .map(|(a, b)| (a - b) / sigma);
        (masks, noised.bytes().to_vec(), differences.collect())
    }
}

/// Nothing left out, but η perhaps.
pub(super) fn noisy(with_noise: bool) -> LeftOut {
    LeftOut {
        noise: !with_noise,
        ..LeftOut::default()
    }
}

fn deviation(values: &[f64]) -> f64 {
    (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn sums_come_out_with_the_noise_agreed_on_and_little_else() {
    for (tag, sides, opened, uploaded, columns) in [
        (1, Sides::One, 300, 700, 12),
        (2, Sides::Two, 740, 740, 12),
        (3, Sides::One, 1100, 90, 5),
        (4, Sides::Two, 150, 150, 33),
    ] {
        let world = World::new(tag, terms(sides, opened, uploaded, columns));
        let (_, _, residual) = world.run(false);
        assert!(deviation(&residual) <= 0.05, "{}", deviation(&residual));
        let (_, _, differences) = world.run(true);
        let ratio = deviation(&differences);
        let error = (2.0 * differences.len() as f64).sqrt().recip();
        assert!((ratio - 1.0).abs() < 0.005 + 5.0 * error, "{ratio}");
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        assert!(
            mean.abs() < 5.0 * (differences.len() as f64).sqrt().recip(),
            "{mean}"
        );
    }
}

#[test]
fn every_shape_of_the_chooser_computes_the_sums() {
    for columns in 1..=16 {
        let terms = terms(Sides::Two, 90, 90, columns);
        for (slots, secrets) in shapes(columns as usize) {
            assert!(slots >= 2);
            let chosen = choose(terms).unwrap();
            let wide = CodeBits::new("", 49).unwrap();
            let shape = Shape {
                slots,
                secrets,
                gadget: s3rec_lattice::digits::Gadget::new(6, 8).unwrap(),
                key_code: wide,
                ..chosen.shape()
            };
            let world = World::with(5, Parameters::complete(terms, shape).unwrap());
            let (_, _, residual) = world.run(false);
            // Three standard errors of a standard deviation beyond the condition.
            let most = 0.05 * (1.0 + 3.0 / (2.0 * residual.len() as f64).sqrt());
            let residual = deviation(&residual);
            assert!(residual <= most, "{slots}·{secrets}: {residual}");
        }
    }
}

/// Many users make few slots cheap: the chooser must not go below two.
#[test]
fn the_chooser_never_takes_a_single_slot() {
    for columns in 1..=6 {
        let chosen = choose(terms(Sides::Two, 60_000, 60_000, columns)).unwrap();
        assert!(chosen.slots >= 2, "{columns}");
    }
}

#[test]
fn messages_have_the_sizes_that_were_predicted() {
    let world = World::new(6, terms(Sides::One, 333, 1234, 12));
    let sizes = world.parameters.sizes();
    let (masks, bodies, _) = world.run(true);
    assert_eq!(world.rating.message().len(), sizes.keys);
    assert_eq!(world.upload().1.bytes().len(), sizes.upload);
    assert_eq!((masks.len(), bodies.len()), (sizes.masks, sizes.bodies));
}

#[test]
fn bytes_a_value_stay_below_the_bounds() {
    for (users, degree, most) in [
        (740, 128, 12.0),
        (7_317, 1024, 7.0),
        (40_161, 4096, 6.0),
        (1_000_000, 16384, 6.0),
    ] {
        let terms = Terms {
            degree_bound: degree,
            ..terms(Sides::Two, users, users, 12)
        };
        let parameters = choose(terms).unwrap();
        let bytes = parameters.sizes().total() as f64 / f64::from(users * 12);
        assert!(bytes <= most, "{users}: {bytes}");
        assert!(1.5 * parameters.key_switch_share() <= 0.02);
        assert!(parameters.sigma() < 2f64.sqrt() * 1.021);
    }
}

#[test]
fn key_switch_noise_stays_just_below_its_formula() {
    let mut chosen = choose(terms(Sides::Two, 512, 512, 12)).unwrap().shape();
    let wide = CodeBits::new("", 49).unwrap();
    chosen.upload_code = wide;
    chosen.mask_code = wide;
    chosen.body_code = wide;
    let world = World::with(
        7,
        Parameters::complete(terms(Sides::Two, 512, 512, 12), chosen).unwrap(),
    );
    let prepared = world.prepare(
        &world.friends,
        LeftOut {
            rerandomisation: true,
            noise: true,
        },
    );
    let masks = prepared.masks().to_vec();
    // Rows of zeros without errors: what is left is the noise of key switching.
    let rows = RealMatrix::zeros(512, 12);
    let encoded = Rows::encode(&world.parameters, &rows).unwrap();
    let errors = Seed::from_bytes([1; 32]);
    let upload = Upload::encrypt(&world.rating, &world.job(), &encoded, &errors);
    let noised = answer_with(&prepared, &upload.unwrap(), noisy(false)).unwrap();
    let opened = decode(&world.rating, &masks, noised.bytes()).unwrap();
    let units: Vec<f64> = opened
        .values()
        .iter()
        .map(|x| x * world.parameters.scale())
        .collect();
    // Errors of the bodies, and what is rounded, are a millionth of it.
    let ratio = deviation(&units) / world.parameters.key_switch_deviation();
    assert!((0.8..=1.0).contains(&ratio), "{ratio}");
}

#[test]
fn links_within_either_set_change_no_byte() {
    let world = World::new(8, terms(Sides::One, 80, 400, 12));
    let bytes = |friends: &Friends| {
        let prepared = world.prepare(friends, LeftOut::default());
        let masks = prepared.masks().to_vec();
        let (_, upload) = world.upload();
        let noised = answer(prepared, &upload).unwrap();
        (masks, noised.bytes().to_vec())
    };
    let users = 480;
    let links = |extra: &[(u32, u32)]| {
        let all =
            (0..users).flat_map(|user| world.friends.of(user).iter().map(move |&f| (user, f)));
        Friends::from_links(users, all.chain(extra.iter().copied())).unwrap()
    };
    let before = bytes(&links(&[]));
    assert!(bytes(&links(&[(0, 1), (100, 101), (399, 470)])) == before);
    // Across the two sets everything changes: randomness is bound to the links.
    let free = (80..480)
        .find(|f| !world.friends.of(5).contains(f))
        .unwrap();
    let after = bytes(&links(&[(5, free)]));
    assert!(after.0 != before.0 && after.1 != before.1);
}

#[test]
fn a_row_beyond_the_degree_bound_is_answered_like_any_other() {
    let mut world = World::new(9, terms(Sides::One, 60, 2000, 4));
    let hub: Vec<_> = (60..2060).map(|user| (0, user)).collect();
    world.friends = Friends::from_links(2060, hub).unwrap();
    let (masks, bodies, differences) = world.run(true);
    let sizes = world.parameters.sizes();
    assert_eq!((masks.len(), bodies.len()), (sizes.masks, sizes.bodies));
    // The other rows, without friends, are noise alone.
    assert!((deviation(&differences[4..]) - 1.0).abs() < 0.3);
}

#[test]
fn rows_beyond_the_bound_are_shortened_before_errors_are_drawn() {
    let mut world = World::new(10, terms(Sides::One, 60, 100, 12));
    for user in 0..100 {
        let factor = [1.0, 5.0, 1e6, 0.2][user % 4];
        world
            .rows
            .row_mut(user)
            .iter_mut()
            .for_each(|x| *x *= factor);
    }
    let (rows, _) = world.upload();
    assert_eq!(rows.clipped, 75);
    let encoded = rows.as_encoded(&world.parameters);
    for row in encoded.chunks(12) {
        assert!(row.iter().map(|x| x * x).sum::<f64>() <= 1.0);
    }
    world.rows.row_mut(3)[2] = f64::NAN;
    let refused = Rows::encode(&world.parameters, &world.rows);
    assert!(matches!(
        refused,
        Err(NoiseFirstError::NotFinite { row: 3 })
    ));
}

#[test]
fn messages_of_another_form_are_refused() {
    let world = World::new(11, terms(Sides::One, 60, 100, 12));
    let message = world.rating.message();
    for wrong in [&message[1..], &[], &[message, &[0]].concat()] {
        assert!(SocialKeys::accept(&world.parameters, &world.seeds, wrong).is_err());
    }
    let (_, upload) = world.upload();
    let prepared = world.prepare(&world.friends, LeftOut::default());
    let masks = prepared.masks().to_vec();
    let short = Upload::from_bytes(upload.bytes()[1..].to_vec());
    assert!(answer(prepared, &short).is_err());
    let prepared = world.prepare(&world.friends, LeftOut::default());
    let noised = answer(prepared, &upload).unwrap();
    assert!(decode(&world.rating, &masks[1..], noised.bytes()).is_err());
    assert!(decode(&world.rating, &masks, &noised.bytes()[1..]).is_err());
    // Padding that is not zero: 60·12 codes of g + 3 bits.
    let mut padded = noised.bytes().to_vec();
    if !(60 * 12 * world.parameters.body_code.bits()).is_multiple_of(8) {
        *padded.last_mut().unwrap() |= 0x80;
        assert!(decode(&world.rating, &masks, &padded).is_err());
    }
}

#[test]
fn parameters_that_break_the_guarantee_are_refused() {
    let good = choose(terms(Sides::One, 60, 100, 12)).unwrap();
    assert!(good.validate().is_ok());
    let code = |bits| CodeBits::new("", bits).unwrap();
    let g = good.result_bits;
    let bad: [(&str, Parameters); 7] = [
        (
            "σ too small",
            Parameters {
                sigma: good.sigma * 0.999,
                ..good
            },
        ),
        (
            "no number",
            Parameters {
                sigma: f64::NAN,
                ..good
            },
        ),
        (
            "a short public key",
            Parameters {
                public_key_code: code(g + 12),
                ..good
            },
        ),
        (
            "coarse key-switch keys",
            Parameters {
                key_code: code(30),
                ..good
            },
        ),
        (
            "another g",
            Parameters {
                result_bits: g - 1,
                ..good
            },
        ),
        (
            "too few slots",
            Parameters {
                slots: 1,
                secrets: 6,
                ..good
            },
        ),
        (
            "coarse bodies",
            Parameters {
                body_code: code(g),
                ..good
            },
        ),
    ];
    for (what, parameters) in bad {
        assert!(parameters.validate().is_err(), "{what}");
    }
}

/// Sensitivity by search: no pair changes the sums by more than stated, and some come near.
#[test]
fn one_pair_changes_the_sums_by_the_stated_sensitivity_at_most() {
    let mut stream = Stream::new(&Seed::from_bytes([12; 32]));
    for sides in [Sides::One, Sides::Two] {
        let mut nearest = 0.0f64;
        for _ in 0..2000 {
            let users = 2 + below(&mut stream, 6);
            let split = 1 + below(&mut stream, users - 1);
            let split = match sides {
                Sides::One => {
                    // Anybody, not the first ones alone.
                    let mut opened: Vec<u32> = (0..users).collect();
                    while opened.len() > split as usize {
                        let left = u32::try_from(opened.len()).unwrap();
                        opened.remove(below(&mut stream, left) as usize);
                    }
                    Split::one_sided(users, opened).unwrap()
                }
                Sides::Two => Split::two_sided(users),
            };
            let links: Vec<_> = (0..below(&mut stream, 12))
                .map(|_| (below(&mut stream, users), below(&mut stream, users)))
                .collect();
            let pair = (below(&mut stream, users), below(&mut stream, users));
            let angle = |stream: &mut Stream| uniform(stream) * std::f64::consts::TAU;
            let x: Vec<[f64; 2]> = (0..split.uploaded().len())
                .map(|_| angle(&mut stream).sin_cos().into())
                .collect();
            let sums = |links: &[(u32, u32)]| {
                let friends = Friends::from_links(users, links.iter().copied()).unwrap();
                let block = friends.block(&split).unwrap();
                (0..block.rows())
                    .flat_map(|row| {
                        let of = block.row(row).iter().map(|&f| x[f as usize]);
                        of.fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]])
                    })
                    .collect::<Vec<f64>>()
            };
            let change = sums(&links)
                .iter()
                .zip(sums(&[&links[..], &[pair]].concat()))
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
                .sqrt();
            let stated = terms(sides, 1, 1, 2).sensitivity();
            assert!(change <= stated + 1e-9, "{change} {stated}");
            nearest = nearest.max(change / stated);
        }
        assert!(nearest > 0.999, "{nearest}");
    }
}
