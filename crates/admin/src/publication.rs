//! What the DNS should say of a domain and of this host, what it says, and what follows from the difference. Pure: who asks
//! the DNS is the caller.

use std::fmt;
use std::net::IpAddr;

use mail::Domain;
use serde::{Deserialize, Serialize};
use world::resolver::Name;

use crate::response::TxtRecord;

/// A record that should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Whose record, without a dot at the end.
    pub name: String,
    /// `MX`, `A`, `AAAA`, `TXT` or `PTR`.
    pub kind: String,
    /// As a zone has it: `10 mail.example.org.`, `v=spf1 mx -all`.
    pub value: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Others find the server of the domain (RFC 5321 §5.1).
    Exchanger,
    /// The host has this address.
    Host,
    /// The address has this host: many refuse mail from an address without.
    Reverse,
    /// Who may send for the domain (RFC 7208).
    Senders,
    /// What the domain signs can be verified (RFC 6376).
    Signature,
    /// What others do with mail that claims the domain falsely (RFC 7489).
    Policy,
}

/// What the DNS says for a [`Wanted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These values; none: there is no such name or no record of the kind.
    Values(Vec<String>),
    /// It could not be found out.
    Unknown(String),
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// In one word.
    pub state: State,
    /// What is so; ends without a full stop.
    pub said: String,
    /// What mends it; empty where nothing is to be done.
    pub cure: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Good,
    /// It works, or may work; somebody should look at it.
    Look,
    /// It does not work.
    Bad,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Bad => "BAD",
        })
    }
}

impl Finding {
    /// As it should be.
    pub fn good(said: impl Into<String>) -> Self {
        Self { state: State::Good, said: said.into(), cure: String::new() }
    }

    /// Somebody should look.
    pub fn look(said: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { state: State::Look, said: said.into(), cure: cure.into() }
    }

    /// It does not work.
    pub fn bad(said: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { state: State::Bad, said: said.into(), cure: cure.into() }
    }
}

/// What is to be published for a domain whose mail comes to this host. `addresses` are the public ones of the host; where
/// it has none of its own (it stands behind a router), its records cannot be told.
///
/// ```
/// let records = admin::publication::wanted(
///     &"example.org".parse().unwrap(),
///     &"mail.example.org".parse().unwrap(),
///     &["192.0.2.1".parse().unwrap()],
///     &[],
/// );
/// assert_eq!(records[0].to_string(), "example.org. IN MX 10 mail.example.org.");
/// ```
pub fn wanted(domain: &Domain, host: &Domain, addresses: &[IpAddr], keys: &[TxtRecord]) -> Vec<Wanted> {
    let record = |name: &str, kind: &str, value: String, purpose| Wanted {
        name: name.to_owned(),
        kind: kind.to_owned(),
        value,
        purpose,
    };
    let (domain, host) = (domain.as_str(), host.as_str());
    let mut records = vec![record(domain, "MX", format!("10 {host}."), Purpose::Exchanger)];
    for address in addresses {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        records.push(record(host, kind, address.to_string(), Purpose::Host));
        records.push(record(Name::reverse(*address).as_str(), "PTR", format!("{host}."), Purpose::Reverse));
    }
    records.push(record(domain, "TXT", "v=spf1 mx -all".into(), Purpose::Senders));
    let key = |key: &TxtRecord| record(&key.name, "TXT", key.value.clone(), Purpose::Signature);
    records.extend(keys.iter().map(key));
    let policy = format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}");
    records.push(record(&format!("_dmarc.{domain}"), "TXT", policy, Purpose::Policy));
    records
}

impl fmt::Display for Wanted {
    /// As a zone file has it; a long text in several strings (RFC 1035 §5.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. IN {} ", self.name, self.kind)?;
        match self.kind.as_str() {
            "TXT" if self.value.len() <= STRING_OCTETS => write!(f, "\"{}\"", self.value),
            "TXT" => {
                f.write_str("(")?;
                for string in self.value.as_bytes().chunks(STRING_OCTETS) {
                    write!(f, "\n    \"{}\"", String::from_utf8_lossy(string))?;
                }
                f.write_str(" )")
            }
            _ => f.write_str(&self.value),
        }
    }
}

/// Octets in one string. The DNS would take 255; a line that a terminal does not break is pasted whole.
const STRING_OCTETS: usize = 68;

/// Compares what should be there with what is.
pub fn judge(wanted: &Wanted, found: &Found) -> Finding {
    let values = match found {
        Found::Values(values) => values,
        Found::Unknown(why) => {
            let said = format!("{} {} could not be looked up: {why}", wanted.name, wanted.kind);
            return Finding::look(said, "try again; if it stays so, ask whoever serves the zone");
        }
    };
    match wanted.purpose {
        Purpose::Exchanger => exchanger(wanted, values),
        Purpose::Host => host(wanted, values),
        Purpose::Reverse => reverse_name(wanted, values),
        Purpose::Senders => senders(wanted, values),
        Purpose::Signature => signature(wanted, values),
        Purpose::Policy => policy(wanted, values),
    }
}

fn publish(wanted: &Wanted) -> String {
    format!("publish: {wanted}")
}

fn exchanger(wanted: &Wanted, values: &[String]) -> Finding {
    let host =
        |value: &str| value.rsplit(' ').next().unwrap_or_default().trim_end_matches('.').to_lowercase();
    let ours = host(&wanted.value);
    if values.is_empty() {
        return Finding::bad(
            format!("{} has no MX record, so others do not find this server", wanted.name),
            publish(wanted),
        );
    }
    if !values.iter().any(|value| host(value) == ours) {
        let theirs: Vec<_> = values.iter().map(|value| host(value)).collect();
        return Finding::bad(
            format!("mail for {} goes to {}, not to {ours}", wanted.name, theirs.join(", ")),
            publish(wanted),
        );
    }
    match values.len() {
        1 => Finding::good(format!("mail for {} comes to {ours}", wanted.name)),
        count => {
            Finding::good(format!("mail for {} comes to {ours} (one of {count} exchangers)", wanted.name))
        }
    }
}

fn host(wanted: &Wanted, values: &[String]) -> Finding {
    match values {
        _ if values.contains(&wanted.value) => Finding::good(format!("{} is {}", wanted.name, wanted.value)),
        [] => Finding::bad(format!("{} has no {} record", wanted.name, wanted.kind), publish(wanted)),
        _ => Finding::look(
            format!("{} is {}, and this machine has {}", wanted.name, values.join(", "), wanted.value),
            format!("if nothing forwards the ports to this machine, {}", publish(wanted)),
        ),
    }
}

fn reverse_name(wanted: &Wanted, values: &[String]) -> Finding {
    let plain = |value: &str| value.trim_end_matches('.').to_lowercase();
    if values.iter().any(|value| plain(value) == plain(&wanted.value)) {
        return Finding::good(format!("{} leads back to {}", wanted.name, plain(&wanted.value)));
    }
    let said = match values {
        [] => format!("{} does not exist, so many will not take mail from this address", wanted.name),
        _ => format!("{} is {}, not {}", wanted.name, values.join(", "), plain(&wanted.value)),
    };
    let cure = format!("whoever gave you the address sets this, often on the page of the machine: {wanted}");
    Finding::look(said, cure)
}

fn senders(wanted: &Wanted, values: &[String]) -> Finding {
    let records: Vec<_> = values.iter().filter(|value| is_version(value, "v=spf1")).collect();
    let [record] = records[..] else {
        let (said, cure) = match records.len() {
            0 => (format!("{} does not say who may send for it (SPF)", wanted.name), publish(wanted)),
            _ => (
                format!(
                    "{} has {} SPF records, which counts as an error (RFC 7208 §3.2)",
                    wanted.name,
                    records.len()
                ),
                "keep one of them".to_owned(),
            ),
        };
        return Finding::look(said, cure);
    };
    let mut terms = record.split_ascii_whitespace().skip(1).map(|term| term.trim_start_matches('+'));
    if terms.any(|term| term.eq_ignore_ascii_case("mx") || term.to_ascii_lowercase().starts_with("mx/")) {
        return Finding::good(format!("{} lets its exchangers send (SPF)", wanted.name));
    }
    Finding::look(
        format!("{} has the SPF record `{record}`, which does not name its exchangers", wanted.name),
        "see that it lets this host send; `mx` after `v=spf1` does",
    )
}

fn signature(wanted: &Wanted, values: &[String]) -> Finding {
    let key = |value: &str| {
        let mut tags = value.split(';').filter_map(|tag| tag.split_once('='));
        let key = tags
            .find(|(name, _)| name.trim() == "p")
            .map(|(_, key)| key.split_whitespace().collect::<String>());
        key.unwrap_or_default()
    };
    let ours = key(&wanted.value);
    match values {
        _ if values.iter().any(|value| key(value) == ours) => {
            Finding::good(format!("{} has our key (DKIM)", wanted.name))
        }
        [] => Finding::bad(
            format!("{} does not exist, so what we sign cannot be verified (DKIM)", wanted.name),
            publish(wanted),
        ),
        _ => Finding::bad(format!("{} has another key than ours (DKIM)", wanted.name), publish(wanted)),
    }
}

fn policy(wanted: &Wanted, values: &[String]) -> Finding {
    match values.iter().find(|value| is_version(value, "v=DMARC1")) {
        Some(record) => Finding::good(format!("{} says `{record}`", wanted.name)),
        None => Finding::look(
            format!("{} does not exist (DMARC): large hosts treat such mail with suspicion", wanted.name),
            publish(wanted),
        ),
    }
}

/// Whether a record begins with this version and no longer word.
fn is_version(record: &str, version: &str) -> bool {
    let Some(start) = record.get(..version.len()) else { return false };
    let rest = &record[version.len()..];
    start.eq_ignore_ascii_case(version) && !rest.starts_with(|next: char| next.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn records() -> Vec<Wanted> {
        let key = TxtRecord {
            name: "rsa-1._domainkey.example.org".into(),
            value: format!("v=DKIM1; k=rsa; p={}", "MIIB".repeat(20)),
        };
        let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        wanted(&"example.org".parse().unwrap(), &"mail.example.org".parse().unwrap(), &addresses, &[key])
    }

    #[test]
    fn records_can_be_pasted_into_a_zone() {
        let text: Vec<_> = records().iter().map(ToString::to_string).collect();
        expect![[r#"
            example.org. IN MX 10 mail.example.org.
            mail.example.org. IN A 192.0.2.1
            1.2.0.192.in-addr.arpa. IN PTR mail.example.org.
            mail.example.org. IN AAAA 2001:db8::1
            1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.example.org.
            example.org. IN TXT "v=spf1 mx -all"
            rsa-1._domainkey.example.org. IN TXT (
                "v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI"
                "IBMIIBMIIBMIIBMIIBMIIBMIIBMIIB" )
            _dmarc.example.org. IN TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@example.org"
        "#]]
        .assert_eq(&(text.join("\n") + "\n"));
    }

    fn check(purpose: Purpose, values: &[&str], expected: Expect) {
        let wanted = records().into_iter().find(|record| record.purpose == purpose).unwrap();
        let found = Found::Values(values.iter().map(|&value| value.to_owned()).collect());
        let Finding { state, said, cure } = judge(&wanted, &found);
        expected.assert_eq(&format!("{state}: {said}\n{cure}"));
    }

    #[test]
    fn exchangers_are_compared_without_case_and_dot() {
        use Purpose::Exchanger;
        check(
            Exchanger,
            &["10 Mail.Example.ORG."],
            expect![["good: mail for example.org comes to mail.example.org\n"]],
        );
        check(
            Exchanger,
            &[],
            expect![[r#"
            BAD: example.org has no MX record, so others do not find this server
            publish: example.org. IN MX 10 mail.example.org."#]],
        );
        check(
            Exchanger,
            &["5 old.example.net", "10 old2.example.net"],
            expect![[r#"
            BAD: mail for example.org goes to old.example.net, old2.example.net, not to mail.example.org
            publish: example.org. IN MX 10 mail.example.org."#]],
        );
        check(
            Exchanger,
            &["5 mail.example.org", "10 backup.example.net"],
            expect![["good: mail for example.org comes to mail.example.org (one of 2 exchangers)\n"]],
        );
    }

    #[test]
    fn addresses_may_be_those_of_a_router() {
        check(Purpose::Host, &["192.0.2.1"], expect![["good: mail.example.org is 192.0.2.1\n"]]);
        check(
            Purpose::Host,
            &["198.51.100.9"],
            expect![[r#"
            look: mail.example.org is 198.51.100.9, and this machine has 192.0.2.1
            if nothing forwards the ports to this machine, publish: mail.example.org. IN A 192.0.2.1"#]],
        );
        check(
            Purpose::Reverse,
            &["mail.example.org."],
            expect![["good: 1.2.0.192.in-addr.arpa leads back to mail.example.org\n"]],
        );
        check(
            Purpose::Reverse,
            &[],
            expect![[r#"
            look: 1.2.0.192.in-addr.arpa does not exist, so many will not take mail from this address
            whoever gave you the address sets this, often on the page of the machine: 1.2.0.192.in-addr.arpa. IN PTR mail.example.org."#]],
        );
    }

    #[test]
    fn there_is_one_spf_record_and_it_names_the_exchangers() {
        use Purpose::Senders;
        check(
            Senders,
            &["v=spf1 a mx ~all", "other=1"],
            expect![["good: example.org lets its exchangers send (SPF)\n"]],
        );
        check(
            Senders,
            &["v=spf10 mx"],
            expect![[r#"
            look: example.org does not say who may send for it (SPF)
            publish: example.org. IN TXT "v=spf1 mx -all""#]],
        );
        check(
            Senders,
            &["v=spf1 mx", "v=spf1 a"],
            expect![[r#"
            look: example.org has 2 SPF records, which counts as an error (RFC 7208 §3.2)
            keep one of them"#]],
        );
        check(
            Senders,
            &["v=spf1 include:other.example -all"],
            expect![[r#"
            look: example.org has the SPF record `v=spf1 include:other.example -all`, which does not name its exchangers
            see that it lets this host send; `mx` after `v=spf1` does"#]],
        );
    }

    #[test]
    fn keys_are_compared_without_spaces() {
        let key = "MIIB".repeat(20);
        let (spaced, other) =
            (format!("v=DKIM1; k=rsa; p= {} {}", &key[..40], &key[40..]), "v=DKIM1; p=AAAA");
        check(
            Purpose::Signature,
            &[other, &spaced],
            expect![["good: rsa-1._domainkey.example.org has our key (DKIM)\n"]],
        );
        let wanted = records().into_iter().find(|record| record.purpose == Purpose::Signature).unwrap();
        assert_eq!(judge(&wanted, &Found::Values(vec![other.into()])).state, State::Bad);
        assert_eq!(judge(&wanted, &Found::Values(Vec::new())).state, State::Bad);
        assert_eq!(judge(&wanted, &Found::Unknown("time-out".into())).state, State::Look);
        check(
            Purpose::Policy,
            &["v=DMARC1; p=none"],
            expect![["good: _dmarc.example.org says `v=DMARC1; p=none`\n"]],
        );
    }
}
