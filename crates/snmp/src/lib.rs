//! SNMP manager and agent: BER, PDUs, engine, responder. Has never heard of a printer.
