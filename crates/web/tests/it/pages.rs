//! Pages: sessions, forms, headers, and how fast a large list is drawn.

use std::time::Instant;

use crate::site::Site;

#[tokio::test]
async fn one_signs_in_and_text_of_devices_stays_text() {
    let mut site = Site::open().await;
    site.devices(3).await;
    let away = site.http.get(format!("{}/devices?sort=name", site.url)).send().await.unwrap();
    assert_eq!(away.headers()["location"], "/sign-in?next=%2Fdevices%3Fsort%3Dname");
    let cookie = site.cookie().await;
    for path in [
        "/devices",
        "/alerts",
        "/incidents",
        "/rules",
        "/rules/new",
        "/recipients",
        "/webhooks",
        "/notifications",
        "/troubles",
        "/troubles?by=code",
        "/troubles/codes",
        "/tasks",
        "/tasks/new",
        "/registrations",
        "/meters",
        "/doubts",
        "/agents",
        "/organisations",
        "/users",
        "/audit",
        "/account",
        "/help",
        "/search?q=ward",
        "/agents/invite",
    ] {
        let response = site.http.get(format!("{}{path}", site.url)).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let html = response.text().await.unwrap();
        assert!(
            !html.contains("Ward 0<script>") && !html.contains("<b>Jam</b>") && !html.contains(" style="),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_form_needs_the_token_of_the_page_and_our_origin() {
    let mut site = Site::open().await;
    site.devices(1).await;
    let cookie = site.cookie().await;
    let post = |csrf: &str, origin: &str| {
        let request =
            site.http.post(format!("{}/account/theme", site.url)).header("cookie", &cookie).header("origin", origin);
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("csrf={csrf}&theme=dark"))
            .send()
    };
    let html = site
        .http
        .get(format!("{}/account", site.url))
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(post("wrong", &site.url).await.unwrap().status(), 403);
    assert_eq!(post(&csrf, "https://evil.example").await.unwrap().status(), 403);
    assert_eq!(post(&csrf, &site.url).await.unwrap().status(), 303);
    let missing = site.http.get(format!("{}/nothing", site.url)).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await.unwrap().contains("Not here"));
}

#[tokio::test]
async fn the_list_of_ten_thousand_devices_is_drawn_in_time() {
    let mut site = Site::open().await;
    site.devices(10_000).await;
    let cookie = site.cookie().await;
    let mut times = Vec::new();
    for path in [
        "/devices",
        "/devices?sort=-pages",
        "/devices?status=ready&vendor=ricoh",
        "/devices?q=ward+12",
        "/alerts",
        "/meters",
    ] {
        let mut best = u128::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            let response = site.http.get(format!("{}{path}", site.url)).header("cookie", &cookie).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            drop(response.text().await.unwrap());
            best = best.min(begun.elapsed().as_millis());
        }
        times.push((path, best));
    }
    println!("milliseconds, best of five, unoptimised build: {times:?}");
    // Unoptimised and beside other tests: the promise of 100 ms is for a release build, measured by `platen bench web-lists`.
    // Ten times what it takes here: a list that is read whole for each page takes longer still.
    assert!(times.iter().all(|(_, ms)| *ms < 15_000), "{times:?}");
}

#[tokio::test]
async fn a_list_is_shown_before_it_is_taken() {
    let site = Site::open().await;
    let cookie = site.cookie().await;
    let agent = site.json("/api/v1/agents").await["items"][0]["id"].as_str().unwrap().to_owned();
    let page = async |path: &str| {
        let response = site.http.get(format!("{}{path}", site.url)).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    let html = page(&format!("/agents/{agent}/import")).await;
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let send = async |fields: &[(&str, &str)], file: &str| {
        let part =
            |name: &str, value: &str| format!("--b\r\ncontent-disposition: form-data; {name}\r\n\r\n{value}\r\n");
        let mut body: String = fields.iter().map(|(name, value)| part(&format!("name=\"{name}\""), value)).collect();
        body += &part("name=\"file\"; filename=\"list.csv\"", file);
        body += "--b--\r\n";
        let request = site.http.post(format!("{}/agents/{agent}/import", site.url)).header("cookie", &cookie);
        request.header("content-type", "multipart/form-data; boundary=b").body(body).send().await.unwrap()
    };
    let list = "address,name\n10.0.0.7,<b>Reception</b>\n10.0.0\n";
    assert_eq!(send(&[("csrf", "wrong")], list).await.status(), 403);
    assert_eq!(send(&[("csrf", &csrf)], "").await.status(), 400);
    let seen = send(&[("csrf", &csrf)], list).await.text().await.unwrap();
    assert!(seen.contains("Take 1 place") && seen.contains("neither an address nor a host name"), "{seen}");
    assert!(!seen.contains("<b>Reception"), "words of a list stay words");
    assert!(!page(&format!("/agents/{agent}")).await.contains("10.0.0.7"), "nothing is changed yet");
    let taken = send(&[("csrf", &csrf), ("take", "yes"), ("list", "address,name\n10.0.0.7,Reception\n")], "").await;
    assert_eq!(taken.status(), 303);
    let sheet = page(&format!("/agents/{agent}")).await;
    assert!(sheet.contains("10.0.0.7,Reception") && sheet.contains("Discover now"));
}
