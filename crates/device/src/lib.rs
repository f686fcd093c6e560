//! Talks to one device: transports, drivers, vendor profiles as data.
