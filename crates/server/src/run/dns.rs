//! `waxseal dns`: what the DNS should say of our domains and of this host, and what it says.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use admin::publication::{Finding, Found, State, Wanted, judge, wanted};
use admin::{Request, Response};
use anyhow::{Result, bail};
use mail::Domain;
use serde_json::json;
use settings::Settings;
use world::reach::Reach;
use world::resolver::{Answer, LookupError, Name, Options};
use world::{Resolver, interfaces};

use super::command::ask;
use super::show::print;
use crate::cli::{Dns, DnsAbout, DnsAction, Names, Where};

/// Runs it. A record that is missing where mail does not come without it is a failure.
///
/// # Errors
/// The data or the settings cannot be read.
pub(super) fn run(command: Dns) -> Result<ExitCode> {
    match command.action {
        DnsAction::Records { about } => {
            let records = records(&about)?;
            let text = records.iter().map(|record| format!("{record}\n")).collect::<String>();
            print(&if about.place.json { format!("{}\n", json!({ "records": records })) } else { text })?;
            Ok(ExitCode::SUCCESS)
        }
        DnsAction::Check { about } => {
            let checked = check(&about.names, records(&about)?)?;
            print(&if about.place.json { format!("{}\n", as_json(&checked)) } else { told(&checked) })?;
            let bad = checked.iter().any(|(_, finding)| finding.state == State::Bad);
            Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}

/// What is to be published for the domains that are meant.
///
/// # Errors
/// The data or the settings cannot be read.
pub(super) fn records(about: &DnsAbout) -> Result<Vec<Wanted>> {
    let host = host_name(&about.settings)?;
    let addresses = addresses(&about.names);
    let mut records: Vec<Wanted> = Vec::new();
    for domain in domains(about)? {
        for record in of_domain(&domain, &host, &addresses, &about.place)? {
            if !records.contains(&record) {
                records.push(record);
            }
        }
    }
    Ok(records)
}

/// What is to be published for a domain of ours.
///
/// # Errors
/// The data cannot be read.
pub(super) fn of_domain(
    domain: &str,
    host: &Domain,
    addresses: &[IpAddr],
    place: &Where,
) -> Result<Vec<Wanted>> {
    let asked = ask(&Request::DomainDkim { domain: domain.to_owned(), make: false }, place)?;
    let keys = match asked.response {
        Response::Dkim { records, .. } => records,
        Response::Refused(refusal) => bail!("{refusal}"),
        other => bail!("an answer that nobody asked for: {other:?}"),
    };
    Ok(wanted(&domain.parse()?, host, addresses, &keys))
}

fn domains(about: &DnsAbout) -> Result<Vec<String>> {
    if let Some(domain) = &about.domain {
        return Ok(vec![domain.clone()]);
    }
    match ask(&Request::DomainList, &about.place)?.response {
        Response::Domains { domains } if domains.is_empty() => {
            bail!("there is no domain yet; add one with `waxseal domain add NAME`, or run `waxseal setup`")
        }
        Response::Domains { domains } => Ok(domains.into_iter().map(|row| row.name).collect()),
        Response::Refused(refusal) => bail!("{refusal}"),
        other => bail!("an answer that nobody asked for: {other:?}"),
    }
}

/// The host of the settings; the machine's, where there is no such file.
fn host_name(file: &Path) -> Result<Domain> {
    if file.exists() {
        return match super::settings::read(file)? {
            Ok(Settings { host_name, .. }) => Ok(host_name),
            Err(mistakes) => bail!("{}", super::settings::told(file, &mistakes)),
        };
    }
    let name = super::serve::host_name();
    name.parse().map_err(|_| anyhow::anyhow!("the machine calls itself {name:?}; see --settings"))
}

/// The addresses by which the world reaches this machine.
pub(super) fn addresses(names: &Names) -> Vec<IpAddr> {
    if !names.public.is_empty() {
        return names.public.clone();
    }
    let public = |address: &IpAddr| Reach::Public.refuses(*address).is_none();
    interfaces::addresses().into_iter().filter(public).collect()
}

/// Asks for each record, and judges the answer.
///
/// # Errors
/// There is no list of name servers.
pub(super) fn check(names: &Names, records: Vec<Wanted>) -> Result<Vec<(Wanted, Finding)>> {
    let options = Options { servers: names.resolver.into_iter().collect(), ..Options::default() };
    super::runtime()?.block_on(async {
        let resolver = Resolver::real(&options).map_err(anyhow::Error::msg)?;
        let mut checked = Vec::new();
        for record in records {
            let found = look_up(&resolver, &record).await;
            let finding = judge(&record, &found);
            checked.push((record, finding));
        }
        Ok(checked)
    })
}

async fn look_up(resolver: &Resolver, wanted: &Wanted) -> Found {
    let Ok(name) = Name::parse(&wanted.name) else { return Found::Unknown("no name of the DNS".into()) };
    let found = match wanted.kind.as_str() {
        "MX" => resolver
            .mx(&name)
            .await
            .map(|mx| texts(mx, |mx| format!("{} {}.", mx.preference, mx.exchanger.as_str()))),
        "A" => resolver.a(&name).await.map(|a| texts(a, |a| a.to_string())),
        "AAAA" => resolver.aaaa(&name).await.map(|aaaa| texts(aaaa, |aaaa| aaaa.to_string())),
        "PTR" => resolver.ptr(&name).await.map(|ptr| texts(ptr, |ptr| format!("{}.", ptr.as_str()))),
        _ => resolver.txt(&name).await.map(|txt| texts(txt, |txt| String::from_utf8_lossy(txt).into_owned())),
    };
    match found {
        Ok(values) => Found::Values(values),
        Err(LookupError::NoSuchDomain | LookupError::NoRecords) => Found::Values(Vec::new()),
        Err(error) => Found::Unknown(error.to_string()),
    }
}

/// Escaped: a zone may hold anything.
fn texts<T>(answer: Answer<T>, text: impl Fn(&T) -> String) -> Vec<String> {
    answer.records.iter().map(|record| mail::printable(text(record))).collect()
}

/// A line for each, with what mends it below.
pub(super) fn told(checked: &[(Wanted, Finding)]) -> String {
    checked.iter().map(|(_, finding)| line(finding)).collect()
}

/// `good  what is so`, and below it what mends it.
pub(super) fn line(finding: &Finding) -> String {
    let Finding { state, said, cure } = finding;
    let cure: String = cure.lines().map(|line| format!("      {line}\n")).collect();
    format!("{state:<4}  {said}\n{cure}")
}

fn as_json(checked: &[(Wanted, Finding)]) -> serde_json::Value {
    let rows: Vec<_> =
        checked.iter().map(|(record, finding)| json!({ "record": record, "finding": finding })).collect();
    json!({ "checked": rows })
}
