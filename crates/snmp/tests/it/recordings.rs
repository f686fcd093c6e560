//! Recorded walks of real printers.
