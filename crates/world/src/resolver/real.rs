//! Servers on the network, asked through hickory. No type of that crate is seen outside this file.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{self, RData, RecordType};
use hickory_resolver::{TokioResolver, system_conf};

use super::limits::{
    ALIASES_MAX, CACHE_RESPONSES_MAX, LOOKUP_TIMEOUT, NEGATIVE_TTL_MAX, POSITIVE_TTL_MAX, QUESTIONS_MAX,
    RETRIES, TRY_TIMEOUT,
};
use super::{Answer, Data, Kind, LookupError, Mx, Name, Security, Trouble};
use crate::Clock;

/// Whom to ask, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Servers that resolve for us, by UDP and TCP; with none, those of `/etc/resolv.conf`, else this machine. Of that file nothing but the
    /// servers is used: a search list would let mail for `host` go to `host.example.org` (RFC 5321 §5.1).
    pub servers: Vec<SocketAddr>,
    /// Whether answers are validated here.
    pub validation: Validation,
    /// How long one try waits.
    pub try_timeout: Duration,
    /// Tries after the first.
    pub retries: usize,
}

/// DNSSEC validation. It is never left to the server: its word for it could be anybody's on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Validation {
    /// Answers are [`Security::Indeterminate`]. The default: behind a server that drops signatures, every name of a
    /// signed zone would be bogus.
    #[default]
    Off,
    /// From the keys of the root zone.
    Root,
    /// From the DNSKEY records of a file, in the format of zone files, and from nothing else: where the root's keys are
    /// not among them, whatever they do not lead to is bogus.
    Anchors(PathBuf),
}

impl Default for Options {
    fn default() -> Self {
        Self { servers: Vec::new(), validation: Validation::Off, try_timeout: TRY_TIMEOUT, retries: RETRIES }
    }
}

/// A resolver that asks servers and keeps their answers as long as they may be kept.
#[derive(Clone)]
pub struct Real(Arc<TokioResolver>);

impl fmt::Debug for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Real")
    }
}

impl Real {
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let config = ResolverConfig::from_parts(None, Vec::new(), servers(&options.servers)?);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(bounds(options));
        if let Validation::Anchors(path) = &options.validation {
            let anchors = TrustAnchors::from_file(path)
                .map_err(|error| format!("the trust anchors cannot be read: {error}"))?;
            builder = builder.with_trust_anchor(Arc::new(anchors));
        }
        builder.build().map(|resolver| Self(Arc::new(resolver))).map_err(|error| error.to_string())
    }

    pub(super) async fn ask(&self, name: &Name, kind: Kind) -> Result<Answer<Data>, LookupError> {
        let asked =
            rr::Name::from_ascii(format!("{}.", name.as_str())).map_err(|_| LookupError::Malformed)?;
        let found = tokio::select! {
            biased;
            found = self.0.lookup(asked.clone(), record_type(kind)) => found,
            () = Clock::Real.sleep(LOOKUP_TIMEOUT) => return Err(LookupError::Temporary(Trouble::TimedOut)),
        };
        read(&asked, kind, &found.map_err(|error| trouble(&error))?)
    }
}

fn servers(named: &[SocketAddr]) -> Result<Vec<NameServerConfig>, String> {
    if named.is_empty() {
        return match fs::read_to_string(RESOLV_CONF) {
            Ok(text) => Ok(system_servers(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(system_servers("")),
            Err(error) => {
                Err(format!("{RESOLV_CONF}, which names the servers to ask, cannot be read: {error}"))
            }
        };
    }
    Ok(named.iter().map(|&address| server(address)).collect())
}

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// RFC 1035 §4.2.
const DNS_PORT: u16 = 53;

/// The servers of a resolv.conf; one that names none means this machine's own, resolv.conf(5). Whatever else it says, and
/// says wrong, is no matter.
fn system_servers(text: &str) -> Vec<NameServerConfig> {
    let names_server = |line: &&str| line.split_ascii_whitespace().next() == Some("nameserver");
    let servers: Vec<&str> = text.lines().filter(names_server).collect();
    match system_conf::parse_resolv_conf(servers.join("\n")) {
        Ok((system, _)) => system.name_servers().to_vec(),
        Err(_) => vec![server(SocketAddr::from((Ipv4Addr::LOCALHOST, DNS_PORT)))],
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    ways.iter_mut().for_each(|way| way.port = address.port());
    // The first server that says a name does not exist is believed: asking them all would triple the time of each
    // misspelt domain.
    NameServerConfig::new(address.ip(), true, ways)
}

fn bounds(options: &Options) -> ResolverOpts {
    let mut bounds = ResolverOpts::default();
    bounds.timeout = options.try_timeout;
    bounds.attempts = options.retries;
    bounds.validate = options.validation != Validation::Off;
    bounds.cache_size = CACHE_RESPONSES_MAX;
    bounds.positive_max_ttl = Some(POSITIVE_TTL_MAX);
    bounds.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    bounds.max_active_requests = QUESTIONS_MAX;
    // Mail goes where the DNS says, not where a file for interactive use does.
    bounds.use_hosts_file = ResolveHosts::Never;
    // They tell which name an answer belongs to.
    bounds.preserve_intermediates = true;
    bounds
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Mx => RecordType::MX,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Txt => RecordType::TXT,
        Kind::Ptr => RecordType::PTR,
    }
}

/// Takes the records that belong to the name asked for, or to what it is an alias of. Others may stand beside them in a
/// response; nobody vouches for those.
fn read(asked: &rr::Name, kind: Kind, lookup: &Lookup) -> Result<Answer<Data>, LookupError> {
    let answers = lookup.answers();
    let (mut name, mut used) = (asked, Vec::new());
    for _ in 0..ALIASES_MAX {
        let alias = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *name => Some((record, &target.0)),
            _ => None,
        });
        let Some((record, target)) = alias else { break };
        used.push(record);
        name = target;
    }
    let own = answers.iter().filter(|record| record.name == *name);
    let (own, records): (Vec<_>, Vec<_>) =
        own.filter_map(|record| Some((record, data(&record.data, kind)?))).unzip();
    used.extend(own);
    if records.is_empty() {
        return Err(LookupError::Malformed);
    }
    let security = security(used.iter().map(|record| record.proof))?;
    let ttl = used.iter().map(|record| record.ttl).min().unwrap_or(0);
    Ok(Answer { records, name: known(name), ttl: Duration::from_secs(ttl.into()), security })
}

fn data(data: &RData, kind: Kind) -> Option<Data> {
    match (data, kind) {
        (RData::MX(mx), Kind::Mx) => {
            Some(Data::Mx(Mx { preference: mx.preference, exchanger: known(&mx.exchange) }))
        }
        (RData::A(address), Kind::A) => Some(Data::A(address.0)),
        (RData::AAAA(address), Kind::Aaaa) => Some(Data::Aaaa(address.0)),
        (RData::TXT(text), Kind::Txt) => Some(Data::Txt(text.txt_data.concat())),
        (RData::PTR(name), Kind::Ptr) => Some(Data::Ptr(known(&name.0))),
        _ => None,
    }
}

fn known(name: &rr::Name) -> Name {
    Name::answered(&name.to_ascii())
}

/// As safe as the least safe record.
fn security(mut proofs: impl Iterator<Item = Proof>) -> Result<Security, LookupError> {
    proofs.try_fold(Security::Secure, |least, proof| match proof {
        Proof::Secure => Ok(least),
        Proof::Insecure => Ok(least.min(Security::Insecure)),
        Proof::Indeterminate => Ok(Security::Indeterminate),
        Proof::Bogus => Err(LookupError::Temporary(Trouble::Bogus)),
    })
}

fn trouble(error: &NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(absence)) if is_referral(absence) => {
            LookupError::Temporary(Trouble::Refused)
        }
        NetError::Dns(DnsError::NoRecordsFound(absence)) => response(absence.response_code),
        NetError::Dns(DnsError::Nsec { response: absence, .. }) => response(absence.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => response(*code),
        NetError::Dns(DnsError::DnssecBogus) => LookupError::Temporary(Trouble::Bogus),
        NetError::Timeout => LookupError::Temporary(Trouble::TimedOut),
        NetError::Busy => LookupError::Temporary(Trouble::Busy),
        NetError::Proto(_) | NetError::Truncated => LookupError::Malformed,
        _ => LookupError::Temporary(Trouble::Unreachable),
    }
}

/// A server that does not resolve for us points to others (RFC 2308 §2.2): no word about whether there are records.
fn is_referral(absence: &NoRecords) -> bool {
    absence.soa.is_none() && absence.ns.is_some() && absence.response_code == ResponseCode::NoError
}

fn response(code: ResponseCode) -> LookupError {
    match code {
        ResponseCode::NXDomain => LookupError::NoSuchDomain,
        ResponseCode::NoError => LookupError::NoRecords,
        ResponseCode::Refused | ResponseCode::NotAuth | ResponseCode::NotImp => {
            LookupError::Temporary(Trouble::Refused)
        }
        _ => LookupError::Temporary(Trouble::ServerFailed),
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::Query;
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::{A, CNAME, NS};

    use super::*;

    fn name(text: &str) -> rr::Name {
        rr::Name::from_ascii(text).unwrap()
    }

    fn a(owner: &str, last: u8, ttl: u32, proof: Proof) -> Record {
        let mut record = Record::from_rdata(name(owner), ttl, RData::A(A::new(192, 0, 2, last)));
        record.proof = proof;
        record
    }

    fn alias(owner: &str, target: &str, ttl: u32, proof: Proof) -> Record {
        let mut record = Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))));
        record.proof = proof;
        record
    }

    fn read_a(answers: Vec<Record>) -> Result<Answer<Data>, LookupError> {
        let query = Query::query(name("www.example.org."), RecordType::A);
        read(&name("www.example.org."), Kind::A, &Lookup::new_with_max_ttl(query, answers))
    }

    #[test]
    fn only_records_of_the_name_and_its_aliases_are_taken() {
        use Proof::{Indeterminate, Insecure, Secure};
        let answer = read_a(vec![
            a("evil.example.com.", 66, 1, Indeterminate),
            a("WWW2.example.org.", 1, 60, Secure),
            alias("www.example.org.", "www2.example.ORG.", 300, Insecure),
        ]);
        assert_eq!(
            answer.unwrap(),
            Answer {
                records: vec![Data::A([192, 0, 2, 1].into())],
                name: Name::parse("www2.example.org").unwrap(),
                ttl: Duration::from_secs(60),
                security: Security::Insecure,
            }
        );
        assert_eq!(read_a(vec![a("other.example.org.", 1, 60, Secure)]), Err(LookupError::Malformed));
        let circle = vec![alias("www.example.org.", "www.example.org.", 60, Secure)];
        assert_eq!(read_a(circle), Err(LookupError::Malformed));
    }

    #[test]
    fn an_answer_is_as_secure_as_its_least_secure_record() {
        use Proof::{Bogus, Indeterminate, Insecure, Secure};
        for (proofs, expected) in [
            ([Secure, Secure], Ok(Security::Secure)),
            ([Insecure, Secure], Ok(Security::Insecure)),
            ([Indeterminate, Insecure], Ok(Security::Indeterminate)),
            ([Secure, Bogus], Err(LookupError::Temporary(Trouble::Bogus))),
        ] {
            let answer = read_a(proofs.map(|proof| a("www.example.org.", 1, 60, proof)).into());
            assert_eq!(answer.map(|answer| answer.security), expected, "{proofs:?}");
        }
    }

    #[test]
    fn only_what_is_certain_is_an_absence() {
        use ResponseCode::{FormErr, NXDomain, NoError, NotImp, Refused, ServFail};
        let absent = |code| {
            let query = Query::query(name("example.org."), RecordType::MX);
            NoRecords::new(query, code)
        };
        for (code, expected) in [
            (NXDomain, LookupError::NoSuchDomain),
            (NoError, LookupError::NoRecords),
            (ServFail, LookupError::Temporary(Trouble::ServerFailed)),
            (FormErr, LookupError::Temporary(Trouble::ServerFailed)),
            (Refused, LookupError::Temporary(Trouble::Refused)),
            (NotImp, LookupError::Temporary(Trouble::Refused)),
        ] {
            assert_eq!(trouble(&DnsError::NoRecordsFound(absent(code)).into()), expected, "{code}");
            assert_eq!(trouble(&DnsError::ResponseCode(code).into()), expected, "{code}");
        }
        let ns = Record::from_rdata(name("org."), 60, RData::NS(NS(name("a.nic.example."))));
        let mut referral = absent(NoError);
        referral.ns = Some(vec![hickory_resolver::net::ForwardNSData { ns, glue: Vec::new().into() }].into());
        let expected = LookupError::Temporary(Trouble::Refused);
        assert_eq!(trouble(&DnsError::NoRecordsFound(referral).into()), expected);
        assert_eq!(trouble(&NetError::Timeout), LookupError::Temporary(Trouble::TimedOut));
        assert_eq!(trouble(&NetError::NoConnections), LookupError::Temporary(Trouble::Unreachable));
        assert_eq!(trouble(&DnsError::DnssecBogus.into()), LookupError::Temporary(Trouble::Bogus));
    }

    #[test]
    fn names_of_strangers_stay_on_one_line() {
        let odd = rr::Name::from_labels([&b"a\r\n\x1b[2J"[..], b"Example", b"org"]).unwrap();
        let shown = known(&odd).to_string();
        assert!(shown.bytes().all(|octet| octet.is_ascii_graphic()), "{shown}");
        assert!(shown.ends_with(".example.org"), "{shown}");
    }

    #[test]
    fn a_system_that_names_no_server_means_itself() {
        for (text, expected) in [
            ("nameserver 192.0.2.53\nnameserver 2001:db8::53\n", &["192.0.2.53", "2001:db8::53"][..]),
            ("search ..\noptions edns0\n# nameserver 192.0.2.1\n  nameserver\t192.0.2.53", &["192.0.2.53"]),
            ("nameserver ns.example.org\n", &["127.0.0.1"]),
            ("", &["127.0.0.1"]),
        ] {
            let servers: Vec<String> =
                system_servers(text).iter().map(|server| server.ip.to_string()).collect();
            assert_eq!(servers, expected, "{text}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let missing = Validation::Anchors("/nonexistent/anchors".into());
        let options = Options {
            servers: vec!["127.0.0.1:53".parse().unwrap()],
            validation: missing,
            ..Options::default()
        };
        let error = Real::new(&options).unwrap_err();
        assert!(error.starts_with("the trust anchors cannot be read"), "{error}");
    }
}
