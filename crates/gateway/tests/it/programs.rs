//! Other people's programs against the real doors, as a script would drive them: what they can do and what they must not.

use std::{net::SocketAddr, path::PathBuf};

use platen_core::{
    devices::{self, DeviceQuery},
    monitors,
    orders::CommandState,
};
use wire::command::What;

use crate::{
    door::Door,
    post::{DOMAIN, Postal, SERIAL, device, doors, open},
    program::run,
};

/// An open door, a device, and files for programs.
struct Scene {
    door: Door,
    device: Postal,
}

impl Scene {
    async fn set() -> Self {
        let door = open(doors()).await;
        let device = device(&door, SERIAL).await;
        Self { door, device }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path: PathBuf = self.door.data.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        // fetchmail wants its passwords read by nobody else.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A letter of the device, for programs that send files.
    fn letter(&self, seq: u64) -> String {
        let letter = self.device.letter(&self.door, self.device.status(seq, SERIAL));
        self.file(&format!("letter-{seq}.eml"), &letter)
    }

    fn authority(&self) -> String {
        self.door.gateway.ca_path.to_str().unwrap().to_owned()
    }

    fn secret(&self) -> &str {
        self.device.pair.secret.as_deref().unwrap()
    }

    async fn messages(&self) -> i64 {
        let kinds = monitors::kinds(&self.door.root, self.device.sender.id.into()).await.unwrap();
        kinds.iter().map(|kind| kind.messages).sum()
    }

    async fn order(&self) {
        monitors::order(&self.door.root, self.device.sender.id.into(), What::SendLog, 3_600_000).await.unwrap();
    }

    async fn states(&self) -> Vec<CommandState> {
        let rows = monitors::commands(&self.door.root, self.device.sender.id.into()).await.unwrap();
        rows.iter().map(|row| row.state).collect()
    }
}

fn port(address: Option<SocketAddr>) -> String {
    address.unwrap().port().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_sends_sealed_mail_and_is_refused_with_any_other() {
    let scene = Scene::set().await;
    let mail = scene.door.gateway.mail;
    let (smtp, smtps) = (port(mail.smtp), port(mail.smtps));
    let (from, to, secret) = (&*scene.device.pair.device, &*scene.device.pair.server, scene.secret());
    let letters: Vec<String> = (1..=4).map(|seq| scene.letter(seq)).collect();
    // swaks ends lines itself, so it is given them as files of this system have them.
    for letter in &letters {
        let text = std::fs::read_to_string(letter).unwrap().replace("\r\n", "\n");
        std::fs::write(letter, text).unwrap();
    }
    let login = ["--auth", "PLAIN", "--auth-user", from, "--auth-password", secret];
    let clear: [&str; 2] = ["--port", &smtp];
    let ways: [Vec<&str>; 4] = [
        [&clear[..], &["--tls"]].concat(),
        clear.to_vec(),
        [&clear[..], &["--tls"], &login].concat(),
        [&["--port", &smtps, "--tls-on-connect"][..], &login].concat(),
    ];
    let common = ["--server", "127.0.0.1", "--from", from, "--ehlo", "device.example"];
    for (way, letter) in ways.iter().zip(&letters) {
        let arguments = [&common[..], &["--to", to, "--data", letter], way].concat();
        let Some(outcome) = run("swaks", "swaks", &arguments, "").await else { return };
        assert!(outcome.success, "{}", outcome.text);
    }
    assert_eq!(scene.messages().await, 4);
    let plain = scene.file("plain.eml", b"From: <a@b>\nTo: <c@d>\nSubject: x\n\nhello\n");
    for refused in [
        vec!["--to", "x@elsewhere.example", "--data", &letters[0]],
        vec!["--to", to, "--data", &plain],
        [vec!["--to", to, "--data", &letters[0], "--tls"], login[..5].to_vec(), vec!["wrong"]].concat(),
        [vec!["--to", to, "--data", &letters[0]], login.to_vec()].concat(),
    ] {
        let outcome = run("swaks", "swaks", &[&common[..], &clear, &refused].concat(), "").await.unwrap();
        assert!(!outcome.success, "{}", outcome.text);
    }
    assert_eq!(scene.messages().await, 4);
    let fleet = devices::list(&scene.door.root, &DeviceQuery::default()).await.unwrap();
    assert_eq!(fleet.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_sends_by_smtps_and_fetches_by_pop3s() {
    let scene = Scene::set().await;
    let (mail, authority) = (scene.door.gateway.mail, scene.authority());
    let user = format!("{}:{}", scene.device.pair.device, scene.secret());
    let common = ["-sS", "--ssl-reqd", "--cacert", &authority, "-u", &user];
    let urls = [
        format!("smtp://localhost:{}/device", port(mail.smtp)),
        format!("smtps://localhost:{}/device", port(mail.smtps)),
    ];
    for (url, seq) in urls.iter().zip(1..) {
        let letter = scene.letter(seq);
        let envelope = ["--mail-from", &scene.device.pair.device, "--mail-rcpt", &scene.device.pair.server];
        let arguments = [&common[..], &envelope, &["-T", &letter, url]].concat();
        let Some(outcome) = run("curl", "curl", &arguments, "").await else { return };
        assert!(outcome.success, "{}", outcome.text);
    }
    assert_eq!(scene.messages().await, 2);
    scene.order().await;
    for url in [format!("pop3://localhost:{}", port(mail.pop3)), format!("pop3s://localhost:{}", port(mail.pop3s))] {
        let list = run("curl", "curl", &[&common[..], &[&url]].concat(), "").await.unwrap();
        assert!(list.success && list.text.starts_with("1 "), "{}", list.text);
        let outcome = run("curl", "curl", &[&common[..], &[&format!("{url}/1")]].concat(), "").await.unwrap();
        let orders = scene.device.orders(&scene.door, outcome.text.as_bytes());
        assert_eq!(orders.commands.len(), 1);
    }
    let clear = format!("pop3://localhost:{}", port(mail.pop3));
    let outcome = run("curl", "curl", &["-sS", "-u", &user, &clear], "").await.unwrap();
    assert!(!outcome.success, "a password in the clear: {}", outcome.text);
    assert_eq!(scene.states().await, [CommandState::Queued]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetchmail_takes_the_orders_of_a_device() {
    let scene = Scene::set().await;
    for _ in 0..3 {
        scene.order().await;
    }
    let spool = scene.file("spool", b"");
    let script = scene.file("deliver", format!("#!/bin/sh\ncat >> {spool}\n").as_bytes());
    let pid = scene.door.data.path().join("fetchmail.pid");
    let commands = format!(
        "poll localhost service {} protocol pop3 user \"{}\" password \"{}\" sslproto \"tls1.2+\" sslcertck sslcertfile \"{}\" \
         no keep mda \"/bin/sh {script}\"\n",
        port(scene.door.gateway.mail.pop3),
        scene.device.pair.device,
        scene.secret(),
        scene.authority(),
    );
    let file = scene.file("fetchmailrc", commands.as_bytes());
    let pid = pid.to_str().unwrap();
    let arguments = ["--fetchmailrc", &file, "--pidfile", pid, "--nosyslog", "--nodetach", "-v"];
    let Some(outcome) = run("fetchmail", "fetchmail", &arguments, "").await else { return };
    assert!(outcome.success, "{}", outcome.text);
    let spool = std::fs::read_to_string(&spool).unwrap();
    assert_eq!(spool.matches("X-Platen: v=1; ").count(), 3, "{spool}\n{}", outcome.text);
    assert_eq!(scene.states().await, [CommandState::Taken; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_finds_starttls_stls_and_a_certificate_that_names_the_doors() {
    let scene = Scene::set().await;
    let mail = scene.door.gateway.mail;
    let authority = scene.authority();
    for (protocol, address, word) in [("smtp", mail.smtp, "221 2.0.0 bye"), ("pop3", mail.pop3, "+OK bye")] {
        let address = format!("localhost:{}", port(address));
        let trust = ["-CAfile", &authority, "-verify_return_error", "-verify_hostname", DOMAIN];
        let arguments = [&["s_client", "-connect", &address, "-starttls", protocol, "-crlf", "-ign_eof"][..], &trust];
        let Some(outcome) = run("openssl", "openssl", &arguments.concat(), "QUIT\n").await else { return };
        assert!(outcome.text.contains("Verify return code: 0 (ok)") && outcome.text.contains(word), "{}", outcome.text);
    }
    for (address, word) in [(mail.smtps, "220 print.example ESMTP"), (mail.pop3s, "+OK Platen")] {
        let address = format!("localhost:{}", port(address));
        let arguments = ["s_client", "-connect", &address, "-CAfile", &authority, "-crlf", "-ign_eof", "-tls1_2"];
        let outcome = run("openssl", "openssl", &arguments, "QUIT\n").await.unwrap();
        assert!(outcome.text.contains("Verify return code: 0 (ok)") && outcome.text.contains(word), "{}", outcome.text);
    }
}
