//! `cargo xtask chaos`: hours of a fleet that does everything wrong, held against what its devices know (M8).

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run as run_command};

/// Size, length, seed and build of the run.
struct Flags {
    devices: u64,
    hours: u64,
    seed: u64,
    release: bool,
}

impl Flags {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut flags = Self { devices: 200, hours: 24, seed: 1, release: false };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut number =
                || words.next().and_then(|text| text.parse().ok()).with_context(|| format!("{word} wants a number"));
            match word.as_str() {
                "--devices" => flags.devices = number()?,
                "--hours" => flags.hours = number()?,
                "--seed" => flags.seed = number()?,
                "--release" => flags.release = true,
                other => bail!("chaos has no flag `{other}`: --devices N --hours N --seed N --release"),
            }
        }
        Ok(flags)
    }
}

/// Runs the test of the same name for as long as it takes; its last lines tell what was done.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let flags = Flags::parse(arguments)?;
    let mut command = cargo();
    command.args(["test", "--locked", "--package", "platen", "--test", "it"]);
    if flags.release {
        command.arg("--release");
    }
    command.args(["--", "chaos", "--nocapture"]);
    for (name, number) in [("DEVICES", flags.devices), ("HOURS", flags.hours), ("SEED", flags.seed)] {
        command.env(format!("PLATEN_CHAOS_{name}"), number.to_string());
    }
    println!("chaos: {} devices, {} simulated hours, seed {}", flags.devices, flags.hours, flags.seed);
    run_command(&mut command)
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn flags_are_numbers_and_known() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let flags = Flags::parse(&words("--devices 10000 --hours 24 --release")).unwrap();
        assert_eq!((flags.devices, flags.hours, flags.seed, flags.release), (10_000, 24, 1, true));
        assert!(Flags::parse(&words("--devices many")).is_err());
        assert!(Flags::parse(&words("--days 3")).is_err());
    }
}
