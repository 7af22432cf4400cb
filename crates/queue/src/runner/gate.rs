//! Where an attempt asks whether its site has room.

use crate::schedule::{Routed, Site};

/// Asked once an attempt knows its site, before it connects.
#[derive(Debug, Clone, Default)]
pub struct Gate;

impl Gate {
    /// A gate that lets everything pass.
    pub fn open() -> Self {
        Self
    }

    /// Whether the attempt may go on to this site.
    pub async fn pass(&self, _site: Site) -> Routed {
        Routed::Go
    }
}
