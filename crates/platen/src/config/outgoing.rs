//! The part of the configuration that speaks of what leaves the server: where mail is handed in, where webhooks may be.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Mail;
use crate::outgoing::{Egress, Outgoing, Submission, Told};

/// `[egress]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressKeys {
    /// Networks that webhooks and log hosts may be in though they are not public, as `["10.0.0.0/8"]`. Default none.
    pub allow: Option<Vec<String>>,
    /// PEM file of CAs that webhooks, log hosts and the mail server are trusted by, beside those of the system.
    pub ca: Option<PathBuf>,
}

/// Whatever leaves, without the address of the pages, which is known when the doors are open.
pub fn resolve(mail: &Mail, egress: &EgressKeys) -> Result<Outgoing> {
    let networks = egress.allow.iter().flatten();
    let allow = networks.map(|text| text.parse().with_context(|| format!("[egress] allow: `{text}` is not a network")));
    let bounces = mail.bounces.as_deref().or(mail.smtp_listen.and(mail.domain.as_deref()));
    let told = mail.submission.as_deref().map(|url| Told {
        url,
        user: mail.submission_user.as_deref(),
        password: mail.submission_password.as_deref(),
        from: mail.from.as_deref().unwrap_or("Platen <platen@localhost.localdomain>"),
        bounces,
        ca: egress.ca.as_deref(),
    });
    Ok(Outgoing {
        mail: told.map(|told| Submission::new(&told)).transpose()?.map(Arc::new),
        egress: Arc::new(Egress { allow: allow.collect::<Result<_>>()?, ca: egress.ca.clone() }),
        base: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mail_leaves_unless_it_is_configured() {
        let quiet = resolve(&Mail::default(), &EgressKeys::default()).unwrap();
        assert!(quiet.mail.is_none() && quiet.egress.allow.is_empty());
        let mail: Mail =
            toml::from_str("submission = \"smtp://mail.example.com\"\nfrom = \"Print <p@example.com>\"").unwrap();
        assert!(resolve(&mail, &EgressKeys::default()).unwrap().mail.is_some());
        let half: Mail = toml::from_str("submission = \"smtp://mail.example.com\"\nsubmission_user = \"p\"").unwrap();
        assert!(resolve(&half, &EgressKeys::default()).is_err());
        let wrong = EgressKeys { allow: Some(vec!["ten".to_owned()]), ca: None };
        assert!(resolve(&Mail::default(), &wrong).is_err());
    }
}
