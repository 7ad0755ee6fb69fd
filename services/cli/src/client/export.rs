//! A model's numbers, gathered from their chunks.

use s3rec_wire::v1;
use v1::model_chunk::Part;
use v1::model_rows::Side;

use super::RatingClient;
use crate::failure::Failure;

/// A whole model.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ExportedModel {
    /// Which.
    pub model_id: String,
    /// μ, in rating units.
    pub global_mean: f64,
    /// k.
    pub rank: usize,
    /// b and U, in the platform's order.
    pub users: Vec<ExportedRow>,
    /// c and V, in the platform's order.
    pub items: Vec<ExportedRow>,
}

/// One user or item.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ExportedRow {
    /// As in the ratings file.
    pub id: String,
    /// In rating units.
    pub bias: f64,
    /// `rank` of them.
    pub factors: Vec<f64>,
}

/// Fetches a model; an empty `model_id` means the newest.
///
/// # Errors
/// [`Failure::Refused`], or [`Failure::Incomplete`] when rows are missing, doubled or misshapen.
pub async fn export(client: &mut RatingClient, model_id: &str) -> Result<ExportedModel, Failure> {
    let request = v1::ExportModelRequest {
        model_id: model_id.to_owned(),
    };
    let mut chunks = client.export_model(request).await?.into_inner();
    let mut gathering = Gathering::default();
    while let Some(chunk) = chunks.message().await? {
        gathering.chunk(chunk)?;
    }
    gathering.finish()
}

/// A model from its chunks, as [`export`] joins them.
///
/// # Errors
/// [`Failure::Incomplete`] when rows are missing, doubled or misshapen.
pub fn gather(chunks: impl IntoIterator<Item = v1::ModelChunk>) -> Result<ExportedModel, Failure> {
    let mut gathering = Gathering::default();
    for chunk in chunks {
        gathering.chunk(chunk)?;
    }
    gathering.finish()
}

#[derive(Default)]
struct Gathering {
    header: Option<v1::ModelHeader>,
    model: ExportedModel,
}

impl Gathering {
    fn chunk(&mut self, chunk: v1::ModelChunk) -> Result<(), Failure> {
        match chunk.part {
            Some(Part::Header(header)) => self.header(header),
            Some(Part::Rows(rows)) => self.rows(rows),
            None => Err(Failure::Incomplete {
                missing: "a chunk's content",
            }),
        }
    }

    fn header(&mut self, header: v1::ModelHeader) -> Result<(), Failure> {
        self.model.model_id.clone_from(&header.model_id);
        self.model.global_mean = header.global_mean;
        self.model.rank = usize::try_from(header.rank).unwrap_or(usize::MAX);
        match self.header.replace(header) {
            None => Ok(()),
            Some(_) => Err(Failure::Incomplete {
                missing: "order: a second header came",
            }),
        }
    }

    fn rows(&mut self, rows: v1::ModelRows) -> Result<(), Failure> {
        let rank = self.model.rank;
        let target = match rows.side() {
            Side::User => &mut self.model.users,
            Side::Item => &mut self.model.items,
            Side::Unspecified => {
                return Err(Failure::Incomplete {
                    missing: "the side of rows",
                });
            }
        };
        let expected_values = rows.ids.len().checked_mul(rank);
        if self.header.is_none()
            || rows.first_row != length(target)
            || rows.biases.len() != rows.ids.len()
            || expected_values != Some(rows.factors.len())
        {
            return Err(Failure::Incomplete {
                missing: "a well-formed run of rows",
            });
        }
        let mut factors = rows.factors.as_slice();
        for (id, bias) in rows.ids.into_iter().zip(rows.biases) {
            let (row, rest) = factors.split_at(rank);
            factors = rest;
            target.push(ExportedRow {
                id,
                bias,
                factors: row.to_vec(),
            });
        }
        Ok(())
    }

    fn finish(self) -> Result<ExportedModel, Failure> {
        let header = self.header.ok_or(Failure::Incomplete {
            missing: "the model's header",
        })?;
        let model = self.model;
        if length(&model.users) != header.users || length(&model.items) != header.items {
            return Err(Failure::Incomplete {
                missing: "the model's last rows",
            });
        }
        Ok(model)
    }
}

fn length(rows: &[ExportedRow]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> v1::ModelHeader {
        v1::ModelHeader {
            rank: 2,
            users: 2,
            items: 0,
            ..Default::default()
        }
    }

    fn rows(first_row: u64, factors: usize) -> v1::ModelRows {
        v1::ModelRows {
            side: Side::User.into(),
            first_row,
            ids: vec!["a".into()],
            biases: vec![0.5],
            factors: vec![1.0; factors],
        }
    }

    #[test]
    fn runs_of_rows_join() {
        let mut gathering = Gathering::default();
        gathering.header(header()).unwrap();
        gathering.rows(rows(0, 2)).unwrap();
        gathering.rows(rows(1, 2)).unwrap();
        assert_eq!(gathering.finish().unwrap().users.len(), 2);
    }

    #[test]
    fn missing_doubled_and_misshapen_rows_are_noticed() {
        let start = || {
            let mut gathering = Gathering::default();
            gathering.header(header()).unwrap();
            gathering.rows(rows(0, 2)).unwrap();
            gathering
        };
        assert!(start().finish().is_err());
        assert!(start().rows(rows(0, 2)).is_err());
        assert!(start().rows(rows(1, 3)).is_err());
        assert!(start().header(header()).is_err());
        assert!(Gathering::default().rows(rows(0, 0)).is_err());
    }
}
