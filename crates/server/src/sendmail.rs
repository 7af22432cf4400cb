//! `waxseal sendmail`, also under the names sendmail, mailq and newaliases: how programs of this machine send.
//!
//! A message becomes a file in the pickup directory, so that it needs no running server, no rights and no password:
//! everybody may put a file there. It is on stable storage when the program ends with 0. `-bs` speaks SMTP and does the same.

mod dialogue;
mod letter;
mod options;

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use admin::{QueueSelection, Request};
use store::files::{NewFile, Readers};
use world::Dice;

use crate::cli::{DATA_DEFAULT, SETTINGS_DEFAULT, Where};
use crate::limits::SENDMAIL_OCTETS_MAX;
use crate::pickup::WHOLE;
use letter::Ourselves;
use options::{Mode, Options};

/// The names under which the program is sendmail.
const NAMES: [&str; 3] = ["sendmail", "mailq", "newaliases"];

/// Why nothing was sent: the exit codes of sysexits.h, which programs look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// EX_USAGE.
    Usage(String),
    /// EX_DATAERR.
    Data(String),
    /// EX_NOUSER.
    NoUser(String),
    /// EX_CANTCREAT, where trying again does not help.
    CannotCreate(String),
    /// EX_TEMPFAIL.
    Later(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Data(_) => 65,
            Self::NoUser(_) => 67,
            Self::CannotCreate(_) => 73,
            Self::Later(_) => 75,
        }
    }

    fn words(&self) -> &str {
        match self {
            Self::Usage(words)
            | Self::Data(words)
            | Self::NoUser(words)
            | Self::CannotCreate(words)
            | Self::Later(words) => words,
        }
    }
}

/// The name by which the program was called, if that is one of sendmail's.
pub fn called_as(program: &str) -> Option<&'static str> {
    let name = Path::new(program).file_name()?.to_str()?;
    NAMES.into_iter().find(|known| *known == name)
}

/// Does what sendmail does. Says what is wrong on standard error.
#[expect(clippy::print_stderr, reason = "the reason of a failure is for the person at the terminal")]
pub fn run(program: &str, arguments: &[String]) -> ExitCode {
    match execute(program, arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{program}: {}", mail::printable(failure.words()));
            ExitCode::from(failure.code())
        }
    }
}

fn execute(program: &str, arguments: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::parse(program, arguments).map_err(Failure::Usage)?;
    match options.mode {
        Mode::Deliver => deliver(&options)?,
        Mode::Smtp => {
            let place = Place::of(&options);
            dialogue::speak(&place, ourselves(&place))?;
        }
        Mode::Queue => {
            return ask(Request::QueueList { destination: None, after: None, limit: None }, &options);
        }
        Mode::Flush => return ask(Request::QueueRetry { what: QueueSelection::All }, &options),
        // The server reads its aliases from the store whenever it needs them.
        Mode::Aliases => {}
        Mode::Verify => {
            let we = ourselves(&Place::of(&options));
            for one in &options.recipients {
                let address = we.qualified(one);
                address
                    .parse::<mail::Address>()
                    .map_err(|_| Failure::NoUser(format!("\"{one}\" is no address")))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn deliver(options: &Options) -> Result<(), Failure> {
    let place = Place::of(options);
    let mut input = Vec::new();
    let read = io::stdin().lock().take(SENDMAIL_OCTETS_MAX + 1).read_to_end(&mut input);
    read.map_err(|error| Failure::Later(format!("standard input cannot be read: {error}")))?;
    if input.len() as u64 > SENDMAIL_OCTETS_MAX {
        return Err(Failure::Data("the message is too large".into()));
    }
    let file = letter::letter(options, &input, &ourselves(&place))?;
    place.put(&file)
}

fn ask(request: Request, options: &Options) -> Result<ExitCode, Failure> {
    let data = options.data.clone().unwrap_or_else(|| DATA_DEFAULT.to_owned());
    let place = Where { data: data.into(), json: false };
    crate::run::answer(&request, &place).map_err(|error| Failure::Later(format!("{error:#}")))
}

/// Where files are put down, and what the settings say, as far as this user may read them.
struct Place {
    pickup: PathBuf,
    host_name: Option<String>,
}

impl Place {
    fn of(options: &Options) -> Self {
        let file = options.settings.as_deref().unwrap_or(SETTINGS_DEFAULT);
        let settings = fs::read_to_string(file).ok().and_then(|text| settings::resolve(&text).ok());
        let data = PathBuf::from(options.data.as_deref().unwrap_or(DATA_DEFAULT));
        let pickup = match (&options.pickup, std::env::var_os("WAXSEAL_PICKUP"), &settings) {
            (Some(pickup), ..) => pickup.into(),
            (None, Some(pickup), _) => pickup.into(),
            (None, None, Some(settings)) => crate::pickup::directory(settings, &data),
            (None, None, None) => data.join("pickup"),
        };
        Self { pickup, host_name: settings.map(|settings| settings.host_name.to_string()) }
    }

    /// Puts a file down; when this returns, it is on stable storage.
    fn put(&self, content: &[u8]) -> Result<(), Failure> {
        let name = format!("{WHOLE}{:016x}{:016x}.eml", Dice::Real.throw(), Dice::Real.throw());
        let write = || {
            let mut file = NewFile::create(&self.pickup, &name, Readers::All)?;
            file.write(content)?;
            file.finish()
        };
        write().map(|_| ()).map_err(|error| {
            let words = format!("cannot put the message into {}: {error}", self.pickup.display());
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Failure::CannotCreate(words),
                _ => Failure::Later(words),
            }
        })
    }
}

/// Who runs the program, on which host.
fn ourselves(place: &Place) -> Ourselves {
    let uid = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let known = line.into_iter().find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid));
    let field =
        |place: usize| known.as_ref().and_then(|fields| fields.get(place)).map(|text| (*text).to_owned());
    let domain = place.host_name.clone().or_else(mail_name).unwrap_or_else(host_name);
    Ourselves {
        user: field(0).unwrap_or_else(|| format!("uid-{uid}")),
        // The first part of the GECOS field.
        name: field(4).and_then(|all| all.split(',').next().map(str::to_owned)).unwrap_or_default(),
        domain,
    }
}

/// What Debian's programs take for the domain of this machine's mail.
fn mail_name() -> Option<String> {
    let name = fs::read_to_string("/etc/mailname").ok()?;
    let name = name.trim();
    mail::Domain::parse(name).is_ok().then(|| name.to_owned())
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
