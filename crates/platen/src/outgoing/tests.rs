//! What leaves the server, with real receivers: smtp-sink of Postfix, our own mail door with STARTTLS, an HTTP receiver
//! that checks signatures, and log hosts by UDP, TCP and TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::{Router, body::Bytes, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use platen_core::notifications::{ChannelKind, Due, NewRecipient, Outcome, Recipient};
use platen_core::testing::TestPlatform;
use platen_core::{Ctx, notifications, webhooks};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::mail::{Submission, Told};
use super::{Egress, Outgoing, send_one, syslog, webhook};

const PATIENCE: Duration = Duration::from_secs(120);

fn here() -> Egress {
    Egress { allow: vec!["127.0.0.0/8".parse().unwrap()], ca: None }
}

async fn mail_to(ctx: &Ctx, address: &str, fallback: Option<&Recipient>) -> Recipient {
    let new = NewRecipient { fallback: fallback.map(|r| r.id), ..NewRecipient::mail("Service desk", address) };
    notifications::create_recipient(ctx, &new).await.unwrap()
}

async fn next(test: &TestPlatform) -> Due {
    notifications::claim(&test.platform, "a test", true).await.unwrap().unwrap()
}

/// smtp-sink of Postfix on a port of its own, which keeps what it takes; `None` when it is not installed.
async fn smtp_sink(folder: &std::path::Path) -> Option<(tokio::process::Child, u16)> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let program = ["/usr/sbin/smtp-sink", "/usr/lib/postfix/sbin/smtp-sink"]
        .into_iter()
        .find(|p| std::path::Path::new(p).exists());
    let Some(program) = program else {
        eprintln!("skipped: smtp-sink not found (apt install postfix)");
        return None;
    };
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut command = tokio::process::Command::new(program);
    // As root it wants to be told whom to become.
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        command.args(["-u", "nobody"]);
    }
    command.args(["-d", "%M.mail", &format!("127.0.0.1:{port}"), "10"]);
    let child =
        command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    for _ in 0..200 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            return Some((child, port));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("smtp-sink does not open its port");
}

#[tokio::test]
async fn mail_is_handed_in_to_a_real_server_as_a_machine_writes_it() {
    let test = TestPlatform::sqlite().await;
    let ctx = test.root().await;
    let folder = tempfile::tempdir().unwrap();
    let Some((_sink, port)) = smtp_sink(folder.path()).await else { return };
    let url = format!("smtp+clear://127.0.0.1:{port}");
    let told = Told {
        url: &url,
        user: None,
        password: None,
        from: "Platen <platen@example.com>",
        bounces: Some("bounces.example.com"),
        ca: None,
    };
    let submission = Submission::new(&told).unwrap();
    let desk = mail_to(&ctx, "desk@example.net", None).await;
    notifications::test_recipient(&ctx, desk.id).await.unwrap();
    let due = next(&test).await;
    assert_eq!(submission.send(&due, "desk@example.net").await, Outcome::Sent { status: Some(250) });
    let kept =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let mail = kept.into_iter().find(|text| text.contains("A test from Platen")).unwrap();
    for line in [
        format!("X-Mail-Args: <{}@bounces.example.com>", due.bounce_name),
        "X-Rcpt-Args: <desk@example.net>".to_owned(),
        "From: Platen <platen@example.com>".to_owned(),
        "Auto-Submitted: auto-generated".to_owned(),
        format!("Message-ID: <{}@example.com>", due.id),
    ] {
        assert!(mail.contains(&line), "{line}\n{mail}");
    }
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_tried_again() {
    let test = TestPlatform::sqlite().await;
    let ctx = test.root().await;
    let desk = mail_to(&ctx, "desk@example.net", None).await;
    notifications::test_recipient(&ctx, desk.id).await.unwrap();
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let url = format!("smtp+clear://127.0.0.1:{port}");
    let told = Told { url: &url, user: None, password: None, from: "p@example.com", bounces: None, ca: None };
    let mail = Some(Arc::new(Submission::new(&told).unwrap()));
    let outgoing = Outgoing { mail, egress: Arc::new(here()), base: String::new() };
    send_one(&test.platform, &outgoing, next(&test).await).await;
    let log = notifications::list(&test.again(&ctx).await, &notifications::NotificationQuery::default()).await.unwrap();
    assert_eq!((log.items[0].state.as_str(), log.items[0].tries), ("queued", 1));
    assert!(log.items[0].error.is_some());
    test.clock.advance(Duration::from_secs(60));
    assert_eq!(next(&test).await.tries, 2);
}

/// A gateway with a mail door on this machine.
async fn door(test: &TestPlatform, folder: &std::path::Path) -> gateway::Gateway {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let mail = gateway::MailConfig {
        smtp: Some((Ipv4Addr::LOCALHOST, 0).into()),
        ..gateway::MailConfig::new("bounces.example.com")
    };
    let config = gateway::GatewayConfig {
        platform: test.platform.clone(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        data: folder.to_owned(),
        public_url: None,
        limits: gateway::Limits::default(),
        mail: Some(mail),
        calls: gateway::CallPolicy { allow: Vec::new() },
    };
    gateway::serve(config, CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn bounces_an_address_that_a_server_refuses_over_starttls_is_suspended_15() {
    let (test, folder) = (TestPlatform::sqlite().await, tempfile::tempdir().unwrap());
    let ctx = test.root().await;
    let gateway = door(&test, folder.path()).await;
    let url = format!("smtp://localhost:{}", gateway.mail.smtp.unwrap().port());
    let told = |ca| Told { url: &url, user: None, password: None, from: "p@example.com", bounces: None, ca };
    let boss = mail_to(&ctx, "boss@example.net", None).await;
    let desk = mail_to(&ctx, "nobody@bounces.example.com", Some(&boss)).await;
    notifications::test_recipient(&ctx, desk.id).await.unwrap();
    let due = next(&test).await;
    // Without its CA nothing is said to that server.
    let strange = Submission::new(&told(None)).unwrap().send(&due, "nobody@bounces.example.com").await;
    assert!(matches!(strange, Outcome::Later { status: None, .. }), "{strange:?}");
    let submission = Submission::new(&told(Some(gateway.ca_path.as_path()))).unwrap();
    let outgoing = Outgoing { mail: Some(Arc::new(submission)), egress: Arc::new(here()), base: String::new() };
    send_one(&test.platform, &outgoing, due).await;
    let known = notifications::recipient(&test.again(&ctx).await, desk.id).await.unwrap();
    assert!(known.suspended, "{known:?}");
    assert_eq!(next(&test).await.recipient, boss.id, "the fallback is told");
}

/// Says lines to a mail door and gives its last reply.
async fn say(port: u16, lines: &[&str]) -> String {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
    let mut reply = String::new();
    stream.read_line(&mut reply).await.unwrap();
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        loop {
            reply.clear();
            stream.read_line(&mut reply).await.unwrap();
            if reply.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
    reply
}

#[tokio::test]
async fn bounces_come_back_by_our_own_mail_door_and_answers_rest_there_15() {
    let (test, folder) = (TestPlatform::sqlite().await, tempfile::tempdir().unwrap());
    let ctx = test.root().await;
    let gateway = door(&test, folder.path()).await;
    let port = gateway.mail.smtp.unwrap().port();
    let desk = mail_to(&ctx, "desk@example.net", None).await;
    notifications::test_recipient(&ctx, desk.id).await.unwrap();
    let due = next(&test).await;
    notifications::settle(&test.platform, &due, &Outcome::Sent { status: Some(250) }).await.unwrap();
    let to = format!("RCPT TO:<{}@bounces.example.com>", due.bounce_name);
    let events = platen_core::events::newest(&test.platform).await.unwrap();
    let away = "From: desk@example.net\r\nAuto-Submitted: auto-replied\r\nSubject: I am away\r\n\r\nUntil Monday.\r\n.";
    let reply = say(port, &["EHLO mx.example.net", "MAIL FROM:<desk@example.net>", &to, "DATA", away]).await;
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(platen_core::events::newest(&test.platform).await.unwrap(), events, "no event");
    let report = "From: MAILER-DAEMON@mx.example.net\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; \
        report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\n\
        Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n\
        Final-Recipient: rfc822; desk@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\
        Diagnostic-Code: smtp; 550 no such user\r\n\r\n--b--\r\n.";
    let reply = say(port, &["EHLO mx.example.net", "MAIL FROM:<>", &to, "DATA", report]).await;
    assert!(reply.starts_with("250"), "{reply}");
    let known = notifications::recipient(&test.again(&ctx).await, desk.id).await.unwrap();
    assert!(known.suspended && known.why.as_deref() == Some("5.1.1 550 no such user"), "{known:?}");
}

type Taken = (HeaderMap, String);

/// A receiver that answers with these statuses in turn, then 204, and tells what it was sent.
async fn receiver(statuses: Vec<u16>) -> (SocketAddr, mpsc::UnboundedReceiver<Taken>) {
    let (tell, told) = mpsc::unbounded_channel();
    let statuses = Arc::new(std::sync::Mutex::new(statuses));
    let handler = move |headers: HeaderMap, body: Bytes| {
        let (tell, statuses) = (tell.clone(), statuses.clone());
        async move {
            tell.send((headers, String::from_utf8(body.to_vec()).unwrap())).unwrap();
            let mut statuses = statuses.lock().unwrap();
            let status = if statuses.is_empty() { 204 } else { statuses.remove(0) };
            (StatusCode::from_u16(status).unwrap(), [("location", "http://127.0.0.1:1/elsewhere")], "busy\nnow")
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hook", post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, told)
}

/// As a receiver of Standard Webhooks checks it.
fn is_genuine(secret: &str, (headers, body): &Taken) -> bool {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    header("webhook-signature").split(' ').any(|one| {
        let tag = STANDARD.decode(one.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
    })
}

#[tokio::test]
async fn webhooks_are_signed_repeated_and_never_redirected() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let test = TestPlatform::sqlite().await;
    let ctx = test.root().await;
    let (address, mut told) = receiver(vec![302, 503]).await;
    let new = webhooks::NewWebhook {
        name: "Tickets".into(),
        url: format!("http://{address}/hook"),
        types: vec!["organisation.*".into()],
    };
    let (hook, secret) = webhooks::create_webhook(&ctx, &new).await.unwrap();
    test.customer(&ctx, "Harbour Clinic").await;
    assert_eq!(webhooks::fan_out(&test.platform).await.unwrap(), 1);
    let mut ids = Vec::new();
    for status in [302, 503, 204] {
        let due = webhooks::claim(&test.platform, "a test").await.unwrap().unwrap();
        let answer = webhook::post(&here(), &due).await;
        assert_eq!(answer.status, Some(status), "{answer:?}");
        assert_eq!(
            answer.error.as_deref(),
            (status == 503).then_some("answered 503: busy now").or((status == 302).then_some("answered 302: busy now"))
        );
        webhooks::settle(&test.platform, &due, &answer).await.unwrap();
        let taken = told.recv().await.unwrap();
        assert!(is_genuine(secret.expose(), &taken) && !is_genuine("whsec_AAAA", &taken));
        assert!(taken.1.contains("\"type\":\"organisation.created\""), "{}", taken.1);
        ids.push(taken.0["webhook-id"].clone());
        test.clock.advance(Duration::from_secs(400));
    }
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "a repeat is known by its id");
    assert!(told.try_recv().is_err(), "nothing was sent where it was redirected");
    let log =
        webhooks::list_deliveries(&test.again(&ctx).await, hook.id, &platen_core::PageQuery::default()).await.unwrap();
    assert_eq!((log.items[0].state.as_str(), log.items[0].tries), ("sent", 3));
}

#[tokio::test]
async fn webhooks_do_not_reach_into_the_network_of_the_server() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let test = TestPlatform::sqlite().await;
    let ctx = test.root().await;
    let (address, mut told) = receiver(Vec::new()).await;
    for url in [
        format!("http://{address}/hook"),
        format!("http://localhost:{}/hook", address.port()),
        format!("http://[::ffff:127.0.0.1]:{}/hook", address.port()),
        format!("https://2130706433:{}/hook", address.port()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let new = webhooks::NewWebhook { name: "Inside".into(), url: url.clone(), types: vec!["nothing".into()] };
        let (hook, _) = webhooks::create_webhook(&ctx, &new).await.unwrap();
        webhooks::test(&ctx, hook.id).await.unwrap();
        let due = webhooks::claim(&test.platform, "a test").await.unwrap().unwrap();
        let answer = webhook::post(&Egress::default(), &due).await;
        assert!(
            answer.status.is_none() && answer.error.as_deref().is_some_and(|e| e.contains("not public")),
            "{url} {answer:?}"
        );
        webhooks::settle(&test.platform, &due, &answer).await.unwrap();
    }
    assert!(told.try_recv().is_err());
}

async fn log_message(test: &TestPlatform, ctx: &Ctx) -> Due {
    let new = NewRecipient {
        address: Some("tls://localhost:6514".into()),
        ..NewRecipient::named("Log", ChannelKind::Syslog)
    };
    let log = notifications::create_recipient(ctx, &new).await.unwrap();
    notifications::test_recipient(ctx, log.id).await.unwrap();
    next(test).await
}

fn is_rfc_5424(text: &str, due: &Due) -> bool {
    let head = format!("<130>1 {} ", due.created_at);
    text.starts_with(&head)
        && text.contains(&format!(" test [platen@32473 id=\"{}\" kind=\"test\"", due.id))
        && text.contains("] \u{feff}A test from Platen | ")
        && !text.contains('\n')
}

#[tokio::test]
async fn syslog_goes_by_udp_tcp_and_tls() {
    let test = TestPlatform::sqlite().await;
    let ctx = test.root().await;
    let due = log_message(&test, &ctx).await;
    let sent = Outcome::Sent { status: None };
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    assert_eq!(syslog::send(&here(), &due, &format!("udp://{}", udp.local_addr().unwrap())).await, sent);
    let mut bytes = [0; 4_096];
    let length = tokio::time::timeout(PATIENCE, udp.recv(&mut bytes)).await.unwrap().unwrap();
    assert!(is_rfc_5424(std::str::from_utf8(&bytes[..length]).unwrap(), &due));

    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = format!("tcp://{}", tcp.local_addr().unwrap());
    let taken = tokio::spawn(async move {
        let mut text = String::new();
        tcp.accept().await.unwrap().0.read_to_string(&mut text).await.unwrap();
        text
    });
    assert_eq!(syslog::send(&here(), &due, &target).await, sent);
    let text = taken.await.unwrap();
    let (length, message) = text.split_once(' ').unwrap();
    assert!(length.parse::<usize>().unwrap() == message.len() && is_rfc_5424(message, &due), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let (port, taken) = tls_log(folder.path()).await;
    let target = format!("tls://localhost:{port}");
    let strange = syslog::send(&here(), &due, &target).await;
    assert!(matches!(strange, Outcome::Later { .. }), "its certificate is of nobody: {strange:?}");
    let trusting = Egress { ca: Some(folder.path().join("ca.pem")), ..here() };
    assert_eq!(syslog::send(&trusting, &due, &target).await, sent);
    assert!(is_rfc_5424(taken.await.unwrap().split_once(' ').unwrap().1, &due));
    let closed = syslog::send(&Egress::default(), &due, &target).await;
    assert!(matches!(closed, Outcome::Later { .. }), "{closed:?}");
}

/// A log host with TLS of its own CA: its port, and what the second connection says.
async fn tls_log(folder: &std::path::Path) -> (u16, tokio::task::JoinHandle<String>) {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut text = String::new();
                if stream.read_to_string(&mut text).await.is_ok() && !text.is_empty() {
                    return text;
                }
            }
        }
    });
    (port, taken)
}
