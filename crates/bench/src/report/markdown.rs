//! Sections as Markdown, drawings by their file names.

use std::fmt::Write;

use super::section::{Grid, Part, Section};

/// The text.
#[must_use]
pub(super) fn markdown(
    (title, headline): (&str, &str),
    subtitle: &[String],
    sections: &[Section],
) -> String {
    let mut text = format!("# {title}\n");
    if !headline.is_empty() {
        push(&mut text, &format!("**{headline}**"));
    }
    for line in subtitle {
        push(&mut text, line);
    }
    for section in sections {
        push(&mut text, &format!("## {}", section.title));
        for paragraph in &section.lead {
            push(&mut text, paragraph);
        }
        for part in &section.parts {
            match part {
                Part::Grid(grid) => push(&mut text, &table(grid)),
                Part::Figure(figure) => {
                    let (title, stem) = (&figure.title, &figure.stem);
                    push(
                        &mut text,
                        &format!("![{title}]({stem}.svg)\n\n{}", figure.caption),
                    );
                }
                Part::Text(paragraph) => push(&mut text, paragraph),
                Part::List(statements) => {
                    let items: Vec<String> = statements.iter().map(|s| format!("- {s}")).collect();
                    push(&mut text, &items.join("\n"));
                }
            }
        }
    }
    text
}

fn push(text: &mut String, paragraph: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n{paragraph}");
}

/// A table alone.
#[must_use]
pub(super) fn table(grid: &Grid) -> String {
    let cells = |row: &[String]| {
        let escaped: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |", escaped.join(" | "))
    };
    let rule: Vec<&str> = (0..grid.titles.len())
        .map(|column| if column == 0 { "---" } else { "---:" })
        .collect();
    let mut lines = vec![
        format!("**{}**\n", grid.caption),
        cells(&grid.titles),
        format!("|{}|", rule.join("|")),
    ];
    lines.extend(grid.rows.iter().map(|row| cells(row)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_readable_as_text() {
        let section = Section::new("Bytes").lead("Measured.").grid(Grid {
            rows: vec![vec!["he".to_owned(), "1 | 2".to_owned()]],
            ..Grid::new("By protocol", "protocol | bytes")
        });
        let text = markdown(("T", "so"), &["here".to_owned()], &[section]);
        assert_eq!(
            text,
            "# T\n\n**so**\n\nhere\n\n## Bytes\n\nMeasured.\n\n**By protocol**\n\n\
             | protocol | bytes |\n|---|---:|\n| he | 1 \\| 2 |\n"
        );
    }
}
