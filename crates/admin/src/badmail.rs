//! Badmail: what could be neither delivered nor returned. Looked at, sent again, deleted.

use std::io;
use std::path::PathBuf;

use mail::message::Header;
use mail::printable;
use queue::badmail;
use store::files::{self, Found, NewFile, Readers};

use crate::limits::{BADMAIL_OCTETS_MAX, HEADER_OCTETS_MAX};
use crate::response::{BadmailRow, Refusal, Response};
use crate::service::Admin;

impl Admin {
    pub(crate) fn badmail_list(&self) -> Result<Response, Refusal> {
        let mut rows = Vec::new();
        for Found { name, size, modified_ms, .. } in badmail::list(&self.badmail()).map_err(unreadable)? {
            let reason = self.reason(&name).unwrap_or_default();
            rows.push(BadmailRow { name, size, at: mail::Timestamp(modified_ms), reason });
        }
        Ok(Response::Badmail { files: rows })
    }

    pub(crate) fn badmail_show(&self, name: &str) -> Result<Response, Refusal> {
        let (octets, _) = self.read(name, BADMAIL_OCTETS_MAX)?;
        let shown = String::from_utf8_lossy(&octets[..octets.len().min(HEADER_OCTETS_MAX)]).into_owned();
        Ok(Response::Text { text: shown })
    }

    /// Puts it into the pickup directory, from where it is sent as it is.
    pub(crate) fn badmail_retry(&self, name: &str) -> Result<Response, Refusal> {
        let (octets, _) = self.read(name, BADMAIL_OCTETS_MAX)?;
        let pickup = self.pickup();
        let again = || {
            let mut file = NewFile::create(&pickup, &format!("badmail-{name}"), Readers::Owner)?;
            file.write(&octets)?;
            file.finish()?;
            files::remove(&self.badmail().join(name))
        };
        again().map_err(|error| {
            let remedy = "is the server running, and `pickup` on?";
            Refusal::new(format!("it cannot be put into {}: {error}", pickup.display()), remedy)
        })?;
        Ok(Response::Done { said: format!("{} is sent again within some seconds", printable(name)) })
    }

    pub(crate) fn badmail_delete(&self, name: &str) -> Result<Response, Refusal> {
        checked(name)?;
        files::remove(&self.badmail().join(name)).map_err(|error| unreadable_file(name, &error))?;
        Ok(Response::Done { said: format!("{} is deleted", printable(name)) })
    }

    fn badmail(&self) -> PathBuf {
        let known = self.queue.as_ref().and_then(|queue| queue.properties().badmail.clone());
        known.unwrap_or_else(|| badmail::directory(self.store.path()))
    }

    fn pickup(&self) -> PathBuf {
        let known = self.queue.as_ref().and_then(|queue| queue.properties().pickup.clone());
        known.unwrap_or_else(|| self.store.path().join("pickup"))
    }

    fn read(&self, name: &str, most: u64) -> Result<(Vec<u8>, Found), Refusal> {
        checked(name)?;
        files::read(&self.badmail().join(name), most).map_err(|error| unreadable_file(name, &error))
    }

    /// What its first lines say.
    fn reason(&self, name: &str) -> Option<String> {
        let (octets, _) = files::read(&self.badmail().join(name), BADMAIL_OCTETS_MAX).ok()?;
        let header = Header::parse(&octets);
        Some(printable(header.find(badmail::REASON)?.unfolded().trim_ascii()))
    }
}

/// A name that stays in the directory.
fn checked(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        let message = format!("\"{}\" is no name of a file", printable(name));
        return Err(Refusal::new(message, "see the list: waxseal badmail list"));
    }
    Ok(())
}

fn unreadable(error: io::Error) -> Refusal {
    Refusal::new(format!("the badmail cannot be read: {error}"), "is the server's data readable for you?")
}

fn unreadable_file(name: &str, error: &io::Error) -> Refusal {
    let what = format!("there is no badmail {} that can be read: {error}", printable(name));
    Refusal::new(what, "see the list: waxseal badmail list")
}
