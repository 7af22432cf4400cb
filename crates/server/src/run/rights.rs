//! Commands about what accounts may do, and which networks may not come in.

use admin::Request;

use crate::cli::{AppPasswordAction, BanAction, SendAsAction, Where};

pub(super) fn app_password(action: AppPasswordAction) -> (Request, Where) {
    match action {
        AppPasswordAction::Add { address, name, scopes, days, place } => {
            (Request::AppPasswordAdd { address, name, scopes, days }, place)
        }
        AppPasswordAction::List { address, place } => (Request::AppPasswordList { address }, place),
        AppPasswordAction::Remove { address, name, place } => {
            (Request::AppPasswordRemove { address, name }, place)
        }
    }
}

pub(super) fn send_as(action: SendAsAction) -> (Request, Where) {
    match action {
        SendAsAction::Add { account, address, place } => (Request::SendAsAdd { account, address }, place),
        SendAsAction::List { account, place } => (Request::SendAsList { account }, place),
        SendAsAction::Remove { account, address, place } => {
            (Request::SendAsRemove { account, address }, place)
        }
    }
}

pub(super) fn ban(action: BanAction) -> (Request, Where) {
    match action {
        BanAction::List { place } => (Request::BanList, place),
        BanAction::Add { network, hours, reason, place } => {
            (Request::BanAdd { network, hours, reason }, place)
        }
        BanAction::Remove { network, place } => (Request::BanRemove { network }, place),
    }
}
