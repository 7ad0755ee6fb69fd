//! A model as files that other programs read: safetensors, and a JSON card beside it.
//!
//! | tensor | shape | what |
//! |---|---|---|
//! | `global_mean` | 1 | μ |
//! | `user_bias`, `item_bias` | users, items | b, c |
//! | `user_factors`, `item_factors` | users × k, items × k | U, V |
//!
//! All are float64; a rating is μ + b_i + c_j + u_i·v_j in rating units (the model was learnt from
//! standardised ratings; that is undone here, in V as far as the factors go). The card has the ids
//! of the rows in the tensors' order, and what the model was made from and gave away.

use std::path::{Path, PathBuf};

use s3rec_sources::Destination;
use s3rec_wire::v1;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use serde_json::{Value, json};

use super::{ExportedModel, ExportedRow, RatingClient, export};
use crate::failure::Failure;
use crate::output::{name, to_json};

/// Version of the card's form.
const CARD_FORMAT: u32 = 1;

/// What was written where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WrittenModel {
    /// Which model.
    pub model_id: String,
    /// The tensors.
    pub tensors: PathBuf,
    /// The card.
    pub card: PathBuf,
    /// Users in both.
    pub users: usize,
    /// Items in both.
    pub items: usize,
}

/// Fetches a model (an empty id: the newest) and writes `path`, a file or an object, and, with the
/// ending `.json`, its card.
///
/// # Errors
/// [`Failure::Usage`] for a path that ends as the card does, whatever [`export`] returns,
/// [`Failure::File`] and [`Failure::Source`].
pub async fn write_model(
    client: &mut RatingClient,
    model_id: &str,
    path: &Path,
) -> Result<WrittenModel, Failure> {
    let card_path = path.with_extension("json");
    if card_path == path {
        let message = "the card takes the ending .json; name the model FILE.safetensors";
        return Err(Failure::Usage(message.into()));
    }
    let (to, card_to) = (Destination::named(path)?, Destination::named(&card_path)?);
    let model = export(client, model_id).await?;
    let mut card = card(&model);
    describe(client, &model.model_id, &mut card).await?;
    write(to.file(), &tensors(&model)?)?;
    write(card_to.file(), format!("{card:#}\n").as_bytes())?;
    to.finish().await?;
    card_to.finish().await?;
    Ok(WrittenModel {
        tensors: path.to_owned(),
        card: card_path,
        users: model.users.len(),
        items: model.items.len(),
        model_id: model.model_id,
    })
}

/// The model's numbers as safetensors.
///
/// # Errors
/// [`Failure::Incomplete`] for a model whose rows differ in length.
pub fn tensors(model: &ExportedModel) -> Result<Vec<u8>, Failure> {
    let bytes = |values: &mut dyn Iterator<Item = f64>| -> Vec<u8> {
        values.flat_map(f64::to_le_bytes).collect()
    };
    let biases = |rows: &[ExportedRow]| bytes(&mut rows.iter().map(|row| row.bias));
    let factors =
        |rows: &[ExportedRow]| bytes(&mut rows.iter().flat_map(|row| row.factors.iter().copied()));
    let (users, items, rank) = (model.users.len(), model.items.len(), model.rank);
    let parts = [
        (
            "global_mean",
            vec![1],
            bytes(&mut [model.global_mean].into_iter()),
        ),
        ("item_bias", vec![items], biases(&model.items)),
        ("item_factors", vec![items, rank], factors(&model.items)),
        ("user_bias", vec![users], biases(&model.users)),
        ("user_factors", vec![users, rank], factors(&model.users)),
    ];
    let misshapen = |_: SafeTensorError| Failure::Incomplete {
        missing: "a factor of a row",
    };
    let views: Result<Vec<_>, _> = parts
        .iter()
        .map(|(name, shape, data)| Ok((*name, TensorView::new(Dtype::F64, shape.clone(), data)?)))
        .collect();
    safetensors::serialize(views.map_err(misshapen)?, None).map_err(misshapen)
}

/// What the numbers alone say.
fn card(model: &ExportedModel) -> Value {
    let ids =
        |rows: &[ExportedRow]| -> Vec<String> { rows.iter().map(|row| row.id.clone()).collect() };
    json!({
        "format": CARD_FORMAT,
        "model_id": model.model_id,
        "rank": model.rank,
        "global_mean": model.global_mean,
        "prediction": "global_mean + user_bias[u] + item_bias[i] + user_factors[u] . item_factors[i], \
                       in rating units, before clipping to the scale",
        "user_ids": ids(&model.users),
        "item_ids": ids(&model.items),
    })
}

/// Adds what the model was made from, how well it predicts and what making it gave away.
async fn describe(
    client: &mut RatingClient,
    model_id: &str,
    card: &mut Value,
) -> Result<(), Failure> {
    let models = client.list_models(v1::ListModelsRequest {}).await?;
    let mut models = models.into_inner().models.into_iter();
    let summary = models.find(|model| model.model_id == model_id);
    let summary = summary.ok_or(Failure::Incomplete {
        missing: "the model in the list of models",
    })?;
    let request = v1::JobReportRequest {
        job_id: summary.job_id.clone(),
    };
    let report = client.job_report(request).await?.into_inner();
    card["job_id"] = json!(summary.job_id);
    card["created_unix_ms"] = json!(summary.created_unix_ms);
    card["data"] = json!({
        "dataset": summary.dataset,
        "digest": report.data_digest,
        "digest_of": "the ratings file as imported, BLAKE3",
        "users": report.users,
        "items": report.items,
        "ratings": report.ratings,
        "scale": { "min": report.scale_min, "max": report.scale_max },
    });
    card["objective"] = summary.settings.as_ref().map(objective).unwrap_or_default();
    card["standardisation"] = report
        .standardisation
        .as_ref()
        .map(to_json)
        .unwrap_or_default();
    card["popularity_weight"] = json!(report.popularity_weight);
    card["warnings"] = json!(report.warnings);
    card["settings"] = summary.settings.as_ref().map(to_json).unwrap_or_default();
    card["quality"] = summary.quality.as_ref().map(to_json).unwrap_or_default();
    card["parameters"] = report.parameters.as_ref().map(to_json).unwrap_or_default();
    // What it must beat, on the same held-out ratings; asked for once, the platform keeps it.
    let request = v1::EvaluateRequest {
        model_id: model_id.into(),
    };
    let metrics = client.evaluate(request).await?.into_inner();
    let or_null = |metrics: Option<v1::Metrics>| metrics.as_ref().map(to_json).unwrap_or_default();
    card["metrics"] = json!({
        "global_mean": or_null(metrics.global_mean),
        "biases": or_null(metrics.biases),
        "no_social": or_null(metrics.no_social),
        "model": or_null(metrics.model),
    });
    card["saturations"] = json!(report.saturations);
    card["product_error_bound"] = json!(report.product_error_bound);
    let disclosure = report.disclosure.as_ref();
    card["openings"] = json!(disclosure.map(|shown| shown.openings));
    card["disclosure"] = disclosure.map(to_json).unwrap_or_default();
    Ok(())
}

/// What was minimised, in words and numbers.
fn objective(settings: &v1::ModelSettings) -> Value {
    let local = settings.local.unwrap_or_default();
    json!({
        "formula": "1/2 sum (z - mean - user_bias - item_bias - u.v)^2 \
                    + user_decay/2 |u|^2 + item_decay/2 |v|^2 \
                    + user_bias_decay/2 user_bias^2 + item_bias_decay/2 item_bias^2 \
                    + social_weight/2 tr(U'YU) + social_bias_weight/2 b'Yb, \
                    z = (r - centre) / spread, r drawn into lowest to highest, as under \
                    standardisation",
        "operator": name(settings.operator().as_str_name(), "OPERATOR"),
        "solver": name(settings.solver().as_str_name(), "SOLVER"),
        "rank": settings.rank,
        "openings_at_most": settings.rounds,
        "social_weight": settings.social_weight,
        "social_bias_weight": settings.social_bias_weight,
        "user_decay": local.user_decay,
        "item_decay": local.item_decay,
        "user_bias_decay": local.user_bias_decay,
        "item_bias_decay": local.item_bias_decay,
        "implicit_ridge": local.implicit_ridge,
        "activity_prior": local.activity_prior,
    })
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    fn model() -> ExportedModel {
        let row = |id: &str, bias, factors: [f64; 2]| ExportedRow {
            id: id.into(),
            bias,
            factors: factors.to_vec(),
        };
        ExportedModel {
            model_id: "m".into(),
            global_mean: 3.25,
            rank: 2,
            users: vec![row("a", 0.5, [1.0, -2.0]), row("b", -0.5, [0.25, 4.0])],
            items: vec![row("x", 0.125, [3.0, 0.5])],
        }
    }

    #[test]
    fn the_tensors_are_the_rows_in_order() {
        let bytes = tensors(&model()).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let values = |name: &str| -> (Vec<usize>, Vec<f64>) {
            let tensor = read.tensor(name).unwrap();
            let values = tensor
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b));
            (tensor.shape().to_vec(), values.collect())
        };
        assert_eq!(values("global_mean"), (vec![1], vec![3.25]));
        assert_eq!(values("user_bias"), (vec![2], vec![0.5, -0.5]));
        assert_eq!(values("item_bias"), (vec![1], vec![0.125]));
        assert_eq!(
            values("user_factors"),
            (vec![2, 2], vec![1.0, -2.0, 0.25, 4.0])
        );
        assert_eq!(values("item_factors"), (vec![1, 2], vec![3.0, 0.5]));
    }

    #[test]
    fn torn_rows_are_no_tensor() {
        let mut torn = model();
        torn.users[1].factors.pop();
        assert!(matches!(tensors(&torn), Err(Failure::Incomplete { .. })));
    }
}
