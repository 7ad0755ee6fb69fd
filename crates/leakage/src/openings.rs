//! One exact opening as in the paper, attacked by matching, whichever operator it is of.
//!
//! | operator | a row shows |
//! |---|---|
//! | `laplacian` | its user's factors times the weight of all links, less each neighbour's, twice where both trust each other |
//! | `normalized-laplacian` | its user's factors less each neighbour's times a coefficient from 0 to 1 |
//! | `out-average` | the mean of the factors of whom the user trusts |

use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::{OperatorKind, SocialOperator};

use crate::linear::{Cholesky, add, dot};
use crate::matching::{Puzzle, Table, peel};
use crate::metrics::Scored;
use crate::release::EXACT_UNIT;
use crate::{LeakageError, Study};

/// Neighbours of one user that are searched for at most where coefficients are unknown.
const MOST_GREEDY: usize = 5;

/// Scores of every pair after one exact opening of the study's factors.
///
/// # Errors
/// [`LeakageError::Nothing`] for friends' sums, which are no opening of the paper's.
pub(crate) fn scores(study: &Study, kind: OperatorKind) -> Result<Vec<Scored>, LeakageError> {
    let mut factors = study.soreg_rows.clone();
    for value in factors.values_mut() {
        *value = (*value / EXACT_UNIT).round() * EXACT_UNIT;
    }
    let operator = SocialOperator::build(kind, &study.social);
    let product = operator.multiply_real(&factors)?;
    let found = match kind {
        OperatorKind::Laplacian => {
            let puzzle = Laplacian { factors, product };
            peel(&Table::new(&puzzle.factors, EXACT_UNIT, 4), &puzzle)
        }
        OperatorKind::OutAverage => {
            let puzzle = OutAverage { product };
            // Weights are rounded to units of 2^−f_y, and sums of four could not be told apart.
            let unit = (-f64::from(kind.weight_bits())).exp2();
            peel(&Table::new(&factors, unit, 3), &puzzle)
        }
        OperatorKind::NormalizedLaplacian => normalized(&factors, &product),
        OperatorKind::Friends => {
            let message =
                "friends' sums are no opening of the paper's: they are studied as releases";
            return Err(LeakageError::Nothing(message.into()));
        }
    };
    let users = u32::try_from(study.users()).unwrap_or(u32::MAX);
    let mut is_found = vec![false; study.users() * study.users()];
    let mut find = |a: usize, b: usize| is_found[a.min(b) * study.users() + a.max(b)] = true;
    for (row, found) in found.iter().enumerate() {
        found.iter().for_each(|&column| find(row, column as usize));
    }
    let pairs = (0..users).flat_map(|row| (row + 1..users).map(move |other| (row, other)));
    let scored = pairs.zip(
        (0..study.users()).flat_map(|row| &is_found[row * study.users()..][row + 1..study.users()]),
    );
    Ok(scored
        .map(|((row, other), &found)| {
            let linked = study.friends.of(row).binary_search(&other).is_ok();
            (f32::from(u8::from(found)), linked)
        })
        .collect())
}

struct Laplacian {
    factors: RealMatrix,
    product: RealMatrix,
}

impl Puzzle for Laplacian {
    fn rows(&self) -> usize {
        self.product.rows()
    }

    fn target(&self, row: usize, known: &[u32], count: usize) -> Vec<f64> {
        let weight = (known.len() + count) as f64;
        let mut rest = self.factors.row(row).to_vec();
        rest.iter_mut().for_each(|x| *x *= weight);
        add(&mut rest, self.product.row(row), -1.0);
        for &column in known {
            add(&mut rest, self.factors.row(column as usize), -1.0);
        }
        rest
    }

    fn fits(&self, row: usize, known: &[u32], found: &[u32]) -> bool {
        found.iter().all(|&column| {
            let times = found.iter().filter(|&&other| other == column).count();
            column as usize != row && !known.contains(&column) && times <= 2
        })
    }

    fn mirrored(&self) -> bool {
        true
    }
}

struct OutAverage {
    product: RealMatrix,
}

impl Puzzle for OutAverage {
    fn rows(&self) -> usize {
        self.product.rows()
    }

    fn target(&self, row: usize, _: &[u32], count: usize) -> Vec<f64> {
        let mean = self.product.row(row).iter();
        mean.map(|x| x * count.max(1) as f64).collect()
    }

    fn fits(&self, row: usize, _: &[u32], found: &[u32]) -> bool {
        let is_other = found.iter().all(|&column| column as usize != row);
        is_other && found.windows(2).all(|pair| pair[0] != pair[1])
    }

    fn mirrored(&self) -> bool {
        false
    }
}

/// A neighbour and its coefficient.
type Part = (u32, f64);

/// One or two neighbours are found by trying all, up to five by taking the nearest direction again
/// and again; what remains must be zero. What one row shows of a link is subtracted from the other.
fn normalized(factors: &RealMatrix, product: &RealMatrix) -> Vec<Vec<u32>> {
    let users = factors.rows();
    let products: Vec<f64> = (0..users)
        .into_par_iter()
        .flat_map_iter(|a| (0..users).map(move |b| dot(factors.row(a), factors.row(b))))
        .collect();
    let search = Search {
        factors,
        products,
        off: 8.0 * EXACT_UNIT * (factors.columns() as f64).sqrt(),
    };
    let mut known = vec![Vec::<Part>::new(); users];
    let mut is_done = vec![false; users];
    let mut is_fresh = vec![true; users];
    loop {
        let tried: Vec<usize> = (0..users)
            .filter(|&row| !is_done[row] && is_fresh[row])
            .collect();
        let found: Vec<(usize, Vec<Part>)> = tried
            .par_iter()
            .filter_map(|&row| {
                let mut rest = factors.row(row).to_vec();
                add(&mut rest, product.row(row), -1.0);
                // A user without links has a row of zeros.
                if dot(product.row(row), product.row(row)) == 0.0 {
                    return Some((row, Vec::new()));
                }
                for &(column, coefficient) in &known[row] {
                    add(&mut rest, factors.row(column as usize), -coefficient);
                }
                Some((row, search.explain(row, &rest)?))
            })
            .collect();
        tried.iter().for_each(|&row| is_fresh[row] = false);
        if found.is_empty() {
            break;
        }
        found.iter().for_each(|(row, _)| is_done[*row] = true);
        for (row, parts) in found {
            for (column, coefficient) in parts {
                known[row].push((column, coefficient));
                let other = column as usize;
                if !is_done[other] {
                    let row = u32::try_from(row).unwrap_or(u32::MAX);
                    known[other].push((row, coefficient));
                    is_fresh[other] = true;
                }
            }
        }
    }
    let columns = |parts: Vec<Part>| parts.into_iter().map(|part| part.0).collect();
    known.into_iter().map(columns).collect()
}

struct Search<'a> {
    factors: &'a RealMatrix,
    /// Inner products of all factors.
    products: Vec<f64>,
    /// Length of what may remain.
    off: f64,
}

impl Search<'_> {
    /// The few neighbours whose factors, times coefficients, are `rest`.
    fn explain(&self, row: usize, rest: &[f64]) -> Option<Vec<Part>> {
        if dot(rest, rest).sqrt() <= self.off {
            return Some(Vec::new());
        }
        let users = self.factors.rows();
        let along: Vec<f64> = (0..users).map(|f| dot(self.factors.row(f), rest)).collect();
        let square = dot(rest, rest);
        let own = |f: usize| self.products[f * users + f];
        let usable = |f: &usize| *f != row && own(*f) > 0.0;
        // Rounding of the formula for two leaves about 10⁻¹⁴ of the square.
        let near = 4.0 * self.off * self.off + 1e-12 * square;
        let one = (0..users).filter(usable);
        let one = one.filter(|&f| square - along[f] * along[f] / own(f) <= near);
        for f in one {
            if let Some(parts) = self.fit(rest, &[f]) {
                return Some(parts);
            }
        }
        for f in (0..users).filter(usable) {
            for g in (f + 1..users).filter(usable) {
                let both = self.products[f * users + g];
                let area = own(f) * own(g) - both * both;
                let (a, b) = (along[f], along[g]);
                let explained = a * a * own(g) - 2.0 * a * b * both + b * b * own(f);
                if square * area - explained <= near * area
                    && let Some(parts) = self.fit(rest, &[f, g])
                {
                    return Some(parts);
                }
            }
        }
        let mut chosen = Vec::new();
        let mut left = rest.to_vec();
        while chosen.len() < MOST_GREEDY.min(rest.len() - 1) {
            let angle = |f: &usize| dot(self.factors.row(*f), &left) / own(*f).sqrt();
            let others = (0..users).filter(usable).filter(|f| !chosen.contains(f));
            let next = others.max_by(|a, b| angle(a).total_cmp(&angle(b)))?;
            chosen.push(next);
            if let Some(parts) = self.fit(rest, &chosen) {
                return Some(parts);
            }
            left = rest.to_vec();
            for (f, coefficient) in self.least_squares(rest, &chosen) {
                add(&mut left, self.factors.row(f as usize), -coefficient);
            }
        }
        None
    }

    fn least_squares(&self, rest: &[f64], users: &[usize]) -> Vec<Part> {
        let all = self.factors.rows();
        let gram = users
            .iter()
            .flat_map(|&f| users.iter().map(move |&g| (f, g)));
        let gram = gram.map(|(f, g)| self.products[f * all + g]).collect();
        let mut coefficients: Vec<f64> = users
            .iter()
            .map(|&f| dot(self.factors.row(f), rest))
            .collect();
        Cholesky::of(gram, users.len()).solve(&mut coefficients);
        let named = users.iter().map(|&f| u32::try_from(f).unwrap_or(u32::MAX));
        named.zip(coefficients).collect()
    }

    /// Their coefficients, if these make sense and nothing remains.
    fn fit(&self, rest: &[f64], users: &[usize]) -> Option<Vec<Part>> {
        let parts = self.least_squares(rest, users);
        let mut left = rest.to_vec();
        for &(f, coefficient) in &parts {
            if !(1e-3..=1.01).contains(&coefficient) {
                return None;
            }
            add(&mut left, self.factors.row(f as usize), -coefficient);
        }
        (dot(&left, &left).sqrt() <= self.off).then_some(parts)
    }
}
