//! Answers no earlier than a public time (protocol page, section 3.3, "Times").
//!
//! What P1 computes takes a time that follows its links. So it sends the first frame of an answer
//! only when a time has passed since the last frame it received that both sides can work out from
//! the agreed parameters: [`cost::answer_not_before`], from the *bound* on the non-zeros. Its queries,
//! whose making takes a time that follows the users linked to, count from the exchange's header. Of
//! a computation that takes longer still the rest shows.

use std::time::Duration;

use s3rec_spmm::noise_first::{self, MachinePace};
use s3rec_spmm::{Frame, ProductParameters, SpmmError, Step, cost};
use tokio::time::{Instant, sleep_until};
use tonic::async_trait;

use crate::{Channel, LinkError};

/// Whatever the parameters say: no answer is held back for longer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The public times of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerTimes {
    /// From a block's last frame to the first of its answer; zero where there are no blocks.
    pub block: Duration,
    /// From a round's last frame to the first of its answer.
    pub round: Duration,
    /// From the header of the exchange to the first frame of P1's queries; zero where rows are
    /// not fetched privately.
    pub queries: Duration,
}

impl AnswerTimes {
    /// The times that follow from agreed parameters.
    ///
    /// # Errors
    /// Those of [`cost::answer_not_before`].
    pub fn of(parameters: &ProductParameters) -> Result<Self, SpmmError> {
        let time = |step| -> Result<Duration, SpmmError> {
            let seconds = cost::answer_not_before(parameters, step)?;
            Ok(Duration::try_from_secs_f64(seconds).map_or(LONGEST, |time| time.min(LONGEST)))
        };
        let queries = time(Step::Queries)?;
        Ok(if parameters.protocol.is_preprocessed() {
            Self {
                block: time(Step::Responses)?,
                round: time(Step::MaskedProduct)?,
                queries,
            }
        } else {
            Self {
                block: Duration::ZERO,
                round: time(Step::Responses)?,
                queries,
            }
        })
    }

    /// The times of an opening of friends' sums: `block` for its a-parts, `round` for its answer.
    /// They follow from the agreed parameters, from what P1 stated of its links, and from its machine.
    #[must_use]
    pub fn of_friends(
        parameters: &noise_first::Parameters,
        stated_links: u64,
        pace: MachinePace,
    ) -> Self {
        let time = |seconds| {
            Duration::try_from_secs_f64(seconds).map_or(LONGEST, |time: Duration| time.min(LONGEST))
        };
        Self {
            block: time(cost::friends_prepare_not_before(
                parameters,
                stated_links,
                pace,
            )),
            round: time(cost::friends_answer_not_before(parameters, stated_links)),
            queries: Duration::ZERO,
        }
    }

    /// When what P1 reads its links for may leave (Setup's answers, the resume handshake after an absence),
    /// by what it stated of them and the number of common users.
    #[must_use]
    pub fn setup(stated_links: u64, users: u32) -> Duration {
        let seconds = cost::setup_not_before(stated_links, users);
        Duration::try_from_secs_f64(seconds).map_or(LONGEST, |time| time.min(LONGEST))
    }

    /// The longest that P1 keeps still.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.block.max(self.round).max(self.queries)
    }
}

/// Waits until `answer_time` has passed since `began`, whatever was done meanwhile. Where that
/// took longer, which shows, gives how much longer, for P1's log.
pub async fn hold(began: Instant, answer_time: Duration) -> Option<Duration> {
    let due = began + answer_time;
    let late = Instant::now().saturating_duration_since(due);
    sleep_until(due).await;
    (!late.is_zero()).then_some(late)
}

/// A channel that holds back the first frame of each answer.
pub struct Paced<C> {
    inner: C,
    answer_time: Duration,
    /// When the last frame came in, until the answer to it has begun.
    received: Option<Instant>,
    /// By how much the latest answer missed its time.
    late: Option<Duration>,
}

impl<C> Paced<C> {
    /// Holds back the answers of `inner` for `answer_time`; none if it is zero.
    pub fn new(inner: C, answer_time: Duration) -> Self {
        Self {
            inner,
            answer_time,
            received: None,
            late: None,
        }
    }

    /// The same for an exchange in which this side speaks first: the time begins now.
    #[must_use]
    pub fn speaking_first(self) -> Self {
        Self {
            received: Some(Instant::now()),
            ..self
        }
    }

    /// From here on holds back answers for that long: once the time of an exchange is known that
    /// had to be begun before.
    pub fn hold_for(&mut self, answer_time: Duration) {
        self.answer_time = answer_time;
    }

    /// By how much an answer missed its time: P1's people should know, since it shows.
    pub fn late(&self) -> Option<Duration> {
        self.late
    }

    /// For how long answers are held back now.
    pub fn answer_time(&self) -> Duration {
        self.answer_time
    }

    /// The channel itself.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

#[async_trait]
impl<C: Channel> Channel for Paced<C> {
    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        if let Some(received) = self.received.take()
            && !self.answer_time.is_zero()
        {
            self.late = hold(received, self.answer_time).await.max(self.late);
        }
        self.inner.send(frame).await
    }

    async fn receive(&mut self) -> Result<Frame, LinkError> {
        let frame = self.inner.receive().await?;
        self.received = Some(Instant::now());
        Ok(frame)
    }

    async fn gone(&mut self) {
        self.inner.gone().await;
    }

    async fn finish(&mut self) -> Result<(), LinkError> {
        self.inner.finish().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;
    use s3rec_spmm::{OperatorKind, ProductRequest, Protocol, choose_parameters};

    fn frame(sequence: u32) -> Frame {
        Frame {
            step: Step::MaskedProduct,
            sequence,
            payload: vec![1, 2, 3],
        }
    }

    /// Whatever the computing takes, the answer leaves at one time; later frames do not wait.
    #[tokio::test(start_paused = true)]
    async fn answers_to_different_patterns_leave_at_the_same_time() {
        let answer_time = Duration::from_millis(400);
        let mut times = Vec::new();
        for computing_ms in [0, 7, 399] {
            let (social, mut rating) = memory::pair(Duration::from_secs(60));
            let mut social = Paced::new(social, answer_time);
            let began = Instant::now();
            let answer = tokio::spawn(async move {
                social.receive().await.unwrap();
                social.receive().await.unwrap();
                tokio::time::sleep(Duration::from_millis(computing_ms)).await;
                social.send(frame(0)).await.unwrap();
                social.send(frame(1)).await.unwrap();
                social
            });
            rating.send(frame(0)).await.unwrap();
            rating.send(frame(1)).await.unwrap();
            rating.receive().await.unwrap();
            let first = began.elapsed();
            rating.receive().await.unwrap();
            times.push((first, began.elapsed()));
            answer.await.unwrap();
        }
        // A millisecond is the timer's own granularity.
        for (first, second) in &times {
            assert_eq!((first, second), (&times[0].0, &times[0].1), "{times:?}");
            assert!(
                *first >= answer_time && *first <= answer_time + Duration::from_millis(2),
                "{times:?}"
            );
        }
    }

    /// An answer that missed its time says by how much, once; one in time says nothing.
    #[tokio::test(start_paused = true)]
    async fn what_was_late_is_known_here() {
        let answer_time = Duration::from_millis(400);
        for (computing_ms, late) in [(399, None), (650, Some(Duration::from_millis(250)))] {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(computing_ms)).await;
            assert_eq!(hold(began, answer_time).await, late);
            assert!(began.elapsed() >= answer_time);

            let (social, mut rating) = memory::pair(Duration::from_secs(60));
            let mut social = Paced::new(social, answer_time);
            rating.send(frame(0)).await.unwrap();
            social.receive().await.unwrap();
            tokio::time::sleep(Duration::from_millis(computing_ms)).await;
            social.send(frame(0)).await.unwrap();
            social.send(frame(1)).await.unwrap();
            assert_eq!(social.late(), late);
        }
    }

    #[test]
    fn setups_follow_what_was_stated_and_the_users_alone() {
        let narrow = AnswerTimes::setup(4096, 1508);
        assert!(AnswerTimes::setup(1 << 20, 1508) > narrow);
        assert!(AnswerTimes::setup(4096, 100_000) > narrow);
        // Measured: 252 ms at 360,000 links.
        assert!(AnswerTimes::setup(360_000, 10_000) > Duration::from_millis(500));
        assert_eq!(AnswerTimes::setup(u64::MAX, 1), LONGEST);
    }

    /// What needs no frame to begin is held back all the same.
    #[tokio::test(start_paused = true)]
    async fn who_speaks_first_waits_too() {
        let answer_time = Duration::from_millis(400);
        for computing_ms in [0, 7, 399] {
            let (social, mut rating) = memory::pair(Duration::from_secs(60));
            let began = Instant::now();
            let mut social = Paced::new(social, answer_time).speaking_first();
            let speaking = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(computing_ms)).await;
                social.send(frame(0)).await.unwrap();
                social
            });
            rating.receive().await.unwrap();
            let first = began.elapsed();
            assert!(
                first >= answer_time && first <= answer_time + Duration::from_millis(2),
                "{first:?}"
            );
            speaking.await.unwrap();
        }
    }

    #[test]
    fn queries_follow_d_max_alone() {
        let times = |protocol, fetched_rows_bound| {
            let request = ProductRequest {
                row_norm_bound: 1 << 14,
                nonzeros_bound: 4096,
                fetched_rows_bound,
                ..ProductRequest::new(protocol, OperatorKind::OutAverage, 100_000, 10, 40)
            };
            AnswerTimes::of(&choose_parameters(&request).unwrap()).unwrap()
        };
        for protocol in [Protocol::HePir, Protocol::PreprocessedPir] {
            let (few, many) = (times(protocol, 512), times(protocol, 4096));
            assert_eq!(few, times(protocol, 512));
            assert!(many.queries > few.queries, "{few:?} {many:?}");
            assert!(few.longest() >= few.queries);
        }
        assert!(times(Protocol::He, 0).queries.is_zero());
    }

    #[test]
    fn times_follow_the_bound_alone() {
        let parameters = |protocol, nonzeros_bound| {
            let request = ProductRequest {
                row_norm_bound: 256,
                nonzeros_bound,
                ..ProductRequest::new(protocol, OperatorKind::Laplacian, 1508, 10, 40)
            };
            choose_parameters(&request).unwrap()
        };
        for protocol in [Protocol::He, Protocol::Preprocessed] {
            let narrow = AnswerTimes::of(&parameters(protocol, 4096)).unwrap();
            let wide = AnswerTimes::of(&parameters(protocol, 1 << 20)).unwrap();
            assert!(wide.round > narrow.round, "{narrow:?} {wide:?}");
            assert_eq!(
                narrow,
                AnswerTimes::of(&parameters(protocol, 4096)).unwrap()
            );
            assert_eq!(narrow.block.is_zero(), protocol == Protocol::He);
        }
    }
}
