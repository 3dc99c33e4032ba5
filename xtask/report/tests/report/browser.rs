//! A headless Chromium over its DevTools protocol: enough to open a page and to use it.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lab_skip::{Need, skip};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A page of the browser, which all tests share: starting one takes longer than most of them.
pub(crate) struct Browser {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    target: String,
    calls: u64,
    /// What the page said on its console, and what went wrong in it.
    pub complaints: Vec<String>,
    /// Every address that the page asked for.
    pub requests: BTreeSet<String>,
}

/// Opens a page in the browser that `CHROMIUM` names, or in one in `PATH`; without one, says so.
pub(crate) fn start() -> Option<Browser> {
    static SHARED: OnceLock<Option<Running>> = OnceLock::new();
    let running = SHARED.get_or_init(|| find().map(|program| Running::launch(&program)));
    if running.is_none() {
        skip(Need::Browser, "no Chromium in CHROMIUM or PATH");
    }
    running.as_ref().map(|running| Browser::connect(&running.address))
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let path = env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let candidates = env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    candidates.into_iter().find(|file| file.is_file())
}

/// A browser, for as long as this process lives.
struct Running {
    address: String,
    /// Its standard input is closed when this process ends, however it ends.
    _shell: Child,
}

/// Runs a browser until standard input is closed.
const UNTIL_CLOSED: &str = r#"
profile=$(mktemp -d)
"$@" --user-data-dir="$profile" about:blank </dev/null &
exec 2>&-
read -r _
kill $!
wait
rm -rf "$profile"
"#;

impl Running {
    fn launch(program: &Path) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", UNTIL_CLOSED, "sh"])
            .arg(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
            .args(["--no-first-run", "--disable-extensions", "--disable-background-networking"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(shell.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = said
            .find_map(|line| Some(line.split_once("DevTools listening on ")?.1.trim().to_owned()))
            .expect("the browser tells its DevTools address");
        // Keep reading, or the browser blocks on a full pipe.
        std::thread::spawn(move || said.for_each(drop));
        Self { address, _shell: shell }
    }
}

impl Browser {
    fn connect(address: &str) -> Self {
        let host = address.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let (socket, _) = tungstenite::client(address, stream).unwrap();
        let mut browser = Self {
            socket,
            session: None,
            target: String::new(),
            calls: 0,
            complaints: Vec::new(),
            requests: BTreeSet::new(),
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        self.target = target["targetId"].as_str().unwrap().to_owned();
        let attach = json!({ "targetId": self.target, "flatten": true });
        let session = self.call("Target.attachToTarget", attach);
        self.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        // Behind the page of another test it would not be drawn.
        self.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        // A page that still scrolls slips away under the pointer.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [still] }));
    }

    /// Opens a file in a window of this size and waits until its script is done; returns how long
    /// that took from the start of the navigation.
    pub(crate) fn open(&mut self, page: &Path, width: u32, height: u32) -> Duration {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        self.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let ready = self.run(
                "location.protocol === 'file:' && document.documentElement?.dataset.ready || ''",
            );
            if let Some(ms) = ready.as_str().and_then(|text| text.parse().ok()) {
                return Duration::from_millis(ms);
            }
            assert!(Instant::now() < deadline, "the page is not ready: {:?}", self.complaints);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression in the page; a promise is awaited.
    pub(crate) fn run(&mut self, expression: &str) -> Value {
        let call = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", call);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The same, as text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.run(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait_until(&mut self, expression: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while self.run(expression) != json!(true) {
            assert!(Instant::now() < deadline, "waited in vain until {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks in the middle of the first element that the selector names.
    pub(crate) fn click(&mut self, selector: &str) {
        let (x, y) = self.place(selector, 0.5, 0.5);
        self.mouse("mouseMoved", x, y);
        self.mouse("mousePressed", x, y);
        self.mouse("mouseReleased", x, y);
    }

    /// Moves the pointer to a place in an element, given as shares of its width and height.
    pub(crate) fn hover(&mut self, selector: &str, across: f64, down: f64) {
        let (x, y) = self.place(selector, across, down);
        self.mouse("mouseMoved", x - 2.0, y);
        self.mouse("mouseMoved", x, y);
        self.settle();
    }

    /// Drags across an element, between two shares of its width.
    pub(crate) fn drag(&mut self, selector: &str, from: f64, to: f64) {
        let (start, y) = self.place(selector, from, 0.5);
        let (end, _) = self.place(selector, to, 0.5);
        self.mouse("mouseMoved", start, y);
        self.mouse("mousePressed", start, y);
        for step in 1..=8 {
            self.mouse("mouseMoved", start + (end - start) * f64::from(step) / 8.0, y);
        }
        self.mouse("mouseReleased", end, y);
        self.settle();
    }

    /// Presses a key such as `Enter` or `ArrowRight`.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key }));
        }
        self.settle();
    }

    /// Types into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
        self.settle();
    }

    /// Lets the page draw.
    pub(crate) fn settle(&mut self) {
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
    }

    fn place(&mut self, selector: &str, across: f64, down: f64) -> (f64, f64) {
        let found = self.run(&format!(
            "(() => {{ const it = document.querySelector({}); if (!it) return null;
               it.scrollIntoView({{ block: 'center', behavior: 'instant' }});
               const box = it.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }})()",
            json!(selector)
        ));
        let at = |i: usize| found[i].as_f64().unwrap_or_else(|| panic!("{selector} is not there"));
        (at(0) + across * at(2), at(1) + down * at(3))
    }

    fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Calls a method of the protocol and returns its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == json!(self.calls) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                self.complaints.push(params.to_string());
            }
            Some("Network.requestWillBeSent") => {
                let address = params["request"]["url"].as_str().unwrap_or_default();
                self.requests.insert(address.to_owned());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = json!({ "id": 0, "method": "Target.closeTarget", "params": { "targetId": self.target } });
        // The browser may be gone already.
        let _ = self.socket.send(Message::text(close.to_string()));
    }
}
