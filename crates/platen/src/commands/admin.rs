//! `platen admin`: first accounts and tokens without a browser, by who may read the data folder.

use std::io::Read;

use anyhow::{Context, Result, bail};
use platen_core::users::{self, LOCAL_PASSWORD, LocalUser, MIN_PASSWORD, NewToken};
use platen_core::{Platform, Role, Secret};
use serde::Serialize;

use crate::cli::{AdminCommand, RoleArg};
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;
use crate::site;

#[derive(Serialize)]
struct Created<'a> {
    id: String,
    email: &'a str,
    role: &'a str,
}

#[derive(Serialize)]
struct Rolled {
    key: u32,
}

#[derive(Serialize)]
struct Token {
    id: String,
    token: String,
}

/// Does one of them.
pub async fn run(command: AdminCommand, printer: Printer) -> Result<Exit> {
    match command {
        AdminCommand::CreateUser { data, database, email, name, role, password_stdin: _ } => {
            let platform = site::open_default(&data, database.as_deref()).await?;
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or(&email).to_owned());
            let role = self::role(role);
            let new = LocalUser {
                email: email.clone(),
                name,
                role,
                password: password()?,
                organisation: "Platen".to_owned(),
            };
            let id = create_user(&platform, new, printer).await?;
            let created = Created { id, email: &email, role: role.as_str() };
            if printer.is_json() {
                printer.document(&created)?;
            } else {
                printer.text(&format!("{email} may sign in as {}", created.role));
            }
        }
        AdminCommand::RollKeys { data, database, email } => {
            let platform = site::open_default(&data, database.as_deref()).await?;
            let ctx = users::ctx_local(&platform, &email).await?;
            let key = platen_core::monitors::roll(&ctx).await.context("the gateway's key stays")?;
            if printer.is_json() {
                printer.document(&Rolled { key })?;
            } else {
                printer.text(&format!(
                    "key {key} signs and opens from now on; the one before opens mail for 14 days more"
                ));
            }
        }
        AdminCommand::Token { data, database, email, scopes, name } => {
            let platform = site::open_default(&data, database.as_deref()).await?;
            let (id, secret) = create_token(&platform, &email, &name, &scopes).await?;
            if printer.is_json() {
                printer.document(&Token { id, token: secret })?;
            } else {
                printer.text(&secret);
                printer.note("this is the only time that the token is shown");
            }
        }
    }
    Ok(Exit::Success)
}

/// Makes an account; warns when only its place, not its length, protects it.
async fn create_user(platform: &Platform, new: LocalUser, printer: Printer) -> Result<String> {
    if new.password.expose().chars().count() < MIN_PASSWORD {
        printer.note(&format!(
            "a password this short ({LOCAL_PASSWORD} to {MIN_PASSWORD} characters) is guessed sooner; a few unrelated words are best"
        ));
    }
    let email = new.email.clone();
    let user = users::create_local(platform, new).await.with_context(|| format!("cannot make the account {email}"))?;
    Ok(user.id.to_string())
}

/// A token with the rights of an account, bounded by the widest of the scopes.
pub async fn create_token(platform: &Platform, email: &str, name: &str, scopes: &[String]) -> Result<(String, String)> {
    let known = ["read", "write", "admin"];
    if let Some(unknown) = scopes.iter().find(|scope| !known.contains(&scope.as_str())) {
        return Err(UsageError(format!("no scope is named `{unknown}`; there are read, write and admin")).into());
    }
    let widest = known.iter().rev().find(|word| scopes.iter().any(|scope| scope == *word)).unwrap_or(&"read");
    let new = NewToken { name: name.to_owned(), scope: (*widest).to_owned(), expires_days: None };
    let (secret, token) =
        users::token_local(platform, email, &new).await.with_context(|| format!("cannot make a token for {email}"))?;
    Ok((token.id.to_string(), secret.expose().to_owned()))
}

fn role(role: RoleArg) -> Role {
    match role {
        RoleArg::Admin => Role::Admin,
        RoleArg::Manager => Role::Manager,
        RoleArg::User => Role::User,
    }
}

fn password() -> Result<Secret> {
    let mut text = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut text).context("cannot read the password from standard input")?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("no password came on standard input");
    }
    Ok(Secret::new(line))
}
