//! How fast this machine prepares an opening, by links that nobody has.

use std::sync::OnceLock;
use std::time::Instant;

use s3rec_algebra::{PublicSeed, Seed};

use super::guarantee::Mu;
use super::{
    Friends, NoiseFirstError, Opening, Prepared, RatingKeys, SessionSeeds, Sides, SocialKeys,
    Split, Terms, choose,
};
use crate::cost;

/// Packs that each thread makes: a tenth of a second in all.
const PACKS: usize = 1;
/// Distances on a circle of users at which everybody has a friend either way.
const DISTANCES: u32 = 10;
/// Users of whom parameters are chosen before their packs are known.
const USERS: u32 = 1 << 14;
/// Times that it is made: the fastest counts.
const TRIES: usize = 3;
/// How much longer the same work may take beside whatever else the machine does.
const ROOM: f64 = 1.5;

/// What P1's machine needs of the seconds that are stated for one core of a slow one. It says
/// something of the machine and nothing of the links, so a public time may follow from it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct MachinePace(f64);

impl MachinePace {
    /// The stated seconds: what the other platform counts with, who knows nothing of the machine.
    pub const STATED: Self = Self(1.0);

    /// This process on its threads, measured when it is first asked for and not again: the times of
    /// one job are those of another. It must be asked for before links are read, so that nothing
    /// that follows them is under way meanwhile. Never slower than [`Self::STATED`], which was
    /// agreed on.
    pub fn measured() -> Self {
        static MEASURED: OnceLock<MachinePace> = OnceLock::new();
        *MEASURED.get_or_init(|| measure().unwrap_or(Self::STATED))
    }

    /// The share, above 0 and 1 at most.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }
}

fn measure() -> Result<MachinePace, NoiseFirstError> {
    let of = |users| Terms {
        sides: Sides::Two,
        opened: users,
        uploaded: users,
        columns: 8,
        row_norm_bound: 1.0,
        degree_bound: 4 * DISTANCES,
        mu: Mu::ONE,
    };
    let packs = PACKS * rayon::current_num_threads();
    let users = choose(of(USERS))?.places() * packs;
    let users = u32::try_from(users).unwrap_or(USERS);
    let parameters = choose(of(users))?;
    let circle = (0..users).flat_map(|user| {
        (1..=DISTANCES).map(move |distance| (user, (user + distance * distance) % users))
    });
    let friends = Friends::from_links(users, circle)?;
    let fresh = || Seed::generate().map_err(NoiseFirstError::from);
    let seeds = SessionSeeds {
        rating: fresh()?.derive_public("s3rec pace", &[b"rating"]),
        social: fresh()?.derive_public("s3rec pace", &[b"social"]),
    };
    let keys = RatingKeys::generate(&parameters, &seeds, &fresh()?)?;
    let keys = SocialKeys::accept(&parameters, &seeds, keys.message())?;
    let opening = Opening {
        number: 1,
        mask_seed: PublicSeed::combine("s3rec pace", &[seeds.rating.as_bytes()]),
    };
    let (split, key) = (Split::two_sided(users), fresh()?);
    // The first is slow whatever the machine: memory and threads are new.
    let mut seconds = f64::INFINITY;
    for _ in 0..TRIES {
        let began = Instant::now();
        drop(Prepared::new(
            &keys, &[0; 32], &split, &opening, &friends, &key,
        )?);
        seconds = began.elapsed().as_secs_f64().min(seconds);
    }
    let links = u64::from(users) * u64::from(DISTANCES);
    let stated = cost::friends_prepare_seconds(&parameters, links);
    Ok(MachinePace((ROOM * seconds / stated).clamp(0.01, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is measured once, and what is stated holds on any machine that is to be used.
    #[test]
    fn the_pace_is_measured_once_and_is_no_slower_than_stated() {
        let first = MachinePace::measured();
        assert!(first.share() > 0.0 && first <= MachinePace::STATED);
        assert_eq!(MachinePace::measured(), first);
        let again = measure().unwrap();
        assert!(again.share() > first.share() / 20.0, "{again:?} {first:?}");
    }
}
