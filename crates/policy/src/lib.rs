//! Whether to take it: facts, then judgement, and the story that tells of it.
//!
//! ```text
//! gather (async) --Facts--> judge (pure) --Judgement--> Hop of a Story, kept in the commit it explains
//! ```

pub mod account;
pub mod checks;
pub mod facts;
pub mod gather;
pub mod judge;
pub mod limits;
pub mod pressure;
pub mod reason;
pub mod recorded;
pub mod rejudge;
pub mod story;

pub use account::{AccountFacts, LimitFacts, SentFacts};
pub use checks::{CHECKS, Check, Finding};
pub use facts::{
    ConnectionFacts, ContentFacts, Facts, HelloFacts, Magic, PressureFacts, RateFacts, RecipientFacts,
    RelayFacts, SenderFacts, Service, Standing, SubmissionFacts,
};
pub use judge::{Judgement, Verdict, judge};
pub use pressure::Pressure;
pub use reason::{Fact, Reason};
pub use recorded::{Judged, Recorded};
pub use rejudge::{rejudge, server_of};
pub use story::{Delivered, Hop, Line, Ruling, Speaker, Stage, Story, What};
