//! Whom the process runs as. Root is needed for ports below 1024 and nothing else, so nothing else is done as root.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::chown;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// Where the system keeps its users and groups.
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// Of the data directory. Others may pass through it to the pickup directory, where programs of this machine leave mail.
pub(crate) const DATA_MODE: u32 = 0o711;

/// Someone to run as.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
    /// Further groups, such as the one that may read certificates.
    groups: Vec<u32>,
}

/// What is kept of root's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing.
    Nothing,
    /// To bind ports below 1024, so that a change of the settings can, too.
    Ports,
}

/// A server that was started as root goes on as this user; if none is named, as the owner of its data directory. Whoever
/// is not root stays who he is. Makes the data directory where it is missing.
///
/// Call it while the process has one thread.
///
/// # Errors
/// No such user; data that belongs to somebody else; the system's.
pub(crate) fn leave_root(named: Option<&str>, data: &Path, keep: Keep) -> Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(data).ok().map(|data| (data.uid(), data.gid()));
    let user = match (named, owner) {
        (Some(name), _) => by_name(name)?,
        (None, Some((uid, gid))) if uid != 0 => of_id(uid, gid),
        (None, _) => return Ok(()),
    };
    match owner {
        Some((uid, _)) if uid != user.uid => bail!(
            "the data directory {} belongs to user {uid}, and the server is to run as user {}; give it to that user \
             with `chown -R {}: {}`, or name another user (settings, user)",
            data.display(),
            user.uid,
            user.uid,
            data.display()
        ),
        Some(_) => {}
        None => make_data(data, &user)?,
    }
    become_user(&user, keep).with_context(|| format!("cannot go on as user {}", user.uid))
}

/// Whether there is such a user.
pub(crate) fn exists(name: &str) -> bool {
    by_name(name).is_ok()
}

fn make_data(data: &Path, user: &User) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(DATA_MODE).create(data);
    made.with_context(|| format!("cannot make the data directory {}", data.display()))?;
    let owned = chown(data, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
    owned.with_context(|| format!("cannot give {} to user {}", data.display(), user.uid))
}

fn become_user(user: &User, keep: Keep) -> rustix::io::Result<()> {
    set_keep_capabilities(true)?;
    let groups: Vec<_> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    set_thread_groups(&groups)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let kept = match keep {
        Keep::Nothing => CapabilitySet::empty(),
        Keep::Ports => CapabilitySet::NET_BIND_SERVICE,
    };
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })?;
    set_no_new_privs(true)
}

/// The owner of the data of a server that is down, with no groups but his own.
fn of_id(uid: u32, gid: u32) -> User {
    let users = fs::read_to_string(USERS).unwrap_or_default();
    let name = users.lines().map(fields).find(|user| user.get(2) == Some(&uid.to_string().as_str()));
    let groups = fs::read_to_string(GROUPS).unwrap_or_default();
    let groups = name.map_or_else(Vec::new, |user| groups_of(user[0], &groups));
    User { uid, gid, groups }
}

/// By name, or by number as `990` or `990:990`, as containers have it.
fn by_name(name: &str) -> Result<User> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let Some(user) = find(name, &read(USERS), &read(GROUPS)) else {
        bail!("there is no user {name:?} here; make one with `useradd --system {name}` (settings, user)");
    };
    if user.uid == 0 {
        bail!("user {name:?} is root, whose rights are to be given up; name another (settings, user)");
    }
    Ok(user)
}

fn find(name: &str, users: &str, groups: &str) -> Option<User> {
    let (uid, gid) = name.split_once(':').unwrap_or((name, name));
    if let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) {
        return Some(User { uid, gid, groups: Vec::new() });
    }
    let user = users.lines().map(fields).find(|user| user[0] == name)?;
    let (uid, gid) = (user.get(2)?.parse().ok()?, user.get(3)?.parse().ok()?);
    Some(User { uid, gid, groups: groups_of(name, groups) })
}

/// The groups that have this user among their members (group(5)).
fn groups_of(name: &str, groups: &str) -> Vec<u32> {
    let has =
        |group: &Vec<&str>| group.get(3).is_some_and(|members| members.split(',').any(|one| one == name));
    let groups = groups.lines().map(fields).filter(has);
    groups.filter_map(|group| group.get(2)?.parse().ok()).collect()
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/bash\nwaxseal:x:990:991::/var/lib/waxseal:/usr/sbin/nologin\nbroken\n";
    const GROUPS: &str = "root:x:0:\nssl-cert:x:112:postgres,waxseal\nmail:x:8:waxseals\nwaxseal:x:991:\n";

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let user = |uid, gid, groups: &[u32]| Some(User { uid, gid, groups: groups.to_vec() });
        for (name, expected) in [
            ("waxseal", user(990, 991, &[112])),
            ("990", user(990, 990, &[])),
            ("990:8", user(990, 8, &[])),
            ("nobody-here", None),
            ("broken", None),
            ("", None),
        ] {
            assert_eq!(find(name, USERS, GROUPS), expected, "{name}");
        }
    }
}
