//! Openings of friends' sums.

use s3rec_spmm::FriendsRelease;
use s3rec_spmm::noise_first::guarantee::{Guarantee, Mu};
use s3rec_spmm::noise_first::{NoiseFirstError, ParameterNumbers, Parameters, Sides, Terms};

use crate::{WireError, field, v1};

named!(sides_to_wire, sides_from_wire: Sides { One, Two }, Sides);

/// # Errors
/// [`WireError`] naming the field that is missing or out of range.
pub fn friends_release_from_wire(
    message: Option<v1::FriendsRelease>,
) -> Result<FriendsRelease, WireError> {
    let name = "release_policy.friends";
    let message = message.ok_or(WireError::Missing { field: name })?;
    let sides = sides_from_wire("release_policy.friends.sides", message.sides)?;
    let share = "release_policy.friends.calibration_share";
    let calibration_share = field::non_negative(share, message.calibration_share)?;
    if calibration_share >= 1.0 {
        return Err(WireError::Form {
            field: share,
            expected: "a share from 0 to below 1",
        });
    }
    let most = u32::from(sides == Sides::One) * 1_000_000;
    Ok(FriendsRelease {
        mu: field::positive("release_policy.friends.mu", message.mu)?,
        sides,
        few_below: field::within(
            "release_policy.friends.few_below",
            message.few_below,
            0,
            most,
        )?,
        calibration_share,
        most_opened: field::within(
            "release_policy.friends.most_opened",
            message.most_opened,
            1,
            1 << 24,
        )?,
        row_norm_bound: field::positive(
            "release_policy.friends.row_norm_bound",
            message.row_norm_bound,
        )?,
    })
}

/// The message.
#[must_use]
pub fn friends_release_to_wire(release: &FriendsRelease) -> v1::FriendsRelease {
    v1::FriendsRelease {
        mu: release.mu,
        sides: sides_to_wire(release.sides).into(),
        few_below: release.few_below,
        calibration_share: release.calibration_share,
        most_opened: release.most_opened,
        row_norm_bound: release.row_norm_bound,
    }
}

/// The message.
#[must_use]
pub fn friends_parameters_to_wire(parameters: &Parameters) -> v1::FriendsParameters {
    let (terms, numbers) = (parameters.terms(), parameters.numbers());
    v1::FriendsParameters {
        sides: sides_to_wire(terms.sides).into(),
        opened: terms.opened,
        uploaded: terms.uploaded,
        columns: terms.columns,
        row_norm_bound: terms.row_norm_bound,
        degree_bound: terms.degree_bound,
        mu: terms.mu.value(),
        slots: numbers.slots,
        secrets: numbers.secrets,
        digits: numbers.digits,
        digit_bits: numbers.digit_bits,
        upload_bits: numbers.upload_bits,
        mask_bits: numbers.mask_bits,
        body_bits: numbers.body_bits,
        public_key_bits: numbers.public_key_bits,
        key_bits: numbers.key_bits,
        sigma: numbers.sigma,
    }
}

/// Reads parameters and checks every condition of the guarantee; what they are for is the
/// receiver's to compare.
///
/// # Errors
/// [`FriendsRefused`].
pub fn friends_parameters_from_wire(
    message: &v1::FriendsParameters,
) -> Result<Parameters, FriendsRefused> {
    let terms = Terms {
        sides: sides_from_wire("friends.sides", message.sides)?,
        opened: message.opened,
        uploaded: message.uploaded,
        columns: message.columns,
        row_norm_bound: field::positive("friends.row_norm_bound", message.row_norm_bound)?,
        degree_bound: message.degree_bound,
        mu: Mu::new(message.mu).ok_or(WireError::Missing {
            field: "friends.mu",
        })?,
    };
    let numbers = ParameterNumbers {
        slots: message.slots,
        secrets: message.secrets,
        digits: message.digits,
        digit_bits: message.digit_bits,
        upload_bits: message.upload_bits,
        mask_bits: message.mask_bits,
        body_bits: message.body_bits,
        public_key_bits: message.public_key_bits,
        key_bits: message.key_bits,
        sigma: field::positive("friends.sigma", message.sigma)?,
    };
    Ok(Parameters::from_numbers(terms, &numbers)?)
}

/// Why parameters of friends' sums are not taken.
#[derive(Debug, thiserror::Error)]
pub enum FriendsRefused {
    /// A field that is missing or makes no sense.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A condition of the guarantee that they do not keep.
    #[error(transparent)]
    Condition(#[from] NoiseFirstError),
}

alike!(pub guarantee_to_wire, guarantee_from_wire: Guarantee {
    mu, rho, sensitivity, sigma, key_switch_share, epsilon, delta, prior_ceiling_5_percent,
}, Guarantee);

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_spmm::noise_first::choose;

    fn release(sides: Sides) -> FriendsRelease {
        FriendsRelease {
            mu: 1.0,
            sides,
            few_below: u32::from(sides == Sides::One) * 5,
            calibration_share: 0.2,
            most_opened: 300,
            row_norm_bound: 1.0,
        }
    }

    #[test]
    fn a_release_survives_the_wire_and_half_of_one_does_not() {
        for sides in [Sides::One, Sides::Two] {
            let message = friends_release_to_wire(&release(sides));
            let read = friends_release_from_wire(Some(message)).unwrap();
            assert_eq!(read, release(sides));
        }
        type Spoil = fn(&mut v1::FriendsRelease);
        let spoilt: [Spoil; 7] = [
            |release| release.mu = 0.0,
            |release| release.mu = f64::NAN,
            |release| release.sides = 0,
            |release| release.few_below = 2_000_000,
            |release| release.calibration_share = 1.0,
            |release| release.most_opened = 0,
            |release| release.row_norm_bound = -1.0,
        ];
        for spoil in spoilt {
            let mut message = friends_release_to_wire(&release(Sides::One));
            spoil(&mut message);
            assert!(friends_release_from_wire(Some(message)).is_err());
        }
        assert!(friends_release_from_wire(None).is_err());
    }

    #[test]
    fn parameters_survive_the_wire_and_less_noise_does_not() {
        let terms = release(Sides::One).terms((300, 400), 8, 128).unwrap();
        let parameters = choose(terms).unwrap();
        let message = friends_parameters_to_wire(&parameters);
        assert_eq!(friends_parameters_from_wire(&message).unwrap(), parameters);
        type Spoil = fn(&mut v1::FriendsParameters);
        let spoilt: [Spoil; 6] = [
            |p| p.sigma *= 0.99,
            |p| p.sigma = f64::INFINITY,
            |p| p.slots = 0,
            |p| p.digits = 99,
            |p| p.public_key_bits -= 1,
            |p| p.mu = 0.5,
        ];
        for spoil in spoilt {
            let mut message = friends_parameters_to_wire(&parameters);
            spoil(&mut message);
            assert!(
                friends_parameters_from_wire(&message).is_err(),
                "{message:?}"
            );
        }
    }
}
