//! Who receives mail here, and who may send.
