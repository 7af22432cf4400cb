//! Who asks: a user of this machine.

use std::fs;

/// The system's list of users, a line each: name, password, number and more, between colons (passwd(5)).
const USERS: &str = "/etc/passwd";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The Unix user's name; its number where it has none.
    pub user: String,
    /// The number; none if it is not known, as for the program itself.
    pub uid: Option<u32>,
}

impl Caller {
    /// The program itself, or whoever holds its data.
    pub fn administrator() -> Self {
        Self { user: "administrator".into(), uid: None }
    }

    /// The user of this number.
    pub fn of_uid(uid: u32) -> Self {
        let users = fs::read_to_string(USERS).unwrap_or_default();
        Self { user: name_of(uid, &users).unwrap_or_else(|| uid.to_string()), uid: Some(uid) }
    }
}

fn name_of(uid: u32, users: &str) -> Option<String> {
    let is_of = |line: &&str| line.split(':').nth(2).and_then(|number| number.parse().ok()) == Some(uid);
    let name = users.lines().find(is_of)?.split(':').next()?;
    (!name.is_empty()).then(|| mail::printable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n:x:7:7::/:\nbroken\n";
        for (uid, expected) in [(0, Some("root")), (1000, Some("anna")), (7, None), (42, None)] {
            assert_eq!(name_of(uid, users).as_deref(), expected, "{uid}");
        }
        assert_eq!(Caller::of_uid(u32::MAX - 7).user, (u32::MAX - 7).to_string());
    }
}
