//! The settings text: typed values, where each comes from, all mistakes at once. Pure.
