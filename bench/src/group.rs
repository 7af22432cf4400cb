//! All processes of one server in a control group of their own: what ended counts too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const MOUNT: &str = "/sys/fs/cgroup";

/// A control group, version 1 or 2.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Version {
    One,
    Two,
}

/// What the processes of a group hold in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Memory {
    /// Proportional set size of all together, KiB: a shared page counts once.
    pub pss_kib: u64,
    /// Processes.
    pub processes: u64,
}

impl Group {
    /// A group of this name; processes that an earlier run left in it are ended.
    pub fn new(name: &str) -> Result<Self> {
        let (folder, version) = if Path::new(MOUNT).join("cpuacct").is_dir() {
            (Path::new(MOUNT).join("cpuacct"), Version::One)
        } else {
            (MOUNT.into(), Version::Two)
        };
        let group = Self { folder: folder.join(format!("waxseal-bench-{name}")), version };
        fs::create_dir_all(&group.folder)
            .with_context(|| format!("no control group {} (it needs root)", group.folder.display()))?;
        group.end();
        Ok(group)
    }

    /// Starts a program in the group; its output goes to a file.
    pub fn start(&self, command: &[&str], environment: &[(&str, &str)], log: &Path) -> Result<Child> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        // The shell joins the group before it becomes the program.
        let join = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
        Command::new("setsid")
            .args(["sh", "-c", join])
            .arg(&self.folder)
            .args(command)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| command.join(" "))
    }

    /// Processor seconds since the group was made, user and kernel.
    pub fn processor_seconds(&self) -> Result<f64> {
        match self.version {
            Version::One => {
                let nanoseconds: f64 = self.read("cpuacct.usage")?.trim().parse()?;
                Ok(nanoseconds / 1e9)
            }
            Version::Two => {
                let stat = self.read("cpu.stat")?;
                let line = stat.lines().find_map(|line| line.strip_prefix("usage_usec "));
                Ok(line.context("cpu.stat has no usage")?.parse::<f64>()? / 1e6)
            }
        }
    }

    /// What its processes hold now.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for process in self.processes() {
            // A process that ended meanwhile holds nothing.
            let Ok(rollup) = fs::read_to_string(format!("/proc/{process}/smaps_rollup")) else { continue };
            memory.pss_kib += rollup.lines().find_map(pss_kib).unwrap_or(0);
            memory.processes += 1;
        }
        memory
    }

    /// Ends all its processes: asks first, and after two seconds asks no more.
    pub fn end(&self) {
        for (signal, looks) in [("-TERM", 20), ("-KILL", 50)] {
            for _ in 0..looks {
                let processes = self.processes();
                if processes.is_empty() {
                    return;
                }
                // One that is gone already is no failure.
                let _ = Command::new("kill").arg(signal).args(&processes).stderr(Stdio::null()).status();
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn processes(&self) -> Vec<String> {
        self.read("cgroup.procs").unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
        // Empty now; if not, the next run empties it.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Runs a program to its end in the foreground, outside of any group.
pub fn run(command: &[&str]) -> Result<()> {
    let output = Command::new(command[0]).args(&command[1..]).output().with_context(|| command.join(" "))?;
    if !output.status.success() {
        bail!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn pss_kib(line: &str) -> Option<u64> {
    line.strip_prefix("Pss:")?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportional_set_size() {
        assert_eq!(pss_kib("Pss:                 123 kB"), Some(123));
        assert_eq!(pss_kib("Pss_Anon:             99 kB"), None);
    }
}
