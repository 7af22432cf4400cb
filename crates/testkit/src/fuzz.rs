//! Fuzz targets: functions of arbitrary octets that panic when a promise is broken.
//!
//! | kind | what it promises |
//! |---|---|
//! | [`parsers`] | any text is a value or an error; a value that is printed is read again as itself; work and memory are bounded by the text |
//! | [`servers`] | whatever a client sends, a session comes to rest, answers in whole lines without control characters, and says the same wherever the input is cut |
//! | [`clients`] | the same of our client, whatever a server says; and our client and our server understand one another |
//!
//! `cargo xtask fuzz` lets libFuzzer look for octets that break them; the test `fuzz` of this crate replays what was found
//! (`tests/corpus`), and what [mutations](mutate) of it and of the transcripts come to. There is one body for both.

pub mod clients;
mod cut;
pub mod mutate;
pub mod parsers;
pub mod seeds;
pub mod servers;

/// Something that must hold for all octets.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder under `tests/corpus`.
    pub name: &'static str,
    /// Panics if it does not hold.
    pub run: fn(&[u8]),
    /// Where a search may begin, beside the folder.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    const fn new(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, run, seeds }
    }

    /// The target of this name; [`PLANTED`], too.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().chain([&PLANTED]).find(|target| target.name == name)
    }
}

/// Breaks at one word: a search that does not find it finds nothing.
pub static PLANTED: Target = Target::new("planted", planted, seeds::none);

fn planted(data: &[u8]) {
    assert!(!data.starts_with(b"seal!"), "planted");
}

/// Every parser and every session.
pub const TARGETS: &[Target] = &[
    Target::new("address", parsers::address, seeds::words),
    Target::new("path", parsers::path, seeds::words),
    Target::new("xtext", parsers::xtext, seeds::words),
    Target::new("envelope-parameters", parsers::envelope_parameters, seeds::words),
    Target::new("mailbox-name", parsers::mailbox_name, seeds::words),
    Target::new("modified-utf7", parsers::modified_utf7, seeds::words),
    Target::new("flag", parsers::flag, seeds::words),
    Target::new("date", parsers::date, seeds::dates),
    Target::new("uid-set", parsers::uid_set, seeds::none),
    Target::new("header", parsers::header, seeds::mail),
    Target::new("structure", parsers::structure, seeds::mail),
    Target::new("envelope", parsers::envelope, seeds::mail),
    Target::new("encoded-words", parsers::encoded_words, seeds::encoded_words),
    Target::new("searched-text", parsers::searched_text, seeds::mail),
    Target::new("transfer-encoding", parsers::transfer_encoding, seeds::mail),
    Target::new("dkim-signature", parsers::dkim_signature, seeds::signed_mail),
    Target::new("dkim-key", parsers::dkim_key, seeds::dkim_keys),
    Target::new("settings", parsers::settings, seeds::settings),
    Target::new("proxy-protocol", parsers::proxy_protocol, seeds::proxy_headers),
    Target::new("smtp", servers::smtp, seeds::smtp),
    Target::new("smtp-transaction", servers::smtp_transaction, seeds::smtp),
    Target::new("smtp-content", servers::smtp_content, seeds::mail),
    Target::new("submission", servers::submission, seeds::submission),
    Target::new("sasl", servers::sasl, seeds::submission),
    Target::new("lmtp", servers::lmtp, seeds::lmtp),
    Target::new("pop3", servers::pop3, seeds::pop3),
    Target::new("pop3-transaction", servers::pop3_transaction, seeds::pop3),
    Target::new("imap", servers::imap, seeds::imap),
    Target::new("imap-selected", servers::imap_selected, seeds::imap),
    Target::new("imap-two-clients", servers::imap_two_clients, seeds::imap),
    Target::new("imap-fetch", servers::imap_fetch, seeds::imap_fetch),
    Target::new("imap-search", servers::imap_search, seeds::imap_search),
    Target::new("imap-list", servers::imap_list, seeds::imap_list),
    Target::new("imap-append", servers::imap_append, seeds::mail),
    Target::new("smtp-client", clients::smtp, seeds::replies),
    Target::new("lmtp-client", clients::lmtp, seeds::replies),
    Target::new("smtp-pair", clients::smtp_pair, seeds::mail),
    Target::new("lmtp-pair", clients::lmtp_pair, seeds::mail),
];
