//! Logs that are uploaded part by part over lines that break anywhere.

use platen_core::store::Sha256;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wire::cbor;
use wire::monitor::{LogBody, UploadState};
use wire::{Body, Message};

use crate::door::{Door, Sender, reply_of, status};
use crate::monitors::active;

fn path(log: &[u8]) -> String {
    format!("/d/v1/blob/{}", Sha256::of(log))
}

/// How far the server says that it is.
async fn offset(door: &Door, device: &Sender, log: &[u8]) -> (StatusCode, usize, String) {
    let answer = door.request(device, "HEAD", &path(log), Vec::new()).send().await.unwrap();
    let text = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    (answer.status(), text("upload-offset").parse().unwrap(), text("upload-complete"))
}

async fn put(
    door: &Door,
    device: &Sender,
    log: &[u8],
    at: usize,
    part: &[u8],
    last: bool,
) -> (StatusCode, Option<UploadState>) {
    let request = door.request(device, "PUT", &path(log), part.to_vec()).header("upload-offset", at);
    let answer = request.header("upload-complete", if last { "?1" } else { "?0" }).send().await.unwrap();
    (answer.status(), cbor::decode(&answer.bytes().await.unwrap()).ok())
}

async fn known(door: &Door, serial: &str) -> Sender {
    let (device, _) = active(door, serial).await;
    let mut first = status(1, serial);
    first.subject = Some(device.id);
    reply_of(door.report(&device, vec![first]).await).await;
    device
}

/// Behaviour 11: cut at every byte of a part, nothing half is visible, and the log is whole at the end.
#[tokio::test]
async fn cut_blob_upload_resumes() {
    let door = Door::open().await;
    let device = known(&door, "E216R220016").await;
    let log: Vec<u8> = (0..700_u32).flat_map(|n| (n % 251).to_be_bytes()).collect();
    assert_eq!(offset(&door, &device, &log).await, (StatusCode::NOT_FOUND, 0, "?0".to_owned()));
    assert_eq!(put(&door, &device, &log, 0, &log[..1_000], false).await.0, StatusCode::OK);
    // The second part breaks off after each of its bytes, head and body.
    let part = &log[1_000..1_040];
    let mut request = format!("PUT {} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", path(&log), part.len());
    for (name, value) in device.headers("PUT", &path(&log), door.now_ms(), part) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("upload-offset: 1000\r\nupload-complete: ?0\r\n\r\n");
    let whole = [request.as_bytes(), part].concat();
    for cut in (0..whole.len()).step_by(7).chain(whole.len() - part.len()..whole.len()) {
        let mut line = door.connect().await;
        line.write_all(&whole[..cut]).await.unwrap();
        drop(line.shutdown().await);
        let mut rest = Vec::new();
        drop(line.read_to_end(&mut rest).await);
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "cut at {cut}: {}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(offset(&door, &device, &log).await, (StatusCode::NO_CONTENT, 1_000, "?0".to_owned()));
    let elsewhere = put(&door, &device, &log, 1_040, &log[1_040..], true).await;
    assert_eq!(elsewhere, (StatusCode::CONFLICT, Some(UploadState { offset: 1_000, whole: false })));
    let done = put(&door, &device, &log, 1_000, &log[1_000..], true).await;
    assert_eq!(done, (StatusCode::OK, Some(UploadState { offset: log.len() as u64, whole: true })));
    // Told again, nothing happens again.
    assert_eq!(put(&door, &device, &log, 1_000, &log[1_000..], true).await, done);
    assert_eq!(offset(&door, &device, &log).await.2, "?1");

    let body = LogBody { sha256: Sha256::of(&log).0.to_vec(), size_bytes: log.len() as u64, from_ms: 1, to_ms: 2 };
    let told = Message { seq: 2, taken_ms: door.now_ms(), subject: None, body: Body::DebugLog(body) };
    reply_of(door.report(&device, vec![told]).await).await;
    let fleet = platen_core::devices::list(&door.root, &platen_core::devices::DeviceQuery::default()).await.unwrap();
    let id = fleet.items[0].id;
    let listed = platen_core::diagnostics::latest(&door.root, id).await.unwrap();
    assert!(listed.iter().any(|entry| matches!(entry.body, Body::DebugLog(_))));
    let read = platen_core::diagnostics::log(&door.root, id, &Sha256::of(&log).to_string()).await.unwrap();
    assert_eq!(read, log);
}

#[tokio::test]
async fn a_log_with_other_bytes_than_its_name_says_is_forgotten() {
    let door = Door::open().await;
    let device = known(&door, "E216R220016").await;
    let log = b"the log that was promised".to_vec();
    let (refused, _) = put(&door, &device, &log, 0, b"another one", true).await;
    assert_eq!(refused, StatusCode::BAD_REQUEST);
    assert_eq!(offset(&door, &device, &log).await.0, StatusCode::NOT_FOUND);
    assert_eq!(put(&door, &device, &log, 0, &log, true).await.0, StatusCode::OK);
}

#[tokio::test]
async fn uploads_of_devices_and_agents_are_bounded_and_signed() {
    let door = Door::open().await;
    let device = known(&door, "E216R220016").await;
    let name = path(b"x");
    let unsigned = door.client.put(format!("{}{name}", door.gateway.url)).body("x").send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
    let agent = door.enrol(&door.root).await;
    assert_eq!(put(&door, &agent, b"x", 0, b"x", true).await.0, StatusCode::OK, "an agent's own log, by its own key");
    assert_eq!(offset(&door, &device, b"x").await.0, StatusCode::NOT_FOUND, "nobody sees the log of another");
    let large = vec![0; 300 * 1024];
    assert_eq!(put(&door, &device, &large, 0, &large, false).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let part = vec![7; 200 * 1024];
    let (mut at, mut last) = (0, StatusCode::OK);
    while last == StatusCode::OK && at < 3 << 20 {
        last = put(&door, &device, &large, at, &part, false).await.0;
        at += part.len();
    }
    assert_eq!((last, at > 2 << 20), (StatusCode::BAD_REQUEST, true), "a log ends at 2 MiB");
    let odd = door.request(&device, "PUT", "/d/v1/blob/..%2f..%2fetc", b"x".to_vec()).send().await.unwrap();
    assert_eq!(odd.status(), StatusCode::BAD_REQUEST);
}
