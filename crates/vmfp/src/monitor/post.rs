//! The way by mail: SMTP out, POP3 in, over the sessions of the `mail` crate; TLS from the start or by STARTTLS, never none.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use embedded::{Fetch, Mail, Trouble};
use mail::smtp::client::{Event as Sending, Failure, Security, Setup};
use mail::{Address, Channel, Credentials, pop3, smtp};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Time for one connection as a whole.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a server answers that wants a password first (RFC 4954 §6).
const PASSWORD_FIRST: u16 = 530;

/// All devices of a fleet trust the same CA.
#[derive(Clone)]
pub(super) struct Post {
    connector: TlsConnector,
}

/// A connection that asked for what it should not have.
fn trouble(why: impl std::fmt::Display) -> Trouble {
    tracing::debug!(%why, "a virtual device's mail does not go");
    Trouble
}

impl Post {
    pub(super) fn new(trust: ClientConfig) -> Self {
        Self { connector: TlsConnector::from(Arc::new(trust)) }
    }

    /// Sends a mail; a server that wants a password gets it with a second try.
    pub(super) async fn send(&self, mail: &Mail) -> Result<(), Trouble> {
        match self.try_to_send(mail, None).await {
            Err(Lost::Password) if mail.secret.is_some() => {
                let login = mail.secret.clone().map(|secret| Credentials::new(mail.from.clone(), secret));
                self.try_to_send(mail, login).await
            }
            other => other,
        }
        .map_err(trouble)
    }

    async fn try_to_send(&self, mail: &Mail, login: Option<Credentials>) -> Result<(), Lost> {
        tokio::time::timeout(PATIENCE, self.transfer(mail, login)).await.map_err(|_| Lost::Time)?
    }

    async fn transfer(&self, mail: &Mail, login: Option<Credentials>) -> Result<(), Lost> {
        let place = Place::read(&mail.server, "smtp")?;
        let mut link = Link::open(&self.connector, &place).await?;
        let name = mail.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned();
        let mut client = smtp::Client::new(Setup { name, security: Security::Required, login }, place.channel);
        let from: Address = mail.from.parse().map_err(|_| Lost::Place)?;
        let to: Address = mail.to.parse().map_err(|_| Lost::Place)?;
        let mut out = Vec::new();
        loop {
            match link.until(&mut out, |input, out| client.next(input, out)).await? {
                Sending::StartTls => {
                    link = link.secure(&self.connector, &place).await?;
                    client.secured(&mut out);
                }
                Sending::Ready => {
                    let _ = client.send(Some(&from), std::slice::from_ref(&to), mail.message.len(), &mut out);
                }
                Sending::GoAhead => client.message(&mail.message, &mut out).map_err(|_| Lost::Place)?,
                Sending::Sent(receipt) if receipt.refused.is_empty() => {
                    client.quit(&mut out);
                    // What is said now decides nothing any more.
                    drop(link.until(&mut out, |input, out| client.next(input, out)).await);
                    return Ok(());
                }
                Sending::Sent(receipt) | Sending::Refused(receipt) if receipt.reply.code == PASSWORD_FIRST => {
                    return Err(Lost::Password);
                }
                Sending::Sent(receipt) | Sending::Refused(receipt) => return Err(Lost::Refused(receipt.reply.code)),
                Sending::Failed(failure) => return Err(Lost::Smtp(failure)),
                Sending::Closed => return Err(Lost::Closed),
            }
        }
    }

    /// Looks into a mailbox and stays connected, so that what is dealt with can be deleted.
    pub(super) async fn fetch(&self, fetch: &Fetch) -> Result<Mailbox, Trouble> {
        let open = tokio::time::timeout(PATIENCE, Mailbox::open(&self.connector, fetch));
        open.await.map_err(|_| Lost::Time).and_then(|opened| opened).map_err(trouble)
    }
}

/// A mailbox that is open: its mails, and the connection on which they can be deleted.
pub(super) struct Mailbox {
    link: Link,
    client: pop3::Client,
    numbers: Vec<u32>,
    pub(super) mails: Vec<Vec<u8>>,
}

impl Mailbox {
    async fn open(connector: &TlsConnector, fetch: &Fetch) -> Result<Self, Lost> {
        let place = Place::read(&fetch.server, "pop3")?;
        let link = Link::open(connector, &place).await?;
        let login = Credentials::new(fetch.user.clone(), fetch.secret.clone());
        let setup = pop3::client::Setup {
            security: Security::Required,
            login,
            max_message: fetch.most_bytes,
            max_list: fetch.most_mails,
        };
        let client = pop3::Client::new(setup, place.channel);
        let mut mailbox = Self { link, client, numbers: Vec::new(), mails: Vec::new() };
        let mut out = Vec::new();
        let listing = loop {
            match mailbox.link.until(&mut out, |input, out| mailbox.client.next(input, out)).await? {
                pop3::client::Event::StartTls => {
                    mailbox.link = mailbox.link.secure(connector, &place).await?;
                    mailbox.client.secured(&mut out);
                }
                pop3::client::Event::Listing(listing) => break listing,
                pop3::client::Event::Failed(failure) => return Err(Lost::Pop3(failure)),
                _ => return Err(Lost::Closed),
            }
        };
        for listed in listing.iter().filter(|listed| listed.entry.size() <= fetch.most_bytes as u64) {
            mailbox.client.fetch(listed.number, &mut out);
            match mailbox.link.until(&mut out, |input, out| mailbox.client.next(input, out)).await? {
                pop3::client::Event::Message(number, mail) => {
                    mailbox.numbers.push(number);
                    mailbox.mails.push(mail);
                }
                pop3::client::Event::Refused(..) | pop3::client::Event::TooLarge(_) => {}
                pop3::client::Event::Failed(failure) => return Err(Lost::Pop3(failure)),
                _ => return Err(Lost::Closed),
            }
        }
        Ok(mailbox)
    }

    /// Deletes the mails at these places and leaves. What is not deleted now comes again and changes nothing.
    pub(super) async fn leave(mut self, done: Vec<usize>) {
        let numbers: Vec<u32> = done.iter().filter_map(|place| self.numbers.get(*place).copied()).collect();
        let leaving = async {
            let mut out = Vec::new();
            for number in numbers {
                self.client.delete(number, &mut out);
                self.link.until(&mut out, |input, out| self.client.next(input, out)).await?;
            }
            self.client.quit(&mut out);
            self.link.until(&mut out, |input, out| self.client.next(input, out)).await.map(drop)
        };
        match tokio::time::timeout(PATIENCE, leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a virtual device's mailbox was not emptied"),
            Err(_) => tracing::debug!("a virtual device's mailbox was not emptied in time"),
        }
    }
}

/// Why nothing was sent or fetched.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the address of the mail server or of the mail cannot be used")]
    Place,
    #[error("the connection failed: {0}")]
    Line(#[from] io::Error),
    #[error("the server was silent for too long")]
    Time,
    #[error("the server ended the session")]
    Closed,
    #[error("the server wants a password first")]
    Password,
    #[error("the server refused the mail with {0}")]
    Refused(u16),
    #[error("{0}")]
    Smtp(Failure),
    #[error("{0}")]
    Pop3(pop3::client::Failure),
}

/// Where a server is, and how its bytes travel at first.
struct Place {
    host: String,
    port: u16,
    channel: Channel,
}

impl Place {
    fn read(url: &str, protocol: &str) -> Result<Self, Lost> {
        let (scheme, rest) = url.split_once("://").ok_or(Lost::Place)?;
        let channel = match scheme.strip_prefix(protocol) {
            Some("") => Channel::Clear,
            Some("s") => Channel::Tls,
            _ => return Err(Lost::Place),
        };
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or(Lost::Place)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: port.parse().map_err(|_| Lost::Place)?, channel })
    }

    fn name(&self) -> Result<ServerName<'static>, Lost> {
        ServerName::try_from(self.host.clone()).map_err(|_| Lost::Place)
    }
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection, and what came and was not read.
struct Link {
    stream: Stream,
    input: Vec<u8>,
}

impl Link {
    async fn open(connector: &TlsConnector, place: &Place) -> Result<Self, Lost> {
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
        let link = Self { stream: Stream::Clear(stream), input: Vec::new() };
        if place.channel == Channel::Tls { link.secure(connector, place).await } else { Ok(link) }
    }

    async fn secure(self, connector: &TlsConnector, place: &Place) -> Result<Self, Lost> {
        let Stream::Clear(stream) = self.stream else { return Err(Lost::Closed) };
        let stream = connector.connect(place.name()?, stream).await?;
        Ok(Self { stream: Stream::Tls(Box::new(stream)), input: Vec::new() })
    }

    /// Says what is in `out` and reads until `next` has something to tell.
    async fn until<E>(
        &mut self,
        out: &mut Vec<u8>,
        mut next: impl FnMut(&mut &[u8], &mut Vec<u8>) -> Option<E>,
    ) -> Result<E, Lost> {
        let mut buffer = vec![0; 16 * 1_024];
        loop {
            self.say(out).await?;
            let mut input = self.input.as_slice();
            let event = next(&mut input, out);
            let used = self.input.len() - input.len();
            self.input.drain(..used);
            self.say(out).await?;
            if let Some(event) = event {
                return Ok(event);
            }
            let read = match &mut self.stream {
                Stream::Clear(stream) => stream.read(&mut buffer).await?,
                Stream::Tls(stream) => stream.read(&mut buffer).await?,
            };
            if read == 0 {
                return Err(Lost::Closed);
            }
            self.input.extend_from_slice(&buffer[..read]);
        }
    }

    async fn say(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if !out.is_empty() {
            match &mut self.stream {
                Stream::Clear(stream) => stream.write_all(out).await?,
                Stream::Tls(stream) => {
                    stream.write_all(out).await?;
                    stream.flush().await?;
                }
            }
            out.clear();
        }
        Ok(())
    }
}
