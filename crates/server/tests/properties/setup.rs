//! From nothing to a server, and what is said of the world around it.

use std::process::{Command, Output, Stdio};

use testkit::dns::Zones;

use crate::abroad::Abroad;

fn waxseal(directory: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    command.output().expect("the program ends")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn setup_makes_a_server_and_says_what_to_publish() {
    let directory = tempfile::tempdir().unwrap();
    let abroad = Abroad::new(Zones::new().zone("new.example", "@ MX 10 mail\nmail A 198.51.100.7\n"));
    let resolver = abroad.resolver().to_string();
    let places = ["--settings", "etc/settings.toml", "--data", "data", "--resolver", &resolver];
    let known = [&places[..], &["--public-address", "198.51.100.7"]].concat();
    let setup = |more: &[&str]| {
        let first =
            ["setup", "--address", "ann@new.example", "--host-name", "mail.new.example", "--user", "root"];
        waxseal(directory.path(), &[&first[..], &known, more].concat())
    };

    // Nobody is asked where there is no terminal.
    let unasked = waxseal(directory.path(), &[&["setup"][..], &places].concat());
    assert!(!unasked.status.success() && said(&unasked).contains("--address"), "{}", said(&unasked));

    let made = setup(&["--generate"]);
    let text = said(&made);
    assert!(made.status.success(), "{text}");
    for line in [
        "The settings are in etc/settings.toml.",
        "The account ann@new.example has the password ",
        "new.example. IN MX 10 mail.new.example.",
        "7.100.51.198.in-addr.arpa. IN PTR mail.new.example.",
        "good  mail for new.example comes to mail.new.example",
        "good  mail.new.example is 198.51.100.7",
        "look  new.example does not say who may send for it (SPF)",
        "BAD   rsa-",
        "Next:  waxseal serve --settings etc/settings.toml --data data",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }

    // Again: nothing changes.
    let again = said(&setup(&[]));
    assert!(
        again.contains("etc/settings.toml stay as they are") && again.contains("is there already"),
        "{again}"
    );
    let settings = std::fs::read_to_string(directory.path().join("etc/settings.toml")).unwrap();
    assert!(settings.contains("host-name = \"mail.new.example\"\n"), "{settings}");
    let checked = waxseal(directory.path(), &["settings", "check", "etc/settings.toml"]);
    assert!(checked.status.success(), "{}", said(&checked));
}

#[test]
fn what_is_published_is_compared_and_the_doctor_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let setup = |resolver: &str| {
        let arguments = "setup --address ann@new.example --host-name mail.new.example --user root --generate \
            --settings settings.toml --data data --public-address 198.51.100.7 --json --resolver";
        let arguments: Vec<_> = arguments.split_whitespace().chain([resolver]).collect();
        waxseal(directory.path(), &arguments)
    };
    let nothing = Abroad::new(Zones::new().zone("new.example", ""));
    let made = setup(&nothing.resolver().to_string());
    let made: serde_json::Value =
        serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{}", said(&made)));
    let records = made["records"].as_array().unwrap();
    assert_eq!(made["findings"].as_array().unwrap().len(), records.len());

    // Everything as it was said.
    let text = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap().to_owned();
    let zone = |origin: &str| {
        let of = records.iter().filter(|record| text(record, "name").ends_with(origin));
        let line = |record: &serde_json::Value| {
            let (value, kind) = (text(record, "value"), text(record, "kind"));
            let strings: Vec<_> = value
                .as_bytes()
                .chunks(200)
                .map(|part| format!("{:?}", String::from_utf8_lossy(part)))
                .collect();
            let value = if kind == "TXT" { strings.join(" ") } else { value };
            format!("{}. {kind} {value}\n", text(record, "name"))
        };
        of.map(line).collect::<String>()
    };
    let reverse = "100.51.198.in-addr.arpa";
    let zones = Zones::new().zone("new.example", &zone("new.example")).zone(reverse, &zone(reverse));
    let published = Abroad::new(zones);
    let about = |resolver: &str| {
        let arguments = "--settings settings.toml --data data --public-address 198.51.100.7 --resolver";
        arguments.split_whitespace().chain([resolver]).map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |words: &[&str], resolver: &str| {
        let more = about(resolver);
        let more: Vec<_> = words.iter().copied().chain(more.iter().map(String::as_str)).collect();
        waxseal(directory.path(), &more)
    };
    let good = run(&["dns", "check"], &published.resolver().to_string());
    let told = said(&good);
    assert!(good.status.success(), "{told}");
    assert!(
        told.lines().all(|line| line.starts_with("good  ")) && told.lines().count() == records.len(),
        "{told}"
    );
    let missing = run(&["dns", "check"], &nothing.resolver().to_string());
    assert!(
        !missing.status.success() && said(&missing).contains("BAD   new.example has no MX record"),
        "{}",
        said(&missing)
    );

    // The server does not run, and mail does not get out: there is no network in this name server's world.
    let doctor = run(&["doctor"], &nothing.resolver().to_string());
    let told = said(&doctor);
    assert!(!doctor.status.success(), "{told}");
    for line in [
        "good  the settings in settings.toml are good",
        "BAD   the server does not run",
        "look  the exchangers of",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}
