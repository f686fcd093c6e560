//! On the customer's network: discovery, polling, outbox, uplink.
