//! Sections as one HTML page that needs nothing else: styles and drawings stand inside it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::section::{Figure, Grid, Part, Section};

const STYLE: &str = include_str!("page.css");

/// The page.
#[must_use]
pub(super) fn html(
    (title, headline): (&str, &str),
    subtitle: &[String],
    sections: &[Section],
) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    @if !headline.is_empty() { p.headline { (headline) } }
                    @for line in subtitle { p.origin { (line) } }
                    @if sections.len() > 2 {
                        nav { @for section in sections {
                            a href={ "#" (section.anchor()) } { (section.title) }
                        } }
                    }
                }
                main { @for section in sections { (render(section)) } }
            }
        }
    }
    .into_string()
}

fn render(section: &Section) -> Markup {
    html! {
        section id=(section.anchor()) {
            h2 { (section.title) }
            @for text in &section.lead { p { (text) } }
            @for part in &section.parts {
                @match part {
                    Part::Grid(table) => (grid(table)),
                    Part::Figure(drawing) => (figure(drawing)),
                    Part::Text(text) => p { (text) },
                    Part::List(statements) => ul { @for text in statements { li { (text) } } },
                }
            }
        }
    }
}

fn grid(grid: &Grid) -> Markup {
    html! {
        // Wide tables scroll by themselves, the page does not.
        p.caption { (grid.caption) }
        div.scroll tabindex="0" role="region" aria-label=(grid.caption) { table {
            thead { tr { @for title in &grid.titles { th scope="col" { (title) } } } }
            tbody { @for row in &grid.rows { tr {
                @for (column, cell) in row.iter().enumerate() {
                    @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                }
            } } }
        } }
    }
}

fn figure(figure: &Figure) -> Markup {
    html! {
        figure id=(figure.stem) {
            h3 { (figure.title) }
            div.wide { (PreEscaped(inline(&figure.wide, &figure.title))) }
            div.narrow { (PreEscaped(inline(&figure.narrow, &figure.title))) }
            figcaption { (figure.caption) }
        }
    }
}

/// A drawing as part of the page: named for who cannot see it, without the name space that only
/// files need.
fn inline(drawing: &str, title: &str) -> String {
    let name = html! { (title) }.into_string().replace('"', "&quot;");
    drawing
        .replacen(
            "<svg ",
            &format!("<svg role=\"img\" aria-label=\"{name}\" "),
            1,
        )
        .replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_files_is_escaped() {
        let section = Section::new("A <b>").lead("1 < 2").grid(Grid {
            rows: vec![vec!["<script>".to_owned()]],
            ..Grid::new("c", "t")
        });
        let page = html(("x", "1 > 0"), &[], &[section]);
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
        assert!(page.contains("<p class=\"headline\">1 &gt; 0</p>"));
        assert!(page.contains("1 &lt; 2") && page.contains("A &lt;b&gt;"));
    }

    #[test]
    fn the_page_asks_the_network_for_nothing() {
        let points = vec![(1.0, 2.0), (2.0, 3.0)];
        let panel = crate::plot::Panel {
            x: crate::plot::Axis::counts("x"),
            y: crate::plot::Axis::bytes("y"),
            series: vec![crate::plot::Series::new("s", points)],
            levels: Vec::new(),
        };
        let figure = crate::report::Figure::curves("f", "a \"b\"", "", &[panel]).unwrap();
        let page = html(
            ("x", ""),
            &["y".to_owned()],
            &[Section::new("z").figure(figure)],
        );
        for word in ["src=", "url(", "@import", "http:", "https:"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
