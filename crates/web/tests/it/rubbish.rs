//! A browser, or a program, that posts rubbish: to every page and every operation of the API, on both databases, and
//! straight into the socket. No answer is a fault of ours, none fails to come, and the door goes on serving.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

use std::collections::BTreeMap;
use std::time::Duration;

use platen_core::Role;
use platen_core::testing::TestPlatform;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::Site;

/// Requests to the API, and forms, on each database; heads into the socket.
const CALLS: usize = 1_500;
const FORMS: usize = 800;
const HEADS: usize = 300;
const NOBODY: &str = "019ca945-0c0a-78fe-ad8f-1f324c40b872";
/// The table of addresses itself, so that a new page is tried without anybody thinking of it.
const ROUTER: &str = include_str!("../../src/router.rs");

const WORDS: [&str; 40] = [
    "",
    " ",
    "0",
    "-1",
    "1",
    "50",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1e309",
    "NaN",
    "0x10",
    "\u{0}",
    "a\u{0}b",
    "\u{202e}evil",
    "\u{feff}",
    "ﷺ",
    "💥",
    "' or 1=1 --",
    "\" eq \"",
    "%",
    "%00",
    "_",
    "\\",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "2026-13-45",
    "2026-11-21T00:00:00Z",
    "null",
    "true",
    "[]",
    "{}",
    "1.2.3.4/99",
    "10.0.0.0/8",
    "a\r\nset-cookie: b=c",
    "admin",
    "user",
    "day",
    "status eq \"ready\" and (",
    "-name",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn word(&mut self) -> String {
        let word = (*self.pick(&WORDS)).to_owned();
        match self.below(20) {
            0 => word.repeat(1 + self.below(3_000)),
            1 => char::from_u32(self.below(0x11_0000) as u32).unwrap_or('\u{fffd}').to_string(),
            _ => word,
        }
    }

    fn json(&mut self, depth: usize) -> Value {
        match self.below(if depth > 3 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!([0_i64, -1, 1, i64::MAX, i64::MIN, 1 << 33][self.below(6)]),
            3 => json!([0.5, -1e300, 1e-300][self.below(3)]),
            4 | 5 => json!(self.word()),
            6 => (0..self.below(4)).map(|_| self.json(depth + 1)).collect(),
            7 => (0..self.below(4)).map(|_| (self.word(), self.json(depth + 1))).collect(),
            _ => json!(NOBODY),
        }
    }
}

/// Percent-encoding of everything but letters and digits.
fn escaped(text: &str) -> String {
    let plain =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(plain).collect()
}

/// Answers by status; 5xx and silence are collected as faults.
#[derive(Default)]
struct Answers {
    by_status: BTreeMap<u16, usize>,
    faults: Vec<String>,
}

impl Answers {
    async fn take(&mut self, what: String, request: RequestBuilder) {
        let again = request.try_clone();
        let outcome = tokio::time::timeout(Duration::from_secs(120), async {
            let response = match (request.send().await, again) {
                // The door hangs up on bodies it will not read; a kept connection may be of that kind.
                (Err(error), Some(again)) if error.is_request() => again.send().await?,
                (outcome, _) => outcome?,
            };
            let status = response.status().as_u16();
            let streams = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
            let text = if streams { String::new() } else { response.text().await? };
            Ok::<_, reqwest::Error>((status, text))
        })
        .await;
        match outcome {
            Ok(Ok((status, text))) => {
                *self.by_status.entry(status).or_default() += 1;
                if status >= 500 {
                    self.faults.push(format!("{status} for {what}: {}", text.chars().take(200).collect::<String>()));
                } else if status >= 400 && text.trim().is_empty() {
                    self.faults.push(format!("{status} without a word for {what}"));
                }
            }
            // What the client itself cannot send.
            Ok(Err(error)) if error.is_builder() || error.is_request() && error.to_string().contains("builder") => {}
            Ok(Err(error)) => self.faults.push(format!("no answer to {what}: {error}")),
            Err(_) => self.faults.push(format!("no answer in 20 s to {what}")),
        }
    }

    fn check(&self, what: &str) {
        let shown: Vec<_> = self.faults.iter().take(15).cloned().collect();
        println!("{what}: answers by status {:?}", self.by_status);
        assert!(self.faults.is_empty(), "{} faults\n{}", self.faults.len(), shown.join("\n"));
    }
}

/// Ids that exist here by the kind of thing, so that rubbish gets past the first door.
struct Ids(BTreeMap<String, Vec<String>>);

impl Ids {
    async fn of(site: &Site) -> Self {
        let mut all = BTreeMap::new();
        for kind in ["devices", "alerts", "agents", "organisations"] {
            let list = site.json(&format!("/api/v1/{kind}")).await;
            let items = list["items"].as_array().into_iter().flatten();
            all.insert(kind.to_owned(), items.filter_map(|item| Some(item["id"].as_str()?.to_owned())).collect());
        }
        let other = site.test.account(&site.admin, site.admin.home, "other@example.org", Role::User).await;
        if let platen_core::Actor::User { id, .. } = other.actor {
            all.insert("users".to_owned(), vec![id.to_string()]);
        }
        Self(all)
    }

    /// `/api/v1/devices/{id}` with something in the braces: mostly a device of ours.
    fn fill(&self, path: &str, dice: &mut Dice) -> String {
        let parts: Vec<&str> = path.split('/').collect();
        let mut filled = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            let kind = place.checked_sub(1).and_then(|before| self.0.get(parts[before]));
            filled.push(match (part.starts_with('{'), kind, dice.below(10)) {
                (false, ..) => (*part).to_owned(),
                (true, Some(ids), 0..7) if !ids.is_empty() => dice.pick(ids).clone(),
                (true, _, 7) => NOBODY.to_owned(),
                _ => escaped(&dice.word()),
            });
        }
        filled.join("/")
    }
}

/// Names of what an operation takes: in the query, and in the body.
fn names(document: &Value, operation: &Value) -> (Vec<String>, Vec<String>) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let query = operation["parameters"].as_array().into_iter().flatten();
    let query = query.filter(|one| one["in"] == "query").filter_map(|one| text(&one["name"])).collect();
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let schema = match schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        Some(path) => document.pointer(path).unwrap_or(schema),
        None => schema,
    };
    let body = schema["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    (query, body)
}

async fn call_the_api(site: &Site, ids: &Ids, dice: &mut Dice) -> Answers {
    let document = site.json("/api/openapi.json").await;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| name.len() < 7) {
            // What would end this very session is not tried with it.
            if !path.ends_with("/session/password") && path != "/api/v1/events" {
                operations.push((method.to_uppercase(), path.clone(), names(&document, operation)));
            }
        }
    }
    assert!(operations.len() > 30, "{}", operations.len());
    let mut answers = Answers::default();
    for number in 0..CALLS {
        let (method, path, (query, fields)) = &operations[number % operations.len()];
        let mut address = ids.fill(path, dice);
        for name in query {
            if dice.below(2) == 0 {
                continue;
            }
            address += if address.contains('?') { "&" } else { "?" };
            address += &format!("{}={}", escaped(name), escaped(&dice.word()));
        }
        let method: Method = method.parse().unwrap();
        let writes = method != Method::GET;
        let mut request = site.http.request(method.clone(), format!("{}{address}", site.url)).bearer_auth(&site.token);
        let mut body = Vec::new();
        if writes {
            let mut object = serde_json::Map::new();
            for name in fields {
                if dice.below(4) > 0 {
                    object.insert(name.clone(), dice.json(0));
                }
            }
            body = match dice.below(10) {
                0 => (0..dice.below(200)).map(|_| dice.below(256) as u8).collect(),
                1 => "[".repeat(1 + dice.below(20_000)).into_bytes(),
                2 => dice.json(0).to_string().into_bytes(),
                _ => Value::Object(object).to_string().into_bytes(),
            };
            if dice.below(10) == 0 {
                body.truncate(body.len() / 2);
            }
            let kinds =
                ["application/json", "application/json", "application/json", "text/html", "multipart/form-data"];
            request =
                request.header("content-type", *dice.pick(&kinds)).header("if-match", *dice.pick(&["*", "\"1\"", "x"]));
        }
        if dice.below(8) == 0 {
            request =
                request.header("idempotency-key", dice.word().replace(|c: char| c.is_control() || !c.is_ascii(), "-"));
        }
        if dice.below(8) == 0 {
            request = request.header("accept", *dice.pick(&["text/csv", "text/html", "image/png", "*/*;q=x"]));
        }
        let what =
            format!("{method} {address} {}", String::from_utf8_lossy(&body).chars().take(300).collect::<String>());
        answers.take(what, request.body(body)).await;
    }
    answers
}

/// Addresses of pages, and whether they take forms.
fn pages() -> Vec<(String, bool)> {
    let table = ROUTER.split("fn pages()").nth(1).unwrap().split("\nfn ").next().unwrap();
    let mut all = Vec::new();
    for entry in table.split(".page(").skip(1) {
        let path = entry.split('"').nth(1).unwrap().to_owned();
        let handlers = entry.split("&[").next().unwrap();
        // An event stream does not end; leaving would end this very session.
        if !["/events", "/sign-out", "/account/password"].contains(&path.as_str()) {
            all.push((path, handlers.contains("post(")));
        }
    }
    assert!(all.len() > 30, "{}", all.len());
    all
}

/// Names of the fields that the pages show.
async fn field_names(site: &Site, cookie: &str, ids: &Ids) -> Vec<String> {
    let mut names = vec!["next".to_owned(), "return".to_owned()];
    let sheets = ids.0.iter().flat_map(|(kind, ids)| ids.iter().map(move |id| format!("/{kind}/{id}")));
    let plain = pages().into_iter().map(|(path, _)| path).filter(|path| !path.contains('{'));
    for path in plain.chain(sheets) {
        let page = site.http.get(format!("{}{path}", site.url)).header("cookie", cookie).send().await.unwrap();
        let html = page.text().await.unwrap();
        names.extend(html.split(" name=\"").skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
    }
    names.sort();
    names.dedup();
    names.retain(|name| name != "csrf" && !name.is_empty());
    names
}

async fn post_forms(site: &Site, ids: &Ids, dice: &mut Dice) -> Answers {
    let cookie = site.cookie().await;
    let names = field_names(site, &cookie, ids).await;
    assert!(names.len() > 20, "{names:?}");
    let account = site.http.get(format!("{}/account", site.url)).header("cookie", &cookie).send().await.unwrap();
    let html = account.text().await.unwrap();
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (pages, mut answers) = (pages(), Answers::default());
    for number in 0..FORMS {
        let (path, posts) = &pages[number % pages.len()];
        let address = ids.fill(path, dice);
        let fields: Vec<String> = (0..dice.below(12))
            .map(|_| format!("{}={}", escaped(dice.pick::<String>(&names)), escaped(&dice.word())))
            .collect();
        let posts = *posts && dice.below(5) > 0;
        let fields = fields.join("&");
        let (method, address, body) = match posts {
            true => (Method::POST, address, format!("csrf={csrf}&{fields}").into_bytes()),
            false => (Method::GET, format!("{address}?{fields}"), Vec::new()),
        };
        // Guesses of the password lock the account, which is another test's matter.
        let cookie = if address.starts_with("/sign-in") { "" } else { &cookie };
        let body = match dice.below(12) {
            0 if posts => (0..dice.below(300)).map(|_| dice.below(256) as u8).collect(),
            1 if posts => vec![b'&'; 1 + dice.below(100_000)],
            _ => body,
        };
        let what =
            format!("{method} {address} {}", String::from_utf8_lossy(&body).chars().take(300).collect::<String>());
        let request = site.http.request(method, format!("{}{address}", site.url)).header("cookie", cookie);
        let kind =
            ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"][usize::from(dice.below(15) == 0)];
        answers.take(what, request.header("origin", &site.url).header("content-type", kind).body(body)).await;
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_in_pages_and_api_is_never_a_fault_of_ours() {
    for (place, test) in TestPlatform::each().await.into_iter().enumerate() {
        let mut site = Site::on(test).await;
        site.devices(4).await;
        let mut dice = Dice(0x5eed + place as u64);
        let ids = Ids::of(&site).await;
        let forms = post_forms(&site, &ids, &mut dice).await;
        forms.check("pages");
        let calls = call_the_api(&site, &ids, &mut dice).await;
        calls.check("api");
        let count = |answers: &Answers, status: u16| answers.by_status.get(&status).copied().unwrap_or(0);
        assert!(count(&calls, 401) < CALLS / 10, "the token still opens the door");
        assert!(count(&calls, 200) > CALLS / 20 && count(&forms, 200) > FORMS / 20, "some of it gets through");
        assert_eq!(site.get("/api/v1/devices").send().await.unwrap().status(), 200, "the door goes on serving");
    }
}

/// A request as it stands in the socket, spoilt.
fn head(site: &Site, dice: &mut Dice) -> Vec<u8> {
    let host = site.url.trim_start_matches("http://");
    let good = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {host}\r\norigin: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 11\r\nconnection: close\r\n\r\nemail=a&b=c",
        site.url
    );
    let mut bytes = good.into_bytes();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(7) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = [0, b'\r', b'\n', b' ', 0xff, b':'][dice.below(6)],
            2 => bytes.truncate(at.max(1)),
            3 => bytes.insert(at, dice.below(256) as u8),
            4 => {
                let line = format!("x-{}: {}\r\n", "y".repeat(dice.below(300)), "z".repeat(dice.below(70_000)));
                let start = bytes.windows(2).position(|pair| pair == b"\r\n").map_or(0, |place| place + 2);
                bytes.splice(start..start, line.into_bytes());
            }
            5 => {
                let end = (at + 1 + dice.below(60)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                bytes.remove(at);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'\n');
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_in_the_socket_is_refused_or_let_go() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let (mut dice, mut by_status) = (Dice(7), BTreeMap::<u16, usize>::new());
    for number in 0..HEADS {
        let bytes = head(&site, &mut dice);
        let mut stream = TcpStream::connect(site.url.trim_start_matches("http://")).await.unwrap();
        // The door may close before all is written.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "head {number} is held for ever: {}", String::from_utf8_lossy(&bytes));
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        *by_status.entry(status).or_default() += 1;
        assert!(status < 500 || status == 505, "{status} for {}", String::from_utf8_lossy(&bytes));
    }
    println!("{HEADS} spoilt heads, answers by status (0: connection closed): {by_status:?}");
    assert_eq!(site.get("/api/v1/devices").send().await.unwrap().status(), 200, "the door goes on serving");
}
