//! Doubts as programs and people settle them.

use serde_json::json;

use crate::site::{Site, read};

/// A device whose counter began anew.
async fn reset(site: &mut Site) -> String {
    site.devices(2).await;
    for value in [20_000, 50_000, 50_200, 12, 20] {
        site.count(1, value).await;
    }
    site.json("/api/v1/doubts?open=true").await["items"][0]["id"].as_str().expect("a doubt is open").to_owned()
}

#[tokio::test]
async fn counter_regression_is_settled_by_the_api_and_flagged_in_the_bill() {
    let mut site = Site::open().await;
    let id = reset(&mut site).await;
    let list = site.json("/api/v1/doubts?count=true&fields=kind,pages,state").await;
    assert_eq!(
        (&list["items"][0], &list["count"]),
        (&json!({"kind": "reset", "pages": 0, "state": "open"}), &json!(1))
    );
    let bill = async |site: &Site| {
        let response = site.get("/api/v1/meters?fields=usage,doubt").header("accept", "text/csv").send().await.unwrap();
        response.text().await.unwrap()
    };
    assert!(bill(&site).await.contains("\n49207,reset\n"), "{}", bill(&site).await);
    let path = format!("/api/v1/doubts/{id}");
    let answer = site.get(&path).send().await.unwrap();
    assert_eq!(answer.headers()["etag"], "\"1\"");
    let sheet = read(answer).await;
    let keys: Vec<_> = sheet["choices"].as_array().unwrap().iter().map(|c| c["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["new_start", "from_zero", "amount"]);
    assert!(sheet["meters"][0]["readings"].as_array().unwrap().len() >= 4);
    let meter = sheet["meters"][0]["meter"].to_string();
    let settle = format!("{path}/settle");
    let wrong = site.send("POST", &settle, &json!({"decision": "guess"})).send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), read(wrong).await["errors"][0]["pointer"].clone()), (400, json!("/decision")));
    let wanted = json!({"decision": "amount", "amounts": {meter: 300}, "note": "board changed"});
    let stale = site.send("POST", &settle, &wanted).header("if-match", "\"7\"").send().await.unwrap();
    assert_eq!(stale.status(), 412);
    let post =
        || site.send("POST", &settle, &wanted).header("idempotency-key", "k1").header("if-match", "\"1\"").send();
    assert_eq!(read(post().await.unwrap()).await, json!({"version": 2}));
    assert_eq!(post().await.unwrap().headers()["idempotency-replayed"], "true");
    assert!(bill(&site).await.contains("\n49507,\n"), "{}", bill(&site).await);
    let reopen = site.send("POST", &format!("{path}/reopen"), &json!({})).send().await.unwrap();
    assert_eq!(read(reopen).await, json!({"version": 3}));
    assert!(bill(&site).await.contains("\n49207,reset\n"));
}

#[tokio::test]
async fn counter_regression_is_settled_on_its_page_without_script() {
    let mut site = Site::open().await;
    let id = reset(&mut site).await;
    let cookie = site.cookie().await;
    let page = async |path: String| {
        let answer = site.http.get(format!("{}{path}", site.url)).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let html = answer.text().await.unwrap();
        assert!(!html.contains("<script>") && !html.contains(" style="), "{path}");
        html
    };
    let device = site.json("/api/v1/doubts").await["items"][0]["device"].as_str().unwrap().to_owned();
    let list = page("/doubts".to_owned()).await;
    assert!(
        list.contains("<b>1 doubt</b>") && list.contains(&format!("/doubts/{id}")) && list.contains("open: </span>1")
    );
    assert!(page("/doubts?about=identity".to_owned()).await.contains("Nothing fits these facets."));
    assert!(page(format!("/devices/{device}")).await.contains(&format!("/doubts/{id}")), "linked from the sheet");
    assert!(page("/meters".to_owned()).await.contains("class=\"flag\""));
    let html = page(format!("/doubts/{id}")).await;
    assert!(html.contains("50,200") && html.contains("class=\"proj\"") && html.contains("Was the counter reset"));
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let post = async |what: &str, body: String| {
        let request = site.http.post(format!("{}/doubts/{id}/{what}", site.url)).header("cookie", &cookie);
        let request = request.header("origin", &site.url).header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("csrf={csrf}&{body}")).send().await.unwrap()
    };
    let refused = post("settle", "version=1&decision=amount&pages-1=many".to_owned()).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("is no number of pages"));
    let settled = post("settle", "version=1&decision=from_zero&note=status+page".to_owned()).await;
    assert_eq!(settled.status(), 303);
    let html = page(format!("/doubts/{id}")).await;
    assert!(html.contains("Count from zero") && html.contains("“status page”") && html.contains("Take it back"));
    assert!(page("/doubts".to_owned()).await.contains("Nothing waits for you."));
    assert!(page("/doubts?state=settled".to_owned()).await.contains(&format!("/doubts/{id}")));
    assert_eq!(post("reopen", "version=2".to_owned()).await.status(), 303);
    assert!(page("/doubts".to_owned()).await.contains("<b>1 doubt</b>"));
    let missing =
        site.http.get(format!("{}/doubts/{device}", site.url)).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(missing.status(), 404);
}
