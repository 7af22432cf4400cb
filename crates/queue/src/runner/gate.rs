//! Where an attempt asks whether its site has room.

use tokio::sync::{mpsc, oneshot};

use crate::schedule::{Key, Routed, Site};

/// Asked once an attempt knows its site, before it connects.
#[derive(Debug, Clone, Default)]
pub struct Gate(Option<Kept>);

#[derive(Debug, Clone)]
struct Kept {
    asked: mpsc::UnboundedSender<Passage>,
    key: Key,
    attempt: u64,
}

/// An attempt that stands at the gate.
#[derive(Debug)]
pub struct Passage {
    /// At which delivery.
    pub key: Key,
    /// Which attempt of this process: tells it from a later one at the same delivery.
    pub attempt: u64,
    /// Where it wants to go.
    pub site: Site,
    /// Whether it may.
    pub answer: oneshot::Sender<Routed>,
}

impl Gate {
    /// A gate that lets everything pass.
    pub fn open() -> Self {
        Self(None)
    }

    /// A gate at which the receiver's side answers for this attempt.
    pub fn kept(asked: mpsc::UnboundedSender<Passage>, key: Key, attempt: u64) -> Self {
        Self(Some(Kept { asked, key, attempt }))
    }

    /// Whether the attempt may go on to this site. If not, or if nobody is there to answer, it is over at once and was none.
    pub async fn pass(&self, site: Site) -> Routed {
        let Some(Kept { asked, key, attempt }) = &self.0 else { return Routed::Go };
        let (answer, answered) = oneshot::channel();
        let passage = Passage { key: key.clone(), attempt: *attempt, site, answer };
        if asked.send(passage).is_err() {
            return Routed::StepBack;
        }
        answered.await.unwrap_or(Routed::StepBack)
    }
}

#[cfg(test)]
mod tests {
    use mail::QueueId;

    use super::*;

    fn site() -> Site {
        Site::of(["mx.example.net"])
    }

    fn gate() -> (Gate, mpsc::UnboundedReceiver<Passage>) {
        let (asked, asking) = mpsc::unbounded_channel();
        let key = Key { destination: "example.net".into(), queue_id: QueueId(1) };
        (Gate::kept(asked, key, 7), asking)
    }

    #[tokio::test]
    async fn the_answer_reaches_who_asked() {
        for answer in [Routed::Go, Routed::StepBack] {
            let (gate, mut asking) = gate();
            let keeper = async {
                let passage = asking.recv().await.unwrap();
                assert_eq!((passage.attempt, passage.site), (7, site()));
                passage.answer.send(answer).unwrap();
            };
            let (routed, ()) = tokio::join!(gate.pass(site()), keeper);
            assert_eq!(routed, answer);
        }
    }

    #[tokio::test]
    async fn where_nobody_answers_nothing_passes_but_at_an_open_gate() {
        let (gate, asking) = gate();
        drop(asking);
        assert_eq!(gate.pass(site()).await, Routed::StepBack);
        assert_eq!(Gate::open().pass(site()).await, Routed::Go);
    }
}
