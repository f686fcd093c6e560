//! Contracts and closes as programs and people use them.

use platen_core::{Micros, billing};
use serde_json::{Value, json};

use crate::site::{Site, read};

fn contract() -> Value {
    json!({
        "number": "K-1", "name": "Ward printers", "devices": "*", "zone": "Europe/Berlin", "currency": "EUR", "estimate": "none",
        "lines": [{ "meter": "total", "price": "0.0085", "erp_code": "PAGES", "included": 10 }]
    })
}

/// Days go by; then the reconciler looks.
async fn later(site: &Site, moment: &str) {
    site.test.clock.set(Micros::parse(moment).expect("a moment is written as RFC 3339"));
    billing::run(&site.test.platform).await.expect("the reconciler runs");
}

#[tokio::test]
async fn close_by_the_api_from_contract_to_document() {
    let mut site = Site::open().await;
    site.devices(2).await;
    let post = || site.send("POST", "/api/v1/contracts", &contract()).header("idempotency-key", "c1").send();
    let made = read(post().await.unwrap()).await;
    let again = post().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!((read(again).await, &made["lines"][0]["price"]), (made.clone(), &json!("0.0085")));
    let path = format!("/api/v1/contracts/{}", made["id"].as_str().unwrap());
    let wrong = site.send("POST", "/api/v1/contracts", &json!({"number": "K-2", "lines": []})).send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), read(wrong).await["errors"][0]["pointer"].clone()), (400, json!("/lines")));
    let patch = site.send("PATCH", &path, &json!({"max_age_d": 10}));
    assert_eq!(patch.send().await.unwrap().status(), 428, "a change names the version that it saw");
    let patch = site.send("PATCH", &path, &json!({"max_age_d": 10})).header("if-match", "\"1\"").send().await.unwrap();
    assert_eq!((patch.status().as_u16(), read(patch).await["max_age_d"].clone()), (200, json!(10)));
    let csv = site.get("/api/v1/contracts?fields=number,state").header("accept", "text/csv").send().await.unwrap();
    assert_eq!(csv.text().await.unwrap(), "number,state\nK-1,active\n");
    let code = json!({"vendor": "hp", "meter": "total", "erp_code": "HP-PAGES"});
    let map = read(site.send("POST", "/api/v1/meter-maps", &code).send().await.unwrap()).await;
    assert_eq!(site.json("/api/v1/meter-maps").await["items"][0], map);

    // One is read at the end of March, the other is not.
    site.test.clock.set(Micros::parse("2026-03-31T10:00:00Z").unwrap());
    site.count(1, 60_000).await;
    later(&site, "2026-03-31T22:00:00Z").await;
    let close = site.json("/api/v1/closes?sort=to_at").await["items"][0].clone();
    assert_eq!(
        (&close["state"], &close["period"], &close["open_gaps"]),
        (&json!("review"), &json!("2026-03"), &json!(1))
    );
    let path = format!("/api/v1/closes/{}", close["id"].as_str().unwrap());
    let gap = site.json(&format!("{path}/gaps")).await["items"][0].clone();
    assert_eq!((&gap["kind"], &gap["open"], &gap["estimate"]), (&json!("error"), &json!(true), &Value::Null));
    let early = site.send("POST", &format!("{path}/close"), &json!({})).send().await.unwrap();
    assert_eq!(early.status(), 409);
    let reading = json!({"device": gap["device"], "line": gap["line"], "value": 60_010});
    let entered = site.send("POST", &format!("{path}/readings"), &reading).send().await.unwrap();
    assert_eq!(entered.status(), 204, "{}", entered.text().await.unwrap());
    assert_eq!(site.json(&path).await["open_gaps"], json!(0));
    let lines = site.json(&format!("{path}/lines")).await;
    assert_eq!(lines["items"].as_array().unwrap().len(), 2, "as it would be: {lines}");
    let done = read(site.send("POST", &format!("{path}/close"), &json!({})).send().await.unwrap()).await;
    assert_eq!((&done["state"], &done["closed_by"]), (&json!("closed"), &json!("test")));
    let used: i64 = lines["items"].as_array().unwrap().iter().map(|line| line["billed"].as_i64().unwrap()).sum();
    assert_eq!(done["totals"][0]["units"], json!(used));
    let documents = site.json(&format!("{path}/documents")).await;
    let document = site.get(&format!("{path}/documents/1")).send().await.unwrap();
    let hash = documents["items"][0]["sha256"].as_str().unwrap();
    assert_eq!(document.headers()["etag"], format!("\"{hash}\""));
    let text = document.text().await.unwrap();
    assert!(text.contains(",manual,") && text.contains("PAGES") && text.lines().count() == 4, "{text}");
    let unbilled = site.json(&format!("{path}/unbilled")).await;
    assert!(unbilled["items"].is_array());
    let nothing = site.send("POST", &format!("{path}/corrections"), &json!({"note": "x"})).send().await.unwrap();
    assert_eq!(nothing.status(), 409, "nothing came in since");
}

#[tokio::test]
async fn close_on_its_pages_without_script() {
    let mut site = Site::open().await;
    site.devices(2).await;
    let cookie = site.cookie().await;
    let page = async |path: &str| {
        let answer = site.http.get(format!("{}{path}", site.url)).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let html = answer.text().await.unwrap();
        assert!(!html.contains("<script>") && !html.contains(" style="), "{path}");
        html
    };
    let post = async |path: &str, csrf: &str, body: &str| {
        let request = site.http.post(format!("{}{path}", site.url)).header("cookie", &cookie);
        let request = request.header("origin", &site.url).header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("csrf={csrf}&{body}")).send().await.unwrap()
    };
    assert!(page("/closes").await.contains("No period runs.") && page("/meters").await.contains("href=\"/contracts\""));
    let html = page("/contracts").await;
    assert!(html.contains("A contract says which counters"), "an empty page teaches");
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let wrong = post("/contracts", &csrf, "number=K-1&devices=*&zone=UTC&meter=total&price=cheap").await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await.unwrap().contains("is no price as 0.0085"));
    let made =
        post("/contracts", &csrf, "number=K-1&devices=*&zone=UTC&meter=total&price=0.0085&estimate=average").await;
    assert_eq!(made.status(), 303);
    let sheet = made.headers()["location"].to_str().unwrap().to_owned();
    let html = page(&sheet).await;
    assert!(html.contains("0.0085") && html.contains("all devices") || html.contains("value=\"*\""));
    let lines =
        "version=1&meter-0=total&price-0=0.01&name-0=All+pages&code-0=P&meter-1=total+full&price-1=0.065&code-1=C";
    assert_eq!(post(&format!("{sheet}/lines"), &csrf, lines).await.status(), 303);
    assert!(page(&sheet).await.contains("0.065"));
    assert_eq!(post(&format!("{sheet}/maps"), &csrf, "meter=total&vendor=ricoh&model=&code=R-1").await.status(), 303);
    let html = page(&sheet).await;
    assert!(html.contains("R-1"));
    let close = format!("/closes/{}", html.split("href=\"/closes/").nth(1).unwrap().split('"').next().unwrap());
    assert_eq!(post(&close, &csrf, "act=look").await.status(), 303);
    assert!(page(&close).await.contains("The period runs until"));
    assert_eq!(post(&format!("{sheet}/devices"), &csrf, "serial=NOBODY").await.status(), 400);
    billing::run(&site.test.platform).await.unwrap();
    assert!(page("/closes?state=closed").await.contains("No period is closed yet."));
    assert!(page("/closes").await.contains("K-1"));
    assert_eq!(post(&format!("{sheet}/end"), &csrf, "version=2").await.status(), 400, "it must be meant");
}
