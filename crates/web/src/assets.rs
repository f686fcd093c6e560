//! Stylesheet, icons and scripts, carried in the binary and served under names that hold their hash.
//! The name changes with the content, so browsers may keep it for ever.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../assets"]
#[include = "platen.css"]
#[include = "favicon.svg"]
#[include = "dist/*.js"]
#[include = "dist/*.css"]
struct Carried;

struct Asset {
    mime: &'static str,
    bytes: std::borrow::Cow<'static, [u8]>,
}

/// By path below `assets/`, and by the hashed name in the address.
struct Shelf {
    urls: HashMap<String, String>,
    files: HashMap<String, Asset>,
}

static SHELF: LazyLock<Shelf> = LazyLock::new(|| {
    let mut shelf = Shelf { urls: HashMap::new(), files: HashMap::new() };
    for path in Carried::iter() {
        let Some(file) = Carried::get(&path) else { continue };
        let hash: String = file.metadata.sha256_hash()[..6].iter().map(|b| format!("{b:02x}")).collect();
        let leaf = path.rsplit('/').next().unwrap_or(&path);
        let (stem, extension) = leaf.rsplit_once('.').unwrap_or((leaf, "bin"));
        let name = format!("{stem}.{hash}.{extension}");
        let url = format!("/assets/{name}");
        shelf.urls.insert(path.to_string(), url);
        shelf.files.insert(name, Asset { mime: mime(extension), bytes: file.data });
    }
    shelf
});

fn mime(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "map" | "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// Address of a carried file, `None` when it was not built (scripts in a clone without npm).
pub(crate) fn url(path: &str) -> Option<&'static str> {
    SHELF.urls.get(path).map(String::as_str)
}

/// Address of the one script bundle, if it was built.
pub(crate) fn script() -> Option<&'static str> {
    url("dist/platen.js")
}

/// Address of the chart script, loaded by the bundle only where a chart is zoomed.
pub(crate) fn chart_script() -> Option<&'static str> {
    url("dist/chart.js")
}

/// Address of the stylesheet of the chart script.
pub(crate) fn chart_style() -> Option<&'static str> {
    url("dist/chart.css")
}

/// The stylesheet; it is always carried.
pub(crate) fn style() -> &'static str {
    url("platen.css").unwrap_or("/assets/platen.css")
}

/// The icon of the tab.
pub(crate) fn favicon() -> &'static str {
    url("favicon.svg").unwrap_or("/assets/favicon.svg")
}

/// `GET /assets/{name}`.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    match SHELF.files.get(&name) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.mime), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
            asset.bytes.clone(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /favicon.ico`: browsers ask for it unasked.
pub(crate) async fn icon() -> Response {
    let name = favicon().trim_start_matches("/assets/").to_owned();
    serve(Path(name)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_hash_and_lead_back_to_the_file() {
        let style = style();
        assert!(style.starts_with("/assets/platen.") && style.ends_with(".css") && style.len() > 26, "{style}");
        let asset = &SHELF.files[style.trim_start_matches("/assets/")];
        assert!(asset.bytes.len() > 10_000);
    }
}
