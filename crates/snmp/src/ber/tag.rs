//! Tags of SNMP: universal, application and context ones.

/// INTEGER
pub const INTEGER: u8 = 0x02;
/// BIT STRING (obsolete in SNMP, still met)
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING
pub const OCTET_STRING: u8 = 0x04;
/// NULL
pub const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER
pub const OBJECT_ID: u8 = 0x06;
/// SEQUENCE
pub const SEQUENCE: u8 = 0x30;
/// IpAddress
pub const IP_ADDRESS: u8 = 0x40;
/// Counter32
pub const COUNTER32: u8 = 0x41;
/// Gauge32, Unsigned32
pub const GAUGE32: u8 = 0x42;
/// TimeTicks
pub const TIME_TICKS: u8 = 0x43;
/// Opaque
pub const OPAQUE: u8 = 0x44;
/// NsapAddress (obsolete)
pub const NSAP: u8 = 0x45;
/// Counter64
pub const COUNTER64: u8 = 0x46;
/// UInteger32 (obsolete)
pub const UINTEGER32: u8 = 0x47;
/// noSuchObject
pub const NO_SUCH_OBJECT: u8 = 0x80;
/// noSuchInstance
pub const NO_SUCH_INSTANCE: u8 = 0x81;
/// endOfMibView
pub const END_OF_MIB_VIEW: u8 = 0x82;
