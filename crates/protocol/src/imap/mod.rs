//! IMAP4rev1, the server's side (RFC 3501; IDLE 2177, LITERAL+ 7888, UIDPLUS 4315, NAMESPACE 2342, UNSELECT 3691,
//! ID 2971): commands, responses and the session.

mod server;

pub use server::{
    Answer, Changes, Config, Copied, FetchRow, FetchWants, Mailbox, News, Outcome, Question, Section,
    SectionText, Selected, ServerSession, Status, StoreMode, Wanted,
};
