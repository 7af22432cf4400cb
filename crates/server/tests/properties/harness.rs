//! A running server with settings of the test's own, and clients that say lines to it from any network.
#![allow(dead_code, reason = "each area uses a part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::abroad::{PATIENCE, eventually};

/// The password of all accounts.
pub(crate) const PASSWORD: &str = "secret";
/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "here.example";
/// What the server calls itself, and what its own certificate is for.
pub(crate) const HOST_NAME: &str = "mx.here.example";
/// The name to ask for in TLS.
pub(crate) const TLS_NAME: &str = HOST_NAME;

const PROGRAM: &str = env!("CARGO_BIN_EXE_waxseal");

/// Before the settings of a test. `log` must stay as it is: it tells the ports.
const COMMON: &str = "host-name = \"mx.here.example\"\nauthentication-without-tls = [\"127.0.0.0/8\"]\n\
    log = { format = \"json\" }\n";

/// A running server. Dropped, it is killed, and its directory is removed.
pub(crate) struct Place {
    process: Child,
    ports: BTreeMap<String, Vec<u16>>,
    directory: TempDir,
}

impl Place {
    /// Starts a server with these accounts of [`DOMAIN`] and these settings, which may begin with top-level keys other
    /// than `host-name`, `authentication-without-tls` and `log`. Bindings should be `127.0.0.1:0`.
    pub(crate) fn start(accounts: &[&str], settings: &str) -> Self {
        Self::start_prepared(accounts, settings, |_| ())
    }

    /// The same; before the start the test may put files and data into the directory: `prepare` gets the place of a
    /// server that does not run yet.
    pub(crate) fn start_prepared(accounts: &[&str], settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = prepared(accounts, prepare);
        std::fs::write(directory.path().join("settings.toml"), format!("{COMMON}{settings}")).unwrap();
        let mut place = Self { process: serve(directory.path()), ports: BTreeMap::new(), directory };
        place.await_ports(bindings(settings));
        place
    }

    /// The same with settings that are not in a file but in the store, where `waxseal settings` changes them.
    pub(crate) fn start_with_revisions(accounts: &[&str], settings: &str) -> Self {
        Self::start_with_revisions_of(accounts, |_| settings.to_owned())
    }

    /// The same with settings that name files of the directory, which `settings` makes first.
    pub(crate) fn start_with_revisions_of(accounts: &[&str], settings: impl FnOnce(&Path) -> String) -> Self {
        let mut count = 0;
        let first = |directory: &Path| {
            let text = settings(directory);
            count = bindings(&text);
            std::fs::write(directory.join("data/settings.toml"), format!("{COMMON}{text}")).unwrap();
        };
        let directory = prepared(accounts, first);
        let process = serve_from(directory.path(), None);
        let mut place = Self { process, ports: BTreeMap::new(), directory };
        place.await_ports(count);
        place
    }

    /// Puts other settings in force, of a server whose settings are in the store; says what it answered.
    pub(crate) fn apply(&self, settings: &str) -> admin::Response {
        let text = format!("{COMMON}{settings}");
        self.ask(&admin::Request::SettingsApply { text, reason: "a test".into(), based_on: None })
    }

    /// Asks the running server.
    pub(crate) fn ask(&self, request: &admin::Request) -> admin::Response {
        admin::socket::call(&self.data().join("waxseal.sock"), request).expect("the server answers")
    }

    /// Writes other settings into its file, as an editor would: whole, by a rename.
    pub(crate) fn write_settings(&self, settings: &str) {
        let new = self.beside("settings.new");
        std::fs::write(&new, format!("{COMMON}{settings}")).unwrap();
        std::fs::rename(new, self.beside("settings.toml")).unwrap();
    }

    /// The first port of a virtual server.
    pub(crate) fn port(&self, virtual_server: &str) -> u16 {
        self.ports
            .get(virtual_server)
            .and_then(|ports| ports.first().copied())
            .unwrap_or_else(|| panic!("{virtual_server:?} does not listen: {:?}\n{}", self.ports, self.log()))
    }

    /// All ports of a virtual server, in the order of its bindings.
    pub(crate) fn ports(&self, virtual_server: &str) -> &[u16] {
        &self.ports[virtual_server]
    }

    /// A client in clear text; it has read the greeting.
    pub(crate) fn client(&self, virtual_server: &str) -> Client {
        self.connect(virtual_server).greeted()
    }

    /// A client of any address of this machine; it has read the greeting.
    pub(crate) fn client_at(&self, address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).unwrap(), self.trust()).greeted()
    }

    /// The same from another address: by PROXY, which the virtual server must take from 127.0.0.0/8.
    pub(crate) fn client_from(&self, virtual_server: &str, peer: &str) -> Client {
        self.connect_from(virtual_server, peer).greeted()
    }

    /// A client over implicit TLS; it has read the greeting.
    pub(crate) fn secure_client(&self, virtual_server: &str, name: &str) -> Client {
        self.connect(virtual_server).secure(name).greeted()
    }

    /// A connection, nothing read.
    pub(crate) fn connect(&self, virtual_server: &str) -> Client {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port(virtual_server))).unwrap();
        Client::over(stream, self.trust())
    }

    /// The same from another address.
    pub(crate) fn connect_from(&self, virtual_server: &str, peer: &str) -> Client {
        let mut client = self.connect(virtual_server);
        let (family, here) = if peer.contains(':') { ("TCP6", "2001:db8::1") } else { ("TCP4", "192.0.2.1") };
        client.write(format!("PROXY {family} {peer} {here} 40000 25\r\n").as_bytes());
        client
    }

    /// Runs `waxseal` with these arguments on its data; panics if it fails.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        command(&self.data(), arguments, "")
    }

    /// Runs `waxseal` with these arguments on its data, whatever becomes of it.
    pub(crate) fn try_command(&self, arguments: &[&str], input: &str) -> Output {
        run(&self.data(), arguments, input)
    }

    /// The messages in an account's INBOX, as they were given to POP3's RETR; `virtual_server` speaks pop3 in clear text.
    pub(crate) fn maildrop(&self, virtual_server: &str, account: &str) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let account = format!("{account}@{DOMAIN}");
        let read = crate::abroad::pop3::read_all(self.port(virtual_server), &account, |message| {
            messages.push(message);
        });
        read.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        messages
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.beside("log")).expect("the log can be read")
    }

    /// The messages of its log, one a line, with their fields as JSON.
    pub(crate) fn logged(&self) -> Vec<serde_json::Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.beside("data")
    }

    /// A path in the directory of the test.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a crash does; what it wrote stays. Start it again with [`restart`](Self::restart).
    pub(crate) fn kill(&mut self) {
        let _ = kill_process(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }

    /// Ends it in good order.
    pub(crate) fn stop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }

    /// Starts it again after its end; ports are others now.
    pub(crate) fn restart(&mut self) {
        let settings = std::fs::read_to_string(self.beside("settings.toml")).unwrap();
        self.process = serve(self.directory.path());
        self.ports.clear();
        self.await_ports(bindings(&settings));
    }

    /// The same without a file of settings: what was last in force is, and `waxseal settings apply` changes it.
    pub(crate) fn restart_from_revisions(&mut self, bindings: usize) {
        self.process = serve_from(self.directory.path(), None);
        self.ports.clear();
        self.await_ports(bindings);
    }

    /// Reads the ports again after a change of the settings, once there are so many listening lines in the log.
    pub(crate) fn read_ports(&mut self, bindings: usize) {
        self.ports.clear();
        self.await_ports(bindings);
    }

    /// Who is believed to certify the server.
    pub(crate) fn trust(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let authority = server::certificates::authority(&self.data());
        if let Ok(authority) = CertificateDer::from_pem_file(authority) {
            roots.add(authority).unwrap();
        }
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }

    fn await_ports(&mut self, bindings: usize) {
        self.ports = eventually("every port is open", || {
            let ended = self.process.try_wait().expect("it is our child");
            assert!(ended.is_none(), "the server ended at once: {}", self.log());
            let mut ports = BTreeMap::<String, Vec<u16>>::new();
            let listening: Vec<_> = self.logged().iter().filter_map(listening).collect();
            let all = listening.len() >= bindings;
            listening.into_iter().for_each(|(name, port)| ports.entry(name).or_default().push(port));
            all.then_some(ports)
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A virtual server `read`, where [`Place::maildrop`] reads.
pub(crate) const READ: &str =
    "[[virtual-server]]\nname = \"read\"\nprotocol = \"pop3\"\nbind = \"127.0.0.1:0\"\n";

/// A virtual server `default` of this protocol, and one called `other` that has these further properties.
pub(crate) fn default_and(protocol: &str, properties: &str) -> String {
    let server = |name: &str, properties: &str| {
        format!(
            "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nbind = \"127.0.0.1:0\"\n{properties}\n"
        )
    };
    server("default", "") + &server("other", properties)
}

/// How many bindings these settings have, as far as they are written on the lines of `bind`.
fn bindings(settings: &str) -> usize {
    let binds = settings.lines().filter(|line| line.trim_start().starts_with("bind"));
    binds.map(|line| line.matches("127.0.0.").count() + line.matches("[::").count()).sum()
}

/// A directory with the data of a server that never ran.
fn prepared(accounts: &[&str], prepare: impl FnOnce(&Path)) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory for a test");
    let data = directory.path().join("data");
    command(&data, &["domain", "add", DOMAIN], "");
    for account in accounts {
        command(&data, &["account", "add", &format!("{account}@{DOMAIN}"), "--password-stdin"], PASSWORD);
    }
    prepare(directory.path());
    directory
}

fn serve(directory: &Path) -> Child {
    serve_from(directory, Some(&directory.join("settings.toml")))
}

fn serve_from(directory: &Path, settings: Option<&Path>) -> Child {
    let log = File::create(directory.join("log")).expect("the directory is there");
    let mut serve = Command::new(PROGRAM);
    serve.arg("serve").arg("--data").arg(directory.join("data"));
    if let Some(settings) = settings {
        serve.arg("--settings").arg(settings);
    }
    serve.stdin(Stdio::null()).stderr(log).spawn().expect("the program starts")
}

/// The virtual server and the port of a log line that tells them.
fn listening(line: &serde_json::Value) -> Option<(String, u16)> {
    let fields = line.get("fields").filter(|fields| fields["message"] == "listening")?;
    let name = fields.get("virtual_server").or_else(|| fields.get("protocol"))?.as_str()?;
    Some((name.to_owned(), u16::try_from(fields.get("port")?.as_u64()?).ok()?))
}

/// Runs a command of the program on this data, and says what it printed.
pub(crate) fn command(data: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(data, arguments, input);
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(output.status.success(), "waxseal {}: {said}", arguments.join(" "));
    said
}

fn run(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--data").arg(data);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A command that does not read may have ended already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

/// A connection that says lines and hears replies, of SMTP, POP3 or IMAP.
pub(crate) struct Client {
    stream: Option<BufReader<Transport>>,
    trust: Arc<ClientConfig>,
    banner: String,
}

enum Transport {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    fn over(stream: TcpStream, trust: Arc<ClientConfig>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: Some(BufReader::new(Transport::Clear(stream))), trust, banner: String::new() }
    }

    /// A client on a connection of the test's own, which believes nobody in TLS.
    pub(crate) fn plain(stream: TcpStream) -> Self {
        let nobody = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
        Self::over(stream, Arc::new(nobody.with_no_client_auth()))
    }

    /// Reads the greeting.
    pub(crate) fn greeted(mut self) -> Self {
        self.banner = self.hear("*");
        self
    }

    /// What the server said first; empty if it closed without a word.
    pub(crate) fn banner(&self) -> &str {
        &self.banner
    }

    /// Believes these instead of the server's own authority, and shows a certificate if the configuration has one.
    pub(crate) fn trusting(mut self, trust: Arc<ClientConfig>) -> Self {
        self.trust = trust;
        self
    }

    /// Goes on over TLS, with this name asked for; after STARTTLS or before anything.
    pub(crate) fn secure(self, name: &str) -> Self {
        self.try_secure(name).unwrap_or_else(|error| panic!("TLS with {name}: {error}"))
    }

    /// The same, where it may fail.
    pub(crate) fn try_secure(mut self, name: &str) -> io::Result<Self> {
        let Some(Transport::Clear(mut stream)) = self.stream.take().map(BufReader::into_inner) else {
            panic!("it is secured already");
        };
        let server_name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut connection =
            ClientConnection::new(self.trust.clone(), server_name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let stream = StreamOwned::new(connection, stream);
        self.stream = Some(BufReader::new(Transport::Tls(Box::new(stream))));
        Ok(self)
    }

    /// The TLS layer.
    pub(crate) fn tls(&self) -> Option<&ClientConnection> {
        match self.stream.as_ref()?.get_ref() {
            Transport::Tls(stream) => Some(&stream.conn),
            Transport::Clear(_) => None,
        }
    }

    /// Says a line and hears the whole reply: all lines of SMTP; up to the tagged line of IMAP; one line of POP3. Empty, or
    /// what came until then, if the server closed.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes());
        let tag = line.split(' ').next().unwrap_or_default().to_owned();
        self.hear(&tag)
    }

    /// The same, and panics if the last line of the reply does not begin so (after the tag, in IMAP: give it with the tag).
    pub(crate) fn expect(&mut self, line: &str, beginning: &str) -> String {
        let reply = self.ask(line);
        let last = reply.lines().last().unwrap_or_default();
        assert!(last.starts_with(beginning), "{line}: {reply:?} instead of {beginning:?}");
        reply
    }

    /// Hears one more reply without having asked.
    pub(crate) fn hear_reply(&mut self) -> String {
        self.hear("*")
    }

    /// Hears what comes until the server closes.
    pub(crate) fn hear_end(&mut self) -> String {
        let mut text = Vec::new();
        // A reset is an end, too; TLS without close_notify likewise.
        let _ = self.stream().read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Sends octets as they are; a server that has closed is no failure here.
    pub(crate) fn write(&mut self, octets: &[u8]) {
        let transport = self.stream().get_mut();
        let _ = transport.write_all(octets).and_then(|()| transport.flush());
    }

    /// One message by SMTP, after EHLO: the reply to the final dot, or the first that refused.
    pub(crate) fn send_message(&mut self, from: &str, to: &[&str], content: &str) -> String {
        let recipients = to.iter().map(|to| format!("RCPT TO:<{to}>"));
        let commands = [format!("MAIL FROM:<{from}>")].into_iter().chain(recipients).chain(["DATA".into()]);
        for command in commands {
            let reply = self.ask(&command);
            if !reply.starts_with(['2', '3']) {
                return reply;
            }
        }
        self.ask(&format!("{}\r\n.", content.trim_end_matches("\r\n")))
    }

    fn stream(&mut self) -> &mut BufReader<Transport> {
        self.stream.as_mut().expect("it is there outside of the switch to TLS")
    }

    fn hear(&mut self, tag: &str) -> String {
        let mut reply = String::new();
        loop {
            let mut line = Vec::new();
            if !matches!(self.stream().read_until(b'\n', &mut line), Ok(1..)) {
                return reply;
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            reply.push_str(&line);
            if is_last(&line, tag) {
                return reply;
            }
        }
    }
}

/// Whether a line ends a reply: `250-` goes on; `* ` goes on until the tag, where there is one.
fn is_last(line: &str, tag: &str) -> bool {
    let untagged = line.starts_with("* ") && tag != "*";
    let goes_on =
        line.as_bytes().get(3) == Some(&b'-') && line.as_bytes()[..3].iter().all(u8::is_ascii_digit);
    !goes_on && !untagged
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// The address of a peer of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
