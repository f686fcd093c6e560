//! Traps and informs, sent by net-snmp and by ourselves.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use snmp::trap::{Listener, Notification, NotificationRef, V1, write_inform, write_v1, write_v2};
use snmp::{Oid, Value, VarBind, Version};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use crate::agents::oid;
use crate::netsnmp::{free_port, program, run};

fn listen() -> (SocketAddr, mpsc::UnboundedReceiver<Notification>) {
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (address, (sender, receiver)) = (listener.local_addr(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        listener.serve(move |received| sender.send(received.notification.to_owned()).is_ok()).await.unwrap();
    });
    (address, receiver)
}

fn alert() -> VarBind {
    VarBind::new(oid("1.3.6.1.2.1.43.18.1.1.8.1.5"), Value::text("Paper jam"))
}

#[test]
fn what_is_written_is_read() {
    let trap = oid("1.3.6.1.2.1.43.18.2.0.1");
    let mut out = Vec::new();
    write_v2(&mut out, b"traps", 5, 4_711, &trap, &[alert()]);
    let read = NotificationRef::parse(&out).unwrap().to_owned();
    assert_eq!((read.version, read.trap, read.uptime, read.inform), (Version::V2c, trap.clone(), Some(4_711), false));
    assert_eq!((read.varbinds, read.community.expose()), (vec![alert()], &b"traps"[..]));
    let head = V1 {
        enterprise: oid("1.3.6.1.2.1.43.18.2"),
        agent_address: [10, 1, 2, 3],
        generic: 6,
        specific: 1,
        uptime: 4_711,
    };
    write_v1(&mut out, b"traps", &head, &[alert()]);
    let read = NotificationRef::parse(&out).unwrap().to_owned();
    // The printer alert has one identity, whichever version carries it.
    assert_eq!((read.version, read.trap, read.agent_address), (Version::V1, trap, Some([10, 1, 2, 3])));
    write_v1(&mut out, b"traps", &V1 { generic: 0, ..head }, &[]);
    assert_eq!(NotificationRef::parse(&out).unwrap().trap, oid("1.3.6.1.6.3.1.1.5.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn net_snmp_sends_us_traps_and_informs() {
    let Some(snmptrap) = program("snmptrap", "snmp") else { return };
    let Some(inform) = program("snmpinform", "snmp") else { return };
    let (address, mut received) = listen();
    let rest = "1.3.6.1.2.1.43.18.1.1.8.1.5 s jam";
    for (program, head) in [
        (&snmptrap, format!("-v1 -c traps {address} 1.3.6.1.2.1.43.18.2 10.1.2.3 6 1 4711 {rest}")),
        (&snmptrap, format!("-v2c -c traps {address} 4711 1.3.6.1.2.1.43.18.2.0.1 {rest}")),
        (&inform, format!("-v2c -c traps -r 0 -t 60 {address} 4711 1.3.6.1.2.1.43.18.2.0.1 {rest}")),
    ] {
        let output = run(program.clone(), head.split(' ').map(str::to_owned).collect()).await;
        // An inform that nobody acknowledges ends with a message.
        assert_eq!(output, "", "{head}");
        let notification = received.recv().await.unwrap();
        assert_eq!(notification.trap, oid("1.3.6.1.2.1.43.18.2.0.1"));
        assert_eq!(notification.uptime, Some(4_711));
        assert_eq!(notification.varbinds[0].value, Value::text("jam"));
        assert_eq!(notification.inform, program.ends_with("inform"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_snmp_understands_our_traps() {
    let Some(trapd) = program("snmptrapd", "snmptrapd") else { return };
    let (folder, address) = (tempfile::tempdir().unwrap(), free_port());
    let path = folder.path().join("trapd.conf");
    std::fs::write(&path, "disableAuthorization yes\nformat1 V1 %N %w %q %v\\n\nformat2 V2 %v\\n\n").unwrap();
    let mut child = tokio::process::Command::new(trapd)
        .args(["-f", "-Lo", "-On", "-C", "-c"])
        .arg(&path)
        .arg(format!("udp:{address}"))
        .env("SNMP_PERSISTENT_DIR", folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let enterprise: Oid = oid("1.3.6.1.2.1.43.18.2");
    let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
    write_v2(&mut first, b"x", 1, 4_711, &enterprise.join(&[0, 1]), &[alert()]);
    let head = V1 { enterprise, agent_address: [10, 1, 2, 3], generic: 6, specific: 1, uptime: 4_711 };
    write_v1(&mut second, b"x", &head, &[alert()]);
    write_inform(&mut third, b"x", 77, 4_711, &oid("1.3.6.1.6.3.1.1.5.3"), &[alert()]);
    let (mut v1, mut v2) = (None, None);
    for _ in 0..1_200 {
        // It takes a moment until it listens.
        for packet in [&first, &second] {
            socket.send_to(packet, address).unwrap();
        }
        while let Ok(line) = tokio::time::timeout(Duration::from_millis(100), lines.next_line()).await {
            let line = line.unwrap().expect("snmptrapd ended");
            if line.starts_with("V1") {
                v1 = Some(line);
            } else if line.starts_with("V2") {
                v2 = Some(line);
            }
        }
        if v1.is_some() && v2.is_some() {
            break;
        }
    }
    let (v1, v2) = (v1.unwrap(), v2.unwrap());
    assert!(v1.contains("6 1") || v1.contains("6") && v1.contains("Paper jam"), "{v1}");
    assert!(v2.contains("Paper jam") && v2.contains("43.18.2.0.1"), "{v2}");
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.send_to(&third, address).unwrap();
    let mut reply = [0; 1_500];
    let length = socket.recv(&mut reply).unwrap();
    assert_eq!(crate::agents::decode(&reply[..length]).1.request_id, 77);
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inform_may_be_kept_first_and_acknowledged_then() {
    let listener = std::sync::Arc::new(Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap());
    let (address, (kept, mut keeper)) = (listener.local_addr(), mpsc::unbounded_channel());
    let (refused, mut rubbish) = mpsc::unbounded_channel();
    let door = listener.clone();
    tokio::spawn(async move {
        let take = move |received: snmp::trap::Received<'_>| {
            kept.send((received.notification.to_owned(), received.receipt())).unwrap();
            false
        };
        door.serve_all(take, move |from| refused.send(from).unwrap()).await.unwrap();
    });
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (mut inform, mut trap, mut answer) = (Vec::new(), Vec::new(), [0; 1_500]);
    write_inform(&mut inform, b"x", 78, 4_711, &oid("1.3.6.1.6.3.1.1.5.3"), &[alert()]);
    write_v2(&mut trap, b"x", 79, 4_711, &oid("1.3.6.1.6.3.1.1.5.3"), &[alert()]);
    for packet in [&b"no notification"[..], &trap, &inform] {
        socket.send_to(packet, address).unwrap();
    }
    assert_eq!(rubbish.recv().await.unwrap(), socket.local_addr().unwrap());
    assert!(keeper.recv().await.unwrap().1.is_none(), "a trap is owed nothing");
    let (notification, receipt) = keeper.recv().await.unwrap();
    assert!(notification.inform && socket.recv(&mut answer).is_err(), "nothing is said before it is kept");
    listener.acknowledge(&[receipt.unwrap()]);
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = socket.recv(&mut answer).unwrap();
    assert_eq!(crate::agents::decode(&answer[..length]).1.request_id, 78);
}
