//! What devices tell by themselves, their raw messages, and wishes for many, as programs and people meet them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use platen_core::{monitors, reports, testing::TestPlatform};
use serde_json::{Value, json};
use wire::{
    Body, Message, Report, Subject,
    hello::{Hello, Road},
    monitor::{
        CounterSet, Dictionary, EnvironmentBody, EnvironmentSample, EventBody, Kind, RomBody, RomVersion, ServiceBody,
        ServiceValue, SmartAttribute, SmartBody,
    },
};

use crate::site::{Site, read, status};

/// Registers a device, passes its communication test, and tells these.
async fn reporter(site: &Site, serial: &str, bodies: Vec<Body>) -> Subject {
    let new = monitors::NewMonitor { vendor: "ricoh".to_owned(), serial: serial.to_owned(), model: None };
    let claim = monitors::register(&site.admin, site.admin.home, &new).await.unwrap().claim;
    let hello = Hello {
        version: 1,
        vendor: "ricoh".to_owned(),
        serial: serial.to_owned(),
        model: "IM C3000".to_owned(),
        key: vec![9; 32],
        claim: Some(claim.expose().to_owned()),
        road: Road::Https,
        kinds: Kind::ALL.to_vec(),
        clock_ms: 0,
        mono_ms: 0,
        firmware: "1.0".to_owned(),
        mac: None,
        listener: None,
        seal: None,
    };
    let sender = monitors::hello(&site.test.platform, &hello, "192.0.2.1").await.unwrap().sender;
    if bodies.is_empty() {
        return sender;
    }
    let ctx = monitors::key_of(&site.test.platform, sender).await.unwrap().unwrap().1;
    let clock_ms = ctx.now.as_millis();
    let messages = bodies.into_iter().zip(1..).map(|(body, seq)| Message {
        seq,
        taken_ms: clock_ms - 60_000 + i64::try_from(seq).unwrap(),
        subject: None,
        body,
    });
    let messages = messages.collect();
    let report = Report { version: 1, sender, epoch: 1, clock_ms, mono_ms: 0, messages, plan_revision: 1 };
    let reply = reports::accept(&ctx, report).await.unwrap();
    assert!(reply.results.iter().all(|result| result.outcome == wire::Outcome::Stored), "{:?}", reply.results);
    sender
}

fn everything(serial: &str) -> Vec<Body> {
    let mut condition = status(1);
    condition.identity.serial = Some(serial.to_owned());
    let names = [(1, "total/all/all/all/impressions".to_owned()), (2, "parts.fuser".to_owned())].into();
    let dictionary = Dictionary { model: "IM C3000".to_owned(), names };
    let hash = platen_core::store::Sha256::of(&wire::cbor::encode(&dictionary)).0;
    let hash = u64::from_be_bytes(hash[..8].try_into().unwrap());
    let set = |total| CounterSet { base_seq: None, values: [(1, total), (2, 7)].into(), dictionary: hash };
    let event = |code: &str| EventBody { code: code.to_owned(), total: Some(1_200), ..EventBody::default() };
    let sample = |at_ms| EnvironmentSample { at_ms, temperature_dc: 231, humidity_pm: 402, fuser_dc: None };
    let value = ServiceValue { path: "COPIER/DISPLAY".to_owned(), value: "<b>3</b>".to_owned(), adjusted: false };
    let worn = SmartAttribute { id: 5, value: 9, worst: 9, threshold: 10, raw: 77 };
    vec![
        Body::Status(Box::new(condition)),
        Body::Dictionary(dictionary),
        Body::Billing(set(500)),
        Body::Billing(set(512)),
        Body::Error(event("SC542")),
        Body::Jam(EventBody { tray: Some("1.2".into()), media: Some("iso_a4_210x297mm".into()), ..event("Z-9") }),
        Body::Rom(RomBody { parts: vec![RomVersion { part: "main".into(), version: "12.05".into() }] }),
        Body::Environment(EnvironmentBody { samples: vec![sample(1_000), sample(2_000)] }),
        Body::ServiceDisplay(ServiceBody { values: vec![value] }),
        Body::Smart(SmartBody { disk: "HDD".into(), hours: 12, passed: true, attributes: vec![worn] }),
    ]
}

async fn page(site: &Site, cookie: &str, path: &str) -> (u16, String) {
    let answer = site.http.get(format!("{}{path}", site.url)).header("cookie", cookie).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn what_a_device_tells_is_shown_and_given_to_programs_alike() {
    for test in TestPlatform::each().await {
        let site = Site::on(test).await;
        reporter(&site, "QMA00123", everything("QMA00123")).await;
        let device = site.json("/api/v1/devices").await["items"][0]["id"].as_str().unwrap().to_owned();
        let events = site.json(&format!("/api/v1/devices/{device}/events?count=true")).await;
        assert_eq!(events["count"], 2);
        let known = events["items"].as_array().unwrap().iter().find(|event| event["code"] == "SC542").unwrap();
        assert_eq!((&known["who"], &known["reason"]), (&json!("field-service"), &json!("fuser-under-temp")));
        let csv = site.get("/api/v1/device-events?fields=code,text").header("accept", "text/csv").send().await.unwrap();
        assert!(csv.text().await.unwrap().contains("SC542,Fixing unit does not warm up in time"));
        let unknown = site.json("/api/v1/troubles?unknown=true").await;
        assert_eq!((&unknown["items"][0]["code"], unknown["items"].as_array().unwrap().len()), (&json!("Z-9"), 1));
        assert!(site.json("/api/v1/codes?vendor=ricoh").await["items"].as_array().unwrap().len() > 50);
        let both = site.json(&format!("/api/v1/devices/{device}/counters/billing")).await;
        let total = both["counters"].as_array().unwrap().iter().find(|line| line["value"] == 512).unwrap();
        assert_eq!((&total["before"], &total["difference"]), (&json!(500), &json!(12)));
        assert_eq!(
            site.json(&format!("/api/v1/devices/{device}/counters")).await["items"].as_array().unwrap().len(),
            2
        );
        let kinds = site.json(&format!("/api/v1/devices/{device}/diagnostics")).await;
        assert_eq!(kinds["items"].as_array().unwrap().len(), 4);
        let cookie = site.cookie().await;
        let (code, sheet) = page(&site, &cookie, &format!("/devices/{device}/told")).await;
        assert_eq!(code, 200);
        let words = ["Fixing unit does not warm up", "+12", "12.05", "23.1 °C", "1 of its attributes", "&#60;b&#62;3"];
        for word in words {
            assert!(sheet.contains(word), "{word}: {sheet}");
        }
        let (code, list) = page(&site, &cookie, "/troubles?kind=jam").await;
        assert!(code == 200 && list.contains("Z-9") && !list.contains("SC542-"), "{code}");
        let (_, counted) = page(&site, &cookie, "/troubles?by=unknown").await;
        assert!(counted.contains("Not in the catalogue") && counted.contains("Z-9"));
        let (code, _) = page(&site, &cookie, "/troubles/codes?vendor=canon").await;
        let (bad, _) = page(&site, &cookie, "/troubles?filter=nonsense").await;
        assert_eq!((code, bad), (200, 400));
        let (_, file) = page(&site, &cookie, "/troubles.csv").await;
        assert_eq!(file.lines().count(), 3);
    }
}

#[tokio::test]
async fn raw_messages_show_both_twins_to_managers_alone() {
    let site = Site::open().await;
    let sender = reporter(&site, "QMA00123", everything("QMA00123")).await;
    let id = uuid_of(sender);
    let list = site.json(&format!("/api/v1/reports?sender={id}&count=true")).await;
    assert_eq!((&list["count"], &list["items"][0]["messages"]), (&json!(1), &json!(10)));
    assert_eq!((&list["items"][0]["outcome"], &list["items"][0]["road"]), (&json!("taken"), &json!("https")));
    let name = list["items"][0]["name"].as_str().unwrap().to_owned();
    let report = site.json(&format!("/api/v1/reports/{name}")).await;
    let first = &report["content"][0];
    assert_eq!((&first["kind"], &first["message"]["kind"]), (&json!(4), &json!("status")));
    let bytes = first["cbor"].as_str().unwrap();
    let message: Message = wire::cbor::decode(&hex(bytes)).unwrap();
    assert_eq!(serde_json::to_value(&message).unwrap(), first["message"], "one is the other's twin");
    let cookie = site.cookie().await;
    let (code, sheet) = page(&site, &cookie, &format!("/messages/{name}")).await;
    assert!(code == 200 && sheet.contains("JSON") && sheet.contains("0000  "), "{code}");
    let (code, list) = page(&site, &cookie, &format!("/messages?sender={id}&road=https")).await;
    assert!(code == 200 && list.contains(&name));
    let (code, _) = page(&site, &cookie, "/messages/20513-nothing").await;
    assert_eq!(code, 404);
    let (_, south) = site.test.customer(&site.admin, "South").await;
    let other = reports::raw_report(&south, &name).await.unwrap_err();
    assert_eq!(other.kind, platen_core::Kind::NotFound, "another organisation's are not there");
    let reader = site.test.account(&site.admin, site.admin.home, "r@example.org", platen_core::Role::User).await;
    assert_eq!(reports::raw_report(&reader, &name).await.unwrap_err().kind, platen_core::Kind::Forbidden);
}

fn uuid_of(subject: Subject) -> String {
    platen_core::MonitorId::from(subject).to_string()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test]
async fn a_wish_for_many_is_looked_at_accepted_and_repeated_once() {
    let site = Site::open().await;
    for serial in ["QMA00123", "QMA00124"] {
        reporter(&site, serial, vec![]).await;
    }
    let wish = json!({"wish": {"what": "report_now", "kinds": ["billing"]}, "filter": "vendor eq \"ricoh\""});
    let seen = read(site.send("POST", "/api/v1/tasks/preview", &wish).send().await.unwrap()).await;
    assert_eq!((&seen["devices"], seen["sample"].as_array().unwrap().len()), (&json!(2), 2));
    let mut task = wish.clone();
    task["preview_hash"] = seen["hash"].clone();
    let post = || site.send("POST", "/api/v1/tasks", &task).header("idempotency-key", "k1").send();
    let first = post().await.unwrap();
    assert_eq!(first.status(), 202);
    let place = first.headers()["location"].to_str().unwrap().to_owned();
    let made = read(first).await;
    assert_eq!((&made["state"], &made["counts"]["assigned"]), (&json!("running"), &json!(2)));
    assert_eq!(post().await.unwrap().headers()["idempotency-replayed"], "true");
    assert_eq!(site.json("/api/v1/tasks").await["items"].as_array().unwrap().len(), 1);
    let shares = site.json(&format!("{place}/shares?state=assigned")).await;
    assert_eq!(shares["items"].as_array().unwrap().len(), 2);
    let wrong = site.json(&format!("{place}/shares?state=nonsense")).await;
    assert_eq!(wrong["status"], 400);
    let gone = read(site.send("POST", &format!("{place}/cancel"), &Value::Null).send().await.unwrap()).await;
    assert_eq!((&gone["state"], &gone["counts"]["cancelled"]), (&json!("cancelled"), &json!(2)));
    task["preview_hash"] = json!("0");
    assert_eq!(site.send("POST", "/api/v1/tasks", &task).send().await.unwrap().status(), 409);
}

#[tokio::test]
async fn a_wish_for_many_is_made_on_its_page_without_script() {
    let site = Site::open().await;
    reporter(&site, "QMA00123", vec![]).await;
    let cookie = site.cookie().await;
    let (code, seen) = page(&site, &cookie, "/tasks/new?what=set_period&kind=9&hours=24&filter=&life=24").await;
    assert!(code == 200 && seen.contains("1 device would get an order each"), "{seen}");
    let field = |name: &str| {
        let after = seen.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    let form = format!(
        "csrf={}&what=set_period&kind=9&hours=24&filter=&life=24&hash={}",
        field("csrf"),
        seen.split("name=\"hash\" value=\"").nth(1).unwrap().split('"').next().unwrap()
    );
    let posted = site
        .http
        .post(format!("{}/tasks", site.url))
        .header("cookie", &cookie)
        .header("origin", &site.url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), 303);
    let place = posted.headers()["location"].to_str().unwrap().to_owned();
    let (code, sheet) = page(&site, &cookie, &place).await;
    assert!(code == 200 && sheet.contains("Firmware versions every 24 hours") && sheet.contains("QMA00123"), "{sheet}");
    let (_, list) = page(&site, &cookie, "/tasks").await;
    assert!(list.contains("0 of 1 done"));
    let (bad, words) = page(&site, &cookie, "/tasks/new?what=set_period&hours=1").await;
    assert!(bad == 400 && words.contains("Choose the kind"), "{bad}");
}
