//! Programs that others wrote sign in by the mechanisms that are not usual: gsasl, curl, swaks, msmtp, mutt, nodemailer, and
//! mbsync with the plugins of Cyrus SASL. With the right secret, token or certificate they get in, with a wrong one not.

#[path = "../clients/tools.rs"]
#[allow(dead_code, reason = "a part is used")]
mod tools;

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::authentication::oauth;
use crate::certified::{Authority, put};
use crate::harness::{PASSWORD, Place};
use crate::issuer::Issuer;
use tools::{node, run, tool};

const ANN: &str = "ann@here.example";

/// A server for all of them: its own certificate and its clients' are of one authority.
struct Stage {
    place: Place,
    files: TempDir,
    issuer: Issuer,
}

/// What a client signs in with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    CramMd5,
    Scram,
    OAuthBearer,
    XOAuth2,
    External,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::Scram => "SCRAM-SHA-256",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::External => "EXTERNAL",
        }
    }
}

impl Stage {
    fn start() -> Self {
        let (issuer, authority) = (Issuer::start(None), Authority::new("An authority"));
        let files = tempfile::tempdir().unwrap();
        put(&files.path().join("authority.pem"), &authority.pem);
        authority.certify(&["localhost", "127.0.0.1"]).write(files.path(), "here");
        authority.certify_person(ANN).write(files.path(), "right");
        authority.certify_person("nobody@here.example").write(files.path(), "wrong");
        put(&files.path().join("mail"), &format!("From: {ANN}\nTo: {ANN}\nSubject: foreign\n\nHello\n"));
        let path = files.path().display();
        let properties = "client-certificates = \"wanted\"\nauthentication = [\"plain\", \"scram-sha-256\", \
                          \"oauthbearer\", \"xoauth2\", \"external\", \"cram-md5\"]\n";
        let server = |name: &str| {
            format!(
                "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"{name}\"\nbind = \"127.0.0.1:0\"\n{properties}"
            )
        };
        let tls = format!(
            "tls = {{ certificates = [{{ certificate = \"{path}/here.pem\", key = \"{path}/here.key\" }}], \
             client-certificate-authorities = [\"{path}/authority.pem\"] }}\n"
        );
        let servers = ["submission", "submissions", "imap", "imaps", "pop3s"].map(server).concat();
        let settings = [oauth(&issuer), "fetch = { allow-private = \"on\" }\n".to_owned(), tls, servers];
        let place = Place::start(&["ann"], &settings.concat());
        let keep = ["account", "password", ANN, "--password-stdin", "--passwords", "with-cram-md5"];
        assert!(place.try_command(&keep, PASSWORD).status.success());
        Self { place, files, issuer }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }

    fn port(&self, protocol: &str) -> u16 {
        self.place.port(protocol)
    }

    /// The right password or token, or a wrong one.
    fn secret(&self, by: By, right: bool) -> String {
        match (right, by) {
            (false, _) => "wrong".to_owned(),
            (true, By::OAuthBearer | By::XOAuth2) => self.issuer.token(ANN),
            (true, _) => PASSWORD.to_owned(),
        }
    }

    /// Runs a client with the right secret, then with a wrong one.
    fn check(&self, what: &str, by: By, client: impl Fn(&str, &str) -> Command) {
        for right in [true, false] {
            self.check_one(what, by, right, &client);
        }
    }

    fn check_one(&self, what: &str, by: By, right: bool, client: impl Fn(&str, &str) -> Command) {
        let certificate = if right { "right" } else { "wrong" };
        let output = run(&mut client(&self.secret(by, right), certificate), b"");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.success(), right, "{what} {}: {said}\n{}", by.name(), self.place.log());
    }
}

fn gsasl(stage: &Stage, protocol: &str, by: By, secret: &str, certificate: &str) -> Command {
    let mut gsasl = tool("gsasl");
    let port = stage.port(if protocol == "smtp" { "submission" } else { protocol });
    gsasl.arg(format!("--{protocol}")).arg(format!("--connect=localhost:{port}")).arg("--starttls");
    gsasl
        .arg(format!("--mechanism={}", by.name()))
        .arg(format!("--x509-ca-file={}", stage.file("authority.pem")));
    gsasl.arg(format!("--x509-cert-file={}", stage.file(&format!("{certificate}.pem"))));
    gsasl.arg(format!("--x509-key-file={}", stage.file(&format!("{certificate}.key"))));
    gsasl.arg(format!("--authentication-id={ANN}")).arg(format!("--password={secret}"));
    gsasl.args([&format!("--authorization-id={}", if by == By::External { ANN } else { "" }), "--no-cb"]);
    gsasl.args(["--quiet", "--hostname=localhost", "--no-client-first"]);
    gsasl
}

#[test]
fn gsasl_signs_in() {
    let stage = Stage::start();
    for protocol in ["smtp", "imap"] {
        for by in [By::CramMd5, By::External] {
            let client = |secret: &str, certificate: &str| gsasl(&stage, protocol, by, secret, certificate);
            stage.check(&format!("gsasl {protocol}"), by, client);
        }
    }
}

fn curl(stage: &Stage, scheme: &str, by: By, secret: &str, certificate: &str) -> Command {
    let mut curl = tool("curl");
    let protocol = if scheme == "smtps" { "submissions" } else { scheme };
    curl.args(["--silent", "--show-error", "--max-time", "60", "--cacert", &stage.file("authority.pem")]);
    curl.arg(format!("{scheme}://localhost:{}/", stage.port(protocol)));
    curl.args(["--login-options", &format!("AUTH={}", by.name()), "--sasl-ir"]);
    match by {
        By::OAuthBearer | By::XOAuth2 => curl.args(["--user", ANN, "--oauth2-bearer", secret]),
        By::External => {
            let file = |kind: &str| stage.file(&format!("{certificate}.{kind}"));
            curl.args(["--user", &format!("{ANN}:"), "--cert", &file("pem"), "--key", &file("key")])
        }
        By::CramMd5 | By::Scram => curl.args(["--user", &format!("{ANN}:{secret}")]),
    };
    if scheme == "smtps" {
        curl.args(["--mail-from", ANN, "--mail-rcpt", ANN, "--upload-file", &stage.file("mail"), "--crlf"]);
    }
    curl
}

#[test]
fn curl_signs_in() {
    let stage = Stage::start();
    for scheme in ["smtps", "imaps", "pop3s"] {
        for by in [By::CramMd5, By::OAuthBearer, By::XOAuth2, By::External] {
            let client = |secret: &str, certificate: &str| curl(&stage, scheme, by, secret, certificate);
            stage.check(&format!("curl {scheme}"), by, client);
        }
    }
}

#[test]
fn swaks_signs_in() {
    let stage = Stage::start();
    stage.check("swaks", By::CramMd5, |secret, _| {
        let mut swaks = tool("swaks");
        swaks.args(["--server", "localhost", "--helo", "client.example", "--from", ANN, "--to", ANN]);
        swaks.args(["--port", &stage.port("submissions").to_string(), "--tls-on-connect"]);
        swaks.args(["--auth", "CRAM-MD5", "--auth-user", ANN, "--auth-password", secret]);
        swaks
    });
}

#[test]
fn msmtp_signs_in() {
    let stage = Stage::start();
    for by in [By::CramMd5, By::OAuthBearer, By::XOAuth2, By::External] {
        stage.check("msmtp", by, |secret, certificate| {
            let mut msmtp = tool("msmtp");
            msmtp.args(["--file=/dev/null", "--host=localhost", "--domain=client.example", "--tls=on"]);
            msmtp.arg(format!("--port={}", stage.port("submissions"))).arg("--tls-starttls=off");
            msmtp.arg(format!("--tls-trust-file={}", stage.file("authority.pem")));
            msmtp.arg(format!("--auth={}", by.name().to_lowercase())).arg(format!("--user={ANN}"));
            msmtp.arg(format!("--passwordeval=echo {secret}")).arg(format!("--from={ANN}"));
            if by == By::External {
                msmtp.arg(format!("--tls-cert-file={}", stage.file(&format!("{certificate}.pem"))));
                msmtp.arg(format!("--tls-key-file={}", stage.file(&format!("{certificate}.key"))));
            }
            msmtp.arg(ANN);
            msmtp
        });
    }
}

/// mutt sends; with `mutt -f` it would need a terminal to read.
#[test]
fn mutt_signs_in() {
    let stage = Stage::start();
    for by in [By::CramMd5, By::OAuthBearer, By::XOAuth2] {
        let home = tempfile::tempdir().unwrap();
        stage.check("mutt", by, |secret, _| {
            let rc = format!(
                "set from = '{ANN}'\nset hostname = client.example\n\
                 set smtp_url = 'smtps://ann%40here.example@localhost:{}/'\nset smtp_pass = '{secret}'\n\
                 set smtp_authenticators = '{}'\nset smtp_oauth_refresh_command = 'echo {secret}'\n\
                 set ssl_ca_certificates_file = '{ca}'\nset certificate_file = '{ca}'\nset ssl_force_tls = yes\n\
                 set copy = no\n",
                stage.port("submissions"),
                by.name().to_lowercase(),
                ca = stage.file("authority.pem"),
            );
            put(&home.path().join("muttrc"), &rc);
            let mut mutt = tool("mutt");
            mutt.env("HOME", home.path()).env("TERM", "dumb").arg("-F").arg(home.path().join("muttrc"));
            mutt.args(["-s", "foreign", "--", ANN]);
            mutt
        });
    }
}

#[test]
fn nodemailer_signs_in() {
    let stage = Stage::start();
    for by in [By::CramMd5, By::XOAuth2] {
        stage.check("nodemailer", by, |secret, _| {
            let mut node = node("nodemailer_sign_in.js");
            let task = serde_json::json!({
                "port": stage.port("submissions"), "ca": stage.file("authority.pem"), "address": ANN,
                "mechanism": by.name(), "secret": secret,
            });
            node.arg(task.to_string());
            node
        });
    }
}

/// mbsync signs in by the plugins of Cyrus SASL, and fetches what is in the INBOX.
#[test]
fn mbsync_signs_in_by_cyrus_sasl() {
    let stage = Stage::start();
    for by in [By::CramMd5, By::Scram] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("mail")).unwrap();
        let client = |secret: &str, _: &str| mbsync(&stage, home.path(), by, secret);
        stage.check_one("mbsync", by, true, client);
        // When a proof of SCRAM does not fit, mbsync says no more and waits until we lose patience.
        if by != By::Scram {
            stage.check_one("mbsync", by, false, client);
        }
    }
}

fn mbsync(stage: &Stage, home: &Path, by: By, secret: &str) -> Command {
    let rc = format!(
        "IMAPStore far\nHost localhost\nPort {}\nUser {ANN}\nPass {secret}\nSSLType IMAPS\nAuthMechs {}\n\
         CertificateFile {}\nSystemCertificates no\n\nMaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n",
        stage.port("imaps"),
        by.name(),
        stage.file("authority.pem"),
        mail = home.join("mail").display(),
    );
    put(&home.join("mbsyncrc"), &rc);
    let mut mbsync = tool("mbsync");
    mbsync.env("HOME", home).arg("--config").arg(home.join("mbsyncrc")).arg("--all");
    mbsync
}
