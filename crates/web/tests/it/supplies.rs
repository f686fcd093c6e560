//! Supplies, shipments, limits and parts as programs and people meet them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};

use crate::site::{Site, read};

/// A fleet of twelve whose black toners hold 0 to 11 per cent, looked at.
async fn low() -> Site {
    let mut site = Site::open().await;
    site.devices(12).await;
    platen_core::supplies::run(&site.test.platform).await.unwrap();
    site
}

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn shipments_are_rehearsed_ordered_and_told_to_the_warehouse() {
    let site = low().await;
    let list = site.json("/api/v1/shipments?open=true&count=true").await;
    assert_eq!(list["count"], 11, "{list}");
    assert_eq!(list["items"][0]["items"][0]["name"], "black toner");
    let ids = ids(&list);
    let act = |dry_run: bool| json!({ "ids": &ids[..3], "act": "order", "note": "PO 4711", "dry_run": dry_run });
    let rehearsed = read(site.send("POST", "/api/v1/shipments/acts", &act(true)).send().await.unwrap()).await;
    assert_eq!(rehearsed["items"][0]["to"], "ordered");
    assert_eq!(site.json(&format!("/api/v1/shipments/{}", ids[0])).await["state"], "proposed");
    read(site.send("POST", "/api/v1/shipments/acts", &act(false)).send().await.unwrap()).await;
    assert_eq!(site.json(&format!("/api/v1/shipments/{}", ids[0])).await["state"], "ordered");
    platen_core::supplies::run(&site.test.platform).await.unwrap();
    assert_eq!(site.json("/api/v1/shipments?count=true").await["count"], 11, "nothing is proposed twice");
    let wrong = json!({ "ids": ids, "act": "eat" });
    assert_eq!(site.send("POST", "/api/v1/shipments/acts", &wrong).send().await.unwrap().status(), 400);
    let terms = json!({ "proposes": false, "delivery_days": 2, "margin_days": 1, "together_days": 3, "interval_days": 1, "expiry_days": 9 });
    let set = site.send("PUT", "/api/v1/shipments/terms", &terms).send().await.unwrap();
    assert_eq!(read(set).await["version"], 1);
    assert_eq!(site.json("/api/v1/shipments/terms").await["delivery_days"], 2);
    let cookie = site.cookie().await;
    let csv = site.http.get(format!("{}/shipments.csv?state=sent", site.url)).header("cookie", &cookie);
    let csv = csv.send().await.unwrap().text().await.unwrap();
    assert!(csv.starts_with("shipment,state,customer,place") && csv.contains("PO 4711"), "{csv}");
    assert_eq!(csv.lines().count(), 4, "a line a thing");
}

#[tokio::test]
async fn supplies_limits_forecasts_and_parts_have_pages_that_teach() {
    let site = low().await;
    let cookie = site.cookie().await;
    let page = async |path: &str| {
        let response = site.http.get(format!("{}{path}", site.url)).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    assert!(page("/supplies").await.contains("A forecast needs a past"));
    let rest = page("/supplies?show=unforetold&kind=toner").await;
    assert!(rest.contains("Black toner") && rest.contains("Ward 3&#60;script&#62;"), "{rest}");
    assert!(page("/supplies?kind=waste").await.contains("Nothing of this kind"));
    assert!(page("/supplies/forecasts").await.contains("Each forecast is kept"));
    assert!(page("/parts").await.contains("wear with the pages"));
    assert!(page("/shipments?state=over").await.contains("No shipment is over"));
    let device = site.json("/api/v1/devices?limit=1").await["items"][0]["id"].as_str().unwrap().to_owned();
    let slot = page(&format!("/devices/{device}/supplies/1.1")).await;
    assert!(slot.contains("class=\"chart\"") && slot.contains("does not say yet"), "{slot}");
    let none = site.get(&format!("/api/v1/devices/{device}/supplies/9.9")).send().await.unwrap();
    assert_eq!(none.status(), 404);

    let html = page("/shipments").await;
    let field = |name: &str| {
        let of = format!("name=\"{name}\" value=\"");
        html.split(&of).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (csrf, id) = (field("csrf"), field("id"));
    let post = async |path: &str, body: String| {
        let request = site.http.post(format!("{}{path}", site.url)).header("cookie", &cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").header("origin", &site.url);
        request.body(body).send().await.unwrap()
    };
    let rehearsed = post("/shipments", format!("csrf={csrf}&id={id}&act=order&note=")).await.text().await.unwrap();
    assert!(rehearsed.contains("nothing has changed yet") && rehearsed.contains("Yes, order 1"), "{rehearsed}");
    assert_eq!(post("/shipments", format!("csrf={csrf}&id={id}&act=order&note=&go=yes")).await.status(), 303);
    assert!(page("/shipments?state=sent").await.contains("Ordered"));
    assert_eq!(post("/shipments", format!("csrf={csrf}&act=order")).await.status(), 400, "nothing was chosen");

    let limits = format!("csrf={csrf}&model=Ricoh+IM+C3000&what=black&almost_empty=30&soon_days=3");
    assert_eq!(post("/supplies/limits", limits).await.status(), 303);
    assert!(page("/supplies/limits").await.contains("ricoh im c3000"));
    assert_eq!(post("/supplies/limits", format!("csrf={csrf}&almost_empty=many")).await.status(), 400);
    assert_eq!(site.json("/api/v1/supplies/limits").await["items"][0]["almost_empty"], 30.0);
    let rating = format!("csrf={csrf}&model=ricoh+im+c3000&kind=fuser&rated=150%2C000");
    assert_eq!(post("/parts/ratings", rating).await.status(), 303);
    assert_eq!(site.json("/api/v1/parts/ratings").await["items"][0]["rated"], 150_000.0);
    assert_eq!(site.json("/api/v1/supplies/calibration").await["scored"], 0);
}
