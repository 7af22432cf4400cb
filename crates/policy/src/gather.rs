//! Facts that must be asked for.

use directory::{Directory, Resolution};
use mail::ForwardPath;

use crate::facts::{Magic, RecipientFacts, Standing};

/// What there is to know of a recipient, and what it resolves to, if the directory could be asked.
pub async fn recipient(
    directory: &Directory,
    path: &ForwardPath,
    magic: Option<Magic>,
) -> (RecipientFacts, Result<Resolution, store::Error>) {
    let resolution = match directory.resolve_cached(path) {
        Some(resolution) => Ok(resolution),
        None => directory.resolve(path).await,
    };
    (RecipientFacts { recipient: name(path), standing: standing(&resolution), magic }, resolution)
}

/// Which of the recipients that fail on purpose this is. `tries_before`: how often this recipient was tried before.
pub fn magic(path: &ForwardPath, tries_before: u32) -> Option<Magic> {
    let address = path.address()?;
    match address.local.canonical().as_str() {
        "refused" => Some(Magic::Refused),
        "deferred" => Some(Magic::Deferred { tries_before }),
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
            assert_eq!(magic(&ForwardPath::parse(path).unwrap(), 1), expected, "{path}");
        }
    }

    #[test]
    fn what_the_directory_says_becomes_a_fact() {
        let unavailable = Err(store::Error::Unavailable(String::new()));
        for (resolution, expected) in [
            (Ok(Resolution::NotLocal), Standing::NotLocal),
            (Ok(Resolution::UnknownHere), Standing::Unknown),
            (Ok(Resolution::Recipients(Vec::new())), Standing::Local(0)),
            (Ok(Resolution::Unattended), Standing::Unattended),
            (unavailable, Standing::Unavailable),
        ] {
            assert_eq!(standing(&resolution), expected);
        }
    }
}
