//! Makes mutants: lawful sessions with one to four changes of the kinds that have broken servers before.
//! `PLATEN_MUTANTS=100000` raises the number, `PLATEN_SEED` repeats a run. Shared with the tests of the gateway's doors.

/// As many as the seed's server endured.
const DEFAULT: u64 = 11_135;

pub const SMTP: [&str; 6] = [
    "EHLO device\r\nMAIL FROM:<d@c.example> SIZE=30 BODY=8BITMIME\r\nRCPT TO:<reports@platen.example>\r\nDATA\r\nFrom: <d@c.example>\r\n\
     \r\n..text\r\nmore\r\n.\r\nQUIT\r\n",
    "HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@platen.example>\r\nRCPT TO:<b@platen.example>\r\nRCPT TO:<c@elsewhere>\r\nDATA\r\n\
     Auto-Submitted: auto-replied\r\n\r\n.\r\nRSET\r\nNOOP x\r\nQUIT\r\n",
    "EHLO [192.0.2.7]\r\nAUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\nMAIL FROM:<\"a b\"@c> AUTH=<>\r\nRCPT TO:<postmaster>\r\n\
     RCPT TO:<r@PLATEN.example>\r\nDATA\r\n\r\n\r\n..\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@platen.example>\r\nDATA\r\nx\r\n.\r\n",
    "EHLO a\r\nSTARTTLS\r\n",
    "EHLO a\r\nAUTH PLAIN\r\nAGRldmljZS03AG9wZW4gc2VzYW1l\r\nMAIL FROM:<a@b> SIZE=2000\r\nVRFY x\r\nMAIL FROM:<a@b>\r\n\
     RCPT TO:<x@platen.example>\r\nDATA\r\nA: b\r\n c\r\nB:\r\n\r\nline\r\n.dot\r\n.\r\nQUIT\r\n",
    "ehlo a\r\nmail from:<a@b>\r\nrcpt to:<x@platen.example>\r\ndata\r\n.\r\nmail from:<a@b>\r\nrset\r\nrcpt to:<a@b>\r\nquit\r\n",
];

pub const POP3: [&str; 5] = [
    "CAPA\r\nAUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\nSTAT\r\nUIDL\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nQUIT\r\n",
    "USER device-7\r\nPASS open sesame\r\nTOP 1 0\r\nTOP 2 99\r\nDELE 2\r\nRSET\r\nDELE 3\r\nNOOP\r\nQUIT\r\n",
    "AUTH PLAIN\r\nAGRldmljZS03AG9wZW4gc2VzYW1l\r\nLIST 1\r\nUIDL 3\r\nDELE 1\r\nDELE 2\r\nDELE 3\r\nSTAT\r\nQUIT\r\n",
    "CAPA\r\nSTLS\r\n",
    "AUTH\r\nUSER x\r\nPASS y\r\nUSER device-7\r\nPASS open sesame\r\nRETR 9\r\nDELE 0\r\nQUIT\r\n",
];

/// What a mutation puts in: pieces that have broken servers before.
const PIECES: [&[u8]; 20] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b".",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b" ",
    b"<",
    b">",
    b"\"",
    b"\xff\xfe",
    b"DATA\r\n",
    b"STARTTLS\r\n",
    b"RCPT TO:<x@platen.example>\r\n",
    b"99999999999999999999",
    b"%s%n",
];

pub fn count() -> u64 {
    std::env::var("PLATEN_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(DEFAULT)
}

fn seed() -> u64 {
    std::env::var("PLATEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4)
}

/// SplitMix64: the same numbers everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(number: u64) -> Self {
        Self(seed().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.throw() % (end.max(1) as u64)).unwrap()
    }
}

/// One mutant: one to four changes to a lawful session.
pub fn mutant<S: AsRef<[u8]>>(dice: &mut Dice, sessions: &[S]) -> Vec<u8> {
    let mut bytes = sessions[dice.below(sessions.len())].as_ref().to_vec();
    for _ in 0..=dice.below(4) {
        change(dice, sessions, &mut bytes);
    }
    bytes
}

fn change<S: AsRef<[u8]>>(dice: &mut Dice, sessions: &[S], bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + 1 + dice.below(12)).min(bytes.len());
    match dice.below(11) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        5 => {
            let run = vec![b"xX \t.<\r\n"[dice.below(8)]; [10, 300, 600, 1_100, 3_000][dice.below(5)]];
            bytes.splice(at..at, run);
        }
        6 => {
            let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if lines.len() > 1 {
                let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
                lines.swap(one, other);
            }
            *bytes = lines.concat();
        }
        7 => {
            let other = sessions[dice.below(sessions.len())].as_ref();
            bytes.truncate(at);
            bytes.extend_from_slice(&other[dice.below(other.len())..]);
        }
        8 => {
            let line = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
            let many = bytes[at..line.min(at + 60)].repeat(2 + dice.below(30));
            bytes.splice(at..at, many);
        }
        _ => {
            let piece = PIECES[dice.below(PIECES.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}
