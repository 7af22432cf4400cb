//! `waxseal setup`: from a machine to a mail server, by two questions.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command as Program, ExitCode};

use admin::publication::{Finding, Wanted};
use admin::{Request, Response};
use anyhow::{Context, Result, bail};
use mail::{Address, Domain, Host};
use serde_json::json;

use super::command::ask;
use super::show::print;
use super::{dns, password};
use crate::cli::{DATA_DEFAULT, SETTINGS_DEFAULT, Setup};
use crate::process::user;

/// What was decided: from arguments and answers.
struct Plan {
    address: Address,
    domain: Domain,
    host_name: Domain,
}

/// Writes the settings, makes domain, keys and account, prints what to publish, and looks what is published already. What is
/// there already stays as it is, so that it may be run again.
///
/// # Errors
/// Something is in the way; what was done until then stays.
pub(super) fn run(setup: Setup) -> Result<ExitCode> {
    let plan = plan(&setup)?;
    let owner = settle_user(&setup)?;
    let wrote = write_settings(&setup, &plan, owner.as_deref())?;
    user::leave_root(owner.as_deref(), &setup.place.data, user::Keep::Nothing)?;
    let made = make(&setup, &plan)?;
    fs::set_permissions(&setup.place.data, Permissions::from_mode(user::DATA_MODE))
        .with_context(|| format!("cannot let others pass through {}", setup.place.data.display()))?;
    let addresses = dns::addresses(&setup.names);
    let records = dns::of_domain(plan.domain.as_str(), &plan.host_name, &addresses, &setup.place)?;
    let checked = dns::check(&setup.names, records.clone())?;
    if setup.place.json {
        let findings: Vec<_> = checked.iter().map(|(_, finding)| finding).collect();
        print(&format!(
            "{}\n",
            json!({ "settings": setup.settings, "account": plan.address.to_string(),
            "password": made.password, "records": records, "findings": findings })
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = setup.settings.display();
    print(&match wrote {
        true => format!("The settings are in {settings}.\n"),
        false => format!("The settings in {settings} stay as they are.\n"),
    })?;
    print(&screen(&plan, &made, &records, &addresses))?;
    // What mends it was just printed.
    let seen = checked.into_iter().map(|(_, finding)| Finding { cure: String::new(), ..finding });
    print(&seen.map(|finding| dns::line(&finding)).collect::<String>())?;
    print(&next(&setup))?;
    Ok(ExitCode::SUCCESS)
}

fn plan(setup: &Setup) -> Result<Plan> {
    let address = match &setup.address {
        Some(address) => address.clone(),
        None => question("Your mail address", None)?,
    };
    let address: Address = address
        .parse()
        .map_err(|_| anyhow::anyhow!("{address:?} is no mail address; one is ann@example.org"))?;
    let Host::Domain(domain) = address.host.clone() else {
        bail!("{address} has an address literal instead of a domain; give one such as ann@example.org");
    };
    let host_name = match &setup.host_name {
        Some(name) => name.clone(),
        None => question("The name of this machine to the world", Some(&format!("mail.{domain}")))?,
    };
    let host_name: Domain = host_name
        .parse()
        .map_err(|_| anyhow::anyhow!("{host_name:?} is no host name; one is mail.{domain}"))?;
    Ok(Plan { address, domain, host_name })
}

#[expect(clippy::print_stderr, reason = "a question is for the person at the terminal")]
fn question(what: &str, otherwise: Option<&str>) -> Result<String> {
    if !io::stdin().is_terminal() {
        bail!("there is nobody to ask; give --address ANN@EXAMPLE.ORG and --host-name MAIL.EXAMPLE.ORG");
    }
    match otherwise {
        Some(otherwise) => eprint!("{what} [{otherwise}]: "),
        None => eprint!("{what}: "),
    }
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    match (line.trim(), otherwise) {
        ("", Some(otherwise)) => Ok(otherwise.to_owned()),
        ("", None) => bail!("nothing was typed; nothing was done"),
        (typed, _) => Ok(typed.to_owned()),
    }
}

/// The user that the server is to run as, where root decides; made if it is missing.
fn settle_user(setup: &Setup) -> Result<Option<String>> {
    if !rustix::process::geteuid().is_root() || setup.user == "root" {
        return Ok(None);
    }
    if !user::exists(&setup.user) {
        let made = Program::new("useradd")
            .args([
                "--system",
                "--user-group",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                "--home-dir",
            ])
            .arg(&setup.place.data)
            .arg(&setup.user)
            .output()
            .context("cannot run useradd; make the user yourself, or name one with --user")?;
        if !made.status.success() {
            bail!("useradd: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
    }
    Ok(Some(setup.user.clone()))
}

/// Whether they were written; a text that is there stays.
fn write_settings(setup: &Setup, plan: &Plan, owner: Option<&str>) -> Result<bool> {
    let file = &setup.settings;
    let problem = || format!("cannot write the settings {}", file.display());
    if let Some(directory) = file.parent().filter(|directory| *directory != Path::new("")) {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).with_context(problem)?;
    }
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(file);
    let mut written = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            keep_settings(file, plan)?;
            return Ok(false);
        }
        opened => opened.with_context(problem)?,
    };
    let text = settings_text(setup, plan, owner);
    written.write_all(text.as_bytes()).and_then(|()| written.sync_all()).with_context(problem)?;
    Ok(true)
}

/// A text that is there must be good, and mean this host.
fn keep_settings(file: &Path, plan: &Plan) -> Result<()> {
    match super::settings::read(file)? {
        Err(mistakes) => bail!("{}", super::settings::told(file, &mistakes)),
        Ok(settings) if settings.host_name != plan.host_name => bail!(
            "{} is there already and has host-name = {:?}; change it there, or name another file with --settings",
            file.display(),
            settings.host_name.as_str()
        ),
        Ok(_) => Ok(()),
    }
}

/// The shortest text that does it, and what one may want next.
fn settings_text(setup: &Setup, plan: &Plan, owner: Option<&str>) -> String {
    let user = owner.map_or(String::new(), |user| format!("user = {user:?}\n"));
    let acme = format!("acme = {{ contact = \"{}\" }}", plan.address);
    let acme = match setup.acme {
        true => format!("[tls]\n{acme}\n"),
        false => format!(
            "# Certificates from Let's Encrypt, whose terms of service you accept by this; port 80 must be reachable:\n\
             # [tls]\n# {acme}\n"
        ),
    };
    format!(
        "# Every key: docs/settings.md. `waxseal settings check {}` tells what this means.\n\
         host-name = \"{}\"\n{user}\n{acme}",
        setup.settings.display(),
        plan.host_name,
    )
}

/// What was made.
struct Made {
    /// None: the account was there already, or its password was given.
    password: Option<String>,
    account_was_there: bool,
}

fn make(setup: &Setup, plan: &Plan) -> Result<Made> {
    let domains = match ask(&Request::DomainList, &setup.place) {
        Ok(answered) => answered.response,
        // There is no data yet.
        Err(_) => Response::Domains { domains: Vec::new() },
    };
    let ours = matches!(&domains, Response::Domains { domains } if domains.iter().any(|row| row.name == plan.domain.as_str()));
    if !ours {
        done(
            ask(&Request::DomainAdd { domain: plan.domain.to_string(), alias_of: None }, &setup.place)?
                .response,
        )?;
    }
    let address = plan.address.canonical().to_string();
    let accounts = done(ask(&Request::AccountList, &setup.place)?.response)?;
    if matches!(&accounts, Response::Accounts { accounts } if accounts.iter().any(|row| row.address == address))
    {
        return Ok(Made { password: None, account_was_there: true });
    }
    let asked = setup.password.generate || setup.password.password_stdin || io::stdin().is_terminal();
    let source =
        crate::cli::PasswordSource { generate: setup.password.generate || !asked, ..setup.password.clone() };
    let password = password::ask(&source, &address)?;
    let request = Request::AccountAdd { address, name: String::new(), password, kept: None };
    match done(ask(&request, &setup.place)?.response)? {
        Response::Password { password, .. } => {
            Ok(Made { password: Some(password.0), account_was_there: false })
        }
        _ => Ok(Made { password: None, account_was_there: false }),
    }
}

fn done(response: Response) -> Result<Response> {
    match response {
        Response::Refused(refusal) => bail!("{refusal}"),
        response => Ok(response),
    }
}

/// What to publish, for a machine that has these addresses by which the world reaches it.
fn screen(plan: &Plan, made: &Made, records: &[Wanted], addresses: &[IpAddr]) -> String {
    let mut text = match (made.account_was_there, &made.password) {
        (true, _) => format!("The account {} is there already.\n", plan.address),
        (false, Some(password)) => format!("The account {} has the password {password}\n", plan.address),
        (false, None) => format!("The account {} has the password that you gave.\n", plan.address),
    };
    text.push_str(&format!("\nPublish this, where the zone of {} is kept:\n\n", plan.domain));
    records.iter().for_each(|record| text.push_str(&format!("{record}\n")));
    if addresses.is_empty() {
        text.push_str(&format!(
            "\nThis machine has no public address of its own. {} must have the router's, and the router must forward \
             port 25 to this machine; say --public-address ADDRESS to have that checked.\n",
            plan.host_name
        ));
    }
    text.push_str("\nWhat the world sees now:\n\n");
    text
}

fn next(setup: &Setup) -> String {
    let data = match setup.place.data == Path::new(DATA_DEFAULT) {
        true => String::new(),
        false => format!(" --data {}", setup.place.data.display()),
    };
    let settings = match setup.settings == Path::new(SETTINGS_DEFAULT) {
        true => String::new(),
        false => format!(" --settings {}", setup.settings.display()),
    };
    format!(
        "\nNext:  waxseal serve --settings {}{data}\n       (with the Debian package: systemctl enable --now waxseal)\n\
         Later: waxseal doctor{settings}{data}\n",
        setup.settings.display()
    )
}
