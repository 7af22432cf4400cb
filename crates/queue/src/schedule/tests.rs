//! Scenes that the simulation meets by chance, told one by one.

use super::*;
use mail::QueueId;

const SECOND: i64 = 1000;

fn small() -> Limits {
    Limits {
        window_deliveries_max: 4,
        share_deliveries_max: 4,
        destination_attempts_max: 1,
        site_attempts_max: 1,
        ..Limits::default()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

fn delivery(destination: &str, id: u64) -> Delivery {
    Delivery {
        key: Key { destination: destination.into(), queue_id: QueueId(id) },
        recipients: vec![RecipientId(0)],
        accepted: at(0),
        due: at(0),
        attempts: 0,
        notified: false,
    }
}

/// A schedule whose destinations have these deliveries, and what it does first.
fn drawn(limits: Limits, deliveries: &[Delivery]) -> (Schedule, Vec<Step>) {
    let mut schedule = Schedule::new(limits, at(0));
    assert!(matches!(schedule.next(at(0)), Some(Step::Survey { .. })));
    schedule.surveyed(at(0), vec![]);
    for delivery in deliveries {
        schedule.tell(at(0), News::Due(delivery.key.destination.clone(), at(0)));
    }
    let mut first = Vec::new();
    while let Some(step) = schedule.next(at(0)) {
        let Step::Draw { destination, limit, .. } = &step else {
            first.push(step);
            continue;
        };
        let here = deliveries.iter().filter(|delivery| delivery.key.destination == *destination);
        let rows: Vec<Delivery> = here.take(*limit).cloned().collect();
        schedule.drawn(at(0), destination, Drawn::Granted { deliveries: rows, next_due: None, held: false });
    }
    (schedule, first)
}

fn steps(schedule: &mut Schedule, now: Timestamp) -> Vec<Step> {
    std::iter::from_fn(|| schedule.next(now)).collect()
}

fn started(steps: &[Step]) -> Vec<u64> {
    let ids = steps.iter().filter_map(|step| match step {
        Step::Start(delivery) => Some(delivery.key.queue_id.0),
        _ => None,
    });
    ids.collect()
}

#[test]
fn an_attempt_that_finds_its_site_full_steps_back_and_starts_when_there_is_room() {
    let (one, two) = (delivery("one.example", 1), delivery("two.example", 2));
    let (mut schedule, first) = drawn(small(), &[one.clone(), two.clone()]);
    let site = Site::of(["mx.example"]);
    assert_eq!(started(&first), [1, 2]);
    assert_eq!(schedule.routed(at(1), &one.key, &site), Routed::Go);
    assert_eq!(schedule.routed(at(1), &two.key, &site), Routed::StepBack);
    assert_eq!((schedule.running_len(), steps(&mut schedule, at(1))), (1, vec![]));

    schedule.ended(at(2), &one.key, &BTreeMap::new(), &Rules::default(), Duration::ZERO);
    let next = steps(&mut schedule, at(2));
    assert_eq!(started(&next), [2], "{next:?}");
}

#[test]
fn a_full_window_gives_a_place_to_a_destination_that_has_none() {
    let crowd: Vec<Delivery> = (1..=4).map(|id| delivery("full.example", id)).collect();
    let (mut schedule, first) = drawn(small(), &crowd);
    assert_eq!(started(&first), [1]);
    schedule.tell(at(1), News::Due("other.example".into(), at(1)));
    let next = steps(&mut schedule, at(1));
    let [Step::Draw { destination, limit: 1, .. }] = &next[..] else { panic!("{next:?}") };
    assert_eq!(destination.as_str(), "other.example");
    let rows = Drawn::Granted { deliveries: vec![delivery("other.example", 9)], next_due: None, held: false };
    schedule.drawn(at(1), destination, rows);
    assert_eq!(started(&steps(&mut schedule, at(1))), [9]);
    assert_eq!(schedule.window_len(), 4);
}

#[test]
fn when_the_lease_is_over_attempts_are_cut_and_nothing_starts() {
    let both = [delivery("one.example", 1), delivery("one.example", 2)];
    let (mut schedule, first) = drawn(small(), &both);
    assert_eq!(started(&first), [1]);
    let half = plus(at(0), small().lease / 2);
    assert_eq!(schedule.next_wakeup().map(|wakeup| wakeup <= half), Some(true));
    assert!(matches!(steps(&mut schedule, half)[..], [Step::Survey { .. }, Step::Draw { .. }]));
    let over = plus(at(0), small().lease);
    let next = steps(&mut schedule, over);
    assert_eq!(next, [Step::Cut(both[0].key.clone())]);
}

#[test]
fn who_waits_for_an_attempt_keeps_its_turn_when_its_lease_is_renewed() {
    let all = [delivery("one.example", 1), delivery("one.example", 2), delivery("two.example", 3)];
    let (mut schedule, first) = drawn(Limits { attempts_max: 1, ..small() }, &all);
    assert_eq!(started(&first), [1]);
    let half = plus(at(0), small().lease / 2);
    for step in steps(&mut schedule, half) {
        if let Step::Draw { destination, .. } = step {
            let rows = Drawn::Granted { deliveries: vec![], next_due: None, held: false };
            schedule.drawn(half, &destination, rows);
        }
    }
    schedule.ended(half, &all[0].key, &BTreeMap::new(), &Rules::default(), Duration::ZERO);
    assert_eq!(started(&steps(&mut schedule, half)), [3]);
}

#[test]
fn rows_read_before_an_administrator_changed_them_are_read_again() {
    let one = delivery("one.example", 1);
    let (mut schedule, _) = drawn(small(), &[]);
    schedule.tell(at(1), News::Due("one.example".into(), at(1)));
    assert!(matches!(schedule.next(at(1)), Some(Step::Draw { .. })));
    schedule.tell(at(1), News::Held(one.key.clone()));
    let rows = Drawn::Granted { deliveries: vec![one.clone()], next_due: None, held: false };
    schedule.drawn(at(2), &one.key.destination, rows);
    assert!(matches!(steps(&mut schedule, at(2))[..], [Step::Draw { .. }]));
    let rows = Drawn::Granted { deliveries: vec![], next_due: None, held: false };
    schedule.drawn(at(3), &one.key.destination, rows);
    assert_eq!(steps(&mut schedule, at(3)), [Step::Release("one.example".into())]);
}

#[test]
fn what_is_deleted_goes_at_once_if_it_waits_and_at_its_end_if_it_runs() {
    let both = [delivery("one.example", 1), delivery("one.example", 2)];
    let (mut schedule, first) = drawn(small(), &both);
    assert_eq!(started(&first), [1]);
    both.iter().for_each(|delivery| schedule.tell(at(1), News::Doomed(delivery.key.clone())));
    let deleted = vec![Transition::Deleted(vec![RecipientId(0)])];
    let next = steps(&mut schedule, at(1));
    assert!(matches!(&next[..], [Step::Settle { delivery, transitions }]
        if delivery.key == both[1].key && *transitions == deleted));
    schedule.ended(at(2), &both[0].key, &BTreeMap::new(), &Rules::default(), Duration::ZERO);
    let next = steps(&mut schedule, at(2));
    assert!(matches!(&next[..], [Step::Settle { delivery, transitions }]
        if delivery.key == both[0].key && *transitions == deleted));
}

#[test]
fn destinations_that_do_not_answer_leave_room_for_the_others() {
    let limits = Limits { attempts_max: 8, ..Limits::default() };
    let silent = |id| Delivery { attempts: 1, ..delivery(&format!("silent{id}.example"), id) };
    let dead: Vec<Delivery> = (1..=6).map(silent).collect();
    let fresh: Vec<Delivery> = (7..=9).map(|id| delivery("good.example", id)).collect();
    let (mut schedule, first) = drawn(limits, &[dead.clone(), fresh.clone()].concat());
    // Half of the places are for those that were tried before; one of the others is left.
    assert_eq!(started(&first), [7, 8, 9, 1, 2, 3, 4]);

    let end = |schedule: &mut Schedule, delivery: &Delivery, outcome| {
        let outcomes = BTreeMap::from([(RecipientId(0), outcome)]);
        schedule.ended(at(1), &delivery.key, &outcomes, &Rules::default(), Duration::ZERO);
        started(&steps(schedule, at(1)))
    };
    assert_eq!(end(&mut schedule, &fresh[0], Outcome::Delivered), [] as [u64; 0]);
    assert_eq!(end(&mut schedule, &dead[0], Outcome::Deferred), [5]);
    assert_eq!(end(&mut schedule, &dead[1], Outcome::Delivered), [6]);
    assert_eq!(schedule.running_len(), 6);
}

#[test]
fn a_destination_is_silent_until_something_comes_to_an_end_there() {
    let limits = Limits { attempts_max: 2, destination_attempts_max: 1, ..Limits::default() };
    let here: Vec<Delivery> = (1..=3).map(|id| delivery("a.example", id)).collect();
    let there: Vec<Delivery> = (4..=6).map(|id| delivery("b.example", id)).collect();
    let (mut schedule, first) = drawn(limits, &[here.clone(), there.clone()].concat());
    assert_eq!(started(&first), [1, 4]);
    let mut end = |delivery: &Delivery, outcome| {
        let outcomes = BTreeMap::from([(RecipientId(0), outcome)]);
        schedule.ended(at(1), &delivery.key, &outcomes, &Rules::default(), Duration::ZERO);
        started(&steps(&mut schedule, at(1)))
    };
    assert_eq!(end(&here[0], Outcome::Deferred), [2]);
    assert_eq!(end(&there[0], Outcome::Deferred), [] as [u64; 0], "one silent attempt is the most");
    assert_eq!(end(&here[1], Outcome::Failed), [5, 3], "a refusal is an answer");
}

#[test]
fn other_bounds_hold_at_once() {
    let (one, two) = (delivery("one.example", 1), delivery("one.example", 2));
    let other = delivery("two.example", 3);
    let (mut schedule, first) = drawn(small(), &[one.clone(), two, other.clone()]);
    assert_eq!(started(&first), [1, 3]);
    let site = Site::of(["mx.example"]);
    assert_eq!(schedule.routed(at(1), &one.key, &site), Routed::Go);
    assert_eq!(schedule.routed(at(1), &other.key, &site), Routed::StepBack);
    assert_eq!(steps(&mut schedule, at(1)), []);
    schedule.limit(at(2), Limits { destination_attempts_max: 2, site_attempts_max: 3, ..small() });
    let mut started = started(&steps(&mut schedule, at(2)));
    started.sort_unstable();
    assert_eq!(started, [2, 3]);
    schedule.limit(at(3), small());
    assert_eq!((schedule.running_len(), steps(&mut schedule, at(3))), (3, vec![]));
}
