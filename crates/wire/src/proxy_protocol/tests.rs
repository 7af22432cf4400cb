use proptest::prelude::*;

use super::*;

/// Reads as a connection does: only as many octets as are said to be missing. What was read, and how many octets.
fn taken(sent: &[u8]) -> (Result<Option<Header>, Malformed>, usize) {
    let mut have = 0;
    loop {
        match parse(&sent[..have]) {
            Ok(Progress::Done(header)) => return (Ok(Some(header)), have),
            Ok(Progress::More(missing)) if have + missing <= sent.len() => {
                assert!(missing > 0);
                have += missing;
            }
            Ok(Progress::More(_)) => return (Ok(None), have),
            Err(malformed) => return (Err(malformed), have),
        }
    }
}

fn read_line(line: &str) -> Result<Option<Header>, Malformed> {
    taken(line.as_bytes()).0
}

fn peer(text: &str) -> Result<Option<Header>, Malformed> {
    Ok(Some(Header::For(text.parse().unwrap())))
}

fn binary_header(version_and_command: u8, family_and_protocol: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap();
    let mut header = SIGNATURE.to_vec();
    header.extend([version_and_command, family_and_protocol]);
    header.extend(length.to_be_bytes());
    header.extend(rest);
    header
}

#[test]
fn lines_say_whom_the_proxy_speaks_for() {
    let longest = format!("PROXY TCP6 {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":"));
    let table: &[(&str, Result<Option<Header>, Malformed>)] = &[
        ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n", peer("192.0.2.7:56324")),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", peer("255.255.255.255:65535")),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n", peer("192.0.2.7:0")),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", peer("[2001:db8::7]:1")),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", peer("192.0.2.7:1")),
        (&longest, peer("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")),
        ("PROXY UNKNOWN\r\n", Ok(Some(Header::Own))),
        ("PROXY UNKNOWN anything at all\r\n", Ok(Some(Header::Own))),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 2", Ok(None)),
        ("", Ok(None)),
    ];
    for (line, expected) in table {
        assert_eq!(&read_line(line), expected, "{line:?}");
    }
}

#[test]
fn whatever_does_not_match_exactly_is_malformed() {
    let too_long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_MAX));
    for line in [
        "EHLO client.example\r\n",
        "proxy TCP4 192.0.2.7 198.51.100.1 56324 25\r\n",
        "PROXY  TCP4 192.0.2.7 198.51.100.1 56324 25\r\n",
        "PROXY TCP4 192.0.2.7  198.51.100.1 56324 25\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 25 \r\n",
        "PROXY TCP4 192.0.2.07 198.51.100.1 56324 25\r\n",
        "PROXY TCP4 192.0.2 198.51.100.1 56324 25\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 56324 25\r\n",
        "PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 025\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 25\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 56324 25\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\n  ",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r  ",
        "PROXY UNKNOWNX\r\n ",
        "PROXY \r\n                 ",
        &too_long,
    ] {
        assert_eq!(read_line(line), Err(Malformed), "{line:?}");
    }
}

#[test]
fn binary_headers_say_the_same() {
    let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0, 25];
    let mut v6 = [0; 36];
    v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
    v6[32..34].copy_from_slice(&[0, 1]);
    let authority = [&v4[..], &[2, 0, 4], b"mail"].concat();
    let own = Ok(Some(Header::Own));
    let table = [
        (binary_header(0x21, 0x11, &v4), peer("192.0.2.7:56324")),
        (binary_header(0x21, 0x21, &v6), peer("[2001:db8::7]:1")),
        (binary_header(0x21, 0x11, &authority), peer("192.0.2.7:56324")),
        (binary_header(0x20, 0x00, &[]), own),
        (binary_header(0x20, 0x11, &v4), own),
        (binary_header(0x20, 0x11, &[]), own),
        (binary_header(0x21, 0x00, &[]), own),
        (binary_header(0x21, 0x12, &v4), own),
        (binary_header(0x21, 0x31, &[0; 216]), own),
        (binary_header(0x21, 0x11, &v4[..11]), Err(Malformed)),
        (binary_header(0x21, 0x21, &v4), Err(Malformed)),
        (binary_header(0x11, 0x11, &v4), Err(Malformed)),
        (binary_header(0x22, 0x11, &v4), Err(Malformed)),
        (binary_header(0x21, 0x41, &v4), Err(Malformed)),
        (binary_header(0x21, 0x13, &v4), Err(Malformed)),
        (binary_header(0x20, 0x41, &[]), Err(Malformed)),
        (binary_header(0x21, 0x11, &[0; PROXY_HEADER_MAX]), Err(Malformed)),
    ];
    for (octets, expected) in table {
        assert_eq!(taken(&octets).0, expected, "{}", octets.escape_ascii());
    }
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<([u8; 4], u16)>().prop_map(|(octets, port)| (Ipv4Addr::from(octets), port).into());
    let v6 = any::<([u8; 16], u16)>().prop_map(|(octets, port)| (Ipv6Addr::from(octets), port).into());
    prop_oneof![v4, v6]
}

/// Both forms of the header for a client.
fn headers(client: SocketAddr, more: &[u8]) -> [Vec<u8>; 2] {
    let (family, code) = if client.is_ipv4() { ("TCP4", 0x11) } else { ("TCP6", 0x21) };
    let octets = match client.ip() {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let ports = [client.port().to_be_bytes(), [0, 25]].concat();
    let line = format!("PROXY {family} {0} {0} {1} 25\r\n", client.ip(), client.port());
    [line.into_bytes(), binary_header(0x21, code, &[&octets[..], &octets, &ports, more].concat())]
}

proptest! {
    #[test]
    fn no_octet_after_a_header_is_taken(
        client in address(),
        more in prop::collection::vec(any::<u8>(), 0..40),
        after in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for header in headers(client, &more) {
            let sent = [&header[..], &after].concat();
            let expected = Header::For(canonical(client));
            prop_assert_eq!(taken(&sent), (Ok(Some(expected)), header.len()));
        }
    }

    #[test]
    fn a_header_that_is_cut_is_awaited(client in address(), at in any::<prop::sample::Index>()) {
        for header in headers(client, b"") {
            let cut = &header[..at.index(header.len())];
            prop_assert_eq!(taken(cut).0, Ok(None));
        }
    }

    #[test]
    fn octets_are_read_to_an_end(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_, octets_taken) = taken(&octets);
        prop_assert!(octets_taken <= octets.len());
    }
}
