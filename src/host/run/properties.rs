//! What holds for every sequence of inputs to [`State`] and [`conclude`], whatever its order.

use playwarden_event::{Cause, Reason, Status, Stop, Tally};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::conclude::{RC_ENDED, Seen, conclude};
use super::state::{Order, State};
use crate::process::Exit;

/// What the loop may tell the state, at any time.
#[derive(Clone, Debug)]
enum Input {
    Advance(Status),
    End(Cause, Stop),
    Fail(Cause),
    Asked(u32),
    /// Ansible is gone: the run concludes. Faults and impatient people may still come.
    Over(Seen),
}

fn causes() -> impl Strategy<Value = Cause> {
    let text = || "[ab]".prop_map(String::from);
    prop_oneof![
        text().prop_map(|name| Cause::Plugin { name, reason: Reason::default() }),
        text().prop_map(|name| Cause::PluginFault { name, text: "trap".to_owned() }),
        Just(Cause::Person),
        Just(Cause::JobTimeout),
        Just(Cause::IdleTimeout),
        Just(Cause::UnansweredPrompt { text: "Password:".into() }),
        text().prop_map(|text| Cause::HostTrouble { text }),
        text().prop_map(|text| Cause::CouldNotStart { text }),
    ]
}

fn exits() -> impl Strategy<Value = Option<Exit>> {
    prop_oneof![
        Just(None),
        Just(Some(Exit { code: None, signal: None })),
        prop_oneof![Just(0), Just(1), Just(2), Just(4), Just(99), 0..=255_i32]
            .prop_map(|code| Some(Exit { code: Some(code), signal: None })),
        (1..=64_i32).prop_map(|signal| Some(Exit { code: None, signal: Some(signal) })),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    let words = prop_oneof![
        Just(""),
        Just("[ERROR]: no such module"),
        Just("[WARNING]: No hosts matched, nothing to do"),
        Just("--limit leaves us with no hosts to target"),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (exits(), flags, 0..3_u32, 0..3_u32, words, option::of(Just("the disk is full".to_owned()))).prop_map(
        |(exit, (greeted, mute, began, unmatched, worked), hosts_failed, hosts_unreachable, words, trouble)| {
            let totals = Tally { hosts_failed, hosts_unreachable, ..Tally::default() };
            Seen { exit, greeted, mute, began, unmatched, worked, totals, words: words.to_owned(), trouble }
        },
    )
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let stops = prop_oneof![Just(Stop::Now), Just(Stop::AfterRunningTasks)];
    let steps = prop_oneof![Just(Status::Starting), Just(Status::Running)];
    let input = prop_oneof![
        3 => steps.prop_map(Input::Advance),
        3 => (causes(), stops).prop_map(|(cause, stop)| Input::End(cause, stop)),
        1 => causes().prop_map(Input::Fail),
        2 => (0..4_u32).prop_map(Input::Asked),
        1 => seen().prop_map(Input::Over),
    ];
    // Every run concludes in the end.
    (vec(input, 0..24), seen()).prop_map(|(mut inputs, seen)| {
        inputs.push(Input::Over(seen));
        inputs
    })
}

/// What came of a sequence: the orders of each input, with the state behind it.
struct Course {
    state: State,
    status: Status,
    terminal: u32,
    stops: u32,
    kills: u32,
    first: Option<Cause>,
    failing: Option<Cause>,
    strictest: Option<Stop>,
    asked: u32,
    concluded: Option<Status>,
}

impl Course {
    fn new() -> Self {
        Self {
            state: State::new(),
            status: Status::Unstarted,
            terminal: 0,
            stops: 0,
            kills: 0,
            first: None,
            failing: None,
            strictest: None,
            asked: 0,
            concluded: None,
        }
    }

    fn take(&mut self, input: Input) -> Result<(), TestCaseError> {
        let was_over = self.status.is_terminal();
        let orders = match input {
            Input::Advance(to) => self.state.advance(to),
            Input::End(cause, stop) => {
                self.expect_end(&cause, stop);
                self.state.end(cause, stop)
            }
            Input::Fail(cause) => {
                self.failing.get_or_insert_with(|| cause.clone());
                self.state.fail(cause);
                Vec::new()
            }
            Input::Asked(times) => {
                if self.asked == 0 && times > 0 {
                    self.expect_end(&Cause::Person, Stop::Now);
                }
                self.asked = self.asked.max(times);
                self.state.asked(times)
            }
            Input::Over(seen) => {
                let (status, rc, cause) = conclude(&seen, self.state.ending(), self.state.failing());
                self.check_conclusion(&seen, status, rc, cause.as_ref())?;
                self.concluded.get_or_insert(status);
                self.state.advance(status)
            }
        };
        prop_assert!(!was_over || orders.is_empty(), "{orders:?} after {}", self.status);
        for order in orders {
            self.carry_out(&order)?;
        }
        self.check()
    }

    /// What the state has to remember, unless the run is over.
    fn expect_end(&mut self, cause: &Cause, stop: Stop) {
        if !self.status.is_terminal() {
            self.first.get_or_insert_with(|| cause.clone());
            self.strictest = self.strictest.max(Some(stop));
        }
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), TestCaseError> {
        match order {
            Order::Status { from, to } => {
                prop_assert_eq!(*from, self.status);
                prop_assert!(to != from && (self.status != Status::Canceling || to.is_terminal()), "{from} to {to}");
                self.terminal += u32::from(to.is_terminal());
                self.status = *to;
            }
            Order::Stop => self.stops += 1,
            Order::Kill => self.kills += 1,
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let ending = self.state.ending();
        prop_assert_eq!(ending.map(|ending| &ending.cause), self.first.as_ref(), "the first reason stays");
        prop_assert_eq!(ending.map(|ending| ending.stop), self.strictest, "the way only becomes stricter");
        prop_assert_eq!(self.state.failing(), self.failing.as_ref(), "the first fault stays");
        prop_assert_eq!(self.state.is_over(), self.status.is_terminal());
        prop_assert_eq!(self.stops, u32::from(self.strictest == Some(Stop::Now)), "ended in order once");
        prop_assert!(self.kills <= u32::from(self.asked > 1), "killed once, and only for who asked twice");
        prop_assert!(ending.is_none() || self.status == Status::Canceling || self.status.is_terminal());
        Ok(())
    }

    fn check_conclusion(
        &self,
        seen: &Seen,
        status: Status,
        rc: Option<i32>,
        cause: Option<&Cause>,
    ) -> Result<(), TestCaseError> {
        let known = [Status::Successful, Status::Failed, Status::Canceled, Status::Timeout];
        prop_assert!(known.contains(&status), "{status}");
        prop_assert_eq!(cause.is_none(), status == Status::Successful, "only success needs no reason");
        prop_assert_eq!(
            matches!(status, Status::Canceled | Status::Timeout),
            rc == Some(RC_ENDED) && self.ends_early()
        );
        if let Some(ending) = self.state.ending() {
            prop_assert_eq!(cause, Some(&ending.cause), "whatever Ansible returned");
            prop_assert_ne!(status, Status::Successful);
        }
        if status == Status::Successful {
            let returned = seen.exit.and_then(|exit| exit.code);
            prop_assert_eq!((returned, rc), (Some(0), Some(0)));
            // What is not expected to greet, and does not, ran without us from its beginning to its end.
            let ran = if seen.greeted || !seen.mute { seen.greeted && seen.began } else { true };
            prop_assert!(ran && seen.trouble.is_none() && self.failing.is_none(), "{seen:?}");
        }
        Ok(())
    }

    /// Whether the run ends for a reason that is neither Ansible's nor trouble of our own.
    fn ends_early(&self) -> bool {
        let own = |cause: &Cause| matches!(cause, Cause::HostTrouble { .. } | Cause::CouldNotStart { .. });
        self.state.ending().is_some_and(|ending| !own(&ending.cause))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_of_inputs_ends_in_exactly_one_terminal_status(inputs in inputs()) {
        let mut course = Course::new();
        for input in inputs {
            course.take(input)?;
        }
        prop_assert_eq!(course.terminal, 1);
        prop_assert_eq!(Some(course.status), course.concluded, "the first conclusion stays");
    }
}
