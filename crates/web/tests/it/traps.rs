//! The trap door of an agent and its unknown senders, on its page and in the API.
#![expect(clippy::unwrap_used, reason = "a test that cannot ask its site fails at once")]

use platen_core::{agents, reports};
use wire::traps::{SendersBody, TrapSender};
use wire::{Body, Message, Report, SnmpVersion};

use crate::site::Site;

impl Site {
    /// The agent tells who called at its trap door.
    async fn senders(&mut self, senders: Vec<TrapSender>) {
        let (_, ctx) = agents::key_of(&self.test.platform, self.agent).await.unwrap().unwrap();
        let taken_ms = self.test.platform.now().as_millis();
        self.seq += 1;
        let listen = "192.0.2.1:162".to_owned();
        let body = Body::Senders(SendersBody { listen, received: 1_200, known: 1_190, shed: 800, refused: 2, senders });
        let messages = vec![Message { seq: self.seq, taken_ms, subject: None, body }];
        let (sender, clock_ms) = (self.agent, taken_ms);
        let report = Report { version: 1, sender, epoch: 1, clock_ms, mono_ms: 1, messages, plan_revision: 0 };
        reports::accept(&ctx, report).await.unwrap();
    }

    async fn page(&self, path: &str) -> String {
        let cookie = self.cookie().await;
        let response = self.http.get(format!("{}{path}", self.url)).header("cookie", cookie).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }
}

#[tokio::test]
async fn unknown_senders_stand_on_the_page_of_the_agent_and_in_the_api() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let agent = site.json("/api/v1/agents").await["items"][0]["id"].as_str().unwrap().to_owned();
    let none = site.json(&format!("/api/v1/agents/{agent}/traps")).await;
    assert!(none["listen"].is_null() && none["received"] == 0);
    assert!(!site.page(&format!("/agents/{agent}")).await.contains("id=\"traps\""), "no door, no words about it");
    let now = site.test.platform.now().as_millis();
    let sender = |address: &str, count| TrapSender {
        address: address.into(),
        count,
        first_ms: now - 60_000,
        last_ms: now - 1_000,
        trap: Some("1.3.6.1.6.3.1.1.5.1<b>".into()),
        snmp: Some(SnmpVersion::V1),
        speaks_for: Some("10.0.0.9".into()),
    };
    site.senders(vec![sender("198.51.100.7", 8), sender("2001:db8::7", 2)]).await;
    let door = site.json(&format!("/api/v1/agents/{agent}/traps")).await;
    assert_eq!((door["listen"].as_str(), door["shed"].as_u64()), (Some("192.0.2.1:162"), Some(800)));
    let first = site.json(&format!("/api/v1/agents/{agent}/traps/senders?limit=1&count=true")).await;
    assert_eq!((first["items"][0]["address"].as_str(), first["count"].as_u64()), (Some("198.51.100.7"), Some(2)));
    let next = first["next"].as_str().unwrap();
    let second = site.json(&format!("/api/v1/agents/{agent}/traps/senders?after={next}")).await;
    assert_eq!(second["items"][0]["address"], "2001:db8::7");
    let html = site.page(&format!("/agents/{agent}")).await;
    assert!(html.contains("198.51.100.7") && html.contains("1,190") && html.contains("for 10.0.0.9"), "{html}");
    assert!(!html.contains("5.1<b>"), "what a stranger says stays text");
}

#[tokio::test]
async fn alerts_are_found_by_whom_they_concern() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let all = site.json("/api/v1/alerts?filter=audience+eq+%22operator%22&fields=reason,audience").await;
    assert_eq!(all["items"][0], serde_json::json!({ "reason": "media-jam", "audience": "operator" }));
    assert_eq!(site.json("/api/v1/alerts?filter=audience+eq+%22service%22").await["items"], serde_json::json!([]));
    assert!(site.page("/alerts?for=operator").await.contains("Concerns"));
}
