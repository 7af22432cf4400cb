//! When and how mail moves on: acceptance, local delivery, retries, reports.
