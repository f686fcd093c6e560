//! Secrets never reach logs, errors, events or the audit log: canaries are planted and everything written is searched.

use std::io::Write;
use std::sync::{Arc, Mutex};

use platen_core::testing::{PASSWORD, TestPlatform};
use platen_core::users::{self, NewToken, SignIn};
use platen_core::{Secret, agents, audit, events, idempotency};
use wire::enrol::EnrolRequest;
use wire::plan::SnmpCredential;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_written_where_people_read() {
    let log = Captured::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for test in TestPlatform::each().await {
        let (mut written, secrets) = act(&test).await;
        written.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
        for secret in secrets {
            assert!(secret.len() >= 12, "a canary must be long enough to be found by chance alone");
            assert!(!written.contains(&secret), "{secret:?} was written");
        }
    }
}

/// Does what has to do with secrets, well and badly; returns all that was said, and the secrets.
async fn act(test: &TestPlatform) -> (String, Vec<String>) {
    let mut said = String::new();
    let root = test.root().await;
    let mut sign_in = SignIn {
        email: "admin@example.org".to_owned(),
        password: Secret::new(PASSWORD),
        address: None,
        client: "test".to_owned(),
        request: "r1".to_owned(),
    };
    let (session, signed_in) = users::sign_in(&test.platform, &sign_in).await.unwrap();
    sign_in.password = Secret::new("canary-wrong-password");
    said.push_str(&format!("{:?}{:?}", users::sign_in(&test.platform, &sign_in).await.unwrap_err(), sign_in));
    let new = NewToken { name: "script".to_owned(), scope: "write".to_owned(), expires_days: None };
    let (token, row) = users::create_token(&root, &new).await.unwrap();
    said.push_str(&format!("{row:?}{token:?}{session:?}{signed_in:?}"));
    let bad = format!("{}x", token.expose());
    said.push_str(&format!("{:?}", users::bearer(&test.platform, &bad).await.unwrap_err()));
    let invitation = agents::invite(&root, root.home).await.unwrap();
    said.push_str(&format!("{invitation:?}"));
    let request = EnrolRequest {
        token: invitation.secret.expose().to_owned(),
        public_key: vec![9; 32],
        name: "host".to_owned(),
        version: "1".to_owned(),
    };
    let agent = agents::enrol(&test.platform, &request).await.unwrap().agent.into();
    said.push_str(&format!(
        "{:?}",
        agents::enrol(&test.platform, &EnrolRequest { public_key: vec![8; 32], ..request }).await
    ));
    let mut plan = agents::plan(&root, agent).await.unwrap();
    plan.credentials = vec![SnmpCredential::Usm {
        user: "ann".to_owned(),
        auth: Some("sha256".to_owned()),
        auth_pass: Some("canary-auth-pass".to_owned()),
        privacy: Some("wrong".to_owned()),
        privacy_pass: Some("canary-priv-pass".to_owned()),
    }];
    said.push_str(&format!("{:?}", agents::set_plan(&root, agent, plan.clone()).await.unwrap_err()));
    plan.credentials.push(SnmpCredential::community("canary-community"));
    if let SnmpCredential::Usm { privacy, .. } = &mut plan.credentials[0] {
        *privacy = Some("aes128".to_owned());
    }
    let set = agents::set_plan(&root, agent, plan).await.unwrap();
    said.push_str(&serde_json::to_string(&set).unwrap());
    said.push_str(&serde_json::to_string(&agents::get(&root, agent).await.unwrap()).unwrap());
    said.push_str(&format!("{:?}", idempotency::begin(&root, "canary", b"x").await.unwrap()));
    let records = audit::list(&root, &audit::AuditQuery::default()).await.unwrap();
    said.push_str(&serde_json::to_string(&records).unwrap());
    said.push_str(&serde_json::to_string(&events::after(&root, 0, 500).await.unwrap()).unwrap());
    let secrets = [
        PASSWORD,
        "canary-wrong-password",
        "canary-auth-pass",
        "canary-priv-pass",
        "canary-community",
        session.expose(),
        signed_in.csrf.expose(),
        token.expose(),
        invitation.secret.expose(),
    ];
    (said, secrets.map(str::to_owned).to_vec())
}
