//! UDP sockets at the rim.
