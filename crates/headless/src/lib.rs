//! Drives a headless Chromium for the tests of pages, over the DevTools protocol.
//!
//! [`Browser::start`] starts the browser that is installed, and [`Browser::page`] opens a page in it. A [`Page`] goes to addresses, runs
//! scripts, presses keys, takes screenshots, and lists [what went wrong](Page::problems) and [what its readers would
//! miss](Page::audit). Failures are panics, as in assertions: this crate is for tests.
//!
//! The browser is spoken to over pipes (`pipe.rs`), so that there is neither a port nor a WebSocket.
#![forbid(unsafe_code)]

mod pipe;

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use pipe::Pipe;

/// A failing test ends after this time.
const LIMIT: Duration = Duration::from_secs(30);

/// What a reader would miss, found by a script in the page.
const AUDIT: &str = include_str!("audit.js");

/// The variable that names the program of the browser.
const VARIABLE: &str = "CHROMIUM";
/// The names that it has in distributions.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Returns the program of the browser: that of the variable `CHROMIUM`, or the first of the usual names on the path. `None` if there
/// is none, so that the tests of pages cannot be run.
#[must_use]
pub fn program() -> Option<PathBuf> {
    if let Some(given) = env::var_os(VARIABLE) {
        return Some(given.into());
    }
    let path = env::var_os("PATH")?;
    let dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    let files = NAMES
        .iter()
        .flat_map(|name| dirs.iter().map(move |dir| dir.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// A browser, which ends when the value is dropped.
pub struct Browser {
    pipe: Pipe,
}

/// The window of a page.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The width in pixels of CSS.
    pub width: u32,
    /// The height.
    pub height: u32,
    /// Whether the reader prefers dark pages.
    pub dark: bool,
    /// Whether it is a phone.
    pub phone: bool,
}

impl Window {
    /// A desktop with a light page.
    pub const DESKTOP: Self = Self {
        width: 1280,
        height: 800,
        dark: false,
        phone: false,
    };
    /// A phone with a light page.
    pub const PHONE: Self = Self {
        width: 390,
        height: 844,
        dark: false,
        phone: true,
    };

    /// The same with a dark page.
    #[must_use]
    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

impl Browser {
    /// Starts a browser, or returns `None` if none is installed, after saying so.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!(
                "no Chromium is installed, so that the test of pages is skipped; install it or name it by {VARIABLE}"
            );
            return None;
        };
        let pipe = Pipe::start(&program).expect("the browser starts");
        Some(Self { pipe })
    }

    /// Opens an empty page.
    ///
    /// # Panics
    /// If the browser does not answer.
    pub fn page(&mut self, window: Window) -> Page<'_> {
        let created = self.call("", "Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": created["targetId"], "flatten": true });
        let attached = self.call("", "Target.attachToTarget", target);
        let session = text(&attached["sessionId"]);
        let mut page = Page {
            browser: self,
            session,
            problems: Vec::new(),
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.resize(window);
        page
    }

    fn call(&mut self, session: &str, method: &str, parameters: Value) -> Value {
        let answer = self.pipe.call(session, method, parameters, LIMIT);
        answer.unwrap_or_else(|e| panic!("{method}: {e}"))
    }
}

/// A page of a [`Browser`].
pub struct Page<'b> {
    browser: &'b mut Browser,
    session: String,
    problems: Vec<String>,
}

impl Page<'_> {
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.browser.call(&self.session, method, parameters);
        self.note();
        answer
    }

    /// Notes what the browser has reported since.
    fn note(&mut self) {
        for event in self.browser.pipe.events(&self.session) {
            let parameters = &event["params"];
            let problem = match event["method"].as_str() {
                Some("Runtime.exceptionThrown") => {
                    let details = &parameters["exceptionDetails"];
                    let thrown = &details["exception"]["description"];
                    Some(format!("{} {}", text(&details["text"]), text(thrown)))
                }
                Some("Runtime.consoleAPICalled")
                    if matches!(
                        parameters["type"].as_str(),
                        Some("error" | "warning" | "assert")
                    ) =>
                {
                    Some(format!("console: {}", parameters["args"]))
                }
                Some("Log.entryAdded") => {
                    let entry = &parameters["entry"];
                    matches!(entry["level"].as_str(), Some("error" | "warning"))
                        .then(|| format!("{} {}", text(&entry["text"]), text(&entry["url"])))
                }
                _ => None,
            };
            self.problems.extend(problem);
        }
    }

    /// Returns what went wrong since the last call: exceptions, errors and warnings on the console, violations of the policy of the page,
    /// files that were not found.
    pub fn problems(&mut self) -> Vec<String> {
        // The reports precede the answer.
        self.eval("0");
        std::mem::take(&mut self.problems)
    }

    /// Gives the page another window.
    pub fn resize(&mut self, window: Window) {
        let metrics = json!({
            "width": window.width,
            "height": window.height,
            "deviceScaleFactor": 1,
            "mobile": window.phone,
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if window.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// Goes to an address, and waits until a condition holds, which is a script.
    ///
    /// # Panics
    /// If the address cannot be loaded, or the condition does not hold in time.
    pub fn open(&mut self, address: &str, until: &str) {
        let loaded = self.call("Page.navigate", json!({ "url": address }));
        let failed = &loaded["errorText"];
        assert!(failed.is_null(), "{address}: {failed}");
        // The document that is left is not asked.
        let arrived = format!(
            "document.readyState === 'complete' && location.href !== 'about:blank' && ({until})"
        );
        self.wait(&arrived);
    }

    /// Runs a script, waits for its result if that is a promise, and returns it.
    ///
    /// # Panics
    /// If it throws.
    pub fn eval(&mut self, script: &str) -> Value {
        match self.try_eval(script) {
            Ok(value) => value,
            Err(e) => panic!("{script}: {e}"),
        }
    }

    fn try_eval(&mut self, script: &str) -> Result<Value, String> {
        let parameters =
            json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self
            .browser
            .pipe
            .call(&self.session, "Runtime.evaluate", parameters, LIMIT);
        self.note();
        let answer = answer?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            details => Err(details["exception"]["description"].to_string()),
        }
    }

    /// Waits until a script returns something true.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn wait(&mut self, script: &str) {
        let began = Instant::now();
        // A page that is being left has no script to run.
        while !matches!(
            self.try_eval(&format!("Boolean({script})")),
            Ok(Value::Bool(true))
        ) {
            if began.elapsed() > LIMIT {
                let shown = self.try_eval("document.body?.innerText");
                panic!("`{script}` does not become true; the page shows: {shown:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key, such as `Tab`, `Enter` or `Shift+ArrowLeft`.
    pub fn press(&mut self, key: &str) {
        let (shift, key) = match key.strip_prefix("Shift+") {
            Some(key) => (8, key),
            None => (0, key),
        };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind,
                "key": key,
                "code": key,
                "windowsVirtualKeyCode": code,
                "modifiers": shift,
                "text": if kind == "keyDown" { text } else { "" },
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text into the element that has the focus.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Clicks the first element of a selector, in its middle, as a reader does.
    ///
    /// # Panics
    /// If there is none.
    pub fn click(&mut self, selector: &str) {
        let at = self.middle(selector);
        self.mouse("mousePressed", &at);
        self.mouse("mouseReleased", &at);
    }

    /// Drags from the middle of the first element of a selector to that of another one.
    ///
    /// # Panics
    /// If there is none.
    pub fn drag(&mut self, from: &str, to: &str) {
        let from = self.middle(from);
        self.mouse("mousePressed", &from);
        let to = self.middle(to);
        self.mouse("mouseMoved", &to);
        self.mouse("mouseReleased", &to);
    }

    fn middle(&mut self, selector: &str) -> Value {
        self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center', inline: 'nearest' }}); \
             const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
        ))
    }

    fn mouse(&mut self, kind: &str, at: &Value) {
        let buttons = u8::from(kind != "mouseReleased");
        let event = json!({
            "type": kind, "x": at[0], "y": at[1], "button": "left", "buttons": buttons, "clickCount": 1,
        });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Returns what readers would miss: text with too little contrast, controls without a name, a page that is wider than its window,
    /// headings and landmarks that are missing or there twice.
    pub fn audit(&mut self) -> Vec<String> {
        let mut found: Vec<String> = match self.eval(AUDIT) {
            Value::Array(all) => all.iter().map(text).collect(),
            other => vec![other.to_string()],
        };
        self.call("Accessibility.enable", json!({}));
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        for node in nodes.iter().filter(|node| node["ignored"] != true) {
            let role = text(&node["role"]["value"]);
            let is_control = matches!(
                &*role,
                "button"
                    | "link"
                    | "textbox"
                    | "combobox"
                    | "slider"
                    | "checkbox"
                    | "searchbox"
                    | "region"
                    | "group"
            );
            if is_control && text(&node["name"]["value"]).trim().is_empty() {
                found.push(format!("a {role} has no name"));
            }
        }
        found
    }

    /// Returns the sum of the shifts of the layout that no input of the reader has caused; 0 if nothing has moved.
    pub fn layout_shift(&mut self) -> f64 {
        let shift = self.eval(
            "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) \
             if (!entry.hadRecentInput) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true }); \
             setTimeout(() => done(sum), 100); })",
        );
        shift.as_f64().unwrap_or(f64::NAN)
    }

    /// Returns what the window shows, or the whole page, as a picture in PNG.
    ///
    /// # Panics
    /// If the browser gives none.
    pub fn screenshot(&mut self, whole: bool) -> Vec<u8> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": whole });
        let answer = self.call("Page.captureScreenshot", parameters);
        let data = answer["data"].as_str().expect("a picture");
        decode_base64(data).expect("a picture")
    }

    /// Writes a screenshot to a directory, if one is named by the variable `SCREENSHOTS`.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn keep_screenshot(&mut self, name: &str) {
        if let Some(dir) = env::var_os("SCREENSHOTS") {
            let picture = self.screenshot(false);
            let file = Path::new(&dir).join(format!("{name}.png"));
            std::fs::write(file, picture).expect("the directory exists");
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, expected) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYg==", Some("foob")),
            ("Z*==", None),
        ] {
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(decode_base64(text), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_page_is_found() {
        let Some(mut browser) = Browser::start() else {
            return;
        };
        let mut page = browser.page(Window::DESKTOP);
        let html = "<title>x</title><h1>one</h1><h1>two</h1><p style='color:%23aaa;background:white'>faint</p>\
                    <button></button><div style='width:3000px'>wide</div><script>console.error('broken')</script>";
        page.open(
            &format!("data:text/html,{html}"),
            "document.querySelector('button')",
        );
        let found = page.audit().join("\n");
        for expected in [
            "contrast",
            "button has no name",
            "wider than its window",
            "2 elements h1",
            "0 elements main",
        ] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
        assert!(page.problems().join("\n").contains("broken"));
        assert!(page.problems().is_empty());
    }
}
