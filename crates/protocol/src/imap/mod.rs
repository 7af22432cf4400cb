//! IMAP4rev1, the server's side (RFC 3501; IDLE 2177, LITERAL+ 7888, UIDPLUS 4315, NAMESPACE 2342, UNSELECT 3691,
//! ID 2971, SASL-IR 4959, CHILDREN 3348, MOVE 6851, STATUS=SIZE 8438): commands, responses and the session.
//!
//! ```text
//! syntax ─► command, search, fetch, sequence    a command is read
//! session ─► view                               what the client knows, and may be told when
//! responses, list, structure                    an answer is written
//! ```
//!
//! `\Recent` belongs to sessions, not to emails: whichever session is told first has it (RFC 3501 §2.3.2). A server can
//! only keep that promise by writing on each SELECT, and IMAP4rev2 has dropped it (RFC 9051, appendix E). Here no email
//! is `\Recent`: `* 0 RECENT` is true to a client, which may be one of several, and EXISTS and UIDNEXT tell what is new.

mod capability;
mod command;
mod fetch;
mod found;
mod intake;
mod limits;
mod list;
mod message;
mod names;
mod overheard;
mod responses;
mod search;
mod select;
mod sequence;
mod server;
mod session;
mod status;
mod structure;
mod syntax;
mod view;

pub use server::{
    Answer, Changes, Config, Copied, FetchRow, FetchWants, Form, Mailbox, News, Outcome, Piece, Question,
    Selected, Status, StoreMode, Wanted,
};
pub use session::ServerSession;
