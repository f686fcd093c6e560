//! A server with one agent and a few devices.
#![expect(clippy::unwrap_used, reason = "a test that cannot open its site fails at once")]

use std::net::SocketAddr;

use platen_core::{
    Ctx, OrgId, agents, reports,
    testing::{PASSWORD, TestPlatform},
    users,
};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use wire::{
    Alert, AlertSeverity, Body, Class, ColorMode, Function, Identity, Level, Message, Meter, PaperSize, RawLevel,
    Report, Sides, SnmpVersion, State, Status, Subject, Supply, Unit,
    enrol::EnrolRequest,
    report::{CountersBody, StatusBody},
};

pub(crate) struct Site {
    pub(crate) test: TestPlatform,
    pub(crate) admin: Ctx,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) http: Client,
    pub(crate) agent: Subject,
    pub(crate) seq: u64,
    stop: CancellationToken,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Site {
    pub(crate) async fn open() -> Self {
        Self::on(TestPlatform::sqlite().await).await
    }

    /// On a platform of either database.
    pub(crate) async fn on(test: TestPlatform) -> Self {
        let admin = test.root().await;
        let stop = CancellationToken::new();
        let config = web::WebConfig {
            platform: test.platform.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_listen: None,
            gateway_url: Some("https://127.0.0.1:1".to_owned()),
            ca_pin: Some([1; 16]),
            public_url: None,
            extra_metrics: Vec::new(),
            demo: false,
            mail_out: false,
        };
        let door = web::serve(config, stop.clone()).await.unwrap();
        let agent = enrol(&test, &admin, admin.home, 1).await;
        let new = users::NewToken { name: "test".to_owned(), scope: "admin".to_owned(), expires_days: None };
        let (secret, _) = users::create_token(&admin, &new).await.unwrap();
        // Another test of this process may have been first; the provider is the same.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { test, admin, url: door.url, token: secret.expose().to_owned(), http, agent, seq: 0, stop }
    }

    /// Feeds devices by the path of reports.
    pub(crate) async fn devices(&mut self, count: u32) {
        let (_, ctx) = agents::key_of(&self.test.platform, self.agent).await.unwrap().unwrap();
        let taken_ms = self.test.platform.now().as_millis();
        let numbers: Vec<u32> = (0..count).collect();
        for chunk in numbers.chunks(200) {
            let mut messages = Vec::new();
            for n in chunk {
                for body in [Body::Status(Box::new(status(*n))), Body::Counters(counters(*n))] {
                    self.seq += 1;
                    messages.push(Message { seq: self.seq, taken_ms, subject: Some(subject(*n)), body });
                }
            }
            let report = Report {
                version: 1,
                sender: self.agent,
                epoch: 1,
                clock_ms: taken_ms,
                mono_ms: 1,
                messages,
                plan_revision: 0,
            };
            reports::accept(&ctx, report).await.unwrap();
        }
    }

    /// An hour later the total of a device is this.
    pub(crate) async fn count(&mut self, n: u32, value: u64) {
        self.test.clock.advance(std::time::Duration::from_secs(3_600));
        let (_, ctx) = agents::key_of(&self.test.platform, self.agent).await.unwrap().unwrap();
        let taken_ms = self.test.platform.now().as_millis();
        let mut body = counters(n);
        body.meters[0].value = value;
        self.seq += 1;
        let messages = vec![Message { seq: self.seq, taken_ms, subject: Some(subject(n)), body: Body::Counters(body) }];
        let report = Report {
            version: 1,
            sender: self.agent,
            epoch: 1,
            clock_ms: taken_ms,
            mono_ms: 1,
            messages,
            plan_revision: 0,
        };
        reports::accept(&ctx, report).await.unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> RequestBuilder {
        let method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        read(self.get(path).send().await.unwrap()).await
    }

    /// Signs in as a person; returns the cookie.
    pub(crate) async fn cookie(&self) -> String {
        let form = format!("email=admin%40example.org&password={}&next=%2Falerts", PASSWORD.replace(' ', "+"));
        let request =
            self.http.post(format!("{}/sign-in", self.url)).header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().unwrap()), (303, "/alerts"));
        let line = response.headers()["set-cookie"].to_str().unwrap();
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax"), "{line}");
        line.split(';').next().unwrap().to_owned()
    }
}

pub(crate) async fn read(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

pub(crate) async fn enrol(test: &TestPlatform, by: &Ctx, org: OrgId, key: u8) -> Subject {
    let invitation = agents::invite(by, org).await.unwrap();
    let token = invitation.secret.expose().to_owned();
    let request =
        EnrolRequest { token, public_key: vec![key; 32], name: format!("agent {key}"), version: "1".to_owned() };
    agents::enrol(&test.platform, &request).await.unwrap().agent
}

fn subject(n: u32) -> Subject {
    Subject((u128::from(n) + 1).to_be_bytes())
}

pub(crate) fn status(n: u32) -> StatusBody {
    let jammed = n == 0;
    let alert = Alert {
        severity: AlertSeverity::Critical,
        reason: "media-jam".into(),
        group: Some("media-path".into()),
        part: None,
        text: Some("<b>Jam</b>".into()),
        code: Some(8),
        since: None,
    };
    let level = Level::Percent { value: f64::from(n % 100) };
    StatusBody {
        address: format!("10.{}.{}.7", n / 250, n % 250),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity: Identity {
            vendor: Some("ricoh".into()),
            model: Some("IM C3000".into()),
            serial: Some(format!("S{n:06}")),
            name: Some(format!("Ward {n}<script>")),
            location: Some(format!("Wing {}", n % 4)),
            ..Identity::default()
        },
        status: Status {
            state: if jammed { State::Stopped } else { State::Idle },
            reasons: if jammed { vec!["media-jam-error".into()] } else { Vec::new() },
            console: None,
        },
        supplies: vec![Supply {
            index: "1.1".into(),
            description: None,
            kind: "toner".into(),
            color: Some("black".into()),
            class: Class::Consumed,
            part_number: None,
            serial: None,
            level,
            raw: RawLevel { unit: Some(19), max: Some(100), level: Some(i64::from(n % 100)) },
        }],
        inputs: Vec::new(),
        outputs: Vec::new(),
        covers: Vec::new(),
        alerts: if jammed { vec![alert] } else { Vec::new() },
        quirks: Vec::new(),
    }
}

fn counters(n: u32) -> CountersBody {
    let meter = Meter {
        function: Function::Total,
        color: ColorMode::All,
        size: PaperSize::All,
        sides: Sides::All,
        unit: Unit::Impressions,
        value: 1_000 + u64::from(n),
        name: None,
        source: "1.3.6.1.2.1.43.10.2.1.4.1.1".into(),
    };
    CountersBody { meters: vec![meter] }
}
