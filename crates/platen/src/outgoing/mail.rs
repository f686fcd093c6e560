//! Mail handed in by SMTP submission (RFC 6409) with TLS and a password; each reply is judged by the step that it came at:
//! only a refused recipient says something of the address.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error as SmtpError, response::Severity};
use lettre::{Address, Message};
use platen_core::notifications::{Due, Outcome};

use super::tls;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether and when TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// By STARTTLS, and never without.
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all: only to this machine.
    Clear,
}

/// Where mail is handed in.
#[derive(Clone)]
pub struct Submission {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, String)>,
    from: Mailbox,
    /// Domain of return addresses; without it failure reports go to the sender's address.
    bounces: Option<String>,
    roots: Vec<Certificate>,
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Submission({:?} {}:{})", self.security, self.host, self.port)
    }
}

/// What the configuration says of it.
pub struct Told<'a> {
    pub url: &'a str,
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    pub from: &'a str,
    pub bounces: Option<&'a str>,
    pub ca: Option<&'a std::path::Path>,
}

/// The step of a session that a reply came at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Session,
    Recipient,
    Message,
}

impl Submission {
    /// Checks what the configuration says.
    pub fn new(told: &Told<'_>) -> Result<Self> {
        let form =
            "[mail] submission is written as smtp://mail.example.com:587 (STARTTLS) or smtps://mail.example.com:465";
        let (scheme, rest) = told.url.split_once("://").context(form)?;
        ensure!(!rest.contains('@'), "user and password of [mail] have keys of their own, not in the address");
        let rest = rest.trim_end_matches('/');
        let (security, usual) = match scheme {
            "smtp" => (Security::StartTls, 587),
            "smtps" => (Security::Implicit, 465),
            "smtp+clear" => (Security::Clear, 25),
            _ => bail!(form),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().context(form)?),
            _ => (rest, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        ensure!(!host.is_empty(), form);
        let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        ensure!(security != Security::Clear || here, "mail goes without TLS only to this machine");
        let login = match (told.user, told.password) {
            (Some(user), Some(password)) => Some((user.to_owned(), password.to_owned())),
            (None, None) => None,
            _ => bail!("[mail] has both submission_user and submission_password, or neither"),
        };
        let from = told.from.parse().with_context(|| format!("[mail] from: `{}` is no sender", told.from))?;
        let roots = tls::extra(told.ca)?;
        let roots = roots.into_iter().map(|der| Certificate::from_der(der.to_vec())).collect::<Result<_, _>>()?;
        Ok(Self { host, port, security, login, from, bounces: told.bounces.map(str::to_owned), roots })
    }

    /// Hands a message in.
    pub async fn send(&self, due: &Due, to: &str) -> Outcome {
        let built = to.parse::<Address>().map_err(anyhow::Error::from).and_then(|to| self.message(due, to));
        let (envelope, bytes) = match built {
            Ok(built) => built,
            Err(error) => return Outcome::Refused { status: None, why: format!("it cannot be written: {error:#}") },
        };
        match self.hand_in(&envelope, &bytes).await {
            Ok(status) => Outcome::Sent { status: Some(status) },
            Err((step, error)) => judge(step, &error),
        }
    }

    fn message(&self, due: &Due, to: Address) -> Result<(Envelope, Vec<u8>)> {
        let domain = self.from.email.domain().to_owned();
        let text = format!("{}\n\n-- \nPlaten, for {}\n", due.text.trim_end(), due.organisation);
        let raw =
            |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let name = (!due.recipient_name.contains('@')).then(|| due.recipient_name.clone());
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name, to.clone()))
            .subject(&due.title)
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(due.created_at.0).unwrap_or(0)))
            .message_id(Some(format!("<{}@{domain}>", due.id)))
            .references(format!("<{}.{}@{domain}>", due.subject.0, due.subject.1))
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Auto-Response-Suppress", "All"))
            .raw_header(raw("X-Priority", if due.critical { "1" } else { "3" }));
        let message = match &due.attachment {
            None => builder.header(ContentType::TEXT_PLAIN).body(text)?,
            Some(file) => {
                let kind = ContentType::parse(&file.media_type).context("the file has no type")?;
                let file = Attachment::new(file.name.clone()).body(file.bytes.clone(), kind);
                builder.multipart(MultiPart::mixed().singlepart(SinglePart::plain(text)).singlepart(file))?
            }
        };
        let from = match &self.bounces {
            Some(domain) => Address::new(&due.bounce_name, domain)?,
            None => self.from.email.clone(),
        };
        Ok((Envelope::new(Some(from), vec![to])?, message.formatted()))
    }

    fn tls(&self) -> Result<TlsParameters, SmtpError> {
        let builder = TlsParameters::builder(self.host.clone());
        self.roots.iter().cloned().fold(builder, |builder, root| builder.add_root_certificate(root)).build_rustls()
    }

    /// Command by command: the step of a refusal decides what it means.
    async fn hand_in(&self, envelope: &Envelope, bytes: &[u8]) -> Result<i64, (Step, SmtpError)> {
        let mut session = self.open().await.map_err(|error| (Step::Session, error))?;
        let done = Self::transfer(&mut session, envelope, bytes).await;
        match &done {
            Ok(_) => drop(session.quit().await),
            Err(_) => session.abort().await,
        }
        done
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let hello = ClientId::default();
        let implicit = if self.security == Security::Implicit { Some(self.tls()?) } else { None };
        let server = (self.host.as_str(), self.port);
        let mut session = AsyncSmtpConnection::connect_tokio1(server, Some(PATIENCE), &hello, implicit, None).await?;
        if self.security == Security::StartTls {
            // Fails where it is not offered: nothing goes on in the clear.
            session.starttls(self.tls()?, &hello).await?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.clone());
            session.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        Ok(session)
    }

    async fn transfer(
        session: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        bytes: &[u8],
    ) -> Result<i64, (Step, SmtpError)> {
        let mut parameters = Vec::new();
        if session.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let at = |step: Step| move |error: SmtpError| (step, error);
        session.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(at(Step::Message))?;
        for to in envelope.to() {
            session.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(at(Step::Recipient))?;
        }
        session.command(Data).await.map_err(at(Step::Message))?;
        let reply = session.message(bytes).await.map_err(at(Step::Message))?;
        Ok(reply.code().to_string().parse().unwrap_or(250))
    }
}

/// What a failure means: an address that does not exist, a message that is not wanted, or a moment that does not fit.
fn judge(step: Step, error: &SmtpError) -> Outcome {
    let code: Option<u16> = error.status().and_then(|code| code.to_string().parse().ok());
    let permanent = error.status().is_some_and(|code| code.severity == Severity::PermanentNegativeCompletion);
    let why = words(error);
    verdict(step, code, permanent, why)
}

fn verdict(step: Step, code: Option<u16>, permanent: bool, why: String) -> Outcome {
    let status = code.map(i64::from);
    // RFC 3463: 5.1.x the address, 5.2.1 a mailbox that was closed; 5.7.x is policy, which says nothing of the address.
    let enhanced =
        why.split(|c: char| c.is_whitespace() || c == ':' || c == '(' || c == ')').find(|w| w.starts_with("5."));
    let address = match enhanced {
        Some(enhanced) => enhanced.starts_with("5.1.") || enhanced == "5.2.1",
        None => matches!(code, Some(550 | 551 | 553)),
    };
    match step {
        Step::Recipient if permanent && address => Outcome::Gone { status, why },
        Step::Recipient | Step::Message if permanent => Outcome::Refused { status, why },
        // A wrong password or a server in trouble is our affair, not the recipient's.
        _ => Outcome::Later { status, why },
    }
}

fn words(error: &SmtpError) -> String {
    let mut text = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(&format!(": {more}"));
        }
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> Result<Submission> {
        let told = Told { url, user: None, password: None, from: "Platen <a@example.com>", bounces: None, ca: None };
        Submission::new(&told)
    }

    #[test]
    fn mail_is_handed_in_with_tls_but_on_this_machine() {
        assert_eq!(told("smtp://mail.example.com").unwrap().port, 587);
        assert_eq!(told("smtps://mail.example.com").unwrap().security, Security::Implicit);
        assert_eq!(told("smtp+clear://[::1]:2525").unwrap().host, "::1");
        for bad in ["smtp+clear://mail.example.com", "http://x", "mail.example.com", "smtp://a:b@x:587", "smtp://:25"] {
            assert!(told(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_refused_recipient_says_something_of_the_address() {
        let gone =
            |step, code, why: &str| matches!(verdict(step, Some(code), true, why.to_owned()), Outcome::Gone { .. });
        assert!(gone(Step::Recipient, 550, "permanent error (550): 5.1.1 no such user"));
        assert!(gone(Step::Recipient, 550, "permanent error (550): no such user"));
        assert!(!gone(Step::Recipient, 550, "permanent error (550): 5.7.1 you are on a list"));
        assert!(!gone(Step::Recipient, 554, "permanent error (554): no"));
        assert!(!gone(Step::Message, 550, "permanent error (550): 5.1.1 no such user"));
        let login = verdict(Step::Session, Some(535), true, "wrong password".to_owned());
        assert!(matches!(login, Outcome::Later { .. }), "{login:?}");
    }
}
