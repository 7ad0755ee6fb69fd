//! One opening of friends' sums with a P0 that asks for it otherwise than once, over one upload and
//! for one set of users.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use s3rec_algebra::{PublicSeed, RealMatrix, Seed};
use s3rec_job::{Counters, JobId, Phase, Proposal, Terms};
use s3rec_link::pacing::AnswerTimes;
use s3rec_psi::Common;
use s3rec_spmm::noise_first::{
    MachinePace, Opening, Parameters, RatingAnswer, RatingKeySetup, RatingKeys, RatingPrepare,
    Rows, SessionSeeds, Sides, Split, Upload, choose,
};
use s3rec_spmm::{FriendsRelease, OperatorKind, Protocol, ReleasePolicy};
use s3rec_wire::convert::{ChunkHeader, bitmap, friends_parameters_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::attacker::{Attacker, proposal};
use crate::target::{Target, policy};

const USERS: u32 = 120;
const OPENED: u32 = 60;
const RELEASE: FriendsRelease = FriendsRelease {
    mu: 1.0,
    sides: Sides::One,
    few_below: 5,
    calibration_share: 0.2,
    most_opened: 70,
    row_norm_bound: 1.0,
};

/// Of every user to three others.
fn links() -> String {
    let of = |user: u32| [1, 7, 50].map(|step| format!("u{user}\tu{}\n", (user + step) % USERS));
    (0..USERS).flat_map(of).collect()
}

fn everybody() -> Vec<String> {
    (0..USERS).map(|user| format!("u{user}")).collect()
}

fn of_friends() -> Proposal {
    let usual = proposal(Protocol::NoiseFirst, 1);
    Proposal {
        operator: OperatorKind::Friends,
        release: ReleasePolicy::Friends(RELEASE),
        social_weight: None,
        terms: Terms {
            most_common_users: USERS,
            ..usual.terms
        },
        ..usual
    }
}

fn rule() -> String {
    policy(&[
        ("protocols", "[\"noise-first\"]"),
        ("releases", "[\"friends\"]"),
    ])
}

/// What both agreed on, and P0's part of it.
struct Session {
    parameters: Parameters,
    keys: Arc<RatingKeys>,
    split: Split,
    users_digest: [u8; 32],
}

impl Session {
    fn job(&self, opening: &Opening) -> s3rec_spmm::noise_first::Job {
        let job = self.keys.job(&self.users_digest, &self.split, opening);
        job.unwrap()
    }

    /// Everybody's row is 1 in that column.
    fn upload(&self, opening: &Opening, column: usize) -> Upload {
        let (users, columns) = (self.parameters.uploaded(), self.parameters.columns());
        let mut rows = RealMatrix::zeros(users, columns);
        (0..users).for_each(|user| rows.row_mut(user)[column] = 1.0);
        let rows = Rows::encode(&self.parameters, &rows).unwrap();
        let errors = Seed::from_bytes([5; 32]);
        Upload::encrypt(&self.keys, &self.job(opening), &rows, &errors).unwrap()
    }
}

struct Game {
    target: Target,
    attacker: Attacker,
    job: JobId,
    common: Common,
}

fn named(tag: u8) -> Opening {
    Opening {
        number: 1,
        mask_seed: PublicSeed::from_bytes([tag; 32]),
    }
}

impl Game {
    /// Up to the common users.
    async fn begun() -> Self {
        let target = Target::start(&rule(), &links()).await;
        let mut attacker = target.attacker().await;
        let proposal = of_friends();
        attacker.approved(&proposal).await;
        let (common, _) = attacker.align(proposal.job, &everybody()).await.unwrap();
        Self {
            target,
            attacker,
            job: proposal.job,
            common,
        }
    }

    /// Both calls of Setup for those opened, and the keys.
    async fn agreed(&mut self, opened: Vec<u32>) -> Result<Session, Fault> {
        let mut request = Attacker::setup_request(self.job, &self.common);
        request.opened = bitmap(USERS, &opened);
        let mut bounds = self.attacker.setup(request.clone()).await;
        // What is told of the users of before leaves a moment before its call is over.
        for _ in 0..500 {
            match &bounds {
                Err(fault) if fault.message.contains("is under way") => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    bounds = self.attacker.setup(request.clone()).await;
                }
                _ => break,
            }
        }
        let bounds = bounds?;
        let count = u32::try_from(opened.len()).unwrap();
        let degree_bound = u32::try_from(bounds.row_norm_bound).unwrap();
        let terms = RELEASE.terms((count, USERS - count), 4, degree_bound);
        let parameters = choose(terms.unwrap()).unwrap();
        request.friends = Some(friends_parameters_to_wire(&parameters));
        self.attacker.setup(request.clone()).await?;
        let half = |bytes: &[u8]| PublicSeed::from_bytes(bytes.try_into().unwrap());
        let seeds = SessionSeeds {
            rating: half(&request.seed_half),
            social: half(&bounds.seed_half),
        };
        let keys = RatingKeys::generate(&parameters, &seeds, &Seed::from_bytes([9; 32]));
        let session = Session {
            parameters,
            keys: Arc::new(keys.unwrap()),
            split: Split::one_sided(USERS, opened).unwrap(),
            users_digest: self.common.digest,
        };
        let setup = RatingKeySetup::new(&session.keys).unwrap();
        let header = self.header(&session, Phase::Setup);
        self.attacker.exchange(&header, setup).await?;
        Ok(session)
    }

    fn header(&self, session: &Session, phase: Phase) -> ChunkHeader {
        let is_round = phase == Phase::Online;
        ChunkHeader {
            job: self.job,
            phase,
            round: u32::from(is_round),
            parameters_digest: session.parameters.digest(),
            counters: is_round.then(Counters::default),
            goes_on: false,
        }
    }

    async fn masks(&mut self, session: &Session, opening: &Opening) -> Result<Vec<u8>, Fault> {
        let prepare = RatingPrepare::new(&session.parameters, &session.job(opening)).unwrap();
        let header = self.header(session, Phase::Offline);
        let prepared = self.attacker.exchange(&header, prepare).await?;
        Ok(prepared.into_masks().unwrap())
    }

    async fn sums(
        &mut self,
        session: &Session,
        upload: &Upload,
        masks: &[u8],
    ) -> Result<RealMatrix, Fault> {
        let answer = RatingAnswer::new(&session.keys, upload, masks.to_vec()).unwrap();
        let header = self.header(session, Phase::Online);
        let answered = self.attacker.exchange(&header, answer).await?;
        Ok(answered.into_sums().unwrap())
    }

    /// The connection is given up and another one opened.
    async fn back(&mut self) {
        self.attacker.answered_bytes = 0;
        self.attacker.detach();
        self.attacker.hello().await;
        self.attacker.attach(self.job).await.unwrap();
    }

    /// Nothing of an answer came, the job is over, and as many openings are counted as before.
    async fn is_over(&mut self, fault: Fault, openings: u64) {
        assert_ne!(fault.reason, Reason::Bug, "{fault:?}");
        assert_eq!(self.attacker.answered_bytes, 0, "{fault:?}");
        let (state, why) = self.target.end_of(&self.job.to_string()).await;
        assert_eq!(state, JobState::Failed, "{why}");
        assert_eq!(self.target.counters().await.openings, openings);
        assert_eq!(self.target.logged("opening").len() as u64, openings);
    }

    /// Where P1 keeps the opening.
    fn kept(&self) -> PathBuf {
        let stocks = self.target.data_dir().join("stocks");
        stocks.join(self.job.to_string()).join("friends")
    }
}

fn first() -> Vec<u32> {
    (0..OPENED).collect()
}

/// Under one number, seed and a-part there is one upload; to the very same the answer is the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_answers_one_upload_and_no_other() {
    let mut game = Game::begun().await;
    let session = game.agreed(first()).await.unwrap();
    let opening = named(1);
    let masks = game.masks(&session, &opening).await.unwrap();
    let upload = session.upload(&opening, 0);
    let sums = game.sums(&session, &upload, &masks).await.unwrap();
    assert_eq!(game.target.counters().await.nano_rho, 500_000_000);

    game.back().await;
    assert_eq!(game.masks(&session, &opening).await.unwrap(), masks);
    let again = game.sums(&session, &upload, &masks).await.unwrap();
    assert_eq!(again, sums);
    assert_eq!(game.target.logged("opening").len(), 1);

    game.back().await;
    game.masks(&session, &opening).await.unwrap();
    let other = session.upload(&opening, 1);
    let refused = game.sums(&session, &other, &masks).await;
    game.is_over(refused.map(drop).unwrap_err(), 1).await;
}

/// P1's record of the opening, put back to before the upload: its a-part is made again, byte for
/// byte, and meets no other rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_put_back_answers_no_other_upload() {
    for column in [0, 1] {
        let mut game = Game::begun().await;
        let session = game.agreed(first()).await.unwrap();
        let opening = named(1);
        let masks = game.masks(&session, &opening).await.unwrap();
        let kept = std::fs::read(game.kept()).unwrap();
        let upload = session.upload(&opening, 0);
        let sums = game.sums(&session, &upload, &masks).await.unwrap();

        let path = game.kept();
        let attacker = game.attacker;
        let put_back = |_: &std::path::Path| std::fs::write(path, kept).unwrap();
        game.attacker = game.target.restart(attacker, put_back).await;
        game.attacker.hello().await;
        game.attacker.attach(game.job).await.unwrap();
        assert_eq!(game.masks(&session, &opening).await.unwrap(), masks);
        let upload = session.upload(&opening, column);
        let answered = game.sums(&session, &upload, &masks).await;
        match column {
            0 => assert_eq!(answered.unwrap(), sums),
            _ => game.is_over(answered.map(drop).unwrap_err(), 1).await,
        }
        assert_eq!(game.target.logged("opening").len(), 1);
    }
}

/// What P1 bound is named again by all of its name.
#[tokio::test(flavor = "multi_thread")]
async fn another_name_gets_no_a_part() {
    let others = [
        named(2),
        Opening {
            number: 2,
            ..named(1)
        },
    ];
    for (other, is_answered) in [(others[0], false), (others[1], false), (others[0], true)] {
        let mut game = Game::begun().await;
        let session = game.agreed(first()).await.unwrap();
        let masks = game.masks(&session, &named(1)).await.unwrap();
        if is_answered {
            let upload = session.upload(&named(1), 0);
            game.sums(&session, &upload, &masks).await.unwrap();
        }
        game.back().await;
        let refused = game.masks(&session, &other).await;
        let openings = u64::from(is_answered);
        game.is_over(refused.map(drop).unwrap_err(), openings).await;
    }
}

/// An upload under the name of another job than its a-parts' is not counted.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_another_name_is_not_answered() {
    let mut game = Game::begun().await;
    let session = game.agreed(first()).await.unwrap();
    let masks = game.masks(&session, &named(1)).await.unwrap();
    let upload = session.upload(&named(2), 0);
    let refused = game.sums(&session, &upload, &masks).await;
    game.is_over(refused.map(drop).unwrap_err(), 0).await;
}

/// Before the answer a job begins again, under randomness of P1's that was never used, and with
/// whoever was to be opened before among the opened; after it there is no beginning again.
#[tokio::test(flavor = "multi_thread")]
async fn who_begins_again_opens_nobody_less_and_nothing_twice() {
    let mut game = Game::begun().await;
    let session = game.agreed(first()).await.unwrap();
    let opening = named(1);
    let masks = game.masks(&session, &opening).await.unwrap();
    let begin_again = async |game: &mut Game| {
        game.back().await;
        // What was found before is told again.
        let found = game.attacker.align(game.job, &everybody()).await;
        found.map(drop).unwrap_err()
    };
    begin_again(&mut game).await;
    let session = game.agreed((0..OPENED + 5).collect()).await.unwrap();
    let others = game.masks(&session, &opening).await.unwrap();
    let equal = masks.iter().zip(&others).filter(|(a, b)| a == b).count();
    assert!(equal < masks.len() / 64, "{equal} of {}", masks.len());
    let upload = session.upload(&opening, 0);
    game.sums(&session, &upload, &others).await.unwrap();
    let fault = begin_again(&mut game).await;
    assert_eq!(fault.reason, Reason::StateLost, "{fault:?}");
    game.is_over(fault, 1).await;

    let mut game = Game::begun().await;
    game.agreed(first()).await.unwrap();
    begin_again(&mut game).await;
    let fewer = game.agreed((1..OPENED).collect()).await;
    let fault = fewer.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
    game.is_over(fault, 0).await;
}

/// A P0 that leaves while its a-parts are made, and comes back for them: P1 does not begin before what
/// it left behind is over by its public time, so that such computations never pile up beyond theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_parts_that_were_left_behind_are_over_before_others_are_begun() {
    let mut game = Game::begun().await;
    let session = game.agreed(first()).await.unwrap();
    let opening = named(1);
    // As the policy states of the links.
    let public = AnswerTimes::of_friends(&session.parameters, 400, MachinePace::measured()).block;
    // From the very first: coming back takes a busy machine as long as it likes.
    let began = Instant::now();
    let left = tokio::time::timeout(public / 3, game.masks(&session, &opening)).await;
    assert!(left.is_err(), "answered before its time");
    game.back().await;
    game.masks(&session, &opening).await.unwrap();
    let took = began.elapsed();
    assert!(took >= public * 2, "{took:?} for {public:?}");
}

/// How large an opening may be is asked before a link is read, to the last value.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_beyond_the_configured_values_gets_no_bounds() {
    let values = u64::from(4 * USERS);
    for (most, is_allowed) in [(values, true), (values - 1, false)] {
        let mut target = Target::configured(&rule(), |settings| {
            settings.limits.product_values = most;
        })
        .await;
        target.import(&links()).await;
        let mut attacker = target.attacker().await;
        let proposal = of_friends();
        attacker.approved(&proposal).await;
        let (common, _) = attacker.align(proposal.job, &everybody()).await.unwrap();
        let answer = attacker.setup(v1::SetupRequest {
            opened: bitmap(USERS, &first()),
            ..Attacker::setup_request(proposal.job, &common)
        });
        let answer = answer.await;
        assert_eq!(answer.is_ok(), is_allowed, "{most}");
        if let Err(fault) = answer {
            assert_eq!(fault.reason, Reason::LimitExceeded, "{fault:?}");
            assert_eq!(target.showings(), ["intersection"]);
        }
    }
}
