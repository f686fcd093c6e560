//! Doors for devices and agents.
