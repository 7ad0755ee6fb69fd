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
    }
}

/// The release policy with its parameters.
#[derive(Args, Clone, Debug)]
pub struct ReleaseArgs {
    /// How an opening is released.
    #[arg(long, value_enum, default_value_t = ReleaseChoice::Exact, value_name = "KIND")]
    pub release: ReleaseChoice,
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
}

impl ReleaseArgs {
    /// The policy as the proposal states it.
    #[must_use]
    pub fn policy(&self) -> v1::ReleasePolicy {
        v1::ReleasePolicy {
            kind: self.release.number(),
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
