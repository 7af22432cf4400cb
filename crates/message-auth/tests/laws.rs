//! What holds for every message: what is signed verifies, however it comes; what is changed does not.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::{Arc, OnceLock};

use mail::{Domain, Timestamp};
use message_auth::dkim::{
    Algorithm, Canonicalization, Identity, KeyAnswer, KeyName, Outcome, Selector, Signer, SigningKey, Terms,
    Verifier, verify,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const NOW: Timestamp = Timestamp(1_795_359_600_000);
const PASS: Outcome = Outcome::Pass { unsigned_octets: 0 };

/// One identity of each algorithm.
fn identities() -> &'static [Identity; 2] {
    static IDENTITIES: OnceLock<[Identity; 2]> = OnceLock::new();
    IDENTITIES.get_or_init(|| {
        [Algorithm::Ed25519, Algorithm::Rsa].map(|algorithm| {
            let selector = Selector::parse(algorithm.key_type()).unwrap();
            let name = KeyName { selector, domain: Domain::parse("example.com").unwrap() };
            Identity { name, key: Arc::new(SigningKey::generate(algorithm)) }
        })
    })
}

fn published(name: &KeyName) -> KeyAnswer {
    let found = identities().iter().find(|identity| identity.name == *name);
    found.map_or(KeyAnswer::Missing, |identity| {
        KeyAnswer::Records(vec![identity.key.record().text().into_bytes()])
    })
}

fn sign(terms: Terms, pieces: &[&[u8]]) -> Vec<u8> {
    let mut signer = Signer::new(terms);
    pieces.iter().for_each(|piece| signer.update(piece));
    signer.finish(identities(), NOW).unwrap()
}

fn outcomes(fields: &[u8], message: &[u8]) -> Vec<Outcome> {
    verify(&[fields, message].concat(), NOW, published).iter().map(|finding| finding.outcome).collect()
}

fn pieces<'m>(message: &'m [u8], cuts: &[Index]) -> Vec<&'m [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
    cuts.extend([0, message.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &message[pair[0]..pair[1]]).collect()
}

fn terms() -> impl Strategy<Value = Terms> {
    let form = || select(vec![Canonicalization::Simple, Canonicalization::Relaxed]);
    (form(), form(), proptest::option::of(1..1_000_000u32)).prop_map(|(header, body, lifetime_secs)| Terms {
        header,
        body,
        lifetime_secs,
    })
}

/// A header of which every field is signed, its empty line, and a body.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let value = "[ \t]{0,2}[a-c:;=\u{e4}]{0,4}(\r\n[ \t][a-c]{1,3})?[ \t]{0,2}";
    let name = select(vec!["To", "tO", "Subject", "Date", "List-Id", "Resent-To", "MIME-Version", "Sender"]);
    let field = (name, value).prop_map(|(name, value)| format!("{name}:{value}\r\n"));
    let from = value.prop_map(|value| format!("From:{value}\r\n"));
    let body = "([ \t]{0,2}[ab.\u{e4}]{0,3}[ \t]{0,2}(\r\n){0,2}){0,8}";
    (vec(field.clone(), 0..5), from, vec(field, 0..3), body)
        .prop_map(|(above, from, below, body)| {
            [above.concat(), from, below.concat(), "\r\n".into(), body].concat()
        })
        .prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_signed_verifies(message in message(), terms in terms()) {
        prop_assert_eq!(outcomes(&sign(terms, &[&message]), &message), [PASS, PASS]);
    }

    #[test]
    fn cutting_changes_nothing(message in message(), terms in terms(), cuts in vec(any::<Index>(), 0..6)) {
        let fields = sign(terms, &[&message]);
        prop_assert_eq!(&sign(terms, &pieces(&message, &cuts)), &fields);

        let whole = [fields, message].concat();
        let mut verifier = Verifier::new(NOW);
        pieces(&whole, &cuts).iter().for_each(|piece| verifier.update(piece));
        prop_assert_eq!(verifier.key_names().len(), 2, "known as soon as the header has come");
        prop_assert_eq!(verifier.end().conclude(published), verify(&whole, NOW, published));
    }

    #[test]
    fn a_changed_octet_is_found(message in message(), at: Index, octet in 0..=255u8, mut terms in terms()) {
        terms.header = Canonicalization::Simple;
        terms.body = Canonicalization::Simple;
        let at = at.index(message.len());
        prop_assume!(!matches!(message[at], b'\r' | b'\n') && !matches!(octet, b'\r' | b'\n') && message[at] != octet);
        let fields = sign(terms, &[&message]);
        let mut changed = message.clone();
        changed[at] = octet;
        prop_assert!(!outcomes(&fields, &changed).contains(&PASS));
    }

    #[test]
    fn a_changed_visible_octet_is_found(message in message(), at: Index, octet in b'!'..=b'~', terms in terms()) {
        let at = at.index(message.len());
        prop_assume!(!message[at].is_ascii_whitespace() && !message[at].eq_ignore_ascii_case(&octet));
        let fields = sign(terms, &[&message]);
        let mut changed = message.clone();
        changed[at] = octet;
        prop_assert!(!outcomes(&fields, &changed).contains(&PASS));
    }

    #[test]
    fn relaxed_forgives_blanks(message in message()) {
        let fields = sign(Terms::default(), &[&message]);
        let wider = String::from_utf8(message).unwrap().replace(' ', " \t ").replace('\t', "  ") + " \r\n\r\n";
        prop_assert_eq!(outcomes(&fields, wider.as_bytes()), [PASS, PASS]);
    }

    #[test]
    fn an_added_field_is_found_if_it_is_sealed(
        message in message(), terms in terms(), name in select(vec!["From", "Subject", "content-type", "To", "Cc"]),
    ) {
        let fields = sign(terms, &[&message]);
        let added = [format!("{name}: x\r\n").as_bytes(), &message].concat();
        prop_assert!(!outcomes(&fields, &added).contains(&PASS));
        // Trace fields come on top and are not signed.
        let relayed = [b"Received: from elsewhere\r\n", message.as_slice()].concat();
        prop_assert_eq!(outcomes(&fields, &relayed), [PASS, PASS]);
    }

    #[test]
    fn no_text_harms(text: Vec<u8>, field in "[a-z=;: \r\n]{0,40}") {
        verify(&text, NOW, published);
        let signed = [b"DKIM-Signature: v=1; ", field.as_bytes(), b"\r\n", &text].concat();
        prop_assert!(verify(&signed, NOW, published).iter().all(|finding| finding.outcome != PASS));
    }
}
