//! Routes found by asking a name server.

use std::collections::BTreeSet;
use std::time::Duration;

use mail::Host;
use queue::route::{End, Families, Reach, Route, Rules, find};
use testkit::dns::{Dns, Mood, Zones};
use world::resolver::Options;
use world::{Dice, Resolver};

async fn route(dns: &Dns, host: &str) -> Route {
    let options = Options {
        servers: vec![dns.address()],
        try_timeout: Duration::from_millis(200),
        retries: 0,
        ..Options::default()
    };
    let resolver = Resolver::real(&options).expect("these options are fine");
    let rules = Rules {
        names: BTreeSet::new(),
        addresses: BTreeSet::new(),
        port: 25,
        families: Families::Both,
        reach: Reach::Public,
    };
    let host = Host::parse(host).expect("tests write hosts");
    find(&host, &rules, &resolver, &Dice::seeded(1)).await
}

/// Addresses, or the code with which mail waits or fails.
fn shown(route: &Route) -> String {
    match &route.end {
        End::Hops(hops) => {
            let hops: Vec<String> = hops.iter().map(|hop| hop.address.to_string()).collect();
            hops.join(" ")
        }
        End::Deferred(diagnostic) | End::Failed(diagnostic) => diagnostic.status.to_string(),
    }
}

#[tokio::test]
async fn each_kind_of_domain_has_its_end() {
    let zone = "@ MX 10 mx1\n@ MX 20 mx2.example.net.\nmx1 A 192.0.2.1\nmx1 AAAA 2001:db8::1\n\
        none MX 0 .\nbare A 192.0.2.3\nempty TXT nothing\nlost MX 10 gone\nalias CNAME example.org.\n\
        inside MX 10 here\nhere A 127.0.0.1\nbroken MX 10 mx.broken";
    let dns = Zones::new().zone("example.org", zone).zone("example.net", "mx2 A 192.0.2.2").serve().await;
    dns.set_mood("broken.example.org", Mood::ServFail);
    let both = "[2001:db8::1]:25 192.0.2.1:25 192.0.2.2:25";
    for (host, expected) in [
        ("example.org", both),
        ("alias.example.org", both),
        ("bare.example.org", "192.0.2.3:25"),
        ("[192.0.2.9]", "192.0.2.9:25"),
        ("none.example.org", "5.1.10"),
        ("gone.example.org", "5.1.2"),
        ("empty.example.org", "5.1.2"),
        ("lost.example.org", "5.4.4"),
        ("inside.example.org", "5.4.4"),
        ("broken.example.org", "4.4.3"),
        ("example.com", "4.4.3"),
    ] {
        let route = route(&dns, host).await;
        assert_eq!(shown(&route), expected, "{host}: {:?}", route.reasons);
    }
    dns.set_mood("mx1.example.org", Mood::Silent);
    assert_eq!(shown(&route(&dns, "example.org").await), "192.0.2.2:25");
    dns.set_mood("", Mood::Silent);
    assert_eq!(shown(&route(&dns, "example.org").await), "4.4.3");
}
