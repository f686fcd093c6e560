//! Faults on demand: what devices and networks do wrong in the field, one device at a time and repeatable by seed.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Something that a device does wrong from now on, or that happens to it once.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// No answer at all.
    Silent,
    /// Answers to this community only.
    OnlyCommunity(String),
    /// Answers v1 only; v2c is met with silence.
    V1Only,
    /// No answer while it sleeps.
    DeafAsleep,
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
    /// The outer length says more than there is.
    LyingLength,
    /// GETNEXT in the supplies table never leaves it: after its last row comes its first.
    LoopingOids,
    /// GETNEXT in the Printer-MIB returns the object asked for.
    NonIncreasing,
    /// The end of the MIB is a genErr.
    GenErrAtEnd,
    /// GETBULK with max-repetitions 0 is met with silence.
    MaxRepetitionsZeroHang,
    /// GETBULK for more than this many repetitions is met with silence.
    BulkSilentAbove(i32),
    /// GETBULK for more than 10 repetitions gives tooBig and no rows.
    EmptyTooBig,
    /// GETBULK gives wrong numbers; GET and GETNEXT are right.
    BulkWrongValues,
    /// GET leaves every third object out (noSuchInstance).
    PartialReply,
    /// Counters come as INTEGER, numbers as text.
    WrongTypes,
    /// Once: counters begin anew at 0.
    CounterReset,
    /// Once: another main board with another serial number; counters begin anew.
    BoardSwap,
    /// Once: it answers at this address of the fleet's network instead.
    AddressMove(Ipv4Addr),
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
