//! Our clients against our doors without sockets, and against servers that misbehave.

use mail::pop3::client as fetching;
use mail::smtp::client::{Event, Failure, Security, Setup};
use mail::{Address, Channel, Credentials, Limits, pop3, smtp};

use crate::drive::{self, Mail, PASSWORD, USER, known, pop3_config, smtp_config};

fn login() -> Credentials {
    Credentials::new(USER, PASSWORD)
}

fn setup(security: Security, login: Option<Credentials>) -> Setup {
    Setup { name: "device.customer.example".to_owned(), security, login }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A client and a door side by side.
struct Pair {
    client: smtp::Client,
    session: smtp::Session,
    seen: Mail,
    to_client: usize,
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let mut seen = Mail::default();
        let session = smtp::Session::new(smtp_config(Limits::default()), Channel::Clear, &mut seen.out);
        Self { client: smtp::Client::new(setup, Channel::Clear), session, seen, to_client: 0 }
    }

    /// Carries bytes to and fro until the client has something to tell.
    fn until_event(&mut self, sent: &mut Vec<u8>) -> Option<Event> {
        loop {
            let received = std::mem::take(sent);
            let mut input = &received[..];
            while drive::smtp_answer(&mut self.session, &mut input, &mut self.seen) && !self.seen.start_tls {}
            let (mut answer, end) = (&self.seen.out[self.to_client..], self.seen.out.len());
            let event = self.client.next(&mut answer, sent);
            assert!(answer.is_empty() || event.is_some());
            self.to_client = end - answer.len();
            match event {
                Some(Event::StartTls) => {
                    self.seen.start_tls = false;
                    self.session.secured();
                    self.client.secured(sent);
                }
                None if sent.is_empty() => return None,
                None => {}
                event => return event,
            }
        }
    }
}

#[test]
fn mail_goes_through_starttls_and_login_to_the_recipients_that_exist() {
    let mut pair = Pair::new(setup(Security::Required, Some(login())));
    let mut out = Vec::new();
    assert_eq!(pair.until_event(&mut out), Some(Event::Ready));
    assert_eq!((pair.client.channel(), pair.session.user()), (Channel::Tls, Some(USER)));
    let recipients = [address("no@elsewhere.example"), address("reports@platen.example")];
    for round in 0..3 {
        let message = format!("A: b\r\n\r\n.{round}\r\n");
        assert!(pair.client.send(Some(&address("d@c.example")), &recipients, message.len(), &mut out));
        assert_eq!(pair.until_event(&mut out), Some(Event::GoAhead));
        pair.client.message(message.as_bytes(), &mut out).unwrap();
        let Some(Event::Sent(receipt)) = pair.until_event(&mut out) else { panic!() };
        assert_eq!(receipt.reply.code, 250);
        assert_eq!(receipt.refused.iter().map(|(place, reply)| (*place, reply.code)).collect::<Vec<_>>(), [(0, 550)]);
        assert_eq!(pair.seen.messages[round].data, message.as_bytes());
    }
    assert!(pair.client.send(None, &recipients[..1], 0, &mut out));
    let Some(Event::Refused(receipt)) = pair.until_event(&mut out) else { panic!() };
    assert_eq!((receipt.reply.code, receipt.reply.enhanced), (550, Some((5, 1, 1))));
    assert!(pair.client.send(None, &recipients[1..], 0, &mut out), "the connection lives on");
    assert_eq!(pair.until_event(&mut out), Some(Event::GoAhead));
    pair.client.message(b"", &mut out).unwrap();
    assert!(matches!(pair.until_event(&mut out), Some(Event::Sent(_))));
    assert!(pair.client.quit(&mut out));
    assert_eq!(pair.until_event(&mut out), Some(Event::Closed));
    assert_eq!(pair.seen.messages.len(), 4);
}

/// Feeds a client the lines of a server, in one piece or by bytes, and gives its first event and all it said.
fn serve(setup: &Setup, lines: &str) -> (Option<Event>, String) {
    let run = |step: usize| {
        let (mut client, mut out) = (smtp::Client::new(setup.clone(), Channel::Clear), Vec::new());
        for chunk in lines.as_bytes().chunks(step) {
            let mut rest = chunk;
            if let Some(event) = client.next(&mut rest, &mut out) {
                return (Some(event), String::from_utf8(out).unwrap());
            }
        }
        (None, String::from_utf8(out).unwrap())
    };
    if !lines.contains("220 go") {
        assert_eq!(run(1), run(lines.len()));
    }
    run(lines.len())
}

#[test]
fn a_server_that_hides_starttls_gets_no_mail_and_no_password() {
    let offers = "220 mx\r\n250-mx\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n";
    let required = setup(Security::Required, Some(login()));
    assert_eq!(serve(&required, offers).0, Some(Event::Failed(Failure::NoTls)));
    for security in [Security::IfOffered, Security::Never] {
        let (event, said) = serve(&setup(security, Some(login())), offers);
        assert_eq!(event, Some(Event::Failed(Failure::NoLogin)));
        assert!(!said.contains("AUTH"));
    }
    assert_eq!(serve(&setup(Security::IfOffered, None), offers).0, Some(Event::Ready));
    let injected = "220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n";
    assert_eq!(serve(&required, injected).0, Some(Event::Failed(Failure::Injected)));
}

#[test]
fn servers_that_are_none_and_servers_that_refuse_are_told_apart() {
    let plain = setup(Security::Never, None);
    for lines in ["HTTP/1.1 400 Bad Request\r\n", "220 a\n", "220-a\r\n221 b\r\n", "220 a\r\n250 b\r\n250 c\r\n"] {
        let events: Vec<_> = {
            let (mut client, mut out, mut rest) =
                (smtp::Client::new(plain.clone(), Channel::Clear), Vec::new(), lines.as_bytes());
            std::iter::from_fn(|| client.next(&mut rest, &mut out)).collect()
        };
        assert_eq!(events.last(), Some(&Event::Failed(Failure::NotSmtp)), "{lines:?}");
    }
    let (event, _) = serve(&plain, "554 go away\r\n");
    assert!(matches!(event, Some(Event::Failed(Failure::Refused(reply))) if reply.code == 554));
    let (event, said) = serve(&plain, "220 old\r\n500 what\r\n250 hello\r\n");
    assert_eq!(
        (event, said.as_str()),
        (Some(Event::Ready), "EHLO device.customer.example\r\nHELO device.customer.example\r\n")
    );
}

#[test]
fn a_server_without_pipelining_is_asked_step_by_step() {
    let (mut client, mut out) = (smtp::Client::new(setup(Security::Never, None), Channel::Clear), Vec::new());
    let feed = |client: &mut smtp::Client, lines: &str, out: &mut Vec<u8>| {
        out.clear();
        let event = client.next(&mut lines.as_bytes(), out);
        (event, String::from_utf8(out.clone()).unwrap())
    };
    feed(&mut client, "220 mx\r\n", &mut out);
    assert_eq!(feed(&mut client, "250-mx\r\n250 SIZE 1000\r\n", &mut out).0, Some(Event::Ready));
    assert_eq!(client.largest(), Some(1_000));
    out.clear();
    assert!(client.send(Some(&address("a@b")), &[address("c@d"), address("e@f")], 7, &mut out));
    assert_eq!(out, b"MAIL FROM:<a@b> SIZE=7\r\n");
    assert_eq!(feed(&mut client, "250 ok\r\n", &mut out).1, "RCPT TO:<c@d>\r\n");
    assert_eq!(feed(&mut client, "550 no\r\n", &mut out).1, "RCPT TO:<e@f>\r\n");
    let (event, said) = feed(&mut client, "450 later\r\n", &mut out);
    let Some(Event::Refused(receipt)) = event else { panic!("{event:?}") };
    assert_eq!((receipt.reply.code, receipt.refused.len(), said.as_str()), (550, 2, ""));
    out.clear();
    assert!(client.send(None, &[address("c@d")], 0, &mut out));
    assert_eq!(out, b"RSET\r\n", "what was left open is closed first");
    assert_eq!(feed(&mut client, "250 ok\r\n", &mut out).1, "MAIL FROM:<> SIZE=0\r\n");
    let (event, _) = feed(&mut client, "421 shutting down\r\n", &mut out);
    assert!(matches!(event, Some(Event::Failed(Failure::Refused(_)))));
}

#[test]
fn a_message_with_bare_newlines_is_never_sent() {
    let mut pair = Pair::new(setup(Security::Required, None));
    let mut out = Vec::new();
    pair.until_event(&mut out);
    pair.client.send(None, &[address("r@platen.example")], 3, &mut out);
    assert_eq!(pair.until_event(&mut out), Some(Event::GoAhead));
    assert!(pair.client.message(b"a\nb", &mut out).is_err());
    assert!(out.is_empty());
}

fn fetching_setup(security: Security) -> fetching::Setup {
    fetching::Setup { security, login: login(), max_message: 1_000, max_list: 100 }
}

/// A fetching client beside a maildrop.
fn fetch_all(setup: fetching::Setup) -> (Vec<fetching::Event>, Option<Vec<usize>>) {
    let (mut to_client, mut to_server, mut events, mut removed) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut session = pop3::Session::new(pop3_config(Limits::default()), Channel::Clear, &mut to_client);
    let mut client = pop3::Client::new(setup, Channel::Clear);
    loop {
        let bytes = std::mem::take(&mut to_client);
        let mut input = &bytes[..];
        while let Some(event) = client.next(&mut input, &mut to_server) {
            match &event {
                fetching::Event::StartTls => {
                    session.secured();
                    client.secured(&mut to_server);
                }
                fetching::Event::Listing(listing) => assert!(client.fetch(listing[0].number, &mut to_server)),
                fetching::Event::Message(number, _) => assert!(client.delete(*number, &mut to_server)),
                fetching::Event::Deleted(3) => assert!(client.quit(&mut to_server)),
                fetching::Event::Deleted(number) => assert!(client.fetch(number + 1, &mut to_server)),
                _ => {
                    events.push(event);
                    return (events, removed);
                }
            }
            events.push(event);
        }
        let bytes = std::mem::take(&mut to_server);
        assert!(!bytes.is_empty(), "nobody says anything: {events:?}");
        let mut input = &bytes[..];
        while let Some(event) = session.next(&mut input, &mut to_client) {
            match event {
                pop3::Event::Login(credentials) if known(credentials) => {
                    session.open(drive::entries(&drive::MAILDROP), &mut to_client);
                }
                pop3::Event::Fetch(place) => session.message(drive::MAILDROP[place], &mut to_client).unwrap(),
                pop3::Event::Remove(places) => {
                    removed = Some(places);
                    session.removed(&mut to_client);
                }
                pop3::Event::Closed(_) | pop3::Event::StartTls => break,
                event => panic!("{event:?}"),
            }
        }
    }
}

#[test]
fn a_maildrop_is_fetched_and_emptied_through_stls() {
    let (events, removed) = fetch_all(fetching_setup(Security::Required));
    let messages: Vec<_> = events
        .iter()
        .filter_map(|event| if let fetching::Event::Message(_, message) = event { Some(&message[..]) } else { None })
        .collect();
    assert_eq!(messages, drive::MAILDROP);
    assert!(matches!(&events[1], fetching::Event::Listing(list) if list[2].entry.uid() == "uid-2" && list.len() == 3));
    assert_eq!((events.last(), removed), (Some(&fetching::Event::Closed(true)), Some(vec![0, 1, 2])));
}

fn fetch_from(setup: &fetching::Setup, lines: &str) -> (Vec<fetching::Event>, String) {
    let (mut client, mut out, mut rest) =
        (pop3::Client::new(setup.clone(), Channel::Clear), Vec::new(), lines.as_bytes());
    let mut events = Vec::new();
    while let Some(event) = client.next(&mut rest, &mut out) {
        if let fetching::Event::Listing(listing) = &event {
            client.fetch(listing[0].number, &mut out);
        }
        events.push(event);
    }
    (events, String::from_utf8(out).unwrap())
}

#[test]
fn a_pop3_server_that_hides_stls_or_injects_gets_no_password() {
    use fetching::{Event, Failure};
    let required = fetching_setup(Security::Required);
    let (events, said) = fetch_from(&required, "+OK hi\r\n+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n");
    assert_eq!((events, said.as_str()), (vec![Event::Failed(Failure::NoTls)], "CAPA\r\n"));
    let (events, said) = fetch_from(&required, "+OK hi\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n+OK\r\n.\r\n");
    assert_eq!((events, said.as_str()), (vec![Event::Failed(Failure::Injected)], "CAPA\r\nSTLS\r\n"));
}

#[test]
fn old_and_odd_pop3_servers_are_understood_and_large_mail_is_left() {
    use fetching::{Event, Failure};
    let old = fetching_setup(Security::Never);
    let large = "x".repeat(70);
    let lines = format!(
        "+OK\r\n-ERR what\r\n+OK\r\n+OK\r\n+OK\r\n1 5 extra\r\n7 9\r\n.\r\n-ERR no UIDL\r\n+OK\r\n{}.\r\n",
        format!("{large}\r\n").repeat(20)
    );
    let (events, said) = fetch_from(&old, &lines);
    assert_eq!(said, "CAPA\r\nUSER device-7\r\nPASS open sesame\r\nLIST\r\nUIDL\r\nRETR 1\r\n");
    let Event::Listing(listing) = &events[0] else { panic!("{events:?}") };
    assert_eq!((listing[1].number, listing[1].entry.size(), listing[1].entry.uid()), (7, 9, "0000000007"));
    assert_eq!(events[1], Event::TooLarge(1));
    let (events, _) = fetch_from(&old, "+OK\r\n-ERR\r\n+OK\r\n-ERR [IN-USE] locked\r\n");
    assert_eq!(events, [Event::Failed(Failure::InUse)]);
    for lines in ["* OK IMAP\r\n", "+OKAY\r\n", "+OK\n", "+OK\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n+OK\r\nx y\r\n.\r\n"] {
        assert_eq!(fetch_from(&old, lines).0.last(), Some(&Event::Failed(Failure::NotPop3)), "{lines:?}");
    }
}
