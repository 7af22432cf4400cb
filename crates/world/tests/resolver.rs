//! The real resolver against a name server on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::dns::{Dns, Mood, Signed, Transport, Zones};
use world::Resolver;
use world::resolver::{LookupError, Mx, Name, Options, Security, Trouble, Validation};

const EXAMPLE: &str = r#"
@        MX    20 mx2
@        MX    10 MX1
@        TXT   "v=spf1 " "-all"
mx1      A     192.0.2.1
mx1      AAAA  2001:db8::1
mx2      A     192.0.2.2
www      CNAME mx1
far      CNAME mx.example.net.
lost     CNAME gone
dangling CNAME gone.example.net.
circle   CNAME circle2
circle2  CNAME circle
none     MX    0 .
a.b.c    A     192.0.2.3
_dmarc   TXT   "v=DMARC1; p=none"
"#;

async fn serve() -> Dns {
    let many: String = (0..200).map(|n| format!("many A 192.0.2.{n}\n")).collect();
    Zones::new()
        .zone("example.org", &format!("{EXAMPLE}{many}"))
        .zone("example.net", "mx A 198.51.100.7")
        .zone("2.0.192.in-addr.arpa", "1 PTR mx1.example.org.")
        .serve()
        .await
}

fn ask(servers: &[SocketAddr]) -> Resolver {
    let try_timeout = Duration::from_millis(200);
    let options = Options { servers: servers.into(), try_timeout, retries: 1, ..Options::default() };
    Resolver::real(&options).expect("these options are fine")
}

/// Asks and validates, from the keys of the signed zones.
fn validate(dns: &Dns) -> Resolver {
    let file = tempfile::NamedTempFile::new().expect("there is a place for files");
    std::io::Write::write_all(&mut file.as_file(), dns.anchors().as_bytes()).expect("files can be written");
    let options = Options {
        servers: vec![dns.address()],
        validation: Validation::Anchors(file.path().into()),
        try_timeout: Duration::from_millis(500),
        retries: 0,
    };
    Resolver::real(&options).expect("these options are fine")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("tests write names")
}

#[tokio::test]
async fn each_type_of_record_is_found_with_its_ttl() {
    let dns = serve().await;
    let resolver = ask(&[dns.address()]);
    let mut mx = resolver.mx(&name("Example.ORG")).await.unwrap();
    mx.records.sort();
    let exchanger = |preference, text| Mx { preference, exchanger: name(text) };
    assert_eq!(mx.records, [exchanger(10, "mx1.example.org"), exchanger(20, "mx2.example.org")]);
    assert_eq!((mx.ttl, mx.security), (Duration::from_secs(300), Security::Indeterminate));
    assert_eq!(mx.name, name("example.org"));
    let null = resolver.mx(&name("none.example.org")).await.unwrap();
    assert!(null.records[0].exchanger.is_root());

    let mx1 = name("mx1.example.org");
    assert_eq!(resolver.a(&mx1).await.unwrap().records[0].to_string(), "192.0.2.1");
    assert_eq!(resolver.aaaa(&mx1).await.unwrap().records[0].to_string(), "2001:db8::1");
    assert_eq!(resolver.txt(&name("example.org")).await.unwrap().records, [b"v=spf1 -all"]);
    assert_eq!(resolver.txt(&name("_dmarc.example.org")).await.unwrap().records.len(), 1);
    let reverse = Name::reverse("192.0.2.1".parse().unwrap());
    assert_eq!(resolver.ptr(&reverse).await.unwrap().records, [mx1]);
}

#[tokio::test]
async fn aliases_are_followed_within_a_zone_and_beyond() {
    let dns = serve().await;
    let resolver = ask(&[dns.address()]);
    for (asked, owner, address) in [
        ("www.example.org", "mx1.example.org", "192.0.2.1"),
        ("far.example.org", "mx.example.net", "198.51.100.7"),
    ] {
        let answer = resolver.a(&name(asked)).await.unwrap();
        assert_eq!((answer.name.as_str(), answer.records[0].to_string().as_str()), (owner, address));
    }
}

#[tokio::test]
async fn absence_and_trouble_are_told_apart() {
    let dns = serve().await;
    dns.set_mood("broken.example.org", Mood::ServFail);
    dns.set_mood("closed.example.org", Mood::Refused);
    dns.set_mood("silent.example.org", Mood::Silent);
    let resolver = ask(&[dns.address()]);
    for (asked, expected) in [
        ("gone.example.org", LookupError::NoSuchDomain),
        ("lost.example.org", LookupError::NoSuchDomain),
        ("dangling.example.org", LookupError::NoSuchDomain),
        ("b.c.example.org", LookupError::NoRecords),
        ("example.org", LookupError::NoRecords),
        ("broken.example.org", LookupError::Temporary(Trouble::ServerFailed)),
        ("closed.example.org", LookupError::Temporary(Trouble::Refused)),
        ("silent.example.org", LookupError::Temporary(Trouble::TimedOut)),
        ("example.com", LookupError::Temporary(Trouble::Refused)),
    ] {
        assert_eq!(resolver.a(&name(asked)).await.unwrap_err(), expected, "{asked}");
    }
}

#[tokio::test]
async fn a_circle_of_aliases_ends() {
    let dns = serve().await;
    let circle = ask(&[dns.address()]).a(&name("circle.example.org")).await;
    assert!(circle.is_err(), "{circle:?}");
    assert!(dns.asked().len() < 100, "{}", dns.asked().len());
}

#[tokio::test]
async fn what_does_not_fit_a_datagram_comes_by_tcp() {
    let dns = serve().await;
    let answer = ask(&[dns.address()]).a(&name("many.example.org")).await.unwrap();
    assert_eq!(answer.records.len(), 200);
    let ways: Vec<Transport> = dns.asked().iter().map(|asked| asked.by).collect();
    assert_eq!(ways, [Transport::Udp, Transport::Tcp]);
}

#[tokio::test]
async fn answers_and_absences_are_kept_but_trouble_is_not() {
    let dns = serve().await;
    let resolver = ask(&[dns.address()]);
    dns.set_mood("mx2.example.org", Mood::Refused);
    for _ in 0..3 {
        resolver.a(&name("mx1.example.org")).await.unwrap();
        resolver.a(&name("gone.example.org")).await.unwrap_err();
    }
    let asked: Vec<String> = dns.asked().into_iter().map(|asked| asked.name).collect();
    assert_eq!(asked, ["mx1.example.org", "gone.example.org"]);
    resolver.a(&name("mx2.example.org")).await.unwrap_err();
    dns.set_mood("mx2.example.org", Mood::Well);
    resolver.a(&name("mx2.example.org")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_silent_is_replaced_by_the_next() {
    let (silent, dns) = (serve().await, serve().await);
    silent.set_mood("", Mood::Silent);
    let answer = ask(&[silent.address(), dns.address()]).a(&name("mx1.example.org")).await.unwrap();
    assert_eq!(answer.records.len(), 1);
}

#[tokio::test]
async fn a_name_without_a_dot_stands_for_itself() {
    let dns = serve().await;
    ask(&[dns.address()]).mx(&name("host")).await.unwrap_err();
    assert!(!dns.asked().is_empty() && dns.asked().iter().all(|asked| asked.name == "host"));
}

#[tokio::test]
async fn nobody_there_is_trouble() {
    let dns = serve().await;
    let address = dns.address();
    drop(dns);
    let error = ask(&[address]).mx(&name("example.org")).await.unwrap_err();
    assert!(matches!(error, LookupError::Temporary(_)), "{error}");
}

#[tokio::test]
async fn what_is_signed_is_validated_from_its_anchor() {
    let dns = Zones::new()
        .signed("example.org", EXAMPLE, Signed::Yes)
        .signed("example.com", EXAMPLE, Signed::WithForeignKey)
        .serve()
        .await;
    let resolver = validate(&dns);
    let mx = resolver.mx(&name("example.org")).await.unwrap();
    assert_eq!((mx.security, mx.records.len()), (Security::Secure, 2));
    let alias = resolver.a(&name("www.example.org")).await.unwrap();
    assert_eq!((alias.security, alias.name.as_str()), (Security::Secure, "mx1.example.org"));
    for (asked, expected) in [
        ("gone.example.org", LookupError::NoSuchDomain),
        ("mx2.example.org", LookupError::NoRecords),
        ("mx1.example.com", LookupError::Temporary(Trouble::Bogus)),
        ("gone.example.com", LookupError::Temporary(Trouble::Bogus)),
    ] {
        assert_eq!(resolver.aaaa(&name(asked)).await.unwrap_err(), expected, "{asked}");
    }
}

#[tokio::test]
async fn what_nobody_signed_is_not_secure() {
    let dns = Zones::new()
        .signed("example.org", "plain NS ns.plain\nns.plain A 127.0.0.1", Signed::Yes)
        .zone("plain.example.org", "@ A 192.0.2.8")
        .zone("example.net", "@ A 192.0.2.9")
        .serve()
        .await;
    let resolver = validate(&dns);
    let plain = resolver.a(&name("plain.example.org")).await.unwrap();
    assert_eq!(plain.security, Security::Insecure);
    for (asked, expected) in [
        ("plain.example.org", LookupError::NoRecords),
        ("gone.plain.example.org", LookupError::NoSuchDomain),
        // No anchor says anything of it, so nothing proves that it need not be signed.
        ("example.net", LookupError::Temporary(Trouble::Bogus)),
    ] {
        assert_eq!(resolver.aaaa(&name(asked)).await.unwrap_err(), expected, "{asked}");
    }
}
