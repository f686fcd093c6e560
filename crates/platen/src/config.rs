//! One `platen.toml`, then `PLATEN_…` variables, then flags. Each key is a typed field; its doc comment is the reference.

mod mail;
mod outgoing;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub use self::mail::Mail;
pub use self::outgoing::EgressKeys;
use crate::cli::ServeArgs;

/// What a server needs to know. Every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of keys, certificates, the embedded database and files. Default `platen-data`.
    pub data: Option<PathBuf>,
    /// The doors for people and programs.
    pub web: Web,
    /// The door for devices and agents.
    pub gateway: Gateway,
    /// Doors for mail of devices, and where mail to people is handed in.
    pub mail: Mail,
    /// Where webhooks and log hosts may be.
    pub egress: EgressKeys,
    /// Where things are kept.
    pub store: Store,
}

/// `[web]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Address and port of pages and API. Default `127.0.0.1:8080`.
    pub listen: Option<SocketAddr>,
    /// Address and port of `/metrics` and `/health` alone; without it they are on the web door, metrics for this machine only.
    pub admin_listen: Option<SocketAddr>,
    /// How people reach the pages, when a proxy stands before them: `https://print.example.com`.
    pub public_url: Option<String>,
}

/// `[gateway]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Address and port of the HTTPS door. Default: the web door's address, its port + 363 (8443 beside 8080).
    pub listen: Option<SocketAddr>,
    /// How agents reach it, when that differs: `https://gateway.example.com`.
    pub public_url: Option<String>,
    /// Networks in which devices with a listener of their own may be called, as `["10.0.0.0/8"]`, beside the address that a device
    /// itself called from. Addresses of this machine, its link or a cloud's metadata are called only when named here. Default none.
    pub call_networks: Option<Vec<String>>,
}

impl Gateway {
    fn calls(&self) -> Result<gateway::CallPolicy> {
        let networks = self.call_networks.iter().flatten();
        let allow =
            networks.map(|text| text.parse().with_context(|| format!("call_networks: `{text}` is not a network")));
        Ok(gateway::CallPolicy { allow: allow.collect::<Result<_>>()? })
    }
}

/// `[store]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:PATH` or `postgres://…`. Default: `platen.db` in the data folder.
    pub database: Option<String>,
    /// `dir:PATH`. Default: `blobs` in the data folder.
    pub blobs: Option<String>,
}

impl Config {
    /// Reads a file; says where in it something is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
    }

    /// The file (named, or `platen.toml` in the data folder), overridden by flags and variables.
    pub fn resolve(args: &ServeArgs) -> Result<Resolved> {
        let named = args.config.as_deref().map(Self::load).transpose()?;
        let guessed = args.data.as_ref().map(|data| data.join("platen.toml")).filter(|path| path.exists());
        let config = match (named, guessed) {
            (Some(config), _) => config,
            (None, Some(path)) => Self::load(&path)?,
            (None, None) => Self::default(),
        };
        let data = args.data.clone().or(config.data).unwrap_or_else(|| PathBuf::from("platen-data"));
        let listen = args.listen.or(config.web.listen).unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8_080).into());
        let gateway = args.gateway_listen.or(config.gateway.listen).unwrap_or_else(|| beside(listen));
        Ok(Resolved {
            database: args.database.clone().or(config.store.database).unwrap_or_else(|| default_database(&data)),
            blobs: args
                .blobs
                .clone()
                .or(config.store.blobs)
                .unwrap_or_else(|| format!("dir:{}", data.join("blobs").display())),
            admin_listen: args.admin_listen.or(config.web.admin_listen),
            public_url: config.web.public_url,
            calls: config.gateway.calls()?,
            gateway_public_url: config.gateway.public_url,
            listen,
            gateway_listen: gateway,
            outgoing: outgoing::resolve(&config.mail, &config.egress)?,
            mail: config.mail.resolve(args)?,
            data,
        })
    }
}

/// Every value decided.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub data: PathBuf,
    pub database: String,
    pub blobs: String,
    pub listen: SocketAddr,
    pub gateway_listen: SocketAddr,
    pub admin_listen: Option<SocketAddr>,
    pub public_url: Option<String>,
    pub gateway_public_url: Option<String>,
    pub mail: Option<gateway::MailConfig>,
    pub outgoing: crate::outgoing::Outgoing,
    pub calls: gateway::CallPolicy,
}

impl Resolved {
    /// A server with its database in `data`, its doors at free ports of this machine, and none for mail.
    pub fn local(data: &Path) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            data: data.to_owned(),
            database: default_database(data),
            blobs: format!("dir:{}", data.join("blobs").display()),
            listen: any,
            gateway_listen: any,
            admin_listen: None,
            public_url: None,
            gateway_public_url: None,
            mail: None,
            calls: gateway::CallPolicy::default(),
            outgoing: crate::outgoing::Outgoing::default(),
        }
    }
}

/// The embedded database of a data folder.
pub fn default_database(data: &Path) -> String {
    format!("sqlite:{}", data.join("platen.db").display())
}

/// 8443 stands beside 8080; any port beside any.
fn beside(web: SocketAddr) -> SocketAddr {
    let port = if web.port() == 0 { 0 } else { web.port().checked_add(363).unwrap_or(0) };
    SocketAddr::new(web.ip(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("platen.toml"),
            "[web]\nlisten = \"127.0.0.1:9000\"\n[store]\ndatabase = \"postgres://db/platen\"\n",
        )
        .unwrap();
        let mut args = ServeArgs { data: Some(folder.path().into()), ..ServeArgs::default() };
        let resolved = Config::resolve(&args).unwrap();
        assert_eq!(resolved.listen, "127.0.0.1:9000".parse().unwrap());
        assert_eq!(resolved.gateway_listen, "127.0.0.1:9363".parse().unwrap());
        assert_eq!(resolved.database, "postgres://db/platen");
        args.listen = Some("127.0.0.1:0".parse().unwrap());
        let resolved = Config::resolve(&args).unwrap();
        assert_eq!((resolved.listen.port(), resolved.gateway_listen.port()), (0, 0));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "[web]\nlistn = \"127.0.0.1:9000\"\n").unwrap();
        let error = format!("{:#}", Config::load(&path).unwrap_err());
        assert!(error.contains("listn"), "{error}");
    }
}
