//! Vectors in safetensors.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::{FactorOptions, Gathered, Side, Vectors};
use crate::DataError;

/// Whose vectors are read first, and items' where they are beside users'.
pub(super) fn read(
    file: &Path,
    bytes: &[u8],
    side: Side,
    options: &FactorOptions,
) -> Result<(Vectors, Option<Vectors>), DataError> {
    let refused = |reason: String| DataError::BadTensors {
        file: file.to_path_buf(),
        reason,
    };
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| refused(format!("neither Parquet nor safetensors: {error}")))?;
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| refused(error.to_string()))?;
    let texts = metadata.metadata().clone().unwrap_or_default();
    let one = |side: Side| -> Result<Option<Vectors>, DataError> {
        let field = side.field();
        let (named, vectors) = (format!("{field}_ids"), format!("{field}_factors"));
        let Ok(factors) = tensors.tensor(&vectors) else {
            return Ok(None);
        };
        let &[rows, width] = factors.shape() else {
            let shape = factors.shape();
            return Err(refused(format!(
                "{vectors} has shape {shape:?}, not rows × k"
            )));
        };
        let ids = match (tensors.tensor(&named), texts.get(&named)) {
            (Ok(tensor), _) => whole_numbers(&tensor).ok_or_else(|| {
                refused(format!("{named} holds no whole numbers of 32 or 64 bits"))
            })?,
            (Err(_), Some(text)) => serde_json::from_str::<Vec<String>>(text)
                .map_err(|error| refused(format!("metadata {named}: {error}")))?,
            (Err(_), None) => {
                return Err(refused(format!(
                    "there is no {named}, whose rows those of {vectors} are"
                )));
            }
        };
        if ids.len() != rows {
            let text = format!("{named} has {} ids and {vectors} {rows} rows", ids.len());
            return Err(refused(text));
        }
        let size = match factors.dtype() {
            Dtype::F32 => 4,
            Dtype::F64 => 8,
            other => {
                let text = format!("{vectors} holds {other:?}; write float32 or float64");
                return Err(refused(text));
            }
        };
        let mut gathered = Gathered::new(file, side, options);
        let data = factors.data();
        for (place, id) in ids.iter().enumerate() {
            let row = data.get(place * width * size..(place + 1) * width * size);
            let values = row.unwrap_or_default().chunks_exact(size).map(|bytes| {
                let double = || <[u8; 8]>::try_from(bytes).ok().map(f64::from_le_bytes);
                let single = || <[u8; 4]>::try_from(bytes).ok().map(f32::from_le_bytes);
                match size {
                    4 => single().map(f64::from),
                    _ => double(),
                }
            });
            gathered.take(id, values)?;
        }
        gathered.finish().map(Some)
    };
    let field = side.field();
    let own = one(side)?.ok_or_else(|| refused(format!("there is no tensor {field}_factors")))?;
    let beside = match side {
        Side::Users => one(Side::Items)?,
        Side::Items => None,
    };
    Ok((own, beside))
}

fn whole_numbers(tensor: &TensorView<'_>) -> Option<Vec<String>> {
    let data = tensor.data();
    let wide = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).unwrap_or_default();
    let narrow = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).unwrap_or_default();
    Some(match tensor.dtype() {
        Dtype::I64 => data
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(wide(b)).to_string())
            .collect(),
        Dtype::U64 => data
            .chunks_exact(8)
            .map(|b| u64::from_le_bytes(wide(b)).to_string())
            .collect(),
        Dtype::I32 => data
            .chunks_exact(4)
            .map(|b| i32::from_le_bytes(narrow(b)).to_string())
            .collect(),
        Dtype::U32 => data
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes(narrow(b)).to_string())
            .collect(),
        _ => return None,
    })
}
