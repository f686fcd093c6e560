//! In which ways decoders may disagree, and why. What is not listed here is a defect.

use snmp::Malformed;

use super::facts::{Body, Data, Facts, Id, Item, Security, Val};
use super::oddities::{self, Oddity, Place};
use super::peers::Peer;

/// What a comparison comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Alike,
    Explained(&'static str),
    Defect(String),
}

/// Who refuses a packet that the other reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refuses {
    We,
    They,
}

/// A reason why one side refuses what the other reads.
struct Class {
    peer: Peer,
    refuses: Refuses,
    /// Words in the refusal.
    words: &'static str,
    /// The oddity of the packet that it is for; the third opinion must have found it.
    when: fn(Place, Oddity) -> bool,
    why: &'static str,
}

const fn class(
    (peer, refuses): (Peer, Refuses),
    words: &'static str,
    when: fn(Place, Oddity) -> bool,
    why: &'static str,
) -> Class {
    Class { peer, refuses, words, when, why }
}

/// Differences that even good packets show.
pub const OF_GOOD_PACKETS: [&str; 2] = [EMPTY_IS_EMPTY, NEGATIVE_FIELD];

const EMPTY_IS_EMPTY: &str = "snmp-parser gives an empty string no type; it stays a string for us";
const NEGATIVE_FIELD: &str =
    "snmp-parser holds numbers of the head to be unsigned; Integer32 may be negative (RFC 3416 §3)";
const LATER: &str =
    "security parameters are the security model's to read, ours does so after the message (usm/params.rs)";
const UNCHECKED: &str = "snmp-parser looks at no tag here, so it takes anything for what it expects";
const LENGTHS: &str = "SNMP has definite lengths only (RFC 3417 §8), of at most eight octets for us as for net-snmp";

const FOREIGN_KIND: &str =
    "whether a kind of PDU belongs to a version is judged where it is used, not where it is read";
const PDU_LENGTH: &str = "snmp-parser does not use the length of the PDU";
const SEALED: &str = "whether data is sealed stands in its tag; USM holds it against the flags";
const PLAIN_TIME: &str = "some agents send the time of a v1 trap as another kind of number";

const WE_NOT_ASYNC: (Peer, Refuses) = (Peer::AsyncSnmp, Refuses::We);
const ASYNC_NOT_WE: (Peer, Refuses) = (Peer::AsyncSnmp, Refuses::They);
const WE_NOT_PARSER: (Peer, Refuses) = (Peer::SnmpParser, Refuses::We);
const PARSER_NOT_WE: (Peer, Refuses) = (Peer::SnmpParser, Refuses::They);

const CLASSES: &[Class] = &[
    // What async-snmp reads and we refuse.
    class(
        WE_NOT_ASYNC,
        "a value of unknown type",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::WrongTag(_))),
        "a value of a type that SNMP does not have tells nothing; async-snmp hands its bytes on",
    ),
    class(
        WE_NOT_ASYNC,
        "a length beyond the end",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::Beyond)),
        "a string that says to be longer than its binding is cut, not whole; async-snmp shortens it unsaid",
    ),
    class(
        WE_NOT_ASYNC,
        "an invalid object identifier",
        |_, odd| odd == Oddity::PaddedId,
        "an arc begins with needless 0x80 (X.690 §8.19.2): one identifier would have two encodings",
    ),
    class(
        WE_NOT_ASYNC,
        "a negative number of more than 32 bits",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::TooLarge)),
        "a negative number beyond 32 bits fits no type; async-snmp cuts it off to another number",
    ),
    class(
        WE_NOT_ASYNC,
        "a number of no or too many bytes",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::EmptyNumber)),
        "a number without bytes is no number; async-snmp takes an empty Counter64 for 0",
    ),
    // What we read and async-snmp refuses.
    class(
        ASYNC_NOT_WE,
        "unconsumed bytes",
        |_, odd| odd == Oddity::Extra,
        "bytes behind the last field mean nothing: what was asked for stands before them",
    ),
    class(
        ASYNC_NOT_WE,
        "invalid encoded value",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::WrongSize)),
        "contents of an exception mean nothing: the agent has no such object",
    ),
    class(
        ASYNC_NOT_WE,
        "NULL with non-zero length",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::WrongSize)),
        "contents of NULL mean nothing: there is no value",
    ),
    class(
        ASYNC_NOT_WE,
        "IP address must be 4 bytes",
        |_, odd| odd == Oddity::WrongSize,
        "an address of another length stays as bytes (none at all: 0.0.0.0), and the other values are read",
    ),
    class(
        ASYNC_NOT_WE,
        "encoding too long",
        |_, odd| odd == Oddity::LongNumber,
        "sign bytes in front of a number carry nothing, however many",
    ),
    class(
        ASYNC_NOT_WE,
        "integer64 too long",
        |_, odd| odd == Oddity::LongNumber,
        "zeros in front of a number carry nothing, however many",
    ),
    class(
        ASYNC_NOT_WE,
        "outside constrained range",
        |place, odd| {
            let field = matches!(place, Place::Field | Place::MsgId | Place::MaxSize | Place::Uptime);
            field && matches!(odd, Oddity::TooLarge | Oddity::Negative | Oddity::TopBit | Oddity::Contradiction)
        },
        "ids are only compared with those we sent; an unsigned number in disguise keeps its 32 bits",
    ),
    class(
        ASYNC_NOT_WE,
        "unknown PDU type",
        |place, odd| (place, odd) == (Place::Pdu, Oddity::ForeignKind),
        FOREIGN_KIND,
    ),
    class(
        ASYNC_NOT_WE,
        "msgFlags",
        |place, odd| place == Place::Flags && matches!(odd, Oddity::WrongSize | Oddity::Contradiction),
        "flags of several bytes have the flags in the first; privacy without authentication is refused by USM",
    ),
    class(ASYNC_NOT_WE, "decode error", |place, _| place == Place::Usm, LATER),
    class(ASYNC_NOT_WE, "configuration error", |place, _| place == Place::Usm, LATER),
    class(ASYNC_NOT_WE, "expected tag", |place, odd| (place, odd) == (Place::Scoped, Oddity::Contradiction), SEALED),
    class(
        ASYNC_NOT_WE,
        "expected tag",
        |place, odd| place == Place::Uptime && matches!(odd, Oddity::WrongTag(_)),
        PLAIN_TIME,
    ),
    // What snmp-parser reads and we refuse.
    class(WE_NOT_PARSER, "", |_, odd| matches!(odd, Oddity::Indefinite | Oddity::NoLength), LENGTHS),
    class(
        WE_NOT_PARSER,
        "a tag of several bytes",
        |_, odd| odd == Oddity::LongTag,
        "SNMP has no tags of several bytes",
    ),
    class(WE_NOT_PARSER, "no ", |_, odd| matches!(odd, Oddity::WrongTag(_)), UNCHECKED),
    class(
        WE_NOT_PARSER,
        "a value of unknown type",
        |place, odd| matches!((place, odd), (Place::Address | Place::Uptime, Oddity::WrongTag(_))),
        UNCHECKED,
    ),
    class(
        WE_NOT_PARSER,
        "a v1 trap where it may not be",
        |place, odd| (place, odd) == (Place::Pdu, Oddity::ForeignKind),
        "the trap of v1 has no place in v3; snmp-parser reads it there",
    ),
    class(
        WE_NOT_PARSER,
        "a value of unknown type",
        |place, odd| matches!((place, odd), (Place::Value, Oddity::WrongTag(_))),
        "a value of a type that SNMP does not have tells nothing; snmp-parser hands its bytes on",
    ),
    class(
        WE_NOT_PARSER,
        "an invalid object identifier",
        |_, odd| matches!(odd, Oddity::OpenId | Oddity::WideId | Oddity::PaddedId | Oddity::LongId),
        "snmp-parser does not look into identifiers",
    ),
    class(
        WE_NOT_PARSER,
        "a length beyond the end",
        |place, odd| {
            let inside = [Place::Pdu, Place::Enterprise, Place::Address, Place::Field, Place::Uptime, Place::List];
            inside.contains(&place) && odd == Oddity::Beyond
        },
        PDU_LENGTH,
    ),
    class(
        WE_NOT_PARSER,
        "an element is cut off",
        |place, odd| {
            matches!(place, Place::Enterprise | Place::Address | Place::Field | Place::Uptime | Place::List)
                && odd == Oddity::Missing
        },
        PDU_LENGTH,
    ),
    class(
        WE_NOT_PARSER,
        "a security model other than USM",
        |place, odd| (place, odd) == (Place::Model, Oddity::Contradiction),
        "we know no other security model, so nobody would look at the message",
    ),
    class(
        WE_NOT_PARSER,
        "",
        |_, odd| odd == Oddity::EmptyNumber,
        "a number without bytes is no number; snmp-parser takes it for 0",
    ),
    // What we read and snmp-parser refuses.
    class(
        PARSER_NOT_WE,
        "StringInvalidCharset",
        |_, odd| odd == Oddity::NoText,
        "a community is bytes (RFC 1901 §2), it need not be UTF-8",
    ),
    class(
        PARSER_NOT_WE,
        "InvalidPduType",
        |place, odd| (place, odd) == (Place::Pdu, Oddity::ForeignKind),
        FOREIGN_KIND,
    ),
    class(
        PARSER_NOT_WE,
        "BerValueError",
        |place, odd| (place, odd) == (Place::Flags, Oddity::WrongSize),
        "flags of several bytes have the flags in the first",
    ),
    class(PARSER_NOT_WE, "UnexpectedTag", |place, odd| (place, odd) == (Place::Scoped, Oddity::Contradiction), SEALED),
    class(
        PARSER_NOT_WE,
        "UnexpectedTag",
        |place, odd| place == Place::Uptime && matches!(odd, Oddity::WrongTag(_)),
        PLAIN_TIME,
    ),
    class(PARSER_NOT_WE, "MapRes", |place, _| place == Place::Usm, LATER),
    class(
        PARSER_NOT_WE,
        "IntegerNegative",
        |place, odd| place == Place::Value && odd == Oddity::TopBit,
        "an unsigned number without its leading zero is the usual mistake of agents; its bits are taken (as net-snmp does)",
    ),
    class(
        PARSER_NOT_WE,
        "IntegerNegative",
        |place, odd| place != Place::Value && matches!(odd, Oddity::Negative | Oddity::TopBit),
        NEGATIVE_FIELD,
    ),
    class(
        PARSER_NOT_WE,
        "IntegerTooLarge",
        |_, odd| matches!(odd, Oddity::TooLarge | Oddity::PaddedNumber | Oddity::LongNumber),
        "a number beyond its type keeps its truth in a wider type, and padding carries nothing",
    ),
    class(
        PARSER_NOT_WE,
        "NetworkAddress invalid length",
        |place, odd| (place, odd) == (Place::Address, Oddity::WrongSize),
        "a v1 trap without the address of its agent (0.0.0.0 for us) is a trap all the same",
    ),
    class(
        PARSER_NOT_WE,
        "InvalidTag",
        |_, odd| odd == Oddity::WrongSize,
        "an address of another length stays as bytes (none at all: 0.0.0.0), and the other values are read",
    ),
];

/// Compares; `odd` keeps what the third opinion found, which is asked at most once a packet.
pub fn compare(
    peer: Peer,
    ours: &Result<Facts, Malformed>,
    theirs: &Result<Facts, String>,
    bytes: &[u8],
    odd: &mut Option<Vec<(Place, Oddity)>>,
) -> Verdict {
    let refuses = match (ours, theirs) {
        (Err(_), Err(_)) => return Verdict::Alike,
        (Ok(ours), Ok(theirs)) => return same(peer, ours, theirs),
        (Err(_), Ok(_)) => Refuses::We,
        (Ok(_), Err(_)) => Refuses::They,
    };
    let odd = odd.get_or_insert_with(|| oddities::of(bytes));
    let words = match (ours, theirs) {
        (Err(error), _) => error.what,
        (_, Err(error)) => error.as_str(),
        _ => "",
    };
    let fits = |class: &&Class| {
        class.peer == peer
            && class.refuses == refuses
            && words.contains(class.words)
            && odd.iter().any(|(place, oddity)| (class.when)(*place, *oddity))
    };
    match CLASSES.iter().find(fits) {
        Some(class) => Verdict::Explained(class.why),
        None => Verdict::Defect(match (ours, theirs) {
            (Err(error), _) => format!("we refuse ({error}), they read; odd: {odd:?}"),
            (_, Err(error)) => format!("they refuse ({error}), we read; odd: {odd:?}"),
            _ => String::new(),
        }),
    }
}

/// Compares two readings.
fn same(peer: Peer, ours: &Facts, theirs: &Facts) -> Verdict {
    let mut differences = Differences { peer, explained: None, defect: None };
    differences.messages(ours, theirs);
    match (differences.defect, differences.explained) {
        (Some(defect), _) => Verdict::Defect(defect),
        (None, Some(why)) => Verdict::Explained(why),
        (None, None) => Verdict::Alike,
    }
}

struct Differences {
    peer: Peer,
    explained: Option<&'static str>,
    defect: Option<String>,
}

impl Differences {
    fn hold<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: &T, theirs: &T) {
        if ours != theirs {
            self.defect = Some(format!("{what}: we read {ours:?}, they {theirs:?}"));
        }
    }

    fn messages(&mut self, ours: &Facts, theirs: &Facts) {
        match (ours, theirs) {
            (
                Facts::Community { version, community, body },
                Facts::Community { version: their_version, community: their_community, body: their_body },
            ) => {
                self.hold("version", version, their_version);
                self.hold("community", community, their_community);
                self.bodies(body, their_body);
            }
            (
                Facts::V3 { msg_id, max_size, flags, security, data },
                Facts::V3 {
                    msg_id: their_id,
                    max_size: their_size,
                    flags: their_flags,
                    security: their_security,
                    data: their_data,
                },
            ) => {
                self.hold("message id", &(*msg_id as u32), &(*their_id as u32));
                self.hold("maximum size", &(*max_size as u32), &(*their_size as u32));
                self.hold("flags", flags, &(their_flags & 7));
                if let Security::Raw(_) = their_security {
                    self.hold("security", security, their_security);
                }
                self.data(data, their_data);
            }
            _ => self.hold("kind of message", ours, theirs),
        }
    }

    fn data(&mut self, ours: &Data, theirs: &Data) {
        match (ours, theirs) {
            (
                Data::Plain { engine, context, body },
                Data::Plain { engine: their_engine, context: their_context, body: their_body },
            ) => {
                self.hold("context engine", engine, their_engine);
                self.hold("context", context, their_context);
                self.bodies(body, their_body);
            }
            _ => self.hold("data", ours, theirs),
        }
    }

    fn bodies(&mut self, ours: &Body, theirs: &Body) {
        let (items, their_items) = match (ours, theirs) {
            (
                Body::Pdu { kind, numbers, items },
                Body::Pdu { kind: their_kind, numbers: their_numbers, items: their_items },
            ) => {
                self.hold("kind of PDU", kind, their_kind);
                for (ours, theirs) in numbers.iter().zip(their_numbers) {
                    self.field(*ours, *theirs);
                }
                (items, their_items)
            }
            (
                Body::Trap { enterprise, address, numbers, items },
                Body::Trap {
                    enterprise: their_enterprise,
                    address: their_address,
                    numbers: their_numbers,
                    items: their_items,
                },
            ) => {
                self.ids(enterprise, their_enterprise);
                self.hold("agent address", address, their_address);
                self.generic(numbers[0], their_numbers[0]);
                for (ours, theirs) in numbers.iter().zip(their_numbers).skip(1) {
                    self.field(*ours, *theirs);
                }
                (items, their_items)
            }
            _ => return self.hold("shape of PDU", ours, theirs),
        };
        self.hold("number of bindings", &items.len(), &their_items.len());
        for (ours, theirs) in items.iter().zip(their_items) {
            self.item(ours, theirs);
        }
    }

    fn field(&mut self, ours: i64, theirs: i64) {
        if self.peer == Peer::AsyncSnmp && ours < 0 && theirs == 0 {
            return self
                .explain(true, "a negative number in GETBULK means 0 (RFC 3416 §4.2.3), for us where it is used");
        }
        if self.peer == Peer::SnmpParser && ours as u32 == theirs as u32 {
            return self.explain(ours != theirs, NEGATIVE_FIELD);
        }
        self.hold("number", &ours, &theirs);
    }

    fn generic(&mut self, ours: i64, theirs: i64) {
        if self.peer == Peer::SnmpParser && ours != theirs && ours as u8 == theirs as u8 {
            return self.explain(true, "snmp-parser keeps eight bits of the generic number of a trap");
        }
        self.field(ours, theirs);
    }

    fn item(&mut self, ours: &Item, theirs: &Item) {
        self.ids(&ours.id, &theirs.id);
        match (&ours.value, &theirs.value) {
            (Val::Id(ours), Val::Id(theirs)) => self.ids(ours, theirs),
            (ours, theirs) => match value_class(ours, theirs) {
                Some(why) => self.explain(true, why),
                None => self.hold("value", ours, theirs),
            },
        }
    }

    fn ids(&mut self, ours: &Id, theirs: &Id) {
        let empty = match theirs {
            Id::Arcs(arcs) => arcs.is_empty(),
            Id::Bytes(bytes) => bytes.is_empty(),
        };
        if empty && *ours == Id::Arcs(vec![0, 0]) {
            return self.explain(true, EMPTY_ID);
        }
        self.hold("identifier", ours, theirs);
    }

    fn explain(&mut self, differs: bool, why: &'static str) {
        if differs {
            self.explained = Some(why);
        }
    }
}

const EMPTY_ID: &str = "an empty identifier is 0.0 for us (as for net-snmp), for them nothing";
const WIDER: &str = "a number beyond its type keeps its truth in a wider type; they cut it off to 32 bits";
const OBSOLETE: &str = "types of SMIv1 long gone become the nearest living one (Opaque, Gauge32)";

/// Why two readings of one value differ, if they may.
fn value_class(ours: &Val, theirs: &Val) -> Option<&'static str> {
    match (ours, theirs) {
        (Val::Bytes(0x04 | 0x44, bytes), Val::Empty) if bytes.is_empty() => Some(EMPTY_IS_EMPTY),
        (Val::Id(Id::Arcs(arcs)), Val::Empty) if arcs == &[0, 0] => Some(EMPTY_ID),
        (Val::Bytes(0x44, a), Val::Bytes(0x45 | 0x03, b)) if a == b => Some(OBSOLETE),
        (Val::Bytes(0x44, a), Val::Bytes(0x03, b)) if a.get(1..) == Some(b) => Some(OBSOLETE),
        (Val::Bytes(0x44, _), Val::Null) => {
            Some("snmp-parser takes NsapAddress (application 5) for NULL (universal 5)")
        }
        (Val::Number(0x42, a), Val::Number(0x47, b)) if a == b => Some(OBSOLETE),
        (Val::Number(0x42 | 0x46, a), Val::Number(0x02, b)) if *a > i32::MAX.into() && *a as i32 == *b as i32 => {
            Some(WIDER)
        }
        (Val::Number(0x46, a), Val::Number(0x41..=0x43 | 0x47, b))
            if *a > u32::MAX.into() && *a as u32 == *b as u32 =>
        {
            Some(WIDER)
        }
        _ => None,
    }
}
