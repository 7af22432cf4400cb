//! dkimpy in a process of its own. It is installed from PyPI into a virtual environment under `target/`, once. Needs
//! `python3` with `venv`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const REQUIREMENTS: [&str; 2] = ["dkimpy==1.1.8", "PyNaCl"];

/// Checks every signature of each message, a line of results for each. Standard input: the messages, before each its length
/// on a line; arguments: names and records by turns.
const VERIFY: &str = r#"
import sys, dkim
records = dict(zip(sys.argv[1::2], sys.argv[2::2]))
lookup = lambda name, timeout=5: records.get(name.decode().rstrip("."), "").encode()
def verify(message, index):
    try:
        return dkim.DKIM(message).verify(idx=index, dnsfunc=lookup)
    except dkim.ValidationError:
        return False
while length := sys.stdin.buffer.readline():
    message = sys.stdin.buffer.read(int(length))
    count = len([field for field in dkim.DKIM(message).headers if field[0].lower() == b"dkim-signature"])
    print(*[verify(message, index) for index in range(count)])
"#;
/// What dkimpy says of the signatures of each message, `True True`, when records are published under these names.
pub(crate) fn checks(records: &BTreeMap<String, String>, messages: &[Vec<u8>]) -> Vec<String> {
    let arguments: Vec<_> =
        records.iter().flat_map(|(name, record)| [name.as_str(), record.as_str()]).collect();
    let framed =
        messages.iter().flat_map(|message| [format!("{}\n", message.len()).into_bytes(), message.clone()]);
    let told = run(VERIFY, &arguments, &framed.collect::<Vec<_>>().concat());
    String::from_utf8(told).unwrap().lines().map(String::from).collect()
}

/// Runs a script that finds dkimpy; what it printed.
pub(crate) fn run(script: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(python());
    command.arg("-c").arg(script).args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    checked(child.wait_with_output().unwrap(), "dkimpy")
}

/// The Python of the virtual environment, which is made if it is not there.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dkimpy-1.1.8");
    let lock = OpenOptions::new().create(true).append(true).open(home.with_extension("lock")).unwrap();
    // Each test is a process; the first makes it, the others wait.
    lock.lock().unwrap();
    let (python, done) = (home.join("bin/python"), home.join("installed"));
    if !done.exists() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home), "python3 -m venv");
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(REQUIREMENTS);
        succeed(&mut pip, "pip cannot install dkimpy: is its registry (PyPI) in reach?");
        fs::copy(home.join("pyvenv.cfg"), done).unwrap();
    }
    python
}

fn succeed(command: &mut Command, what: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    checked(output, what);
}

fn checked(output: Output, what: &str) -> Vec<u8> {
    assert!(output.status.success(), "{what}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
