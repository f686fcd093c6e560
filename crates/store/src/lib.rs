//! Databases, migrations, blobs, queue and event log. Knows no capability.
