//! Debian's Postfix with a configuration of its own: not chrooted, log to a file, no DNS. It files mail through Dovecot's LMTP.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::dovecot::{self, Format};
use super::{Places, SINK, Server, Task, empty_folder, greets};
use crate::group::{Group, run};

const SMTP: &str = "127.0.0.1:21525";

const SERVICES: &str = "\
21525 inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// Starts it with an empty queue, and for filing a Dovecot with empty mailboxes.
pub async fn start(places: &Places, task: Task) -> Result<Server> {
    let mailboxes = match task {
        Task::File => Some(dovecot::start(places, Format::Maildir).await?),
        Task::Keep | Task::Relay => None,
    };
    let folder = empty_folder(places, "postfix")?;
    let settings = folder.join("etc");
    for name in ["etc", "data", "spool"] {
        fs::create_dir(folder.join(name))?;
    }
    run(&["chown", "postfix", &folder.join("data").to_string_lossy()])?;
    fs::write(settings.join("main.cf"), main_settings(&folder, task))?;
    fs::write(settings.join("master.cf"), SERVICES)?;
    let (group, log) = (Group::new("postfix")?, folder.join("log"));
    group.start(&["postfix", "-c", &settings.to_string_lossy(), "start"], &[], &log)?.wait()?;
    greets(SMTP, &log).await?;
    let mut groups = vec![Arc::new(group)];
    groups.extend(mailboxes.iter().flat_map(|mailboxes| mailboxes.groups.clone()));
    Ok(Server {
        name: if mailboxes.is_some() { "Postfix and Dovecot" } else { "Postfix" }.into(),
        groups,
        smtp: Some(SMTP.into()),
        imap: mailboxes.as_ref().and_then(|mailboxes| mailboxes.imap.clone()),
        pop3: None,
    })
}

fn main_settings(folder: &Path, task: Task) -> String {
    let port = SINK.rsplit(':').next().unwrap_or_default();
    let transport = match task {
        Task::Keep => "discard:".into(),
        Task::Relay => format!("smtp:[127.0.0.1]:{port}"),
        Task::File => format!("lmtp:inet:{}", Format::Maildir.lmtp()),
    };
    let hold = if task == Task::Keep { "check_client_access static:hold" } else { "" };
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mx.bench.test
mydestination =
local_recipient_maps =
relay_domains = bench.test
relay_recipient_maps =
relay_transport = {transport}
default_transport = error:no outside mail
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtputf8_enable = no
smtpd_client_connection_count_limit = 0
smtpd_client_restrictions = {hold}
alias_maps =
alias_database =
"
    )
}
