//! The conventions of the API.

use serde_json::json;

use crate::site::{Site, read};

#[tokio::test]
async fn lists_are_paged_by_key_and_take_filter_sort_fields_and_forms() {
    let mut site = Site::open().await;
    site.devices(7).await;
    let first = site.json("/api/v1/devices?limit=3&sort=serial&count=true&fields=serial,status").await;
    assert_eq!(
        first["items"],
        json!([{"serial":"S000000","status":"stopped"},{"serial":"S000001","status":"attention"},{"serial":"S000002","status":"attention"}])
    );
    assert_eq!(first["count"], 7);
    let next = first["next"].as_str().unwrap();
    let second = site.json(&format!("/api/v1/devices?limit=3&sort=serial&after={next}&fields=serial")).await;
    assert_eq!(second["items"][0]["serial"], "S000003");
    let filtered = site.json("/api/v1/devices?filter=serial+eq+%22S000005%22").await;
    assert_eq!(filtered["items"].as_array().unwrap().len(), 1);
    let csv =
        site.get("/api/v1/devices?sort=serial&fields=serial,name").header("accept", "text/csv").send().await.unwrap();
    assert!(csv.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(csv.text().await.unwrap().starts_with("serial,name\nS000000,Ward 0<script>\n"));
    for wrong in ["limit=501", "sort=colour", "filter=nonsense", "fields=secret", "after=x", "lmit=3"] {
        let response = site.get(&format!("/api/v1/devices?{wrong}")).send().await.unwrap();
        assert_eq!(response.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn errors_are_problem_documents_and_foreign_ids_do_not_exist() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let nobody = site.http.get(format!("{}/api/v1/devices", site.url)).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert!(nobody.headers()["www-authenticate"].to_str().unwrap().contains("Bearer"));
    assert_eq!(nobody.headers()["content-type"], "application/problem+json");
    let problem = read(nobody).await;
    assert!(problem["instance"].as_str().unwrap().len() == 32 && problem["type"] == "/docs/problems/unauthenticated");
    for missing in ["/api/v1/devices/019ca945-0c0a-78fe-ad8f-1f324c40b872", "/api/v1/devices/x", "/api/v1/nothing"] {
        let response = site.get(missing).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
            (404, "application/problem+json")
        );
    }
    let (_, other) = site.test.customer(&site.admin, "Other").await;
    let new = platen_core::users::NewToken { name: "x".into(), scope: "admin".into(), expires_days: Some(1) };
    let (secret, _) = platen_core::users::create_token(&other, &new).await.unwrap();
    let id = site.json("/api/v1/devices").await["items"][0]["id"].as_str().unwrap().to_owned();
    let foreign = site
        .http
        .get(format!("{}/api/v1/devices/{id}", site.url))
        .basic_auth("any", Some(secret.expose()))
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 404);
}

#[tokio::test]
async fn a_change_names_the_version_that_it_saw() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let id = site.json("/api/v1/devices").await["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/devices/{id}");
    let etag = site.get(&path).send().await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
    let patch = json!({"name": "Reception 1"});
    assert_eq!(site.send("PATCH", &path, &patch).send().await.unwrap().status(), 428);
    let changed = site.send("PATCH", &path, &patch).header("if-match", &etag).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.headers()["etag"].to_str().unwrap(), etag);
    assert_eq!(site.send("PATCH", &path, &patch).header("if-match", &etag).send().await.unwrap().status(), 412);
    let unknown = site.send("PATCH", &path, &json!({"nme": "x"})).header("if-match", "\"1\"").send().await.unwrap();
    assert_eq!((unknown.status().as_u16(), read(unknown).await["errors"][0]["pointer"].clone()), (400, json!("/nme")));
}

#[tokio::test]
async fn a_post_may_be_repeated_and_its_secret_is_told_once() {
    let site = Site::open().await;
    let new = json!({"name": "nightly", "scope": "read"});
    let post = |body| site.send("POST", "/api/v1/tokens", body).header("idempotency-key", "k1").send();
    let first = read(post(&new).await.unwrap()).await;
    assert!(first["secret"].as_str().unwrap().starts_with("plt_"));
    let again = post(&new).await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers()["idempotency-replayed"].to_str().unwrap()), (201, "true"));
    let again = read(again).await;
    assert_eq!((&again["id"], again["secret"].is_null()), (&first["id"], true));
    assert_eq!(post(&json!({"name": "other", "scope": "read"})).await.unwrap().status(), 409);
}

#[tokio::test]
async fn events_go_on_after_the_last_one_that_was_seen() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let mut stream = site.get("/api/v1/events").header("last-event-id", "0").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("device.alert.raised") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(60), stream.chunk())
            .await
            .expect("events come")
            .unwrap()
            .unwrap();
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.contains("id: ") && text.contains("device.discovered"));
}

#[tokio::test]
async fn machines_are_told_how_we_are() {
    let mut site = Site::open().await;
    site.devices(2).await;
    assert_eq!(site.json("/health/live").await["status"], "live");
    assert_eq!(site.json("/health/ready").await["status"], "ready");
    assert_eq!(site.json("/.well-known/platen").await["gateway"], "https://127.0.0.1:1");
    let metrics = site.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("platen_devices{status=\"stopped\"} 1") && metrics.contains("platen_http_requests_total"));
    let document = site.json("/api/openapi.json").await;
    assert!(document["paths"]["/api/v1/devices"]["get"]["operationId"] == "list_devices");
}

#[tokio::test]
async fn a_list_is_looked_at_and_taken_as_it_is_and_a_plan_keeps_what_is_not_sent() {
    let site = Site::open().await;
    let agent = site.json("/api/v1/agents").await["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/agents/{agent}");
    let send = |query: &str, list: &str| {
        let request = site.http.post(format!("{}{path}/targets{query}", site.url)).bearer_auth(&site.token);
        request.header("content-type", "text/csv").body(list.to_owned()).send()
    };
    let list = "10.0.0.5 dev eth0 lladdr 00:26:73:aa:bb:cc REACHABLE\n10.0.0.6 dev eth0 FAILED\n10.0.0 dev eth0\n";
    let seen = read(send("?dry_run=true", list).await.unwrap()).await;
    assert_eq!(
        (seen["format"].as_str(), seen["new"].as_u64(), seen["passed_over"].as_u64()),
        (Some("neighbours"), Some(1), Some(1))
    );
    assert_eq!((seen["places"][0]["maker"].as_str(), seen["faults"][0]["line"].as_u64()), (Some("ricoh"), Some(3)));
    assert_eq!(site.json(&format!("{path}/plan")).await["targets"].as_array().unwrap().len(), 0);
    assert_eq!(read(send("", list).await.unwrap()).await["places"][0]["fate"], "new");
    assert_eq!(read(send("", list).await.unwrap()).await["places"][0]["fate"], "known");
    assert_eq!(send("?format=tea", list).await.unwrap().status(), 400);
    let mut plan = site.json(&format!("{path}/plan")).await;
    assert_eq!(plan["targets"][0], serde_json::json!({ "host": "10.0.0.5", "mac": "00:26:73:aa:bb:cc" }));
    for field in ["targets", "hours", "zone", "dns_sd", "asked"] {
        plan.as_object_mut().unwrap().remove(field);
    }
    plan["exclude"] = serde_json::json!(["00:17:c8", "10.0.0.0/30"]);
    let answer = site.send("PUT", &format!("{path}/plan"), &plan).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(read(answer).await["targets"].as_array().unwrap().len(), 1, "what is not sent stays");
    let asked = site.send("POST", &format!("{path}/discovery"), &serde_json::json!({})).send().await.unwrap();
    assert_eq!((asked.status().as_u16(), read(asked).await["asked"].as_u64()), (202, Some(1)));
    let told = site.json(&format!("{path}/discovery")).await;
    assert_eq!((told["total"].as_u64(), told["last"].is_null()), (Some(0), true));
}
