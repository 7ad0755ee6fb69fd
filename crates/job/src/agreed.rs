use s3rec_spmm::ProductParameters;
use s3rec_spmm::noise_first;
use serde::{Deserialize, Serialize};

/// The parameters that both platforms agreed on, by what is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AgreedParameters {
    /// Of Y·U, round by round.
    Product(ProductParameters),
    /// Of one opening of friends' sums.
    Friends(noise_first::Parameters),
}

impl AgreedParameters {
    /// Rows that P1 answers: of an opening, so many values a column.
    #[must_use]
    pub fn returned_rows(&self) -> u32 {
        match self {
            Self::Product(parameters) => parameters.returned_rows,
            Self::Friends(parameters) => parameters.terms().opened,
        }
    }

    /// L; none for friends' sums, whose sensitivity does not depend on it.
    #[must_use]
    pub fn row_norm_bound(&self) -> Option<u64> {
        self.product().map(|parameters| parameters.row_norm_bound)
    }

    /// Those of Y·U.
    #[must_use]
    pub fn product(&self) -> Option<&ProductParameters> {
        match self {
            Self::Product(parameters) => Some(parameters),
            Self::Friends(_) => None,
        }
    }

    /// Those of friends' sums.
    #[must_use]
    pub fn friends(&self) -> Option<&noise_first::Parameters> {
        match self {
            Self::Product(_) => None,
            Self::Friends(parameters) => Some(parameters),
        }
    }
}

impl From<ProductParameters> for AgreedParameters {
    fn from(parameters: ProductParameters) -> Self {
        Self::Product(parameters)
    }
}

impl From<noise_first::Parameters> for AgreedParameters {
    fn from(parameters: noise_first::Parameters) -> Self {
        Self::Friends(parameters)
    }
}
