//! The body, canonical and hashed, as it comes (RFC 6376 §3.4.3, §3.4.4, §3.7 step 1).

use aws_lc_rs::digest::{Context, Digest, SHA256};

use super::Canonicalization;

/// Canonical octets are handed to the digest in pieces of about this size: words are short, and each call costs.
const PIECE_OCTETS: usize = 4 << 10;

/// Hashes a body piece by piece. Line ends and blanks are held back until what follows tells whether they count.
#[derive(Clone)]
pub(crate) struct BodyHash {
    form: Canonicalization,
    /// l=: how many canonical octets are hashed.
    length_max: Option<u64>,
    digest: Context,
    piece: Vec<u8>,
    /// Canonical octets so far, hashed or not.
    octets: u64,
    /// CRLFs that count only if something follows.
    held_lines: u64,
    /// A CR that may be the first half of a CRLF.
    held_cr: bool,
    /// Relaxed: blanks that count, as one space, only if something follows on the line.
    held_blank: bool,
}

impl BodyHash {
    pub(crate) fn new(form: Canonicalization, length_max: Option<u64>) -> Self {
        Self {
            form,
            length_max,
            digest: Context::new(&SHA256),
            piece: Vec::with_capacity(PIECE_OCTETS),
            octets: 0,
            held_lines: 0,
            held_cr: false,
            held_blank: false,
        }
    }

    /// Whether this is the hash that a signature with these terms needs.
    pub(crate) fn fits(&self, form: Canonicalization, length_max: Option<u64>) -> bool {
        (self.form, self.length_max) == (form, length_max)
    }

    /// Takes the next piece of the body.
    pub(crate) fn update(&mut self, mut body: &[u8]) {
        while let Some(&octet) = body.first() {
            let taken = match octet {
                b'\n' if self.held_cr => self.end_line(),
                b'\r' => self.hold_cr(),
                b' ' | b'\t' if self.form == Canonicalization::Relaxed => self.hold_blank(),
                _ => self.text(body),
            };
            body = &body[taken..];
        }
    }

    /// The hash and the number of canonical octets, of which l= may have left some out.
    pub(crate) fn finish(mut self) -> (Digest, u64) {
        self.release_cr();
        // An empty body is CRLF when simple (§3.4.3) and nothing when relaxed (§3.4.4); any other ends with one CRLF.
        if self.form == Canonicalization::Simple || self.octets > 0 {
            self.push(b"\r\n");
        }
        self.hash_piece();
        (self.digest.finish(), self.octets)
    }

    fn end_line(&mut self) -> usize {
        self.held_cr = false;
        self.held_blank = false;
        self.held_lines += 1;
        1
    }

    fn hold_cr(&mut self) -> usize {
        self.release_cr();
        self.held_cr = true;
        1
    }

    fn hold_blank(&mut self) -> usize {
        self.release_cr();
        self.held_blank = true;
        1
    }

    /// Takes what stands before the next octet that may be held.
    fn text(&mut self, body: &[u8]) -> usize {
        let end = match self.form {
            Canonicalization::Simple => memchr::memchr(b'\r', body),
            Canonicalization::Relaxed => memchr::memchr3(b'\r', b' ', b'\t', body),
        };
        let end = end.unwrap_or(body.len());
        self.release_cr();
        self.release_lines_and_blank();
        self.push(&body[..end]);
        end
    }

    /// A CR without LF is text.
    fn release_cr(&mut self) {
        if std::mem::take(&mut self.held_cr) {
            self.release_lines_and_blank();
            self.push(b"\r");
        }
    }

    fn release_lines_and_blank(&mut self) {
        for _ in 0..std::mem::take(&mut self.held_lines) {
            self.push(b"\r\n");
        }
        if std::mem::take(&mut self.held_blank) {
            self.push(b" ");
        }
    }

    fn push(&mut self, octets: &[u8]) {
        let room = self.length_max.map_or(u64::MAX, |max| max.saturating_sub(self.octets));
        let hashed = usize::try_from(room).map_or(octets, |room| &octets[..octets.len().min(room)]);
        self.octets += octets.len() as u64;
        if self.piece.len() + hashed.len() > PIECE_OCTETS {
            self.hash_piece();
        }
        match hashed.len() {
            PIECE_OCTETS.. => self.digest.update(hashed),
            _ => self.piece.extend_from_slice(hashed),
        }
    }

    fn hash_piece(&mut self) {
        self.digest.update(&self.piece);
        self.piece.clear();
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::digest;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;
    use Canonicalization::{Relaxed, Simple};

    fn hash(form: Canonicalization, length_max: Option<u64>, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let mut hash = BodyHash::new(form, length_max);
        pieces.iter().for_each(|piece| hash.update(piece));
        let (digest, octets) = hash.finish();
        (digest.as_ref().to_vec(), octets)
    }

    fn check(form: Canonicalization, body: &str, canonical: &str) {
        let expected = (digest(&SHA256, canonical.as_bytes()).as_ref().to_vec(), canonical.len() as u64);
        assert_eq!(hash(form, None, &[body.as_bytes()]), expected, "{form:?} {body:?}");
    }

    #[test]
    fn bodies_are_canonical() {
        // RFC 6376 §3.4.5.
        let example = " C \r\nD \t E\r\n\r\n\r\n";
        check(Simple, example, " C \r\nD \t E\r\n");
        check(Relaxed, example, " C\r\nD E\r\n");

        check(Simple, "", "\r\n");
        check(Simple, "\r\n\r\n", "\r\n");
        check(Simple, "a", "a\r\n");
        check(Simple, "a\r\n \r\n", "a\r\n \r\n");
        check(Simple, "\r\n\r\na\r\n\r\nb\r\n", "\r\n\r\na\r\n\r\nb\r\n");
        check(Simple, "a\rb\nc\r\r\n", "a\rb\nc\r\r\n");
        check(Simple, "a\r", "a\r\r\n");

        check(Relaxed, "", "");
        check(Relaxed, "\r\n \t\r\n", "");
        check(Relaxed, " \t", "");
        check(Relaxed, "a \t", "a\r\n");
        check(Relaxed, "a\r\n \r\n\t\r\n", "a\r\n");
        check(Relaxed, "a\r\n \r\nb", "a\r\n\r\nb\r\n");
        check(Relaxed, "\r\n\r\na", "\r\n\r\na\r\n");
        check(Relaxed, "a \r b\n", "a \r b\n\r\n");
    }

    #[test]
    fn empty_bodies_hash_as_the_rfc_says() {
        // RFC 6376 §3.4.3, §3.4.4.
        for (form, expected) in [
            (Simple, "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="),
            (Relaxed, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ] {
            assert_eq!(BASE64_STANDARD.encode(hash(form, None, &[]).0), expected);
        }
    }

    #[test]
    fn a_length_leaves_the_rest_out() {
        let of = |text: &str| digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        assert_eq!(hash(Simple, Some(3), &[b"a\r\nb\r\n"]), (of("a\r\n"), 6));
        assert_eq!(hash(Simple, Some(0), &[b"a\r\nb\r\n"]), (of(""), 6));
        assert_eq!(hash(Relaxed, Some(9), &[b"a  b\r\n"]), (of("a b\r\n"), 5));
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(body in "[ \t\r\nab]{0,40}", a in 0..41usize, b in 0..41usize) {
            let body = body.as_bytes();
            let (a, b) = (a.min(b).min(body.len()), a.max(b).min(body.len()));
            for form in [Simple, Relaxed] {
                let whole = hash(form, None, &[body]);
                prop_assert_eq!(whole, hash(form, None, &[&body[..a], &body[a..b], &body[b..]]));
            }
        }

        #[test]
        fn long_bodies_hash_whole(lines in proptest::collection::vec("[a-z]{0,6000}", 0..12)) {
            let body = lines.join("\r\n") + "x\r\n";
            let expected = digest(&SHA256, body.as_bytes());
            for form in [Simple, Relaxed] {
                let (hash, _) = hash(form, None, &[body.as_bytes()]);
                prop_assert_eq!(hash.as_slice(), expected.as_ref());
            }
        }
    }
}
