//! What an operator may choose from, and the conversation's names for it.

use clap::{Args, ValueEnum};
use s3rec_wire::v1;

/// A clap choice and its counterpart in the proto, variant by variant.
macro_rules! choice {
    ($(#[$docs:meta])* $choice:ident => $proto:ident { $($(#[$variant_docs:meta])* $variant:ident,)+ }) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub enum $choice {
            $($(#[$variant_docs])* $variant,)+
        }

        impl From<$choice> for v1::$proto {
            fn from(choice: $choice) -> Self {
                match choice {
                    $($choice::$variant => Self::$variant,)+
                }
            }
        }

        impl $choice {
            /// The number of the conversation's enumeration.
            #[must_use]
            pub fn number(self) -> i32 {
                v1::$proto::from(self).into()
            }
        }
    };
}

choice! {
    /// How the product is computed.
    ProtocolChoice => Protocol {
        /// Homomorphic encryption, one exchange per opening.
        He,
        /// Masks multiplied beforehand, plain speed online.
        Preprocessed,
        /// As preprocessed, the upload fetched by private information retrieval.
        PreprocessedPir,
        /// As he, the upload fetched by private information retrieval.
        HePir,
        /// One opening of friends' sums with noise; with the operator friends alone.
        NoiseFirst,
    }
}

choice! {
    /// How the rating platform learns.
    SolverChoice => Solver {
        /// Full-batch gradient descent, as published.
        Gd,
        /// Full-batch Adam.
        Adam,
        /// Alternating least squares.
        Als,
    }
}

choice! {
    /// What the social platform derives from the links.
    OperatorChoice => Operator {
        /// (D + E) − (S + Sᵀ), the published objective.
        Laplacian,
        /// The same, divided by degrees: spectral norm at most 2.
        NormalizedLaplacian,
        /// Every user's mean trusted user.
        OutAverage,
        /// Who is whose friend: one opening of friends' sums with noise, after which lists of
        /// users with few or no ratings are made.
        Friends,
    }
}

choice! {
    /// What of the pattern of the links the rating platform may know.
    PatternChoice => PatternPolicy {
        /// Nothing beyond the openings themselves.
        Nothing,
        /// Who has a link.
        ActiveRows,
        /// Who has a link and who is linked to.
        ActiveRowsAndColumns,
    }
}

choice! {
    /// How an opening is released.
    ReleaseChoice => ReleaseKind {
        /// The exact product. Shows the links of users who have up to about rank of them.
        Exact,
        /// Only the top bits: less traffic, not more privacy.
        Coarse,
        /// Discrete Gaussian noise, accounted in zCDP.
        Noised,
        /// Friends' sums with Gaussian noise, accounted in μ.
        Friends,
    }
}

/// The release policy with its parameters.
#[derive(Args, Clone, Debug)]
pub struct ReleaseArgs {
    /// How an opening is released: exact unless given; friends with the operator friends, which has
    /// no other.
    #[arg(long, value_enum, value_name = "KIND")]
    pub release: Option<ReleaseChoice>,
    /// coarse: bits of each value that are released.
    #[arg(long, value_name = "BITS", required_if_eq("release", "coarse"))]
    pub released_bits: Option<u32>,
    /// noised: standard deviation in units of the product.
    #[arg(long, value_name = "SIGMA", required_if_eq("release", "noised"))]
    pub noise_sigma: Option<f64>,
    /// noised: assumed bound on the norm of a row of factors.
    #[arg(long, value_name = "BETA", required_if_eq("release", "noised"))]
    pub row_norm_beta: Option<f64>,
    /// noised: the δ of the (ε, δ) statement.
    #[arg(long, value_name = "DELTA", required_if_eq("release", "noised"))]
    pub delta: Option<f64>,
    /// friends: what is opened.
    #[command(flatten)]
    pub friends: FriendsArgs,
}

/// What an opening of friends' sums is about.
#[derive(Args, Clone, Debug, Default)]
pub struct FriendsArgs {
    /// friends: μ that the opening spends; 1 unless given.
    #[arg(long, value_name = "MU")]
    pub mu: Option<f64>,
    /// friends: open everybody's sums over everybody, with √2 times the noise, instead of those of
    /// users with few ratings and a sample over the others.
    #[arg(long)]
    pub two_sided: bool,
    /// friends: open users with fewer ratings than this; 5 unless given.
    #[arg(long, value_name = "RATINGS", conflicts_with = "two_sided")]
    pub few_below: Option<u32>,
    /// friends: share of the others that is opened to learn from, drawn once for good; 0.2 unless
    /// given.
    #[arg(long, value_name = "SHARE", conflicts_with = "two_sided")]
    pub calibration_share: Option<f64>,
}

impl FriendsArgs {
    /// As the proposal states it; what is 0 the platform fills in.
    #[must_use]
    pub fn release(&self) -> v1::FriendsRelease {
        let sides = match self.two_sided {
            true => v1::Sides::Two,
            false => v1::Sides::One,
        };
        v1::FriendsRelease {
            mu: self.mu.unwrap_or_default(),
            sides: sides.into(),
            few_below: self.few_below.unwrap_or_default(),
            calibration_share: self.calibration_share.unwrap_or_default(),
            ..v1::FriendsRelease::default()
        }
    }
}

impl ReleaseArgs {
    /// The policy as the proposal states it, of an opening of friends' sums or of Y·U.
    #[must_use]
    pub fn policy(&self, of_friends: bool) -> v1::ReleasePolicy {
        let usual = match of_friends {
            true => ReleaseChoice::Friends,
            false => ReleaseChoice::Exact,
        };
        let kind = self.release.unwrap_or(usual);
        v1::ReleasePolicy {
            kind: kind.number(),
            friends: (kind == ReleaseChoice::Friends).then(|| self.friends.release()),
            released_bits: self.released_bits.unwrap_or_default(),
            noise_sigma: self.noise_sigma.unwrap_or_default(),
            row_norm_beta: self.row_norm_beta.unwrap_or_default(),
            delta: self.delta.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_reads_like_the_conversations_name() {
        for choice in OperatorChoice::value_variants() {
            let shown = choice.to_possible_value().unwrap();
            let proto = v1::Operator::from(*choice).as_str_name();
            assert_eq!(shown.get_name(), crate::output::name(proto, "OPERATOR"));
        }
    }
}
