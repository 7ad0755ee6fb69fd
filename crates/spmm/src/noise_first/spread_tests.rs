//! Packs made elsewhere are the packs made here, and what is no task or no pack is refused.

use std::ops::Range;
use std::sync::Mutex;

use proptest::prelude::*;

use super::prepare::LeftOut;
use super::tests::{World, terms};
use super::*;
use crate::SpmmError;

/// Workers in this process: each range of packs at a worker of its own, in the order given.
struct Apart(Vec<Range<usize>>);

impl PackMakers for Apart {
    fn make(&self, work: &PackWork<'_>, made: &mut Packs) -> Result<(), SpmmError> {
        for packs in &self.0 {
            let worker = PackWorker::new(&work.opening()?)?;
            let bytes = worker.make(&work.task(packs.clone()))?;
            assert!(bytes.len() <= packs.len() * work.made_bytes());
            made.put(packs.clone(), &bytes)?;
        }
        Ok(())
    }
}

fn by(world: &World, makers: &dyn PackMakers) -> Result<Prepared, SpmmError> {
    let (keys, block) = (&world.social, world.block(&world.friends));
    Prepared::by(makers, keys, world.job(), block, &world.key)
}

fn why(result: Result<impl Sized, NoiseFirstError>) -> &'static str {
    match result.map(drop) {
        Err(NoiseFirstError::Task { what }) => what,
        other => panic!("{other:?}"),
    }
}

/// A-parts and the answer, which the bodies and every seed go into.
fn sent(world: &World, prepared: Prepared) -> (Vec<u8>, Vec<u8>) {
    let (_, upload) = world.upload();
    let masks = prepared.masks().to_vec();
    (masks, answer(prepared, &upload).unwrap().bytes().to_vec())
}

/// The same for groups.
struct GroupsApart(Vec<Range<usize>>);

impl GroupMakers for GroupsApart {
    fn make(&self, work: &GroupWork<'_>, made: &mut Groups) -> Result<(), SpmmError> {
        for groups in &self.0 {
            let worker = GroupWorker::new(&work.opening()?)?;
            made.put(groups.clone(), &worker.make(&work.task(groups.clone()))?)?;
        }
        Ok(())
    }
}

fn upload_by(world: &World, makers: &dyn GroupMakers) -> Result<Upload, SpmmError> {
    let rows = Rows::encode(&world.parameters, &world.rows).unwrap();
    let errors = s3rec_algebra::Seed::from_bytes([99; 32]);
    Upload::encrypt_by(makers, &world.rating, &world.job(), &rows, &errors)
}

/// The last range first: order is nobody's business.
fn ranges(percents: &[usize], all: usize) -> Vec<Range<usize>> {
    let mut ends: Vec<usize> = percents.iter().map(|cut| cut * all / 100).collect();
    ends.extend([0, all]);
    ends.sort_unstable();
    ends.dedup();
    ends.windows(2).rev().map(|ends| ends[0]..ends[1]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn packs_made_apart_are_byte_for_byte_those_made_here(
        tag in 1_u8..60,
        is_one_sided: bool,
        opened in 60_u32..700,
        uploaded in 60_u32..700,
        columns in 1_u32..14,
        cuts in proptest::collection::vec(0_usize..100, 0..4),
    ) {
        let terms = match is_one_sided {
            true => terms(Sides::One, opened, uploaded, columns),
            false => terms(Sides::Two, opened, opened, columns),
        };
        let world = World::new(tag, terms);
        let here = world.prepare(&world.friends, LeftOut::default());
        let apart = by(&world, &Apart(ranges(&cuts, world.parameters.packs()))).unwrap();
        prop_assert_eq!(sent(&world, here), sent(&world, apart));
        let (_, here) = world.upload();
        let groups = GroupsApart(ranges(&cuts, world.parameters.groups()));
        let apart = upload_by(&world, &groups).unwrap();
        prop_assert_eq!(here.bytes(), apart.bytes());
    }
}

#[test]
fn packs_that_are_left_out_or_come_twice_are_refused() {
    let world = World::new(1, terms(Sides::One, 300, 100, 12));
    assert_eq!(world.parameters.packs(), 3);
    for (ranges, expected) in [
        (std::iter::once(0..2).collect(), "some were not made"),
        (vec![0..2, 1..3], "packs came back twice"),
    ] {
        match by(&world, &Apart(ranges)).map(drop) {
            Err(SpmmError::NoiseFirst(error)) => assert_eq!(why(Err::<(), _>(error)), expected),
            other => panic!("{other:?}"),
        }
    }
}

/// Looks at a task instead of having it made.
struct Look<F>(Mutex<F>);

impl<F: FnMut(&PackWork<'_>, &mut Packs) + Send> PackMakers for Look<F> {
    fn make(&self, work: &PackWork<'_>, made: &mut Packs) -> Result<(), SpmmError> {
        self.0.lock().unwrap()(work, made);
        Ok(())
    }
}

#[test]
fn what_is_no_task_and_what_is_no_pack_is_refused() {
    let world = World::new(2, terms(Sides::One, 300, 100, 12));
    let look = |work: &PackWork<'_>, made: &mut Packs| {
        let opening = work.opening().unwrap();
        assert_eq!(
            why(PackWorker::new(&opening[1..])),
            "the opening does not read"
        );
        let long = [&opening[..], &[0]].concat();
        assert_eq!(
            why(PackWorker::new(&long)),
            "the opening has bytes behind it"
        );
        let worker = PackWorker::new(&opening).unwrap();

        let task = work.task(1..3);
        let length = "a task has another length than its numbers say";
        for end in [0, 11, 12, 500, task.len() - 1] {
            assert_eq!(why(worker.make(&task[..end])), length, "{end}");
        }
        let mut other = task.to_vec();
        other[0] += 1;
        assert_eq!(why(worker.make(&other)), length);
        other[0] -= 1;
        other[4..12].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(why(worker.make(&other)), length);
        let mut other = task.to_vec();
        // The first column: behind the degrees of 172 rows.
        other[12 + 4 * 172..][..4].copy_from_slice(&100_u32.to_le_bytes());
        let nobody = "a task names a user who uploads nothing";
        assert_eq!(why(worker.make(&other)), nobody);

        let bytes = worker.make(&task).unwrap();
        assert_eq!(
            why(made.put(2..4, &bytes)),
            "packs came back that nobody asked for"
        );
        for (packs, bytes) in [(0..2, &bytes[..]), (1..3, &bytes[1..]), (1..3, &[])] {
            let other = "packs came back in another length than they are of";
            assert_eq!(why(made.put(packs, bytes)), other);
        }
        let mut large = bytes.to_vec();
        large[bytes.len() - 8..].fill(0xff);
        let no_value = "packs came back with values that do not exist";
        assert_eq!(why(made.put(1..3, &large)), no_value);
        assert!(!made.is_made(1));
        made.put(1..3, &bytes).unwrap();
        assert!(made.is_made(1) && made.is_made(2) && !made.is_made(0) && !made.is_made(3));
    };
    let looked = by(&world, &Look(Mutex::new(look)));
    assert!(looked.is_err(), "the first pack was not made");
}

/// Looks at the tasks of an upload instead of having them made.
struct LookAtGroups<F>(Mutex<F>);

impl<F: FnMut(&GroupWork<'_>, &mut Groups) + Send> GroupMakers for LookAtGroups<F> {
    fn make(&self, work: &GroupWork<'_>, made: &mut Groups) -> Result<(), SpmmError> {
        self.0.lock().unwrap()(work, made);
        Ok(())
    }
}

#[test]
fn what_is_no_task_and_what_is_no_group_is_refused() {
    let world = World::new(3, terms(Sides::One, 100, 300, 12));
    assert_eq!(world.parameters.groups(), 3);
    let look = |work: &GroupWork<'_>, made: &mut Groups| {
        let opening = work.opening().unwrap();
        let no_opening = "the opening does not read";
        let longer = [&opening[..], &[0]].concat();
        for other in [&opening[1..], &opening[..opening.len() - 1], &longer, &[]] {
            assert_eq!(why(GroupWorker::new(other)), no_opening);
        }
        let worker = GroupWorker::new(&opening).unwrap();
        let task = work.task(1..3);
        let length = "a task has another length than its numbers say";
        for end in [0, 15, 16, 500, task.len() - 1] {
            assert_eq!(why(worker.make(&task[..end])), length, "{end}");
        }
        let mut other = task.to_vec();
        // The same rows as of groups that are not there.
        other[0] += 1;
        assert_eq!(why(worker.make(&other)), length);
        other[..8].fill(0xff);
        assert_eq!(why(worker.make(&other)), length);
        let mut other = task.to_vec();
        other[16..24].copy_from_slice(&(1_i64 << 50).to_le_bytes());
        assert_eq!(why(worker.make(&other)), "a task has a value that is none");
        // A row beyond the bound is refused by whoever encrypts it.
        other[16..24].copy_from_slice(&(1_i64 << 49).to_le_bytes());
        let refused = worker.make(&other).unwrap_err();
        assert!(
            matches!(refused, NoiseFirstError::EffectiveNorm { .. }),
            "{refused}"
        );

        let codes = worker.make(&task).unwrap();
        assert_eq!(
            why(made.put(2..4, &codes)),
            "groups came back that nobody asked for"
        );
        let other = "groups came back in another length than they are of";
        assert_eq!(why(made.put(1..3, &codes[1..])), other);
        made.put(1..3, &codes).unwrap();
        assert_eq!(why(made.put(2..3, &codes)), "groups came back twice");
    };
    let looked = upload_by(&world, &LookAtGroups(Mutex::new(look)));
    assert!(looked.is_err(), "the first group was not made");
}
