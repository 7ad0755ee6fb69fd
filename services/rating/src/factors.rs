//! Factors of a recommender of the platform's own: how their files are read, committed to and told
//! of, and how they take the place of the built-in ones.

use s3rec_data::{
    FactorOptions, FactorSet, FileHeader, IdRule, IdTable, ImportedFactors, RatingSet, Vectors,
};
use s3rec_job::{DataVersion, JobId, Proposal};
use s3rec_model::ModelError;
use s3rec_model::lists::{ListsModel, ListsSettings, OwnFactors};
use s3rec_node::datasets::header::id_rule;
use s3rec_node::datasets::{Content, Datasets, Files, JobCopy, Tables, Unread};
use s3rec_node::spool::Upload;
use s3rec_node::versions::Commitment;
use s3rec_sparse::RatingMatrix;
use s3rec_wire::status::{Fault, Reason};

use crate::imports::{Ratings, blocking};

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
    type Imported = ImportedFactors;

    fn read(files: &Files, header: &FileHeader, limit_bytes: u64) -> Result<FactorSet, Unread> {
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

    fn imported(factors: &FactorSet, header: &FileHeader) -> ImportedFactors {
        ImportedFactors {
            dataset: header.dataset.clone(),
            ratings: header.ratings.clone(),
            report: factors.report.clone(),
        }
    }

    fn sizes(imported: &ImportedFactors) -> (u64, u64) {
        let report = &imported.report;
        (report.users as u64, (report.users + report.items) as u64)
    }
}

/// Imports factors whose ids the ratings that they go with know.
///
/// # Errors
/// [`Reason::InvalidFile`] naming the row, or whatever an import may end in.
pub(crate) async fn import(
    factors: &FactorDatasets,
    ratings: &Datasets<Ratings>,
    chunks: Upload,
    who: &str,
) -> Result<ImportedFactors, Fault> {
    let ratings = ratings.clone();
    let imported = factors.import_checked(chunks, who, move |header, factors| {
        check(&ratings, header, factors)
    });
    imported.await
}

fn check(
    ratings: &Datasets<Ratings>,
    header: &FileHeader,
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

/// Gives a job its own copy of factors, if its request names some; they must go with its ratings.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming what the ratings do not know, [`Reason::NotFound`].
pub(crate) async fn copy<'a>(
    factors: &'a FactorDatasets,
    name: &str,
    job: JobId,
    (ratings, ids): (&RatingSet, IdRule),
) -> Result<Option<JobCopy<'a, Factors>>, Fault> {
    if name.is_empty() {
        return Ok(None);
    }
    let copy = factors.copy(&factors.choose(name)?, job)?;
    go_together(name, copy.id_rule, ids)?;
    are_known(name, &factors.load(&job.to_string()).await?, ratings)?;
    Ok(Some(copy))
}

/// The version of the factors that a request names, if it names some; they must go with its ratings.
///
/// # Errors
/// As [`copy`].
pub(crate) async fn checked(
    factors: &FactorDatasets,
    name: &str,
    (ratings, ids): (&RatingSet, IdRule),
) -> Result<Option<DataVersion>, Fault> {
    if name.is_empty() {
        return Ok(None);
    }
    let dataset = factors.choose(name)?;
    go_together(name, factors.id_rule(dataset.as_str())?, ids)?;
    let version = factors.version(&dataset)?;
    let factors = factors.clone();
    let own = blocking(move || factors.newest(&dataset)).await??;
    are_known(name, &own, ratings)?;
    Ok(Some(version))
}

fn refused(message: String) -> Fault {
    Fault::new(Reason::InvalidRequest, message).at("field", "factors")
}

fn go_together(name: &str, own: IdRule, ratings: IdRule) -> Result<(), Fault> {
    if own == ratings {
        return Ok(());
    }
    let message = format!("the ids of the factors {name} follow another rule than the ratings'");
    Err(refused(message).remedied_by("Import them with their case folded alike."))
}

fn are_known(name: &str, own: &FactorSet, ratings: &RatingSet) -> Result<(), Fault> {
    let file = std::path::Path::new(name);
    let checked = own.check_known(file, &ratings.users, &ratings.items);
    checked.map_err(|error| refused(error.to_string()))
}

/// What a verdict on factors brought along warns of.
pub const WARNING: &str = "the figures hold only if the factors brought along were trained without the \
    calibration users' ratings (s3rec rating calibration-users, or evaluate --calibration-out)";

/// Factors of a data set in the place of the built-in ones, found by the indices of its ratings.
pub struct OwnRows {
    factors: FactorSet,
    users: Vec<Option<u32>>,
    items: Vec<Option<u32>>,
}

impl OwnRows {
    /// Of the users and items of `ratings`.
    #[must_use]
    pub fn of(factors: FactorSet, ratings: &RatingSet) -> Self {
        let find = |vectors: Option<&Vectors>, names: &IdTable| {
            let names = names.names();
            names.map(|name| vectors?.ids.find(name)).collect()
        };
        Self {
            users: find(Some(&factors.users), &ratings.users),
            items: find(factors.items.as_ref(), &ratings.items),
            factors,
        }
    }

    /// The model of them over `base`: the ratings of everybody but the calibration users.
    ///
    /// # Errors
    /// [`ModelError::OwnFactors`] where they say nothing of what users chose.
    pub fn model(
        &self,
        base: &RatingMatrix,
        settings: &ListsSettings,
    ) -> Result<ListsModel, ModelError> {
        fn row<'v>(vectors: &'v Vectors, places: &[Option<u32>], index: u32) -> Option<&'v [f32]> {
            Some(vectors.row((*places.get(index as usize)?)?))
        }
        let user = |index| row(&self.factors.users, &self.users, index);
        let items = self.factors.items.as_ref();
        let item = |index| row(items?, &self.items, index);
        let own = OwnFactors {
            width: self.factors.users.width,
            user: &user,
            item: items.is_some().then_some(&item),
        };
        ListsModel::imported(base, settings, own)
    }
}

/// The factors that a proposal commits to; none where its rows are made from the ratings alone.
///
/// # Errors
/// [`Reason::StateLost`] where others are there, or whatever reading may end in.
pub(crate) async fn load(
    factors: &FactorDatasets,
    proposal: &Proposal,
) -> Result<Option<FactorSet>, Fault> {
    let Some(commitment) = proposal.terms.factors_commitment else {
        return Ok(None);
    };
    let job = proposal.job.to_string();
    if factors.version_for(&job)?.commitment != commitment {
        let message =
            format!("the factors of the job {job} are not those that it was proposed with");
        return Err(Fault::new(Reason::StateLost, message).at("job", job));
    }
    factors.load(&job).await.map(Some)
}
