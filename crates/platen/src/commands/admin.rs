//! `platen admin`: first accounts and tokens without a browser, by who may read the data folder.

use std::io::Read;

use anyhow::{Context, Result, bail};
use platen_core::orgs::NewOrg;
use platen_core::users::{self, FirstUser, NewUser};
use platen_core::{Platform, Secret};
use serde::Serialize;

use crate::cli::{AdminCommand, RoleArg};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::site;

#[derive(Serialize)]
struct Created<'a> {
    id: String,
    email: &'a str,
    role: &'a str,
}

#[derive(Serialize)]
struct Token {
    id: String,
    token: String,
}

/// Does one of the two.
pub async fn run(command: AdminCommand, printer: Printer) -> Result<Exit> {
    match command {
        AdminCommand::CreateUser { data, database, email, name, role, password_stdin: _ } => {
            let platform = site::open_default(&data, database.as_deref()).await?;
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or(&email).to_owned());
            let id = create_user(&platform, &email, &name, role_name(role), password()?).await?;
            let created = Created { id, email: &email, role: role_name(role) };
            if printer.is_json() {
                printer.document(&created)?;
            } else {
                printer.text(&format!("{email} may sign in as {}", created.role));
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

/// The first account comes with its organisation; later ones join it.
pub async fn create_user(platform: &Platform, email: &str, name: &str, role: &str, password: Secret) -> Result<String> {
    if users::setup_needed(platform).await? {
        if role != "admin" {
            bail!("the first account has to be an admin; say --role admin");
        }
        let organisation = NewOrg { name: "Platen".to_owned(), ..NewOrg::default() };
        let first = FirstUser { organisation, email: email.to_owned(), name: name.to_owned(), password };
        return Ok(users::setup_local(platform, &first).await?.id.to_string());
    }
    let new = NewUser {
        email: email.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        password: Some(password),
        org: None,
        locale: None,
    };
    let ctx = users::local_admin(platform).await?;
    let (user, _) = users::create_user(&ctx, &new).await.with_context(|| format!("cannot make the account {email}"))?;
    Ok(user.id.to_string())
}

/// A token with the rights of an account, bounded by the scopes.
pub async fn create_token(platform: &Platform, email: &str, name: &str, scopes: &[String]) -> Result<(String, String)> {
    let ctx = users::local_ctx(platform, email).await.with_context(|| format!("no account has the address {email}"))?;
    let (token, secret) = users::create_token(&ctx, name, scopes).await?;
    Ok((token.id.to_string(), secret.expose().to_owned()))
}

fn role_name(role: RoleArg) -> &'static str {
    match role {
        RoleArg::Admin => "admin",
        RoleArg::Manager => "manager",
        RoleArg::User => "user",
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
