//! The benchmarks that this build can run.

use anyhow::Result;

use super::outcome::Outcome;
use super::scene::Scene;
use super::{close, discover, forecast, herd, ingest, poll, post, secure, simulator, traps, walk, web};

/// One benchmark.
pub(super) struct Benchmark {
    /// Its name in contracts.md.
    pub(super) name: &'static str,
    /// What it measures, in a line.
    pub(super) about: &'static str,
    /// Runs it; blocks its thread.
    pub(super) run: fn(&Scene) -> Result<Outcome>,
}

/// All of them, in the order of `platen bench list`.
pub(super) const ALL: &[Benchmark] = &[
    Benchmark {
        name: "snmp-poll",
        about: "GETs of 8 objects a CPU-second of the client; async-snmp, libsnmp, snmpget",
        run: poll::run,
    },
    Benchmark {
        name: "snmp-v3",
        about: "the same by SNMPv3, SHA-256 and AES-256; async-snmp, snmpget",
        run: secure::run,
    },
    Benchmark { name: "snmp-walk", about: "devices walked a second; snmpbulkwalk one by one", run: walk::run },
    Benchmark { name: "snmp-discover", about: "addresses looked at a second; onesixtyone, nmap", run: discover::run },
    Benchmark {
        name: "snmp-traps",
        about: "traps received a CPU-second, and from a trap to its incident; snmptrapd",
        run: traps::run,
    },
    Benchmark { name: "vmfp", about: "answers a CPU-second of a virtual device; snmpsim", run: simulator::run },
    Benchmark {
        name: "ingest-events",
        about: "durable reports of devices a second, 0.5 to 5 KB over TLS; nginx that answers 204",
        run: ingest::events,
    },
    Benchmark {
        name: "ingest-counters",
        about: "durable sets of 4,500 counters a second, bytes a sample; COPY binary into PostgreSQL",
        run: ingest::counters,
    },
    Benchmark {
        name: "herd",
        about: "seconds until a fleet that returns within a minute is stored, memory of the server, no echo",
        run: herd::herd,
    },
    Benchmark {
        name: "forecast",
        about: "days by which a supply's end is foretold wrongly, 14 days before it; straight lines",
        run: forecast::run,
    },
    Benchmark { name: "day", about: "seconds for one day of the seed's schedule, nothing lost", run: herd::day },
    Benchmark {
        name: "smtp",
        about: "sealed messages of 5 KB taken durably a second; postfix, smtp-sink",
        run: post::smtp,
    },
    Benchmark { name: "pop3", about: "mailboxes emptied a second; dovecot", run: post::pop3 },
    Benchmark {
        name: "close",
        about: "seconds to close a month of a million devices, with lines, sums and documents",
        run: close::run,
    },
    Benchmark { name: "web-lists", about: "milliseconds a page of the device list over the API", run: web::run },
];

/// The benchmark of that name.
pub(super) fn find(name: &str) -> Option<&'static Benchmark> {
    ALL.iter().find(|one| one.name == name)
}
