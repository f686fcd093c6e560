//! Ready files: written whole or not at all, when all doors listen.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// What `serve` and `demo` write (contracts.md); doors that are off are null.
#[derive(Serialize, Debug, Default, Clone)]
pub struct ServeReady {
    /// `http://…`
    pub web: Option<String>,
    /// `https://…`
    pub gateway: Option<String>,
    /// Mail in.
    pub smtp: Option<String>,
    /// Mail out to devices.
    pub pop3: Option<String>,
    /// `ipp://…`
    pub ipp: Option<String>,
    /// Path of the CA certificate.
    pub ca: Option<String>,
    /// One-time set-up URL, while no account exists.
    pub setup: Option<String>,
    /// `http://…` of metrics and health, when they have a listener of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_listener: Option<String>,
    /// Sign-in of a demo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<DemoAdmin>,
}

/// The account that a demo made.
#[derive(Serialize, Debug, Clone)]
pub struct DemoAdmin {
    /// Address to sign in with.
    pub email: String,
    /// Its password.
    pub password: String,
    /// An API token with all rights.
    pub token: String,
}

/// Writes beside the place and renames, so that no reader sees half a file.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let partial = path.with_extension("partial");
    let text = serde_json::to_vec_pretty(value)?;
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path)).with_context(|| {
        format!("cannot write the ready file {}; does its folder exist and may you write there?", path.display())
    })
}
