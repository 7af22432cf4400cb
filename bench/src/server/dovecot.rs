//! Debian's Dovecot with a configuration of its own: IMAP, POP3 and LMTP, one password for all, and Dovecot's own defaults where
//! durability is concerned (`mail_fsync = optimized`: a delivered or appended message is synced).

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{PASSWORD, Places, Server, empty_folder, greets};
use crate::group::{Group, run};

/// The user whose files mailboxes are.
const OWNER: &str = "bench-mail";

/// How mailboxes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A file a message, flags in its name.
    Maildir,
    /// A file a message, flags in the index.
    Single,
    /// Several messages in a file.
    Multiple,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Single => "sdbox",
            Self::Multiple => "mdbox",
        }
    }

    fn address(self, service: u16) -> String {
        let offset = match self {
            Self::Maildir => 0,
            Self::Single => 200,
            Self::Multiple => 400,
        };
        format!("127.0.0.1:{}", 21000 + offset + service)
    }

    /// Where it takes mail by LMTP.
    pub fn lmtp(self) -> String {
        self.address(24)
    }
}

/// Starts it with empty mailboxes.
pub async fn start(places: &Places, format: Format) -> Result<Server> {
    let name = format!("dovecot-{}", format.name());
    let folder = empty_folder(places, &name)?;
    let (user, group_number) = owner()?;
    let mail = folder.join("mail");
    fs::create_dir(&mail)?;
    run(&["chown", &format!("{user}:{group_number}"), &mail.to_string_lossy()])?;
    let configuration = folder.join("dovecot.conf");
    fs::write(&configuration, text(&folder.to_string_lossy(), format, &user, &group_number))?;
    let log = folder.join("log");
    let group = Group::new(&name)?;
    group.start(&["dovecot", "-F", "-c", &configuration.to_string_lossy()], &[], &log)?;
    let (imap, pop3) = (format.address(143), format.address(110));
    greets(&imap, &log).await?;
    greets(&format.lmtp(), &log).await?;
    Ok(Server {
        name: format!("Dovecot, {}", if format == Format::Maildir { "Maildir" } else { format.name() }),
        groups: vec![Arc::new(group)],
        smtp: None,
        imap: Some(imap),
        pop3: Some(pop3),
    })
}

/// The numbers of the user and the group, made if they are missing.
fn owner() -> Result<(String, String)> {
    let number = |option| {
        let output = std::process::Command::new("id").args([option, OWNER]).output()?;
        let number = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        anyhow::Ok(Some(number).filter(|number| !number.is_empty()))
    };
    if number("-u")?.is_none() {
        run(&[
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            OWNER,
        ])?;
    }
    Ok((number("-u")?.context("no user")?, number("-g")?.context("no group")?))
}

fn text(folder: &str, format: Format, user: &str, group: &str) -> String {
    let name = format.name();
    let location =
        if format == Format::Maildir { "maildir:~/Maildir".into() } else { format!("{name}:~/{name}") };
    let port = |service| format.address(service).rsplit(':').next().unwrap_or_default().to_owned();
    let (imap, pop3, lmtp) = (port(143), port(110), port(24));
    format!(
        "base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
protocols = imap pop3 lmtp
ssl = no
disable_plaintext_auth = no
mail_location = {location}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
auth_mechanisms = plain login
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%n allow_all_users=yes
}}
mail_max_userip_connections = 0
default_client_limit = 4000
default_process_limit = 400
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 4
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 2000
}}
service lmtp {{
  process_min_avail = 4
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service stats {{
  client_limit = 8000
}}
service anvil {{
  client_limit = 8000
}}
"
    )
}
