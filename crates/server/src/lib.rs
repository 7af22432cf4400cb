//! The program: virtual servers, handlers, wiring, command line.
