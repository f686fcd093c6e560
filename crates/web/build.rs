//! Makes sure that the folder for built scripts exists, so that a clone without npm still builds and serves plain pages.

use std::{env, fs, path::PathBuf};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let assets = root.join("../../assets");
    let dist = assets.join("dist");
    if let Err(e) = fs::create_dir_all(&dist) {
        println!("cargo::warning=cannot create {}: {e}", dist.display());
    }
    for watched in ["platen.css", "icons.svg", "favicon.svg", "dist"] {
        println!("cargo::rerun-if-changed={}", assets.join(watched).display());
    }
}
