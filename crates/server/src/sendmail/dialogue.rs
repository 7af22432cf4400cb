//! `-bs`: SMTP on standard input and output, for programs that know sendmail so. What is taken goes into the pickup directory,
//! and 250 is said when it is there.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use mail::{ForwardPath, Reply, ReversePath};
use protocol::sasl::{Offer, Seed};
use protocol::smtp::{Answer, Bounds, Commands, Config, Keywords, Question, Sender, ServerSession};
use protocol::{End, Session as _, Step};
use world::{Clock, Dice};

use super::letter::Ourselves;
use super::{Failure, Place};
use crate::limits::SENDMAIL_OCTETS_MAX;
use crate::pickup::end_of_envelope;

/// The transaction under way.
#[derive(Default)]
struct Open {
    head: Vec<u8>,
    content: Vec<u8>,
}

/// Speaks until the other side has said QUIT or is gone.
pub(super) fn speak(place: &Place, we: Ourselves) -> Result<(), Failure> {
    let clock = Clock::Real;
    let mut seed = [0; 32];
    Dice::Real.fill(&mut seed);
    let mut session = ServerSession::new(Arc::new(config(we.domain)), clock.now(), Seed(seed));
    let mut open = Open::default();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut buffer = [0; 16 * 1024];
    let broken = |error: io::Error| Failure::Later(format!("the dialogue broke off: {error}"));
    loop {
        match session.next() {
            Step::Send(octets) => {
                output.write_all(&octets).and_then(|()| output.flush()).map_err(broken)?;
            }
            Step::Ask(question) => {
                let answer = decide(&mut open, place, question);
                session.answer(clock.now(), answer);
            }
            Step::Await { .. } => match input.read(&mut buffer).map_err(broken)? {
                0 => {
                    session.ended(clock.now(), End::HalfClosed);
                    return Ok(());
                }
                count => session.receive(clock.now(), &buffer[..count]),
            },
            Step::Upgrade(_) | Step::Close => return Ok(()),
        }
    }
}

fn decide(open: &mut Open, place: &Place, question: Question) -> Answer {
    let noted = || Answer::Reply(Reply::new(250, (2, 1, 0), "noted"));
    match question {
        Question::Sender(sender) => {
            *open = Open { head: sender_lines(&sender), content: Vec::new() };
            noted()
        }
        Question::Recipient(recipient) => match &recipient.path {
            ForwardPath::Address(address) => {
                open.head.extend_from_slice(format!("X-Receiver: {address}\r\n").as_bytes());
                noted()
            }
            ForwardPath::Postmaster => {
                Answer::Reply(Reply::new(550, (5, 1, 1), "name the postmaster's domain"))
            }
        },
        Question::Begin => {
            Answer::Reply(Reply::plain(354, "send the content, end with a dot alone on a line"))
        }
        Question::Chunk(piece) => {
            open.content.extend_from_slice(&piece);
            Answer::Taken
        }
        Question::Finish { last, .. } => {
            let Open { head, content } = std::mem::take(open);
            let message = [&content[..], &last[..]].concat();
            Answer::Reply(match place.put(&[&head[..], end_of_envelope(&message), &message[..]].concat()) {
                Ok(()) => Reply::new(250, (2, 0, 0), "kept"),
                Err(_) => Reply::new(451, (4, 3, 0), "it cannot be kept now, try again later"),
            })
        }
        Question::Refused(_) | Question::Abandoned => {
            *open = Open::default();
            Answer::Taken
        }
        Question::Verify(_) | Question::Expand(_) => {
            Answer::Reply(Reply::new(252, (2, 1, 5), "send the message and see"))
        }
        Question::Authenticate(_) | Question::Release(_) | Question::Client(_) => {
            Answer::Reply(Reply::new(502, (5, 5, 1), "not offered"))
        }
    }
}

fn sender_lines(sender: &Sender) -> Vec<u8> {
    let path = match &sender.path {
        ReversePath::Null => "<>".to_owned(),
        ReversePath::Address(address) => address.to_string(),
    };
    format!("X-Sender: {path}\r\n").into_bytes()
}

/// Neither TLS nor sign-in: who speaks is who runs the program. Reports are asked for by options.
fn config(host_name: String) -> Config {
    Config {
        host_name,
        banner: String::new(),
        message_size_max: SENDMAIL_OCTETS_MAX,
        recipients_max: 1_000,
        timeout: Duration::from_secs(5 * 60),
        starttls: false,
        tls_required: false,
        auth: Offer::NONE,
        auth_without_tls: false,
        auth_required: false,
        messages_max: usize::MAX,
        commands: Commands::STRANGER,
        keywords: Keywords { dsn: false, binarymime: false, ..Keywords::ALL },
        bounds: Bounds::USUAL,
    }
}
