//! `waxseal serve`: settings, log, signals.

use anyhow::{Context, Result};
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
pub(super) async fn run(arguments: Serve, start: Start, world: World) -> Result<()> {
    let stop = Stop::listen()?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let server = Server::start_with(&arguments.data, start, world).await?;
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

/// Gives up what the server does not need of the system, while the process still has one thread; says which sockets it was
/// given.
///
/// # Errors
/// The user of the settings, or a directory that they name, is in the way.
pub(super) fn settle(arguments: &Serve, settings: &Settings) -> Result<Sockets> {
    let sockets = process::sockets::inherited();
    process::files::raise();
    process::user::leave_root(settings.user.as_deref(), &arguments.data, process::user::Keep::Ports)?;
    if settings.confinement {
        let room = {
            let file = arguments.settings.clone().unwrap_or_else(|| copy_of(&arguments.data));
            process::room::of(settings, Some(&file), &arguments.data)?
        };
        let confined = process::confine::confine(&room);
        tracing::info!(reach = %confined, "confined");
    }
    Ok(Sockets::given(sockets))
}

/// The settings of a file; without a file those that were last in force, and at the first start those of a server without
/// settings.
///
/// # Errors
/// As `FILE:LINE: what is wrong`, a line a mistake.
pub(super) fn settings(arguments: &Serve) -> Result<Start> {
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
        return Ok(Start { settings, text, source });
    }
    let text = super::settings::text(&file)?;
    match super::settings::meaning(&text) {
        Ok(settings) => Ok(Start { settings, text, source }),
        Err(mistakes) => {
            let told = super::settings::told(&file, &mistakes);
            Err(anyhow::anyhow!("the settings cannot be used\n{told}; nothing was started"))
        }
    }
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
