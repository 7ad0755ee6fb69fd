//! `s3rec context`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::arguments::ContextVerb;
use crate::contexts::{self, Contexts};
use crate::failure::Failure;
use crate::output::{Output, Table};

/// Lists, chooses and changes contexts.
///
/// # Errors
/// [`Failure::Usage`] for one that is not there, [`Failure::File`].
pub fn context(verb: ContextVerb, output: Output) -> Result<(), Failure> {
    let directory = contexts::directory().ok_or_else(|| {
        Failure::Usage("neither XDG_CONFIG_HOME nor HOME says where contexts are kept".into())
    })?;
    let mut all = Contexts::read(&directory)?;
    let said = match verb {
        ContextVerb::List => return list(&all, output),
        ContextVerb::Use { name } => {
            all.named(&name)?;
            all.current = Some(name.clone());
            format!("s3rec rating and s3rec social mean {name} from now on")
        }
        ContextVerb::Add {
            name,
            rating,
            social,
        } => {
            let context = all.contexts.entry(name.clone()).or_default();
            for (place, file) in [(&mut context.rating, rating), (&mut context.social, social)] {
                if let Some(file) = file {
                    *place = Some(absolute(&file)?);
                }
            }
            all.current.get_or_insert_with(|| name.clone());
            format!("the context {name} is there")
        }
        ContextVerb::Remove { name } => {
            all.named(&name)?;
            all.contexts.remove(&name);
            if all.current.as_ref() == Some(&name) {
                all.current = None;
            }
            format!("the context {name} is forgotten; its files are where they were")
        }
    };
    all.write(&directory)?;
    output.value(&json!({ "current": all.current }), || said)
}

/// A client file that is there, wherever it is named from.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(file).map_err(Failure::at(file))
}

fn list(all: &Contexts, output: Output) -> Result<(), Failure> {
    output.value(&json!(all), || {
        if all.contexts.is_empty() {
            return "No contexts; s3rec init and s3rec context add make them.".into();
        }
        let empty = Table::new(" | context | rating platform | social platform");
        let shown = |file: &Option<PathBuf>| match file {
            Some(file) => file.display().to_string(),
            None => "–".into(),
        };
        let table = all.contexts.iter().fold(empty, |table, (name, context)| {
            let mark = if all.current.as_ref() == Some(name) {
                "*"
            } else {
                ""
            };
            table.row(&[
                mark.into(),
                name.clone(),
                shown(&context.rating),
                shown(&context.social),
            ])
        });
        table.to_string()
    })
}
