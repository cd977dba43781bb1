//! When changes are allowed: windows of the week, less the freezes, and what is allowed once.
//!
//! **Invariant:** everything is compared as moments. A local time that a change of the clocks leaves out is the moment at which they
//! change; of one that comes twice the first is meant.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

/// How many days ahead the next window is looked for.
const DAYS_AHEAD: u32 = 400;

/// A part of some days. Where it ends before it begins, it ends on the next day, and belongs to the first.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// None for every day.
    pub(crate) days: Option<Vec<Weekday>>,
    pub(crate) from: Time,
    /// None for midnight at the end of the day.
    pub(crate) to: Option<Time>,
}

/// From a local time up to another one.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    pub(crate) name: Option<String>,
    pub(crate) from: DateTime,
    pub(crate) to: DateTime,
}

#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    pub(crate) zone: TimeZone,
    pub(crate) windows: Vec<Window>,
    /// Freezes: they win over windows.
    pub(crate) except: Vec<Period>,
    /// They win over freezes.
    pub(crate) also: Vec<Period>,
}

/// From a moment up to another one, which is not in it.
type Interval = (Timestamp, Timestamp);

impl Window {
    fn on(&self, day: Date, zone: &TimeZone) -> Option<Interval> {
        if self.days.as_ref().is_some_and(|days| !days.contains(&day.weekday())) {
            return None;
        }
        let (last, to) = match self.to {
            Some(to) if to > self.from => (day, to),
            Some(to) => (day.tomorrow().ok()?, to),
            None => (day.tomorrow().ok()?, Time::midnight()),
        };
        Some((moment(day.to_datetime(self.from), zone)?, moment(last.to_datetime(to), zone)?))
    }
}

impl Period {
    fn interval(&self, zone: &TimeZone) -> Option<Interval> {
        Some((moment(self.from, zone)?, moment(self.to, zone)?))
    }
}

/// None only at the ends of the calendar, 9,999 years from now.
fn moment(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        // Any time in the gap is the moment of the change.
        jiff::tz::AmbiguousOffset::Gap { .. } => {
            let after = ambiguous.later().ok()?;
            let change = zone.preceding(after + 1.nanosecond()).next()?;
            Some(change.timestamp())
        }
        _ => ambiguous.compatible().ok(),
    }
}

fn holds((from, to): Interval, at: Timestamp) -> bool {
    from <= at && at < to
}

impl Calendar {
    /// Returns whether changes are allowed at a moment.
    pub(crate) fn is_open(&self, at: Timestamp) -> bool {
        let within = |periods: &[Period]| {
            periods.iter().filter_map(|period| period.interval(&self.zone)).any(|it| holds(it, at))
        };
        let today = self.local(at).date();
        let days = [today.yesterday().ok(), Some(today)];
        let in_window = || {
            let on = |day: Date| self.windows.iter().filter_map(move |window| window.on(day, &self.zone));
            days.into_iter().flatten().flat_map(on).any(|it| holds(it, at))
        };
        within(&self.also) || (in_window() && !within(&self.except))
    }

    /// Returns when the present window ends; none when that is not within some days, or it is closed already.
    pub(crate) fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        if !self.is_open(at) {
            return None;
        }
        self.edges(at, 9).into_iter().find(|edge| !self.is_open(*edge))
    }

    /// Returns when the next window begins; none when that is not within [`DAYS_AHEAD`], or one is open already.
    pub(crate) fn opens(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_open(at) {
            return None;
        }
        self.edges(at, DAYS_AHEAD).into_iter().find(|edge| self.is_open(*edge))
    }

    /// Returns the freeze that a moment is in, where it would be open otherwise.
    pub(crate) fn freeze(&self, at: Timestamp) -> Option<&Period> {
        let thawed = Self { except: Vec::new(), ..self.clone() };
        if !thawed.is_open(at) {
            return None;
        }
        self.except.iter().find(|period| period.interval(&self.zone).is_some_and(|it| holds(it, at)))
    }

    /// Returns a moment in the time zone.
    pub(crate) fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// Returns all moments after one at which it could open or close, in order.
    fn edges(&self, after: Timestamp, days: u32) -> Vec<Timestamp> {
        let today = self.local(after).date();
        let first = today.yesterday().unwrap_or(today);
        let periods = self.except.iter().chain(&self.also).filter_map(|period| period.interval(&self.zone));
        let windows = first
            .series(1.day())
            .take(days as usize)
            .flat_map(|day| self.windows.iter().filter_map(move |window| window.on(day, &self.zone)));
        let mut edges: Vec<Timestamp> = periods.chain(windows).flat_map(|(from, to)| [from, to]).collect();
        edges.retain(|edge| *edge > after);
        edges.sort_unstable();
        edges
    }
}
