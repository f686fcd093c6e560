//! `read ADDRESS --port N --community C --json`, or `read --walk FILE.snmprec [--profile FILE.toml]`: one reading, as
//! JSON. The program `platen` has the same command with more comfort; this one tries a profile on a walk.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use device::profile::{Catalogue, check};
use device::{Access, Origin, assemble, load_recording};
use wire::SnmpVersion;
use wire::plan::SnmpCredential;

struct Arguments {
    address: Option<String>,
    port: u16,
    communities: Vec<String>,
    version: Option<SnmpVersion>,
    context: Option<String>,
    timeout: Duration,
    walk: Option<PathBuf>,
    profile: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => {
            eprintln!("{complaint}");
            return ExitCode::from(2);
        }
    };
    match run(arguments).await {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String, Box<dyn std::error::Error>> {
    if let Some(path) = &arguments.profile {
        let findings = check(path)?;
        if !findings.is_empty() {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            return Err(lines.join("\n").into());
        }
        let mut catalogue = Catalogue::embedded();
        catalogue.add(toml::from_str(&std::fs::read_to_string(path)?)?);
        catalogue.install();
    }
    let reading = match (&arguments.walk, &arguments.address) {
        (Some(walk), _) => assemble(&load_recording(walk)?, Origin::new("127.0.0.1", 161, SnmpVersion::V2c)),
        (None, Some(address)) => {
            let access = Access {
                address: SocketAddr::new(address.parse()?, arguments.port),
                credentials: arguments.communities.iter().map(|name| SnmpCredential::community(name)).collect(),
                version: arguments.version,
                context: arguments.context,
                timeout: arguments.timeout,
            };
            let engine = snmp::Engine::start(snmp::EngineConfig::default())?;
            device::read(&engine, &access).await?.reading
        }
        (None, None) => return Err("give an address, or --walk FILE".into()),
    };
    Ok(serde_json::to_string_pretty(&reading)?)
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        address: None,
        port: 161,
        communities: Vec::new(),
        version: None,
        context: None,
        timeout: Duration::from_secs(5),
        walk: None,
        profile: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "read" | "--json" => {}
            "--port" => arguments.port = value()?.parse().map_err(|_| "--port needs a number".to_owned())?,
            "--community" => arguments.communities.push(value()?),
            "--v1" => arguments.version = Some(SnmpVersion::V1),
            "--v2c" => arguments.version = Some(SnmpVersion::V2c),
            "--context" => arguments.context = Some(value()?),
            "--timeout" => {
                let seconds: f64 = value()?.parse().map_err(|_| "--timeout needs seconds".to_owned())?;
                arguments.timeout = Duration::from_secs_f64(seconds.clamp(0.1, 600.0));
            }
            "--walk" => arguments.walk = Some(value()?.into()),
            "--profile" => arguments.profile = Some(value()?.into()),
            _ if word.starts_with('-') => return Err(format!("{word} is not known here")),
            _ => arguments.address = Some(word),
        }
    }
    if arguments.communities.is_empty() {
        arguments.communities.push("public".to_owned());
    }
    Ok(arguments)
}
