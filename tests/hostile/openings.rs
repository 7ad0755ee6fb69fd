//! Openings that are asked for otherwise than one after the other, each once.

use s3rec_algebra::RingMatrix;
use s3rec_job::{Counters, JobId, Phase};
use s3rec_spmm::preprocessed::{MemoryStorage, RatingStock};
use s3rec_spmm::{Frame, Protocol, Step};
use s3rec_wire::convert::{ChunkHeader, Direction, chunk_of_header};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Role};

use crate::attacker::{AgreedSetup, Attacker, fault_of, proposal};
use crate::target::{Target, everybody, policy, ring_of_links};

/// A job over a stock after its first opening, which was asked for in order.
struct Game {
    target: Target,
    attacker: Attacker,
    agreed: AgreedSetup,
    /// P0's disk.
    storage: MemoryStorage,
    /// What the first opening gave.
    first: RingMatrix,
    counters: Counters,
    logged: usize,
}

impl Game {
    async fn begun() -> (Self, RatingStock) {
        let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 4);
        let agreed = attacker.agreed(&proposal, &everybody()).await;
        let storage = MemoryStorage::default();
        let stock = attacker.stock_in(&agreed, storage.clone()).await.unwrap();
        let stock = attacker.meet(&agreed, stock).await.unwrap();
        let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
        let (first, stock) = opened.await.unwrap();
        // Four columns of Y as they are, each with its user on the diagonal: this is counted.
        let nonzero = first.values().iter().filter(|value| **value != 0).count();
        assert_eq!(
            nonzero,
            4 * 3,
            "a Laplacian's column has the user and both neighbours"
        );
        let counters = target.counters().await;
        assert_eq!((counters.openings, counters.opened_columns), (1, 4));
        let logged = target.logged("opening").len();
        assert_eq!(logged, 1);
        let game = Self {
            target,
            attacker,
            agreed,
            storage,
            first,
            counters,
            logged,
        };
        (game, stock)
    }

    fn job(&self) -> JobId {
        self.agreed.proposal.job
    }

    /// The connection is given up and another one opened, up to the meeting over the stock.
    async fn back(&mut self) -> RatingStock {
        let storage = std::sync::Arc::new(self.storage.clone());
        let pattern = std::sync::Arc::clone(&self.agreed.pattern);
        let stock = RatingStock::open(storage, pattern).unwrap();
        self.attacker.detach();
        self.attacker.hello().await;
        self.attacker.attach(self.job()).await.unwrap();
        self.attacker.meet(&self.agreed, stock).await.unwrap()
    }

    /// Not a byte of an answer came, nothing was counted, and the log says of no opening more.
    async fn nothing_left(&mut self, refused: Result<(RingMatrix, RatingStock), Fault>) -> Fault {
        let Err(fault) = refused else {
            let columns = self.target.counters().await.opened_columns;
            panic!("answered, with {columns} columns counted");
        };
        self.nothing_more().await;
        assert_eq!(self.attacker.answered_bytes, 0, "{fault:?}");
        fault
    }

    async fn nothing_more(&mut self) {
        assert_eq!(self.target.counters().await, self.counters);
        assert_eq!(self.target.logged("opening").len(), self.logged);
    }

    /// The job has ended by that.
    async fn has_failed(&mut self) -> String {
        let job = self.job().to_string();
        let (state, why) = self.target.end_of(&job).await;
        assert_eq!(state, JobState::Failed, "{why}");
        self.nothing_more().await;
        why
    }
}

/// Demonstration 2: after any counted opening a reconnect, a header of the old round, and a frame
/// of unused columns.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_the_old_round_opens_no_unused_columns() {
    let (mut game, _) = Game::begun().await;
    let stock = game.back().await;
    let header = game.agreed.round(1);
    let chosen = game.agreed.probing(4);
    let opened = game.attacker.open(header, stock, chosen).await;
    game.nothing_left(opened).await;
    game.has_failed().await;
}

/// The honest case that the break hides behind: an answer that was lost is given again, the same
/// and uncounted.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_given_again_alike() {
    let (mut game, _) = Game::begun().await;
    let stock = game.back().await;
    let header = game.agreed.round(1);
    let same = game.agreed.probing(0);
    let opened = game.attacker.open(header, stock, same).await.unwrap();
    assert_eq!(opened.0, game.first);
    game.nothing_more().await;
    // And the next one is counted.
    let header = game.agreed.round(2);
    let next = game.agreed.probing(4);
    game.attacker.open(header, opened.1, next).await.unwrap();
    assert_eq!(game.target.counters().await.opened_columns, 8);
    assert_eq!(game.target.logged("opening").len(), 2);
}

/// The old round's own message with one value changed by one.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_one_bit_changed_is_not_answered() {
    let (mut game, _) = Game::begun().await;
    let _ = game.back().await;
    let header = game.agreed.round(1);
    let fault = game.frames_of_the_first_round(&header, 0).await;
    assert_eq!(fault.reason, Reason::PeerMalformed, "{fault:?}");
    game.has_failed().await;
}

/// The other way round: the header says the next round, the frame the old one's columns.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_the_next_round_over_columns_that_are_used_is_not_answered() {
    let (mut game, _) = Game::begun().await;
    let header = game.agreed.round(2);
    let fault = game.frames_of_the_first_round(&header, 0).await;
    assert_ne!(fault.reason, Reason::Bug, "{fault:?}");
    game.has_failed().await;
}

/// The right header, and a frame that skips a round's columns.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_runs_ahead_of_its_header_is_not_answered() {
    let (mut game, _) = Game::begun().await;
    let header = game.agreed.round(2);
    let fault = game.frames_of_the_first_round(&header, 3).await;
    assert_ne!(fault.reason, Reason::Bug, "{fault:?}");
    game.has_failed().await;
}

impl Game {
    /// An opening by hand: zeros as M, under the stock's identity and the round `named`.
    async fn frames_of_the_first_round(&mut self, header: &ChunkHeader, named: u32) -> Fault {
        let parameters = &self.agreed.parameters;
        let values = parameters.uploaded_rows as usize * parameters.columns as usize;
        let masked = (values * parameters.ring_bits as usize).div_ceil(8);
        let identity = self.identity().await;
        let frames = [
            Frame {
                step: Step::Opening,
                sequence: 0,
                payload: [&identity[..], &named.to_le_bytes()].concat(),
            },
            Frame {
                step: Step::MaskedFactors,
                sequence: 1,
                payload: vec![0; masked],
            },
        ];
        self.sent(header, frames.into()).await
    }

    /// The name of the stock, as P1 shows its own people.
    async fn identity(&mut self) -> Vec<u8> {
        let request = v1::StockStatusRequest {
            job_id: self.job().to_string(),
        };
        let status = self.target.people().stock_status(request).await.unwrap();
        status.into_inner().stocks[0].identity.clone()
    }

    /// Frames under a header; what P1 says to them, which must be no frame.
    async fn sent(&mut self, header: &ChunkHeader, frames: Vec<Frame>) -> Fault {
        let mut direction = Direction::new(header, Role::Rating);
        let mut chunks = vec![chunk_of_header(header)];
        chunks.extend(frames.into_iter().map(|frame| direction.chunk_of(frame)));
        self.said(chunks).await
    }

    async fn said(&mut self, chunks: Vec<v1::ExchangeChunk>) -> Fault {
        let called = self
            .attacker
            .client
            .exchange(tokio_stream::iter(chunks))
            .await;
        let mut answers = match called {
            Err(status) => return fault_of(&status),
            Ok(answers) => answers.into_inner(),
        };
        loop {
            match answers.message().await {
                Ok(Some(chunk)) => assert!(chunk.payload.is_empty(), "answered"),
                Ok(None) => panic!("taken"),
                Err(status) => return fault_of(&status),
            }
        }
    }
}

/// The first answer may never have arrived: asking for it again is asking.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_given_once_the_policy_no_longer_allows_it() {
    let (mut game, _) = Game::begun().await;
    let stock = game.back().await;
    let narrower = policy(&[("releases", "[\"noised\"]")]);
    game.target.reload(&narrower).await;
    let header = game.agreed.round(1);
    let same = game.agreed.probing(0);
    let opened = game.attacker.open(header, stock, same).await;
    let fault = game.nothing_left(opened).await;
    assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
    game.has_failed().await;
}

/// A round that is not due, over columns that are.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_is_skipped_or_beyond_consent_is_refused() {
    for round in [3, 5, u32::MAX] {
        let (mut game, stock) = Game::begun().await;
        let header = ChunkHeader {
            round,
            ..game.agreed.round(2)
        };
        let chosen = game.agreed.probing(4);
        let opened = game.attacker.open(header, stock, chosen).await;
        let fault = game.nothing_left(opened).await;
        let due = [Reason::OutOfOrder, Reason::BeyondConsent];
        assert!(due.contains(&fault.reason), "{fault:?}");
        game.has_failed().await;
    }
}

/// Counters that say less, or more, than was opened.
#[tokio::test(flavor = "multi_thread")]
async fn counters_that_lie_open_nothing() {
    let lies: [fn(&mut Counters); 4] = [
        |counters| *counters = Counters::default(),
        |counters| counters.opened_columns -= 4,
        |counters| counters.opened_values += 1,
        |counters| counters.nano_rho = u64::MAX,
    ];
    for lie in lies {
        let (mut game, stock) = Game::begun().await;
        let mut header = game.agreed.round(2);
        lie(header.counters.as_mut().unwrap());
        let chosen = game.agreed.probing(4);
        let opened = game.attacker.open(header, stock, chosen).await;
        let fault = game.nothing_left(opened).await;
        assert_eq!(fault.reason, Reason::LedgersDiffer, "{fault:?}");
        game.has_failed().await;
    }
}

/// Other parameters than were agreed on, in the header of a round and of a resumption.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_under_other_parameters_is_refused() {
    let (mut game, stock) = Game::begun().await;
    let header = ChunkHeader {
        parameters_digest: [7; 32],
        ..game.agreed.round(2)
    };
    let chosen = game.agreed.probing(4);
    let opened = game.attacker.open(header, stock, chosen).await;
    let fault = game.nothing_left(opened).await;
    assert_eq!(fault.reason, Reason::Contradiction, "{fault:?}");
    game.has_failed().await;

    let (mut game, stock) = Game::begun().await;
    game.attacker.detach();
    game.attacker.attach(game.job()).await.unwrap();
    game.agreed.digest = [7; 32];
    let met = game.attacker.meet(&game.agreed, stock).await;
    let fault = met.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::Contradiction, "{fault:?}");
    assert_eq!(game.attacker.answered_bytes, 0);
    game.has_failed().await;
}

/// A frame that was made for another job, phase or place in the stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_another_job_is_refused() {
    let (mut game, _) = Game::begun().await;
    let header = game.agreed.round(2);
    let elsewhere = ChunkHeader {
        job: JobId::random(),
        ..header.clone()
    };
    let mut direction = Direction::new(&elsewhere, Role::Rating);
    let identity = game.identity().await;
    let frame = Frame {
        step: Step::Opening,
        sequence: 0,
        payload: [&identity[..], &1_u32.to_le_bytes()].concat(),
    };
    let chunks = vec![chunk_of_header(&header), direction.chunk_of(frame)];
    let fault = game.said(chunks).await;
    assert_eq!(fault.reason, Reason::PeerMalformed, "{fault:?}");
    game.has_failed().await;
}

/// Frames that are too long for their step, or for any.
#[tokio::test(flavor = "multi_thread")]
async fn oversized_frames_are_refused() {
    for payload_bytes in [37, (1 << 20) + 1, 1 << 21] {
        let (mut game, _) = Game::begun().await;
        let header = game.agreed.round(2);
        let frame = Frame {
            step: Step::Opening,
            sequence: 0,
            payload: vec![0; payload_bytes],
        };
        let fault = game.sent(&header, vec![frame]).await;
        assert_ne!(fault.reason, Reason::Cancelled, "{fault:?}");
        game.nothing_more().await;
    }
}

/// Once openings have begun there is neither another block nor another meeting on this
/// connection: what is due is a round, or the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_is_over_does_not_come_again() {
    let (mut game, stock) = Game::begun().await;
    let met = game.attacker.meet(&game.agreed, stock).await;
    met.map(drop).unwrap_err();
    assert_eq!(game.attacker.answered_bytes, 0);
    game.has_failed().await;

    let (mut game, stock) = Game::begun().await;
    let setup = stock.key_setup().unwrap();
    let header = game.agreed.header(Phase::Setup, 0);
    let again = game.attacker.exchange(&header, setup).await;
    let fault = again.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::OutOfOrder, "{fault:?}");
    game.has_failed().await;
}

/// An end that counts fewer openings than there were, or more.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_with_another_count_is_refused() {
    for said in [0, 2] {
        let (mut game, _) = Game::begun().await;
        let counters = game.agreed.counters(said);
        let finished = game.attacker.finish(game.job(), said, counters).await;
        assert_eq!(finished.unwrap_err().reason, Reason::Contradiction);
        game.has_failed().await;
    }
    // The right number, and counters that do not go with it.
    let (mut game, _) = Game::begun().await;
    let counters = game.agreed.counters(0);
    let finished = game.attacker.finish(game.job(), 1, counters).await;
    assert_eq!(finished.unwrap_err().reason, Reason::LedgersDiffer);
    game.has_failed().await;
}

/// Two rounds at once: while one is answered there is no other.
#[tokio::test(flavor = "multi_thread")]
async fn two_rounds_at_once_are_one() {
    let (mut game, _) = Game::begun().await;
    let header = game.agreed.round(2);
    let identity = game.identity().await;
    let frame = Frame {
        step: Step::Opening,
        sequence: 0,
        payload: [&identity[..], &1_u32.to_le_bytes()].concat(),
    };
    // The first has begun, and waits for its values.
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let mut direction = Direction::new(&header, Role::Rating);
    sender.send(chunk_of_header(&header)).await.unwrap();
    sender.send(direction.chunk_of(frame)).await.unwrap();
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let begun = game.attacker.client.exchange(stream).await.unwrap();
    let fault = game.said(vec![chunk_of_header(&header)]).await;
    assert_eq!(fault.reason, Reason::OutOfOrder, "{fault:?}");
    drop((sender, begun));
    game.nothing_more().await;
}
