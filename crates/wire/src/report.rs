//! One delivery of many messages, and the answer to it (gateway.md §4.2).
//! (sender, epoch, seq) names a message for ever: it takes effect once, however often it arrives.

use minicbor::{Decode, Decoder, Encode, Encoder, data::Type};
use serde::{Deserialize, Serialize};

use crate::{
    Alert, Cover, Identity, Input, Meter, Output, SnmpVersion, Status, Subject, Supply,
    command::Command,
    hello::GatewayKey,
    monitor::{
        BrowserBody, CounterSet, Dictionary, EnvironmentBody, EventBody, LogBody, RomBody, ServiceBody, SmartBody,
    },
    plan::AgentPlan,
    received,
    schedule::Schedule,
    traps::{SendersBody, TrapBody},
};

/// Most messages in one report.
pub const MAX_MESSAGES: usize = 512;

/// What a sender delivers in one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Encode)]
#[cbor(map)]
pub struct Report {
    /// Version of the format: 1.
    #[n(1)]
    pub version: u8,
    /// The sender: an agent's or device's id.
    #[n(2)]
    pub sender: Subject,
    /// Rises when the sender lost its counter (a new spool); numbers of an older epoch are stale.
    #[n(3)]
    pub epoch: u64,
    /// Sender's wall clock, milliseconds since 1970.
    #[n(4)]
    pub clock_ms: i64,
    /// Sender's monotonic clock, milliseconds.
    #[n(5)]
    pub mono_ms: u64,
    /// 1..=512 messages.
    #[n(7)]
    pub messages: Vec<Message>,
    /// Revision of the plan that the agent follows; 0 before the first.
    #[n(8)]
    #[serde(default)]
    pub plan_revision: u64,
}

impl<'b, C> Decode<'b, C> for Report {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(received::report(d, ctx)?.0)
    }
}

/// One thing that a sender says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Rises by one with each message of an epoch.
    pub seq: u64,
    /// When it was so, milliseconds since 1970 by the sender's clock.
    pub taken_ms: i64,
    /// The device it speaks of; `None`: the sender itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What is said.
    #[serde(flatten)]
    pub body: Body,
}

/// The kinds of messages with their bodies. Numbers 1..=16 are the seed's kinds, 64 and up the agent's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Body {
    /// Kind 4: identity and present condition of a device. The first message about a subject is of this kind.
    Status(Box<StatusBody>),
    /// Kind 1: a fault that wants a technician.
    Error(EventBody),
    /// Kind 2: paper that is stuck.
    Jam(EventBody),
    /// Kind 3: a sign of trouble to come.
    Alarm(EventBody),
    /// Kind 5 as agents tell it: billing counters in the words of the meter vocabulary.
    Counters(CountersBody),
    /// Kind 5 as devices tell it: billing counters by the ids of a dictionary.
    Billing(CounterSet),
    /// Kind 6: counters by size and colour.
    Detailed(CounterSet),
    /// Kind 7: use of each part.
    Parts(CounterSet),
    /// Kind 8: use of each mode.
    Modes(CounterSet),
    /// Kind 9: versions of the firmware's parts.
    Rom(RomBody),
    /// Kind 10: a debug log, uploaded before.
    DebugLog(LogBody),
    /// Kind 11: temperature and humidity.
    Environment(EnvironmentBody),
    /// Kind 12: all values of the service menu.
    ServiceAll(ServiceBody),
    /// Kind 13: measured values of the service menu.
    ServiceDisplay(ServiceBody),
    /// Kind 14: whether the service browser is on.
    Browser(BrowserBody),
    /// Kind 16: self-diagnosis of a disk.
    Smart(SmartBody),
    /// Kind 80: what the ids of a model's counters mean; told when the server asks with [`Outcome::NeedFull`].
    Dictionary(Dictionary),
    /// Kind 64: devices that were polled without a change, and those that did not answer.
    Seen(SeenBody),
    /// Kind 65: the agent about itself.
    Agent(AgentBody),
    /// Kind 66: alerts that a device told by itself.
    Trap(TrapBody),
    /// Kind 67: what the agent's trap door heard, and from whom.
    Senders(SendersBody),
    /// Kind 68: how a discovery went; told when it ends.
    Discovery(Box<DiscoveryBody>),
    /// A kind that this version does not know: its number and its CBOR, kept raw.
    #[serde(skip)]
    Unknown(u64, Vec<u8>),
}

impl Body {
    /// Number of the kind on the wire.
    pub fn kind(&self) -> u64 {
        match self {
            Self::Error(_) => 1,
            Self::Jam(_) => 2,
            Self::Alarm(_) => 3,
            Self::Status(_) => 4,
            Self::Counters(_) | Self::Billing(_) => 5,
            Self::Detailed(_) => 6,
            Self::Parts(_) => 7,
            Self::Modes(_) => 8,
            Self::Rom(_) => 9,
            Self::DebugLog(_) => 10,
            Self::Environment(_) => 11,
            Self::ServiceAll(_) => 12,
            Self::ServiceDisplay(_) => 13,
            Self::Browser(_) => 14,
            Self::Smart(_) => 16,
            Self::Dictionary(_) => 80,
            Self::Seen(_) => 64,
            Self::Agent(_) => 65,
            Self::Trap(_) => 66,
            Self::Senders(_) => 67,
            Self::Discovery(_) => 68,
            Self::Unknown(kind, _) => *kind,
        }
    }
}

/// All that a device is now, meters apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct StatusBody {
    /// Address it was read at.
    #[n(0)]
    pub address: String,
    /// UDP port it was read at.
    #[n(1)]
    pub port: u16,
    /// Version it answered in.
    #[n(2)]
    pub snmp: SnmpVersion,
    /// What it is.
    #[n(3)]
    pub identity: Identity,
    /// How it is.
    #[n(4)]
    pub status: Status,
    /// What it uses up and fills.
    #[n(5)]
    pub supplies: Vec<Supply>,
    /// Trays.
    #[n(6)]
    pub inputs: Vec<Input>,
    /// Bins.
    #[n(7)]
    pub outputs: Vec<Output>,
    /// Covers.
    #[n(8)]
    pub covers: Vec<Cover>,
    /// Conditions that stand; what is missing here and stood before is cleared.
    #[n(9)]
    pub alerts: Vec<Alert>,
    /// Device faults that were worked around.
    #[n(10)]
    pub quirks: Vec<String>,
}

/// Quirks of a reading that does not tell all: the device left tables unanswered, or time was over.
const PARTIAL: [&str; 2] = ["tables-not-answered", "reading-cut-short-by-time-out"];

/// Whether a reading with these quirks tells all that stands; of another, what is missing may stand all the same.
pub fn is_whole(quirks: &[String]) -> bool {
    !quirks.iter().any(|quirk| PARTIAL.contains(&quirk.as_str()))
}

/// Quirk of a reading whose table of alerts came to no end: rows may stand that it does not tell.
pub const ALERTS_NOT_TOLD: &str = "alerts-not-told";

/// Quirk of a reading whose table of supplies came to no end.
pub const SUPPLIES_NOT_TOLD: &str = "supplies-not-told";

/// Whether a reading with these quirks tells every row of the table of alerts.
pub fn tells_alerts(quirks: &[String]) -> bool {
    is_whole(quirks) && !quirks.iter().any(|quirk| quirk == ALERTS_NOT_TOLD)
}

/// Whether a reading with these quirks tells every supply.
pub fn tells_supplies(quirks: &[String]) -> bool {
    is_whole(quirks) && !quirks.iter().any(|quirk| quirk == SUPPLIES_NOT_TOLD)
}

/// The counters of a device at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct CountersBody {
    /// Every counter that was read.
    #[n(0)]
    pub meters: Vec<Meter>,
}

/// Signs of life since the last message of this kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct SeenBody {
    /// Answered, and nothing that is reported had changed.
    #[n(0)]
    pub answered: Vec<Subject>,
    /// Asked as often as the plan allows, and silent.
    #[n(1)]
    pub unreachable: Vec<Subject>,
}

/// How the agent itself is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct AgentBody {
    /// Version of the program.
    #[n(0)]
    pub version: String,
    /// Devices it keeps reading.
    #[n(1)]
    pub devices: u64,
    /// Messages that wait in its outbox.
    #[n(2)]
    pub outbox_depth: u64,
    /// Addresses asked since the present discovery began.
    #[n(3)]
    pub discovery_probed: u64,
    /// Addresses that the present discovery will ask; 0 when none runs.
    #[n(4)]
    pub discovery_total: u64,
    /// Devices of this agent that do not answer now.
    #[n(5)]
    pub unreachable: u64,
    /// Printers that the present discovery has met, known ones among them.
    #[n(6)]
    #[cbor(default)]
    #[serde(default)]
    pub discovery_found: u64,
    /// When the next discovery may begin, milliseconds since 1970 by the agent's clock; 0 while one runs or none will.
    #[n(7)]
    #[cbor(default)]
    #[serde(default)]
    pub discovery_next_ms: i64,
    /// Number of the newest key of the gateway that it knows; 0: none, it can take no orders yet.
    #[n(8)]
    #[cbor(default)]
    #[serde(default)]
    pub gateway_key: u32,
}

/// Most entries of a list in a [`DiscoveryBody`].
pub const MAX_SIGHTINGS: usize = 500;

/// One discovery, as it went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct DiscoveryBody {
    /// When it began, milliseconds since 1970.
    #[n(0)]
    pub began_ms: i64,
    /// When it ended.
    #[n(1)]
    pub ended_ms: i64,
    /// Addresses asked.
    #[n(2)]
    pub addresses: u64,
    /// Addresses that spoke SNMP and let us in.
    #[n(3)]
    pub answered: u64,
    /// Printers among them.
    #[n(4)]
    pub printers: u64,
    /// Printers that were not known before.
    #[n(5)]
    pub fresh: u64,
    /// Packets of the sweeps.
    #[n(6)]
    pub packets: u64,
    /// Addresses and names that were found or named, but that the plan forbids to ask.
    #[n(7)]
    pub forbidden: u64,
    /// What announced itself by DNS-SD, but gave no answer by SNMP; at most [`MAX_SIGHTINGS`].
    #[n(8)]
    pub silent: Vec<Sighting>,
    /// Host names of the plan that have no address; at most [`MAX_SIGHTINGS`].
    #[n(9)]
    pub unresolved: Vec<String>,
}

/// A printer as it announced itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Sighting {
    /// Address.
    #[n(0)]
    pub address: String,
    /// Name of the service, as people see it.
    #[n(1)]
    pub name: String,
    /// Model as it told it.
    #[n(2)]
    pub model: Option<String>,
    /// `ipp`, `ipps`, `printer`, `pdl-datastream`.
    #[n(3)]
    pub services: Vec<String>,
}

/// The server's answer to a report, given only after everything it calls stored is safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Reply {
    /// Version of the format: 1.
    #[n(1)]
    pub version: u8,
    /// Server's wall clock, milliseconds since 1970.
    #[n(2)]
    pub server_ms: i64,
    /// One result for each message, in the order of the report.
    #[n(3)]
    pub results: Vec<MessageResult>,
    /// Orders that wait for the sender.
    #[n(4)]
    #[cbor(default)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// A newer schedule than the one that the device follows.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Do not call again before this time of the server's clock.
    #[n(6)]
    pub not_before_ms: Option<i64>,
    /// The plan to follow from now on, when the sender's revision is not the newest.
    #[n(8)]
    pub plan: Option<AgentPlan>,
    /// Keys that sign orders, newest first, for an agent that says it knows none; whoever knows one learns the next by a
    /// signed order alone.
    #[n(9)]
    #[cbor(default)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<GatewayKey>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct MessageResult {
    /// Subject of the message.
    #[n(0)]
    pub subject: Option<Subject>,
    /// Its epoch.
    #[n(1)]
    pub epoch: u64,
    /// Its number.
    #[n(2)]
    pub seq: u64,
    /// What became of it.
    #[n(3)]
    pub outcome: Outcome,
    /// Why, for people; `None` when it was stored.
    #[n(4)]
    pub detail: Option<String>,
}

/// Results of one message (gateway.md §4.2, `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Outcome {
    /// Safe on the server.
    #[n(0)]
    Stored,
    /// Was safe already.
    #[n(1)]
    Duplicate,
    /// Of an epoch that has ended; drop it.
    #[n(2)]
    Stale,
    /// Could not be understood; drop it and tell a person.
    #[n(3)]
    Invalid,
    /// Larger than the budget of its kind.
    #[n(4)]
    TooLarge,
    /// Not allowed; drop it.
    #[n(5)]
    Refused,
    /// Not now; send it again later.
    #[n(6)]
    Later,
    /// A delta whose base is not here; send the full set.
    #[n(7)]
    NeedFull,
    /// Kept apart until a person accepts the sender.
    #[n(8)]
    Quarantined,
}

impl Outcome {
    /// Whether the sender may forget the message.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Later | Self::NeedFull)
    }
}

impl<C> Encode<C> for Message {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(4 + u64::from(self.subject.is_some()))?;
        e.u8(1)?.u64(self.seq)?.u8(2)?.u64(self.body.kind())?.u8(3)?.i64(self.taken_ms)?;
        if let Some(subject) = self.subject {
            e.u8(4)?;
            subject.encode(e, ctx)?;
        }
        e.u8(5)?;
        match &self.body {
            Body::Status(body) => body.encode(e, ctx),
            Body::Error(body) | Body::Jam(body) | Body::Alarm(body) => body.encode(e, ctx),
            Body::Counters(body) => body.encode(e, ctx),
            Body::Billing(set) | Body::Detailed(set) | Body::Parts(set) | Body::Modes(set) => set.encode(e, ctx),
            Body::Rom(body) => body.encode(e, ctx),
            Body::DebugLog(body) => body.encode(e, ctx),
            Body::Environment(body) => body.encode(e, ctx),
            Body::ServiceAll(body) | Body::ServiceDisplay(body) => body.encode(e, ctx),
            Body::Browser(body) => body.encode(e, ctx),
            Body::Smart(body) => body.encode(e, ctx),
            Body::Dictionary(body) => body.encode(e, ctx),
            Body::Seen(body) => body.encode(e, ctx),
            Body::Agent(body) => body.encode(e, ctx),
            Body::Trap(body) => body.encode(e, ctx),
            Body::Senders(body) => body.encode(e, ctx),
            Body::Discovery(body) => body.encode(e, ctx),
            Body::Unknown(_, raw) => e.writer_mut().write_all(raw).map_err(minicbor::encode::Error::write),
        }
    }
}

impl<'b, C> Decode<'b, C> for Message {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let missing = |what: &str| minicbor::decode::Error::message(format!("message without {what}")).at(at);
        let fields = d.map()?.ok_or_else(|| missing("a definite length"))?;
        let (mut seq, mut kind, mut taken_ms, mut subject) = (None, None, None, None);
        // A body that comes before its kind is read when that is known.
        let (mut body, mut early) = (None, None);
        for _ in 0..fields {
            match d.u64()? {
                1 => seq = Some(d.u64()?),
                2 => kind = Some(d.u64()?),
                3 => taken_ms = Some(d.i64()?),
                4 if d.datatype()? == Type::Null => d.null()?,
                4 => subject = Some(Subject::decode(d, ctx)?),
                5 => match kind {
                    Some(kind) => body = Some(body_of(kind, d, ctx)?),
                    None => {
                        early = Some(d.position());
                        d.skip()?;
                    }
                },
                _ => d.skip()?,
            }
        }
        let kind = kind.ok_or_else(|| missing("a kind"))?;
        if let (None, Some(start)) = (&body, early) {
            let end = d.position();
            d.set_position(start);
            body = Some(body_of(kind, d, ctx)?);
            d.set_position(end);
        }
        Ok(Self {
            seq: seq.ok_or_else(|| missing("a number"))?,
            taken_ms: taken_ms.ok_or_else(|| missing("a time"))?,
            subject,
            body: body.ok_or_else(|| missing("a body"))?,
        })
    }
}

/// The body of a kind; a number that this version does not know is kept raw.
fn body_of<C>(kind: u64, d: &mut Decoder<'_>, ctx: &mut C) -> Result<Body, minicbor::decode::Error> {
    Ok(match kind {
        1 => Body::Error(EventBody::decode(d, ctx)?),
        2 => Body::Jam(EventBody::decode(d, ctx)?),
        3 => Body::Alarm(EventBody::decode(d, ctx)?),
        4 => Body::Status(Box::new(StatusBody::decode(d, ctx)?)),
        5 if in_words(d) => Body::Counters(CountersBody::decode(d, ctx)?),
        5 => Body::Billing(CounterSet::decode(d, ctx)?),
        6 => Body::Detailed(CounterSet::decode(d, ctx)?),
        7 => Body::Parts(CounterSet::decode(d, ctx)?),
        8 => Body::Modes(CounterSet::decode(d, ctx)?),
        9 => Body::Rom(RomBody::decode(d, ctx)?),
        10 => Body::DebugLog(LogBody::decode(d, ctx)?),
        11 => Body::Environment(EnvironmentBody::decode(d, ctx)?),
        12 => Body::ServiceAll(ServiceBody::decode(d, ctx)?),
        13 => Body::ServiceDisplay(ServiceBody::decode(d, ctx)?),
        14 => Body::Browser(BrowserBody::decode(d, ctx)?),
        16 => Body::Smart(SmartBody::decode(d, ctx)?),
        64 => Body::Seen(SeenBody::decode(d, ctx)?),
        65 => Body::Agent(AgentBody::decode(d, ctx)?),
        66 => Body::Trap(TrapBody::decode(d, ctx)?),
        67 => Body::Senders(SendersBody::decode(d, ctx)?),
        68 => Body::Discovery(Box::new(DiscoveryBody::decode(d, ctx)?)),
        80 => Body::Dictionary(Dictionary::decode(d, ctx)?),
        other => {
            let start = d.position();
            d.skip()?;
            Body::Unknown(other, d.input()[start..d.position()].to_vec())
        }
    })
}

/// Whether a body of kind 5 is an agent's: its map has the key 0. A device's begins with one of its own, so that none of
/// its thousands of pairs is walked for this.
fn in_words(d: &mut Decoder<'_>) -> bool {
    let mut d = d.probe();
    let Ok(Some(fields)) = d.map() else { return false };
    for _ in 0..fields {
        match d.u64() {
            Ok(0) => return true,
            Ok(1..=3) => return false,
            Ok(_) if d.skip().is_ok() => {}
            _ => return false,
        }
    }
    false
}
