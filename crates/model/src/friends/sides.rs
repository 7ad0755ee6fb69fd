use crate::random::{purpose, stream, unit};

/// Who is opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// t: users with fewer ratings are opened.
    pub few_below: usize,
    /// f: the share of the others that is opened for calibration.
    pub calibration_share: f64,
    /// Seed of the sample. Once a lineage: fresh samples would expose other links every time.
    pub seed: u64,
}

/// O, W and the calibration sample, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSides {
    /// O: whose rows are answered.
    pub opened: Vec<u32>,
    /// W: whose rows are uploaded.
    pub uploaded: Vec<u32>,
    /// Those of O who have ratings enough and were drawn.
    pub calibration: Vec<u32>,
}

impl OpenedSides {
    /// Of the `common` users, who have so many `ratings` each; both in order of the users.
    pub fn draw(common: &[bool], ratings: &[usize], sampling: &Sampling) -> Self {
        let mut rng = stream(sampling.seed, purpose::SIDES);
        let mut sides = Self {
            opened: Vec::new(),
            uploaded: Vec::new(),
            calibration: Vec::new(),
        };
        for ((user, &common), &ratings) in (0u32..).zip(common).zip(ratings) {
            // Drawn for everybody, so that one user's place does not depend on the others.
            let drawn = unit(&mut rng);
            let has_few = ratings < sampling.few_below;
            let is_sampled = drawn < sampling.calibration_share;
            match (common, has_few, is_sampled) {
                (false, ..) => {}
                (true, true, _) => sides.opened.push(user),
                (true, false, true) => {
                    sides.opened.push(user);
                    sides.calibration.push(user);
                }
                (true, false, false) => sides.uploaded.push(user),
            }
        }
        sides
    }

    /// Places of the calibration users within O.
    pub fn calibration_places(&self) -> Vec<usize> {
        let place = |user| self.opened.binary_search(user).ok();
        self.calibration.iter().filter_map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_common_is_on_one_side() {
        let common: Vec<bool> = (0..1000).map(|user| user % 10 != 0).collect();
        let ratings: Vec<usize> = (0..1000).map(|user| user % 7).collect();
        let sampling = Sampling {
            few_below: 3,
            calibration_share: 0.25,
            seed: 4,
        };
        let sides = OpenedSides::draw(&common, &ratings, &sampling);
        let mut all = [&sides.opened[..], &sides.uploaded[..]].concat();
        all.sort_unstable();
        let expected: Vec<u32> = (0..1000).filter(|user| user % 10 != 0).collect();
        assert_eq!(all, expected);
        assert!(sides.uploaded.iter().all(|user| user % 7 >= 3));
        let places = sides.calibration_places();
        assert_eq!(places.len(), sides.calibration.len());
        for (place, user) in places.iter().zip(&sides.calibration) {
            assert_eq!(sides.opened[*place], *user);
            assert!(user % 7 >= 3);
        }
        let share = places.len() as f64 / (places.len() + sides.uploaded.len()) as f64;
        assert!((share - 0.25).abs() < 0.06, "{share}");
        assert_eq!(OpenedSides::draw(&common, &ratings, &sampling), sides);
        // Somebody who turns active changes nobody else's side.
        let mut later = ratings.clone();
        later[1] = 100;
        let later = OpenedSides::draw(&common, &later, &sampling);
        let without = |users: &[u32]| -> Vec<u32> {
            users.iter().copied().filter(|&user| user != 1).collect()
        };
        assert_eq!(without(&later.opened), without(&sides.opened));
    }
}
