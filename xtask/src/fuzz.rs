//! `cargo xtask fuzz`: the differential test of the SNMP decoder at length. `cargo xtask test` runs 200,000 packets.

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run as run_command};

/// Packets of a run without orders.
const PACKETS: u64 = 10_000_000;
const TEST: &str = "fuzz::mutated_packets_are_read_as_two_other_decoders_read_them";

/// Runs as many packets as told, a seed of its own each time unless told.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let orders = orders(arguments)?;
    println!("{} packets of seed {:#x}", orders.packets, orders.seed);
    let mut command = cargo();
    command.args(["test", "--locked", "--release", "--package", "platen-snmp", "--test", "it", "--"]);
    command.args([TEST, "--exact", "--nocapture"]);
    command.env("PLATEN_FUZZ_PACKETS", orders.packets.to_string());
    command.env("PLATEN_FUZZ_SEED", orders.seed.to_string());
    run_command(&mut command)
}

#[derive(Debug, PartialEq, Eq)]
struct Orders {
    packets: u64,
    seed: u64,
}

fn orders(arguments: &[String]) -> Result<Orders> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut orders = Orders { packets: PACKETS, seed: now.as_secs() };
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
        let told = orders(&words("--packets 1_000 --seed 0x1f")).unwrap();
        assert_eq!(told, Orders { packets: 1_000, seed: 31 });
        assert_eq!(orders(&[]).unwrap().packets, PACKETS);
        for wrong in ["--packets", "--packets many", "--rounds 5"] {
            assert!(orders(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
