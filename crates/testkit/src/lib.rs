//! Transcripts, simulated peers, sample mail. For tests only.
