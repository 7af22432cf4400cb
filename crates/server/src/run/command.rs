//! Commands that ask the administration: of the running server, or, when it is down, in this process.

use std::process::ExitCode;
use std::sync::Arc;

use admin::socket::{CallError, call};
use admin::{Admin, Down, QueueFilter, QueueSelection, Request, Response, Switch};
use anyhow::{Context, Result, bail};
use directory::Directory;
use world::Clock;

use super::show::{Answered, show};
use super::{password, rights};
use crate::cli::{
    Account, AccountAction, Alias, AliasAction, Badmail, BadmailAction, Ban, CertificateAction, Command,
    Domain, DomainAction, KeptPasswords, Queue, QueueAction, Selection, Status, Store, StoreAction, Trace,
    Where,
};
use crate::cli::{Sessions, SessionsAction, VirtualServer, VirtualServerAction};
use crate::patience::Patience;
use crate::process::user;
use crate::serve::{open_store, socket_path};

pub(super) fn run(command: Command) -> Result<ExitCode> {
    if let Command::Queue(Queue { action: QueueAction::Export { queue_id, to, place } }) = command {
        return super::export::run(&queue_id, to.as_deref(), &place);
    }
    let (request, place) = request(command)?;
    let answered = ask(&request, &place)?;
    show(&answered, place.json)
}

/// What a command asks for, and of which data directory.
fn request(command: Command) -> Result<(Request, Where)> {
    Ok(match command {
        Command::Domain(Domain { action }) => match action {
            DomainAction::Add { domain, alias_of, place } => (Request::DomainAdd { domain, alias_of }, place),
            DomainAction::Dkim { domain, make, place } => (Request::DomainDkim { domain, make }, place),
            DomainAction::List { place } => (Request::DomainList, place),
            DomainAction::Remove { domain, place } => (Request::DomainRemove { domain }, place),
        },
        Command::Account(Account { action }) => account(action)?,
        Command::Alias(Alias { action }) => match action {
            AliasAction::Add { address, targets, place } => (Request::AliasAdd { address, targets }, place),
            AliasAction::List { place } => (Request::AliasList, place),
            AliasAction::Remove { address, place } => (Request::AliasRemove { address }, place),
        },
        Command::Ban(Ban { action }) => rights::ban(action),
        Command::Trace(Trace { what, place }) => (Request::Trace { what }, place),
        Command::Queue(Queue { action }) => queue(action)?,
        Command::Badmail(Badmail { action }) => match action {
            BadmailAction::List { place } => (Request::BadmailList, place),
            BadmailAction::Show { name, place } => (Request::BadmailShow { name }, place),
            BadmailAction::Retry { name, place } => (Request::BadmailRetry { name }, place),
            BadmailAction::Delete { name, place } => (Request::BadmailDelete { name }, place),
        },
        Command::Status(Status { place }) => (Request::Status, place),
        Command::VirtualServer(VirtualServer { action }) => virtual_server(action),
        Command::Sessions(Sessions { action, place }) => sessions(action, place),
        Command::Reload(Status { place }) => (Request::Reload, place),
        Command::Store(Store { action: StoreAction::Check { repair, place } }) => {
            (Request::StoreCheck { repair }, place)
        }
        Command::Try(_)
        | Command::Sendmail { .. }
        | Command::Serve(_)
        | Command::Settings(_)
        | Command::Setup(_)
        | Command::Dns(_)
        | Command::Doctor(_) => bail!("this command asks otherwise"),
    })
}

fn kept(asked: KeptPasswords) -> admin::KeptPasswords {
    match asked {
        KeptPasswords::Argon2idAndScram => admin::KeptPasswords::Argon2idAndScram,
        KeptPasswords::Argon2idOnly => admin::KeptPasswords::Argon2idOnly,
        KeptPasswords::WithCramMd5 => admin::KeptPasswords::WithCramMd5,
    }
}

fn account(action: AccountAction) -> Result<(Request, Where)> {
    Ok(match action {
        AccountAction::Add { address, name, password, place } => {
            let kept = password.passwords.map(kept);
            let password = password::ask(&password, &address)?;
            (Request::AccountAdd { address, name, password, kept }, place)
        }
        AccountAction::List { place } => (Request::AccountList, place),
        AccountAction::Password { address, password, place } => {
            let kept = password.passwords.map(kept);
            let password = password::ask(&password, &address)?;
            (Request::AccountPassword { address, password, kept }, place)
        }
        AccountAction::AppPassword { action } => rights::app_password(action),
        AccountAction::SendAs { action } => rights::send_as(action),
        AccountAction::Release { address, place } => (Request::AccountRelease { address }, place),
        AccountAction::Certificate { action } => certificate(action),
        AccountAction::Remove { address, yes: true, place } => (Request::AccountRemove { address }, place),
        AccountAction::Remove { address, .. } => {
            bail!("this removes {address} with all its mail, for ever; if that is meant, say --yes")
        }
    })
}

fn certificate(action: CertificateAction) -> (Request, Where) {
    match action {
        CertificateAction::Add { address, fingerprint, place } => {
            (Request::CertificateAdd { address, fingerprint }, place)
        }
        CertificateAction::List { address, place } => (Request::CertificateList { address }, place),
        CertificateAction::Remove { address, fingerprint, place } => {
            (Request::CertificateRemove { address, fingerprint }, place)
        }
    }
}

fn virtual_server(action: VirtualServerAction) -> (Request, Where) {
    let switch = |name, to| Request::VirtualServerSwitch { name, to };
    match action {
        VirtualServerAction::List { place } => (Request::VirtualServerList, place),
        VirtualServerAction::Start { name, place } => (switch(name, Switch::Running), place),
        VirtualServerAction::Stop { name, place } => (switch(name, Switch::Stopped), place),
        VirtualServerAction::Pause { name, place } => (switch(name, Switch::Paused), place),
        VirtualServerAction::Show { name, place } => (Request::VirtualServerShow { name }, place),
    }
}

fn sessions(action: Option<SessionsAction>, place: Where) -> (Request, Where) {
    match action {
        None => (Request::ConnectionList, place),
        Some(SessionsAction::List { place }) => (Request::ConnectionList, place),
        Some(SessionsAction::End { id: Some(id), place, .. }) => (Request::ConnectionTerminate { id }, place),
        Some(SessionsAction::End { all, place, .. }) => {
            (Request::ConnectionTerminateAll { virtual_server: all.unwrap_or_default() }, place)
        }
    }
}

fn queue(action: QueueAction) -> Result<(Request, Where)> {
    Ok(match action {
        QueueAction::List { destination, after, limit, place } => {
            (Request::QueueList { destination, after, limit: Some(limit) }, place)
        }
        QueueAction::Show { queue_id, place } => (Request::QueueShow { queue_id }, place),
        QueueAction::Retry { what, place } => (Request::QueueRetry { what: selection(what)? }, place),
        QueueAction::Hold { what, place } => (Request::QueueHold { what: selection(what)? }, place),
        QueueAction::Release { what, place } => (Request::QueueRelease { what: selection(what)? }, place),
        QueueAction::Delete { what: Selection { all: true, .. }, yes: false, .. } => {
            bail!("this deletes all mail that waits in the queue, for ever; if that is meant, say --yes")
        }
        QueueAction::Delete { what, place, report, .. } => {
            (Request::QueueDelete { what: selection(what)?, report }, place)
        }
        QueueAction::Find { sender, recipient, older_than, state, limit, place } => {
            let older_than_secs = older_than.map(|span| span.duration().as_secs());
            let filter = QueueFilter { sender, recipient, older_than_secs, states: state };
            (Request::QueueFind { filter, limit: Some(limit) }, place)
        }
        QueueAction::Redirect { queue_id, address, place } => {
            (Request::QueueRedirect { queue_id, to: address }, place)
        }
        QueueAction::Export { .. } => bail!("this command asks otherwise"),
    })
}

fn selection(what: Selection) -> Result<QueueSelection> {
    match what {
        Selection { queue_id: Some(queue_id), .. } => Ok(QueueSelection::QueueId(queue_id)),
        Selection { destination: Some(destination), .. } => Ok(QueueSelection::Destination(destination)),
        Selection { all: true, .. } => Ok(QueueSelection::All),
        Selection { .. } => bail!("say what: a queue id, --destination NAME, or --all"),
    }
}

/// Asks the running server; where it is down, this process does the work.
///
/// # Errors
/// Neither can be done.
pub(super) fn ask(request: &Request, place: &Where) -> Result<Answered> {
    if place.data.exists() && !place.data.is_dir() {
        bail!("{} is not a directory; name the data directory with --data DIR", place.data.display());
    }
    let by_server = || match call(&socket_path(&place.data), request) {
        Ok(response) => Ok(Some(Answered { response, by_server: true })),
        Err(CallError::NotRunning) => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot ask the server of {}", place.data.display()))
        }
    };
    if let Some(answered) = by_server()? {
        return Ok(answered);
    }
    // What root made there, the server could not read.
    user::leave_root(None, &place.data, user::Keep::Nothing)?;
    let runtime = super::runtime()?;
    let patience = Patience::new(&Clock::Real);
    loop {
        match runtime.block_on(ask_here(request, place)) {
            Err(error) if runtime.block_on(patience.helps(&error)) => {}
            answered => return Ok(Answered { response: answered?, by_server: false }),
        }
        if let Some(answered) = by_server()? {
            return Ok(answered);
        }
    }
}

/// The server is down: this process opens the data directory, which locks it, and does the work.
async fn ask_here(request: &Request, place: &Where) -> Result<Response> {
    let makes = matches!(request, Request::DomainAdd { .. });
    if !makes && !place.data.is_dir() {
        bail!("there is no data directory {}; name it with --data DIR", place.data.display());
    }
    let world = super::real_world();
    let store = open_store(&place.data, &world)?;
    let directory = Arc::new(Directory::new(store.clone(), world.clone()));
    let admin = Admin::new(store, directory, world, Arc::new(Down));
    Ok(admin.execute(request.clone()).await)
}
