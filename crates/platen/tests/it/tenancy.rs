//! What belongs to another organisation does not exist: the same answer as for an id that nobody has.

use serde_json::json;

use crate::api::Api;
use crate::process::{Platen, platen, platen_with_input};

const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_another_organisation_answer_404() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let create =
        ["admin", "create-user", "--data", &data, "--email", "root@example.com", "--role", "admin", "--password-stdin"];
    assert!(platen_with_input(&create, "a long pass phrase").status.success());
    let server = Platen::start(folder.path(), "server", &["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    let root = Api::new(&server.url("web"), &token(&data, "root@example.com"));
    let mut admins = Vec::new();
    for name in ["One", "Two"] {
        let (status, org) = root.post("/api/v1/organisations", &json!({ "name": name, "kind": "customer" })).await;
        assert_eq!(status, 201, "{org}");
        let email = format!("{}@example.com", name.to_lowercase());
        let user = json!({ "email": email, "name": name, "role": "admin", "organisation": org["id"] });
        let (status, answer) = root.post("/api/v1/users", &user).await;
        assert_eq!(status, 201, "{answer}");
        admins.push((Api::new(&server.url("web"), &token(&data, &email)), org["id"].as_str().unwrap().to_owned()));
    }
    let (one, _) = &admins[0];
    let (two, org_of_two) = &admins[1];
    let (status, invitation) = two.post("/api/v1/agents/invitations", &json!({})).await;
    assert_eq!(status, 201, "{invitation}");
    let (foreign, foreign_body) = one.try_get(&format!("/api/v1/organisations/{org_of_two}")).await;
    let (missing, missing_body) = one.try_get(&format!("/api/v1/organisations/{NOBODY}")).await;
    assert_eq!((foreign, missing), (404, 404));
    assert_eq!(without_id(&foreign_body), without_id(&missing_body), "the two answers differ");
    for path in ["/api/v1/devices", "/api/v1/alerts", "/api/v1/agents"] {
        let list = one.get(path).await;
        assert_eq!(list["items"].as_array().unwrap().len(), 0, "{path} shows what is not theirs");
    }
    for path in ["devices", "agents", "alerts"] {
        let (status, _) = one.try_get(&format!("/api/v1/{path}/{NOBODY}")).await;
        assert_eq!(status, 404, "{path}");
        let (status, _) = one.try_get(&format!("/api/v1/{path}/..%2f..%2fetc")).await;
        assert_eq!(status, 404, "{path}: a text that is no id is an id that does not exist");
    }
}

fn token(data: &str, email: &str) -> String {
    let output = platen(&["admin", "token", "--data", data, "--email", email, "--scope", "admin", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    token["token"].as_str().unwrap().to_owned()
}

fn without_id(body: &str) -> serde_json::Value {
    let mut problem: serde_json::Value = serde_json::from_str(body).unwrap();
    problem.as_object_mut().unwrap().remove("instance");
    problem
}
