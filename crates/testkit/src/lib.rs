//! Transcripts, simulated peers, sample mail. For tests only.
//!
//! A [transcript] is a dialogue in a file. [`play`](play::play) plays it against a [`Stage`]: a protocol
//! session in memory with a small [application](fake) ([`SessionStage`]), or a server that
//! listens on ports ([`BinaryStage`](binary_stage::BinaryStage)). [`files`] finds the transcripts.
//! [`fuzz`] has what must hold for any octets.
//! [`dns`] is a name server to ask, [`peer`] a next hop to deliver to.

pub mod binary_stage;
pub mod cram;
pub mod dns;
pub mod fake;
pub mod files;
pub mod fuzz;
pub mod peer;
pub mod play;
pub mod scram;
pub mod session_stage;
pub mod transcript;

pub use play::{Cut, Failure, Played, Stage, play};
pub use session_stage::SessionStage;
pub use transcript::{Protocol, Transcript};
