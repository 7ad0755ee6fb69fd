//! Alternating between users and items, exactly or by steps of conjugate gradients.

use super::ListsSettings;
use super::gradients::HalfStep;
use super::half_step::{diagonalise, solve_all};
use super::model::decay_of;
use super::single::SingleRows;
use crate::eigen::Eigen;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// Steps at most for what is kept of the users: until nothing changes in single precision.
const LAST_STEPS: u32 = 32;

/// What is learnt: users, items in the basis in which `diagonal` is α·VᵀV.
pub(super) struct Swept {
    pub(super) users: RealMatrix,
    pub(super) items: RealMatrix,
    pub(super) diagonal: Vec<f64>,
}

/// Learns from confidences, starting with `items`. The last half sweep is the users', so that they
/// are what a fold-in would give.
pub(super) fn swept(observed: &RatingMatrix, items: RealMatrix, settings: &ListsSettings) -> Swept {
    match settings.gradient_steps {
        0 => exactly(observed, items, settings),
        steps => by_gradients(observed, &items, (settings, steps)),
    }
}

fn exactly(observed: &RatingMatrix, items: RealMatrix, settings: &ListsSettings) -> Swept {
    let (all_users, all_items) = (observed.users() as f64, observed.items() as f64);
    let alpha = settings.unobserved_weight;
    let user_rows = |user: usize| observed.by_user(user);
    let item_rows = |item: usize| observed.by_item(item);
    let of_user = |user: usize| decay_of(settings, user_rows(user).0.len(), all_items);
    let of_item = |item: usize| decay_of(settings, item_rows(item).0.len(), all_users);
    let mut swept = Swept {
        users: RealMatrix::zeros(observed.users(), settings.rank),
        items,
        diagonal: Vec::new(),
    };
    let Swept {
        users,
        items,
        diagonal,
    } = &mut swept;
    for sweep in 0..=settings.sweeps {
        *diagonal = diagonalise(items, alpha);
        solve_all(users, items, diagonal, of_user, user_rows);
        if sweep < settings.sweeps {
            let diagonal = diagonalise(users, alpha);
            solve_all(items, users, &diagonal, of_item, item_rows);
        }
    }
    swept
}

fn by_gradients(
    observed: &RatingMatrix,
    items: &RealMatrix,
    (settings, steps): (&ListsSettings, u32),
) -> Swept {
    let (all_users, all_items) = (observed.users() as f64, observed.items() as f64);
    let user_rows = |user: usize| observed.by_user(user);
    let item_rows = |item: usize| observed.by_item(item);
    let of_user = |user: usize| decay_of(settings, user_rows(user).0.len(), all_items);
    let of_item = |item: usize| decay_of(settings, item_rows(item).0.len(), all_users);
    let mut items = SingleRows::of(items);
    let mut users = SingleRows::zeros(observed.users(), settings.rank);
    let mut sweep = 0;
    loop {
        let (diagonal, turn) = basis(&mut items, settings);
        let mut half = HalfStep {
            other: &items,
            diagonal: &diagonal,
            turn: &turn,
            steps,
        };
        if sweep == settings.sweeps {
            half.steps = LAST_STEPS;
            half.improve(&mut users, of_user, user_rows);
            return Swept {
                users: users.to_real(),
                items: items.to_real(),
                diagonal,
            };
        }
        half.improve(&mut users, of_user, user_rows);
        let (diagonal, turn) = basis(&mut users, settings);
        let half = HalfStep {
            other: &users,
            diagonal: &diagonal,
            turn: &turn,
            steps,
        };
        half.improve(&mut items, of_item, item_rows);
        sweep += 1;
    }
}

/// Turns `rows` into the basis of their Gramian; α times that, a diagonal, and what turns into it.
fn basis(rows: &mut SingleRows, settings: &ListsSettings) -> (Vec<f64>, SingleRows) {
    let eigen = Eigen::of(rows.gramian(), settings.rank);
    let turn = SingleRows::of(&eigen.vectors);
    rows.turn(&turn);
    let alpha = settings.unobserved_weight;
    let values = eigen.values.iter();
    (values.map(|g| alpha * g.max(0.0)).collect(), turn)
}
