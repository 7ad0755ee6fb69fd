use thiserror::Error;

/// Why it is not certain which column holds what, and which option settles it.
#[derive(Debug, Error)]
pub enum ColumnError {
    /// A file without a header has columns that nothing gives a meaning.
    #[error(
        "line {line}: column {column} of {width} is {actual:?} and has no name{}; say which columns \
         are meant ({}), others are then left out, or add a header",
        if *is_matrix { " (is this a matrix? write one row for each entry)" } else { "" },
        flags.join(", ")
    )]
    Surplus {
        /// The line.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// What stands there.
        actual: String,
        /// Columns of the row.
        width: usize,
        /// Whether the row looks like one of a matrix.
        is_matrix: bool,
        /// The options that give columns a meaning.
        flags: Vec<&'static str>,
    },
    /// The first column only numbers the rows, or the header is shorter than the rows.
    #[error(
        "{why} (header: {header:?}), as where pandas or R write row numbers; if the first \
         column only numbers the rows, say so (--index-column)"
    )]
    IndexColumn {
        /// The names there are.
        header: Vec<String>,
        /// What gives it away.
        why: &'static str,
    },
    /// The first line may be a header or data.
    #[error(
        "the first line holds the usual column name {name:?}; say whether it is a header \
         (--header) or data (--no-header)"
    )]
    PerhapsHeader {
        /// The name.
        name: String,
    },
    /// No column has a name that is known for a field.
    #[error("no column of {header:?} is known to hold the {field}; say which does ({flag} NAME)")]
    NoColumnFor {
        /// The field's name.
        field: &'static str,
        /// The option that settles it.
        flag: &'static str,
        /// What the header says.
        header: Vec<String>,
    },
    /// Several columns have names that are known for one field.
    #[error(
        "columns {first:?} and {second:?} may both hold the {field}; say which does \
         ({flag} NAME)"
    )]
    TwoColumnsFor {
        /// The field's name.
        field: &'static str,
        /// The option that settles it.
        flag: &'static str,
        /// One column.
        first: String,
        /// Another.
        second: String,
    },
    /// A column asked for by number has a name that is known for another field.
    #[error(
        "{flag} {number} is called {name:?}, which names the {field}; give the column by its \
         name where that is meant ({flag} {name})"
    )]
    Contradiction {
        /// The option.
        flag: &'static str,
        /// The number given.
        number: usize,
        /// The name of that column.
        name: String,
        /// The field that such a name means.
        field: &'static str,
    },
    /// Two fields in one column.
    #[error(
        "{first} and {second} cannot both be column {column}; say where the {second} stands \
         ({flag})"
    )]
    SameColumn {
        /// The column, from 1.
        column: usize,
        /// One field.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// The option that settles it.
        flag: &'static str,
    },
    /// A column asked for by name is not in the header.
    #[error("there is no column {name:?} (its header: {header:?})")]
    NoSuchColumn {
        /// The name asked for.
        name: String,
        /// What the header says.
        header: Vec<String>,
    },
}
