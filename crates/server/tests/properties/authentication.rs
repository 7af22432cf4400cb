//! `authentication`, `oauth`, `fetch` and certificates that sign in: by SMTP, POP3 and IMAP, as a client says it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::certified::{Authority, Pair, Shows, believing, put};
use crate::harness::{Client, PASSWORD, Place, TLS_NAME};
use crate::issuer::{self, Issuer};

/// Each protocol with TLS from its first byte.
const PROTOCOLS: [&str; 3] = ["submissions", "imaps", "pop3s"];
/// What can be offered beside what is usual, without certificates of clients.
const ADDED: &str = "authentication = [\"plain\", \"oauthbearer\", \"xoauth2\", \"cram-md5\"]\n";
/// EXTERNAL, where clients are asked for a certificate.
const EXTERNAL: &str = "authentication = [\"plain\", \"external\"]\nclient-certificates = \"wanted\"\n";

/// A virtual server for each protocol, called as that, with these properties.
fn servers(name: &str, properties: &str) -> String {
    let server = |protocol: &str| {
        format!(
            "[[virtual-server]]\nname = \"{protocol}{name}\"\nprotocol = \"{protocol}\"\n\
             bind = \"127.0.0.1:0\"\n{properties}\n"
        )
    };
    PROTOCOLS.map(server).concat()
}

/// `oauth` with the keys of an issuer.
pub(crate) fn oauth(issuer: &Issuer) -> String {
    format!(
        "oauth = {{ issuer = \"{}\", audience = \"{}\", keys = \"{}\" }}\n",
        issuer::NAME,
        issuer::AUDIENCE,
        issuer.keys()
    )
}

/// What the server said at last: refused, not offered, not now, or none of these.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    In,
    Refused,
    NotOffered,
    Later,
}

impl Said {
    fn of(reply: &str) -> Self {
        let begins = |with: [&str; 3]| with.iter().any(|text| reply.starts_with(text));
        match reply {
            _ if begins(["235 ", "a OK ", "+OK "]) => Self::In,
            _ if begins(["535 ", "a NO [AUTHENTICATIONFAILED]", "-ERR [AUTH]"]) => Self::Refused,
            _ if begins(["504 ", "a NO [CANNOT]", "-ERR the mechanism is not offered"]) => Self::NotOffered,
            _ if begins(["454 ", "a NO [UNAVAILABLE]", "-ERR [SYS/TEMP]"]) => Self::Later,
            other => panic!("{other:?}"),
        }
    }
}

/// Signs in by a mechanism: what the client says first, and how it answers a challenge, both before base64.
fn sign_in(
    client: &mut Client,
    protocol: &str,
    mechanism: &str,
    first: Option<&str>,
    answer: impl Fn(&str) -> String,
) -> Said {
    let initial = first.map_or(String::new(), |text| match text {
        "" => " =".to_owned(),
        text => format!(" {}", STANDARD.encode(text.replace('^', "\u{1}"))),
    });
    let mut reply = match protocol {
        "submissions" => {
            client.expect("EHLO client.example", "250");
            client.ask(&format!("AUTH {mechanism}{initial}"))
        }
        "imaps" => client.ask(&format!("a AUTHENTICATE {mechanism}{initial}")),
        _ => client.ask(&format!("AUTH {mechanism}{initial}")),
    };
    for _ in 0..2 {
        let challenge = reply.strip_prefix("334 ").or_else(|| reply.strip_prefix("+ "));
        let Some(challenge) = challenge.map(|text| text.trim_end().to_owned()) else { break };
        reply = client.ask(&answer(&challenge));
        if reply.starts_with("* ") || reply.is_empty() {
            reply = client.hear_reply();
        }
    }
    Said::of(&reply)
}

/// A client of OAuth answers a challenge, which is an error, by ^A.
fn by_token(place: &Place, protocol: &str, server: &str, mechanism: &str, login: &str, token: &str) -> Said {
    let message = match mechanism {
        "XOAUTH2" => format!("user={login}^auth=Bearer {token}^^"),
        _ => format!("n,a={login},^host=localhost^port=1^auth=Bearer {token}^^"),
    };
    // POP3 has room for 255 octets in a command: the token comes after an empty challenge.
    let mut client = place.secure_client(server, TLS_NAME);
    let late = protocol == "pop3s";
    let response = STANDARD.encode(message.replace('^', "\u{1}"));
    let answer = |challenge: &str| if challenge.is_empty() { response.clone() } else { "AQ==".to_owned() };
    sign_in(&mut client, protocol, mechanism, (!late).then_some(message.as_str()), answer)
}

#[test]
fn authentication() {
    let issuer = Issuer::start(None);
    let settings = [
        oauth(&issuer),
        "fetch = { allow-private = \"on\" }\n".to_owned(),
        servers("", ""),
        servers("-all", ADDED),
    ];
    let place = Place::start(&["ann", "bob"], &settings.concat());
    let keep =
        ["account", "password", "ann@here.example", "--password-stdin", "--passwords", "with-cram-md5"];
    assert!(place.try_command(&keep, PASSWORD).status.success());
    for protocol in PROTOCOLS {
        let all = format!("{protocol}-all");
        let cram = |server: &str, login: &str, password: &str| {
            let mut client = place.secure_client(server, TLS_NAME);
            let answer = |challenge: &str| {
                let answer = testkit::cram::answer(login, password, challenge.as_bytes()).unwrap();
                String::from_utf8(answer).unwrap()
            };
            sign_in(&mut client, protocol, "CRAM-MD5", None, answer)
        };
        assert_eq!(cram(protocol, "ann@here.example", PASSWORD), Said::NotOffered, "{protocol}");
        for (login, password, said) in [
            ("ann@here.example", PASSWORD, Said::In),
            ("ann@here.example", "wrong", Said::Refused),
            ("bob@here.example", PASSWORD, Said::Refused),
            ("nobody@here.example", PASSWORD, Said::Refused),
        ] {
            assert_eq!(cram(&all, login, password), said, "{protocol} {login} {password}");
        }
        for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
            let anns = issuer.token("ann@here.example");
            let said = by_token(&place, protocol, protocol, mechanism, "ann@here.example", &anns);
            assert_eq!(said, Said::NotOffered, "{protocol} {mechanism}");
            for (login, token, expected) in [
                ("ann@here.example", anns.as_str(), Said::In),
                ("bob@here.example", &anns, Said::Refused),
                ("ann@here.example", "wrong", Said::Refused),
                ("nobody@here.example", &issuer.token("nobody@here.example"), Said::Refused),
            ] {
                let said = by_token(&place, protocol, &all, mechanism, login, token);
                assert_eq!(said, expected, "{protocol} {mechanism} {login}");
            }
        }
        let mut client = place.secure_client(&all, TLS_NAME);
        let external = sign_in(&mut client, protocol, "EXTERNAL", Some(""), |_| String::new());
        assert_eq!(external, Said::NotOffered, "{protocol}: there is no certificate");
    }
}

#[test]
fn oauth_issuer_and_audience() {
    let (issuer, other) = (Issuer::start(None), Issuer::start(None));
    let settings = [
        oauth(&issuer),
        "fetch = { allow-private = \"on\" }\n".to_owned(),
        servers("", "authentication = [\"oauthbearer\"]"),
    ];
    let place = Place::start(&["ann"], &settings.concat());
    let ann = "ann@here.example";
    for (token, expected) in [
        (issuer.token(ann), Said::In),
        (other.token(ann), Said::Refused),
        (issuer.token_for(ann, "another.example", 3600), Said::Refused),
        (issuer.token_for(ann, issuer::AUDIENCE, -3600), Said::Refused),
        (issuer.token_for(ann, issuer::AUDIENCE, 3600).replace('.', ".x"), Said::Refused),
    ] {
        let said = by_token(&place, "submissions", "submissions", "OAUTHBEARER", ann, &token);
        assert_eq!(said, expected, "{token}");
    }
    let place = Place::start(&["ann"], &settings.concat().replacen(issuer::AUDIENCE, "another.example", 1));
    for (audience, expected) in [(issuer::AUDIENCE, Said::Refused), ("another.example", Said::In)] {
        let token = issuer.token_for(ann, audience, 3600);
        let said = by_token(&place, "submissions", "submissions", "OAUTHBEARER", ann, &token);
        assert_eq!(said, expected, "{audience}");
    }
}

#[test]
fn oauth_scope_and_account_claim() {
    let issuer = Issuer::start(None);
    let token = issuer.token("ann@here.example");
    for (more, login, expected) in [
        ("", "ann@here.example", Said::In),
        (", scope = \"mail\"", "ann@here.example", Said::In),
        (", scope = \"files\"", "ann@here.example", Said::Refused),
        (", account-claim = \"login\"", "ann@here.example", Said::Refused),
        (", account-claim = \"login\"", "bob@here.example", Said::In),
    ] {
        let settings = [
            &oauth(&issuer).replace(" }\n", &format!("{more} }}\n")),
            "fetch = { allow-private = \"on\" }\n",
            &servers("", "authentication = [\"oauthbearer\"]"),
        ];
        let place = Place::start(&["ann", "bob"], &settings.concat());
        let said = by_token(&place, "imaps", "imaps", "OAUTHBEARER", login, &token);
        assert_eq!(said, expected, "{more} {login}");
    }
}

#[test]
fn oauth_introspection() {
    let issuer = Issuer::start(None);
    let files = tempfile::tempdir().unwrap();
    let secret = files.path().join("secret");
    put(&secret, &format!("{}\n", issuer::SECRET));
    let oauth = format!(
        "oauth = {{ issuer = \"{}\", audience = \"{}\", introspection = \"{}\", client = \"{}\", \
         client-secret-file = \"{}\" }}\nfetch = {{ allow-private = \"on\" }}\n",
        issuer::NAME,
        issuer::AUDIENCE,
        issuer.introspection(),
        issuer::CLIENT,
        secret.display()
    );
    let place = Place::start(&["ann"], &[oauth, servers("", ADDED)].concat());
    let ann = "ann@here.example";
    for protocol in PROTOCOLS {
        for (token, expected) in
            [("opaque.ann", Said::In), ("opaque.nobody", Said::Refused), ("wrong", Said::Refused)]
        {
            assert_eq!(
                by_token(&place, protocol, protocol, "XOAUTH2", ann, token),
                expected,
                "{protocol} {token}"
            );
        }
    }
    // With the keys alone nobody is asked.
    let keys = [self::oauth(&issuer), "fetch = { allow-private = \"on\" }\n".into(), servers("", ADDED)];
    let place = Place::start(&["ann"], &keys.concat());
    assert_eq!(by_token(&place, "imaps", "imaps", "XOAUTH2", ann, "opaque.ann"), Said::Refused);
}

/// An issuer at an address of this machine is not asked unless that is allowed.
#[test]
fn fetch_allow_private() {
    let issuer = Issuer::start(None);
    let token = issuer.token("ann@here.example");
    for (fetch, expected) in [("", Said::Later), ("fetch = { allow-private = \"on\" }\n", Said::In)] {
        let place = Place::start(&["ann"], &[&oauth(&issuer), fetch, &servers("", ADDED)].concat());
        let said = by_token(&place, "imaps", "imaps", "OAUTHBEARER", "ann@here.example", &token);
        assert_eq!(said, expected, "{fetch}");
    }
}

/// An issuer whose certificate leads to no authority of the system is believed if the settings name its own.
#[test]
fn fetch_authorities() {
    let authority = Authority::new("An authority of the issuer");
    let issuer = Issuer::start(Some(&authority.certify(&["127.0.0.1"])));
    let files = tempfile::tempdir().unwrap();
    let pem = files.path().join("authority.pem");
    put(&pem, &authority.pem);
    let token = issuer.token("ann@here.example");
    let named = format!("fetch = {{ allow-private = \"on\", authorities = [\"{}\"] }}\n", pem.display());
    for (fetch, expected) in [("fetch = { allow-private = \"on\" }\n", Said::Later), (&named, Said::In)] {
        let place = Place::start(&["ann"], &[&oauth(&issuer), fetch, &servers("", ADDED)].concat());
        let said = by_token(&place, "imaps", "imaps", "OAUTHBEARER", "ann@here.example", &token);
        assert_eq!(said, expected, "{fetch}");
    }
}

/// A place whose clients may show certificates of an authority, and the files.
fn with_authority(authority: &Authority) -> (Place, tempfile::TempDir) {
    let files = tempfile::tempdir().unwrap();
    let pem = files.path().join("clients.pem");
    put(&pem, &authority.pem);
    let tls = format!("tls.client-certificate-authorities = [\"{}\"]\n", pem.display());
    let servers = [servers("", ""), servers("-all", EXTERNAL)].concat();
    (Place::start(&["ann", "bob"], &[tls, servers].concat()), files)
}

/// EXTERNAL: an email in a certificate of an authority that is named opens that account; a fingerprint the account that it
/// was given to, whoever issued the certificate.
#[test]
fn authentication_external() {
    let (authority, stranger) = (Authority::new("An authority"), Authority::new("A stranger"));
    let (place, _files) = with_authority(&authority);
    let (named, forged) =
        (authority.certify_person("ann@here.example"), stranger.certify_person("ann@here.example"));
    let given = stranger.certify_person("somebody@elsewhere.example");
    let server = std::fs::read_to_string(server::certificates::authority(&place.data())).unwrap();
    let by = |protocol: &str, server_name: &str, pair: &Pair, authorization: &str| {
        let (trust, _) = Shows::by(&believing(&server), Some(pair));
        let mut client = place.connect(server_name).trusting(trust).secure(TLS_NAME).greeted();
        sign_in(&mut client, protocol, "EXTERNAL", Some(authorization), |_| String::new())
    };
    for protocol in PROTOCOLS {
        let all = format!("{protocol}-all");
        assert_eq!(by(protocol, protocol, &named, ""), Said::NotOffered, "{protocol}");
        for (pair, authorization, expected) in [
            (&named, "", Said::In),
            (&named, "ann@here.example", Said::In),
            (&named, "bob@here.example", Said::Refused),
            (&forged, "", Said::Refused),
            (&given, "", Said::Refused),
        ] {
            assert_eq!(by(protocol, &all, pair, authorization), expected, "{protocol} {authorization:?}");
        }
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &given.der());
    let fingerprint: String = digest.as_ref().iter().map(|octet| format!("{octet:02X}")).collect();
    place.command(&["account", "certificate", "add", "bob@here.example", &fingerprint]);
    let listed = place.command(&["account", "certificate", "list", "bob@here.example"]);
    assert!(listed.contains(&format!("sha256:{}", fingerprint.to_lowercase())), "{listed}");
    for protocol in PROTOCOLS {
        assert_eq!(by(protocol, &format!("{protocol}-all"), &given, ""), Said::In, "{protocol}");
    }
    place.command(&["account", "certificate", "remove", "bob@here.example", &fingerprint]);
    assert_eq!(by("imaps", "imaps-all", &given, ""), Said::Refused);
}
