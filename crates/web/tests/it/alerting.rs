//! Who is told, as people and programs set it up: forms without JavaScript, and the API.
#![expect(clippy::unwrap_used, reason = "a test that meets no page fails at once")]

use serde_json::json;

use crate::site::{Site, read};

struct Browser<'s> {
    site: &'s Site,
    cookie: String,
}

impl Browser<'_> {
    async fn page(&self, path: &str) -> String {
        let url = format!("{}{path}", self.site.url);
        let response = self.site.http.get(url).header("cookie", &self.cookie).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// Sends a form; the address that it leads to, or the page that says what is wrong.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        let html = self.page("/account").await;
        let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let mut body = format!("csrf={csrf}");
        for (name, value) in fields {
            let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            body.push_str(&format!("&{name}={value}"));
        }
        let url = format!("{}{path}", self.site.url);
        let request = self.site.http.post(url).header("cookie", &self.cookie).header("origin", &self.site.url);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let response = request.send().await.unwrap();
        match response.headers().get("location") {
            Some(next) => Ok(next.to_str().unwrap().to_owned()),
            None => Err(response.text().await.unwrap()),
        }
    }
}

#[tokio::test]
async fn a_rule_is_made_by_forms_alone_and_an_incident_is_owned_and_ended() {
    let mut site = Site::open().await;
    site.devices(2).await;
    let browser = Browser { site: &site, cookie: site.cookie().await };
    assert!(browser.page("/rules").await.contains("Nobody is told anything yet"));
    assert!(browser.page("/notifications").await.contains("No mail leaves this server"));
    let wrong = browser.send("/recipients", &[("name", "Desk"), ("kind", "mail"), ("address", "nobody")]).await;
    let wrong = wrong.unwrap_err();
    assert!(wrong.contains("no e-mail address") && wrong.contains("value=\"Desk\""), "what was entered is shown again");
    let fields = [
        ("name", "Desk"),
        ("kind", "mail"),
        ("address", "desk@example.net"),
        ("critical_passes", "yes"),
        ("digest", "daily"),
    ];
    let desk = browser.send("/recipients", &fields).await.unwrap();
    let id = desk.rsplit('/').next().unwrap().to_owned();
    assert!(browser.page(&desk).await.contains("Next digest"));
    let rule = [("name", "Jams"), ("filter", "reason eq \"media-jam\""), ("to0", &id), ("active", "yes")];
    let dry = browser.send("/rules", &[&rule[..], &[("act", "dry")]].concat()).await.unwrap_err();
    assert!(dry.contains("it would have told 1 incident"), "{dry}");
    assert!(browser.page("/rules").await.contains("Nobody is told anything yet"), "nothing was saved");
    let bad = browser.send("/rules", &[("name", "x"), ("filter", "colour eq 1"), ("to0", &id)]).await.unwrap_err();
    assert!(bad.contains("There is no field"), "{bad}");
    let made = browser.send("/rules", &rule).await.unwrap();
    assert!(browser.page(&made).await.contains("value=\"Jams\""));
    assert_eq!(browser.send(&desk, &[("act", "test")]).await.unwrap(), desk);
    assert!(browser.page("/notifications").await.contains("A test from Platen"));

    let list = browser.page("/incidents").await;
    let incident = list.split("href=\"/incidents/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let path = format!("/incidents/{incident}");
    assert_eq!(browser.send(&path, &[("act", "take"), ("note", "on my way")]).await.unwrap(), path);
    let sheet = browser.page(&path).await;
    assert!(sheet.contains("Ada Admin") && sheet.contains("on my way"));
    assert!(browser.send(&path, &[("act", "end"), ("why", " ")]).await.unwrap_err().contains("Say why it is over"));
    assert_eq!(browser.send(&path, &[("act", "end"), ("why", "in the workshop")]).await.unwrap(), path);
    assert!(browser.page(&path).await.contains("in the workshop"));
    assert!(browser.page("/incidents?state=closed").await.contains(&incident));
}

#[tokio::test]
async fn programs_set_up_who_is_told_and_change_only_what_they_saw() {
    let mut site = Site::open().await;
    site.devices(2).await;
    let new = json!({ "name": "Log", "kind": "syslog", "address": "tls://log.example.com:6514" });
    let made = site.send("POST", "/api/v1/recipients", &new).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let log = read(made).await["id"].as_str().unwrap().to_owned();
    let rule = json!({ "name": "All", "steps": [{ "recipients": [log] }] });
    let made = site.send("POST", "/api/v1/alert-rules", &rule).send().await.unwrap();
    let tag = made.headers()["etag"].to_str().unwrap().to_owned();
    let made = read(made).await;
    let path = format!("/api/v1/alert-rules/{}", made["id"].as_str().unwrap());
    assert_eq!(made["weekdays"], json!([1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(site.send("PUT", &path, &rule).send().await.unwrap().status(), 428);
    assert_eq!(site.send("PUT", &path, &rule).header("if-match", &tag).send().await.unwrap().status(), 200);
    assert_eq!(site.send("PUT", &path, &rule).header("if-match", &tag).send().await.unwrap().status(), 412);
    let bad = json!({ "name": "All", "steps": [], "colour": 1 });
    assert_eq!(site.send("POST", "/api/v1/alert-rules", &bad).send().await.unwrap().status(), 400);
    let dry = read(site.send("POST", "/api/v1/alert-rules/dry-run", &rule).send().await.unwrap()).await;
    assert!(dry["incidents"].as_u64().unwrap() > 0, "{dry}");
    let incidents = site.json("/api/v1/incidents?open=true&count=true").await;
    let incident = format!("/api/v1/incidents/{}", incidents["items"][0]["id"].as_str().unwrap());
    let sheet = site.json(&incident).await;
    assert!(sheet["alert_list"].as_array().is_some_and(|all| !all.is_empty()), "{sheet}");
    let end = site.send("POST", &format!("{incident}/resolve"), &json!({ "why": "" })).send().await.unwrap();
    assert_eq!(end.status(), 400);
    let digest = site.json("/api/v1/digest").await;
    assert!(digest["text"].as_str().unwrap().starts_with("Incidents that stand"), "{digest}");
    assert_eq!(site.send("DELETE", &path, &json!({})).send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_webhook_shows_its_secret_once_and_its_deliveries_always() {
    let site = Site::open().await;
    let new = json!({ "name": "Tickets", "url": "https://hooks.example.net/a", "types": ["incident.*"] });
    let keyed = |key: &str| site.send("POST", "/api/v1/webhooks", &new).header("idempotency-key", key);
    let made = read(keyed("one").send().await.unwrap()).await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let again = read(keyed("one").send().await.unwrap()).await;
    assert_eq!((&again["secret"], &again["webhook"]["id"]), (&json!(null), &made["webhook"]["id"]));
    let path = format!("/api/v1/webhooks/{}", made["webhook"]["id"].as_str().unwrap());
    assert!(!site.json(&path).await.to_string().contains("whsec_"));
    assert_eq!(site.send("POST", &format!("{path}/test"), &json!({})).send().await.unwrap().status(), 202);
    let log = site.json(&format!("{path}/deliveries")).await;
    assert_eq!((&log["items"][0]["type"], &log["items"][0]["state"]), (&json!("webhook.tested"), &json!("queued")));
    let browser = Browser { site: &site, cookie: site.cookie().await };
    let page = browser.page(&path.replace("/api/v1", "")).await;
    assert!(page.contains("webhook.tested") && !page.contains("whsec_"));
    let bad = json!({ "name": "x", "url": "ftp://x/" });
    assert_eq!(site.send("POST", "/api/v1/webhooks", &bad).send().await.unwrap().status(), 400);
}
