//! A device that is software: SNMP, HTTP, faults on demand; serves profiles and recorded walks.
