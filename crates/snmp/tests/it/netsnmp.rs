//! net-snmp as judge, both ways.
