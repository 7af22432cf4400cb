//! The program: virtual servers, handlers, wiring, command line.

mod apply;
mod arrive;
mod acme;
pub mod certificate;
pub mod certificates;
mod check;
pub mod cli;
mod connect;
mod delivery;
mod files;
mod imap;
mod limits;
mod patience;
mod pop3;
mod process;
mod protocol_log;
mod replies;
pub mod run;
mod running;
pub mod serve;
mod shared;
mod smtp;
pub mod trial;
mod virtual_server;
mod virtual_servers;
mod world;
