//! The local socket: one JSON request a line, one JSON response a line.
//!
//! Who may ask is who may open the socket: it has mode 0600 and lies in the data directory, which has 0700. Where a virtual
//! server has operators everybody may open it, and the kernel says who does: a stranger is sent away before he is heard, an
//! operator is heard about what is his ([`let_in`]).

use std::fmt;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use crate::limits::{
    ACCEPT_PAUSE, CALL_TIME_OUT, REQUEST_OCTETS_MAX, RESPONSE_OCTETS_MAX, SOCKET_CONNECTIONS_MAX,
    SOCKET_TIME_OUT,
};
use crate::{Admin, Caller, Refusal, Request, Response};

/// Listens at a path. A socket that an earlier run left there is removed: only one process has the data directory.
///
/// # Errors
/// The system's.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Lets users of this machine in who are no administrators, or keeps them out: they can then open the socket, and pass through
/// the data directory, in which every file is private.
///
/// # Errors
/// The system's.
pub fn let_in(path: &Path, operators: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mode = std::fs::metadata(directory)?.permissions().mode() & 0o7777;
    // To pass through: x for all. It is not taken away again, because others may live on it, such as the pickup directory.
    if operators && mode & 0o011 != 0o011 {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode | 0o011))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(if operators { 0o666 } else { 0o600 }))
}

/// Serves until told to stop, or dropped. A request under way is answered.
pub async fn serve(listener: UnixListener, admin: Arc<Admin>, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(SOCKET_CONNECTIONS_MAX));
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (admin, stop) = (admin.clone(), stop.clone());
                admin.world.workers.clone().spawn(async move {
                    let _permit = permit;
                    converse(stream, &admin, stop).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the local socket cannot accept");
                admin.world.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Requests and responses in turn, until the peer has no more, is silent for too long, or breaks the form.
async fn converse(stream: UnixStream, admin: &Admin, mut stop: watch::Receiver<bool>) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let caller = Caller::of_uid(credentials.uid());
    let (reader, mut writer) = stream.into_split();
    if !admin.rights(&caller).are_any() {
        let refusal = Refusal::new("the server does not answer you", "an administrator may ask it");
        let _ = writer.write_all(&in_a_line(&Response::Refused(refusal))).await;
        return;
    }
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut reader).take(REQUEST_OCTETS_MAX as u64 + 1);
        let read = tokio::select! {
            biased;
            read = bounded.read_until(b'\n', &mut line) => read,
            () = admin.world.clock.sleep(SOCKET_TIME_OUT) => return,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if read.is_err() || line.is_empty() {
            return;
        }
        let response = respond(admin, &line, &caller).await;
        if writer.write_all(&in_a_line(&response)).await.is_err() || !line.ends_with(b"\n") {
            return;
        }
    }
}

async fn respond(admin: &Admin, line: &[u8], caller: &Caller) -> Response {
    if !line.ends_with(b"\n") {
        return Response::Refused(Refusal::new("the request is too long, or has no end", ""));
    }
    match parse(line) {
        Ok(request) => admin.execute_by(request, caller).await,
        Err(refusal) => Response::Refused(refusal),
    }
}

fn parse(line: &[u8]) -> Result<Request, Refusal> {
    // The text of the error would quote the request, which may hold a password.
    serde_json::from_slice(line).map_err(|error| {
        let message = format!("this server does not understand the request (column {})", error.column());
        Refusal::new(message, "use the `waxseal` that runs as the server")
    })
}

fn in_a_line(response: &Response) -> Vec<u8> {
    let mut line = serde_json::to_vec(response).expect("a response has string keys and finite numbers only");
    if line.len() > RESPONSE_OCTETS_MAX {
        let refusal = Refusal::new("the response is too long", "ask for less");
        line = serde_json::to_vec(&Response::Refused(refusal)).expect("a refusal is text");
    }
    line.push(b'\n');
    line
}

/// Why a call had no response.
#[derive(Debug)]
pub enum CallError {
    /// Nobody listens there: the server is down.
    NotRunning,
    /// The socket cannot be used.
    Broken(io::Error),
    /// What came back is no response of this version.
    Unintelligible,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NotRunning => f.write_str("the server does not run"),
            CallError::Broken(error) => write!(f, "the server's local socket: {error}"),
            CallError::Unintelligible => f.write_str("the server is of another version"),
        }
    }
}

impl std::error::Error for CallError {}

/// Asks the server that listens at a path, and waits for its response.
///
/// # Errors
/// See [`CallError`].
pub fn call(path: &Path, request: &Request) -> Result<Response, CallError> {
    let stream = BlockingStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => CallError::NotRunning,
        _ => CallError::Broken(error),
    })?;
    let line = exchange(stream, request).map_err(CallError::Broken)?;
    serde_json::from_slice(&line).map_err(|_| CallError::Unintelligible)
}

fn exchange(mut stream: BlockingStream, request: &Request) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(CALL_TIME_OUT))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    io::BufReader::new(stream.take(RESPONSE_OCTETS_MAX as u64 + 1)).read_until(b'\n', &mut answer)?;
    Ok(answer)
}
