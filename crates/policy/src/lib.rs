//! Whether to take it: facts, then judgement, and the story that tells of it.
//!
//! ```text
//! gather (async) --Facts--> judge (pure) --Judgement--> Hop of a Story, kept in the commit it explains
//! ```

pub mod checks;
pub mod facts;
pub mod gather;
pub mod judge;
pub mod limits;
pub mod reason;
pub mod story;

pub use checks::{CHECKS, Check, Finding};
pub use facts::{
    ConnectionFacts, ContentFacts, Facts, HelloFacts, Magic, RecipientFacts, RelayFacts, SenderFacts,
    Service, Standing, SubmissionFacts,
};
pub use judge::{Judgement, Verdict, judge};
pub use reason::{Fact, Reason};
pub use story::{Delivered, Hop, Line, Ruling, Speaker, Stage, Story, What};
