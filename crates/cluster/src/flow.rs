//! The dataflow, the same at every member: what the coordinator puts in goes to the worker whose it
//! is, is computed there, and comes back.
//!
//! ```text
//! input (coordinator) → exchange by worker → make (worker) → exchange → collect (coordinator)
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::Thread;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::generic::operator::Operator;
use timely::worker::Worker;
use zeroize::Zeroizing;

use crate::health::{Failure, Health};
use crate::tasks::{Doing, Kind, Tasks};

/// How often a member looks whether the session has failed elsewhere.
const LOOK: Duration = Duration::from_millis(50);
/// Tasks that a worker has at a time: one that it does, and what it goes on with.
const AHEAD: usize = 2;

/// Whatever crosses between members. Its bytes may be a platform's secret.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Piece {
    from: u32,
    to: u32,
    content: Content,
    bytes: Secret,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Content {
    /// What all tasks have in common.
    Opening(Kind),
    /// A task of that number.
    Task(u64),
    /// What was made of it.
    Made(u64),
}

#[derive(Clone)]
struct Secret(Zeroizing<Vec<u8>>);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Secret, E> {
                Ok(Secret(Zeroizing::new(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The dataflow's input, and what has come back to this member.
struct Flow {
    input: InputHandle<u64, CapacityContainerBuilder<Vec<Piece>>>,
    arrived: Rc<RefCell<VecDeque<Piece>>>,
}

fn build(worker: &mut Worker, mut make: impl FnMut(Piece) -> Option<Piece> + 'static) -> Flow {
    let arrived = Rc::new(RefCell::new(VecDeque::new()));
    let collected = Rc::clone(&arrived);
    let input = worker.dataflow::<u64, _, _>(|scope| {
        let (input, pieces) = scope.new_input::<Vec<Piece>>();
        let by_worker = Exchange::new(|piece: &Piece| u64::from(piece.to));
        let made = pieces.unary::<CapacityContainerBuilder<Vec<Piece>>, _, _, _>(
            by_worker,
            "make",
            |_, info| {
                let again = scope.activator_for(info.address);
                let mut waiting = VecDeque::new();
                move |input, output| {
                    input.for_each(|time, pieces| {
                        if let Some(time) = time.retain_least(output.output_index()) {
                            let pieces = pieces.drain(..);
                            waiting.extend(pieces.map(|piece| (time.clone(), piece)));
                        }
                    });
                    // One at a time: what was made leaves before the next is.
                    if let Some((time, piece)) = waiting.pop_front()
                        && let Some(made) = make(piece)
                    {
                        output.session(&time).give(made);
                    }
                    if !waiting.is_empty() {
                        again.activate();
                    }
                }
            },
        );
        let home = Exchange::new(|piece: &Piece| u64::from(piece.to));
        made.sink(home, "collect", move |(input, _)| {
            input.for_each(|_, pieces| collected.borrow_mut().extend(pieces.drain(..)));
        });
        input
    });
    Flow { input, arrived }
}

/// A worker's part: does what it is given until the coordinator has no more.
pub(crate) fn work(worker: &mut Worker, own: usize, health: &Health) {
    let mut doing = None;
    let failing = health.clone();
    let flow = build(worker, move |piece| {
        let made = make(&mut doing, piece, own);
        made.unwrap_or_else(|what| {
            failing.fail(Failure::Work(what));
            None
        })
    });
    drop(flow.input);
    finish(worker, health);
}

fn make(doing: &mut Option<Doing>, piece: Piece, own: usize) -> Result<Option<Piece>, String> {
    match piece.content {
        Content::Opening(kind) => {
            let begun = Doing::begin(kind, &piece.bytes.0);
            *doing = Some(begun.map_err(|error| error.to_string())?);
            Ok(None)
        }
        Content::Task(number) => {
            let doing = doing.as_ref();
            let doing = doing.ok_or_else(|| "a task came before what it is of".to_owned())?;
            let made = doing.task(&piece.bytes.0).map_err(|e| e.to_string())?;
            Ok(Some(Piece {
                from: member(own),
                to: 0,
                content: Content::Made(number),
                bytes: Secret(made),
            }))
        }
        Content::Made(_) => Err("what was made came to a worker".into()),
    }
}

/// Members are counted in 32 bits on the way.
fn member(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The coordinator's dataflow: carries pieces between it and [`coordinate`], on timely's own thread.
pub(crate) struct Carrier {
    given: mpsc::Receiver<Piece>,
    made: mpsc::Sender<Piece>,
    thread: mpsc::Sender<Thread>,
}

/// The other end of a [`Carrier`].
pub(crate) struct Control {
    given: mpsc::Sender<Piece>,
    made: mpsc::Receiver<Piece>,
    thread: mpsc::Receiver<Thread>,
}

/// Both ends.
pub(crate) fn carried() -> (Control, Carrier) {
    let (given, to_carry) = mpsc::channel();
    let (carried, made) = mpsc::channel();
    let (told, thread) = mpsc::channel();
    let carrier = Carrier {
        given: to_carry,
        made: carried,
        thread: told,
    };
    let control = Control {
        given,
        made,
        thread,
    };
    (control, carrier)
}

impl Carrier {
    /// Until [`coordinate`] has no more to give.
    pub(crate) fn carry(self, worker: &mut Worker, health: &Health) {
        let _ = self.thread.send(std::thread::current());
        // Nothing is ever computed here.
        let Flow { mut input, arrived } = build(worker, |_| None);
        let mut sent = 0;
        loop {
            match self.given.try_recv() {
                Ok(piece) => {
                    input.send(piece);
                    // Timely lets go of what is exchanged when its time is over.
                    sent += 1;
                    input.advance_to(sent);
                    continue;
                }
                Err(mpsc::TryRecvError::Empty) => {}
                Err(mpsc::TryRecvError::Disconnected) => break,
            }
            worker.step_or_park(Some(LOOK));
            if health.has_failed() {
                return;
            }
            for piece in arrived.borrow_mut().drain(..) {
                let _ = self.made.send(piece);
            }
        }
        drop(input);
        finish(worker, health);
    }
}

/// The coordinator's part: has the tasks in `queues`, one of each worker, done in their order, and
/// gives what was made to `put` as it comes.
pub(crate) fn coordinate(
    control: Control,
    tasks: &Tasks<'_>,
    mut queues: Vec<VecDeque<usize>>,
    put: &mut dyn FnMut(usize, &[u8]) -> Result<(), String>,
    health: &Health,
) {
    let Control {
        given,
        made,
        thread,
    } = control;
    let Ok(thread) = thread.recv() else {
        return;
    };
    let send = |to: usize, content: Content, bytes: Zeroizing<Vec<u8>>| {
        // Nobody takes it where the session has failed, which is seen below.
        let _ = given.send(Piece {
            from: 0,
            to: member(to),
            content,
            bytes: Secret(bytes),
        });
        thread.unpark();
    };
    for index in 0..queues.len() {
        let opening = Zeroizing::new(tasks.opening.to_vec());
        send(index + 1, Content::Opening(tasks.kind), opening);
    }
    let mut under_way: Vec<Vec<usize>> = vec![Vec::new(); queues.len()];
    loop {
        for (index, queue) in queues.iter_mut().enumerate() {
            while under_way[index].len() < AHEAD
                && let Some(task) = queue.pop_front()
            {
                under_way[index].push(task);
                send(index + 1, Content::Task(task as u64), (tasks.task)(task));
            }
        }
        if under_way.iter().all(Vec::is_empty) {
            break;
        }
        let piece = made.recv_timeout(LOOK);
        if health.has_failed() {
            return;
        }
        let collected = match piece {
            Ok(piece) => collect(&mut under_way, &piece, put),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err("the dataflow ended by itself".into()),
        };
        if let Err(what) = collected {
            health.fail(Failure::Work(what));
            return;
        }
    }
    drop(given);
    thread.unpark();
}

/// Takes what a worker made of a task that it has, and that no other has.
fn collect(
    under_way: &mut [Vec<usize>],
    piece: &Piece,
    put: &mut dyn FnMut(usize, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let Content::Made(number) = piece.content else {
        return Err("what is not made came to the coordinator".into());
    };
    let of = (piece.from as usize).checked_sub(1);
    let of = of.and_then(|index| under_way.get_mut(index));
    let place = of.and_then(|tasks| {
        let place = tasks.iter().position(|task| *task as u64 == number)?;
        Some(tasks.remove(place))
    });
    let task = place.ok_or_else(|| "a task came back that was not given out".to_owned())?;
    put(task, &piece.bytes.0)
}

/// Until every member's dataflow has ended, or the session has failed.
fn finish(worker: &mut Worker, health: &Health) {
    while worker.has_dataflows() && !health.has_failed() {
        worker.step_or_park(Some(LOOK));
    }
}
