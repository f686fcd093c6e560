//! Differential fuzzing: mutated packets through our decoder and two others. Every disagreement is a defect or one of
//! the classes of `classes.rs`. `cargo xtask fuzz` runs it at length; a failure prints packet, seed and number.

mod classes;
pub mod dice;
mod facts;
mod mutate;
mod oddities;
mod peers;
mod seeds;
mod surface;
mod tree;

use std::collections::BTreeMap;
use std::time::Instant;

use self::classes::{Verdict, compare};
use self::dice::Dice;
use self::peers::Peer;
use self::tree::Node;

/// Packets of a run without orders, over all parts.
const USUAL: u64 = 200_000;
const SEED: u64 = 0x0050_6c61_7465_6e21;
/// Failures shown in full before only their number is told.
const SHOWN: usize = 12;

/// The number behind a variable of the environment.
fn ordered(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).unwrap_or_default();
    text.strip_prefix("0x")
        .map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok())
        .unwrap_or(usual)
}

/// What a run found.
#[derive(Default)]
struct Tally {
    read: u64,
    /// Packets read alike, by peer.
    alike: BTreeMap<Peer, u64>,
    /// Packets refused alike, by peer.
    refused: BTreeMap<Peer, u64>,
    /// Explained disagreements, by peer and class.
    classes: BTreeMap<(Peer, &'static str), u64>,
    failures: Vec<String>,
}

impl Tally {
    fn join(mut self, other: Self) -> Self {
        self.read += other.read;
        for (sum, part) in [(&mut self.alike, other.alike), (&mut self.refused, other.refused)] {
            part.into_iter().for_each(|(peer, count)| *sum.entry(peer).or_default() += count);
        }
        other.classes.into_iter().for_each(|(class, count)| *self.classes.entry(class).or_default() += count);
        self.failures.extend(other.failures);
        self
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn forest(packets: &[Vec<u8>]) -> Vec<Node> {
    packets.iter().map(|packet| Node::parse_all(packet).expect("a good packet").remove(0)).collect()
}

/// Judges the packets `numbers` of a run.
fn judge(seeds: &[Node], seed: u64, numbers: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    let mut surface = surface::Surface::new();
    for number in numbers {
        let bytes = mutate::packet(seeds, &mut Dice::of(seed, number));
        let mut fail = |what: String| {
            tally.failures.push(format!("{what}\n  packet {number} of seed {seed:#x}: {}", hex(&bytes)));
        };
        if let Err(what) = surface.try_all(&bytes) {
            fail(what);
        }
        let ours = facts::ours(&bytes);
        let mut odd = None;
        for peer in Peer::ALL {
            let theirs = peer.read(&bytes);
            match compare(peer, &ours, &theirs, &bytes, &mut odd) {
                Verdict::Alike if ours.is_ok() => *tally.alike.entry(peer).or_default() += 1,
                Verdict::Alike => *tally.refused.entry(peer).or_default() += 1,
                Verdict::Explained(class) => *tally.classes.entry((peer, class)).or_default() += 1,
                Verdict::Defect(what) => fail(format!("{peer:?}: {what}")),
            }
        }
        tally.read += u64::from(ours.is_ok());
    }
    tally
}

/// All packets of a run, on as many threads as there are processors.
fn run(seeds: &[Node], seed: u64, packets: u64, from: u64) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let share = packets.div_ceil(threads);
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                let numbers = from + (part * share).min(packets)..from + ((part + 1) * share).min(packets);
                scope.spawn(move || judge(seeds, seed, numbers))
            })
            .collect();
        parts.into_iter().map(|part| part.join().expect("no panic on any packet")).fold(Tally::default(), Tally::join)
    })
}

fn report(tally: &Tally, packets: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{packets} packets in {seconds:.1} s, {} readable, {} disagreements without reason",
        tally.read,
        tally.failures.len()
    );
    for peer in Peer::ALL {
        let count = |of: &BTreeMap<Peer, u64>| of.get(&peer).copied().unwrap_or(0);
        println!("{peer:?}: {} read alike, {} refused alike", count(&tally.alike), count(&tally.refused));
        for ((_, class), count) in tally.classes.range((peer, "")..).take_while(|((of, _), _)| *of == peer) {
            println!("  {count:>9} {class}");
        }
    }
    for failure in tally.failures.iter().take(SHOWN) {
        println!("{failure}");
    }
}

/// 200,000 packets in `cargo xtask test`, as many as told by `PLATEN_FUZZ_PACKETS` in `cargo xtask fuzz`.
#[test]
fn mutated_packets_are_read_as_two_other_decoders_read_them() {
    let (packets, seed) = (ordered("PLATEN_FUZZ_PACKETS", USUAL), ordered("PLATEN_FUZZ_SEED", SEED));
    let started = Instant::now();
    let own = forest(&seeds::own());
    let recorded = forest(&seeds::recorded());
    let mut tally = run(&own, seed, packets - packets / 4, 0);
    // The rest are answers of recorded printers, where these are at hand.
    let rest = if recorded.is_empty() { &own } else { &recorded };
    tally = tally.join(run(rest, seed, packets / 4, packets));
    report(&tally, packets, started);
    assert!(tally.failures.is_empty(), "{} disagreements without reason, seed {seed:#x}", tally.failures.len());
    assert!(tally.read > packets / 20, "too few packets stay readable: {}", tally.read);
    for peer in Peer::ALL {
        assert!(tally.alike[&peer] > packets / 50, "{peer:?} reads too few: {}", tally.alike[&peer]);
    }
}

/// Packets as they should be are read alike by all, without any explanation.
#[test]
fn good_packets_of_every_kind_are_read_alike_by_all_decoders() {
    for bytes in seeds::own().into_iter().chain(seeds::recorded()) {
        let ours = facts::ours(&bytes);
        assert!(ours.is_ok(), "{ours:?}: {}", hex(&bytes));
        for peer in Peer::ALL {
            let theirs = peer.read(&bytes);
            let verdict = compare(peer, &ours, &theirs, &bytes, &mut None);
            let known = matches!(verdict, Verdict::Explained(class) if classes::OF_GOOD_PACKETS.contains(&class));
            assert!(verdict == Verdict::Alike || known, "{peer:?}: {verdict:?}: {}", hex(&bytes));
        }
    }
}
