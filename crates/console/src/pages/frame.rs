//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

/// Who looks at which platform.
#[derive(Clone, Debug)]
pub struct Frame {
    /// `rating` or `social`.
    pub role: &'static str,
    /// The platform's name, as its configuration says.
    pub platform: String,
    /// The person, as the certificate says.
    pub person: String,
    /// What every form carries.
    pub form_token: String,
}

/// Sections of the rating platform's console.
const RATING: [(&str, &str); 8] = [
    ("/", "Jobs"),
    ("/propose", "Propose"),
    ("/datasets", "Data sets"),
    ("/models", "Models"),
    ("/recommend", "Recommend"),
    ("/disclosures", "Disclosures"),
    ("/health", "Certificates"),
    ("/audit", "Audit log"),
];

/// Sections of the social platform's.
const SOCIAL: [(&str, &str); 5] = [
    ("/", "Proposals"),
    ("/disclosures", "Disclosures"),
    ("/policy", "Policy"),
    ("/health", "Certificates"),
    ("/audit", "Audit log"),
];

impl Frame {
    /// A page with `body` in the section at `section`.
    pub(super) fn page(&self, title: &str, section: &str, body: &Markup) -> Markup {
        let sections: &[(&str, &str)] = match self.role {
            "rating" => &RATING,
            _ => &SOCIAL,
        };
        let header = html! {
            header {
                strong { (self.platform) " " span.quiet { "(" (self.role) " platform)" } }
                nav aria-label="Sections" {
                    @for (path, name) in sections {
                        a href=(path) aria-current=[(*path == section).then_some("page")] { (name) }
                    }
                }
                form method="post" action="/logout" {
                    (self.token())
                    button type="submit" { "Log out " (self.person) }
                }
            }
        };
        document(title, &header, body)
    }

    /// The field that says that a form is this session's own.
    pub(super) fn token(&self) -> Markup {
        html! { input type="hidden" name="form_token" value=(self.form_token); }
    }
}

fn document(title: &str, header: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – s3rec" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                script src="/live.js" defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                (header)
                main #main tabindex="-1" { h1 { (title) } (body) }
            }
        }
    }
}

/// Whoever has no session: how to get one.
#[must_use]
pub fn not_in(role: &str) -> Markup {
    let body = html! {
        p { "Ask the platform for a link, with an operator's certificate, and open it here:" }
        pre { "s3rec " (role) " console" }
        p.quiet { "It is good once, for two minutes. Browsers have to trust the platform's certificate authority." }
    };
    document("You are not logged in", &html! {}, &body)
}

/// A link that is good: asked with a button, so that nobody who looks ahead uses it up.
#[must_use]
pub fn invited(person: &str, token: &str) -> Markup {
    let body = html! {
        form method="post" action="/login" {
            input type="hidden" name="link" value=(token);
            button.act type="submit" autofocus { "Log in as " (person) }
        }
    };
    document("Log in", &html! {}, &body)
}

/// What went wrong, and what to do.
#[must_use]
pub fn failed(frame: &Frame, message: &str, remedy: &str) -> Markup {
    let body = html! {
        p.bad role="alert" { (message) }
        p { (remedy) }
        p { a href="/" { "Back to the beginning" } }
    };
    frame.page("That was not done", "", &body)
}
