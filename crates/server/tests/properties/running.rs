//! The process: whom it runs as, what it may do, which sockets it takes, whom it tells.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use crate::abroad::PATIENCE;
use crate::harness::{Client, DOMAIN, Place, command};

const SETTINGS: &str = r#"
[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = "127.0.0.1:0"
"#;

/// The words after a name in what the kernel tells of a process.
fn told(place: &Place, name: &str) -> Vec<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", place.id())).unwrap();
    let line =
        status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).expect("the kernel tells it");
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn confinement() {
    let confined = Place::start(&[], SETTINGS);
    assert_eq!(
        (told(&confined, "NoNewPrivs"), told(&confined, "Seccomp")),
        (vec!["1".into()], vec!["2".into()])
    );
    assert!(confined.log().contains("confined"), "{}", confined.log());
    let free = Place::start(&[], &format!("confinement = \"off\"\n{SETTINGS}"));
    assert_eq!(told(&free, "Seccomp"), ["0"]);
}

/// Only root can become somebody else; for others there is nothing to show.
#[test]
fn user() {
    if !rustix::process::geteuid().is_root() {
        println!("not shown: only root can start a server that becomes somebody else");
        return;
    }
    let as_root = Place::start(&["ann"], SETTINGS);
    assert_eq!(told(&as_root, "Uid")[0], "0", "the data is root's, and no user is named");
    let give = |directory: &std::path::Path| {
        use std::os::unix::fs::{PermissionsExt, chown};
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
        chown(directory, Some(4711), Some(4712)).unwrap();
        let give = Command::new("chown").args(["-R", "4711:4712"]).arg(directory.join("data")).status();
        assert!(give.unwrap().success());
    };
    for settings in [SETTINGS.to_owned(), format!("user = \"4711:4712\"\n{SETTINGS}")] {
        let place = Place::start_prepared(&["ann"], &settings, give);
        assert_eq!(
            (told(&place, "Uid"), told(&place, "Gid")),
            (vec!["4711".to_owned(); 4], vec!["4712".to_owned(); 4])
        );
        assert_eq!(
            told(&place, "CapEff"),
            ["0000000000000400"],
            "the right to bind ports below 1024 is all it kept"
        );
        assert!(place.client("internet").banner().starts_with("220 "));
    }
}

/// Runs the program with a listening socket as descriptor 3, as systemd does (sd_listen_fds(3)).
const AS_SYSTEMD: &str = "import os, socket, sys\n\
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n\
    print(s.getsockname()[1], flush=True)\n\
    open(sys.argv[1], 'a').write('bind = \"127.0.0.1:%d\"\\n' % s.getsockname()[1])\n\
    os.dup2(s.fileno(), 3, inheritable=True)\n\
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
    os.execv(sys.argv[2], sys.argv[2:])\n";

#[test]
fn sockets_of_systemd_are_taken_and_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    command(&path("data"), &["domain", "add", DOMAIN], "");
    std::fs::write(
        path("settings.toml"),
        "host-name = \"mx.here.example\"\n[[virtual-server]]\nname = \"internet\"\nprotocol = \"smtp\"\n",
    )
    .unwrap();
    let manager = UnixDatagram::bind(path("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Command::new("python3");
    server.args(["-c", AS_SYSTEMD]).arg(path("settings.toml")).arg(env!("CARGO_BIN_EXE_waxseal"));
    server.args(["serve", "--data"]).arg(path("data")).arg("--settings").arg(path("settings.toml"));
    server.env("NOTIFY_SOCKET", path("notify")).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut server = server.spawn().expect("python3 is there");
    let heard = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).expect("the service manager is told");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let ready = heard();
    assert!(ready.starts_with("READY=1\n"), "{ready}");
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut port)
        .unwrap();
    let stream = std::net::TcpStream::connect(("127.0.0.1", port.trim().parse().unwrap())).unwrap();
    assert!(Client::plain(stream).greeted().banner().starts_with("220 "));
    let _ = rustix::process::kill_process(
        rustix::process::Pid::from_child(&server),
        rustix::process::Signal::TERM,
    );
    assert!(heard().starts_with("STOPPING=1"));
    assert!(server.wait().unwrap().success());
}
