//! The mail roads: reports and answers as sealed mail, orders out of fetched mail (gateway.md §5, §6).

use std::io;

use mail::message::{Letter, Stamp, read};
use minicbor::{Decode, Encode};
use wire::hello::{MailPair, PollReply, Road};
use wire::sealed::{
    self, Addresses, Algorithm, Claims, Content, Header, Limits, MAX_LIFE_MS, Opener, Recipient, Signer,
};
use wire::{Message, Report, Subject, cbor};

use crate::call::What;
use crate::monitor::mono;
use crate::task::{Fetch, Fetched, Mail};
use crate::{CallError, Crypto, Flash, Moment, Monitor, Task, Trouble};

const KEY: &str = "mail";
/// An order is hundreds of bytes; nothing near this is one.
const MOST_BYTES: usize = 256 * 1_024;
const MOST_MAILS: usize = 64;

/// What the monitor knows of its mail road, kept as one record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Post {
    /// The road that the server was told at the communication test.
    #[n(1)]
    pub(crate) road: Road,
    /// The registered pair; `None` when the server has no mail door, or the road is another.
    #[n(2)]
    pub(crate) pair: Option<MailPair>,
    /// Server's clock minus wall clock at that test, milliseconds: on roads without answers nothing newer is known.
    #[n(3)]
    pub(crate) clock_ms: i64,
    /// Server's clock at that test, or when the activation document was made; milliseconds since 1970.
    #[n(4)]
    pub(crate) known_ms: i64,
    /// The claim code of an activation document whose test no server has taken yet.
    #[n(5)]
    pub(crate) test: Option<String>,
}

impl Post {
    pub(crate) fn load(flash: &impl Flash) -> io::Result<Option<Self>> {
        Ok(flash.get(KEY)?.and_then(|record| cbor::decode(&record).ok()))
    }

    /// The server's clock, guessed after a loss of power: a wall clock that is behind what was known at the test is wrong.
    pub(crate) fn guess_ms(&self, wall_ms: i64) -> i64 {
        if wall_ms >= self.known_ms { wall_ms } else { wall_ms.saturating_add(self.clock_ms).max(self.known_ms) }
    }

    pub(crate) fn save(&self, flash: &mut impl Flash) -> io::Result<()> {
        flash.put(KEY, &cbor::encode(self))
    }
}

impl<F: Flash, C: Crypto> Monitor<F, C> {
    /// The pair of addresses, when this device and its server both go by mail.
    fn pair(&self) -> Option<&MailPair> {
        let on_mail = self.config.road.is_mail() && self.crypto.sealing().is_some();
        self.post.as_ref().filter(|_| on_mail)?.pair.as_ref()
    }

    /// Whether everything goes by mail from here on.
    pub(crate) fn by_mail(&self) -> bool {
        self.pair().is_some()
    }

    /// The claim code of the test that is still to be sent by mail.
    pub(crate) fn test(&self) -> Option<&str> {
        self.post.as_ref()?.test.as_deref()
    }

    /// The next thing to do on a mail road: the test if one is open, then answers, reports, and a look into the mailbox.
    pub(crate) fn next_mail(&mut self, now: Moment, sender: Subject) -> Result<Option<Task>, CallError> {
        let Some(pair) = self.pair().cloned() else { return Ok(None) };
        if let Some(claim) = self.test() {
            let hello = self.hello_of(now, Some(claim.to_owned()));
            let mail = (Content::Hello, Content::HELLO, self.state.epoch, self.state.seq);
            return self.mail(now, sender, &pair, mail, &cbor::encode(&hello), What::Hello).map(Some);
        }
        let acks = self.outbox.acks();
        if !acks.acks.is_empty() {
            let ids = acks.acks.iter().map(|ack| ack.id).collect();
            let (epoch, seq) = (self.state.epoch, self.state.seq);
            let mail = (Content::Acks, Content::Acks.kind().unwrap_or_default(), epoch, seq);
            return self.mail(now, sender, &pair, mail, &cbor::encode(&acks), What::Ack(ids)).map(Some);
        }
        let messages = self.outbox.batch(&self.flash)?;
        if let Some(first) = messages.first() {
            let seqs = messages.iter().map(|message| message.seq).collect();
            let kind = u32::try_from(first.body.kind()).unwrap_or(u32::MAX);
            let mail = (Content::Report, kind, self.state.epoch, first.seq);
            let report = cbor::encode(&self.report_of(now, sender, messages));
            return self.mail(now, sender, &pair, mail, &report, What::Report(seqs)).map(Some);
        }
        if !self.poll || self.config.road != Road::MailBothWays {
            self.poll = false;
            return Ok(None);
        }
        let server = self.config.mailbox_server.clone().or(pair.pop3);
        let (Some(server), Some(secret)) = (server, pair.secret) else {
            self.poll = false;
            return Ok(None);
        };
        self.config.check_mail(&server, "pop3")?;
        let (most_bytes, most_mails) = (MOST_BYTES, MOST_MAILS);
        Ok(Some(Task::Fetch(Fetch { server, user: pair.device, secret, most_bytes, most_mails })))
    }

    fn mail(
        &self,
        now: Moment,
        sender: Subject,
        pair: &MailPair,
        (content, kind, epoch, seq): (Content, u32, u64, u64),
        document: &[u8],
        what: What,
    ) -> Result<Task, CallError> {
        let server = self.config.mail_server.clone().or_else(|| pair.smtp.clone()).ok_or(CallError::NoMailServer)?;
        self.config.check_mail(&server, "smtp")?;
        let issued_ms = self.server_ms(now);
        let claims = Claims { sender, epoch, seq, kind, issued_ms, expires_ms: issued_ms + MAX_LIFE_MS, content };
        let header = Header::of(sender, &claims);
        let sealed = self.seal(pair, &claims, &header, document).ok_or(CallError::Seal)?;
        let unfit = |_| CallError::Seal;
        let from = pair.device.parse().map_err(unfit)?;
        let to = pair.server.parse().map_err(unfit)?;
        let stamp: Stamp = header.to_string().parse().map_err(|_| CallError::Seal)?;
        let letter = Letter { from: &from, to: &to, stamp: &stamp, sent: issued_ms / 1_000, sealed: &sealed };
        Ok(Task::Mail(Mail {
            server,
            from: pair.device.clone(),
            to: pair.server.clone(),
            secret: pair.secret.clone(),
            message: letter.write(),
            what,
        }))
    }

    fn seal(&self, pair: &MailPair, claims: &Claims, header: &Header, document: &[u8]) -> Option<Vec<u8>> {
        let newest = self.state.keys.iter().max_by_key(|key| key.id)?;
        let key = newest.seal.as_slice().try_into().ok()?;
        let addresses = Addresses { from: &pair.device, to: &pair.server };
        let sign = |message: &[u8]| Some(self.crypto.sign(message));
        // At its test the server may not know the key yet: it names itself.
        let own = self.crypto.public_key();
        let kid: &[u8] = if claims.content == Content::Hello { &own } else { &header.device.0 };
        let signer = Signer { algorithm: Algorithm::EdDsa, kid, sign: &sign };
        let recipient = Recipient { kid: &newest.id.to_be_bytes(), key };
        sealed::seal(self.crypto.sealing()?.suite(), claims, document, &addresses, header, &recipient, &signer).ok()
    }

    /// Takes what became of a mail. The server that takes it has it safe, or says so to nobody.
    ///
    /// # Errors
    /// When the flash cannot keep what must be kept; the mail counts as not sent then.
    pub fn sent(&mut self, now: Moment, mail: &Mail, outcome: Result<(), Trouble>) -> io::Result<()> {
        if outcome.is_err() {
            let wait = self.backoff.failed(self.outbox.urgent(), self.crypto.random());
            self.not_before_ms = mono(now) + wait;
            return Ok(());
        }
        self.backoff.worked();
        match &mail.what {
            What::Report(seqs) => {
                // The count of messages must survive them.
                self.state.save(&mut self.flash)?;
                seqs.iter().try_for_each(|seq| self.outbox.remove(&mut self.flash, *seq))
            }
            What::Ack(ids) => self.outbox.answered(&mut self.flash, ids),
            What::Hello => self.test_sent(),
            What::Poll | What::Upload => Ok(()),
        }
    }

    /// A server has the test; another loss of power does not repeat it.
    fn test_sent(&mut self) -> io::Result<()> {
        let Some(post) = &self.post else { return Ok(()) };
        let tested = Post { test: None, ..post.clone() };
        tested.save(&mut self.flash)?;
        self.post = Some(tested);
        Ok(())
    }

    /// Takes what was in the mailbox, oldest first. Whatever bears this device's mark is dealt with, be it genuine or not;
    /// other mail is none of its business.
    ///
    /// # Errors
    /// When the flash cannot keep what must be kept; nothing may be deleted then.
    pub fn fetched(&mut self, now: Moment, mails: Result<&[Vec<u8>], Trouble>) -> io::Result<Fetched> {
        let Ok(mails) = mails else {
            let wait = self.backoff.failed(false, self.crypto.random());
            self.not_before_ms = mono(now) + wait;
            return Ok(Fetched::default());
        };
        self.backoff.worked();
        self.poll = false;
        let mut fetched = Fetched::default();
        for (place, mail) in mails.iter().enumerate() {
            let Some((header, orders)) = self.orders_of(now, mail) else { continue };
            if Some(header.device) != self.state.sender {
                continue;
            }
            if let Some(orders) = orders {
                // Its clock is that of when it was written, which may be days ago.
                fetched.wishes.extend(self.on_orders(now, orders.schedule, &orders.commands)?);
            }
            fetched.done.push(place);
        }
        Ok(fetched)
    }

    /// The mark of a mail, and its orders when it is genuine, in time, and for this device at this address.
    fn orders_of(&self, now: Moment, mail: &[u8]) -> Option<(Header, Option<PollReply>)> {
        let received = read(mail).ok()?;
        let header: Header = received.stamp.to_string().parse().ok()?;
        let open = || {
            let (pair, sealing) = (self.pair()?, self.crypto.sealing()?);
            if !received.from.same_as(&pair.server) || !received.to.same_as(&pair.device) {
                return None;
            }
            let unseal = |kid: &[u8], peer: &[u8; sealed::POINT]| {
                if kid == header.device.0 { sealing.agree(peer) } else { None }
            };
            let verify = |algorithm, kid: &[u8], message: &[u8], signature: &[u8]| {
                let key = self.state.keys.iter().find(|key| key.id.to_be_bytes() == kid);
                algorithm == Algorithm::EdDsa
                    && key.is_some_and(|key| self.crypto.verify(&key.verify, message, signature))
            };
            let limits = Limits { envelope: MOST_BYTES, content: MOST_BYTES, ..Limits::default() };
            let opener = Opener { unseal: &unseal, verify: &verify, now_ms: self.server_ms(now), limits };
            let addresses = Addresses { from: received.from.as_str(), to: received.to.as_str() };
            let (claims, document) =
                sealed::open(sealing.suite(), &received.sealed, &addresses, &header, &opener).ok()?;
            (claims.content == Content::Orders).then(|| cbor::decode(&document).ok()).flatten()
        };
        Some((header, open()))
    }

    /// A report of these messages, oldest numbers and all.
    pub(crate) fn report_of(&self, now: Moment, sender: Subject, mut messages: Vec<Message>) -> Report {
        for message in &mut messages {
            // What was told before the communication test had no name to carry.
            message.subject = Some(sender);
        }
        Report {
            version: 1,
            sender,
            epoch: self.state.epoch,
            clock_ms: now.wall_ms,
            mono_ms: now.mono_ms,
            messages,
            plan_revision: self.state.schedule.revision,
        }
    }
}
