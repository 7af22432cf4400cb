//! Messages that can be made again from their number, so that what is read back is compared byte for byte.

use super::chance::Chance;

/// A message; its mark stands in its envelope, its header and in every line of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) number: u32,
    /// About how long it is.
    pub(crate) octets: usize,
}

const MARK: &str = "proof-";
const DIGITS: usize = 6;

impl Message {
    /// `proof-000123`.
    pub(crate) fn mark(self) -> String {
        format!("{MARK}{:0DIGITS$}", self.number)
    }

    /// Its reverse-path.
    pub(crate) fn sender(self) -> String {
        format!("{}@client.test", self.mark())
    }

    /// All of it, with CRLF; lines of many lengths, some with dots at their beginning, some with octets above 127.
    pub(crate) fn content(self) -> Vec<u8> {
        let mark = self.mark();
        let mut chance = Chance::new(u64::from(self.number));
        let mut content = format!(
            "From: <{}>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nSubject: {mark}\r\nMessage-ID: \
             <{mark}@client.test>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            self.sender()
        )
        .into_bytes();
        while content.len() < self.octets {
            self.line(&mut content, &mut chance);
        }
        content
    }

    fn line(self, content: &mut Vec<u8>, chance: &mut Chance) {
        let beginning = [".", "..", "", "", "", "\u{fc}"][chance.between(0, 6) as usize];
        content.extend_from_slice(beginning.as_bytes());
        content.extend_from_slice(self.mark().as_bytes());
        content.push(b' ');
        for _ in 0..chance.between(1, 60) {
            content.extend_from_slice(format!("{:015x}", chance.draw() >> 4).as_bytes());
        }
        content.extend_from_slice(b"\r\n");
    }
}

/// The numbers of the messages whose marks stand in these bytes, once for each mark.
pub(crate) fn numbers_in(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            let at = rest.windows(MARK.len()).position(|window| window == MARK.as_bytes())?;
            rest = &rest[at + MARK.len()..];
            let digits = rest.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
            if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
                return Some(number);
            }
        }
    })
}
