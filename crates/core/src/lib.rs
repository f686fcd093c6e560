//! The product: one folder per capability, rules and SQL. Knows no transport.
