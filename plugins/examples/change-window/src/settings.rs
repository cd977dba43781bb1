//! The configuration, key by key as in README.md.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use playwarden_sdk::prelude::*;
use playwarden_sdk::time::Span;

use crate::calendar::{Calendar, Period, Window};

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    timezone: String,
    #[serde(default)]
    windows: Vec<WrittenWindow>,
    #[serde(default)]
    except: Vec<WrittenPeriod>,
    #[serde(default)]
    also: Vec<WrittenPeriod>,
    #[serde(default)]
    pub(crate) at_end: AtEnd,
    #[serde(default)]
    pub(crate) warn_before: Option<Span>,
    #[serde(default = "yes")]
    pub(crate) in_check_mode: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AtEnd {
    #[default]
    Cancel,
    FinishTask,
}

/// Of some days of the week, or of all.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWindow {
    days: Option<Vec<Day>>,
    from: String,
    to: String,
}

/// Of days or moments that come once.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPeriod {
    name: Option<String>,
    from: String,
    to: String,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

fn yes() -> bool {
    true
}

impl Day {
    fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl Config {
    /// Reads the texts. All that is wrong with them is told.
    pub(crate) fn calendar(&self) -> Result<Calendar, Vec<Problem>> {
        let mut wrong = Wrong(Vec::new());
        let zone = TimeZone::get(&self.timezone).ok();
        if zone.is_none() {
            let message =
                format!("there is no time zone `{}`: write one such as `Europe/Berlin`, or `UTC`", self.timezone);
            wrong.say("/timezone", message);
        }
        if self.windows.is_empty() && self.also.is_empty() {
            wrong.say(
                "",
                "one of `windows` and `also` is needed: without any, nothing would ever be allowed".to_owned(),
            );
        }
        let windows = self.windows.iter().zip(0..).filter_map(|(window, index)| wrong.window(window, index)).collect();
        let mut periods = |key: &str, list: &[WrittenPeriod]| -> Vec<Period> {
            list.iter()
                .zip(0..)
                .filter_map(|(period, index)| wrong.period(period, &format!("/{key}/{index}")))
                .collect()
        };
        let (except, also) = (periods("except", &self.except), periods("also", &self.also));
        match zone {
            Some(zone) if wrong.0.is_empty() => Ok(Calendar { zone, windows, except, also }),
            _ => Err(wrong.0),
        }
    }
}

struct Wrong(Vec<Problem>);

impl Wrong {
    fn say(&mut self, pointer: &str, message: String) {
        self.0.push(Problem::error(pointer, message));
    }

    fn window(&mut self, window: &WrittenWindow, index: usize) -> Option<Window> {
        let at = format!("/windows/{index}");
        if window.days.as_ref().is_some_and(Vec::is_empty) {
            self.say(&format!("{at}/days"), "names no day; leave it out for every day".to_owned());
        }
        let (from, to) = (self.clock(&window.from, &format!("{at}/from")), self.clock(&window.to, &format!("{at}/to")));
        let (from, to) = (from?, to?);
        // None is midnight at the end of a day.
        let Some(from) = from else {
            self.say(&format!("{at}/from"), "no day begins at 24:00; write 00:00".to_owned());
            return None;
        };
        if to == Some(from) {
            self.say(&format!("{at}/to"), "is `from`; the whole day is from 00:00 to 24:00".to_owned());
            return None;
        }
        let days = window.days.as_ref().map(|days| days.iter().map(|day| day.weekday()).collect());
        Some(Window { days, from, to })
    }

    /// Reads a time of day; `Some(None)` is midnight at its end.
    fn clock(&mut self, text: &str, at: &str) -> Option<Option<Time>> {
        if text == "24:00" {
            return Some(None);
        }
        let number = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
        let time = text.split_once(':').and_then(|(hour, minute)| Time::new(number(hour)?, number(minute)?, 0, 0).ok());
        if time.is_none() {
            self.say(at, format!("`{text}` is no time of day: write it as `22:30`, up to `24:00`"));
        }
        time.map(Some)
    }

    fn period(&mut self, period: &WrittenPeriod, at: &str) -> Option<Period> {
        let from = self.moment(&period.from, &format!("{at}/from"));
        let to = self.moment(&period.to, &format!("{at}/to"));
        let (from, to) = (from?, to?);
        let (from, to) = (
            match from {
                Moment::Day(day) => day.to_datetime(Time::midnight()),
                Moment::Time(time) => time,
            },
            match to {
                // Days are meant with all of their hours.
                Moment::Day(day) => day.tomorrow().ok()?.to_datetime(Time::midnight()),
                Moment::Time(time) => time,
            },
        );
        if to <= from {
            self.say(&format!("{at}/to"), "is not after `from`".to_owned());
            return None;
        }
        Some(Period { name: period.name.clone(), from, to })
    }

    fn moment(&mut self, text: &str, at: &str) -> Option<Moment> {
        let moment = match text.len() {
            10 => text.parse::<Date>().ok().map(Moment::Day),
            16 | 19 => text.parse::<DateTime>().ok().map(Moment::Time),
            _ => None,
        };
        if moment.is_none() {
            let message = format!("`{text}` is no day and no moment: write `2026-12-20`, or `2026-12-20T18:00`");
            self.say(at, message);
        }
        moment
    }
}

enum Moment {
    Day(Date),
    Time(DateTime),
}
