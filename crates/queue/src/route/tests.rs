use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use world::resolver::{Simulated, Trouble, Weather, Zone};
use world::{Clock, Dice, Resolver};

use super::*;

fn rules() -> Rules {
    Rules {
        names: [name("us.example.net")].into(),
        addresses: ["203.0.113.9".parse().unwrap()].into(),
        port: 25,
        families: Families::Both,
        reach: Reach::Public,
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn zone(lines: &str) -> Zone {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).fold(Zone::new(), |zone, line| {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [owner, "MX", preference, exchanger] => zone.mx(owner, preference.parse().unwrap(), exchanger),
            [owner, "CNAME", target] => zone.alias(owner, target),
            [owner, "A" | "AAAA", address] => zone.address(owner, address.parse().unwrap()),
            _ => panic!("{line}"),
        }
    })
}

/// The route of a host under a clear sky, in words: what it ends in, then the reasons.
fn shown(route: &Route) -> String {
    let mut text = match &route.end {
        End::Hops(hops) => hops
            .iter()
            .map(|hop| {
                let name = hop.name.as_ref().map_or("-".to_owned(), Name::to_string);
                format!("{} {} {name}\n", hop.preference, hop.address)
            })
            .collect(),
        End::Deferred(diagnostic) => format!("deferred {}\n", diagnostic.status),
        End::Failed(diagnostic) => format!("failed {}\n", diagnostic.status),
    };
    for reason in &route.reasons {
        text.push_str(&format!("- {reason}\n"));
    }
    text
}

async fn route(host: &str, rules: &Rules, simulated: &Simulated) -> Route {
    let host = Host::parse(host).unwrap();
    find(&host, rules, &Resolver::Simulated(simulated.clone()), &Dice::seeded(1)).await
}

fn simulated(lines: &str) -> Simulated {
    Simulated::new(Clock::Real, zone(lines))
}

#[track_caller]
fn check(host: &str, rules: &Rules, lines: &str, expected: Expect) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let route = runtime.block_on(route(host, rules, &simulated(lines)));
    expected.assert_eq(&shown(&route));
}

#[test]
fn exchangers_come_in_order_of_preference_and_families_take_turns() {
    check(
        "example.org",
        &rules(),
        "example.org MX 20 b.example.org
         example.org MX 10 a.example.org
         a.example.org A 192.0.2.1
         a.example.org A 192.0.2.2
         a.example.org A 192.0.2.3
         a.example.org AAAA 2001:db8::1
         a.example.org AAAA 2001:db8::2
         b.example.org A 192.0.2.4",
        expect![[r#"
            10 [2001:db8::1]:25 a.example.org
            10 192.0.2.1:25 a.example.org
            10 [2001:db8::2]:25 a.example.org
            10 192.0.2.2:25 a.example.org
            10 192.0.2.3:25 a.example.org
            20 192.0.2.4:25 b.example.org
            - example.org names 2 mail exchangers
        "#]],
    );
}

#[test]
fn without_exchangers_a_domain_is_its_own() {
    let lines = "example.org A 192.0.2.1";
    check(
        "example.org",
        &rules(),
        lines,
        expect![[r#"
            0 192.0.2.1:25 example.org
            - example.org names no mail exchanger, so its own addresses are used
        "#]],
    );
    check(
        "us.example.net",
        &rules(),
        "us.example.net A 192.0.2.1",
        expect![[r#"
            failed 5.4.6
            - us.example.net names no mail exchanger, so its own addresses are used
            - us.example.net is none of our domains; if it should be: waxseal domain add us.example.net
            - mail for us.example.net would come back to this server
        "#]],
    );
    check(
        "example.org",
        &rules(),
        "www.example.org A 192.0.2.1",
        expect![[r#"
            failed 5.1.2
            - example.org names no mail exchanger, so its own addresses are used
            - example.org is left out: it has no address
            - example.org cannot take mail: example.org is left out: it has no address
        "#]],
    );
}

#[test]
fn exchangers_that_cannot_be_used_are_no_reason_to_use_the_domain_itself() {
    check(
        "example.org",
        &rules(),
        "example.org MX 10 gone.example.org
         example.org MX 20 bare.example.org
         example.org A 192.0.2.1
         bare.example.org MX 1 x.example.org",
        expect![[r#"
            failed 5.4.4
            - example.org names 2 mail exchangers
            - gone.example.org is left out: the name does not exist
            - bare.example.org is left out: it has no address
            - none of the mail exchangers of example.org can be used: bare.example.org is left out: it has no address
        "#]],
    );
}

#[test]
fn what_does_not_exist_and_what_takes_no_mail() {
    check(
        "example.org",
        &rules(),
        "",
        expect![[r#"
            failed 5.1.2
            - the domain example.org does not exist
        "#]],
    );
    check(
        "example.org",
        &rules(),
        "example.org MX 0 .\nexample.org A 192.0.2.1",
        expect![[r#"
            failed 5.1.10
            - the domain example.org takes no mail (null MX)
        "#]],
    );
    // RFC 7505 §3 forbids this to the zone's owner; the exchangers that there are still count.
    check(
        "example.org",
        &rules(),
        "example.org MX 0 .\nexample.org MX 10 a.example.org\na.example.org A 192.0.2.1",
        expect![[r#"
            10 192.0.2.1:25 a.example.org
            - example.org names 2 mail exchangers
        "#]],
    );
}

#[test]
fn a_list_that_contains_us_stops_at_our_preference() {
    let lines = "example.org MX 10 a.example.org
         example.org MX 20 us.example.net
         example.org MX 20 b.example.org
         example.org MX 30 c.example.org
         a.example.org A 192.0.2.1
         b.example.org A 203.0.113.9
         c.example.org A 192.0.2.3";
    check(
        "example.org",
        &rules(),
        lines,
        expect![[r#"
            10 192.0.2.1:25 a.example.org
            - example.org names 4 mail exchangers
            - we are us.example.net, so hosts of preference 20 and above are left out
        "#]],
    );
    // Under another name, but at our address.
    let nameless = Rules { names: BTreeSet::new(), ..rules() };
    check(
        "example.org",
        &nameless,
        lines,
        expect![[r#"
            10 192.0.2.1:25 a.example.org
            - example.org names 4 mail exchangers
            - we are b.example.org, so hosts of preference 20 and above are left out
        "#]],
    );
    let best = Rules { names: [name("a.example.org")].into(), ..rules() };
    check(
        "example.org",
        &best,
        lines,
        expect![[r#"
            failed 5.4.6
            - example.org names 4 mail exchangers
            - we are a.example.org, so hosts of preference 10 and above are left out
            - example.org is none of our domains; if it should be: waxseal domain add example.org
            - mail for example.org would come back to this server
        "#]],
    );
}

#[test]
fn aliases_are_followed_and_told_of() {
    check(
        "www.example.org",
        &rules(),
        "www.example.org CNAME example.org
         example.org MX 10 alias.example.org
         alias.example.org CNAME host.example.com
         host.example.com AAAA 2001:db8::1
         host.example.com A 192.0.2.1",
        expect![[r#"
            10 [2001:db8::1]:25 alias.example.org
            10 192.0.2.1:25 alias.example.org
            - www.example.org is an alias of example.org
            - www.example.org names one mail exchanger
            - alias.example.org is an alias of host.example.com, which is followed though RFC 5321 does not provide for it
        "#]],
    );
}

#[test]
fn strangers_do_not_lead_us_inside() {
    let lines = "example.org MX 10 a.example.org
         a.example.org A 127.0.0.1
         a.example.org A 0.0.0.0
         a.example.org AAAA ::ffff:10.0.0.1
         a.example.org A 192.0.2.1";
    check(
        "example.org",
        &rules(),
        lines,
        expect![[r#"
            10 192.0.2.1:25 a.example.org
            - example.org names one mail exchanger
            - 10.0.0.1 of a.example.org is left out: it is an address of a private network
            - 127.0.0.1 of a.example.org is left out: it means this machine
            - 0.0.0.0 of a.example.org is left out: it means this machine
        "#]],
    );
    let anywhere = Rules { reach: Reach::Anywhere, port: 2525, ..rules() };
    check(
        "example.org",
        &anywhere,
        "example.org MX 10 a.example.org\na.example.org A 127.0.0.1",
        expect![[r#"
            10 127.0.0.1:2525 a.example.org
            - example.org names one mail exchanger
        "#]],
    );
}

#[test]
fn literals_need_no_question() {
    for (literal, expected) in [
        (
            "[192.0.2.1]",
            expect![[r#"
                0 192.0.2.1:25 -
                - [192.0.2.1] is an address itself
            "#]],
        ),
        (
            "[IPv6:2001:db8::1]",
            expect![[r#"
                0 [2001:db8::1]:25 -
                - [IPv6:2001:db8::1] is an address itself
            "#]],
        ),
        (
            "[127.0.0.1]",
            expect![[r#"
                failed 5.1.2
                - [127.0.0.1] is an address itself
                - 127.0.0.1 is left out: it means this machine
                - [127.0.0.1] cannot take mail: 127.0.0.1 is left out: it means this machine
            "#]],
        ),
        (
            "[203.0.113.9]",
            expect![[r#"
                failed 5.4.6
                - [203.0.113.9] is an address itself
                - we are 203.0.113.9, so hosts of preference 0 and above are left out
                - mail for [203.0.113.9] would come back to this server
            "#]],
        ),
        (
            "[x400:c=us]",
            expect![[r#"
                failed 5.1.2
                - [x400:c=us] is no kind of address that is known here
            "#]],
        ),
    ] {
        check(literal, &rules(), "", expected);
    }
}

#[test]
fn one_family_alone() {
    let lines = "example.org MX 10 a.example.org
         example.org MX 20 b.example.org
         a.example.org AAAA 2001:db8::1
         b.example.org A 192.0.2.1";
    let only = |families| Rules { families, ..rules() };
    check(
        "example.org",
        &only(Families::Ipv4),
        lines,
        expect![[r#"
            20 192.0.2.1:25 b.example.org
            - example.org names 2 mail exchangers
            - a.example.org is left out: it has no IPv4 address, and no other is used here
        "#]],
    );
    check(
        "example.org",
        &only(Families::Ipv6),
        lines,
        expect![[r#"
            10 [2001:db8::1]:25 a.example.org
            - example.org names 2 mail exchangers
            - b.example.org is left out: it has no IPv6 address, and no other is used here
        "#]],
    );
}

fn smart(hosts: &[(&str, u16)]) -> Vec<SmartHost> {
    let host = |&(host, port): &(&str, u16)| SmartHost { host: Host::parse(host).unwrap(), port };
    hosts.iter().map(host).collect()
}

#[tokio::test]
async fn smart_hosts_keep_their_order_and_their_ports() {
    let hosts = smart(&[
        ("relay1.example.com", 587),
        ("[127.0.0.1]", 10025),
        ("[x400:c=us]", 25),
        ("us.example.net", 26),
    ]);
    let table = simulated("relay1.example.com A 192.0.2.1\nus.example.net A 203.0.113.9");
    let route = smart_hosts(&hosts).found(&rules(), &Resolver::Simulated(table)).await;
    expect![[r#"
        0 192.0.2.1:587 relay1.example.com
        1 127.0.0.1:10025 -
        3 203.0.113.9:26 us.example.net
        - the settings say where this mail goes
        - [x400:c=us] is left out: it is no kind of address that is known here
    "#]]
    .assert_eq(&shown(&route));
}

#[tokio::test]
async fn mail_waits_for_a_smart_host_that_is_misspelt() {
    let resolver = Resolver::Simulated(simulated(""));
    for hosts in [&[("relay1.example.com", 587)][..], &[("[x400:c=us]", 25)], &[]] {
        let route = smart_hosts(&smart(hosts)).found(&rules(), &resolver).await;
        let End::Deferred(diagnostic) = &route.end else { panic!("{route:?}") };
        assert_eq!(diagnostic.status.to_string(), "4.3.5", "{diagnostic:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_defers_only_what_has_no_other_way() {
    let lines = "example.org MX 10 a.example.org
         example.org MX 20 b.example.org
         a.example.org A 192.0.2.1
         b.example.org A 192.0.2.2";
    for (over, weather, expected) in [
        ("a.example.org", Weather::ServFail, Ok(1)),
        ("a.example.org", Weather::Nothing, Ok(1)),
        ("a.example.org", Weather::Slow(Duration::from_secs(3)), Ok(2)),
        (".", Weather::ServFail, Err("4.4.3")),
        (".", Weather::Nothing, Err("4.4.3")),
        (".", Weather::Changed(zone("")), Err("5.1.2")),
    ] {
        let clock = Clock::simulated(mail::Timestamp(0));
        let table = Simulated::new(clock, zone(lines));
        table.set_weather(&name(over), weather.clone());
        let route = route("example.org", &rules(), &table).await;
        let end = match &route.end {
            End::Hops(hops) => Ok(hops.len()),
            End::Deferred(diagnostic) | End::Failed(diagnostic) => Err(diagnostic.status.to_string()),
        };
        assert_eq!(end, expected.map_err(str::to_owned), "{over} {weather:?}: {route:?}");
    }
}

#[test]
fn an_absence_that_is_in_doubt_defers() {
    let doubt = || Err(LookupError::Temporary(Trouble::ServerFailed));
    let answer = Answer {
        records: vec![Mx { preference: 10, exchanger: name("a.example.org") }],
        name: name("example.org"),
        ttl: Duration::ZERO,
        security: Security::Secure,
    };
    let domain = Domain::parse("example.org").unwrap();
    let candidates = exchangers(&domain, Ok(answer), &rules(), &mut || 0).unwrap();
    for found in [
        Some(Found { a: Err(LookupError::NoRecords), aaaa: doubt() }),
        Some(Found { a: Err(LookupError::Malformed), aaaa: Err(LookupError::NoSuchDomain) }),
        None,
    ] {
        let found = found.into_iter().map(|found| (name("a.example.org"), found)).collect();
        let route = candidates.clone().resolved(&found, &rules());
        assert!(matches!(&route.end, End::Deferred(d) if d.status.to_string() == "4.4.3"), "{route:?}");
    }
    for error in [LookupError::Malformed, LookupError::Temporary(Trouble::Bogus)] {
        let route = exchangers(&domain, Err(error), &rules(), &mut || 0).unwrap_err();
        assert!(matches!(&route.end, End::Deferred(d) if d.status.to_string() == "4.4.3"), "{route:?}");
    }
}

#[tokio::test]
async fn a_way_is_as_secure_as_its_weakest_part() {
    let security = [Security::Secure, Security::Insecure, Security::Indeterminate];
    for of_mx in security {
        for of_address in security {
            let answer = Answer {
                records: vec![Mx { preference: 10, exchanger: name("a.example.org") }],
                name: name("example.org"),
                ttl: Duration::ZERO,
                security: of_mx,
            };
            let domain = Domain::parse("example.org").unwrap();
            let candidates = exchangers(&domain, Ok(answer), &rules(), &mut || 0).unwrap();
            let table = zone("a.example.org A 192.0.2.1").security(of_address);
            let resolver = Resolver::Simulated(Simulated::new(Clock::Real, table));
            let route = candidates.found(&rules(), &resolver).await;
            let End::Hops(hops) = route.end else { panic!("{route:?}") };
            assert_eq!(hops[0].security, of_mx.min(of_address));
        }
    }
}

#[tokio::test]
async fn equal_preference_is_shuffled() {
    let lines = "example.org MX 10 a.example.org\nexample.org MX 10 b.example.org
         a.example.org A 192.0.2.1\nb.example.org A 192.0.2.2";
    let resolver = Resolver::Simulated(simulated(lines));
    let host = Host::parse("example.org").unwrap();
    let dice = Dice::seeded(3);
    let mut first = BTreeMap::new();
    for _ in 0..200 {
        let End::Hops(hops) = find(&host, &rules(), &resolver, &dice).await.end else { panic!() };
        *first.entry(hops[0].address).or_insert(0) += 1;
    }
    assert_eq!(first.len(), 2);
    assert!(first.values().all(|count| (60..=140).contains(count)), "{first:?}");
}

/// Exchangers and their addresses drawn from few, so that they meet each other and us.
fn tables() -> impl Strategy<Value = Vec<(u16, u8, Vec<u8>)>> {
    prop::collection::vec((0u16..6, 0u8..40, prop::collection::vec(0u8..=255, 0..20)), 1..40)
}

proptest! {
    #[test]
    fn every_route_keeps_the_rules(table in tables(), seed: u64, ours in 0u8..60) {
        let rules = Rules {
            names: [name(&format!("mx{ours}.example.org"))].into(),
            addresses: [IpAddr::from([192, 0, 2, ours])].into(),
            ..rules()
        };
        let mut lines = String::new();
        for (preference, host, addresses) in &table {
            lines.push_str(&format!("example.org MX {preference} mx{host}.example.org\n"));
            for last in addresses {
                let address = if last % 7 == 0 { format!("127.0.0.{last}") } else { format!("192.0.2.{last}") };
                lines.push_str(&format!("mx{host}.example.org A {address}\n"));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let resolver = Resolver::Simulated(simulated(&lines));
        let host = Host::parse("example.org").unwrap();
        let dice = || Dice::seeded(seed);
        let route = runtime.block_on(find(&host, &rules, &resolver, &dice()));
        prop_assert_eq!(&route, &runtime.block_on(find(&host, &rules, &resolver, &dice())));
        prop_assert!(!route.reasons.is_empty());
        prop_assert!(!matches!(route.end, End::Deferred(_)), "nothing was in doubt: {route:?}");
        let End::Hops(hops) = &route.end else { return Ok(()) };
        let cut = table.iter().filter(|(_, host, _)| *host == ours).map(|(preference, ..)| *preference).min();
        prop_assert!((1..=HOPS_MAX).contains(&hops.len()));
        prop_assert!(hops.is_sorted_by_key(|hop| hop.preference));
        let distinct: BTreeSet<_> = hops.iter().map(|hop| hop.address).collect();
        prop_assert_eq!(distinct.len(), hops.len());
        for hop in hops {
            prop_assert!(cut.is_none_or(|cut| hop.preference < cut), "{cut:?} {hop:?}");
            prop_assert!(!rules.addresses.contains(&hop.address.ip()) && !hop.address.ip().is_loopback());
            let of_host = hops.iter().filter(|other| other.name == hop.name).count();
            prop_assert!(of_host <= HOST_ADDRESSES_MAX);
        }
    }
}

fn of(text: &str, ours: &[&str]) -> Rules {
    let settings = settings::resolve(&format!("host-name = \"us.example.net\"\n{text}")).unwrap();
    let ours: Vec<IpAddr> = ours.iter().map(|text| text.parse().unwrap()).collect();
    Rules::of(&settings, &settings.delivery, &ours)
}

#[test]
fn mail_would_come_back_where_a_server_takes_it() {
    let ours = ["127.0.0.1", "192.0.2.1", "2001:db8::1"];
    let server =
        |bind: &str| format!("[[virtual-server]]\nname = \"in\"\nprotocol = \"smtp\"\nbind = {bind}");
    for (text, expected) in [
        // All of both families, unless something else is said.
        (String::new(), &["127.0.0.1", "192.0.2.1", "2001:db8::1"][..]),
        (server("\"0.0.0.0:25\""), &["127.0.0.1", "192.0.2.1"]),
        (server("\"192.0.2.1:25\""), &["192.0.2.1"]),
        // Also one that no interface has: another machine may send it here.
        (server("[\"[2001:db8::1]:25\", \"198.51.100.1:25\"]"), &["198.51.100.1", "2001:db8::1"]),
        (server("\"[::]:2525\""), &[]),
        (format!("[delivery]\noutbound-port = 2525\n{}", server("\"192.0.2.1:2525\"")), &["192.0.2.1"]),
        ("[[virtual-server]]\nname = \"in\"\nprotocol = \"submission\"\nbind = \"[::]:25\"".into(), &[]),
    ] {
        let addresses: Vec<String> = of(&text, &ours).addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, expected, "{text}");
    }
    assert_eq!(of("", &ours).names, [name("us.example.net")].into());
}

#[test]
fn a_family_is_used_if_it_leads_out() {
    for (sources, ours, expected) in [
        (&[][..], &["127.0.0.1", "::1", "192.0.2.1", "fe80::1"][..], Families::Ipv4),
        (&[], &["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"], Families::Both),
        (&[], &["127.0.0.1", "::1", "169.254.0.1", "2001:db8::1"], Families::Ipv6),
        (&[], &["127.0.0.1", "::1"], Families::Ipv4),
        (&[], &[], Families::Ipv4),
        (&["192.0.2.1"], &["192.0.2.1", "2001:db8::1"], Families::Both),
        (&["2001:db8::1"], &["127.0.0.1"], Families::Ipv6),
    ] {
        let read = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let families = Families::of(&read(sources), &read(ours), Reach::Public);
        assert_eq!(families, expected, "{sources:?} {ours:?}");
    }
    let loopback = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    assert_eq!(Families::of(&[], &loopback, Reach::Anywhere), Families::Both);
}
