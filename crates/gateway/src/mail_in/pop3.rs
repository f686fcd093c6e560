//! The giving door: a maildrop is a view of the orders that wait for one device, each sealed for it.
//! DELE and QUIT say that the device has an order; what became of it comes back as an answer, by whichever road.

use std::sync::Arc;

use mail::{
    Credentials, Dismissal,
    message::{Letter, Stamp},
    pop3::{Entry, Event, Refusal, Session, Taken, server::Reason},
};
use platen_core::{Ctx, monitors, orders::CommandId};

use super::{
    Shared,
    metrics::{Outcome, Protocol::Pop3},
    talk::{Conversation, Next},
};

/// One connection.
pub(super) struct Giving {
    session: Session,
    shared: Arc<Shared>,
    drop: Option<Maildrop>,
}

/// Rendered once at the login, so that LIST, RETR and TOP tell of the same bytes.
struct Maildrop {
    ctx: Ctx,
    letters: Vec<(CommandId, Vec<u8>)>,
    _lock: Taken,
}

/// A question of the session, owned.
enum Question {
    Login(Credentials),
    Fetch(usize),
    Remove(Vec<usize>),
}

impl Giving {
    pub(super) fn new(session: Session, shared: Arc<Shared>) -> Self {
        Self { session, shared, drop: None }
    }

    fn fetch(&mut self, place: usize, out: &mut Vec<u8>) {
        match self.drop.as_ref().and_then(|drop| drop.letters.get(place)) {
            Some((_, letter)) => {
                // Letters are written with CRLF alone, so the session cannot refuse them.
                let _ = self.session.message(letter, out);
            }
            None => self.session.refuse(Refusal::Unreadable, out),
        }
    }

    async fn remove(&mut self, places: &[usize], out: &mut Vec<u8>) {
        let Some(drop) = &self.drop else { return self.session.refuse(Refusal::NotRemoved, out) };
        let ids: Vec<CommandId> = places.iter().filter_map(|place| drop.letters.get(*place)).map(|one| one.0).collect();
        match monitors::mail::taken(&drop.ctx, &ids).await {
            Ok(()) => {
                self.shared.metrics.add(Pop3, Outcome::Taken, ids.len());
                self.session.removed(out);
            }
            Err(error) => {
                tracing::warn!(%error, "orders could not be marked as taken; they are given again");
                self.session.refuse(Refusal::NotRemoved, out);
            }
        }
    }

    async fn login(&mut self, credentials: &Credentials, out: &mut Vec<u8>) {
        match self.shared.maildrop(credentials).await {
            Ok(drop) => {
                let entries = drop.letters.iter().filter_map(|(id, letter)| {
                    // An order's id is the unique id: the same in every session, though the seal is new each time.
                    Entry::new(letter.len() as u64, &id.to_string())
                });
                self.session.open(entries.collect(), out);
                self.drop = Some(drop);
                self.shared.metrics.count(Pop3, Outcome::Login);
            }
            Err(refusal) => self.session.refuse(refusal, out),
        }
    }
}

impl Conversation for Giving {
    async fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Next {
        loop {
            let question = match self.session.next(input, out) {
                None => return Next::Read,
                Some(Event::StartTls) => return Next::StartTls,
                Some(Event::Closed(reason)) => {
                    if let Reason::Refused(Refusal::BareNewline | Refusal::Injected | Refusal::TooManyErrors) = reason {
                        self.shared.metrics.count(Pop3, Outcome::Malformed);
                    }
                    return Next::Close;
                }
                Some(Event::Login(credentials)) => Question::Login(credentials.clone()),
                Some(Event::Fetch(place)) => Question::Fetch(place),
                Some(Event::Remove(places)) => Question::Remove(places),
            };
            match question {
                Question::Login(credentials) => self.login(&credentials, out).await,
                Question::Fetch(place) => self.fetch(place, out),
                Question::Remove(places) => self.remove(&places, out).await,
            }
        }
    }

    fn secured(&mut self) {
        self.session.secured();
    }

    fn dismiss(&mut self, why: Dismissal, out: &mut Vec<u8>) {
        self.session.dismiss(why, out);
    }

    fn in_data(&self) -> bool {
        false
    }
}

impl Shared {
    async fn maildrop(&self, credentials: &Credentials) -> Result<Maildrop, Refusal> {
        let known = monitors::mail::login(&self.platform, &credentials.user, credentials.password.expose()).await;
        let Some(mailbox) = known.map_err(|_| Refusal::Unavailable)? else {
            self.metrics.count(Pop3, Outcome::BadLogin);
            tokio::time::sleep(super::REFUSED_AFTER).await;
            return Err(Refusal::BadCredentials);
        };
        let Some(lock) = self.locks.take(&mailbox.monitor.to_string()) else {
            self.metrics.count(Pop3, Outcome::InUse);
            return Err(Refusal::InUse);
        };
        let waiting = monitors::mail::pending_sealed(&mailbox.ctx).await.map_err(|error| {
            tracing::warn!(%error, "a maildrop could not be opened");
            Refusal::Unavailable
        })?;
        let letters = waiting.into_iter().filter_map(|(id, letter)| Some((id, written(&letter)?))).collect();
        Ok(Maildrop { ctx: mailbox.ctx, letters, _lock: lock })
    }
}

/// The message as it is sent; `None` for addresses that are none, which core does not make.
fn written(letter: &monitors::mail::Letter) -> Option<Vec<u8>> {
    let (from, to) = (letter.from.parse().ok()?, letter.to.parse().ok()?);
    let stamp: Stamp = letter.header.to_string().parse().ok()?;
    Some(Letter { from: &from, to: &to, stamp: &stamp, sent: letter.sent_s, sealed: &letter.sealed }.write())
}
