//! Handing mail in to a server that asks for TLS and a password: the serving side of the `mail` crate behind TLS of its own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mail::Channel;
use mail::smtp::server::{Login, Tls};
use mail::smtp::{Config, Event, Message, Refusal, Session};
use platen_core::Ctx;
use platen_core::notifications::{self, Due, NewRecipient, NotificationQuery, Outcome};
use platen_core::testing::TestPlatform;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use super::mail::{Submission, Told};
use super::{Egress, Outgoing, send_one};

const USER: &str = "platen";
const PASSWORD: &str = "four grey geese";
const WRONG: &str = "six slow swans";
const TO: &str = "desk@example.net";

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What the server saw.
#[derive(Debug)]
enum Seen {
    /// A name and whether its password was right.
    Login(String, bool),
    Taken(Box<Message>),
}

/// A submission server on this machine.
struct House {
    port: u16,
    ca: PathBuf,
    seen: UnboundedReceiver<Seen>,
}

impl House {
    /// Asks everybody for the password; TLS begins with the first byte, or as `tls` says.
    async fn open(folder: &Path, channel: Channel, tls: Tls) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let ca = folder.join("house.pem");
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let rustls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(rustls));
        let config = Arc::new(Config::new("house.example", mail::Limits::default(), tls, Login::Required));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, seen) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not trust us hangs up; the next one may.
                drop(receive(stream, channel, &acceptor, &config, &tell).await);
            }
        });
        Self { port, ca, seen }
    }

    fn submission(&self, scheme: &str, password: &str, ca: Option<&Path>) -> Submission {
        let told = Told {
            url: &format!("{scheme}://localhost:{}", self.port),
            user: Some(USER),
            password: Some(password),
            from: "Platen <platen@example.com>",
            bounces: None,
            ca,
        };
        Submission::new(&told).unwrap()
    }
}

async fn receive(
    stream: TcpStream,
    channel: Channel,
    acceptor: &TlsAcceptor,
    config: &Arc<Config>,
    tell: &UnboundedSender<Seen>,
) -> std::io::Result<()> {
    let mut stream: Box<dyn Stream> = match channel {
        Channel::Clear => Box::new(stream),
        Channel::Tls => Box::new(acceptor.accept(stream).await?),
    };
    let mut out = Vec::new();
    let mut session = Session::new(Arc::clone(config), channel, &mut out);
    let (mut buffer, mut filled) = (vec![0; 4_096], 0);
    loop {
        let mut input = &buffer[..filled];
        loop {
            let answer = match session.next(&mut input, &mut out) {
                None => break,
                Some(Event::StartTls) => {
                    stream.write_all(&out).await?;
                    out.clear();
                    stream = Box::new(acceptor.accept(stream).await?);
                    session.secured();
                    continue;
                }
                Some(Event::Closed(_)) => {
                    stream.write_all(&out).await?;
                    return stream.shutdown().await;
                }
                Some(Event::Login(credentials)) => {
                    let right = credentials.user == USER && credentials.password.expose() == PASSWORD;
                    drop(tell.send(Seen::Login(credentials.user.clone(), right)));
                    if right { Ok(()) } else { Err(Refusal::BadCredentials) }
                }
                Some(Event::Message(message)) => {
                    drop(tell.send(Seen::Taken(message)));
                    Ok(())
                }
                Some(Event::Sender { .. } | Event::Recipient { .. }) => Ok(()),
            };
            match answer {
                Ok(()) => session.accept(&mut out),
                Err(refusal) => session.refuse(refusal, &mut out),
            }
        }
        stream.write_all(&out).await?;
        out.clear();
        filled = stream.read(&mut buffer).await?;
        if filled == 0 {
            return Ok(());
        }
    }
}

/// A message that waits for its first try.
async fn waiting(test: &TestPlatform) -> (Ctx, Due) {
    let ctx = test.root().await;
    let desk = notifications::create_recipient(&ctx, &NewRecipient::mail("Service desk", TO)).await.unwrap();
    notifications::test_recipient(&ctx, desk.id).await.unwrap();
    let due = next(test).await;
    (ctx, due)
}

async fn next(test: &TestPlatform) -> Due {
    notifications::claim(&test.platform, "a test", true).await.unwrap().unwrap()
}

/// Tries it as the server does, and tells its state, tries and error as people see them.
async fn tried(test: &TestPlatform, ctx: &Ctx, submission: Submission, due: Due) -> (String, i64, String) {
    let mail = Some(Arc::new(submission));
    let outgoing = Outgoing { mail, egress: Arc::new(Egress::default()), base: String::new() };
    send_one(&test.platform, &outgoing, due).await;
    let log = notifications::list(&test.again(ctx).await, &NotificationQuery::default()).await.unwrap();
    let row = &log.items[0];
    (row.state.clone(), row.tries, row.error.clone().unwrap_or_default())
}

#[tokio::test]
async fn submission_logs_in_inside_tls_whether_it_begins_at_once_or_by_starttls() {
    let (test, folder) = (TestPlatform::sqlite().await, tempfile::tempdir().unwrap());
    let (_, due) = waiting(&test).await;
    for (scheme, channel, tls) in [("smtps", Channel::Tls, Tls::Absent), ("smtp", Channel::Clear, Tls::Required)] {
        let mut house = House::open(folder.path(), channel, tls).await;
        let sent = house.submission(scheme, PASSWORD, Some(&house.ca)).send(&due, TO).await;
        assert_eq!(sent, Outcome::Sent { status: Some(250) }, "{scheme}");
        let login = house.seen.recv().await.unwrap();
        assert!(matches!(&login, Seen::Login(user, true) if user == USER), "{scheme}: {login:?}");
        let Some(Seen::Taken(message)) = house.seen.recv().await else { panic!("{scheme}: nothing was taken") };
        assert_eq!((message.channel, message.user.as_deref()), (Channel::Tls, Some(USER)), "{scheme}");
        assert_eq!(message.recipients[0].as_str(), TO);
        assert!(String::from_utf8_lossy(&message.data).contains("Subject: A test from Platen"), "{scheme}");
    }
}

#[tokio::test]
async fn submission_with_a_wrong_password_says_so_and_keeps_the_mail_for_the_next_try() {
    let (test, folder) = (TestPlatform::sqlite().await, tempfile::tempdir().unwrap());
    let mut house = House::open(folder.path(), Channel::Tls, Tls::Absent).await;
    let (ctx, due) = waiting(&test).await;
    let (state, tries, error) = tried(&test, &ctx, house.submission("smtps", WRONG, Some(&house.ca)), due).await;
    assert_eq!((state.as_str(), tries), ("queued", 1), "{error}");
    assert!(error.contains("535") && error.contains("wrong name or password"), "{error}");
    assert!(!error.contains(WRONG), "no password in a log: {error}");
    assert!(matches!(house.seen.recv().await, Some(Seen::Login(_, false))));
    test.clock.advance(Duration::from_secs(60));
    let due = next(&test).await;
    let (state, tries, _) = tried(&test, &ctx, house.submission("smtps", PASSWORD, Some(&house.ca)), due).await;
    assert_eq!((state.as_str(), tries), ("sent", 2));
    assert!(matches!(house.seen.recv().await, Some(Seen::Login(_, true))));
    assert!(matches!(house.seen.recv().await, Some(Seen::Taken(_))));
    assert!(house.seen.try_recv().is_err(), "taken once");
}

#[tokio::test]
async fn submission_tells_no_password_to_a_server_that_is_not_trusted_or_offers_no_tls() {
    for (scheme, channel, tls, trusts, word) in [
        ("smtps", Channel::Tls, Tls::Absent, false, "certificate"),
        ("smtp", Channel::Clear, Tls::Required, false, "certificate"),
        ("smtp", Channel::Clear, Tls::Absent, true, "STARTTLS"),
    ] {
        let (test, folder) = (TestPlatform::sqlite().await, tempfile::tempdir().unwrap());
        let mut house = House::open(folder.path(), channel, tls).await;
        let (ctx, due) = waiting(&test).await;
        let ca = house.ca.clone();
        let submission = house.submission(scheme, PASSWORD, trusts.then_some(ca.as_path()));
        let (state, tries, error) = tried(&test, &ctx, submission, due).await;
        assert_eq!((state.as_str(), tries), ("queued", 1), "{scheme} {tls:?}: {error}");
        assert!(error.contains(word), "{scheme} {tls:?} says nothing of {word}: {error}");
        assert!(house.seen.try_recv().is_err(), "{scheme} {tls:?}: a password was told");
        // Once the operator has named the CA, or the server offers TLS, the same mail goes.
        test.clock.advance(Duration::from_secs(60));
        let house = House::open(folder.path(), channel, if tls == Tls::Absent { tls_of(channel) } else { tls }).await;
        let due = next(&test).await;
        let (state, tries, error) = tried(&test, &ctx, house.submission(scheme, PASSWORD, Some(&house.ca)), due).await;
        assert_eq!((state.as_str(), tries), ("sent", 2), "{scheme}: {error}");
    }
}

fn tls_of(channel: Channel) -> Tls {
    if channel == Channel::Tls { Tls::Absent } else { Tls::Required }
}
