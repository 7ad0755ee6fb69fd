//! Factors of a recommender of the platform's own: how their files are read, committed to and told
//! of, and how they take the place of the built-in ones.

use s3rec_data::{FactorOptions, FactorSet, RatingSet, Vectors};
use s3rec_model::ModelError;
use s3rec_model::lists::{ListsModel, ListsSettings, OwnFactors};
use s3rec_node::datasets::header::id_rule;
use s3rec_node::datasets::{Content, Datasets, Files, Tables, Unread};
use s3rec_node::versions::Commitment;
use s3rec_sparse::RatingMatrix;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tonic::Streaming;

use crate::imports::RatingDatasets;

/// The further file of an import: items' factors.
const ITEMS: &str = "items";

/// What is imported.
pub(crate) struct Factors;

/// Data sets of factors.
pub(crate) type FactorDatasets = Datasets<Factors>;

impl Content for Factors {
    const FOLDER: &'static str = "factors";
    const ROWS: &'static str = "factors";
    const TABLES: Tables = Tables::FACTORS;
    const PARTS: &'static [&'static str] = &[ITEMS];
    type Data = FactorSet;
    type Imported = v1::ImportFactorsResponse;

    fn read(files: &Files, header: &v1::FileHeader, limit_bytes: u64) -> Result<FactorSet, Unread> {
        let options = FactorOptions {
            ids: id_rule(header),
            max_bytes: limit_bytes,
        };
        let items = files.other(ITEMS).map(|(path, _)| path);
        Ok(FactorSet::read(files.main(), items, &options)?)
    }

    /// Users' vectors in the order of their ids, then items'.
    fn commit(factors: &FactorSet, commitment: &mut Commitment) -> Result<(), Fault> {
        let sides = [Some(&factors.users), factors.items.as_ref()];
        for (side, vectors) in [b"users", b"items"].into_iter().zip(sides) {
            let Some(vectors) = vectors else { continue };
            commitment.row(&[b"", side]);
            let mut named: Vec<(&str, u32)> = vectors.ids.names().zip(0u32..).collect();
            named.sort_unstable();
            for (id, place) in named {
                let row = vectors.row(place).iter();
                let bytes: Vec<u8> = row.flat_map(|value| value.to_le_bytes()).collect();
                commitment.row(&[id.as_bytes(), &bytes]);
            }
        }
        Ok(())
    }

    fn imported(factors: &FactorSet, header: &v1::FileHeader) -> v1::ImportFactorsResponse {
        let report = &factors.report;
        v1::ImportFactorsResponse {
            dataset: header.dataset.clone(),
            ratings: header.ratings.clone(),
            users: report.users as u64,
            zero_users: report.zero_users as u64,
            items: report.items as u64,
            width: u32::try_from(report.width).unwrap_or(u32::MAX),
            reading: Some(v1::DataReading {
                read_as: report.read_as.clone(),
                sample_users: report.sample_users.clone(),
                sample_items: report.sample_items.clone(),
                ..v1::DataReading::default()
            }),
        }
    }

    fn sizes(imported: &v1::ImportFactorsResponse) -> (u64, u64) {
        (imported.users, imported.users + imported.items)
    }
}

/// Imports factors whose ids the ratings that they go with know.
///
/// # Errors
/// [`Reason::InvalidFile`] naming the row, or whatever an import may end in.
pub(crate) async fn import(
    factors: &FactorDatasets,
    ratings: &RatingDatasets,
    chunks: Streaming<v1::FileChunk>,
    who: &str,
) -> Result<v1::ImportFactorsResponse, Fault> {
    let ratings = ratings.clone();
    let imported = factors.import_checked(chunks, who, move |header, factors| {
        check(&ratings, header, factors)
    });
    imported.await
}

fn check(
    ratings: &RatingDatasets,
    header: &v1::FileHeader,
    factors: &FactorSet,
) -> Result<(), Fault> {
    let name = ratings.choose(&header.ratings)?;
    if ratings.id_rule(name.as_str())? != id_rule(header) {
        let message = format!("the ids of {name} follow another rule; fold their case alike");
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "fold_case"));
    }
    let known = ratings.newest(&name)?;
    let file = std::path::Path::new(&header.file_name);
    let checked = factors.check_known(file, &known.users, &known.items);
    checked.map_err(|error| {
        Fault::new(Reason::InvalidFile, error.to_string()).at("file", &header.file_name)
    })
}

/// The factors of a data set in the place of the built-in ones, over `base`: the ratings of
/// everybody but the calibration users, users and items as in `ratings`.
///
/// # Errors
/// [`ModelError::OwnFactors`] where they say nothing of what users chose.
pub fn model(
    factors: &FactorSet,
    ratings: &RatingSet,
    base: &RatingMatrix,
    settings: &ListsSettings,
) -> Result<ListsModel, ModelError> {
    fn row<'v>(vectors: &'v Vectors, id: Option<&str>) -> Option<&'v [f32]> {
        Some(vectors.row(vectors.ids.find(id?)?))
    }
    let user = |index| row(&factors.users, ratings.users.name(index));
    let items = factors.items.as_ref();
    let item = |index| row(items?, ratings.items.name(index));
    let own = OwnFactors {
        width: factors.users.width,
        user: &user,
        item: items.is_some().then_some(&item),
    };
    ListsModel::imported(base, settings, own)
}
