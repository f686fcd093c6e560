//! The descriptions are compiled in; a change of one must rebuild the crate.

fn main() {
    println!("cargo::rerun-if-changed=../../profiles/virtual");
}
