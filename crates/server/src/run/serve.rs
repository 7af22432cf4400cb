//! `waxseal serve`: settings, log, signals.

use std::path::Path;

use anyhow::{Context, Result, bail};
use settings::{LogFormat, LogLevel, Settings};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;
use world::{Sockets, World};

use crate::changes::{Source, copy_of};
use crate::cli::Serve;
use crate::process;
use crate::serve::{Server, Start};

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// Mistakes in the settings, all of them; whatever is in the way of a start.
pub(super) async fn run(arguments: Serve, start: Start, settled: Settled, world: World) -> Result<()> {
    let stop = Stop::listen()?;
    let world = World { sockets: Sockets::given(settled.sockets), ..world };
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let server = Server::start_with(&arguments.data, start, world).await?;
    if let Some(reach) = settled.confined {
        tracing::info!(%reach, "confined");
    }
    process::notify::ready("mail is taken");
    let mut told = std::pin::pin!(stop.told());
    loop {
        tokio::select! {
            biased;
            () = &mut told => break,
            _ = hang_up.recv() => server.reload().await,
        }
    }
    process::notify::stopping();
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// What the process may from now on.
pub(super) struct Settled {
    /// Those that it was given.
    sockets: Vec<std::net::TcpListener>,
    /// None: it may what its user may.
    confined: Option<process::confine::Confined>,
}

/// Gives up what the server does not need of the system, while the process still has one thread.
///
/// # Errors
/// The user of the settings, or a directory that they name, is in the way.
pub(super) fn settle(arguments: &Serve, settings: &Settings) -> Result<Settled> {
    let sockets = process::sockets::inherited();
    process::files::raise();
    process::user::leave_root(settings.user.as_deref(), &arguments.data, process::user::Keep::Ports)?;
    let mut confined = None;
    if settings.confinement {
        let file = arguments.settings.clone().unwrap_or_else(|| copy_of(&arguments.data));
        let room = process::room::of(settings, Some(&file), &arguments.data)?;
        confined = Some(process::confine::confine(&room));
    }
    Ok(Settled { sockets, confined })
}

/// The settings to start with, and what is to be said of them once there is a log.
pub(super) struct Found {
    pub(super) start: Start,
    pub(super) complaint: Option<String>,
}

/// The settings of a file; without a file those that were last in force, and at the first start those of a server without
/// settings. Mail goes on where the file was spoilt while the server was down: those that were last in force hold.
///
/// # Errors
/// As `FILE:LINE: what is wrong`, a line a mistake, where there never were better ones.
pub(super) fn settings(arguments: &Serve) -> Result<Found> {
    let (file, source) = match &arguments.settings {
        Some(file) => (file.clone(), Source::File(file.clone())),
        None => (copy_of(&arguments.data), Source::Revisions),
    };
    if source == Source::Revisions && !file.exists() {
        let text = format!("host-name = {:?}\n", host_name());
        let settings = settings::resolve(&text).map_err(|_| {
            anyhow::anyhow!(
                "the host name {:?} cannot be used; name one in a settings text, see --settings",
                host_name()
            )
        })?;
        return Ok(Found { start: Start { settings, text, source }, complaint: None });
    }
    let text = super::settings::text(&file)?;
    let mistakes = match super::settings::meaning(&text) {
        Ok(settings) => return Ok(Found { start: Start { settings, text, source }, complaint: None }),
        Err(mistakes) => super::settings::told(&file, &mistakes),
    };
    let Some((text, settings)) = last_in_force(&arguments.data) else {
        bail!("the settings cannot be used\n{mistakes}; nothing was started");
    };
    let complaint = format!("the settings cannot be used, so those hold that were last in force\n{mistakes}");
    Ok(Found { start: Start { settings, text, source }, complaint: Some(complaint) })
}

fn last_in_force(data: &Path) -> Option<(String, Settings)> {
    let text = super::settings::text(&copy_of(data)).ok()?;
    let settings = super::settings::meaning(&text).ok()?;
    Some((text, settings))
}

/// What the machine calls itself.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The signals that tell the process to stop. Heard from the moment it is made: one that comes while the server starts is
/// not lost, and does not end the process half-way.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

impl Stop {
    /// Listens for SIGTERM and SIGINT.
    ///
    /// # Errors
    /// The system's. Only in a runtime.
    pub(super) fn listen() -> Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        Ok(Self { terminate, interrupt, hang_up: None })
    }

    /// Listens for SIGHUP too: what a terminal sends when it is closed.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub(super) fn with_hang_up(mut self) -> Result<Self> {
        self.hang_up = Some(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?);
        Ok(self)
    }

    /// Waits for one of them.
    pub(super) async fn told(mut self) {
        let hung_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// The log goes to standard error. Values of peers are escaped where they are made.
pub(super) fn log(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}
