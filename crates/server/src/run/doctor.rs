//! `waxseal doctor`: looks at everything around the server that can be wrong, and says in plain words what mends it.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use admin::publication::{Finding, State};
use admin::response::StatusRow;
use admin::running::CertificateRow;
use admin::{Request, Response};
use anyhow::Result;
use mail::Timestamp;
use serde_json::json;
use settings::Settings;
use world::dialer::Call;
use world::net::Listener;
use world::resolver::{Name, Options};
use world::{Clock, Dialer, Resolver};

use super::command::ask;
use super::dns;
use super::show::print;
use crate::cli::{DnsAbout, Doctor};
use crate::process::user;

/// Less room than this on the disk of the data, in octets, and somebody should look: mail stops at 64 MiB.
const ROOM_WANTED: u64 = 1 << 30;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// How long another server may take to answer on port 25.
const OUTWARD_TIME: Duration = Duration::from_secs(10);
/// Somebody whose exchangers always listen, to see whether port 25 leads out of this network.
const OUTSIDE: &str = "gmail.com";

/// Looks, and prints what it saw. Something that does not work is a failure.
///
/// # Errors
/// Only of printing.
pub(super) fn run(command: Doctor) -> Result<ExitCode> {
    let about = command.about;
    user::leave_root(None, &about.place.data, user::Keep::Ports)?;
    let mut findings = Vec::new();
    let settings = settings(&about.settings, &mut findings);
    findings.push(data(&about.place.data));
    match status(&about) {
        Ok(Some(status)) => findings.extend(running(&status)),
        Ok(None) => findings.extend(down(settings.as_ref())),
        Err(error) => findings.push(Finding::bad(format!("{error:#}"), "see the log of the server")),
    }
    findings.extend(names(&about));
    findings.push(super::runtime()?.block_on(outward(&about)));
    let bad = findings.iter().any(|finding| finding.state == State::Bad);
    match about.place.json {
        true => print(&format!("{}\n", json!({ "findings": findings })))?,
        false => {
            print(&findings.iter().map(dns::line).collect::<String>())?;
            print(&summary(&findings))?;
        }
    }
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn summary(findings: &[Finding]) -> String {
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    match (count(State::Bad), count(State::Look)) {
        (0, 0) => "\nAll is well.\n".to_owned(),
        (0, look) => format!("\nIt works; {look} to look at.\n"),
        (bad, look) => format!("\n{bad} to mend, {look} to look at.\n"),
    }
}

fn settings(file: &Path, findings: &mut Vec<Finding>) -> Option<Settings> {
    if !file.exists() {
        let cure = "`waxseal setup` writes them; or name the file with --settings";
        findings.push(Finding::look(format!("there are no settings in {}", file.display()), cure));
        return None;
    }
    let (finding, settings) = match super::settings::read(file) {
        Ok(Ok(settings)) => {
            (Finding::good(format!("the settings in {} are good", file.display())), Some(settings))
        }
        Ok(Err(mistakes)) => {
            let cure = "mend these lines; the server goes on with the settings that it has";
            (Finding::bad(super::settings::told(file, &mistakes), cure), None)
        }
        Err(error) => {
            (Finding::bad(format!("{error:#}"), "let this user read the file, or run it as root"), None)
        }
    };
    findings.push(finding);
    settings
}

fn data(directory: &Path) -> Finding {
    let shown = directory.display();
    let found = match fs::metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::bad(
                format!("there is no data directory {shown}"),
                "`waxseal setup` makes it; or name it with --data",
            );
        }
        Err(error) => {
            return Finding::bad(format!("{shown}: {error}"), "run this as root or as the server's user");
        }
    };
    if found.uid() == 0 {
        let cure = format!(
            "stop the server, `chown -R waxseal: {shown}`, and start it again: as root it then runs as that user"
        );
        return Finding::look(
            format!("the data in {shown} belongs to root, so the server runs as root"),
            cure,
        );
    }
    match rustix::fs::statvfs(directory).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)) {
        Ok(room) if room < ROOM_WANTED => {
            let cure = "make room: with less than 64 MiB no mail is taken";
            Finding::look(format!("{} MiB are left on the disk of {shown}", room >> 20), cure)
        }
        Ok(room) => Finding::good(format!("{shown} has room: {} GiB", room >> 30)),
        Err(error) => Finding::look(format!("{shown}: {error}"), ""),
    }
}

/// The status of the running server; none: it does not run.
fn status(about: &DnsAbout) -> Result<Option<StatusRow>> {
    let answered = ask(&Request::Status, &about.place)?;
    match answered.response {
        Response::Status(status) if answered.by_server => Ok(Some(status)),
        Response::Refused(refusal) => anyhow::bail!("{refusal}"),
        _ => Ok(None),
    }
}

fn running(status: &StatusRow) -> Vec<Finding> {
    let mut findings = vec![Finding::good(format!("the server runs, version {}", status.version))];
    findings.extend(status.virtual_servers.iter().map(|row| {
        let said = format!("{} ({}) on {}: {}", row.name, row.protocol, row.bindings.join(", "), row.state);
        match row.state.as_str() {
            "running" => Finding::good(said),
            _ => Finding::look(
                said,
                format!("if that is not meant: waxseal virtual-server start {:?}", row.name),
            ),
        }
    }));
    findings.extend(status.certificates.iter().map(|row| certificate(row, status.at)));
    findings.extend(status.acme.iter().filter_map(|row| {
        let problem = row.problem.as_ref()?;
        Some(Finding::bad(
            format!("no certificate for {} from {}", row.names.join(", "), row.directory),
            problem.clone(),
        ))
    }));
    if status.accounts == 0 {
        findings.push(Finding::look(
            "there is no account, so nobody reads mail",
            "waxseal account add NAME@DOMAIN",
        ));
    }
    findings
}

fn certificate(row: &CertificateRow, now: Timestamp) -> Finding {
    let names = row.names.join(", ");
    let days = row.until.0.saturating_sub(now.0) / DAY_MILLIS;
    if row.issuer.contains(crate::certificate::AUTHORITY_NAME) {
        let cure = "name certificates in the settings, or let `tls.acme` get them; until then clients warn, or refuse";
        return Finding::look(format!("the certificate for {names} is the server's own"), cure);
    }
    match days {
        ..=0 => Finding::bad(
            format!("the certificate for {names} has expired"),
            "renew it; the server takes the new file by itself",
        ),
        1..=14 => Finding::look(
            format!("the certificate for {names} expires in {days} days"),
            "renew it; the server takes the new file by itself",
        ),
        _ => Finding::good(format!("the certificate for {names} is good for {days} days")),
    }
}

/// Whether the server could start: nobody else has its ports.
fn down(settings: Option<&Settings>) -> Vec<Finding> {
    let mut findings =
        vec![Finding::bad("the server does not run", "systemctl start waxseal, or: waxseal serve")];
    let Some(settings) = settings else { return findings };
    let Ok(runtime) = super::runtime() else { return findings };
    let _inside = runtime.enter();
    for server in &settings.virtual_servers {
        findings.extend(server.bindings.iter().filter_map(|binding| taken(&server.name, binding.address)));
    }
    findings
}

fn taken(server: &str, address: SocketAddr) -> Option<Finding> {
    let error = Listener::bind(address).err()?;
    let cure = match error.kind() {
        ErrorKind::AddrInUse => {
            let port = address.port();
            format!("another program has it: `ss -ltnp 'sport = :{port}'` shows which; stop that first")
        }
        ErrorKind::PermissionDenied => {
            "start the server as root, which it gives up; or by systemd (deploy/waxseal.service)".into()
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address; see `ip address`".into(),
        _ => String::new(),
    };
    Some(Finding::bad(format!("virtual server {server:?} cannot listen on {address}: {error}"), cure))
}

fn names(about: &DnsAbout) -> Vec<Finding> {
    let checked = dns::records(about).and_then(|records| dns::check(&about.names, records));
    match checked {
        Ok(checked) => checked.into_iter().map(|(_, finding)| finding).collect(),
        Err(error) => vec![Finding::look(format!("{error:#}"), "")],
    }
}

/// Whether this network lets mail out: many providers do not.
async fn outward(about: &DnsAbout) -> Finding {
    let options = Options { servers: about.names.resolver.into_iter().collect(), ..Options::default() };
    let Ok(resolver) = Resolver::real(&options) else {
        return Finding::bad("the system's list of name servers cannot be read", "see /etc/resolv.conf");
    };
    let Some(exchanger) = exchanger(&resolver).await else {
        let cure = "see /etc/resolv.conf, and whether this machine reaches the Internet";
        return Finding::look(
            format!("the exchangers of {OUTSIDE} cannot be found, so mail does not get out"),
            cure,
        );
    };
    let call = Call { to: (exchanger, 25).into(), from: None, timeout: OUTWARD_TIME };
    match Dialer::Real.connect(&Clock::Real, &call).await {
        Ok(_) => Finding::good("mail gets out: port 25 of others can be reached"),
        Err(_) => Finding::bad(
            format!("port 25 of others cannot be reached (tried {exchanger}), so mail does not get out"),
            "ask your provider to open outgoing port 25, or send through a relay (settings, delivery.smart-host)",
        ),
    }
}

async fn exchanger(resolver: &Resolver) -> Option<std::net::IpAddr> {
    let domain = Name::parse(OUTSIDE).ok()?;
    let exchangers = resolver.mx(&domain).await.ok()?.records;
    let best = exchangers.into_iter().min_by_key(|mx| mx.preference)?;
    Some(resolver.a(&best.exchanger).await.ok()?.records.first().copied()?.into())
}
