//! What a mailbox is to its reader: views, fetch, search, filing.
