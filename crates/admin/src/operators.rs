//! Who may ask for what: an administrator for everything, an operator for what concerns the virtual servers that name him.
//!
//! ```text
//! root, the server's own user -------------------------------> everything
//! operators of virtual servers --> these: state, sessions, their sections of the settings
//! everybody else ---------------------------------------------> nothing
//! ```

use crate::caller::Caller;
use crate::request::Request;
use crate::response::Refusal;
use crate::running::Running;

/// What a caller may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Everything.
    All,
    /// What concerns these virtual servers alone; empty: nothing.
    Of(Vec<String>),
}

impl Rights {
    /// Those of a caller where this runs. `own` is the user that the program runs as.
    pub(crate) fn of(caller: &Caller, own: u32, running: &dyn Running) -> Self {
        match caller.uid {
            None | Some(0) => Self::All,
            Some(uid) if uid == own => Self::All,
            Some(_) => Self::Of(running.operated_by(&caller.user)),
        }
    }

    /// Whether there is anything at all.
    pub(crate) fn are_any(&self) -> bool {
        match self {
            Self::All => true,
            Self::Of(names) => !names.is_empty(),
        }
    }

    /// Whether a virtual server is among them.
    pub(crate) fn cover(&self, virtual_server: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(names) => names.iter().any(|name| name == virtual_server),
        }
    }

    /// Refuses what they do not cover.
    ///
    /// # Errors
    /// The refusal. It says nothing about what there is.
    pub(crate) fn require(&self, request: &Request, running: &dyn Running) -> Result<(), Refusal> {
        let Self::Of(names) = self else { return Ok(()) };
        let is_covered = self.are_any()
            && match request {
                // Their answers are cut to what is covered.
                Request::VirtualServerList | Request::ConnectionList => true,
                // What is to be changed must be seen. A settings text holds no secrets.
                Request::SettingsShow { .. } => true,
                Request::VirtualServerShow { name } | Request::VirtualServerSwitch { name, .. } => {
                    self.cover(name)
                }
                Request::ConnectionTerminateAll { virtual_server } => self.cover(virtual_server),
                Request::ConnectionTerminate { id } => {
                    let mut connections = running.connections().into_iter();
                    connections.any(|row| row.id == *id && self.cover(&row.virtual_server))
                }
                Request::SettingsApply { text, .. } => running.changes_only(text, names),
                _ => false,
            };
        if is_covered {
            return Ok(());
        }
        let remedy = "an administrator may: root, or the user that the server runs as";
        Err(Refusal::new("this is not for you to change, nor to see", remedy))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use mail::Timestamp;

    use super::*;
    use crate::request::Switch;
    use crate::running::{ConnectionRow, VirtualServerRow};

    /// anna operates `office`, which has connection 7; `internet` has connection 8.
    #[derive(Debug)]
    struct Office;

    impl Running for Office {
        fn virtual_servers(&self) -> Vec<VirtualServerRow> {
            Vec::new()
        }

        fn connections(&self) -> Vec<ConnectionRow> {
            let row = |id, virtual_server: &str| ConnectionRow {
                id,
                virtual_server: virtual_server.into(),
                protocol: "smtp".into(),
                peer: SocketAddr::from(([192, 0, 2, 1], 4711)),
                since: Timestamp(0),
                account: String::new(),
                tls: String::new(),
                doing: String::new(),
                received: 0,
                sent: 0,
                messages: 0,
            };
            vec![row(7, "office"), row(8, "internet")]
        }

        fn terminate(&self, _id: u64) -> bool {
            false
        }

        fn operated_by(&self, user: &str) -> Vec<String> {
            if user == "anna" { vec!["office".into()] } else { Vec::new() }
        }

        fn changes_only(&self, text: &str, names: &[String]) -> bool {
            text == "office" && names == ["office"]
        }
    }

    fn rights(user: &str, uid: Option<u32>) -> Rights {
        Rights::of(&Caller { user: user.into(), uid }, 110, &Office)
    }

    #[test]
    fn root_and_the_servers_own_user_may_everything() {
        for (uid, expected) in [(None, true), (Some(0), true), (Some(110), true), (Some(1000), false)] {
            assert_eq!(rights("berta", uid) == Rights::All, expected, "{uid:?}");
            let may = rights("berta", uid).require(&Request::DomainList, &Office).is_ok();
            assert_eq!(may, expected, "{uid:?}");
        }
    }

    #[test]
    fn an_operator_may_what_concerns_his_virtual_server() {
        let switch = |name: &str| Request::VirtualServerSwitch { name: name.into(), to: Switch::Paused };
        let end_all = |name: &str| Request::ConnectionTerminateAll { virtual_server: name.into() };
        let apply =
            |text: &str| Request::SettingsApply { text: text.into(), reason: String::new(), based_on: None };
        for (request, expected) in [
            (switch("office"), true),
            (switch("internet"), false),
            (Request::VirtualServerShow { name: "office".into() }, true),
            (Request::VirtualServerShow { name: "internet".into() }, false),
            (end_all("office"), true),
            (end_all("internet"), false),
            (Request::ConnectionTerminate { id: 7 }, true),
            (Request::ConnectionTerminate { id: 8 }, false),
            (Request::ConnectionTerminate { id: 9 }, false),
            (apply("office"), true),
            (apply("internet"), false),
            (Request::ConnectionList, true),
            (Request::AccountList, false),
            (Request::Status, false),
            (Request::Reload, false),
            (Request::SettingsRollback { number: 1, reason: String::new() }, false),
        ] {
            assert_eq!(
                rights("anna", Some(1000)).require(&request, &Office).is_ok(),
                expected,
                "{request:?}"
            );
            assert!(rights("berta", Some(1001)).require(&request, &Office).is_err(), "{request:?}");
        }
    }
}
