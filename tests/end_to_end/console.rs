//! The social platform's console as a browser sees it: over HTTPS, logged in by a link of the command.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::pair::{Pair, add_settings};
use s3rec_tests::processes::wait_until;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// As much of a browser as the console needs: it believes the platform's authority, and keeps a cookie.
struct Browser {
    tls: Arc<ClientConfig>,
    port: u16,
    cookie: String,
}

struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Browser {
    fn new(pair: &Pair) -> Self {
        let connection = pair.social_connection();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&connection.ca).unwrap())
            .unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let file = pair.home.data_dir("social").join("console.addr");
        let address = std::fs::read_to_string(file).unwrap();
        Self {
            tls: Arc::new(tls),
            port: address.trim().rsplit(':').next().unwrap().parse().unwrap(),
            cookie: String::new(),
        }
    }

    fn ask(&mut self, method: &str, path: &str, form: &str) -> Page {
        let stream = TcpStream::connect(("localhost", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        let origin = format!("https://localhost:{}", self.port);
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: {origin}\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            self.port,
            self.cookie,
            form.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        // A server that does not say goodbye has said all the same what it was asked for.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let cookie = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        if let Some(cookie) = cookie {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        Page {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn get(&mut self, path: &str) -> Page {
        self.ask("GET", path, "")
    }

    /// Opens a link and presses the button that is there.
    fn log_in(&mut self, link: &str) {
        let path = link.split_once(&format!(":{}", self.port)).unwrap().1;
        let page = self.get(path);
        assert_eq!(page.status, 200, "{}", page.body);
        let token = path.rsplit('/').next().unwrap();
        let page = self.ask("POST", "/login", &format!("link={token}"));
        assert_eq!(page.status, 303, "{}", page.body);
    }
}

/// The value of a page's hidden field.
fn form_token(page: &Page) -> String {
    let (_, rest) = page
        .body
        .split_once("name=\"form_token\" value=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_proposal_is_decided_in_the_browser_and_the_job_ends_there() {
    let pair = Pair::configured(|configuration| {
        if configuration.ends_with("social.toml") {
            let text = std::fs::read_to_string(configuration).unwrap();
            let text = format!("{text}[console]\nlisten = \"127.0.0.1:0\"\n");
            std::fs::write(configuration, text).unwrap();
            add_settings(configuration, "limits", "drain_seconds = 5");
        }
    });
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    at(
        &pair,
        &["rating", "import", files.ratings.to_str().unwrap()],
    )
    .json();
    at(&pair, &["social", "import", files.links.to_str().unwrap()]).json();
    let propose = |purpose: &str| {
        let line = format!("rating propose --rank 4 --rounds 3 --purpose {purpose}");
        let proposed = at(&pair, &line.split(' ').collect::<Vec<_>>()).json();
        proposed["job_id"].as_str().unwrap().to_owned()
    };
    let (job, other) = (propose("pilot"), propose("second"));

    let mut browser = Browser::new(&pair);
    let stranger = browser.get("/");
    assert_eq!(stranger.status, 401);
    assert!(stranger.body.contains("s3rec social console"));
    let link = at(&pair, &["social", "console"]).json();
    browser.log_in(link["link"].as_str().unwrap());
    let list = browser.get("/");
    assert_eq!(list.status, 200, "{}", list.body);
    assert!(
        list.head
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        list.head
    );
    assert!(
        list.body.contains("pilot") && list.body.contains("second"),
        "{}",
        list.body
    );
    let page = browser.get(&format!("/proposal/{job}"));
    assert!(
        page.body.contains("of all links without an error"),
        "{}",
        page.body
    );

    // Without the page's token nothing is decided.
    let approve = format!("/proposal/{job}/approve");
    assert_eq!(browser.ask("POST", &approve, "read=yes").status, 403);
    let token = form_token(&page);
    let form = format!("form_token={token}&read=yes");
    let approved = browser.ask("POST", &approve, &form);
    assert_eq!(approved.status, 303, "{}", approved.body);
    let reject = format!("/proposal/{other}/reject");
    let form = format!("form_token={token}&reason=one+is+enough");
    assert_eq!(browser.ask("POST", &reject, &form).status, 303);

    // The rating platform knows of both at once, and the rejected one holds no place.
    let known = || at(&pair, &["rating", "jobs"]).json();
    wait_until("both decisions are known", Duration::from_secs(10), || {
        let jobs = known();
        let jobs = jobs["jobs"].as_array().unwrap().clone();
        let state = |id: &str| {
            let job = jobs.iter().find(|job| job["job_id"] == id).unwrap();
            job["last_event"]["state"].as_str().unwrap().to_owned()
        };
        state(&job) == "JOB_STATE_APPROVED" && state(&other) == "JOB_STATE_REJECTED"
    });
    let rejected = at(&pair, &["rating", "watch", &other[..8]]);
    assert_eq!(rejected.code, Some(1));
    assert!(rejected.stderr.contains("one is enough"), "{rejected:?}");
    at(&pair, &["rating", "start", &job[..8]]).json();
    at(&pair, &["rating", "watch", &job]).json();
    let events = browser.get(&format!("/events/{job}"));
    assert!(
        events.body.contains("\"state\":\"finished\""),
        "{}",
        events.body
    );

    let shown = browser.get("/disclosures");
    assert!(shown.body.contains(&job[..8]), "{}", shown.body);
    let audit = browser.get("/audit");
    assert!(audit.body.contains("Sound."), "{}", audit.body);
    // In the name of the operator whose certificate asked for the link.
    assert!(
        audit.body.contains("s3rec social-operator"),
        "{}",
        audit.body
    );
    let out = browser.ask("POST", "/logout", &format!("form_token={token}"));
    assert_eq!(out.status, 303);
    assert_eq!(browser.get("/").status, 401);
}

#[test]
fn there_is_no_console_unless_it_is_configured() {
    let pair = Pair::start();
    assert!(!pair.home.data_dir("social").join("console.addr").exists());
    let off = at(&pair, &["social", "console"]).error();
    assert_eq!(off["reason"], "UNSUPPORTED", "{off}");
    assert!(off["remedy"].as_str().unwrap().contains("listen"), "{off}");
}

/// Runs a line of one platform's people as JSON.
fn at(pair: &Pair, arguments: &[&str]) -> Run {
    let connection = match arguments[0] {
        "rating" => pair.rating_connection(),
        _ => pair.social_connection(),
    };
    let mut line: Vec<String> = arguments.iter().map(|&word| word.into()).collect();
    line.extend(flags(&connection));
    line.push("--json".into());
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    run(pair.home.path(), &line)
}
