//! Over real sockets: our clients, mutants by the thousand, connections cut in the middle of DATA.

use std::net::SocketAddr;
use std::time::Duration;

use mail::smtp::client::{Event, Security, Setup};
use mail::{Channel, Credentials, smtp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::drive::{PASSWORD, USER};
use crate::mutants;
use crate::mutator::{self, Dice};
use crate::shell::Shell;

/// Longer than this is a hang.
const HANG: Duration = Duration::from_secs(60);

/// Sends bytes, ends the sending side, reads all that comes.
async fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that closes early resets what is still on its way; that is no fault.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    tokio::time::timeout(HANG, talk).await.expect("the server hangs")
}

/// The door stays open under mutants: every hundredth time a lawful session goes through.
#[tokio::test(flavor = "multi_thread")]
async fn mutants_leave_the_doors_open() {
    let shell = Shell::start(mutants::limits()).await;
    for number in 0..mutator::count() {
        let mut dice = Dice::new(number ^ 0x5eed);
        let input = mutator::mutant(&mut dice, &mutator::SMTP);
        say(shell.addresses.smtp, &input).await;
        mutants::judge_mail(&input, &std::mem::take(&mut *shell.stored.lock().unwrap()), &mutants::limits());
        say(shell.addresses.pop3, &mutator::mutant(&mut dice, &mutator::POP3)).await;
        if number % 100 == 0 {
            let answer = say(shell.addresses.smtp, mutator::SMTP[0].as_bytes()).await;
            assert!(answer.ends_with(b"stored\r\n221 2.0.0 bye\r\n"), "{}", String::from_utf8_lossy(&answer));
            shell.stored.lock().unwrap().clear();
            let answer = say(shell.addresses.pop3, b"CAPA\r\nQUIT\r\n").await;
            assert!(answer.ends_with(b".\r\n+OK bye\r\n"));
        }
    }
    assert_eq!(shell.maildrop().len(), 3, "nobody logs in without TLS");
}

#[tokio::test]
async fn connections_cut_in_data_leave_nothing() {
    let shell = Shell::start(mutants::limits()).await;
    let whole = mutator::SMTP[0].as_bytes();
    let end = whole.windows(5).position(|window| window == b"\r\n.\r\n").unwrap() + 5;
    let data = whole.windows(6).position(|window| window == b"DATA\r\n").unwrap();
    for cut in data..end {
        say(shell.addresses.smtp, &whole[..cut]).await;
        assert!(shell.messages().is_empty(), "cut at {cut}");
    }
    say(shell.addresses.smtp, &whole[..end]).await;
    assert_eq!(shell.messages().len(), 1);
}

/// Our own client over both ways to TLS.
#[tokio::test]
async fn our_client_delivers_through_starttls_and_implicit_tls() {
    let shell = Shell::start(mutants::limits()).await;
    let setup = Setup {
        name: "device.customer.example".into(),
        security: Security::Required,
        login: Some(Credentials::new(USER, PASSWORD)),
    };
    let mut client = smtp::Client::new(setup.clone(), Channel::Clear);
    let mut stream = TcpStream::connect(shell.addresses.smtp).await.unwrap();
    let mut out = Vec::new();
    assert_eq!(pump(&mut client, &mut stream, &mut out).await, Event::StartTls);
    let mut inside = shell.connect_tls(stream).await;
    client.secured(&mut out);
    deliver(&mut client, &mut inside, out).await;
    let stream = TcpStream::connect(shell.addresses.smtps).await.unwrap();
    let mut inside = shell.connect_tls(stream).await;
    deliver(&mut smtp::Client::new(setup, Channel::Tls), &mut inside, Vec::new()).await;
    let stored = shell.messages();
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|message| message.user.as_deref() == Some(USER) && message.channel == Channel::Tls));
}

async fn pump<S>(client: &mut smtp::Client, stream: &mut S, out: &mut Vec<u8>) -> Event
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut buffer = [0; 4_096];
    loop {
        stream.write_all(out).await.unwrap();
        stream.flush().await.unwrap();
        out.clear();
        let length = tokio::time::timeout(HANG, stream.read(&mut buffer)).await.expect("the server hangs").unwrap();
        let mut input = &buffer[..length];
        // Replies come one batch at a time here, so no event leaves input behind.
        if let Some(event) = client.next(&mut input, out) {
            return event;
        }
        assert!(length > 0, "the server closed");
    }
}

async fn deliver<S>(client: &mut smtp::Client, stream: &mut S, mut out: Vec<u8>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    assert_eq!(pump(client, stream, &mut out).await, Event::Ready);
    let (sender, recipients) = ("d@c.example".parse().unwrap(), ["reports@platen.example".parse().unwrap()]);
    assert!(client.send(Some(&sender), &recipients, 9, &mut out));
    assert_eq!(pump(client, stream, &mut out).await, Event::GoAhead);
    client.message(b"A: b\r\n\r\n.\r\n", &mut out).unwrap();
    assert!(matches!(pump(client, stream, &mut out).await, Event::Sent(_)));
    assert!(client.quit(&mut out));
    assert_eq!(pump(client, stream, &mut out).await, Event::Closed);
}
