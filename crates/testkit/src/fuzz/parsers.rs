//! Parsers of text that comes from peers, people and DNS.

use mail::message::{
    EnvelopeFields, Header, Part, Structure, TransferDecoder, decode, envelope as envelope_of,
};
use mail::{
    Address, AddressLiteral, BodyType, Domain, Flag, ForwardPath, Host, LocalPart, MailboxPath, Notify,
    OriginalRecipient, Return, ReversePath, Timestamp, Uid, UidSet, limits,
};
use message_auth::dkim::{KeyAnswer, KeyRecord, Selector, verify};

/// What was read and printed is read again as the same.
macro_rules! reads_itself {
    ($text:expr, $($kind:ty),+) => {
        $(if let Ok(value) = <$kind>::parse($text) {
            let printed = value.to_string();
            assert_eq!(<$kind>::parse(&printed).as_ref(), Ok(&value), "{printed:?}");
            no_controls(&printed);
        })+
    };
}

fn no_controls(printed: &str) {
    assert!(!printed.chars().any(char::is_control), "{printed:?}");
}

/// The text, and nothing where the octets are none.
fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

/// Addresses and their parts (RFC 5321 §4.1.2).
pub fn address(data: &[u8]) {
    let text = text(data);
    reads_itself!(text, LocalPart, Domain, AddressLiteral, Host, Address);
    if let Ok(address) = Address::parse(text) {
        assert!(address.to_string().len() <= limits::ADDRESS_OCTETS_MAX);
        let canonical = address.canonical();
        assert_eq!(canonical.canonical(), canonical);
        assert_eq!(Address::parse(&canonical.to_string()).as_ref(), Ok(&canonical));
        assert!(!address.is_ascii() || address.to_string().is_ascii());
    }
}

/// Reverse-paths and forward-paths, alone and before parameters.
pub fn path(data: &[u8]) {
    let text = text(data);
    reads_itself!(text, ReversePath, ForwardPath);
    if let Ok((_, rest)) = ReversePath::parse_prefix(text) {
        assert!(text.trim_end_matches(' ').ends_with(rest), "{rest:?}");
    }
    if let Ok((_, rest)) = ForwardPath::parse_prefix(text) {
        assert!(text.trim_end_matches(' ').ends_with(rest), "{rest:?}");
    }
}

/// xtext and the two forms of unitext (RFC 3461 §4, RFC 6533 §3).
pub fn xtext(data: &[u8]) {
    let text = text(data);
    if let Some(decoded) = mail::parameters::xtext_decoded(text) {
        no_controls(&decoded);
        assert_eq!(mail::parameters::xtext_decoded(&mail::parameters::xtext(&decoded)), Some(decoded));
    }
    if let Some(id) = mail::parameters::envelope_id(text) {
        no_controls(&id);
    }
    let Some(original) = OriginalRecipient::parse(text) else { return };
    no_controls(&original.address);
    for utf8 in [false, true] {
        let parameter = original.parameter(utf8);
        assert!(utf8 || parameter.is_ascii(), "{parameter}");
        assert!(!parameter.contains([' ', '=']), "{parameter}");
        // What the longer form has no room for is not relayed.
        if parameter.len() <= limits::ORIGINAL_RECIPIENT_OCTETS_MAX {
            assert_eq!(OriginalRecipient::parse(&parameter).as_ref(), Some(&original), "{parameter}");
        }
        no_controls(&original.field(utf8));
    }
}

/// BODY, RET and NOTIFY (RFC 6152, 3461).
pub fn envelope_parameters(data: &[u8]) {
    let text = text(data);
    if let Some(body) = BodyType::parse(text) {
        assert_eq!(BodyType::parse(&body.to_string()), Some(body));
    }
    if let Some(ret) = Return::parse(text) {
        assert_eq!(Return::parse(&ret.to_string()), Some(ret));
    }
    if let Some(notify) = Notify::parse(text) {
        assert_eq!(Notify::parse(&notify.to_string()), Some(notify));
    }
}

/// Mailbox names as the store has them, and patterns (RFC 9051 §6.3.9). The first line is the pattern.
pub fn mailbox_name(data: &[u8]) {
    let (pattern, name) = text(data).split_once('\n').unwrap_or(("*", text(data)));
    if let Ok(path) = MailboxPath::parse(name) {
        assert_eq!(MailboxPath::parse(path.as_str()).as_ref(), Ok(&path));
        no_controls(path.as_str());
        assert!(path.as_str().len() <= limits::MAILBOX_PATH_OCTETS_MAX);
        assert_eq!(MailboxPath::parse_utf7(&path.to_utf7()).as_ref(), Ok(&path));
        assert!(path.matches("*"));
        path.matches(pattern);
        if let Some(parent) = path.parent() {
            assert!(path.is_below(&parent) && !parent.is_below(&path));
        }
    }
}

/// Names as IMAP4rev1 clients write them (RFC 3501 §5.1.3).
pub fn modified_utf7(data: &[u8]) {
    let text = text(data);
    if let Some(decoded) = mail::mailbox::utf7_decode(text) {
        let encoded = mail::mailbox::utf7_encode(&decoded);
        assert!(encoded.bytes().all(|octet| octet.is_ascii()), "{encoded:?}");
        assert_eq!(mail::mailbox::utf7_decode(&encoded), Some(decoded));
    }
    if let Ok(path) = MailboxPath::parse_utf7(text) {
        assert_eq!(MailboxPath::parse(path.as_str()).as_ref(), Ok(&path));
    }
}

/// Flags and keywords.
pub fn flag(data: &[u8]) {
    reads_itself!(text(data), Flag);
}

/// Dates of IMAP and of header fields.
pub fn date(data: &[u8]) {
    let text = text(data);
    if let Some(date) = Timestamp::parse_imap(text) {
        assert_eq!(
            Timestamp::parse_imap(&date.imap()).map(|date| date.0 / 1000),
            Some(date.0 / 1000),
            "{}",
            date.imap()
        );
    }
    if let Some(day) = Timestamp::parse_imap_date(text) {
        assert_eq!(day.day_start(), day);
    }
    if let Some(field) = Timestamp::parse_rfc5322(text) {
        no_controls(&field.at.rfc5322());
        no_controls(&field.as_written.imap());
    }
}

/// Sets of UIDs against a list of them.
pub fn uid_set(data: &[u8]) {
    let half = data.len() / 2;
    let numbers = |octets: &[u8]| -> std::collections::BTreeSet<u32> {
        let runs = octets.chunks_exact(2);
        runs.flat_map(|run| u32::from(run[0])..=u32::from(run[0]) + u32::from(run[1] % 8))
            .filter(|&n| n > 0)
            .collect()
    };
    let set = |octets: &[u8]| {
        let runs = octets.chunks_exact(2).map(|run| {
            let first = u32::from(run[0]);
            (first.max(1), first + u32::from(run[1] % 8))
        });
        UidSet::from_runs(runs.filter(|(first, last)| first <= last))
    };
    let (one, other) = (set(&data[..half]), set(&data[half..]));
    let (one_list, other_list) = (numbers(&data[..half]), numbers(&data[half..]));
    let list = |set: &UidSet| set.iter().map(|uid| uid.0).collect::<Vec<_>>();
    assert_eq!(list(&one), one_list.iter().copied().collect::<Vec<_>>());
    assert_eq!(list(&one.union(&other)), one_list.union(&other_list).copied().collect::<Vec<_>>());
    assert_eq!(
        list(&one.intersection(&other)),
        one_list.intersection(&other_list).copied().collect::<Vec<_>>()
    );
    assert_eq!(list(&one.difference(&other)), one_list.difference(&other_list).copied().collect::<Vec<_>>());
    let mut changed = one.clone();
    for uid in &other_list {
        assert_eq!(changed.insert(Uid(*uid)), !one_list.contains(uid));
    }
    for uid in &one_list {
        assert!(changed.remove(Uid(*uid)));
    }
    assert_eq!(changed, other.difference(&one));
    for (number, uid) in one.iter().enumerate() {
        let number = u32::try_from(number).expect("few") + 1;
        assert_eq!((one.rank(uid), one.get(number)), (Some(number), Some(uid)));
    }
}

/// Header fields (RFC 5322 §2.2).
pub fn header(data: &[u8]) {
    let header = Header::parse(data);
    assert!(header.octets() <= data.len() && header.fields().len() <= limits::FIELDS_MAX);
    let mut end = 0;
    for field in header.fields() {
        assert!(end <= field.range.start && field.range.end <= header.octets());
        end = field.range.end;
        assert!(!field.name.is_empty() && field.name.iter().all(|octet| (33..127).contains(octet)));
        assert!(field.unfolded().len() <= field.value.len());
    }
}

/// The tree of MIME parts (RFC 2045, 2046).
pub fn structure(data: &[u8]) {
    let structure = Structure::parse(data);
    let (parts, depth) = measure(&structure.root, data.len());
    assert!(parts <= limits::PARTS_MAX && depth <= limits::PARTS_DEPTH_MAX + 1, "{parts} {depth}");
    let json = serde_json::to_string(&structure.root).expect("a part can be kept");
    assert_eq!(serde_json::from_str::<Part>(&json).expect("what was kept is read"), structure.root);
}

/// Parts and depth; every range lies within the message.
fn measure(root: &Part, octets: usize) -> (usize, usize) {
    let (mut parts, mut deepest) = (0, 0);
    let mut todo = vec![(root, 1)];
    while let Some((part, depth)) = todo.pop() {
        parts += 1;
        deepest = deepest.max(depth);
        for range in [&part.header, &part.body] {
            assert!(range.start <= range.end && range.end <= octets, "{range:?} of {octets}");
        }
        for token in [&part.kind, &part.subtype, &part.encoding] {
            assert!(token.bytes().all(|octet| (33..127).contains(&octet)), "{token:?}");
        }
        part.envelope.as_deref().into_iter().for_each(envelope_has_no_line_ends);
        todo.extend(part.parts.iter().map(|part| (part, depth + 1)));
    }
    (parts, deepest)
}

/// ENVELOPE's fields (RFC 3501 §7.4.2).
pub fn envelope(data: &[u8]) {
    envelope_has_no_line_ends(&envelope_of(data));
}

fn envelope_has_no_line_ends(envelope: &EnvelopeFields) {
    let printed = serde_json::to_vec(envelope).expect("an envelope can be kept");
    let kept: EnvelopeFields = serde_json::from_slice(&printed).expect("what was kept is read");
    assert_eq!(&kept, envelope);
    for value in [&envelope.subject, &envelope.message_id, &envelope.in_reply_to, &envelope.date] {
        assert!(!value.iter().flatten().any(|octet| b"\r\n\0".contains(octet)), "{value:?}");
    }
}

/// Encoded words (RFC 2047).
pub fn encoded_words(data: &[u8]) {
    let decoded = decode::words(data);
    assert!(decoded.len() <= 3 * data.len(), "an octet becomes one character of at most three octets");
}

/// What SEARCH looks at.
pub fn searched_text(data: &[u8]) {
    let text = decode::text(data);
    assert!(text.len() <= 16 * data.len() + 1024, "{} of {}", text.len(), data.len());
}

/// Transfer encodings (RFC 2045 §6). The first octet says which, and where the text is cut.
pub fn transfer_encoding(data: &[u8]) {
    let Some((&choice, encoded)) = data.split_first() else { return };
    let name = ["BASE64", "QUOTED-PRINTABLE", "8BIT"][usize::from(choice % 3)];
    let decoder = TransferDecoder::named(name).expect("a known encoding");
    let whole = decoder.clone().decode(encoded);
    assert!(whole.len() <= encoded.len());
    let (mut pieces, mut cut) = (Vec::new(), decoder);
    encoded.chunks(usize::from(choice / 3) + 1).for_each(|piece| cut.push(piece, &mut pieces));
    cut.finish(&mut pieces);
    assert_eq!(pieces, whole, "where it is cut does not matter");
}

/// DKIM-Signature fields in a message (RFC 6376 §3.5); the last line is the key record.
pub fn dkim_signature(data: &[u8]) {
    let at = data.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
    let (message, key) = data.split_at(at);
    let found = verify(message, Timestamp(0), |_| KeyAnswer::Records(vec![key.to_vec()]));
    let again = verify(message, Timestamp(0), |_| KeyAnswer::Records(vec![key.to_vec()]));
    assert_eq!(format!("{found:?}"), format!("{again:?}"));
}

/// Key records and selectors (RFC 6376 §3.6.1, §3.1).
pub fn dkim_key(data: &[u8]) {
    let _ = KeyRecord::parse(data);
    reads_itself!(text(data), Selector);
}

/// The settings text.
pub fn settings(data: &[u8]) {
    let text = text(data);
    if let Err(mistakes) = settings::resolve(text) {
        assert!(!mistakes.is_empty());
        mistakes.iter().for_each(|mistake| drop(mistake.to_string()));
    }
    settings::files(text);
}

/// PROXY headers: what is read does not depend on what follows, and no octet after the header is taken.
pub fn proxy_protocol(data: &[u8]) {
    use wire::proxy_protocol::{Progress, parse};
    let mut have = 0;
    loop {
        match parse(&data[..have]) {
            Ok(Progress::Done(_)) => {
                let cut = have.checked_sub(1).map(|cut| parse(&data[..cut]));
                assert!(matches!(cut, Some(Ok(Progress::More(1)))), "{cut:?}");
                return;
            }
            Ok(Progress::More(missing)) => {
                assert!(missing > 0);
                have += missing;
                if have > data.len() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
