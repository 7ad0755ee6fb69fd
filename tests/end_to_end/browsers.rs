//! Both consoles in headless Chromium: proposed at one, approved at the other, watched to its end,
//! recommended. Skipped with a loud word where there is no Chromium.

use std::path::{Path, PathBuf};

use s3rec_tests::browser::{Chromium, chromium};
use s3rec_tests::command::{flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;

/// Both platforms with a console, and a browser with a page for each.
struct Consoles {
    browser: Chromium,
    pair: Pair,
    rating: usize,
    social: usize,
    _home: tempfile::TempDir,
}

impl Consoles {
    fn open(program: &Path, files: &Files) -> Self {
        let pair = Pair::configured(|configuration| {
            let text = std::fs::read_to_string(configuration).unwrap();
            let text = format!("{text}[console]\nlisten = \"127.0.0.1:0\"\n");
            std::fs::write(configuration, text).unwrap();
        });
        let certificate = |name: &str| {
            let role = match name {
                "rating" => s3rec_node::pki::CertificateRole::Rating,
                _ => s3rec_node::pki::CertificateRole::Social,
            };
            pair.home.identity(role).0
        };
        let home = tempfile::tempdir().unwrap();
        let (rating, social) = (certificate("rating"), certificate("social"));
        let browser = Chromium::start(program, home.path(), &[&rating, &social]);
        let mut consoles = Self {
            browser,
            pair,
            rating: 0,
            social: 0,
            _home: home,
        };
        consoles.command(&["rating", "import", files.ratings.to_str().unwrap()]);
        consoles.command(&["social", "import", files.links.to_str().unwrap()]);
        consoles.rating = consoles.log_in("rating");
        consoles.social = consoles.log_in("social");
        consoles
    }

    fn command(&self, line: &[&str]) -> serde_json::Value {
        let connection = match line[0] {
            "rating" => self.pair.rating_connection(),
            _ => self.pair.social_connection(),
        };
        let mut line: Vec<String> = line.iter().map(|&word| word.into()).collect();
        line.extend(flags(&connection));
        line.push("--json".into());
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        run(self.pair.home.path(), &line).json()
    }

    /// A page of that platform's console, by a link of the command.
    fn log_in(&mut self, platform: &str) -> usize {
        let page = self.browser.open();
        let link = self.command(&[platform, "console"]);
        self.browser.go(link["link"].as_str().unwrap());
        self.browser.press("button", "Log in as");
        self.browser.wait_for(&format!("{platform} platform"));
        page
    }

    fn at(&mut self, page: usize, path: &str) {
        self.browser.turn_to(page);
        let origin = self.browser.value("location.origin");
        self.browser
            .go(&format!("{}{path}", origin.as_str().unwrap()));
    }

    /// Proposes at the rating platform's console; gives the job's name.
    fn propose(&mut self, purpose: &str, fields: &[(&str, &str)]) -> String {
        self.at(self.rating, "/propose");
        self.browser.fill("purpose", purpose);
        for (name, value) in fields {
            let set = format!("document.querySelector('[name={name}]').value = '{value}'");
            self.browser.value(&set);
        }
        self.browser.press("button", "What would it cost?");
        self.browser.wait_for("Before it is sent");
        self.browser.press("button", "Send the proposal");
        self.browser.wait_for("waiting for the social platform");
        let place = self.browser.value("location.pathname");
        let place = place.as_str().unwrap();
        place.strip_prefix("/job/").unwrap().to_owned()
    }

    /// Reads, ticks, approves.
    fn approve(&mut self, job: &str) {
        self.at(self.social, &format!("/proposal/{job}"));
        self.browser.press("label", "I have read");
        self.browser.press("button", "Approve");
        self.browser.wait_for("Take the consent back");
    }
}

/// A set that is large enough for an opening of friends' sums.
fn files(folder: &Path) -> Files {
    Files::of_users(folder, 300)
}

#[test]
fn what_is_proposed_at_one_console_is_approved_at_the_other_and_ends_in_recommendations() {
    let Some(program) = chromium() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut consoles = Consoles::open(&program, &files(data.path()));

    // The estimate comes before anything is sent.
    consoles.at(consoles.rating, "/propose");
    consoles.browser.fill("purpose", "Spring pilot");
    consoles.browser.press("button", "What would it cost?");
    consoles.browser.wait_for("Before it is sent");
    let estimate = consoles.browser.text();
    for said in [
        "noise-first (proposed)",
        "μ of this job",
        "1.000 with it",
        "Nothing was sent",
    ] {
        assert!(estimate.contains(said), "{said}: {estimate}");
    }
    let listed = consoles.command(&["rating", "jobs"]);
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(0), "{listed}");
    // Change it, and what was written is there still.
    consoles.browser.press("button", "Change it");
    consoles.browser.wait_for("What would it cost?");
    let kept = consoles
        .browser
        .value("document.querySelector('[name=purpose]').value");
    assert_eq!(kept, "Spring pilot");
    consoles.browser.press("button", "What would it cost?");
    consoles.browser.wait_for("Before it is sent");
    consoles.browser.press("button", "Send the proposal");
    consoles.browser.wait_for("waiting for the social platform");
    let place = consoles.browser.value("location.pathname");
    let job = place
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    consoles.browser.press("button", "Start when approved");

    // The other console, by its own list.
    consoles.at(consoles.social, "/");
    consoles.browser.press("a", "Spring pilot");
    consoles.browser.wait_for("What it gives away");
    let shown = consoles.browser.text();
    for said in [
        "It spends μ = 1",
        "What an attack finds",
        "Budget of default",
        "What is left",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    // Without the tick the browser itself holds the form back.
    consoles.browser.press("button", "Approve");
    assert!(
        consoles.browser.text().contains("I have read"),
        "still to decide"
    );
    let listed = consoles.command(&["social", "proposals"]);
    let state = &listed["proposals"][0]["last_event"]["state"];
    assert_eq!(state, "JOB_STATE_PROPOSED");
    consoles.browser.press("label", "I have read");
    consoles.browser.press("button", "Approve");
    consoles.browser.wait_for("Take the consent back");

    // The first page has followed it without being asked for again.
    consoles.browser.turn_to(consoles.rating);
    consoles.browser.wait_for("This job is finished");
    let ended = consoles.browser.text();
    for said in ["What is promised", "Verdict", "What was shown"] {
        assert!(ended.contains(said), "{said}: {ended}");
    }
    consoles.browser.press("a", "Try recommendations");
    consoles.browser.wait_for("User, as in the ratings");
    let user = first_user(&files(data.path()));
    consoles.browser.fill("user", &user);
    consoles.browser.press("button", "Recommend");
    consoles.browser.wait_for(&format!("For {user}"));
    let rows = consoles
        .browser
        .value("document.querySelectorAll('tbody tr').length");
    assert_eq!(rows, 10, "{}", consoles.browser.text());
    let address = consoles.browser.value("location.href");
    assert!(!address.as_str().unwrap().contains(&user), "{address}");

    consoles.at(consoles.social, "/disclosures");
    consoles.browser.wait_for(&job[..8]);
    let complaints = &consoles.browser.complaints;
    assert!(complaints.is_empty(), "{complaints:?}");
    let elsewhere = |url: &&String| !url.starts_with("https://localhost:") && *url != "about:blank";
    let foreign: Vec<_> = consoles.browser.requests.iter().filter(elsewhere).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// Every page, at both widths, by keyboard and in the dark: what can be told without eyes.
#[test]
fn every_page_fits_a_small_screen_and_has_its_labels() {
    let Some(program) = chromium() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut consoles = Consoles::open(&program, &files(data.path()));
    let (ended, open) = two_jobs(&mut consoles);
    for (page, path) in places(&consoles, &ended, &open) {
        consoles.at(page, &path);
        for width in [390, 1280] {
            consoles.browser.size(width);
            let wide = consoles
                .browser
                .value("document.documentElement.scrollWidth");
            assert!(
                wide.as_u64().unwrap() <= width.into(),
                "{path} is {wide} wide at {width}"
            );
            let torn = consoles.browser.value(TORN_WORDS);
            assert_eq!(torn, serde_json::json!([]), "{path} at {width}");
        }
        let unlabelled = "[...document.querySelectorAll('input:not([type=hidden]),select')]\
                          .filter(e => !e.labels.length).map(e => e.name)";
        assert_eq!(
            consoles.browser.value(unlabelled),
            serde_json::json!([]),
            "{path}"
        );
        let headings = consoles
            .browser
            .value("document.querySelectorAll('h1').length");
        assert_eq!(headings, 1, "{path}");
        for scheme in ["dark", "light"] {
            consoles.browser.scheme(scheme);
            let contrast = consoles.browser.value(LEAST_CONTRAST);
            let least = contrast.as_f64().unwrap();
            assert!(least >= 4.5, "{path}: {least} in {scheme}");
        }
    }
    // By keyboard: the first stop leads past the sections.
    consoles.at(consoles.rating, "/propose");
    consoles.browser.key("Tab");
    let first = consoles.browser.value("document.activeElement.className");
    assert_eq!(first, "skip");
    consoles.browser.key("Enter");
    consoles.browser.key("Tab");
    let next = consoles.browser.value("document.activeElement.name");
    assert_eq!(next, "purpose");
    // Without script a page says how things stood.
    consoles.browser.scripts(false);
    consoles.at_without_script(consoles.rating, &format!("/job/{open}"));
    let mut complaints = consoles.browser.complaints.iter();
    let other = complaints.find(|complaint| !complaint.contains("/nothing"));
    assert_eq!(other, None);
}

/// Words and numbers of tables that stand on more than a line: a table scrolls before it tears them.
const TORN_WORDS: &str = "[...document.querySelectorAll('td,th')]\
    .filter(e => /^\\S{1,12}$/.test(e.innerText.trim()))\
    .filter(e => e.firstChild && e.firstChild.nodeType === 3 && (() => { \
        const range = document.createRange(); range.selectNodeContents(e); \
        return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1; })())\
    .map(e => e.innerText.trim())";

/// The least contrast of any text with what is behind it.
const LEAST_CONTRAST: &str = "(() => { \
    const canvas = new OffscreenCanvas(1, 1).getContext('2d'); \
    const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); \
        return canvas.getImageData(0, 0, 1, 1).data; }; \
    const light = (color) => { const [r, g, b] = [...rgb(color)].map(v => v / 255) \
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); \
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; }; \
    const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; \
        if (rgb(c)[3] > 0) return c; } return 'white'; }; \
    let least = 21; \
    for (const e of document.querySelectorAll('p,td,th,dt,dd,a,button,label,h1,h2,h3,li,code,span,strong')) { \
        if (!e.innerText || !e.getClientRects().length) continue; \
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x); \
        least = Math.min(least, (a + 0.05) / (b + 0.05)); } \
    return least; })()";

impl Consoles {
    fn at_without_script(&mut self, page: usize, path: &str) {
        self.at(page, path);
        let told = self
            .browser
            .value("document.querySelector('noscript') !== null");
        assert_eq!(told, true);
        self.browser.wait_for("Without script");
    }
}

/// A job of friends' sums that has ended with a model, and a training that waits.
fn two_jobs(consoles: &mut Consoles) -> (String, String) {
    let ended = consoles.propose("Spring pilot", &[]);
    consoles.browser.press("button", "Start when approved");
    consoles.approve(&ended);
    consoles.browser.turn_to(consoles.rating);
    consoles.browser.wait_for("This job is finished");
    let fields = [
        ("operator", "normalized-laplacian"),
        ("rank", "4"),
        ("rounds", "3"),
    ];
    let open = consoles.propose("Joint training", &fields);
    (ended, open)
}

/// Every page of both consoles.
fn places(consoles: &Consoles, ended: &str, open: &str) -> Vec<(usize, String)> {
    let rating = [
        "/".to_owned(),
        format!("/job/{ended}"),
        format!("/job/{open}"),
        "/propose".into(),
        "/datasets".into(),
        "/models".into(),
        format!("/model/{ended}"),
        "/recommend".into(),
        "/disclosures".into(),
        "/health".into(),
        "/audit".into(),
        "/nothing".into(),
    ];
    let social = [
        "/".to_owned(),
        format!("/proposal/{open}"),
        format!("/proposal/{ended}"),
        "/disclosures".into(),
        "/policy".into(),
        "/health".into(),
        "/audit".into(),
    ];
    let rating = rating.map(|path| (consoles.rating, path));
    let social = social.map(|path| (consoles.social, path));
    rating.into_iter().chain(social).collect()
}

/// Pictures of every page at both widths, to look at: `$S3REC_PICTURES` is the folder.
#[test]
#[ignore = "for eyes: S3REC_PICTURES=DIR cargo test --test end_to_end pictures -- --ignored"]
fn pictures_of_every_page() {
    let Some(program) = chromium() else { return };
    let folder = std::env::var_os("S3REC_PICTURES")
        .map(PathBuf::from)
        .unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let data = tempfile::tempdir().unwrap();
    let files = Files::filmtrust().unwrap_or_else(|| files(data.path()));
    let mut consoles = Consoles::open(&program, &files);
    let (ended, open) = two_jobs(&mut consoles);
    for (page, path) in places(&consoles, &ended, &open) {
        consoles.at(page, &path);
        let which = if page == consoles.rating {
            "rating"
        } else {
            "social"
        };
        let name = path
            .replace(&ended, "ended")
            .replace(&open, "open")
            .replace('/', "_");
        take(&mut consoles.browser, &folder, &format!("{which}{name}"));
    }
    // A training as it goes, what it would cost, and a list.
    consoles.at(consoles.rating, "/propose");
    consoles.browser.fill("purpose", "Autumn pilot");
    consoles.browser.press("button", "What would it cost?");
    consoles.browser.wait_for("Before it is sent");
    take(&mut consoles.browser, &folder, "rating_estimate");
    consoles.at(consoles.rating, "/recommend");
    consoles.browser.fill("user", &first_user(&files));
    consoles.browser.press("button", "Recommend");
    consoles.browser.wait_for("Why");
    take(&mut consoles.browser, &folder, "rating_recommended");
    consoles.approve(&open);
    consoles.at(consoles.rating, &format!("/job/{open}"));
    take(&mut consoles.browser, &folder, "rating_approved");
    consoles.browser.press("button", "Start");
    consoles.browser.wait_for("round 2 of");
    take(&mut consoles.browser, &folder, "rating_running");
    consoles.at(consoles.social, "/");
    take(&mut consoles.browser, &folder, "social_running");
    consoles.browser.turn_to(consoles.rating);
    consoles.browser.wait_for("This job is finished");
    take(&mut consoles.browser, &folder, "rating_training");
    consoles.browser.scheme("dark");
    take(&mut consoles.browser, &folder, "rating_training_dark");
}

fn take(browser: &mut Chromium, folder: &Path, name: &str) {
    for width in [1280, 390] {
        browser.size(width);
        browser.picture(&folder.join(format!("{name}_{width}.png")));
    }
}

/// The first user of a ratings file.
fn first_user(files: &Files) -> String {
    let text = std::fs::read_to_string(&files.ratings).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let line = line.unwrap_or_else(|| text.lines().nth(1).unwrap());
    line.split(['\t', ',', ' ']).next().unwrap().to_owned()
}
