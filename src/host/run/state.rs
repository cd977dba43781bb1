//! What the run does next. Pure: inputs in, orders out.

use playwarden_event::{Cause, Status, Stop};

/// What the loop is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Say that the status changed.
    Status { from: Status, to: Status },
    /// End Ansible in order.
    Stop,
    /// End Ansible and its tree at once.
    Kill,
}

/// How far the run has come, and whether it is to end early.
#[derive(Debug)]
pub(crate) struct State {
    status: Status,
    ending: Option<Ending>,
    /// A plugin's fault that lets the run go on and makes it end failed.
    failing: Option<Cause>,
    asked: u32,
}

/// Why and how the run ends early. The first reason stays; the way may become stricter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) cause: Cause,
    pub(crate) stop: Stop,
}

impl State {
    pub(crate) fn new() -> Self {
        Self { status: Status::Unstarted, ending: None, failing: None, asked: 0 }
    }

    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether the status is the last one.
    pub(crate) fn is_over(&self) -> bool {
        self.status.is_terminal()
    }

    pub(crate) fn failing(&self) -> Option<&Cause> {
        self.failing.as_ref()
    }

    /// The next step of a run that was not told to end. A step back is none: a run that is ending does not become running
    /// again, and nothing follows a terminal status.
    pub(crate) fn advance(&mut self, to: Status) -> Vec<Order> {
        if progress(to) <= progress(self.status) {
            return Vec::new();
        }
        let from = std::mem::replace(&mut self.status, to);
        vec![Order::Status { from, to }]
    }

    /// The run is to end.
    pub(crate) fn end(&mut self, cause: Cause, stop: Stop) -> Vec<Order> {
        if self.status.is_terminal() {
            return Vec::new();
        }
        let (mut orders, stricter) = match &mut self.ending {
            None => {
                self.ending = Some(Ending { cause, stop });
                (self.advance(Status::Canceling), stop == Stop::Now)
            }
            Some(ending) => {
                let stricter = stop > ending.stop;
                ending.stop = ending.stop.max(stop);
                (Vec::new(), stricter)
            }
        };
        if stricter {
            orders.push(Order::Stop);
        }
        orders
    }

    /// The run goes on and will end failed.
    pub(crate) fn fail(&mut self, cause: Cause) {
        self.failing.get_or_insert(cause);
    }

    /// Whether a person asked more than once.
    pub(crate) fn is_hurried(&self) -> bool {
        self.asked > 1
    }

    /// A person has asked for the end, so many times in all.
    pub(crate) fn asked(&mut self, times: u32) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.asked == 0 && times > 0 {
            orders = self.end(Cause::Person, Stop::Now);
        }
        if self.asked < 2 && times >= 2 && !self.status.is_terminal() {
            orders.push(Order::Kill);
        }
        self.asked = self.asked.max(times);
        orders
    }
}

/// How far a run with this status has come. A status only ever gives way to one further on.
fn progress(status: Status) -> u8 {
    match status {
        Status::Unstarted => 0,
        Status::Starting => 1,
        Status::Running => 2,
        Status::Canceling => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(name: &str) -> Cause {
        Cause::Plugin { name: name.into(), reason: playwarden_event::Reason::default() }
    }

    const CANCELING: Order = Order::Status { from: Status::Running, to: Status::Canceling };

    fn running() -> State {
        let mut state = State::new();
        state.advance(Status::Starting);
        state.advance(Status::Running);
        state
    }

    #[test]
    fn the_first_reason_stays_and_the_way_becomes_stricter() {
        let mut state = running();
        assert_eq!(state.end(plugin("a"), Stop::AfterRunningTasks), [CANCELING]);
        assert_eq!(state.end(Cause::JobTimeout, Stop::Now), [Order::Stop]);
        assert_eq!(state.end(plugin("b"), Stop::Now), []);
        assert_eq!(state.end(plugin("b"), Stop::AfterRunningTasks), []);
        assert_eq!(state.ending(), Some(&Ending { cause: plugin("a"), stop: Stop::Now }));
    }

    #[test]
    fn a_person_asks_once_for_order_and_twice_for_haste() {
        let mut state = running();
        assert_eq!(state.asked(1), [CANCELING, Order::Stop]);
        assert_eq!(state.asked(1), []);
        assert_eq!(state.asked(2), [Order::Kill]);
        assert_eq!(state.asked(3), []);
        assert_eq!(running().asked(2), [CANCELING, Order::Stop, Order::Kill]);
    }

    #[test]
    fn nothing_follows_a_terminal_status_and_an_ending_run_does_not_start() {
        let mut state = running();
        state.end(Cause::Person, Stop::Now);
        assert_eq!(state.advance(Status::Running), []);
        assert_eq!(state.advance(Status::Canceled), [Order::Status { from: Status::Canceling, to: Status::Canceled }]);
        assert_eq!(state.advance(Status::Failed), []);
        assert_eq!(state.end(Cause::Person, Stop::Now), []);
        assert_eq!(state.asked(2), []);
    }
}
