//! The line reader.
