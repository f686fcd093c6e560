//! Faults on demand: what devices and networks do wrong in the field, one device at a time and repeatable by seed.
//! They stand in the order of `docs/guides/virtual-fleet.md`, which tells the behaviour that each is for.

use std::net::Ipv4Addr;
use std::time::Duration;

use snmp::{Oid, Value};

use crate::profile::ErrorShape;

/// Something that a device does wrong from now on, or that happens to it once.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// No answer at all.
    Silent,
    /// Answers to this community only.
    OnlyCommunity(String),
    /// Answers v1 only; v2c and v3 are met with silence.
    V1Only,
    /// Answers v3 only, as a hardened device does.
    V3Only,
    /// No answer while it sleeps.
    DeafAsleep,
    /// No answer until somebody has asked its page by HTTP; it then listens for ten simulated minutes.
    WakesByHttp,
    /// Hears so many requests in a second of real time; the rest is lost.
    RateLimit(u32),
    /// After so many messages of v3 with a wrong digest it answers no v3 any more.
    LocksOut(u32),

    /// This share (0.0 to 1.0) of requests or answers is lost.
    Loss(f64),
    /// Answers come this late.
    Delay(Duration),
    /// This share of answers comes after later ones.
    Reorder(f64),
    /// This share of answers comes twice.
    Duplicate(f64),

    /// Answers are bytes without sense.
    Garbage,
    /// Answers end in the middle.
    TruncatedReply,
    /// Answers end after so many bytes.
    CutAbove(usize),
    /// Answers may be longer than a frame, and those that are get lost on the way.
    FragmentsLost,
    /// The outer length says more than there is.
    LyingLength,

    /// GETNEXT in the supplies table never leaves it: after its last row comes its first.
    LoopingOids,
    /// GETNEXT in the Printer-MIB returns the object asked for.
    NonIncreasing,
    /// The supplies table never ends: each row is followed by another.
    EndlessTable,
    /// A quarter of the cells of trays and supplies is missing.
    Holes,
    /// The end of the MIB is a genErr (v1, v2c).
    GenErrAtEnd,

    /// GETNEXT and GETBULK are met with silence, GET is answered: whole tables stay unread.
    WalksSilent,
    /// GETBULK with max-repetitions 0 is met with silence.
    MaxRepetitionsZeroHang,
    /// GETBULK for more than this many repetitions is met with silence.
    BulkSilentAbove(i32),
    /// GETBULK for more than 10 repetitions gives tooBig and no rows (v2c).
    EmptyTooBig,
    /// GETBULK gives wrong numbers; GET and GETNEXT are right.
    BulkWrongValues,

    /// GET leaves every third object out (noSuchInstance).
    PartialReply,
    /// Counters come as INTEGER, numbers as text.
    WrongTypes,
    /// Levels of supplies are this number: -1 unrestricted, -2 unknown, -3 some, -100 nearly empty.
    LevelSentinel(i32),
    /// Capacities of supplies are this number: 0, -1 unrestricted, -2 unknown.
    Capacity(i32),
    /// Supplies are measured in this unit (PrtMarkerSuppliesSupplyUnitTC), whatever their numbers are.
    SupplyUnit(i32),
    /// Receptacles tell how full they are, not what room is left.
    ReceptaclesReversed,
    /// hrPrinterDetectedErrorState has this shape.
    ErrorState(ErrorShape),
    /// Counters of the maker's own that are equal to prtMarkerLifeCount are so many pages behind it.
    PrivateTotalBehind(u32),
    /// It tells this serial number: one that others have too, an empty one, one with words around it.
    Serial(String),
    /// It tells this hardware address: that of a docking station or a print server.
    Mac([u8; 6]),
    /// This object has this value. GETNEXT finds it only where there was one before.
    Says(Oid, Value),
    /// It tells its counters, levels and alerts as they are now, however they go on.
    Stale,

    /// It takes an SNMPv3 engine id that all devices with this fault share.
    ClonedEngineId,
    /// Its engine boots are 0 from now on, also after each further start.
    BootsForgotten,
    /// Once: its engine time jumps by so many seconds, back too.
    ClockJump(i64),

    /// This share of its traps is never sent.
    TrapsLost(f64),
    /// Once: its cover is reported open and closed so many times, each change an alert (and a trap).
    TrapStorm {
        /// Changes in all; after an odd number the cover is reported open.
        flips: u32,
        /// Changes in a second of real time.
        per_second: u32,
    },

    /// Once: counters begin anew at 0.
    CounterReset,
    /// Once: the total stands so many pages before the end of a counter of 31 or 32 bits, and wraps there.
    CounterNearWrap {
        /// 31 or 32.
        bits: u8,
        /// Pages before the end.
        left: u32,
    },
    /// Once: another main board with another serial number and hardware address; counters begin anew.
    BoardSwap,
    /// Once: another unit of the same kind stands at the address.
    DeviceSwap,
    /// Once: it answers at this address of the fleet's network instead; who was there is gone from the network.
    AddressMove(Ipv4Addr),
    /// Once: it changes addresses with the device there.
    AddressSwap(Ipv4Addr),
    /// Once: it answers at this address too (a second network card).
    AlsoAt(Ipv4Addr),
    /// Once: the power goes off and on: uptime and alert indices begin anew.
    Reboot,
}

/// What the network does to all devices of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Line {
    /// Share of datagrams lost on each way.
    pub loss: f64,
    /// Added to each answer.
    pub delay: Duration,
    /// Share of answers that come after later ones.
    pub reorder: f64,
    /// Share of answers that come twice.
    pub duplicate: f64,
}
