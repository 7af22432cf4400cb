//! Whole reports, and what no text from elsewhere can do to them.
