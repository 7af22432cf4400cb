//! Signatures that others made: the examples of RFC 6376 and RFC 8463, and dkimpy's data.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use mail::Timestamp;
use message_auth::dkim::{Fault, Finding, KeyAnswer, KeyRecord, Outcome, RecordError, SigningKey, verify};

/// 2018-06-11, just after the signatures of RFC 8463 were made.
const NOW: Timestamp = Timestamp(1_528_700_000_000);
const PASS: Outcome = Outcome::Pass { unsigned_octets: 0 };

const RFC_8463_ED25519: (&str, &str) = (
    "brisbane._domainkey.football.example.com",
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
);
const RFC_8463_RSA: (&str, &str) = (
    "test._domainkey.football.example.com",
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
     iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
     DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
     Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
);

/// RFC 8463 appendix A.3.
const RFC_8463: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.

";

/// RFC 6376 appendix A.2. The page sets two spaces where the signed message has one (after `game.`, as bh= shows), and its
/// continuation lines are indented by six.
const RFC_6376: &str = "\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
";
/// RFC 6376 appendix C.
const RFC_6376_KEY: (&str, &str) = (
    "brisbane._domainkey.example.com",
    "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ\
     KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt\
     IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v\
     /RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi\
     tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
);

const GMAIL_KEY: (&str, &str) = (
    "20120113._domainkey.gmail.com",
    "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh\
     +eBCsSTrqmwIYYvywlbhbqoo2DymndFkbjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQ\
     s8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8svnxgdxGkVbb\
     hzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5Oct\
     MEeWUwg8Istjqz8BZeTWbf41fbNhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598H\
     Y+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jYchHjPY/wIDAQAB",
);
/// A key of 512 bits, from dkimpy's tests.
const SHORT_KEY: &str = "k=rsa; s=email; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52T\
     b/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ==";

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("data/dkimpy/", $name))
    };
}

fn findings(message: &str, records: &[(&str, &str)]) -> Vec<Finding> {
    let message = message.replace("\r\n", "\n").replace('\n', "\r\n");
    verify(message.as_bytes(), NOW, |name| {
        let found = records.iter().find(|(published, _)| *published == name.query());
        found.map_or(KeyAnswer::Missing, |(_, record)| KeyAnswer::Records(vec![record.trim().into()]))
    })
}

fn check(message: &str, records: &[(&str, &str)], expected: &[Outcome]) {
    let outcomes: Vec<_> = findings(message, records).iter().map(|finding| finding.outcome).collect();
    assert_eq!(outcomes, expected, "{message}");
}

#[test]
fn the_example_of_rfc_8463() {
    check(RFC_8463, &[RFC_8463_ED25519, RFC_8463_RSA], &[PASS, PASS]);
    check(RFC_8463, &[RFC_8463_RSA], &[Outcome::PermError(Fault::NoKey), PASS]);
    let crossed = [(RFC_8463_ED25519.0, RFC_8463_RSA.1), (RFC_8463_RSA.0, RFC_8463_ED25519.1)];
    check(RFC_8463, &crossed, &[Outcome::PermError(Fault::KeyMismatch); 2]);

    let first = &findings(RFC_8463, &[RFC_8463_ED25519])[0];
    assert_eq!(first.domain.as_ref().unwrap().as_str(), "football.example.com");
    assert_eq!(first.selector.as_ref().unwrap().as_str(), "brisbane");
    assert_eq!(first.identity.as_deref(), Some("@football.example.com"));
    assert!(!first.testing);
}

#[test]
fn the_example_of_rfc_6376() {
    check(RFC_6376, &[RFC_6376_KEY], &[PASS]);
    let finding = &findings(RFC_6376, &[RFC_6376_KEY])[0];
    assert_eq!(finding.identity.as_deref(), Some("joe@football.example.com"));

    // Simple: a blank more is a change.
    check(&RFC_6376.replace("game. A", "game.  A"), &[RFC_6376_KEY], &[Outcome::Fail(Fault::BodyHash)]);
    check(&RFC_6376.replace("Joe S", "Joe  S"), &[RFC_6376_KEY], &[Outcome::Fail(Fault::Signature)]);
    // A Received above is not the one that was signed.
    let received = format!("Received: from elsewhere\n{RFC_6376}");
    check(&received, &[RFC_6376_KEY], &[PASS]);
    // t=s forbids i= below d=.
    let strict = (RFC_6376_KEY.0, &*RFC_6376_KEY.1.replace("; p", "; t=s; p"));
    check(RFC_6376, &[strict], &[Outcome::PermError(Fault::DomainMismatch)]);
}

#[test]
fn what_relaxed_forgives_and_what_not() {
    let keys = [RFC_8463_ED25519, RFC_8463_RSA];
    for (from, to, expected) in [
        ("game.  Are you", "game. \t Are  you  ", PASS),
        ("Joe.\n\n", "Joe.\n\n\n \n", PASS),
        ("Joe.\n\n", "Joe.", PASS),
        ("Subject: Is", "SUBJECT :  Is\n\t", PASS),
        ("Subject: Is", "X-Other: added\nSubject: Is", PASS),
        ("Hi.", "Hi. ", PASS),
        ("Hi.", "H i.", Outcome::Fail(Fault::BodyHash)),
        ("Hi.", "\nHi.", Outcome::Fail(Fault::BodyHash)),
        ("dinner", "Dinner", Outcome::Fail(Fault::Signature)),
        ("Subject: Is", "Subject: Another\nSubject: Is", Outcome::Fail(Fault::Signature)),
        ("Subject: Is dinner ready?\n", "", Outcome::Fail(Fault::Signature)),
        (
            "From: Joe",
            "From: x@example.com\nFrom: y@example.com\nFrom: Joe",
            Outcome::PermError(Fault::FromAmbiguous),
        ),
        ("t=1528637909", "t=1528637908", Outcome::Fail(Fault::Signature)),
        ("Date: Fri", "no field\nDate: Fri", Outcome::PermError(Fault::Header)),
    ] {
        check(&RFC_8463.replace(from, to), &keys, &[expected; 2]);
    }
}

#[test]
fn dkimpy_messages() {
    let keys = [RFC_8463_ED25519, RFC_8463_RSA];
    check(data!("rfc6376.signed.msg"), &keys, &[PASS, PASS]);
    check(data!("rfc6376.signed.rsa.msg"), &keys, &[PASS]);
    check(data!("rfc6376.msg"), &keys, &[]);
    // dkimpy keeps it for its missing t=; the signature was made with one.
    check(data!("rfc6376.signed.no_t.msg"), &keys, &[Outcome::Fail(Fault::Signature)]);
    // A folded h= with the colon on the next line, blanks within b=.
    check(data!("test2.message"), &[GMAIL_KEY], &[PASS]);
    // Field names in h= that are absent; d= cut by a line end.
    check(data!("ed25519test2.msg"), &[("sed._domainkey.test.ex", data!("eximtest.dns"))], &[PASS]);
}

#[test]
fn dkimpy_records() {
    for (record, expected) in [
        (data!("test.txt"), Ok(1_024)),
        (data!("2048_testkey_wo_markers.pub.txt"), Ok(2_048)),
        (data!("2048_testkey_wo_markers.pub.rsa.txt"), Ok(2_048)),
        (data!("1024_testkey_wo_markers.pub.rsa.txt"), Ok(1_024)),
        (data!("ed25519test.dns"), Ok(256)),
        (data!("test_tlsrpt.txt"), Err(RecordError::Service)),
        (data!("badk.txt"), Err(RecordError::KeyType)),
        (data!("badversion.txt"), Err(RecordError::Syntax)),
        (data!("test_bad.txt"), Err(RecordError::KeyType)),
        (SHORT_KEY, Err(RecordError::TooShort)),
    ] {
        let read = KeyRecord::parse(record.trim().as_bytes());
        assert_eq!(read.map(|record| record.bits()), expected, "{record}");
    }
}

#[test]
fn dkimpy_keys() {
    let pkcs1 = SigningKey::from_pem(data!("2048_testkey.key")).unwrap();
    let pkcs8 = SigningKey::from_pem(data!("2048_testkey_PKCS8.key")).unwrap();
    for (key, record) in [
        (&pkcs1, data!("2048_testkey_wo_markers.pub.txt")),
        (&pkcs8, data!("2048_testkey_PKCS8.key.pub.txt")),
    ] {
        assert_eq!(key.record(), KeyRecord::parse(record.trim().as_bytes()).unwrap());
    }
    assert!(SigningKey::from_pem(data!("1024_testkey.key")).is_err(), "we sign with 2,048 bits and more");
}
