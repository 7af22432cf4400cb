//! Header fields, canonical (RFC 6376 §3.4.1, §3.4.2), and the choice of them by h= (§5.4.2).

use mail::message::{Field, Header};

/// What transit may change without harm to a signature (RFC 6376 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Canonicalization {
    /// Next to nothing: empty lines at the end of the body.
    Simple,
    /// Blanks, folding, and the case of field names.
    Relaxed,
}

impl Canonicalization {
    /// Its name in c=.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }

    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        [Self::Simple, Self::Relaxed].into_iter().find(|form| form.as_str().as_bytes() == name)
    }

    /// Adds a field, given as in the message, to the input of the header's hash. Whether it ends with CRLF or not, its
    /// canonical form does not: §3.7 gives CRLF to each but the last.
    pub(crate) fn push_field(self, field: &[u8], input: &mut Vec<u8>) {
        let field = field.strip_suffix(b"\r\n").unwrap_or(field);
        match self {
            Self::Simple => input.extend_from_slice(field),
            Self::Relaxed => push_relaxed(field, input),
        }
    }
}

fn push_relaxed(field: &[u8], input: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', field).unwrap_or(field.len());
    let (name, value) = field.split_at(colon);
    input.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    input.push(b':');
    let words =
        value.get(1..).unwrap_or_default().split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'));
    for (at, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            input.push(b' ');
        }
        input.extend_from_slice(word);
    }
}

/// Reads a header strictly: every line belongs to a field, every line ends with CRLF, and there is no CR or LF beside. What
/// another reader might take differently is not signed and not believed (RFC 6376 §3.8).
pub(crate) fn read_header(text: &[u8]) -> Option<Header<'_>> {
    let line_ends = memchr::memchr2_iter(b'\r', b'\n', text).collect::<Vec<_>>();
    let bare =
        |pair: &[usize]| !matches!(*pair, [cr, lf] if text[cr] == b'\r' && lf == cr + 1 && text[lf] == b'\n');
    if line_ends.chunks(2).any(bare) {
        return None;
    }
    let header = Header::parse(text);
    // `mail` passes over the `From ` line of an mbox.
    let from_the_start = header.fields().first().is_none_or(|field| field.range.start == 0);
    (header.octets() == text.len() && from_the_start && !header.over_budget()).then_some(header)
}

/// The fields that h= chooses, in its order: of each name the last that was not chosen yet (RFC 6376 §5.4.2). A name without
/// a field left contributes nothing.
pub(crate) fn chosen<'f, 'a>(
    fields: &'f [Field<'a>],
    names: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Vec<&'f Field<'a>> {
    let mut taken = vec![false; fields.len()];
    let mut chosen = Vec::new();
    for name in names {
        let fits = |at: &usize| !taken[*at] && fields[*at].name.eq_ignore_ascii_case(name.as_ref());
        if let Some(at) = (0..fields.len()).rev().find(fits) {
            taken[at] = true;
            chosen.push(&fields[at]);
        }
    }
    chosen
}

/// The input of the header's hash (RFC 6376 §3.7 step 2): the chosen fields, then the signature's own with an empty b=.
pub(crate) fn header_input(
    form: Canonicalization,
    header: &[u8],
    chosen: &[&Field<'_>],
    signature: &[u8],
) -> Vec<u8> {
    let mut input = Vec::new();
    for field in chosen {
        form.push_field(&header[field.range.clone()], &mut input);
        input.extend_from_slice(b"\r\n");
    }
    form.push_field(signature, &mut input);
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_canonical() {
        for (field, relaxed) in [
            // RFC 6376 §3.4.2, §3.4.5.
            ("SUBJect: AbC\r\n", "subject:AbC"),
            ("A: X\r\n", "a:X"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z"),
            ("C:\r\n", "c:"),
            ("C: \r\n \r\n", "c:"),
            ("C:\r\n x:y", "c:x:y"),
        ] {
            let mut input = Vec::new();
            Canonicalization::Relaxed.push_field(field.as_bytes(), &mut input);
            assert_eq!(String::from_utf8(input).unwrap(), relaxed, "{field:?}");

            let mut input = Vec::new();
            Canonicalization::Simple.push_field(field.as_bytes(), &mut input);
            assert_eq!(input, field.strip_suffix("\r\n").unwrap_or(field).as_bytes());
        }
    }

    #[test]
    fn headers_are_read_strictly() {
        for (text, fields) in [
            ("", Some(0)),
            ("A: b\r\nC : d\r\n e\r\n", Some(2)),
            ("A: b\r\nno field\r\n", None),
            (" A: b\r\n", None),
            ("From someone\r\nA: b\r\n", None),
            ("A: b\nC: d\r\n", None),
            ("A: b\rC: d\r\n", None),
            ("A: b\r\r\n", None),
            ("A: b\r\n\n", None),
            ("A: b\r", None),
        ] {
            assert_eq!(read_header(text.as_bytes()).map(|header| header.fields().len()), fields, "{text:?}");
        }
    }

    #[test]
    fn fields_are_chosen_from_the_bottom() {
        let text = b"R: a\r\nR: b\r\nF: x\r\nr: c\r\n";
        let header = read_header(text).unwrap();
        for (names, expected) in [
            (&["R", "R"][..], "cb"),
            (&["r", "f", "R", "R", "R", "F", "none"], "cxba"),
            (&["none"], ""),
            (&["F", "R"], "xc"),
        ] {
            let values = chosen(header.fields(), names);
            let values: Vec<_> = values.iter().flat_map(|field| field.value.trim_ascii()).copied().collect();
            assert_eq!(String::from_utf8(values).unwrap(), expected);
        }
    }
}
