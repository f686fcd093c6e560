//! Profiles are embedded: a new or changed one must reach the program.

fn main() {
    println!("cargo::rerun-if-changed=../../profiles");
}
