//! Activation documents as programs and people get them: made anew, in both twins, kept nowhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use platen_core::monitors::{self, MailDoors, NewMonitor};
use serde_json::json;
use wire::{
    Activation,
    activation::CBOR,
    hello::{Hello, Road},
};

use crate::site::{Site, read};

fn with_doors(site: &Site) {
    let (smtp, pop3) = (Some("smtp://mail.example.org:25".to_owned()), Some("pop3s://mail.example.org:995".to_owned()));
    site.test.platform.set_mail(MailDoors { domain: "mail.example.org".to_owned(), smtp, pop3 });
}

async fn registered(site: &Site) -> (String, String) {
    let new = NewMonitor { vendor: "ricoh".to_owned(), serial: "E216-R22".to_owned(), model: None };
    let made = monitors::register(&site.admin, site.admin.home, &new).await.unwrap();
    (made.monitor.id.to_string(), made.claim.expose().to_owned())
}

#[tokio::test]
async fn an_activation_document_is_made_anew_in_either_twin_and_refused_without_doors() {
    let site = Site::open().await;
    let (id, _) = registered(&site).await;
    let path = format!("/api/v1/monitors/{id}/activation");
    let refused = site.send("POST", &path, &json!({ "road": "mail" })).send().await.unwrap();
    assert_eq!(refused.status(), 409);
    assert!(read(refused).await["detail"].as_str().unwrap().contains("--smtp-listen"));
    with_doors(&site);
    for wrong in [json!({ "road": "https" }), json!({ "road": "pigeon" }), json!({}), json!({ "road": "mail", "x": 1 })]
    {
        let refused = site.send("POST", &path, &wrong).send().await.unwrap();
        assert!([400, 422].contains(&refused.status().as_u16()), "{wrong}: {}", refused.status());
    }
    let road = json!({ "road": "mail-both-ways" });
    let answer = site.send("POST", &path, &road).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
    let first: Activation = serde_json::from_value(read(answer).await).unwrap();
    let answer = site.send("POST", &path, &road).header("accept", CBOR).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], CBOR);
    let second: Activation = wire::cbor::decode(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((&first.serial, first.sender, first.road), (&second.serial, second.sender, Road::MailBothWays));
    assert!(first.claim != second.claim && first.mail.secret != second.mail.secret);
    let seen = [
        site.json(&format!("/api/v1/monitors/{id}")).await.to_string(),
        site.json("/api/v1/audit?limit=100").await.to_string(),
        site.json("/api/v1/monitors").await.to_string(),
    ];
    for secret in [&first, &second].into_iter().flat_map(|d| [&d.claim, d.mail.secret.as_ref().unwrap()]) {
        assert!(!seen.iter().any(|text| text.contains(secret.as_str())), "shown only once");
    }
    assert!(seen[1].contains("made an activation document"));
}

#[tokio::test]
async fn the_page_of_a_device_gives_the_document_as_a_file_and_says_when_one_must_be_carried() {
    let site = Site::open().await;
    let (id, claim) = registered(&site).await;
    let (page, cookie) = (format!("{}/registrations/{id}", site.url), site.cookie().await);
    let look = async || site.http.get(&page).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    assert!(!look().await.contains("id=\"activation\""), "without doors there is nothing to offer");
    with_doors(&site);
    let html = look().await;
    assert!(
        html.contains("id=\"activation\"") && html.contains("keep it like a key") && !html.contains("It only sends")
    );
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let post = async |path: &str, body: &str| {
        let request = site.http.post(format!("{page}{path}")).header("cookie", &cookie).header("origin", &site.url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("csrf={csrf}&{body}")).send().await.unwrap()
    };
    let file = post("/activation", "road=mail&form=json").await;
    assert_eq!(file.headers()["content-disposition"], "attachment; filename=\"activation-E216R22.json\"");
    let document: Activation = serde_json::from_slice(&file.bytes().await.unwrap()).unwrap();
    assert_ne!(document.claim, claim, "a claim code of its own");
    let file = post("/activation", "road=mail&form=cbor").await;
    assert_eq!(file.headers()["content-type"], CBOR);
    let document: Activation = wire::cbor::decode(&file.bytes().await.unwrap()).unwrap();
    // It follows the road of its test.
    let hello = Hello {
        version: 1,
        vendor: "ricoh".to_owned(),
        serial: "E216-R22".to_owned(),
        model: "IM C3000".to_owned(),
        key: vec![9; 32],
        claim: Some(document.claim),
        road: Road::Mail,
        kinds: Vec::new(),
        clock_ms: 0,
        mono_ms: 0,
        firmware: "1.0".to_owned(),
        mac: None,
        listener: None,
        seal: None,
    };
    monitors::hello(&site.test.platform, &hello, "192.0.2.1").await.unwrap();
    assert!(look().await.contains("It only sends mail, so that it learns a new schedule"));
    let set = post("/schedule", "kind=5&hours=12").await;
    let noted: Vec<_> = set.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()).collect();
    assert!(noted.iter().any(|line| line.contains("carry")), "{noted:?}");
    assert!(post("/schedule", "kind=5&hours=x").await.status().is_client_error());
}
