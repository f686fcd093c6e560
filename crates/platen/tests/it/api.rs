//! A small client of the JSON API, as a script would write it.

use std::time::{Duration, Instant};

use serde_json::Value;

/// One account's view of a server.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        // Plain HTTP on loopback; the provider is only named because the client insists on one.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        Self { client, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
    }

    pub(crate) async fn try_get(&self, path: &str) -> (u16, String) {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn csv(&self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.base)).header("accept", "text/csv");
        let (status, body) = self.send(request).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(body.to_string());
        let (status, text) = self.send(request).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self
            .client
            .put(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(body.to_string());
        let (status, text) = self.send(request).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    }

    /// Asks again until the answer pleases; fails with the last one.
    pub(crate) async fn until(&self, path: &str, patience: Duration, pleases: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < patience {
            let (status, body) = self.try_get(path).await;
            if status == 200
                && let Ok(value) = serde_json::from_str::<Value>(&body)
                && pleases(&value)
            {
                return value;
            }
            last = format!("{status} {body}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        last.truncate(2_000);
        panic!("GET {path} did not please within {} s; last: {last}", patience.as_secs());
    }
}
