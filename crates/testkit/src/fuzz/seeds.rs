//! Where a search begins: what the transcripts and the sample mail hold.

use std::fs;

use crate::files;
use crate::transcript::{Act, Bindings, Protocol};

/// No seed is longer: a search is faster with short ones.
const LENGTH_MAX: usize = 2048;

/// Nothing.
pub fn none() -> Vec<Vec<u8>> {
    Vec::new()
}

/// What the clients of one transcript send, one after the other, with the events between.
fn dialogues(protocol: Protocol) -> Vec<Vec<u8>> {
    let files = files::transcripts_of(&[protocol]).expect("the transcripts can be read");
    let transcripts = files.into_iter().filter_map(|file| file.transcript.ok());
    let dialogues = transcripts.map(|transcript| {
        let mut dialogue = Vec::new();
        for step in &transcript.steps {
            match &step.act {
                Act::Send(pattern) => dialogue.extend(pattern.fill(&Bindings::new())),
                Act::SendMany(count, text) => dialogue.extend(text.repeat((*count).min(10))),
                Act::Tls(_) => dialogue.extend([super::servers::EVENT, 0]),
                Act::Wait(_) => dialogue.extend([super::servers::EVENT, 2]),
                _ => {}
            }
        }
        dialogue
    });
    dialogues.filter(|dialogue| (1..=LENGTH_MAX).contains(&dialogue.len())).collect()
}

/// Dialogues of SMTP.
pub fn smtp() -> Vec<Vec<u8>> {
    dialogues(Protocol::Smtp)
}

/// Dialogues of submission.
pub fn submission() -> Vec<Vec<u8>> {
    dialogues(Protocol::Submission)
}

/// Dialogues of LMTP.
pub fn lmtp() -> Vec<Vec<u8>> {
    dialogues(Protocol::Lmtp)
}

/// Dialogues of POP3.
pub fn pop3() -> Vec<Vec<u8>> {
    dialogues(Protocol::Pop3)
}

/// Dialogues of IMAP.
pub fn imap() -> Vec<Vec<u8>> {
    dialogues(Protocol::Imap)
}

/// What stands after this word in some line of a dialogue.
fn after(word: &[u8]) -> Vec<Vec<u8>> {
    let dialogues = imap();
    let lines = dialogues.iter().flat_map(|dialogue| dialogue.split(|&octet| octet == b'\n'));
    let found = lines.filter_map(|line| {
        let at = memchr::memmem::find(line, word)?;
        let rest = line[at + word.len()..].trim_ascii();
        // A sequence set or a tag may stand between.
        Some(rest.to_vec())
    });
    let mut found: Vec<_> = found.filter(|rest| !rest.is_empty()).collect();
    found.sort();
    found.dedup();
    found
}

/// Items of FETCH.
pub fn imap_fetch() -> Vec<Vec<u8>> {
    let items = after(b"FETCH ").into_iter();
    items
        .filter_map(|rest| Some(rest[rest.iter().position(|&octet| octet == b' ')? + 1..].to_vec()))
        .collect()
}

/// Criteria of SEARCH.
pub fn imap_search() -> Vec<Vec<u8>> {
    after(b"SEARCH ")
}

/// Arguments of LIST.
pub fn imap_list() -> Vec<Vec<u8>> {
    after(b"LIST ")
}

/// Words of all dialogues: addresses, parameters, names, flags.
pub fn words() -> Vec<Vec<u8>> {
    let all = [smtp(), submission(), lmtp(), imap()].concat();
    let words = all.iter().flat_map(|dialogue| {
        dialogue.split(|octet| b" \r\n:=()\"".contains(octet)).filter(|word| (2..300).contains(&word.len()))
    });
    let mut words: Vec<_> = words.map(<[u8]>::to_vec).collect();
    words.sort();
    words.dedup();
    words
}

/// What servers say: the lines that transcripts of SMTP and LMTP expect.
pub fn replies() -> Vec<Vec<u8>> {
    let files =
        files::transcripts_of(&[Protocol::Smtp, Protocol::Lmtp]).expect("the transcripts can be read");
    let transcripts = files.into_iter().filter_map(|file| file.transcript.ok());
    let said = transcripts.map(|transcript| {
        let expected = transcript.steps.iter().filter_map(|step| match &step.act {
            Act::Expect(pattern) => Some([pattern.fill(&Bindings::new()), b"\r\n".to_vec()].concat()),
            _ => None,
        });
        expected.collect::<Vec<_>>().concat()
    });
    said.filter(|said| (1..=LENGTH_MAX).contains(&said.len())).collect()
}

/// The sample mail.
pub fn mail() -> Vec<Vec<u8>> {
    let folder = files::tests_folder().join("mail");
    let entries = fs::read_dir(folder).expect("the sample mail can be read").flatten();
    let mut mail: Vec<_> = entries
        .filter_map(|entry| files::mail(entry.file_name().to_str()?).ok())
        .filter(|mail| mail.len() <= 2 * LENGTH_MAX)
        .collect();
    mail.sort();
    mail
}

/// Encoded words of all sorts (RFC 2047 §8, §2).
pub fn encoded_words() -> Vec<Vec<u8>> {
    let words: [&[u8]; 5] = [
        b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=",
        b"=?utf-8?b?4pi6?= and =?US-ASCII*EN?Q?Keith_Moore?=",
        b"=?ISO-8859-15?Q?=A4=20?= =?windows-1252?B?gA==?=",
        b"=?utf-8?q?=C3?= =?utf-8?q?=A4?=",
        b"=?x?=?=?utf-8?q?=?=",
    ];
    words.map(<[u8]>::to_vec).to_vec()
}

/// Dates as IMAP and header fields write them.
pub fn dates() -> Vec<Vec<u8>> {
    let dates: [&[u8]; 6] = [
        b"22-Nov-2026 10:00:00 +0100",
        b"\" 2-Nov-2026 10:00:00 -0000\"",
        b"1-Feb-1994",
        b"Sun, 22 Nov 2026 15:00:00 +0000",
        b"Fri, 21 Nov 1997 09(comment):55 : 06 -0600",
        b"21 Nov 97 09:55 EST",
    ];
    dates.map(<[u8]>::to_vec).to_vec()
}

const KEY: &[u8] = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// A message with a signature, the key's record after it (RFC 8463 appendix A).
pub fn signed_mail() -> Vec<Vec<u8>> {
    const SIGNED: &[u8] = b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com;\r\n \
        i=@football.example.com; q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : \
        from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n \
        b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n\
        From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner \
        ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: \
        <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHi.\r\n\r\nWe lost the game.  Are you hungry \
        yet?\r\n\r\nJoe.\r\n";
    vec![[SIGNED, KEY].concat()]
}

/// Key records and selectors.
pub fn dkim_keys() -> Vec<Vec<u8>> {
    let rsa =
        b"v=DKIM1; h=sha256; k=rsa; s=email:*; t=y:s; n=note; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ==";
    vec![KEY.to_vec(), rsa.to_vec(), b"brisbane.2026".to_vec()]
}

/// Settings texts.
pub fn settings() -> Vec<Vec<u8>> {
    vec![settings::DEFAULT_TEXT.into()]
}

/// PROXY headers of both versions.
pub fn proxy_headers() -> Vec<Vec<u8>> {
    let binary = |rest: &[u8]| [&b"\r\n\r\n\0\r\nQUIT\n"[..], rest].concat();
    vec![
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\nEHLO".to_vec(),
        b"PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n".to_vec(),
        b"PROXY UNKNOWN whatever\r\n".to_vec(),
        binary(b"\x20\x00\x00\x00"),
        binary(b"\x21\x11\x00\x13\xC0\x00\x02\x07\xC0\x00\x02\x01\xDC\x04\x00\x19\x02\x00\x04mail"),
        binary(&[&b"\x21\x21\x00\x24"[..], &[0x20; 36]].concat()),
        binary(&[&b"\x21\x31\x00\xD8"[..], &[0; 216]].concat()),
    ]
}
