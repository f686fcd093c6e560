//! However a stream is cut, the same happens: properties over sessions made of good and bad pieces.

use mail::{Channel, Limits, limits::MaxHeader};
use proptest::prelude::*;

use crate::drive::{self, pop3_config, smtp_config};

fn smtp_piece() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(vec![
        "EHLO a\r\n",
        "HELO b\r\n",
        "MAIL FROM:<a@b>\r\n",
        "MAIL FROM:<> SIZE=20\r\n",
        "RCPT TO:<r@platen.example>\r\n",
        "RCPT TO:<r@elsewhere>\r\n",
        "DATA\r\n",
        "A: b\r\n\r\n..text\r\n",
        ".\r\n",
        "\r\n.\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "AUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\n",
        "AUTH PLAIN\r\n",
    ]);
    prop_oneof![
        8 => good.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::sample::select(vec!["\r", "\n", ".", "\r\n", "\0", "\n.\n", "\r.\r"]).prop_map(|text| text.into()),
        1 => (500_usize..1_100).prop_map(|length| vec![b'x'; length]),
    ]
}

fn pop3_piece() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(vec![
        "CAPA\r\n",
        "USER device-7\r\n",
        "PASS open sesame\r\n",
        "AUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\n",
        "AUTH PLAIN\r\n",
        "STAT\r\n",
        "LIST\r\n",
        "UIDL 2\r\n",
        "RETR 2\r\n",
        "TOP 3 1\r\n",
        "DELE 1\r\n",
        "RSET\r\n",
        "QUIT\r\n",
    ]);
    prop_oneof![
        8 => good.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::sample::select(vec!["\r", "\n", "\r\n"]).prop_map(|text| text.into()),
        1 => (500_usize..600).prop_map(|length| vec![b'x'; length]),
    ]
}

/// Cuts at places that lie anywhere, also twice at the same.
fn cut<'a>(input: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(input.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for place in places {
        pieces.push(&input[start..place]);
        start = place;
    }
    pieces.push(&input[start..]);
    pieces
}

/// STARTTLS and STLS depend on cuts by their nature: what comes along with them is an attack.
fn speaks_of_tls(input: &[u8]) -> bool {
    input.to_ascii_uppercase().windows(4).any(|word| word == b"STLS" || word == b"TTLS")
}

proptest! {
    #[test]
    fn smtp_sessions_end_alike_however_they_are_cut(
        pieces in prop::collection::vec(smtp_piece(), 0..30),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let input = pieces.concat();
        prop_assume!(!speaks_of_tls(&input));
        let limits = Limits {
            max_message: 2_000, max_header: MaxHeader { bytes: 1_000, fields: 4 }, idle_commands: 12, ..Limits::default()
        };
        let config = smtp_config(limits);
        let whole = drive::smtp(&config, Channel::Tls, [&input[..]]);
        prop_assert_eq!(&drive::smtp(&config, Channel::Tls, cut(&input, &places)), &whole);
        prop_assert_eq!(&drive::smtp(&config, Channel::Tls, input.chunks(1)), &whole);
    }

    #[test]
    fn pop3_sessions_end_alike_however_they_are_cut(
        pieces in prop::collection::vec(pop3_piece(), 0..30),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let input = pieces.concat();
        prop_assume!(!speaks_of_tls(&input));
        let config = pop3_config(Limits { idle_commands: 12, ..Limits::default() });
        let whole = drive::pop3(&config, Channel::Tls, [&input[..]]);
        prop_assert_eq!(&drive::pop3(&config, Channel::Tls, cut(&input, &places)), &whole);
        prop_assert_eq!(&drive::pop3(&config, Channel::Tls, input.chunks(1)), &whole);
    }

    #[test]
    fn any_bytes_read_as_a_message_are_refused_or_lawful(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(received) = mail::message::read(&bytes) {
            prop_assert!(received.name.ends_with(".dat"));
        }
    }
}
