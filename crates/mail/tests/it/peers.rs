//! Other people's programs against our doors: what they can do and what they must not.

use std::path::Path;
use std::sync::Arc;

use mail::Limits;

use crate::drive::{self, PASSWORD, USER};
use crate::program::run;
use crate::shell::Shell;

const FROM: &str = "device-7@customer.example";
const TO: &str = "reports@platen.example";
const LETTER: &str =
    "From: <device-7@customer.example>\r\nTo: <reports@platen.example>\r\nSubject: x\r\n\r\nfirst\r\n.dot\r\n..\r\n";

fn port(address: std::net::SocketAddr) -> String {
    address.port().to_string()
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn shell() -> Arc<Shell> {
    Shell::start(Limits::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_delivers_and_is_refused() {
    let shell = shell().await;
    let (smtp, smtps) = (port(shell.addresses.smtp), port(shell.addresses.smtps));
    let letter = shell.file("letter.eml", &LETTER.replace("\r\n", "\n"));
    let common =
        ["--server", "127.0.0.1", "--from", FROM, "--ehlo", "device.customer.example", "--data", shown(&letter)];
    let swaks = async |more: &[&str]| run("swaks", "swaks", &[&common, more].concat(), "").await;
    let login = ["--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD];
    let ways: [&[&str]; 4] = [&["--tls"], &["--pipeline"], &[], &["--tls"]];
    for (place, way) in ways.iter().enumerate() {
        let credentials: &[&str] = if place == 3 { &login } else { &[] };
        let arguments = [&["--port", &smtp, "--to", TO][..], way, credentials].concat();
        let Some(outcome) = swaks(&arguments).await else { return };
        assert!(outcome.success, "{}", outcome.text);
    }
    let outcome = swaks(&[&["--port", &smtps, "--to", TO, "--tls-on-connect"][..], &login].concat()).await.unwrap();
    assert!(outcome.success, "{}", outcome.text);
    let stored = shell.messages();
    assert_eq!(stored.len(), 5);
    assert!(stored.iter().all(|message| message.data.starts_with(LETTER.as_bytes())), "{stored:?}");
    assert_eq!(stored.iter().filter(|message| message.user.as_deref() == Some(USER)).count(), 2);
    for refused in [
        &["--port", &smtp, "--to", "x@elsewhere.example"][..],
        &["--port", &smtp, "--to", TO, "--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password", "wrong"],
        &["--port", &smtp, "--to", TO, "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD],
    ] {
        let outcome = swaks(refused).await.unwrap();
        assert!(!outcome.success, "{}", outcome.text);
    }
    assert_eq!(shell.messages().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_sends_and_fetches() {
    let shell = shell().await;
    let letter = shell.file("letter.eml", LETTER);
    let authority = shown(&shell.authority);
    let user = format!("{USER}:{PASSWORD}");
    for url in [
        format!("smtp://localhost:{}/device", shell.addresses.smtp.port()),
        format!("smtps://localhost:{}/device", shell.addresses.smtps.port()),
    ] {
        let arguments =
            ["-sS", "--ssl-reqd", "--cacert", authority, "-u", &user, "--mail-from", FROM, "--mail-rcpt", TO, "-T"];
        let Some(outcome) = run("curl", "curl", &[&arguments[..], &[shown(&letter), &url]].concat(), "").await else {
            return;
        };
        assert!(outcome.success, "{}", outcome.text);
    }
    let stored = shell.messages();
    assert!(stored.len() == 2 && stored.iter().all(|message| message.data == LETTER.as_bytes()), "{stored:?}");
    for url in [
        format!("pop3://localhost:{}", shell.addresses.pop3.port()),
        format!("pop3s://localhost:{}", shell.addresses.pop3s.port()),
    ] {
        let common = ["-sS", "--ssl-reqd", "--cacert", authority, "-u", &user];
        let outcome = run("curl", "curl", &[&common[..], &[&url]].concat(), "").await.unwrap();
        assert_eq!(outcome.text, "1 23\r\n2 29\r\n3 27\r\n");
        let outcome = run("curl", "curl", &[&common[..], &[&format!("{url}/2")]].concat(), "").await.unwrap();
        assert_eq!(outcome.text.as_bytes(), drive::MAILDROP[1]);
        let outcome = run("curl", "curl", &["-sS", "-u", &user, &url, "--cacert", authority], "").await.unwrap();
        assert_eq!(outcome.success, url.starts_with("pop3s"), "a password in the clear: {}", outcome.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetchmail_empties_the_maildrop_over_tls() {
    let shell = shell().await;
    let (spool, pid) = (shell.file("spool", ""), shell.file("pid", ""));
    std::fs::remove_file(&pid).unwrap();
    let script = shell.file("deliver", "");
    std::fs::write(&script, format!("#!/bin/sh\ncat >> {}\n", shown(&spool))).unwrap();
    let commands = format!(
        "poll localhost service {} protocol pop3 user \"{USER}\" password \"{PASSWORD}\" sslproto \"tls1.2+\" sslcertck sslcertfile \"{}\" \
         no keep mda \"/bin/sh {}\"\n",
        shell.addresses.pop3.port(),
        shown(&shell.authority),
        shown(&script),
    );
    let file = shell.file("fetchmailrc", &commands);
    let arguments = ["--fetchmailrc", shown(&file), "--pidfile", shown(&pid), "--nosyslog", "--nodetach", "-v"];
    let Some(outcome) = run("fetchmail", "fetchmail", &arguments, "").await else { return };
    assert!(outcome.success, "{}", outcome.text);
    let spool = std::fs::read_to_string(&spool).unwrap();
    assert!(spool.contains("Subject: one") && spool.contains("\n.dot\n..\n.\n"), "{spool}\n{}", outcome.text);
    assert!(shell.maildrop().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn mpop_empties_the_maildrop_over_both_ways_to_tls() {
    for implicit in [false, true] {
        let shell = shell().await;
        let mbox = shell.file("mbox", "");
        let uids = shell.file("uids", "");
        let password = shell.file("password", PASSWORD);
        let (port, starttls) =
            if implicit { (shell.addresses.pop3s.port(), "off") } else { (shell.addresses.pop3.port(), "on") };
        let configuration = format!(
            "account default\nhost localhost\nport {port}\ntls on\ntls_starttls {starttls}\ntls_trust_file {}\nauth plain\nuser {USER}\n\
             passwordeval cat {}\ndelivery mbox {}\nuidls_file {}\nkeep off\nonly_new off\n",
            shown(&shell.authority),
            shown(&password),
            shown(&mbox),
            shown(&uids),
        );
        let file = shell.file("mpoprc", &configuration);
        let Some(outcome) = run("mpop", "mpop", &["--file", shown(&file)], "").await else { return };
        assert!(outcome.success, "{}", outcome.text);
        let mbox = std::fs::read_to_string(&mbox).unwrap();
        assert!(mbox.contains("Subject: three") && mbox.contains("\n.dot\n..\n.\n"), "{mbox}");
        assert!(shell.maildrop().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_finds_starttls_and_stls() {
    let shell = shell().await;
    let (smtp, pop3) =
        (format!("localhost:{}", port(shell.addresses.smtp)), format!("localhost:{}", port(shell.addresses.pop3)));
    for (protocol, address, word) in [("smtp", &smtp, "221 2.0.0 bye"), ("pop3", &pop3, "+OK bye")] {
        let authority = shown(&shell.authority);
        let arguments = [
            "s_client",
            "-connect",
            address,
            "-starttls",
            protocol,
            "-CAfile",
            authority,
            "-crlf",
            "-ign_eof",
            "-verify_return_error",
        ];
        let Some(outcome) = run("openssl", "openssl", &arguments, "QUIT\n").await else { return };
        assert!(outcome.text.contains("Verify return code: 0 (ok)") && outcome.text.contains(word), "{}", outcome.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_own_libraries_speak_with_both_doors() {
    let shell = shell().await;
    let program = format!(
        "import smtplib, poplib, ssl\n\
         trust = ssl.create_default_context(cafile={authority:?})\n\
         mail = smtplib.SMTP('localhost', {smtp})\n\
         mail.starttls(context=trust)\n\
         mail.login({USER:?}, {PASSWORD:?})\n\
         refused = mail.sendmail({FROM:?}, [{TO:?}, 'x@elsewhere.example'], {LETTER:?})\n\
         assert list(refused) == ['x@elsewhere.example'] and refused['x@elsewhere.example'][0] == 550, refused\n\
         mail.quit()\n\
         drop = poplib.POP3('localhost', {pop3})\n\
         drop.stls(trust)\n\
         drop.user({USER:?}); drop.pass_({PASSWORD:?})\n\
         assert drop.stat() == (3, 79), drop.stat()\n\
         assert drop.retr(2)[1] == [b'Subject: two', b'', b'.dot', b'..', b'.'], drop.retr(2)\n\
         assert drop.top(3, 1)[1] == [b'Subject: three', b'', b'1']\n\
         assert drop.uidl()[1] == [b'1 uid-0', b'2 uid-1', b'3 uid-2']\n\
         second = poplib.POP3_SSL('localhost', {pop3s}, context=trust)\n\
         second.user({USER:?})\n\
         try:\n    second.pass_({PASSWORD:?}); raise SystemExit('two sessions hold one maildrop')\n\
         except poplib.error_proto as error:\n    assert b'[IN-USE]' in error.args[0]\n\
         drop.dele(1); drop.quit()\n",
        authority = shown(&shell.authority),
        smtp = shell.addresses.smtp.port(),
        pop3 = shell.addresses.pop3.port(),
        pop3s = shell.addresses.pop3s.port(),
    );
    let Some(outcome) = run("python3", "python3", &["-c", &program], "").await else { return };
    assert!(outcome.success, "{}", outcome.text);
    assert_eq!((shell.messages()[0].data.as_slice(), shell.maildrop().len()), (LETTER.as_bytes(), 2));
}
