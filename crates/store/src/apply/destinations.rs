//! Destinations: who works them, and from when on there is something to do.
//!
//! `next_due` is never later than what waits. It may be earlier: what settles leaves it alone, and whoever gives up the
//! lease puts it right. So the way of a message writes no row of a destination that is at work already.

use mail::Timestamp;

use super::Apply;
use crate::Error;
use crate::change::{Applied, Change, DOOMED};
use crate::sql::{self, Value, values};

impl Apply<'_> {
    pub(super) fn destination(&mut self, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::Lease { destination, node, until, now } => self.lease(destination, node, *until, *now),
            Change::Release { destination, node } => self.release(destination, node),
            Change::HoldDestination { destination, held } => self.hold_destination(destination, *held),
            _ => unreachable!("the caller chose by kind"),
        }
    }

    /// Makes the row if there is none: what is enqueued between lease and draw must find it leased.
    fn lease(
        &mut self,
        destination: &str,
        node: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, Error> {
        if node.is_empty() {
            return Err(Error::Conflict(format!("nobody cannot lease {destination}")));
        }
        let granted = self.sql.execute(
            "INSERT INTO destinations (name, next_due, held, node, leased_until) VALUES (?1, NULL, 0, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET node = excluded.node, leased_until = excluded.leased_until
             WHERE destinations.node = '' OR destinations.node = excluded.node OR destinations.leased_until <= ?4",
            values![destination, node, until.0, now.0],
        )?;
        if granted == 1 {
            return Ok(Applied::Leased);
        }
        let text = "SELECT leased_until FROM destinations WHERE name = ?1";
        Ok(Applied::Taken { until: Timestamp(sql::number(self.sql, text, values![destination])?) })
    }

    fn release(&mut self, destination: &str, node: &str) -> Result<Applied, Error> {
        let ours = self.sql.execute(
            "UPDATE destinations SET node = '', leased_until = 0 WHERE name = ?1 AND node = ?2",
            values![destination, node],
        )?;
        if ours == 1 {
            self.put_right(destination)?;
        }
        Ok(Applied::Done)
    }

    fn hold_destination(&mut self, destination: &str, held: bool) -> Result<Applied, Error> {
        self.sql.execute(
            "INSERT INTO destinations (name, next_due, held, node, leased_until) VALUES (?1, NULL, ?2, '', 0)
             ON CONFLICT (name) DO UPDATE SET held = excluded.held",
            values![destination, held],
        )?;
        self.put_right(destination)?;
        Ok(Applied::Done)
    }

    /// An entry waits there, from `due` on unless it is on hold. Writes only what becomes earlier.
    pub(super) fn expect(&mut self, destination: &str, due: Option<Timestamp>) -> Result<(), Error> {
        let due = due.map_or(Value::Null, |due| Value::Int(due.0));
        self.sql.execute(
            "INSERT INTO destinations (name, next_due, held, node, leased_until) VALUES (?1, ?2, 0, '', 0)
             ON CONFLICT (name) DO UPDATE SET next_due = excluded.next_due
             WHERE excluded.next_due IS NOT NULL
             AND (destinations.next_due IS NULL OR destinations.next_due > excluded.next_due)",
            &[Value::from(destination), due],
        )?;
        Ok(())
    }

    /// Forgets a destination that is empty, not on hold and not leased (whoever leases it may be about to draw what comes
    /// next); of another reads anew from when on something waits.
    pub(super) fn put_right(&mut self, destination: &str) -> Result<(), Error> {
        let forgotten = self.sql.execute(
            "DELETE FROM destinations WHERE name = ?1 AND held = 0 AND node = ''
             AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.destination = ?1)",
            values![destination],
        )?;
        if forgotten == 0 {
            self.sql.execute(
                "UPDATE destinations SET next_due = CASE
                    WHEN EXISTS (SELECT 1 FROM queue WHERE queue.destination = ?1 AND queue.held = 1 AND due = ?2) THEN ?2
                    ELSE (SELECT MIN(due) FROM queue WHERE queue.destination = ?1 AND queue.held = 0) END
                 WHERE name = ?1",
                values![destination, DOOMED.0],
            )?;
        }
        Ok(())
    }
}
