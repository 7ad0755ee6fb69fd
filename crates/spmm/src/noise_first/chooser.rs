//! The fewest bytes under all conditions, or nearly the fewest where that spares P1 work; from public
//! numbers alone.

use s3rec_lattice::code::CodeBits;
use s3rec_lattice::digits::Gadget;

use super::parameters::Shape;
use super::{NoiseFirstError, Parameters, Terms};

/// What may be sent beyond the fewest bytes for less work: 3 %. On Epinions 1 to 2 % more bytes take a
/// quarter off P1's time.
const BYTES_FOR_WORK: f64 = 1.03;

/// Chooses parameters for `terms`: of all within 3 % of the fewest bytes those with the least work for P1.
///
/// # Errors
/// [`NoiseFirstError::Refused`] for terms out of range, [`NoiseFirstError::NoFit`] when nothing
/// keeps the conditions.
pub fn choose(terms: Terms) -> Result<Parameters, NoiseFirstError> {
    terms.validate()?;
    let g = terms.result_bits().ok_or_else(|| no_fit(&terms))?;
    let mut candidates: Vec<(usize, Parameters)> = Vec::new();
    for (slots, secrets) in shapes(terms.columns as usize) {
        for gadget in gadgets() {
            let Some(keys) = smallest_key_code(&terms, g, slots, secrets, gadget) else {
                continue;
            };
            let Some(upload) = smallest_upload_code(&terms, g, keys) else {
                continue;
            };
            candidates.extend(fewest_bytes(&terms, code_widths(g, upload, keys)));
        }
    }
    let fewest = candidates.iter().map(|(bytes, _)| *bytes).min();
    let most = fewest.ok_or_else(|| no_fit(&terms))? as f64 * BYTES_FOR_WORK;
    candidates
        .into_iter()
        .filter(|(bytes, _)| *bytes as f64 <= most)
        .min_by_key(|(bytes, parameters)| (collapse_products(parameters), *bytes))
        .map(|(_, parameters)| parameters)
        .ok_or_else(|| no_fit(&terms))
}

/// Products of polynomials that P1 computes a row, by which shapes differ in time.
fn collapse_products(parameters: &Parameters) -> usize {
    parameters.gadget.digits() * (parameters.secrets + 1)
}

/// Of the shapes that keep all conditions the one with the fewest bytes.
fn fewest_bytes(terms: &Terms, shapes: impl Iterator<Item = Shape>) -> Option<(usize, Parameters)> {
    let mut best: Option<(usize, Parameters)> = None;
    for shape in shapes {
        let bytes = shape.sizes(terms).total();
        if best.as_ref().is_some_and(|(least, _)| *least <= bytes) {
            continue;
        }
        if let Ok(parameters) = Parameters::complete(*terms, shape) {
            best = Some((bytes, parameters));
        }
    }
    best
}

fn no_fit(terms: &Terms) -> NoiseFirstError {
    NoiseFirstError::NoFit {
        why: format!(
            "μ = {} with a degree bound of {} and {} columns leaves the noise of key switching no \
             room; lower the degree bound or the number of columns",
            terms.mu.value(),
            terms.degree_bound,
            terms.columns
        ),
    }
}

/// Slots and secrets that hold that many columns, without waste of a power of two.
pub(crate) fn shapes(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..=6).filter_map(move |secrets| {
        // One slot is too few for the collapse.
        let slots = columns.div_ceil(secrets).next_power_of_two().max(2);
        // Fewer secrets of as many slots hold the columns too.
        let is_least = columns.div_ceil(slots) == secrets;
        (slots <= 64 && is_least).then_some((slots, secrets))
    })
}

fn gadgets() -> impl Iterator<Item = Gadget> {
    (2..=6).flat_map(|digits| (5..=20).filter_map(move |width| Gadget::new(digits, width).ok()))
}

/// The widest code, which `bits` may be beyond.
fn wide(bits: u32) -> Option<CodeBits> {
    CodeBits::new("", bits.min(49)).ok()
}

/// The shape with the fewest bits of key-switch keys that leave their share of μ small, and the
/// most of everything else.
fn smallest_key_code(
    terms: &Terms,
    g: u32,
    slots: usize,
    secrets: usize,
    gadget: Gadget,
) -> Option<Shape> {
    (38..=49).find_map(|bits| {
        let shape = Shape {
            slots,
            secrets,
            gadget,
            upload_code: wide(49)?,
            mask_code: wide(g + 13)?,
            body_code: wide(g + 13)?,
            public_key_code: wide(g + 13 + 3)?,
            key_code: wide(bits)?,
        };
        Parameters::complete(*terms, shape).ok().map(|_| shape)
    })
}

/// The fewest bits beyond g of the uploaded codes that leave rows their length.
fn smallest_upload_code(terms: &Terms, g: u32, shape: Shape) -> Option<u32> {
    (3..=49 - g).find(|up| {
        let upload_code = wide(g + up).unwrap_or(shape.upload_code);
        let shape = Shape {
            upload_code,
            ..shape
        };
        Parameters::complete(*terms, shape).is_ok()
    })
}

/// All code widths around the page's, for one key and `upload` bits beyond g or a few more.
fn code_widths(g: u32, upload: u32, shape: Shape) -> impl Iterator<Item = Shape> {
    let code = |bits| CodeBits::new("", bits).ok();
    (upload..=upload + 6).flat_map(move |up| {
        (1..=5).flat_map(move |body| {
            (7..=12).flat_map(move |mask| {
                (13..=15).filter_map(move |public_key| {
                    Some(Shape {
                        upload_code: code(g + up)?,
                        body_code: code(g + body)?,
                        mask_code: code(g + mask)?,
                        public_key_code: code(g + public_key)?,
                        ..shape
                    })
                })
            })
        })
    })
}
