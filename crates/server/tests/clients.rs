//! Programs and libraries that others wrote send and read mail: curl, swaks, mutt, neomutt, mbsync, offlineimap, fetchmail,
//! GNU SASL, Python's smtplib, poplib and imaplib, IMAPClient, imapflow and nodemailer.
//!
//! One server for all tests of a run. Every test has accounts of its own, so that they do not see each other's mail. What
//! is compared is bytes, flags and UIDs, not exit codes.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "clients/account.rs"]
mod account;
#[path = "clients/contents.rs"]
mod contents;
#[path = "clients/curl.rs"]
mod curl;
#[path = "clients/fetchmail.rs"]
mod fetchmail;
#[path = "clients/gsasl.rs"]
mod gsasl;
#[path = "clients/maildir.rs"]
mod maildir;
#[path = "clients/mutt.rs"]
mod mutt;
#[path = "clients/neomutt.rs"]
mod neomutt;
#[path = "clients/node.rs"]
mod node;
#[path = "clients/python.rs"]
mod python;
#[path = "clients/stays.rs"]
mod stays;
#[path = "clients/swaks.rs"]
mod swaks;
#[path = "clients/synchronisers.rs"]
mod synchronisers;
#[path = "clients/tools.rs"]
mod tools;
#[path = "clients/trial.rs"]
mod trial;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial as Test};

use trial::Trial;

/// A test, and what it shows.
type Case = (&'static str, fn(&Trial));

const CASES: &[Case] = &[
    ("curl::contents_come_out_as_they_went_in", curl::contents_come_out_as_they_went_in),
    ("curl::trace_lines", curl::trace_lines),
    ("curl::lists_and_flags", curl::lists_and_flags),
    ("curl::uploads_and_deletes", curl::uploads_and_deletes),
    ("python::smtplib", python::smtplib),
    ("python::imaplib", python::imaplib),
    ("python::poplib", python::poplib),
    ("swaks::recipients_in_a_pipeline", swaks::recipients_in_a_pipeline),
    ("swaks::tls_and_sign_in", swaks::tls_and_sign_in),
    ("swaks::mechanisms_that_are_not_offered", swaks::mechanisms_that_are_not_offered),
    ("mutt::sends", mutt::sends),
    ("mutt::reads_by_imap", mutt::reads_by_imap),
    ("mutt::reads_by_pop3", mutt::reads_by_pop3),
    ("neomutt::comes_back", neomutt::comes_back),
    ("synchronisers::mbsync", synchronisers::mbsync),
    ("synchronisers::offlineimap", synchronisers::offlineimap),
    ("fetchmail::what_is_new", fetchmail::what_is_new),
    ("gsasl::every_mechanism", gsasl::every_mechanism),
    ("python::imapclient", python::imapclient),
    ("node::imapflow", node::imapflow),
    ("node::nodemailer", node::nodemailer),
    ("stays::over_a_restart", stays::over_a_restart),
];

fn main() -> ExitCode {
    let server: Arc<OnceLock<Trial>> = Arc::default();
    let test = |&(name, case): &Case| {
        let server = server.clone();
        Test::test(name, move || {
            case(server.get_or_init(|| Trial::start(&[])));
            Ok(())
        })
    };
    let conclusion = libtest_mimic::run(&Arguments::from_args(), CASES.iter().map(test).collect());
    // A static would not be dropped, and the server would outlive the tests.
    drop(server);
    conclusion.exit_code()
}
