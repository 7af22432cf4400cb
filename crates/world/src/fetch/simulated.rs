//! Pages in memory, for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::{FetchError, Request, Response, Target};

/// What a page answers.
type Page = Arc<dyn Fn(&Request) -> Result<Response, FetchError> + Send + Sync>;

/// Pages by URL, without the query. What is not there has no address.
#[derive(Clone, Default)]
pub struct Web(Arc<Mutex<BTreeMap<String, Page>>>);

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web(…)")
    }
}

impl Web {
    /// Nothing is there.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a page there, in place of the one that was.
    pub fn put(
        &self,
        url: &str,
        page: impl Fn(&Request) -> Result<Response, FetchError> + Send + Sync + 'static,
    ) {
        self.0.lock().expect("no holder panics").insert(url.to_owned(), Arc::new(page));
    }

    pub(super) fn send(&self, request: &Request) -> Result<Response, FetchError> {
        Target::parse(&request.url)?;
        let url = request.url.split(['?', '#']).next().unwrap_or_default();
        let page = self.0.lock().expect("no holder panics").get(url).cloned();
        let response = page.ok_or(FetchError::NoAddress)?(request)?;
        if response.body.len() > request.limits.octets { Err(FetchError::TooLarge) } else { Ok(response) }
    }
}
