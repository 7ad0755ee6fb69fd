//! Exact bounds on a probability from a count (Clopper and Pearson), and normal quantiles.

/// The largest p under which `hits` or more of `trials` have a chance of at most `level`.
pub(super) fn lower(hits: u64, trials: u64, level: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    // P(X ≥ hits) = I_p(hits, trials − hits + 1), which rises with p.
    let (a, b) = (hits as f64, (trials - hits) as f64 + 1.0);
    bisect(|p| incomplete_beta(a, b, p) > level)
}

/// The smallest p under which `hits` or fewer have a chance of at most `level`.
pub(super) fn upper(hits: u64, trials: u64, level: f64) -> f64 {
    1.0 - lower(trials - hits, trials, level)
}

/// Φ⁻¹.
pub(super) fn quantile(probability: f64) -> f64 {
    let phi = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    80.0 * bisect(|x| phi(80.0 * x - 40.0) > probability) - 40.0
}

/// The least number in [0, 1] from which on it holds.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated after Lentz).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (-x).ln_1p();
    let away = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut fraction) = (1.0, d);
    for step in 1..2000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front.exp() * fraction / a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sums of binomial probabilities.
    #[test]
    fn bounds_are_where_the_tail_is_the_level() {
        let tail = |hits: u64, trials: u64, p: f64| -> f64 {
            let mut sum = 0.0;
            for k in hits..=trials {
                let (k, n) = (k as f64, trials as f64);
                let choose =
                    libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
                sum += (choose + k * p.ln() + (n - k) * (1.0 - p).ln()).exp();
            }
            sum
        };
        for (hits, trials) in [(1, 20), (7, 20), (19, 20), (300, 1000), (650, 700)] {
            let p = lower(hits, trials, 0.0125);
            assert!(
                (tail(hits, trials, p) - 0.0125).abs() < 1e-7,
                "{hits} {trials}"
            );
            let p = upper(hits, trials, 0.0125);
            assert!((1.0 - tail(hits + 1, trials, p) - 0.0125).abs() < 1e-7);
        }
        // In closed form.
        assert!((lower(50, 50, 0.05) - 0.05f64.powf(0.02)).abs() < 1e-10);
        assert_eq!(lower(0, 50, 0.05), 0.0);
        assert!((upper(0, 50, 0.05) - (1.0 - 0.05f64.powf(0.02))).abs() < 1e-10);
    }

    #[test]
    fn quantiles_are_those_of_tables() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_985), (1e-3, -3.090_232_306)] {
            assert!((quantile(p) - z).abs() < 1e-6, "{p}");
        }
    }
}
