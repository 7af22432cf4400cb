//! TLS over memory with a certificate authority of the test's own.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod toy;

use std::sync::Arc;
use std::time::Duration;

use protocol::{End, TlsFacts};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use toy::authority::Authority;
use toy::{Pair, Setup, line_of};
use wire::Tls;
use wire::tls::{Authorities, Certificates, ClientCertificates, Error, Minimum, Pem, Terms};

const BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

fn name(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).unwrap()
}

fn pair(tls: Tls) -> Pair {
    Pair::new(Setup { tls, buffer: 16 * 1024, ..Setup::default() })
}

fn offered(authority: &Authority, names: &[&str]) -> (Arc<Certificates>, Pair) {
    let pems: Vec<Pem> = names.iter().map(|name| authority.certify(name)).collect();
    let certificates = Arc::new(Certificates::new(&pems).unwrap());
    let pair = pair(Tls::Offered(certificates.clone()));
    (certificates, pair)
}

async fn starttls(pair: &mut Pair, client: &TlsConnector, to: &str) -> TlsStream<DuplexStream> {
    pair.expect(&["hi"]).await;
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["go"]).await;
    client.connect(name(to), pair.client.take().unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_session_is_told_what_tls_it_has() {
    let authority = Authority::new();
    for (version, says, cipher) in [
        (&rustls::version::TLS13, "TLS1.3", "TLS_AES_256_GCM_SHA384"),
        (&rustls::version::TLS12, "TLS1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    ] {
        let (_, mut pair) = offered(&authority, &["mx.example.org"]);
        let mut stream = starttls(&mut pair, &authority.client(&[version]), "MX.example.org").await;
        stream.write_all(b"ECHO sealed\r\nQUIT\r\n").await.unwrap();
        assert_eq!(line_of(&mut stream).await, "sealed");
        let tls = pair.live.row().tls.unwrap();
        assert_eq!((tls.version.as_str(), tls.cipher.as_str()), (says, cipher));
        assert_eq!(tls.server_name.as_deref(), Some("mx.example.org"));
        assert_eq!(line_of(&mut stream).await, "bye");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "close_notify");
        let (end, log) = pair.ended().await;
        assert_eq!((end, log.len()), (End::Closed, 5));
        assert_eq!(log[2], format!("secured {tls:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn implicit_tls_comes_before_the_first_step() {
    let authority = Authority::new();
    let certificates = Certificates::new(&[authority.certify("mx.example.org")]).unwrap();
    let mut pair = pair(Tls::Implicit(Arc::new(certificates)));
    assert!(pair.silent().await, "nothing is said in clear text");
    let client = pair.client.take().unwrap();
    let mut stream = authority.client(&BOTH).connect(name("mx.example.org"), client).await.unwrap();
    assert_eq!(line_of(&mut stream).await, "hi");
    drop(stream);
    let (end, log) = pair.ended().await;
    assert_eq!((end, log.len()), (End::Cut, 2));
    assert_eq!(log[0], "for mx.example.org", "the handler is told first, so that it can choose other terms");
    assert!(log[1].starts_with("secured"));
}

#[tokio::test(start_paused = true)]
async fn when_tls_ends_the_connection_ends() {
    let authority = Authority::new();
    let (_, mut pair) = offered(&authority, &["mx.example.org"]);
    let mut stream = starttls(&mut pair, &authority.client(&BOTH), "mx.example.org").await;
    stream.write_all(b"ECHO a\r\n").await.unwrap();
    assert_eq!(line_of(&mut stream).await, "a");
    // close_notify, and then clear text on the same transport.
    let (transport, session) = stream.get_mut();
    session.send_close_notify();
    let mut notify = Vec::new();
    session.write_tls(&mut notify).unwrap();
    transport.write_all(&notify).await.unwrap();
    let _ = transport.write_all(b"ECHO clear\r\n").await;
    let (end, log) = pair.ended().await;
    assert_eq!((end, log.len()), (End::Cut, 4), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_starttls_are_given_to_the_session_before_the_switch() {
    let authority = Authority::new();
    let (_, mut pair) = offered(&authority, &["mx.example.org"]);
    pair.expect(&["hi"]).await;
    pair.send("STARTTLS\r\nECHO injected\r\n").await;
    pair.expect(&["refused"]).await;
    let (end, log) = pair.ended().await;
    assert_eq!((end, log), (End::Closed, vec!["STARTTLS".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn clear_text_instead_of_a_handshake_cuts_the_connection_and_is_not_executed() {
    let authority = Authority::new();
    let (_, mut pair) = offered(&authority, &["mx.example.org"]);
    pair.expect(&["hi"]).await;
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["go"]).await;
    pair.send("ECHO injected\r\n").await;
    let (end, log) = pair.ended().await;
    assert_eq!((end, log), (End::Cut, vec!["STARTTLS".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_go_on_is_cut_and_one_that_is_terminated_ends() {
    let authority = Authority::new();
    for terminated in [false, true] {
        let (_, mut pair) = offered(&authority, &["mx.example.org"]);
        pair.expect(&["hi"]).await;
        pair.send("STARTTLS\r\n").await;
        pair.expect(&["go"]).await;
        let (clock, began) = (pair.clock.clone(), pair.clock.now());
        pair.rest().await;
        if terminated {
            pair.registry.terminate(pair.live.id());
        }
        let client = pair.client.take();
        let (end, _) = pair.ended().await;
        let passed = clock.now() - began;
        if terminated {
            assert!(end == End::Terminated && passed < Duration::from_secs(1));
        } else {
            assert_eq!((end, passed), (End::Cut, wire::limits::HANDSHAKE_DEADLINE));
        }
        drop(client);
    }
}

#[tokio::test(start_paused = true)]
async fn tls_that_is_not_configured_cuts_the_connection() {
    let mut pair = pair(Tls::Off);
    pair.expect(&["hi"]).await;
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["go"]).await;
    assert_eq!(pair.ended().await.0, End::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_under_tls_is_dropped_at_the_write_deadline() {
    let authority = Authority::new();
    let (_, mut pair) = offered(&authority, &["mx.example.org"]);
    let mut stream = starttls(&mut pair, &authority.client(&BOTH), "mx.example.org").await;
    let clock = pair.clock.clone();
    stream.write_all(b"BIG 300000\r\n").await.unwrap();
    let began = clock.now();
    assert_eq!(pair.ended().await.0, End::WriteDeadline);
    assert!(clock.now() - began <= wire::limits::WRITE_DEADLINE + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn much_output_passes_through_tls_whole() {
    let authority = Authority::new();
    let (_, mut pair) = offered(&authority, &["mx.example.org"]);
    let mut stream = starttls(&mut pair, &authority.client(&BOTH), "mx.example.org").await;
    stream.write_all(b"ASKBIG 50 30000\r\nECHO end\r\n").await.unwrap();
    for _ in 0..50 {
        assert_eq!(line_of(&mut stream).await.len(), 30_000);
    }
    assert_eq!(line_of(&mut stream).await, "end");
}

/// The names of the certificate that a client is shown, who asks for `to`.
async fn shown(authority: &Authority, certificates: &Arc<Certificates>, to: &str) -> Vec<u8> {
    let mut pair = pair(Tls::Offered(certificates.clone()));
    let stream = starttls(&mut pair, &authority.client(&BOTH), to).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn der(pem: &Pem) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(&pem.chain).unwrap().to_vec()
}

#[tokio::test(start_paused = true)]
async fn the_certificate_follows_the_server_name_and_can_be_replaced() {
    let authority = Authority::new();
    let pems = [authority.certify("mx.example.org"), authority.certify("*.example.net")];
    let certificates = Arc::new(Certificates::new(&pems).unwrap());
    assert_eq!(shown(&authority, &certificates, "mx.example.org").await, der(&pems[0]));
    assert_eq!(shown(&authority, &certificates, "imap.example.net").await, der(&pems[1]));
    let renewed = authority.certify("mx.example.org");
    certificates.replace(std::slice::from_ref(&renewed)).unwrap();
    assert_eq!(shown(&authority, &certificates, "mx.example.org").await, der(&renewed));
    assert!(matches!(certificates.replace(&[]), Err(Error::Empty)));
    assert_eq!(shown(&authority, &certificates, "mx.example.org").await, der(&renewed));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_certificate_has_gets_the_first() {
    let authority = Authority::new();
    let (_, mut pair) = offered(&authority, &["mx.example.org", "mx.example.net"]);
    pair.expect(&["hi"]).await;
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["go"]).await;
    let client = pair.client.take().unwrap();
    let refused = authority.client(&BOTH).connect(name("other.example"), client).await.unwrap_err();
    assert!(refused.to_string().contains("mx.example.org"), "the client sees the default's name: {refused}");
    assert_eq!(pair.ended().await.0, End::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_client_resumes_its_session_after_the_certificates_were_replaced() {
    let authority = Authority::new();
    let certificates = Arc::new(Certificates::new(&[authority.certify("mx.example.org")]).unwrap());
    for version in BOTH {
        let client = authority.client(&[version]);
        for resumed in [false, true] {
            let mut pair = pair(Tls::Offered(certificates.clone()));
            let mut stream = starttls(&mut pair, &client, "mx.example.org").await;
            stream.write_all(b"ECHO x\r\n").await.unwrap();
            assert_eq!(line_of(&mut stream).await, "x");
            let kind = stream.get_ref().1.handshake_kind();
            let version = stream.get_ref().1.protocol_version();
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed, "{version:?} {kind:?}");
            assert!(matches!(version, Some(ProtocolVersion::TLSv1_2 | ProtocolVersion::TLSv1_3)));
        }
        certificates.replace(&[authority.certify("mx.example.org")]).unwrap();
    }
}

/// A handshake and a line; what the server was told, or none if the client did not get that far.
async fn told(certificates: &Arc<Certificates>, client: &TlsConnector) -> Option<TlsFacts> {
    let mut pair = pair(Tls::Offered(certificates.clone()));
    pair.expect(&["hi"]).await;
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["go"]).await;
    let mut stream = client.connect(name("mx.example.org"), pair.client.take().unwrap()).await.ok()?;
    stream.write_all(b"ECHO x\r\n").await.ok()?;
    // In TLS 1.3 it is here that a client hears of its refusal.
    if stream.read(&mut [0; 16]).await.is_ok_and(|octets| octets > 0) {
        return pair.live.row().tls;
    }
    assert_eq!(pair.ended().await.0, End::Cut);
    None
}

fn terms(clients: ClientCertificates) -> Terms {
    Terms { clients, ..Terms::default() }
}

#[tokio::test(start_paused = true)]
async fn versions_below_the_minimum_are_refused() {
    let authority = Authority::new();
    let certificates = Certificates::new(&[authority.certify("mx.example.org")]).unwrap();
    for (minimum, old_is_served) in [(Minimum::V1_2, true), (Minimum::V1_3, false)] {
        let view = Arc::new(certificates.on(&Terms { minimum, ..Terms::default() }).unwrap());
        let old = told(&view, &authority.client(&[&rustls::version::TLS12])).await;
        assert_eq!(old.is_some(), old_is_served);
        assert_eq!(told(&view, &authority.client(&BOTH)).await.unwrap().version, "TLS1.3");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_known_by_its_certificate_also_when_it_resumes() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let certificates = Certificates::new(&[authority.certify("mx.example.org")]).unwrap();
    let own = authority.certify("mara.example.org");
    for version in BOTH {
        for (asked, pem, served, verified) in [
            (ClientCertificates::Off, Some(&own), true, None),
            (ClientCertificates::Wanted(Some(authority.authorities())), Some(&own), true, Some(true)),
            (ClientCertificates::Wanted(Some(stranger.authorities())), Some(&own), true, Some(false)),
            (ClientCertificates::Wanted(None), Some(&own), true, Some(false)),
            (ClientCertificates::Wanted(Some(authority.authorities())), None, true, None),
            (ClientCertificates::Required(authority.authorities()), Some(&own), true, Some(true)),
            (ClientCertificates::Required(stranger.authorities()), Some(&own), false, None),
            (ClientCertificates::Required(authority.authorities()), None, false, None),
        ] {
            let view = Arc::new(certificates.on(&terms(asked.clone())).unwrap());
            let client = match pem {
                Some(pem) => authority.client_showing(pem, &[version]),
                None => authority.client(&[version]),
            };
            for resumed in [false, true] {
                let facts = told(&view, &client).await;
                assert_eq!(facts.is_some(), served, "{asked:?} {resumed}");
                let Some(facts) = facts else { continue };
                let names = facts.certificate.as_ref().map(|certificate| certificate.names.clone());
                assert_eq!(names, verified.map(|_| vec!["mara.example.org".into()]), "{asked:?} {resumed}");
                assert_eq!(facts.verified, verified == Some(true), "{asked:?} {resumed}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_for_nothing_does_not_resume_where_a_certificate_is_required() {
    let authority = Authority::new();
    let open = Arc::new(Certificates::new(&[authority.certify("mx.example.org")]).unwrap());
    let guarded = Arc::new(open.on(&terms(ClientCertificates::Required(authority.authorities()))).unwrap());
    for version in BOTH {
        let client = authority.client(&[version]);
        assert!(told(&open, &client).await.is_some());
        assert!(told(&guarded, &client).await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn every_view_shows_what_was_replaced_in_one() {
    let authority = Authority::new();
    let first = Arc::new(Certificates::new(&[authority.certify("mx.example.org")]).unwrap());
    let other = Arc::new(first.on(&Terms { minimum: Minimum::V1_3, ..Terms::default() }).unwrap());
    let renewed = authority.certify("mx.example.org");
    first.replace(std::slice::from_ref(&renewed)).unwrap();
    assert_eq!(shown(&authority, &other, "mx.example.org").await, der(&renewed));
    assert_eq!(other.shown()[0].names, ["mx.example.org"]);
}

#[tokio::test(start_paused = true)]
async fn an_acme_authority_is_shown_its_answer_and_nobody_else() {
    let authority = Authority::new();
    let own = authority.certify("mx.example.org");
    let certificates = Arc::new(Certificates::new(std::slice::from_ref(&own)).unwrap());
    let answer = authority.certify("mx.example.org");
    certificates.answer_challenges(&[("mx.example.org".into(), answer.clone())]).unwrap();
    for (protocols, expected) in [
        (vec!["acme-tls/1"], &answer),
        (vec!["acme-tls/1", "http/1.1"], &own),
        (vec!["http/1.1"], &own),
        (vec![], &own),
    ] {
        let mut config = (**authority.client(&BOTH).config()).clone();
        config.alpn_protocols = protocols.into_iter().map(Into::into).collect();
        let mut pair = pair(Tls::Implicit(certificates.clone()));
        let client: TlsConnector = Arc::new(config).into();
        let mut stream = client.connect(name("mx.example.org"), pair.client.take().unwrap()).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec(), der(expected));
        if expected == &answer {
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"acme-tls/1".as_slice()));
            assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "nothing is said in this protocol");
        } else {
            assert_eq!(line_of(&mut stream).await, "hi");
        }
    }
    certificates.answer_challenges(&[]).unwrap();
    assert_eq!(certificates.shown().len(), 1);
}

#[test]
fn authorities_that_cannot_be_used_are_named() {
    assert!(matches!(Authorities::new(&[]), Err(Error::Empty)));
    assert!(matches!(Authorities::new(&[b"nonsense".to_vec()]), Err(Error::Authority { index: 0 })));
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let (good, other) = (authority.certify("a.example"), authority.certify("b.example"));
    let check = |chain: &[u8], key: &[u8]| {
        let bad = Pem { chain: chain.into(), key: key.into() };
        Certificates::new(&[good.clone(), bad]).unwrap_err().to_string()
    };
    assert_eq!(check(b"", &good.key), "certificate 1: the chain has no certificate in PEM form");
    assert_eq!(check(&good.chain, b"nonsense"), "certificate 1: the key is no private key in PEM form");
    assert!(check(&good.chain, &other.key).starts_with("certificate 1: "));
    assert_eq!(Certificates::new(&[]).unwrap_err().to_string(), "no certificate is given");
    assert!(!format!("{good:?}").contains("PRIVATE"));
}
