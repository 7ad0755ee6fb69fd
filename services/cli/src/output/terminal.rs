//! What a terminal is: so wide, and perhaps with colours.

use console::{measure_text_width, style};

/// Narrower than this nothing is laid out any more.
const LEAST_WIDTH: usize = 40;

/// Columns of whoever reads stdout: of the terminal, or as `COLUMNS` says; `None` for a file or a
/// program, whose lines are not broken.
pub(crate) fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|columns| columns.parse::<usize>().ok());
    let terminal = console::Term::stdout();
    let seen = || {
        let (_, columns) = terminal.is_term().then(|| terminal.size_checked())??;
        Some(usize::from(columns))
    };
    said.or_else(seen).map(|columns| columns.max(LEAST_WIDTH))
}

/// A word that says that something is well.
pub(crate) fn good(word: &str) -> String {
    style(word).green().to_string()
}

/// A word that says that something is wrong.
pub(crate) fn bad(word: &str) -> String {
    style(word).red().bold().to_string()
}

/// Breaks the lines that are too long between words; what goes on is indented as its line is, and two
/// columns more. Lines of tables, which are laid out before, stay as they are.
pub(crate) fn fit(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let lines: Vec<String> = text.lines().map(|line| fit_line(line, width)).collect();
    lines.join("\n")
}

fn fit_line(line: &str, width: usize) -> String {
    if measure_text_width(line) <= width || line.contains(['─', '│', '═', '╌']) {
        return line.to_owned();
    }
    let body = line.trim_start_matches(' ');
    let indent = line.len() - body.len();
    let mut broken = " ".repeat(indent);
    let mut column = indent;
    let mut begins = true;
    for word in body.split(' ') {
        let length = measure_text_width(word);
        if !begins && column + 1 + length > width {
            column = indent + 2;
            broken.push('\n');
            broken.push_str(&" ".repeat(column));
            begins = true;
        }
        if !begins {
            broken.push(' ');
            column += 1;
        }
        broken.push_str(word);
        column += length;
        begins = false;
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_nothing_is_lost() {
        let text = "  ! one exact opening shows the rating platform the links of every user\nshort\n─────────────────────────────────────────────";
        let fitted = fit(text, Some(40));
        let lines: Vec<&str> = fitted.lines().collect();
        assert_eq!(lines[0], "  ! one exact opening shows the rating");
        assert_eq!(lines[1], "    platform the links of every user");
        assert_eq!(lines[2], "short");
        assert!(lines[3].chars().count() > 40);
        let words = |text: &str| {
            text.split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&fitted), words(text));
        assert_eq!(fit(text, None), text);
    }
}
