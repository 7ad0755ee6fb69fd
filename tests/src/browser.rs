//! Headless Chromium, driven over the DevTools protocol.
//!
//! It speaks over two pipes of its own: a shell moves them to the places where Chromium expects them.
//! Of certificates it believes the one key that it is told of, and everything that it reports as an
//! error on a page is kept.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Longest wait for anything on a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser and its one page at a time.
pub struct Chromium {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Of the next command.
    next: u64,
    /// Pages by the order in which they were opened.
    pages: Vec<String>,
    /// Which of them is meant.
    current: usize,
    /// What pages reported: errors of content rules, of scripts, of requests.
    pub complaints: Vec<String>,
    /// Addresses that were asked for.
    pub requests: Vec<String>,
}

/// Where the browser is: `$S3REC_CHROMIUM`, or on the path; `None` with a loud word where there is
/// none.
#[must_use]
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("S3REC_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| {
            ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
        })
        .find(|program| program.is_file());
    let found = named.or(found);
    if found.is_none() {
        eprintln!("SKIPPED: there is no Chromium; apt-get install chromium, or set S3REC_CHROMIUM");
    }
    found
}

/// Hash of a certificate's public key, as Chromium wants it.
fn key_of(certificate: &Path) -> String {
    let der = CertificateDer::from_pem_file(certificate).unwrap();
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    BASE64.encode(&Sha256::digest(parsed.public_key().raw))
}

impl Chromium {
    /// Starts it with a profile of its own in `home`; it believes `certificates`' keys.
    #[must_use]
    pub fn start(program: &Path, home: &Path, certificates: &[&Path]) -> Self {
        let keys: Vec<String> = certificates.iter().map(|path| key_of(path)).collect();
        let mut process = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
            ])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-extensions",
            ])
            .args(["--remote-debugging-pipe", "--hide-scrollbars", "--lang=en"])
            .arg(format!(
                "--user-data-dir={}",
                home.join("profile").display()
            ))
            .arg(format!(
                "--ignore-certificate-errors-spki-list={}",
                keys.join(",")
            ))
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            commands,
            answers,
            next: 1,
            pages: Vec::new(),
            current: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Sends a command to the browser or, with a session, to one of its pages.
    fn command(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let answered = self.answer(session, method, parameters);
        answered.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn answer(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> Result<Value, Value> {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut line = message.to_string().into_bytes();
        line.push(0);
        self.commands.write_all(&line).unwrap();
        self.commands.flush().unwrap();
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).unwrap();
            assert_eq!(answer.pop(), Some(0), "Chromium is gone after {method}");
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == id {
                return match &answer["error"] {
                    Value::Null => Ok(answer["result"].clone()),
                    error => Err(error.clone()),
                };
            }
            self.hear(&answer);
        }
    }

    fn hear(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                let entry = &parameters["entry"];
                self.complaints
                    .push(format!("{} {}", entry["text"], entry["url"]));
            }
            Some("Runtime.exceptionThrown") => {
                self.complaints
                    .push(parameters["exceptionDetails"].to_string());
            }
            Some("Network.requestWillBeSent") => {
                let url = parameters["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_owned());
            }
            _ => {}
        }
    }

    fn page(&mut self, method: &str, parameters: Value) -> Value {
        let session = self.pages[self.current].clone();
        self.command(Some(&session), method, parameters)
    }

    /// Opens a page of its own and turns to it; gives its number.
    pub fn open(&mut self) -> usize {
        let target = self.command(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.command(None, "Target.attachToTarget", attach);
        self.pages
            .push(attached["sessionId"].as_str().unwrap().to_owned());
        self.current = self.pages.len() - 1;
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.page(&format!("{domain}.enable"), json!({}));
        }
        self.size(1280);
        self.current
    }

    /// Turns to the page of that number.
    pub fn turn_to(&mut self, page: usize) {
        self.current = page;
        self.page("Page.bringToFront", json!({}));
    }

    /// Gives the page that width, CSS pixels.
    pub fn size(&mut self, width: u32) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.page("Emulation.setDeviceMetricsOverride", size);
    }

    /// `dark` or `light`.
    pub fn scheme(&mut self, scheme: &str) {
        let feature = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.page("Emulation.setEmulatedMedia", json!({ "features": feature }));
    }

    /// Whether scripts of pages run.
    pub fn scripts(&mut self, run: bool) {
        self.page(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": !run }),
        );
    }

    /// The value of an expression on the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let session = self.pages[self.current].clone();
        let began = Instant::now();
        loop {
            // A page that is on its way to another has nothing to ask for a moment.
            match self.answer(Some(&session), "Runtime.evaluate", asked.clone()) {
                Ok(answer) => {
                    assert!(
                        answer["exceptionDetails"].is_null(),
                        "{expression}: {answer}"
                    );
                    return answer["result"]["value"].clone();
                }
                Err(error) => assert!(began.elapsed() < PATIENCE, "{expression}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first value of an expression that is not null.
    fn some_value(&mut self, expression: &str) -> Value {
        let began = Instant::now();
        loop {
            let value = self.value(expression);
            if !value.is_null() {
                return value;
            }
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "none of {expression}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the page says.
    pub fn text(&mut self) -> String {
        let text = self.value("document.body ? document.body.innerText : ''");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says that.
    pub fn wait_for(&mut self, words: &str) {
        let began = Instant::now();
        loop {
            let text = self.text();
            if text.contains(words) {
                return;
            }
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "{words:?} is not on the page:\n{text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Goes to an address and waits until it is there.
    pub fn go(&mut self, address: &str) {
        self.value("window.isLeft = true");
        let went = self.page("Page.navigate", json!({ "url": address }));
        assert!(went["errorText"].is_null(), "{address}: {went}");
        self.some_value("!window.isLeft && document.readyState === 'complete' || null");
    }

    /// Presses what a selector and its text name, with the mouse, where it is on the page.
    pub fn press(&mut self, selector: &str, words: &str) {
        let find = format!(
            "(() => {{ const all = [...document.querySelectorAll({selector:?})]; \
             const one = all.find(e => (e.innerText || e.value || '').includes({words:?})); \
             if (!one) return null; one.scrollIntoView({{block: 'center'}}); \
             const at = one.getBoundingClientRect(); \
             return [at.left + Math.min(at.width / 2, 40), at.top + at.height / 2]; }})()"
        );
        let at = self.some_value(&find);
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.page("Input.dispatchMouseEvent", event);
        }
        // What follows it begins at once, if anything does.
        std::thread::sleep(Duration::from_millis(100));
        self.some_value("document.readyState === 'complete' || null");
    }

    /// Types into the field of that name.
    pub fn fill(&mut self, name: &str, text: &str) {
        let field = format!("document.querySelector('[name={name}]')");
        self.some_value(&format!("{field} && ({field}.focus(), true)"));
        self.page("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key: `Tab`, `Enter`, ` `.
    pub fn key(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            _ => 32,
        };
        let text = match key {
            "Enter" => "\r",
            "Tab" => "",
            key => key,
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event =
                json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
            self.page("Input.dispatchKeyEvent", event);
        }
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Writes the whole page as a picture.
    pub fn picture(&mut self, path: &Path) {
        let metrics = self.page("Page.getLayoutMetrics", json!({}));
        let size = &metrics["cssContentSize"];
        let clip =
            json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.page("Page.captureScreenshot", asked);
        let bytes = BASE64
            .decode(taken["data"].as_str().unwrap().as_bytes())
            .unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
