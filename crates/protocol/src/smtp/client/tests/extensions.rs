//! What goes with an envelope, content that is binary, and limits that a peer names.

use mail::{BodyType, MessageParameters, Notify, OriginalRecipient, RecipientParameters, Return};

use super::scripted::{Cut, check, play};
use super::*;

const BEFORE: &str = "EHLO out.example.org, ";

/// To bob with these parameters, and to eve with none.
fn asking(parameters: MessageParameters, of_bob: RecipientParameters) -> Letter {
    let mut letter = letter(&["bob", "eve"], "A: b\r\n");
    letter.transaction.parameters = parameters;
    letter.transaction.recipients[0].parameters = of_bob;
    letter
}

/// RFC 3461 §5.2.1: what was asked for goes on, and nothing else; §5.2.2: not to a peer that does not know it.
#[test]
fn what_the_sender_wants_to_hear_goes_on_where_dsn_is_announced() {
    let parameters = MessageParameters {
        ret: Some(Return::Headers),
        envelope_id: Some("QQ 1+2".into()),
        ..MessageParameters::default()
    };
    let notify = Some(Notify { success: true, delay: true, ..Notify::NEVER });
    let original = OriginalRecipient::parse("rfc822;Bob+2Bx@example.org");
    let letters = [asking(parameters, RecipientParameters { notify, original })];
    let (mail, bob, eve) =
        ("MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.org>", "RCPT TO:<eve@example.org>");
    let asked = format!(
        "{BEFORE}{mail} RET=HDRS ENVID=QQ+201+2B2, {bob} NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@example.org, {eve}, \
         DATA, QUIT"
    );
    let both = "delivered; delivered";
    let seen = check(policy(), &letters, &[("EHLO", "250-mx\r\n250-PIPELINING\r\n250 DSN")], &asked, both);
    assert!(seen.reports[0].dsn);
    let plain = format!("{BEFORE}{mail}, {bob}, {eve}, DATA, QUIT");
    let seen = check(policy(), &letters, &[("EHLO", "250-mx\r\n250 PIPELINING")], &plain, both);
    assert!(!seen.reports[0].dsn);
    let nothing = [asking(MessageParameters::default(), RecipientParameters::default())];
    check(policy(), &nothing, &[("EHLO", "250-mx\r\n250-PIPELINING\r\n250 DSN")], &plain, both);
}

const UTF8: (&str, &str) = ("EHLO", "250-mx\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8");
const NO_UTF8: (&str, &str) = ("EHLO", "250-mx\r\n250-8BITMIME\r\n250 DSN");
const FAILED: &str = "failed 5.6.7 5.6.7 an address or the header of the message is not ASCII, which the peer does not take \
                      (at the start of a transaction)";

fn utf8(sender: &str, recipients: &[&str], content: &str) -> Letter {
    let mut letter = letter(recipients, content);
    letter.transaction.parameters.utf8 = true;
    letter.transaction.sender = ReversePath::parse(sender).unwrap();
    letter
}

/// RFC 6531 §3.2, §3.4.
#[test]
fn utf8_goes_where_it_is_announced_and_nowhere_else() {
    let to_bob = "RCPT TO:<bob@example.org>";
    let header = utf8("<ann@example.com>", &["bob"], "Subject: \u{e4}\r\n\r\n");
    let lines = format!("{BEFORE}MAIL FROM:<ann@example.com> BODY=8BITMIME SMTPUTF8, {to_bob}, DATA, QUIT");
    check(policy(), std::slice::from_ref(&header), &[UTF8], &lines, "delivered");
    check(policy(), &[header], &[NO_UTF8], &format!("{BEFORE}QUIT"), FAILED);
    let sender = utf8("<j\u{fc}rgen@example.com>", &["bob"], "Subject: x\r\n\r\n");
    let lines = format!("{BEFORE}MAIL FROM:<j\u{fc}rgen@example.com> SMTPUTF8, {to_bob}, DATA, QUIT");
    check(policy(), std::slice::from_ref(&sender), &[UTF8], &lines, "delivered");
    check(policy(), &[sender], &[NO_UTF8], &format!("{BEFORE}QUIT"), FAILED);
    // Where nothing needs it, it is not asked for, and goes everywhere.
    let body = utf8("<ann@example.com>", &["bob"], "Subject: x\r\n\r\n\u{e4}\r\n");
    let lines = format!("{BEFORE}MAIL FROM:<ann@example.com> BODY=8BITMIME, {to_bob}, DATA, QUIT");
    check(policy(), std::slice::from_ref(&body), &[UTF8], &lines, "delivered");
    check(policy(), &[body], &[NO_UTF8], &lines, "delivered");
    // A header that came without SMTPUTF8 goes on as it came.
    let raw = letter(&["bob"], "Subject: \u{e4}\r\n\r\n");
    check(policy(), &[raw], &[NO_UTF8], &lines, "delivered");
}

#[test]
fn a_recipient_in_utf8_fails_alone() {
    let mixed = utf8("<ann@example.com>", &["bob", "r\u{e4}ca", "eve"], "Subject: x\r\n\r\n");
    let (mail, bob, eve) =
        ("MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.org>", "RCPT TO:<eve@example.org>");
    let lines = format!("{BEFORE}{mail}, {bob}, {eve}, DATA, QUIT");
    check(
        policy(),
        std::slice::from_ref(&mixed),
        &[NO_UTF8],
        &lines,
        &format!("delivered; {FAILED}; delivered"),
    );
    let lines = format!("{BEFORE}{mail} SMTPUTF8, {bob}, RCPT TO:<r\u{e4}ca@example.org>, {eve}, DATA, QUIT");
    check(policy(), &[mixed], &[UTF8], &lines, "delivered; delivered; delivered");
    let alone = utf8("<ann@example.com>", &["r\u{e4}ca"], "Subject: x\r\n\r\n");
    check(policy(), &[alone], &[NO_UTF8], &format!("{BEFORE}QUIT"), FAILED);
}

/// RFC 6533 §3: an original recipient in UTF-8 is in ASCII where the transaction is.
#[test]
fn an_original_recipient_is_written_as_the_peer_takes_it() {
    let mut letter = utf8("<ann@example.com>", &["bob"], "Subject: x\r\n\r\n");
    letter.transaction.recipients[0].parameters.original =
        Some(OriginalRecipient::of("r\u{e4}ca@example.org"));
    let mail = "MAIL FROM:<ann@example.com>";
    let rest = "RCPT TO:<bob@example.org> ORCPT=utf-8;r\\x{E4}ca@example.org, DATA, QUIT";
    check(policy(), &[letter.clone()], &[NO_UTF8], &format!("{BEFORE}{mail}, {rest}"), "delivered");
    letter.transaction.sender = ReversePath::parse("<\u{e4}@example.com>").unwrap();
    let lines = format!(
        "{BEFORE}MAIL FROM:<\u{e4}@example.com> SMTPUTF8, RCPT TO:<bob@example.org> ORCPT=utf-8;r\u{e4}ca@example.org, DATA, QUIT"
    );
    check(policy(), &[letter], &[UTF8], &lines, "delivered");
}

const BINARY: (&str, &str) = ("EHLO", "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 BINARYMIME");

fn binary(recipients: &[&str], content: &[u8]) -> Letter {
    let mut letter = letter(recipients, content);
    letter.transaction.parameters.body = BodyType::Binary;
    letter
}

fn in_chunks(policy: Policy, letters: Vec<Letter>, octets: usize) -> Caller {
    Caller { chunk: octets, ..Caller::new(policy, letters) }
}

/// RFC 3030 §2 and §3: octet by octet, no dot doubled, no line ended.
#[test]
fn binary_content_goes_in_chunks() {
    let content = b"A: b\r\n\r\n.\r\n\n\r\0.";
    let caller = in_chunks(policy(), vec![binary(&["bob", "eve"], content)], 10);
    let (seen, peer) = play(&[BINARY], caller, Cut::Every(1));
    let mail =
        "MAIL FROM:<ann@example.com> BODY=BINARYMIME, RCPT TO:<bob@example.org>, RCPT TO:<eve@example.org>";
    assert_eq!(peer.lines.join(", "), format!("{BEFORE}{mail}, BDAT 10, BDAT 5 LAST, QUIT"));
    assert_eq!((seen.text().as_str(), peer.content.as_bytes()), ("delivered; delivered", &content[..]));
}

#[test]
fn by_lmtp_each_recipient_has_a_reply_after_the_last_chunk() {
    let policy = Policy { dialect: Dialect::Lmtp, ..policy() };
    let script = [("LHLO", BINARY.1), (". eve", "452 4.2.2 full"), ("RCPT TO:<no", "550 5.1.1 no")];
    let (seen, peer) =
        play(&script, in_chunks(policy, vec![binary(&["bob", "no", "eve"], b"A: b\n")], 3), Cut::Whole);
    assert_eq!(
        seen.text(),
        "delivered; failed 5.1.1 550 5.1.1 no (in answer to RCPT); \
         deferred 4.2.2 452 4.2.2 full (in answer to the end of the content)"
    );
    assert_eq!(peer.content, "A: b\n");
}

#[test]
fn binary_content_is_not_begun_where_it_is_not_taken() {
    let failed = "failed 5.6.3 5.6.3 the message is binary, which the peer does not take (at the start of a transaction)";
    for offers in ["250-mx\r\n250 CHUNKING", "250-mx\r\n250-8BITMIME\r\n250 BINARYMIME", "250 mx"] {
        let letters = [binary(&["bob"], b"A: b\r\n")];
        check(policy(), &letters, &[("EHLO", offers)], &format!("{BEFORE}QUIT"), failed);
    }
}

#[test]
fn a_chunk_that_is_refused_ends_the_transaction() {
    let mail = "MAIL FROM:<ann@example.com> BODY=BINARYMIME, RCPT TO:<bob@example.org>";
    let script = [BINARY, ("chunk", "552 5.3.4 too much")];
    let letters = vec![binary(&["bob"], b"A: b\n"), binary(&["bob"], b"A:")];
    let (seen, peer) = play(&script, in_chunks(policy(), letters, 3), Cut::Whole);
    assert_eq!(peer.lines.join(", "), format!("{BEFORE}{mail}, BDAT 3, RSET, {mail}, BDAT 2 LAST, QUIT"));
    assert_eq!(seen.text(), "failed 5.3.4 552 5.3.4 too much (in answer to the content) | delivered");
    // Nobody to get it: no chunk.
    let script = [BINARY, ("RCPT", "550 5.1.1 no")];
    let refused = "failed 5.1.1 550 5.1.1 no (in answer to RCPT)";
    check(policy(), &[binary(&["bob"], b"A:")], &script, &format!("{BEFORE}{mail}, QUIT"), refused);
}

/// RFC 9422 §4.
#[test]
fn limits_that_a_peer_names_are_obeyed() {
    let (mail, end) = ("MAIL FROM:<ann@example.com>", "DATA, QUIT");
    let excess =
        "deferred 4.0.0 4.0.0 the peer takes the rest of the recipients in another transaction (at RCPT)";
    let (bob, eve) = ("RCPT TO:<bob@example.org>", "RCPT TO:<eve@example.org>");
    let three = [letter(&["bob", "eve", "joe"], "a\r\n")];
    let two_at_most = [("EHLO", "250-mx\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2")];
    let seen = format!("delivered; delivered; {excess}");
    check(policy(), &three, &two_at_most, &format!("{BEFORE}{mail}, {bob}, {eve}, {end}"), &seen);
    let mut domains = letter(&["bob", "joe", "eve"], "a\r\n");
    domains.transaction.recipients[1].path = ForwardPath::parse("<joe@example.net>").unwrap();
    let one_domain = [("EHLO", "250-mx\r\n250 LIMITS RCPTDOMAINMAX=1")];
    let seen = format!("delivered; {excess}; delivered");
    check(policy(), &[domains], &one_domain, &format!("{BEFORE}{mail}, {bob}, {eve}, {end}"), &seen);
    let one = letter(&["bob"], "a\r\n");
    let one_message = [("EHLO", "250-mx\r\n250 LIMITS MAILMAX=1")];
    let lines = format!("{BEFORE}{mail}, {bob}, {end}");
    let seen = check(policy(), &[one.clone(), one], &one_message, &lines, "delivered");
    assert_eq!((seen.summary.transactions, seen.summary.failure), (1, None));
}
