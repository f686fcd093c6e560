//! The POP3 door: a maildrop is a view of the orders that wait for one device.

use platen_core::monitors;
use platen_core::orders::CommandState;
use tokio::net::TcpStream;
use wire::command::{Order, What};

use crate::{
    door::Door,
    mail_in::begin,
    post::{self, Postal, SERIAL, device, doors, each, open, say, say_tls},
};

pub fn login(device: &Postal) -> String {
    format!("USER {}\r\nPASS {}\r\n", device.pair.device, device.pair.secret.as_deref().unwrap())
}

async fn order(door: &Door, device: &Postal) -> String {
    monitors::order(&door.root, device.sender.id.into(), What::SendLog, 3_600_000).await.unwrap().to_string()
}

async fn states(door: &Door, device: &Postal) -> Vec<CommandState> {
    let rows = monitors::commands(&door.root, device.sender.id.into()).await.unwrap();
    rows.iter().map(|row| row.state).collect()
}

/// The lines of the last multi-line answer, unstuffed.
pub fn body(answer: &str) -> Vec<u8> {
    let start = answer.find("+OK\r\nFrom:").unwrap() + 5;
    let end = start + answer[start..].find("\r\n.\r\n").unwrap() + 2;
    answer[start..end].replace("\r\n..", "\r\n.").into_bytes()
}

#[tokio::test]
async fn orders_wait_in_the_maildrop_sealed_for_the_device() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        let id = order(&door, &device).await;
        let pop3s = door.gateway.mail.pop3s;
        let answer =
            say_tls(&door, pop3s, format!("{}STAT\r\nUIDL\r\nRETR 1\r\nQUIT\r\n", login(&device)).as_bytes()).await;
        assert!(answer.contains("+OK 1 ") && answer.contains(&format!("\r\n1 {id}\r\n")), "{answer}");
        let orders = device.orders(&door, &body(&answer));
        let order: Order = wire::cbor::decode(&orders.commands[0].order).unwrap();
        assert_eq!((order.target, order.what), (device.sender.id, What::SendLog));
        assert_eq!(states(&door, &device).await, [CommandState::Queued], "read, and not taken");
        let top = say_tls(&door, pop3s, format!("{}TOP 1 0\r\nUIDL 1\r\n", login(&device)).as_bytes()).await;
        assert!(top.contains("X-Platen: v=1; ") && !top.contains("cose\r\n\r\n") && top.contains(&id), "{top}");
    }
}

#[tokio::test]
async fn only_dele_and_quit_take_orders_away() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        order(&door, &device).await;
        order(&door, &device).await;
        let pop3s = door.gateway.mail.pop3s;
        let marked = format!("{}DELE 1\r\nDELE 2\r\n", login(&device));
        say_tls(&door, pop3s, marked.as_bytes()).await;
        let unmarked = format!("{marked}RSET\r\nQUIT\r\n");
        assert!(say_tls(&door, pop3s, unmarked.as_bytes()).await.ends_with("+OK bye\r\n"));
        assert_eq!(states(&door, &device).await, [CommandState::Queued; 2]);
        let one = format!("{}DELE 1\r\nSTAT\r\nQUIT\r\n", login(&device));
        assert!(say_tls(&door, pop3s, one.as_bytes()).await.contains("+OK 1 "));
        let mut left = states(&door, &device).await;
        left.sort_by_key(|state| *state == CommandState::Queued);
        assert_eq!(left, [CommandState::Taken, CommandState::Queued]);
        let rest = say_tls(&door, pop3s, format!("{}STAT\r\nQUIT\r\n", login(&device)).as_bytes()).await;
        assert!(rest.contains("+OK 1 "), "{rest}");
    }
}

#[tokio::test]
async fn a_maildrop_is_open_in_one_session_and_to_its_device_alone() {
    let door = open(doors()).await;
    let (device, other) = (device(&door, SERIAL).await, device(&door, "E216R220017").await);
    order(&door, &device).await;
    let mut first = TcpStream::connect(door.gateway.mail.pop3.unwrap()).await.unwrap();
    begin(&mut first, "STLS\r\n", "+OK begin TLS\r\n").await;
    let mut first = post::secure(&door, first).await;
    let answer = {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        first.write_all(login(&device).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"+OK maildrop is open\r\n") {
            assert!(first.read_buf(&mut answer).await.unwrap() > 0);
        }
        String::from_utf8(answer).unwrap()
    };
    assert!(answer.starts_with("+OK\r\n"), "{answer}");
    let pop3s = door.gateway.mail.pop3s;
    assert!(say_tls(&door, pop3s, login(&device).as_bytes()).await.contains("-ERR [IN-USE]"));
    let others = say_tls(&door, pop3s, format!("{}STAT\r\nQUIT\r\n", login(&other)).as_bytes()).await;
    assert!(others.contains("+OK 0 0\r\n"), "{others}");
    drop(first);
    let again = async { while say_tls(&door, pop3s, login(&device).as_bytes()).await.contains("[IN-USE]") {} };
    tokio::time::timeout(post::HANG, again).await.expect("a session that broke off lets go");
    for wrong in [
        format!("USER {}\r\nPASS {}\r\n", device.pair.device, other.pair.secret.as_deref().unwrap()),
        format!("USER nobody@print.example\r\nPASS {}\r\n", device.pair.secret.as_deref().unwrap()),
    ] {
        assert!(say_tls(&door, pop3s, wrong.as_bytes()).await.contains("-ERR [AUTH] wrong name or password"));
    }
    let clear = say(door.gateway.mail.pop3, login(&device).as_bytes()).await;
    assert!(clear.contains("-ERR passwords only inside TLS"), "{clear}");
}
