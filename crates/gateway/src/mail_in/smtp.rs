//! The receiving door: who may write to whom, what is a sealed report, and when it is durable.
//! Recipients come from the table of registered devices and nowhere else, so there is no relay to be abused.

use std::{net::IpAddr, sync::Arc};

use mail::{
    Address, Dismissal,
    limits::Named,
    message::{self, Received},
    smtp::{Event, Message, Origin, Refusal, Session},
};
use platen_core::{
    Kind,
    monitors::{self, Posted},
    reports,
};
use wire::{
    command::Acks,
    hello::Road,
    sealed::{Content, Header},
};

use super::{
    Shared,
    metrics::{Outcome, Protocol::Smtp},
    talk::{Conversation, Next},
};
use crate::bounces;

/// One connection.
pub(super) struct Receiving {
    session: Session,
    shared: Arc<Shared>,
    peer: IpAddr,
}

/// What the shell answers to a question of the session.
type Answer = Result<(), Refusal>;

impl Receiving {
    pub(super) fn new(session: Session, shared: Arc<Shared>, peer: IpAddr) -> Self {
        Self { session, shared, peer }
    }

    /// Counts what the session refused by itself, and what it was told to.
    fn tally(&mut self) {
        for refusal in self.session.refusals() {
            match (Named::of(refusal), refusal) {
                (Some(limit), _) => self.shared.metrics.count(Smtp, Outcome::Limit(limit)),
                (_, Refusal::BareNewline | Refusal::Injected | Refusal::NotSmtp | Refusal::TooManyErrors) => {
                    self.shared.metrics.count(Smtp, Outcome::Malformed);
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, answer: Answer, out: &mut Vec<u8>) {
        match answer {
            Ok(()) => self.session.accept(out),
            Err(refusal) => self.session.refuse(refusal, out),
        }
    }
}

/// A question of the session, owned: the answer may take its time.
enum Question {
    Login(mail::Credentials),
    Sender(Option<Address>, Option<u64>),
    Recipient(Option<Address>, Address),
    Message(Box<Message>),
}

impl Conversation for Receiving {
    async fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Next {
        let next = self.work(input, out).await;
        self.tally();
        next
    }

    fn secured(&mut self) {
        self.session.secured();
    }

    fn dismiss(&mut self, why: Dismissal, out: &mut Vec<u8>) {
        self.session.dismiss(why, out);
    }

    fn in_data(&self) -> bool {
        self.session.in_data()
    }
}

impl Receiving {
    async fn work(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Next {
        loop {
            let question = match self.session.next(input, out) {
                None => return Next::Read,
                Some(Event::StartTls) => return Next::StartTls,
                Some(Event::Closed(_)) => return Next::Close,
                Some(Event::Login(credentials)) => Question::Login(credentials.clone()),
                Some(Event::Sender { sender, size }) => Question::Sender(sender.cloned(), size),
                Some(Event::Recipient { sender, recipient }) => Question::Recipient(sender.cloned(), recipient.clone()),
                Some(Event::Message(message)) => Question::Message(message),
            };
            let user = self.session.user().map(str::to_owned);
            let shared = &self.shared;
            let answer = match question {
                Question::Login(credentials) => shared.knows(&credentials).await,
                Question::Sender(sender, size) => shared.may_send(sender.as_ref(), user.as_deref(), size),
                Question::Recipient(sender, recipient) => {
                    shared.may_receive(sender.as_ref(), &recipient, self.peer).await
                }
                Question::Message(message) => shared.take(*message, self.peer).await,
            };
            self.answer(answer, out);
        }
    }
}

impl Shared {
    /// A device may log in as itself; it need not, for the seal proves more than a password.
    async fn knows(&self, credentials: &mail::Credentials) -> Answer {
        let known = monitors::mail::login(&self.platform, &credentials.user, credentials.password.expose()).await;
        match known {
            Ok(Some(_)) => {
                self.metrics.count(Smtp, Outcome::Login);
                Ok(())
            }
            Ok(None) => {
                self.metrics.count(Smtp, Outcome::BadLogin);
                tokio::time::sleep(super::REFUSED_AFTER).await;
                Err(Refusal::BadCredentials)
            }
            Err(_) => Err(Refusal::LoginUnavailable),
        }
    }

    fn may_send(&self, sender: Option<&Address>, user: Option<&str>, size: Option<u64>) -> Answer {
        if !self.space.allows(size.unwrap_or(0)) {
            return Err(Refusal::NoSpace);
        }
        match (sender, user) {
            (Some(sender), Some(user)) if !sender.same_as(user) => Err(Refusal::NotAllowed),
            _ => Ok(()),
        }
    }

    /// Unknown recipients and wrong pairs read alike: nobody learns here which devices exist.
    async fn may_receive(&self, sender: Option<&Address>, recipient: &Address, peer: IpAddr) -> Answer {
        if self.return_address(recipient).is_some() {
            // Of our own mail to people: whoever answers it, the answer comes to rest here.
            return Ok(());
        }
        let known = match sender {
            Some(sender) => monitors::mail::by_mailbox(&self.platform, sender.as_str()).await,
            None => Ok(None),
        };
        let known = known.map_err(|error| refusal_of(&error))?;
        if known.is_some_and(|mailbox| recipient.same_as(&mailbox.server)) {
            return Ok(());
        }
        // A device that is not heard yet may bring its communication test; what else it brings waits for that.
        if let Some(sender) = sender
            && self.awaits(sender, recipient).await.map_err(|error| refusal_of(&error))?
        {
            return Ok(());
        }
        let received = monitors::mail::receives(&self.platform, recipient.as_str()).await;
        let (outcome, why) = match received.map_err(|error| refusal_of(&error))? {
            true if sender.is_none() => return Ok(()),
            true => (Outcome::WrongPair, "mail of a wrong pair"),
            false => (Outcome::Unknown, "mail to nobody"),
        };
        self.metrics.count(Smtp, outcome);
        self.stranger(sender, why, peer).await;
        Err(Refusal::UnknownRecipient)
    }

    /// Whether the test of the device with this pair of addresses is awaited by mail.
    async fn awaits(&self, sender: &Address, recipient: &Address) -> platen_core::Result<bool> {
        let server = monitors::awaited(&self.platform, sender.as_str()).await?;
        Ok(server.is_some_and(|server| recipient.same_as(&server)))
    }

    /// The local part, where it is a return address in our own domain.
    fn return_address<'a>(&self, recipient: &'a Address) -> Option<&'a str> {
        let domain = &self.platform.mail()?.domain;
        bounces::local(recipient).filter(|_| recipient.domain().eq_ignore_ascii_case(domain))
    }

    /// Opens a message and stores what is inside; `Ok` only when it is durable, or needs not be.
    async fn take(&self, message: Message, peer: IpAddr) -> Answer {
        if let Some(local) = message.recipients.iter().find_map(|to| self.return_address(to)) {
            let taken = bounces::take(&self.platform, local, &message.data).await;
            self.metrics.count(Smtp, Outcome::Automatic);
            return taken.map(drop).map_err(|error| refusal_of(&error));
        }
        if message.origin != Origin::Sender {
            // Taken, so that it comes to rest: a refusal would make the next bounce.
            self.metrics.count(Smtp, Outcome::Automatic);
            return Ok(());
        }
        let sender = message.sender.clone();
        let refused = match self.open(message, peer).await {
            Ok(()) => {
                self.metrics.count(Smtp, Outcome::Stored);
                return Ok(());
            }
            Err(refused) => refused,
        };
        self.metrics.count(Smtp, refused.outcome);
        if let Some(why) = refused.why {
            self.stranger(sender.as_ref(), why, peer).await;
        }
        Err(refused.refusal)
    }

    async fn open(&self, message: Message, peer: IpAddr) -> Result<(), Refused> {
        let received = message::read(&message.data).map_err(|fault| {
            tracing::debug!(%fault, "mail that is no sealed message");
            Refused::stranger(Outcome::Unsealed, Refusal::Malformed, "unsealed mail")
        })?;
        let same = |envelope: Option<&Address>, head: &Address| envelope.is_some_and(|one| one.same_as(head.as_str()));
        let to_all = message.recipients.iter().all(|to| same(Some(to), &received.to));
        if !same(message.sender.as_ref(), &received.from) || !to_all {
            return Err(Refused::stranger(Outcome::WrongPair, Refusal::NotAllowed, "mail of a wrong pair"));
        }
        drop(message);
        let stamp = received.stamp.to_string().parse();
        let header: Header = stamp.map_err(|_| Refused::bad_seal())?;
        if header.kind == Content::HELLO {
            return self.test(&received, &header, peer).await;
        }
        self.unseal(&received, &header).await
    }

    /// A communication test. Why it is refused is told to people alone.
    async fn test(&self, received: &Received, header: &Header, peer: IpAddr) -> Result<(), Refused> {
        let pair = (received.from.as_str(), received.to.as_str());
        let peer = peer.to_string();
        let tested = monitors::hello_by_mail(&self.platform, pair, header, &received.sealed, &peer).await;
        let noted = Refused { outcome: Outcome::BadSeal, refusal: Refusal::NotAllowed, why: None };
        match tested.map_err(|error| Refused::unopened(&error))? {
            Posted::Active => Ok(()),
            Posted::Refused => Err(noted),
            Posted::OfAnother => Err(Refused { why: Some("a test of another device"), ..noted }),
        }
    }

    async fn unseal(&self, received: &Received, header: &Header) -> Result<(), Refused> {
        let bad_seal = Refused::bad_seal;
        let (from, to) = (received.from.as_str(), received.to.as_str());
        let opened = monitors::mail::open(&self.platform, from, to, header, &received.sealed).await;
        let opened = match opened {
            Ok(opened) => opened,
            // Relays change the order of mail: it may have overtaken the test of its device, and is to be brought again.
            Err(_) if self.awaits(&received.from, &received.to).await.unwrap_or_default() => {
                return Err(Refused { outcome: Outcome::Untested, refusal: Refusal::NotStored, why: None });
            }
            Err(error) => return Err(Refused::unopened(&error)),
        };
        match opened.claims.content {
            Content::Report => {
                let report = opened.report().map_err(|_| bad_seal())?;
                let taken = reports::accept_by(&opened.ctx, report, Road::Mail).await;
                let reply = taken.map_err(|error| Refused::of(&error))?;
                if reply.results.iter().any(|result| result.outcome == wire::Outcome::Later) {
                    return Err(Refused { outcome: Outcome::NotStored, refusal: Refusal::NotStored, why: None });
                }
            }
            Content::Acks => {
                let acks: Acks = wire::cbor::decode(&opened.content).map_err(|_| bad_seal())?;
                platen_core::orders::acknowledge(&opened.ctx, &acks).await.map_err(|error| Refused::of(&error))?;
            }
            Content::Orders | Content::Hello => return Err(bad_seal()),
        }
        Ok(())
    }

    async fn stranger(&self, sender: Option<&Address>, why: &'static str, peer: IpAddr) {
        if !self.strangers.take() {
            return;
        }
        let name = sender.map_or("<>", Address::as_str);
        if let Err(error) = monitors::refused_mail(&self.platform, name, why, &peer.to_string()).await {
            tracing::warn!(%error, "a stranger could not be noted");
        }
    }
}

/// Why a message is not taken.
struct Refused {
    outcome: Outcome,
    refusal: Refusal,
    /// As the list of strangers says it.
    why: Option<&'static str>,
}

impl Refused {
    fn stranger(outcome: Outcome, refusal: Refusal, why: &'static str) -> Self {
        Self { outcome, refusal, why: Some(why) }
    }

    fn bad_seal() -> Self {
        Self::stranger(Outcome::BadSeal, Refusal::NotAllowed, "a seal that does not open")
    }

    /// What core said to an envelope that it was to open.
    fn unopened(error: &platen_core::Error) -> Self {
        match error.kind {
            Kind::Unavailable | Kind::Internal => Self::later(error),
            _ => Self::bad_seal(),
        }
    }

    fn later(error: &platen_core::Error) -> Self {
        tracing::warn!(%error, "mail could not be stored; its sender will try again");
        Self { outcome: Outcome::NotStored, refusal: refusal_of(error), why: None }
    }

    /// What core said to a message whose seal was good.
    fn of(error: &platen_core::Error) -> Self {
        match error.kind {
            Kind::Unavailable | Kind::Internal | Kind::TooMany => Self::later(error),
            Kind::Invalid => Self { outcome: Outcome::Unsealed, refusal: Refusal::Malformed, why: None },
            _ => Self { outcome: Outcome::BadSeal, refusal: Refusal::NotAllowed, why: None },
        }
    }
}

fn refusal_of(error: &platen_core::Error) -> Refusal {
    match error.kind {
        Kind::Unavailable | Kind::Internal => Refusal::NotStored,
        Kind::TooMany => Refusal::RecipientLater,
        _ => Refusal::UnknownRecipient,
    }
}
