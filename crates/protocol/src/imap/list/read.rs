//! Reads the arguments of LIST and LSUB (RFC 5258 §6, RFC 5819 §4, RFC 6154 §6).

use super::{Command, Listing, Returns, Selection};
use crate::imap::limits::PATTERN_MAX;
use crate::imap::status;
use crate::imap::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// ` reference pattern`
pub(in crate::imap) fn lsub(cursor: &mut Cursor<'_>) -> Parsed<Listing> {
    cursor.space()?;
    let reference = cursor.text()?;
    cursor.space()?;
    let word = one(cursor)?;
    let patterns = patterns(cursor, &reference, &[word], false)?;
    let selection = Selection { subscribed: true, ..Selection::default() };
    Ok(Listing { command: Command::Lsub, patterns, selection, returns: Returns::default() })
}

/// ` [selection options] reference pattern-or-patterns [RETURN options]`
pub(in crate::imap) fn list(cursor: &mut Cursor<'_>) -> Parsed<Listing> {
    cursor.space()?;
    let mut extended = false;
    let mut selection = Selection::default();
    if cursor.eat(b'(') {
        selection = selection_options(cursor)?;
        cursor.space()?;
        extended = true;
    }
    let reference = cursor.text()?;
    cursor.space()?;
    let mut words = Vec::new();
    if cursor.eat(b'(') {
        extended = true;
        loop {
            words.push(one(cursor)?);
            if cursor.eat(b')') {
                break;
            }
            cursor.space()?;
        }
    } else {
        words.push(one(cursor)?);
    }
    let mut returns = Returns::default();
    if cursor.eat(b' ') {
        returns = return_options(cursor)?;
        extended = true;
    }
    let patterns = patterns(cursor, &reference, &words, extended)?;
    Ok(Listing { command: Command::List, patterns, selection, returns })
}

/// `list-mailbox`
fn one(cursor: &mut Cursor<'_>) -> Parsed<String> {
    String::from_utf8(cursor.list_mailbox()?).map_err(|_| Misuse::CommandSyntax)
}

/// The patterns with the reference before them; `None` asks for the separator alone.
fn patterns(
    cursor: &Cursor<'_>,
    reference: &str,
    words: &[String],
    extended: bool,
) -> Parsed<Option<Vec<String>>> {
    // RFC 5258 §3: an extended LIST asks for names only, and an empty one matches none.
    if !extended && words.iter().all(String::is_empty) {
        return Ok(None);
    }
    let words: Vec<_> = words.iter().filter(|word| !word.is_empty()).collect();
    if words.iter().map(|word| reference.len() + word.len()).sum::<usize>() > PATTERN_MAX {
        return Err(Misuse::TooManyItems);
    }
    let names = cursor.names();
    Ok(Some(words.iter().map(|word| names.pattern(format!("{reference}{word}"))).collect()))
}

/// `SUBSCRIBED RECURSIVEMATCH)`
fn selection_options(cursor: &mut Cursor<'_>) -> Parsed<Selection> {
    let mut selection = Selection::default();
    options(cursor, |_, name| {
        match name {
            "SUBSCRIBED" => selection.subscribed = true,
            "SPECIAL-USE" => selection.special_use = true,
            "RECURSIVEMATCH" => selection.recursive = true,
            "REMOTE" => {}
            _ => return Err(Misuse::CommandSyntax),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: RECURSIVEMATCH makes sense only beside another option; REMOTE is none.
    if selection.recursive && !selection.subscribed && !selection.special_use {
        return Err(Misuse::CommandSyntax);
    }
    Ok(selection)
}

/// `RETURN (CHILDREN STATUS (MESSAGES))`
fn return_options(cursor: &mut Cursor<'_>) -> Parsed<Returns> {
    let mut returns = Returns::default();
    if !cursor.eat_word("RETURN") {
        return Err(Misuse::CommandSyntax);
    }
    cursor.space()?;
    cursor.expect(b'(')?;
    options(cursor, |cursor, name| {
        match name {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" | "SPECIAL-USE" => {}
            "STATUS" => {
                cursor.space()?;
                returns.status = status::items(cursor)?;
            }
            _ => return Err(Misuse::CommandSyntax),
        }
        Ok(())
    })?;
    Ok(returns)
}

/// `option option)`, or `)` alone. RFC 5258 §3: one that is not known is a BAD.
fn options<'a>(
    cursor: &mut Cursor<'a>,
    mut take: impl FnMut(&mut Cursor<'a>, &str) -> Parsed<()>,
) -> Parsed<()> {
    if cursor.eat(b')') {
        return Ok(());
    }
    loop {
        let name = cursor.atom()?.to_ascii_uppercase();
        take(cursor, &name)?;
        if cursor.eat(b')') {
            return Ok(());
        }
        cursor.space()?;
    }
}
