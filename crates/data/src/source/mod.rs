//! From a file to the bytes of its text: layers of compression are taken off, each under a limit.

mod archive;
mod bounded;
mod kind;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use bzip2::read::MultiBzDecoder;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use lzma_rust2::XzReader;

use crate::DataError;
use crate::limits::Limits;
use crate::parquet_rows::ParquetRows;
use archive::{Checked, Member, Packing};
use bounded::BoundedReader;
pub(crate) use bounded::limit_of;
use kind::Kind;

/// Where rows come from.
pub(crate) enum Source<'a> {
    /// Text of any encoding.
    Text(Box<dyn Read + 'a>),
    /// Parquet, whose columns have names.
    Parquet(Box<ParquetRows>),
}

impl<'a> Source<'a> {
    /// Text that is not in a file.
    pub(crate) fn text(source: impl Read + 'a) -> Self {
        Self::Text(Box::new(source))
    }
}

/// One step from the bytes on disk towards the text.
enum Layer {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Member(Member),
}

/// No export has more: a tar in a gzip in a zip.
const MAX_LAYERS: usize = 3;

/// The largest window that a zstd or xz file may ask for: what `zstd` itself allows without being
/// told, and the dictionary of `xz -9` twice over.
const ZSTD_WINDOW_LOG: u32 = 27;
const XZ_MEMORY_KIB: u32 = 160 << 10;

/// Opens `file`, telling its kind by content rather than by name. What is compressed may be at
/// most `limits.bytes` long once it is not.
pub(crate) fn open(file: &Path, limits: &Limits) -> Result<Source<'static>, DataError> {
    let mut layers = Vec::new();
    loop {
        let mut reader = unpack(file, &layers, limits)?;
        let start = start(&mut reader).map_err(|source| explain(file, 0, source))?;
        let kind = kind::of(&start);
        let nested = !layers.is_empty();
        layers.push(match kind {
            Kind::Text => return Ok(Source::text(Cursor::new(start).chain(reader))),
            Kind::Other(kind, remedy) => return Err(other(file, kind, remedy)),
            Kind::Parquet if nested => {
                let kind = "a Parquet file inside another";
                return Err(other(file, kind, "unpack it first"));
            }
            Kind::Parquet => {
                let rows = ParquetRows::open(file, limits)?;
                return Ok(Source::Parquet(Box::new(rows)));
            }
            Kind::Zip if nested => {
                let kind = "a zip archive inside another file";
                return Err(other(file, kind, "unpack it first"));
            }
            Kind::Zip => Layer::Member(archive::zipped(file)?),
            Kind::Tar => Layer::Member(archive::tarred(file, reader, start)?),
            Kind::Gzip => Layer::Gzip,
            Kind::Zstd => Layer::Zstd,
            Kind::Xz => Layer::Xz,
            Kind::Bzip2 => Layer::Bzip2,
        });
        if layers.len() > MAX_LAYERS {
            let kind = "packed into itself again and again";
            return Err(other(file, kind, "unpack it first"));
        }
    }
}

/// The bytes under `layers`.
fn unpack(file: &Path, layers: &[Layer], limits: &Limits) -> Result<Box<dyn Read>, DataError> {
    let refused = |source| DataError::Open {
        file: file.to_path_buf(),
        source,
    };
    let mut opened = File::open(file).map_err(refused)?;
    if opened.metadata().map_err(refused)?.is_dir() {
        return Err(refused(std::io::ErrorKind::IsADirectory.into()));
    }
    if let Some(Layer::Member(Member {
        packing: Packing::Zip { .. },
        at,
        ..
    })) = layers.first()
    {
        opened.seek(SeekFrom::Start(*at)).map_err(refused)?;
    }
    let mut reader: Box<dyn Read> = Box::new(BufReader::with_capacity(1 << 16, opened));
    for layer in layers {
        let failed = |source| explain(file, 0, source);
        let unpacked: Box<dyn Read> = match layer {
            Layer::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Layer::Bzip2 => Box::new(MultiBzDecoder::new(reader)),
            Layer::Xz => Box::new(XzReader::new_mem_limit(reader, true, XZ_MEMORY_KIB)),
            Layer::Zstd => {
                let mut decoder = zstd::Decoder::new(reader).map_err(failed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(failed)?;
                Box::new(decoder)
            }
            Layer::Member(Member { packing, at, bytes }) => match packing {
                Packing::Zip {
                    deflated: true,
                    crc,
                } => {
                    let inflated = DeflateDecoder::new(reader.take(*bytes));
                    Box::new(Checked::new(inflated, *crc))
                }
                Packing::Zip {
                    deflated: false,
                    crc,
                } => Box::new(Checked::new(reader.take(*bytes), *crc)),
                Packing::Tar => {
                    std::io::copy(&mut (&mut reader).take(*at), &mut std::io::sink())
                        .map_err(failed)?;
                    Box::new(reader.take(*bytes))
                }
            },
        };
        reader = Box::new(BufReader::new(BoundedReader::new(unpacked, limits.bytes)));
    }
    Ok(reader)
}

/// The first bytes, as many as there are of those that tell the kind.
fn start(reader: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(kind::LOOKED_AT);
    reader
        .take(kind::LOOKED_AT as u64)
        .read_to_end(&mut start)?;
    Ok(start)
}

fn other(file: &Path, kind: &'static str, remedy: &'static str) -> DataError {
    DataError::OtherKind {
        file: file.to_path_buf(),
        kind: kind.into(),
        remedy,
    }
}

/// What a failed read after `line` means.
pub(crate) fn explain(file: &Path, line: u64, source: std::io::Error) -> DataError {
    use std::io::ErrorKind;
    let file = file.to_path_buf();
    match source.kind() {
        ErrorKind::FileTooLarge => DataError::TooLarge {
            file,
            limit: limit_of(&source),
        },
        ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            DataError::Truncated { file, line, source }
        }
        // zstd's decoder says nothing more exact of damage.
        ErrorKind::Other if source.raw_os_error().is_none() => {
            DataError::Truncated { file, line, source }
        }
        _ => DataError::Read { file, line, source },
    }
}
