//! What the serving sides of both protocols share: where a session stands, its lines, the change to TLS, and its end.

use crate::lines::{Lines, Taken};
use crate::{Channel, Limits};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason<R> {
    /// The client said QUIT.
    Quit,
    /// The session refused to go on, or the shell did.
    Refused(R),
}

/// Why a shell ends a session whose client did nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dismissal {
    /// Idle or session time is over, or a transfer is too slow.
    TooSlow,
    /// The server stops.
    Stopping,
}

/// The refusals that both protocols have, each in its own words.
pub(crate) trait Refuse: Copy {
    const INJECTED: Self;
    const BARE_NEWLINE: Self;
    const LINE_TOO_LONG: Self;
    const TOO_MANY_ERRORS: Self;
    const OUT_OF_ORDER: Self;
    const NO_TLS: Self;
    const TOO_SLOW: Self;
    const STOPPING: Self;

    fn of(why: Dismissal) -> Self {
        match why {
            Dismissal::TooSlow => Self::TOO_SLOW,
            Dismissal::Stopping => Self::STOPPING,
        }
    }
}

/// Where a session stands; `A` is a question that is with the shell, `R` a refusal of the protocol.
#[derive(Debug)]
pub(crate) enum State<A, R> {
    Command,
    /// The next line is the SASL response.
    Response,
    /// The change to TLS was granted; what comes now belongs to TLS.
    Handshake,
    /// A message comes.
    Data,
    Asked(A),
    /// The end was found, and will be told.
    Ending(Reason<R>),
    Closed,
}

/// What a step led to: an event without its borrows. `M` is what an event gives away for good.
pub(crate) enum Signal<R, M = ()> {
    GoOn,
    More,
    StartTls,
    Asked,
    Given(M),
    Closed(Reason<R>),
}

/// A session, as far as both protocols are alike.
#[derive(Debug)]
pub(crate) struct Stand<A, R> {
    pub(crate) channel: Channel,
    pub(crate) state: State<A, R>,
    lines: Lines,
}

impl<A, R: Refuse> Stand<A, R> {
    pub(crate) fn new(channel: Channel, limits: &Limits) -> Self {
        Self { channel, state: State::Command, lines: Lines::new(limits.command_line) }
    }

    /// The signal of a state that awaits nothing from the client; `None` where bytes are to be read.
    pub(crate) fn settled<M>(&mut self, input: &mut &[u8]) -> Option<Signal<R, M>> {
        match &self.state {
            State::Command | State::Response | State::Data => None,
            State::Asked(_) => Some(Signal::More),
            State::Handshake if input.is_empty() => Some(Signal::More),
            State::Handshake => {
                // The word to begin has left already, so nothing may be said in the clear any more.
                self.end(R::INJECTED);
                Some(Signal::GoOn)
            }
            State::Ending(reason) => {
                let reason = *reason;
                *input = &[];
                self.state = State::Closed;
                Some(Signal::Closed(reason))
            }
            State::Closed => {
                *input = &[];
                Some(Signal::More)
            }
        }
    }

    /// Takes one line and reads it, `None` when none has come whole. `read` learns whether it is a SASL response.
    pub(crate) fn line<T>(
        &mut self,
        input: &mut &[u8],
        read: impl FnOnce(&[u8], bool) -> Result<T, R>,
    ) -> Option<Result<T, R>> {
        let in_response = matches!(self.state, State::Response);
        let taken = match self.lines.take(input) {
            Taken::More => return None,
            Taken::Line(line) => read(line, in_response),
            Taken::TooLong => Err(R::LINE_TOO_LONG),
            Taken::Bare => Err(R::BARE_NEWLINE),
            Taken::Flood => Err(R::TOO_MANY_ERRORS),
        };
        self.state = State::Command;
        Some(taken)
    }

    /// Gives a question to the shell.
    pub(crate) fn ask<M>(&mut self, question: A) -> Signal<R, M> {
        self.state = State::Asked(question);
        Signal::Asked
    }

    /// Grants the change to TLS with the words `begin`. What stands behind the command is an attack (CVE-2011-0411).
    pub(crate) fn start_tls<M>(
        &mut self,
        offered: bool,
        more: bool,
        begin: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Signal<R, M>, R> {
        match (self.channel, offered) {
            (Channel::Tls, _) => Err(R::OUT_OF_ORDER),
            (Channel::Clear, false) => Err(R::NO_TLS),
            (Channel::Clear, true) if more => Err(R::INJECTED),
            (Channel::Clear, true) => {
                out.extend_from_slice(begin);
                self.state = State::Handshake;
                Ok(Signal::StartTls)
            }
        }
    }

    /// The handshake is done; false when none was under way.
    pub(crate) fn secured(&mut self) -> bool {
        let awaited = matches!(self.state, State::Handshake);
        if awaited {
            self.channel = Channel::Tls;
            self.state = State::Command;
            self.lines.begin();
        }
        awaited
    }

    /// The end, to be told by the next step.
    pub(crate) fn end(&mut self, refusal: R) {
        self.state = State::Ending(Reason::Refused(refusal));
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Ending(_))
    }
}
