//! A peer for benchmarks: devices at successive addresses asked through async-snmp, many at a time by one thread with
//! one socket. Prints `{"done":N,"failed":N}`.
//! Usage: `peer_async_snmp poll|walk|poll-v3 BASE COUNT PORT ROUNDS WINDOW [USER AUTH-PASS PRIV-PASS] OID…`

use std::cell::Cell;
use std::error::Error;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_snmp::transport::{UdpHandle, UdpTransport};
use async_snmp::{Auth, AuthProtocol, Client, EngineCache, MasterKeys, Oid, PrivProtocol, Retry, UsmConfig, Value};

type Device = Client<UdpHandle>;

/// What is done, shared by all askers of the one thread.
struct Work {
    devices: Vec<Device>,
    oids: Vec<Oid>,
    walk: bool,
    total: usize,
    next: Cell<usize>,
    done: Cell<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, base, count, port, rounds, window, rest @ ..] = arguments.as_slice() else {
        return Err("the first lines of the source say how to call it".into());
    };
    let (auth, oids): (Auth, _) = match rest {
        [user, auth, privacy, oids @ ..] if what == "poll-v3" => (secure(user, auth, privacy)?, oids),
        oids => (Auth::v2c("public"), oids),
    };
    let (base, count, port): (Ipv4Addr, u32, u16) = (base.parse()?, count.parse()?, port.parse()?);
    let (rounds, window): (usize, usize) = (rounds.parse()?, window.parse()?);
    let oids = oids.iter().map(|text| Oid::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let transport = UdpTransport::bind("0.0.0.0:0").await?;
        let engines = Arc::new(EngineCache::new());
        let mut devices = Vec::new();
        for place in 0..count {
            let address = Ipv4Addr::from(u32::from(base) + place);
            let client = Client::builder((address.to_string(), port), auth.clone())
                .engine_cache(Arc::clone(&engines))
                .request_timeout(Duration::from_secs(1))
                .retry(Retry::fixed(3, Duration::ZERO)?);
            devices.push(client.build_with(&transport).await?);
        }
        let total = devices.len() * rounds;
        let (next, done) = (Cell::new(0), Cell::new(0));
        let work = Rc::new(Work { devices, oids, walk: what == "walk", total, next, done });
        let askers: Vec<_> = (0..window).map(|_| tokio::task::spawn_local(ask(Rc::clone(&work)))).collect();
        for asker in askers {
            asker.await?;
        }
        println!("{{\"done\":{},\"failed\":{}}}", work.done.get(), total - work.done.get());
        Ok(())
    }))
}

/// SHA-256 and AES-256, the pass phrases stretched once for all engines.
fn secure(user: &str, auth: &str, privacy: &str) -> Result<Auth, Box<dyn Error>> {
    let keys = MasterKeys::new(AuthProtocol::Sha256, auth.as_bytes())?;
    let keys = keys.with_privacy(PrivProtocol::Aes256Blumenthal, privacy.as_bytes())?;
    Ok(UsmConfig::new(user.to_owned()).with_master_keys(keys)?.into())
}

async fn ask(work: Rc<Work>) {
    loop {
        let number = work.next.get();
        if number >= work.total {
            return;
        }
        work.next.set(number + 1);
        let device = &work.devices[number % work.devices.len()];
        let whole = if work.walk { walked(device, &work.oids[0]).await } else { polled(device, &work.oids).await };
        work.done.set(work.done.get() + usize::from(whole));
    }
}

async fn polled(device: &Device, oids: &[Oid]) -> bool {
    let missing = |value: &Value| matches!(value, Value::NoSuchObject | Value::NoSuchInstance);
    match device.get_many(oids).await {
        Ok(answer) => answer.varbinds.iter().filter(|item| !missing(&item.value)).count() == oids.len(),
        Err(_) => false,
    }
}

/// Reads to the end; the answers have as many rows as fit a frame.
async fn walked(device: &Device, root: &Oid) -> bool {
    let Ok(mut rows) = device.bulk_walk(root.clone(), 50) else { return false };
    let mut read = 0;
    while let Some(row) = rows.next().await {
        match row {
            Ok(_) => read += 1,
            Err(_) => return false,
        }
    }
    read > 0
}
