use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection};
use rustls_pki_types::PrivateKeyDer;

use super::*;
use crate::transcript::Transcript;
use crate::{Cut, play};

/// Greets, answers each line with itself, makes TLS after `TLS`, closes after `BYE`.
struct Echo {
    address: SocketAddr,
}

impl Server for Echo {
    fn address(&self, protocol: Protocol, tls: bool) -> Option<SocketAddr> {
        (protocol == Protocol::Smtp && !tls).then_some(self.address)
    }

    fn name(&self) -> String {
        "mx.example".into()
    }

    fn stop(&mut self) -> Result<(), String> {
        Err("it does not stop".into())
    }

    fn check(&mut self, _: &Check) -> Result<(), String> {
        Ok(())
    }
}

/// Serves one connection; gives the certificate in PEM.
#[expect(clippy::disallowed_methods, reason = "a peer of the test's own")]
fn serve() -> (Echo, String, JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(vec!["mx.example".into()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        socket.write_all(b"hello\r\n").unwrap();
        if echo(&mut socket) {
            let connection = ServerConnection::new(Arc::new(tls)).unwrap();
            echo(&mut StreamOwned::new(connection, socket));
        }
    });
    (Echo { address }, made.cert.pem(), thread)
}

/// True: TLS was asked for.
fn echo(stream: &mut (impl Read + Write)) -> bool {
    loop {
        let mut line = String::new();
        // One octet at a time: what follows `TLS` belongs to the handshake.
        let read = BufReader::with_capacity(1, &mut *stream).read_line(&mut line);
        if read.is_err() || line.is_empty() {
            return false;
        }
        stream.write_all(line.as_bytes()).and_then(|()| stream.flush()).unwrap();
        match line.as_str() {
            "TLS\r\n" => return true,
            "BYE\r\n" => return false,
            _ => {}
        }
    }
}

fn run(lines: &str) -> Result<(), String> {
    let (server, ca, thread) = serve();
    let transcript = Transcript::parse(&format!("# t\nS: hello\n{lines}")).unwrap();
    let mut stage = BinaryStage::new(server, ca.as_bytes()).unwrap();
    let played = play(&transcript, Protocol::Smtp, &mut stage, Cut::Whole);
    drop(stage);
    thread.join().unwrap();
    played.map(drop).map_err(|failure| failure.problem)
}

#[test]
fn a_dialogue_over_tcp_and_tls() {
    assert_eq!(
        run(
            "C: a\nC~ b\nS: a\nS~\nC: c\nS: bc\nC: TLS\nS: TLS\ntls\nC: d\nS: d\nC: BYE\nS: BYE\nS: <closed>"
        ),
        Ok(())
    );
    assert_eq!(run("C: TLS\nS: TLS\ntls\nC: d\nS: d\ntls cut\nC: e\n...\nS: <closed>"), Ok(()));
    assert_eq!(run("C: a\nclose write\nS: a\nS: <closed>"), Ok(()));
    assert_eq!(run("C: BYE\nS: BYE\nC: more\nC: more\nS: <closed>"), Ok(()));
}

#[test]
fn what_is_missing_is_told() {
    assert_eq!(run("C: a\nS: a\nC: BYE\nS: BYE\nS: more").unwrap_err(), "the server closed");
    assert_eq!(
        run("C: a\nS~\nclose").unwrap_err(),
        "  expected  nothing\n  got       a\n  alike     the first 0 octets"
    );
    assert_eq!(run("2tls\nclose").unwrap_err(), "the server has no port for smtp");
    assert_eq!(run("stop").unwrap_err(), "it does not stop");
}
