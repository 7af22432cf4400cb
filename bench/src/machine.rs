//! What was measured on, and which programs.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A machine and the programs on it, for the page.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `2 processors (name)`.
    pub processors: String,
    /// `Linux 6.1.0`.
    pub kernel: String,
    /// MiB.
    pub memory_mib: u64,
    /// Of the folder with the servers' data: `ext4`.
    pub filesystem: String,
    /// `vda, no rotation`.
    pub disk: String,
    /// `Waxseal 0.1.0`, and so on.
    pub programs: Vec<String>,
}

impl Machine {
    /// This one, with data in `folder`.
    pub fn here(folder: &Path, waxseal: &Path) -> Self {
        let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory =
            memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
        let folder = folder.to_string_lossy();
        Self {
            processors: format!("{count} processors ({})", model.unwrap_or("of unknown kind")),
            kernel: format!("Linux {}", output(&["uname", "-r"])),
            memory_mib: memory.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024,
            filesystem: output(&["df", "--output=fstype", &folder]),
            disk: disk(&output(&["df", "--output=source", &folder])),
            programs: vec![
                output(&[&waxseal.to_string_lossy(), "--version"]),
                format!("Postfix {}", output(&["postconf", "-h", "mail_version"])),
                format!("Dovecot {}", output(&["dovecot", "--version"])),
            ],
        }
    }
}

/// The whole disk behind a source such as `/dev/sda1`.
fn disk(source: &str) -> String {
    let Some(name) = source.trim().rsplit('/').next() else { return "unknown".into() };
    let whole = [name, name.trim_end_matches(|c: char| c.is_ascii_digit())]
        .into_iter()
        .find(|name| Path::new("/sys/block").join(name).exists());
    let Some(whole) = whole else { return name.into() };
    let rotates = fs::read_to_string(format!("/sys/block/{whole}/queue/rotational")).unwrap_or_default();
    let cache = fs::read_to_string(format!("/sys/block/{whole}/queue/write_cache")).unwrap_or_default();
    let kind = if rotates.trim() == "1" { "says that it rotates" } else { "no rotation" };
    format!("{whole}, {kind}, cache: {}", cache.trim())
}

/// The last line that a program prints.
fn output(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().last().unwrap_or("unknown").trim().to_owned()
}
