//! What follows from what a host said or did: is it final, or is there hope with the next host? Pure.
//!
//! RFC 5321 §5.1 has the addresses tried in order until one succeeds. What speaks about the message or a recipient is
//! taken as the word of the domain and ends the attempt; what speaks about this host or this connection does not. A
//! message that may have arrived is never given to a second host (RFC 1047).

use protocol::smtp::client::{Cause, Diagnostic, Outcome, Stage};
use settings::OutboundTls;

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stands.
    Final,
    /// It stands unless another host does better.
    Elsewhere,
}

/// What follows from a connection that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The next host.
    NextHost,
    /// The same host, without TLS.
    WithoutTls,
    /// Nothing more now: it was ended here.
    Stop,
}

/// What follows from the outcome for a recipient.
pub(super) fn verdict(outcome: &Outcome) -> Verdict {
    let Outcome::Deferred(diagnostic) = outcome else { return Verdict::Final };
    let about_the_connection =
        !matches!(diagnostic.cause, Cause::Reply | Cause::Stopped | Cause::ContentLost)
            || diagnostic.reply.as_ref().is_some_and(|reply| reply.code == 421);
    match diagnostic.stage {
        Stage::End => Verdict::Final,
        // The host takes no mail now, whoever it is for.
        Stage::Mail | Stage::Ready if diagnostic.cause == Cause::Reply => Verdict::Elsewhere,
        _ if about_the_connection => Verdict::Elsewhere,
        _ => Verdict::Final,
    }
}

/// Whether a connection that had served others before has just come to its end, which says nothing about the host.
pub(super) fn was_stale(outcome: &Outcome) -> bool {
    let diagnostic = outcome.diagnostic();
    let closed = matches!(diagnostic.cause, Cause::Closed | Cause::WriteDeadline | Cause::NotUnderstood);
    let told = diagnostic.reply.as_ref().is_some_and(|reply| reply.code == 421);
    match diagnostic.stage {
        // It was given the message when it was saying QUIT already.
        Stage::Ready if diagnostic.cause == Cause::Stopped => true,
        Stage::Ready | Stage::Reset | Stage::Mail => closed || told,
        _ => false,
    }
}

/// What follows from the end of a connection.
pub(super) fn then(failure: &Diagnostic, tls: OutboundTls) -> Then {
    match failure.cause {
        Cause::Stopped => Then::Stop,
        // RFC 7435 §3: opportunistic TLS that fails is no reason not to send.
        _ if tls == OutboundTls::Offered && is_about_tls(failure) => Then::WithoutTls,
        _ => Then::NextHost,
    }
}

/// Whether the host offers TLS and cannot do it. Clear text behind its consent is not that: somebody may have put it there.
fn is_about_tls(failure: &Diagnostic) -> bool {
    match failure.cause {
        Cause::TlsFailed => true,
        Cause::Closed | Cause::NotUnderstood | Cause::ReplyTooLong | Cause::TimedOut => {
            failure.stage == Stage::StartTls
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mail::{EnhancedCode, Reply};

    use super::*;

    fn outcome(stage: Stage, cause: Cause, code: Option<u16>) -> Outcome {
        let reply = code.map(|code| Reply::plain(code, "words"));
        let class = code.map_or(4, |code| (code / 100) as u8);
        let diagnostic = Diagnostic { stage, cause, reply, status: EnhancedCode(class, 0, 0) };
        match class {
            2 => Outcome::Delivered(diagnostic),
            4 => Outcome::Deferred(diagnostic),
            _ => Outcome::Failed(diagnostic),
        }
    }

    #[test]
    fn only_what_is_about_the_host_leads_elsewhere() {
        use Verdict::{Elsewhere, Final};
        for (stage, cause, code, expected) in [
            (Stage::End, Cause::Reply, Some(250), Final),
            (Stage::Mail, Cause::Reply, Some(550), Final),
            (Stage::Mail, Cause::Reply, Some(451), Elsewhere),
            (Stage::Mail, Cause::Closed, None, Elsewhere),
            (Stage::Mail, Cause::TimedOut, None, Elsewhere),
            (Stage::Ready, Cause::Reply, Some(421), Elsewhere),
            (Stage::Ready, Cause::Stopped, None, Final),
            (Stage::Recipient, Cause::Reply, Some(450), Final),
            (Stage::Recipient, Cause::Reply, Some(550), Final),
            (Stage::Recipient, Cause::Reply, Some(421), Elsewhere),
            (Stage::Recipient, Cause::Closed, None, Elsewhere),
            (Stage::Data, Cause::Reply, Some(451), Final),
            (Stage::Data, Cause::Reply, Some(421), Elsewhere),
            (Stage::Data, Cause::TimedOut, None, Elsewhere),
            (Stage::Content, Cause::Closed, None, Elsewhere),
            (Stage::Content, Cause::WriteDeadline, None, Elsewhere),
            (Stage::Content, Cause::Reply, Some(421), Elsewhere),
            (Stage::Content, Cause::ContentLost, None, Final),
            (Stage::Content, Cause::Stopped, None, Final),
            // It may have arrived, or the host had it and refused.
            (Stage::End, Cause::Closed, None, Final),
            (Stage::End, Cause::TimedOut, None, Final),
            (Stage::End, Cause::Reply, Some(421), Final),
            (Stage::End, Cause::Reply, Some(451), Final),
        ] {
            assert_eq!(verdict(&outcome(stage, cause, code)), expected, "{stage:?} {cause:?} {code:?}");
        }
    }

    #[test]
    fn a_connection_is_stale_only_before_the_first_recipient() {
        for (stage, cause, code, expected) in [
            (Stage::Ready, Cause::Closed, None, true),
            (Stage::Ready, Cause::Reply, Some(421), true),
            (Stage::Ready, Cause::Stopped, None, true),
            (Stage::Mail, Cause::Stopped, None, false),
            (Stage::Reset, Cause::NotUnderstood, None, true),
            (Stage::Mail, Cause::Closed, None, true),
            (Stage::Mail, Cause::Reply, Some(421), true),
            (Stage::Mail, Cause::Reply, Some(451), false),
            (Stage::Mail, Cause::TimedOut, None, false),
            (Stage::Recipient, Cause::Closed, None, false),
            (Stage::End, Cause::Closed, None, false),
        ] {
            assert_eq!(was_stale(&outcome(stage, cause, code)), expected, "{stage:?} {cause:?} {code:?}");
        }
    }

    #[test]
    fn tls_that_fails_is_left_out_only_where_policy_allows_it() {
        let failed = |cause| outcome(Stage::Handshake, cause, None).diagnostic().clone();
        for (cause, tls, expected) in [
            (Cause::TlsFailed, OutboundTls::Offered, Then::WithoutTls),
            (Cause::TlsFailed, OutboundTls::Required, Then::NextHost),
            (Cause::TlsFailed, OutboundTls::Verified, Then::NextHost),
            (Cause::TlsFailed, OutboundTls::Implicit, Then::NextHost),
            (Cause::InputBeforeTls, OutboundTls::Offered, Then::NextHost),
            (Cause::TimedOut, OutboundTls::Offered, Then::NextHost),
            (Cause::Stopped, OutboundTls::Offered, Then::Stop),
        ] {
            assert_eq!(then(&failed(cause), tls), expected, "{cause:?} {tls:?}");
        }
    }

    #[test]
    fn a_host_that_breaks_off_at_starttls_may_do_without() {
        for (stage, cause, tls, expected) in [
            (Stage::StartTls, Cause::Closed, OutboundTls::Offered, Then::WithoutTls),
            (Stage::StartTls, Cause::NotUnderstood, OutboundTls::Offered, Then::WithoutTls),
            (Stage::StartTls, Cause::ReplyTooLong, OutboundTls::Offered, Then::WithoutTls),
            (Stage::StartTls, Cause::TimedOut, OutboundTls::Offered, Then::WithoutTls),
            (Stage::StartTls, Cause::Stopped, OutboundTls::Offered, Then::Stop),
            (Stage::StartTls, Cause::Closed, OutboundTls::Required, Then::NextHost),
            (Stage::StartTls, Cause::NotUnderstood, OutboundTls::Verified, Then::NextHost),
            (Stage::Hello, Cause::Closed, OutboundTls::Offered, Then::NextHost),
            (Stage::SignIn, Cause::NotUnderstood, OutboundTls::Offered, Then::NextHost),
        ] {
            let failure = outcome(stage, cause, None).diagnostic().clone();
            assert_eq!(then(&failure, tls), expected, "{stage:?} {cause:?} {tls:?}");
        }
    }
}
