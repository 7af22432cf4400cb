//! Messages of a given size, each with words of its own to search for.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const WORDS: [&str; 27] = [
    "report", "meeting", "invoice", "schedule", "quarter", "budget", "harbour", "lantern", "window",
    "project", "review", "deliver", "station", "morning", "garden", "number", "letter", "process", "without",
    "between", "through", "account", "balance", "network", "storage", "message", "village",
];

/// The first header field: when the message was made, for the latency from end to end.
pub const TIME_FIELD: &str = "X-Bench-Time: ";

/// Stands in the text of every hundredth message.
pub const RARE_WORD: &str = "zanzibar";

/// Stands in about one Subject in fourteen.
pub const SUBJECT_WORD: &str = "lantern";

/// Makes messages.
#[derive(Debug)]
pub struct Messages {
    size: usize,
    /// Lines of words, as many octets as a message has. No line begins with a dot.
    lines: Vec<u8>,
}

impl Messages {
    /// Of about this many octets.
    pub fn of(size: usize) -> Self {
        let mut chance = 0x9E37_79B9_7F4A_7C15;
        let mut lines = Vec::with_capacity(size + 80);
        while lines.len() < size {
            let begin = lines.len();
            while lines.len() - begin < 64 {
                lines.extend_from_slice(WORDS[(draw(&mut chance) % WORDS.len() as u64) as usize].as_bytes());
                lines.push(b' ');
            }
            lines.pop();
            lines.extend_from_slice(b"\r\n");
        }
        Self { size, lines }
    }

    /// Appends message `number` to `out`, without a final dot.
    pub fn write(&self, number: u64, from: &str, to: &str, out: &mut Vec<u8>) {
        let (begin, now) = (out.len(), nanoseconds());
        let word = |divisor: u64| WORDS[(number / divisor % WORDS.len() as u64) as usize];
        let (first, second) = (word(1), word(7));
        write!(
            out,
            "{TIME_FIELD}{now}\r\nFrom: Bench Sender <{from}>\r\nTo: <{to}>\r\nSubject: bench {number} {first} \
             {second} {now}\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number}.{now}@bench.example>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nnumber {number}\r\n"
        )
        .expect("a Vec takes everything");
        if number.is_multiple_of(100) {
            write!(out, "this line holds the word {RARE_WORD} once\r\n").expect("a Vec takes everything");
        }
        let left = self.size.saturating_sub(out.len() - begin);
        let whole_lines = memchr::memrchr(b'\n', &self.lines[..left]).map_or(0, |end| end + 1);
        out.extend_from_slice(&self.lines[..whole_lines]);
    }
}

/// Since 1970.
pub fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

/// A xorshift generator: the same text in every run.
pub fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_about_the_size_and_whole_lines() {
        let messages = Messages::of(4096);
        for number in [0, 1, 99, 100] {
            let mut out = Vec::new();
            messages.write(number, "a@x.example", "b@y.example", &mut out);
            assert!((3900..=4096).contains(&out.len()), "{}", out.len());
            assert!(out.ends_with(b"\r\n") && !out.windows(3).any(|three| three == b"\n.\r"));
            let rare = memchr::memmem::find(&out, RARE_WORD.as_bytes()).is_some();
            assert_eq!(rare, number % 100 == 0);
        }
    }
}
