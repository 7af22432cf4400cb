//! Every object an administrator can list, show, change: one service layer.
