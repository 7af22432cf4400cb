//! The virtual server as an object: several in a process, each switched on its own; its sessions; its settings, changed while
//! it serves; who may do that.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use admin::{Request, Response, VirtualServerRow};
use rustix::process::{Pid, Signal, kill_process};

use crate::abroad::eventually;
use crate::harness::{Client, Place};

/// Two virtual servers that a client can tell apart, with other properties for the second.
fn two(second: &str) -> String {
    let one = |name: &str, more: &str| {
        format!(
            "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\nbanner = \"{name}\"\n{more}\n"
        )
    };
    one("internet", "") + &one("office", second)
}

fn applied(response: &Response) -> bool {
    matches!(response, Response::Done { .. })
}

fn refused(response: Response) -> String {
    match response {
        Response::Refused(refusal) => refusal.to_string(),
        other => panic!("it was not refused: {other:?}"),
    }
}

fn rows(place: &Place) -> Vec<VirtualServerRow> {
    match place.ask(&Request::VirtualServerList) {
        Response::VirtualServers { virtual_servers } => virtual_servers,
        other => panic!("{other:?}"),
    }
}

/// The same with `office` on an address where no other test binds a port that this one frees for a moment.
fn two_apart(last_octet: u8) -> String {
    two("").replace(
        "name = \"office\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"",
        &format!("name = \"office\"\nprotocol = \"smtp\"\nbind = \"127.0.0.{last_octet}:0\""),
    )
}

/// Where a virtual server listens now.
fn addresses(place: &Place, name: &str) -> Vec<SocketAddr> {
    let row = rows(place).into_iter().find(|row| row.name == name).expect("it is there");
    row.bindings.iter().map(|binding| binding.parse().unwrap()).collect()
}

fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

/// Asks for something twice: the connection lives.
fn lives(client: &mut Client) {
    client.expect("NOOP", "250");
}

#[test]
fn several_virtual_servers() {
    let place = Place::start(&[], &two(""));
    for name in ["internet", "office"] {
        let mut client = place.client(name);
        assert!(client.banner().starts_with(&format!("220 mx.here.example {name}")), "{}", client.banner());
        lives(&mut client);
    }
    assert_ne!(place.port("internet"), place.port("office"));
}

#[test]
fn state() {
    let running = Place::start(&[], &two(""));
    assert!(running.client("office").banner().starts_with("220 "));
    let paused = Place::start(&[], &two("state = \"paused\""));
    assert!(
        paused.client("office").banner().starts_with("421 4.3.2 "),
        "{}",
        paused.client("office").banner()
    );
    assert!(paused.client("internet").banner().starts_with("220 "));
    paused.command(&["virtual-server", "start", "office"]);
    assert!(paused.client("office").banner().starts_with("220 "));
}

#[test]
fn start_stop_pause() {
    let place = Place::start(&[], &two_apart(77));
    let address = addresses(&place, "office")[0];
    let (mut inside, mut other) = (place.client_at(address), place.client("internet"));
    lives(&mut inside);

    place.command(&["virtual-server", "pause", "office"]);
    assert!(place.client_at(address).banner().starts_with("421 4.3.2 "));
    lives(&mut inside);
    assert!(place.command(&["virtual-server", "list"]).contains("paused"));

    place.command(&["virtual-server", "stop", "office"]);
    let farewell = inside.hear_end();
    assert!(farewell.starts_with("421 "), "{farewell:?}");
    assert!(is_refused(address), "its port is free");
    assert!(TcpListener::bind(address).is_ok(), "somebody else may have it");

    place.command(&["virtual-server", "start", "office"]);
    assert!(place.client_at(address).banner().starts_with("220 "), "it has its port again");
    lives(&mut other);

    let taken = place.try_command(&["virtual-server", "stop", "nowhere"], "");
    assert!(String::from_utf8_lossy(&taken.stderr).contains("no virtual server"), "{taken:?}");
}

#[test]
fn a_virtual_server_whose_port_is_taken_says_so() {
    let place = Place::start(&[], &two_apart(76));
    let address = addresses(&place, "office")[0];
    place.command(&["virtual-server", "stop", "office"]);
    let thief = TcpListener::bind(address).unwrap();
    let refused = place.try_command(&["virtual-server", "start", "office"], "");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("cannot listen on"), "{said}");
    drop(thief);
    place.command(&["virtual-server", "start", "office"]);
    assert!(place.client_at(address).banner().starts_with("220 "));
}

#[test]
fn current_sessions() {
    let place = Place::start(&["ann"], &two(""));
    assert_eq!(place.command(&["sessions"]), "Nobody is connected.\n");
    let (mut one, mut two, mut other) =
        (place.client("office"), place.client("office"), place.client("internet"));
    one.expect("EHLO one.example", "250");
    let reply = one.send_message("joe@elsewhere.example", &["ann@here.example"], "Subject: x\r\n\r\nx\r\n");
    assert!(reply.starts_with("250 "), "{reply}");
    let Response::Connections { connections } = place.ask(&Request::ConnectionList) else {
        panic!("no list")
    };
    assert_eq!(connections.len(), 3);
    let sender = connections.iter().find(|row| row.messages == 1).expect("one has sent a message");
    assert_eq!((sender.virtual_server.as_str(), sender.protocol.as_str()), ("office", "smtp"));
    assert!(sender.peer.ip().is_loopback() && sender.received > 0 && sender.sent > 0, "{sender:?}");
    let json = place.command(&["sessions", "list", "--json"]);
    assert!(json.contains("\"since\"") && json.contains("\"doing\""), "{json}");

    place.command(&["sessions", "end", &sender.id.to_string()]);
    assert_eq!(one.hear_end(), "", "it ends without a word");
    lives(&mut two);
    place.command(&["sessions", "end", "--all", "office"]);
    assert_eq!(two.hear_end(), "");
    lives(&mut other);
    let gone = place.try_command(&["sessions", "end", &sender.id.to_string()], "");
    assert!(String::from_utf8_lossy(&gone.stderr).contains("waxseal sessions"), "{gone:?}");
}

#[test]
fn a_property_is_changed_without_dropping_a_connection() {
    let place = Place::start_with_revisions(&[], &two(""));
    let (mut before, port) = (place.client("office"), place.port("office"));
    let size = |client: &mut Client| client.ask("EHLO client.example");
    assert!(size(&mut before).contains("SIZE 52428800"));
    let limits = "message-size-limit = \"1 MiB\"\nrelay = { allow = [\"127.0.0.1\"] }";
    let changed = place.apply(&two(limits));
    assert!(applied(&changed), "{changed:?}");

    let mut after = place.client("office");
    assert!(size(&mut after).contains("SIZE 1048576"));
    after.expect("MAIL FROM:<ann@here.example>", "250");
    after.expect("RCPT TO:<joe@elsewhere.example>", "250");
    assert!(size(&mut before).contains("SIZE 52428800"), "who was inside goes on as before");
    before.expect("MAIL FROM:<ann@here.example>", "250");
    before.expect("RCPT TO:<joe@elsewhere.example>", "5");
    assert_eq!(addresses(&place, "office")[0].port(), port);
    assert!(
        size(&mut place.client("internet")).contains("SIZE 52428800"),
        "the other has its own properties"
    );
}

#[test]
fn a_port_is_changed_without_dropping_a_connection() {
    let place = Place::start_with_revisions(&[], &two_apart(78));
    let before = addresses(&place, "office")[0];
    let mut inside = place.client_at(before);
    let changed = place.apply(&two_apart(79));
    assert!(applied(&changed), "{changed:?}");
    let after = addresses(&place, "office")[0];
    assert_eq!(after.ip().to_string(), "127.0.0.79");
    assert!(is_refused(before), "the old port is closed");
    lives(&mut place.client_at(after));
    lives(&mut inside);
}

#[test]
fn a_specific_address_wins_over_all_unassigned() {
    let wide = |port: u16| {
        two("").replace(
            "name = \"office\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"",
            &format!("name = \"office\"\nprotocol = \"smtp\"\nbind = \"0.0.0.0:{port}\""),
        )
    };
    // Another program may have that port of another address of this machine: then with another one.
    let found = (0..10).find_map(|_| {
        let place = Place::start_with_revisions(&[], &two(""));
        let port = place.port("internet");
        applied(&place.apply(&wide(port))).then_some((place, port))
    });
    let (place, port) = found.expect("a port is free on all addresses");
    for (address, expected) in [([127, 0, 0, 1], "internet"), ([127, 0, 0, 2], "office")] {
        let mut client = place.client_at(SocketAddr::from((address, port)));
        assert_eq!(client.banner(), format!("220 mx.here.example {expected}\r\n"));
        lives(&mut client);
    }
}

#[test]
fn a_virtual_server_that_is_removed_tells_its_sessions() {
    let place = Place::start_with_revisions(&[], &two(""));
    let (mut inside, mut other) = (place.client("office"), place.client("internet"));
    let only = two("");
    let changed = place.apply(only.split("[[virtual-server]]\nname = \"office\"").next().unwrap());
    assert!(applied(&changed), "{changed:?}");
    assert!(inside.hear_end().starts_with("421 "));
    lives(&mut other);
    assert_eq!(rows(&place).len(), 1);
}

#[test]
fn what_cannot_be_applied_changes_nothing_and_says_why() {
    let place = Place::start_with_revisions(&[], &two(""));
    let mut inside = place.client("office");
    let thief = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = thief.local_addr().unwrap();
    let port = two("banner-of-nobody")
        .replace("banner-of-nobody", "message-size-limit = \"1 MiB\"")
        .replacen("127.0.0.1:0", &taken.to_string(), 1);
    let missing = place.beside("missing.pem");
    let certificate = format!(
        "tls.certificates = [{{ certificate = {missing:?}, key = {missing:?} }}]\n{}",
        two("message-size-limit = \"1 MiB\"")
    );
    let mistake = two("message-size-limit = \"a lot\"");
    for (settings, expected) in [
        (port, format!("cannot listen on {taken}")),
        (certificate, "is not there".into()),
        (mistake, "a lot".into()),
    ] {
        let why = refused(place.apply(&settings));
        assert!(why.contains(&expected), "{expected}: {why}");
        let hello = place.client("office").ask("EHLO client.example");
        assert!(hello.contains("SIZE 52428800"), "the old settings are in force: {hello}");
        lives(&mut inside);
    }
}

#[test]
fn a_change_that_breaks_its_virtual_server_is_undone() {
    let certify = |directory: &std::path::Path| {
        let made = server::certificate::make(&["mx.here.example".into()], &[]).unwrap();
        std::fs::write(directory.join("data/mine.pem"), made.chain).unwrap();
        std::fs::write(directory.join("data/mine.key"), made.key).unwrap();
    };
    let place = Place::start_with_revisions(&[], &two(""));
    certify(place.beside("").as_path());
    let (chain, key) = (place.data().join("mine.pem"), place.data().join("mine.key"));
    let with_certificate = |second: &str| {
        format!("tls.certificates = [{{ certificate = {chain:?}, key = {key:?} }}]\n{}", two(second))
    };
    let good = place.apply(&with_certificate(""));
    assert!(applied(&good), "{good:?}");
    let mut inside = place.client("office");

    let why = refused(place.apply(&with_certificate("host-name = \"elsewhere.example\"")));
    assert!(why.contains("self-check") && why.contains("not good for elsewhere.example"), "{why}");
    assert!(place.client("office").banner().starts_with("220 mx.here.example"), "it is undone");
    lives(&mut inside);
    let Response::SettingsHistory { revisions } = place.ask(&Request::SettingsHistory) else { panic!() };
    assert_eq!(revisions[0].author, "self-check");
    assert!(revisions[0].reason.contains("not good for elsewhere.example"), "{revisions:?}");
    assert!(place.log().contains("are undone"), "{}", place.log());
}

#[test]
fn the_check_reaches_a_virtual_server_that_wants_a_proxy_and_lets_nobody_in() {
    let place = Place::start_with_revisions(&[], &two(""));
    for closed in [
        "proxy-protocol = [\"127.0.0.0/8\"]",
        "connection-control = { only = [\"192.0.2.1\"] }",
        "state = \"paused\"",
        "connections = { limit = 1 }",
    ] {
        let changed = place.apply(&two(closed));
        assert!(applied(&changed), "{closed}: {changed:?}");
    }
}

#[test]
fn a_settings_file_that_changes_comes_into_force() {
    let place = Place::start(&[], &two(""));
    let mut inside = place.client("office");
    let size = |place: &Place| place.client("office").ask("EHLO client.example");
    place.write_settings(&two("message-size-limit = \"1 MiB\""));
    eventually("the file is noticed", || size(&place).contains("SIZE 1048576").then_some(()));
    eventually("it is told", || place.log().contains("+message-size-limit").then_some(()));

    place.write_settings(&two("message-size-limit = \"a lot\"\nbind-to = 1"));
    eventually("mistakes are told", || {
        let log = place.log();
        (log.contains("a lot") && log.contains("bind-to")).then_some(())
    });
    assert!(size(&place).contains("SIZE 1048576"), "the settings are as before");

    place.write_settings(&two("message-size-limit = \"2 MiB\""));
    kill_process(Pid::from_raw(place.id().cast_signed()).unwrap(), Signal::HUP).unwrap();
    eventually("SIGHUP is heard", || size(&place).contains("SIZE 2097152").then_some(()));
    lives(&mut inside);
}

/// Another user of this machine, where the test may become one.
const ANNA: u32 = 4711;

#[test]
fn operators() {
    let settings = two(&format!("operators = [\"{ANNA}\"]"));
    let place = Place::start_with_revisions(&[], &settings);
    // Whoever runs the server is an administrator.
    place.command(&["virtual-server", "pause", "internet"]);
    place.command(&["virtual-server", "start", "internet"]);
    if !rustix::process::geteuid().is_root() {
        println!("not shown: only root can ask as another user");
        return;
    }

    std::fs::set_permissions(place.beside(""), PermissionsExt::from_mode(0o755)).unwrap();
    let program = place.beside("waxseal");
    std::fs::copy(env!("CARGO_BIN_EXE_waxseal"), &program).unwrap();
    let as_user = |user: u32, arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).arg("--data").arg(place.data()).uid(user).gid(user);
        command.output().unwrap()
    };
    let may = |user: u32, arguments: &[&str]| as_user(user, arguments).status.success();
    let mut inside = place.client("office");
    lives(&mut inside);

    assert!(may(ANNA, &["virtual-server", "pause", "office"]));
    assert!(place.client("office").banner().starts_with("421 "));
    assert!(may(ANNA, &["virtual-server", "start", "office"]));
    assert!(!may(ANNA, &["virtual-server", "pause", "internet"]));
    let listed = String::from_utf8(as_user(ANNA, &["virtual-server", "list"]).stdout).unwrap();
    assert!(listed.contains("office") && !listed.contains("internet"), "{listed}");
    assert!(may(ANNA, &["sessions", "end", "--all", "office"]));
    assert_eq!(inside.hear_end(), "");
    assert!(!may(ANNA, &["sessions", "end", "--all", "internet"]));
    assert!(!may(ANNA, &["account", "list"]));
    assert!(!may(ANNA, &["status"]));
    assert!(!may(ANNA + 1, &["virtual-server", "list"]), "a stranger is not heard");
    assert!(place.log().contains(&format!("\"by\":\"{ANNA}\"")), "it is told who did it: {}", place.log());

    let file = place.beside("new.toml");
    let common = "host-name = \"mx.here.example\"\nauthentication-without-tls = [\"127.0.0.0/8\"]\n\
        log = { format = \"json\" }\n";
    let write = |text: &str| {
        std::fs::write(&file, format!("{common}{text}")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let own = write(&format!("{settings}message-size-limit = \"1 MiB\"\n"));
    let output = as_user(ANNA, &["settings", "apply", &own]);
    assert!(output.status.success(), "{output:?}");
    assert!(place.client("office").ask("EHLO client.example").contains("SIZE 1048576"));
    let others = write(&settings.replacen("banner = \"internet\"", "banner = \"x\"", 1));
    assert!(!may(ANNA, &["settings", "apply", &others]));
    let Response::SettingsHistory { revisions } = place.ask(&Request::SettingsHistory) else { panic!() };
    assert_eq!(revisions[0].author, ANNA.to_string());
}
