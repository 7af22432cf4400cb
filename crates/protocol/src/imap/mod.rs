//! IMAP4rev1 and IMAP4rev2, the server's side (RFC 3501, RFC 9051; COMPRESS 4978, CONDSTORE and QRESYNC 7162, ENABLE 5161,
//! ESEARCH 4731, ID 2971, IDLE 2177, LIST-EXTENDED 5258, LIST-STATUS 5819, LITERAL+ 7888, MOVE 6851, MULTIAPPEND 3502,
//! NAMESPACE 2342, BINARY 3516, SASL-IR 4959, SEARCHRES 5182, SPECIAL-USE 6154, STATUS=SIZE 8438, UIDPLUS 4315, UNSELECT
//! 3691, UTF8=ACCEPT 6855): commands, responses and the session.
//!
//! ```text
//! syntax ─► command, select, search, fetch, sequence    a command is read
//! session ─► view                                       what the client knows, and may be told when
//! responses, list, structure, found                     an answer is written
//! ```
//!
//! What differs between the revisions, and where that is shown, stands in `docs/imap4rev2.md`.
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
mod parameters;
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
