//! `cargo xtask fuzz`: the differential test of the SNMP decoder at length. `cargo xtask test` runs 200,000 packets.
//! `cargo xtask fuzz mutants`: every test of mutated HTTP, SMTP, POP3, CBOR and COSE with 100,000 each; `test` runs 11,135.

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run as run_command};

/// Packets of a run without orders.
const PACKETS: u64 = 10_000_000;
const TEST: &str = "fuzz::mutated_packets_are_read_as_two_other_decoders_read_them";

/// Mutants of each kind in a run without orders.
const MUTANTS: u64 = 100_000;
/// Crates that have tests of mutants.
const MUTATED: [&str; 3] = ["platen-mail", "platen-wire", "platen-gateway"];

/// Runs as many packets as told, a seed of its own each time unless told.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(("mutants", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return mutants(&orders(rest, MUTANTS)?);
    }
    let orders = orders(arguments, PACKETS)?;
    println!("{} packets of seed {:#x}", orders.packets, orders.seed);
    let mut command = cargo();
    command.args(["test", "--locked", "--release", "--package", "platen-snmp", "--test", "it", "--"]);
    command.args([TEST, "--exact", "--nocapture"]);
    command.env("PLATEN_FUZZ_PACKETS", orders.packets.to_string());
    command.env("PLATEN_FUZZ_SEED", orders.seed.to_string());
    run_command(&mut command)
}

fn mutants(orders: &Orders) -> Result<()> {
    println!("{} mutants of each kind, seed {:#x}", orders.packets, orders.seed);
    let mut command = cargo();
    command.args(["test", "--locked", "--test", "it"]);
    for package in MUTATED {
        command.args(["--package", package]);
    }
    command.args(["--", "mutants_", "--nocapture"]);
    command.env("PLATEN_MUTANTS", orders.packets.to_string());
    command.env("PLATEN_SEED", orders.seed.to_string());
    run_command(&mut command)
}

#[derive(Debug, PartialEq, Eq)]
struct Orders {
    packets: u64,
    seed: u64,
}

fn orders(arguments: &[String], usual: u64) -> Result<Orders> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut orders = Orders { packets: usual, seed: now.as_secs() };
    for pair in arguments.chunks(2) {
        let [flag, value] = pair else { bail!("`{}` needs a number", pair.concat()) };
        let digits = value.replace('_', "");
        let number = match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        let number = number.with_context(|| format!("`{value}` is no number"))?;
        match flag.as_str() {
            "--packets" => orders.packets = number,
            "--seed" => orders.seed = number,
            other => bail!("no flag is named `{other}`: use --packets N and --seed S"),
        }
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_the_fuzzer_is_repeated_by_its_seed() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let told = orders(&words("--packets 1_000 --seed 0x1f"), PACKETS).unwrap();
        assert_eq!(told, Orders { packets: 1_000, seed: 31 });
        assert_eq!(orders(&[], PACKETS).unwrap().packets, PACKETS);
        for wrong in ["--packets", "--packets many", "--rounds 5"] {
            assert!(orders(&words(wrong), PACKETS).is_err(), "{wrong}");
        }
    }
}
