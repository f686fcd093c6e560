//! Notifications: traps of v1 and v2c, informs.
