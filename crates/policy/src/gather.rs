//! Facts out of what was asked of others.

use directory::Resolution;
use mail::{Address, ForwardPath};

use crate::facts::{Magic, RecipientFacts, Standing};

/// What there is to know of a recipient once the directory was asked. The caller asks it, because it may know the answer
/// without waiting ([`Directory::resolve_cached`](directory::Directory::resolve_cached)).
pub fn recipient(
    path: &ForwardPath,
    resolution: &Result<Resolution, store::Error>,
    magic: Option<Magic>,
) -> RecipientFacts {
    RecipientFacts { recipient: name(path), standing: standing(resolution), magic }
}

/// Which of the recipients that fail on purpose this is. `tries_before` says how often it was tried before; it is asked
/// only where that counts.
pub fn magic(path: &ForwardPath, tries_before: impl FnOnce(&Address) -> u32) -> Option<Magic> {
    let address = path.address()?;
    match address.local.canonical().as_str() {
        "refused" => Some(Magic::Refused),
        "deferred" => Some(Magic::Deferred { tries_before: tries_before(address) }),
        "slow" => Some(Magic::Slow),
        "bounces" => Some(Magic::Bounces),
        _ => None,
    }
}

/// A recipient as stories name it.
pub fn name(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Postmaster => "postmaster".into(),
        ForwardPath::Address(address) => address.to_string(),
    }
}

fn standing(resolution: &Result<Resolution, store::Error>) -> Standing {
    match resolution {
        Ok(Resolution::NotLocal) => Standing::NotLocal,
        Ok(Resolution::HandedOn) => Standing::HandedOn,
        Ok(Resolution::UnknownHere) => Standing::Unknown,
        Ok(Resolution::Recipients(recipients)) => Standing::Local(recipients.len()),
        Ok(Resolution::Unattended) => Standing::Unattended,
        Err(_) => Standing::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_recipients_are_known_by_their_local_part() {
        for (path, expected) in [
            ("<refused@example.org>", Some(Magic::Refused)),
            ("<Deferred@example.org>", Some(Magic::Deferred { tries_before: 1 })),
            ("<SLOW@example.org>", Some(Magic::Slow)),
            ("<bounces@example.org>", Some(Magic::Bounces)),
            ("<bob@example.org>", None),
            ("<Postmaster>", None),
        ] {
            assert_eq!(magic(&ForwardPath::parse(path).unwrap(), |_| 1), expected, "{path}");
        }
    }

    #[test]
    fn what_the_directory_says_becomes_a_fact() {
        let unavailable = Err(store::Error::Unavailable(String::new()));
        for (resolution, expected) in [
            (Ok(Resolution::NotLocal), Standing::NotLocal),
            (Ok(Resolution::HandedOn), Standing::HandedOn),
            (Ok(Resolution::UnknownHere), Standing::Unknown),
            (Ok(Resolution::Recipients(Vec::new())), Standing::Local(0)),
            (Ok(Resolution::Unattended), Standing::Unattended),
            (unavailable, Standing::Unavailable),
        ] {
            assert_eq!(standing(&resolution), expected);
        }
    }
}
