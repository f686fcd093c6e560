//! Activation by a document: a device that reaches nothing but mail learns from what an installer carries to it what its
//! communication test would have been answered, and then makes that test by mail.

use std::io;

use wire::hello::Road;
use wire::sealed::POINT;
use wire::{Activation, Body};

use crate::monitor::first_wishes;
use crate::post::Post;
use crate::state::State;
use crate::{ConfigError, Crypto, Flash, Moment, Monitor, Wish};

/// Bytes of an Ed25519 public key.
const VERIFY: usize = 32;

/// Why a document is not followed.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Of a later format.
    #[error("the activation document is of version {0}; this firmware reads version 1")]
    Version(u8),
    /// Made for another device.
    #[error("the activation document is for {vendor} {serial}, not for this device")]
    OfAnother {
        /// Vendor in the document.
        vendor: String,
        /// Serial number in the document.
        serial: String,
    },
    /// The device is set to another road, or cannot seal mail at all.
    #[error(
        "the activation document is for another road than the one that this device is set to, or that one is no mail road"
    )]
    Road,
    /// The device has learnt something later.
    #[error("the activation document is older than what this device follows; ask for a new one")]
    Older,
    /// A mail server that this device never calls.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No server, no key or no address in it with which mail can be sent.
    #[error("the activation document lacks {0}; ask for a new one")]
    Lacks(&'static str),
    /// The flash.
    #[error("the flash does not keep the activation: {0}")]
    Flash(#[from] io::Error),
}

impl<F: Flash, C: Crypto> Monitor<F, C> {
    /// Follows an activation document: name, epoch, schedule, keys and addresses from here on are those in it, and the next
    /// thing that this device does is its communication test by mail. All of it is in the flash before this returns. The
    /// same document again changes nothing, a later one renews everything; an earlier one is refused.
    ///
    /// Returns what the firmware is asked to tell; it is sent once the test is.
    ///
    /// # Errors
    /// Why it is not followed. The device stays as it was, but for a flash that fails halfway: then the document is given
    /// again.
    pub fn activate(&mut self, now: Moment, document: &Activation) -> Result<Vec<Wish>, ActivationError> {
        self.fits(document)?;
        match self.post.as_ref().map(|post| post.known_ms.cmp(&document.server_ms)) {
            Some(std::cmp::Ordering::Equal) => return Ok(Vec::new()),
            Some(std::cmp::Ordering::Greater) => return Err(ActivationError::Older),
            Some(std::cmp::Ordering::Less) | None => {}
        }
        let state = State {
            sender: Some(document.sender),
            epoch: self.state.epoch.saturating_add(1).max(document.epoch_floor),
            schedule: document.schedule.clone(),
            keys: document.keys.clone(),
            ..self.state.clone()
        };
        state.save(&mut self.flash)?;
        self.state = state;
        self.due.clear();
        for words in self.config.dictionaries.clone() {
            self.tell(now, Body::Dictionary(words))?;
        }
        // Last, for this is what makes the document followed: after a loss of power before it, it is followed anew.
        let post = Post {
            road: document.road,
            pair: Some(document.mail.clone()),
            clock_ms: document.server_ms.saturating_sub(now.wall_ms),
            known_ms: document.server_ms,
            test: Some(document.claim.clone()),
        };
        post.save(&mut self.flash)?;
        self.post = Some(post);
        self.config.claim = None;
        Ok(first_wishes())
    }

    /// Whether the communication test is over and done with: by HTTPS, or in a mail that a server has taken.
    pub fn tested(&self) -> bool {
        self.state.sender.is_some() && !self.strange_road() && self.test().is_none()
    }

    fn fits(&self, document: &Activation) -> Result<(), ActivationError> {
        let config = &self.config;
        if document.version != 1 {
            return Err(ActivationError::Version(document.version));
        }
        if !document.is_for(&config.vendor, &config.serial) {
            let (vendor, serial) = (document.vendor.clone(), document.serial.clone());
            return Err(ActivationError::OfAnother { vendor, serial });
        }
        if document.road != config.road || !config.road.is_mail() || self.crypto.sealing().is_none() {
            return Err(ActivationError::Road);
        }
        let pair = &document.mail;
        let address = |text: &str| text.parse::<mail::Address>().map(drop);
        if address(&pair.device).is_err() || address(&pair.server).is_err() {
            return Err(ActivationError::Lacks("addresses that mail can have"));
        }
        let whole = |key: &wire::hello::GatewayKey| key.verify.len() == VERIFY && key.seal.len() == POINT;
        if document.keys.is_empty() || !document.keys.iter().all(whole) {
            return Err(ActivationError::Lacks("keys of the gateway"));
        }
        let smtp = config.mail_server.as_ref().or(pair.smtp.as_ref());
        config.check_mail(smtp.ok_or(ActivationError::Lacks("a server to send mail by"))?, "smtp")?;
        if document.road == Road::MailBothWays {
            let pop3 = config.mailbox_server.as_ref().or(pair.pop3.as_ref());
            config.check_mail(pop3.ok_or(ActivationError::Lacks("a server to fetch mail from"))?, "pop3")?;
            pair.secret.as_ref().ok_or(ActivationError::Lacks("the password of the mailbox"))?;
        }
        Ok(())
    }
}
