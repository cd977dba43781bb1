//! Figures that the tests noted, as one table. `tests/it/figures.rs` says what each means.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;
use crate::project::Project;
use crate::table;

/// Names the file that the tests write their figures to.
pub(crate) const FILE: &str = "PLAYWARDEN_FIGURES";

/// What stands in the table, in this order.
const ROWS: [Row; 10] = [
    Row {
        figure: "late_starts",
        title: "tasks started after the breaking event",
        shows: Shows::SumIn,
        must_be_0: true,
    },
    Row { figure: "alive_after_end", title: "processes alive after the end", shows: Shows::SumIn, must_be_0: true },
    Row {
        figure: "verdict_ms",
        title: "ms from breaking event to verdict, p50 / p99",
        shows: Shows::Times,
        must_be_0: false,
    },
    Row {
        figure: "end_ms",
        title: "ms from breaking event to the end, p50 / p99",
        shows: Shows::Times,
        must_be_0: false,
    },
    Row {
        figure: "stop_ms",
        title: "ms from `canceling` to the end, p50 / p99",
        shows: Shows::Times,
        must_be_0: false,
    },
    Row { figure: "kills", title: "kills of the host survived", shows: Shows::Sum, must_be_0: false },
    Row { figure: "events_lost", title: "events lost", shows: Shows::SumIn, must_be_0: true },
    Row { figure: "cancels", title: "cancels in the middle of tasks", shows: Shows::Sum, must_be_0: false },
    Row { figure: "hung", title: "of these hung", shows: Shows::Sum, must_be_0: true },
    Row { figure: "not_run", title: "left out, since a part is not here", shows: Shows::Sum, must_be_0: false },
];

#[derive(Debug)]
struct Row {
    figure: &'static str,
    title: &'static str,
    shows: Shows,
    must_be_0: bool,
}

#[derive(Debug)]
enum Shows {
    /// The sum.
    Sum,
    /// The sum, and how many measurements it is of.
    SumIn,
    /// Percentiles.
    Times,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
struct Measurement {
    figure: String,
    value: f64,
    core: String,
}

/// All that were noted, by figure and core.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    values: BTreeMap<(String, String), Vec<f64>>,
    cores: Vec<String>,
}

/// Makes an empty file for the tests of one run to write to.
pub(crate) fn file(project: &Project, name: &str) -> Result<PathBuf, Failure> {
    let folder = project.path("target/figures");
    let path = folder.join(format!("{name}.jsonl"));
    let cannot = |err| Failure::new(format!("cannot write `{}`", project.shown(&path))).because(err);
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, "")).map_err(cannot)?;
    Ok(path)
}

impl Figures {
    /// Reads a file; one that nobody wrote has none.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Err(err) if err.kind() == ErrorKind::NotFound => String::new(),
            Err(err) => return Err(Failure::new(format!("cannot read `{}`", path.display())).because(err)),
            Ok(text) => text,
        };
        Self::parse(&text).map_err(|err| Failure::new(format!("`{}` has no figures", path.display())).because(err))
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let mut figures = Self::default();
        for line in text.lines() {
            let Measurement { figure, value, core } = serde_json::from_str(line)?;
            if !figures.cores.contains(&core) {
                figures.cores.push(core.clone());
            }
            figures.values.entry((figure, core)).or_default().push(value);
        }
        for values in figures.values.values_mut() {
            values.sort_by(f64::total_cmp);
        }
        Ok(figures)
    }

    /// The table; nothing when there are no figures.
    pub(crate) fn table(&self) -> String {
        if self.cores.is_empty() {
            return String::new();
        }
        let cores = self.cores.iter().map(|core| format!("core {core}"));
        let head = std::iter::once("figures of the fault suite".to_owned()).chain(cores).collect();
        let body = ROWS.iter().map(|row| {
            let cells = self.cores.iter().map(|core| row.cell(self.of(row.figure, core)));
            std::iter::once(row.title.to_owned()).chain(cells).collect()
        });
        table::text(&std::iter::once(head).chain(body).collect::<Vec<_>>())
    }

    /// What is not 0 although it must be.
    pub(crate) fn broken(&self) -> Option<Failure> {
        let sum = |figure, core| self.of(figure, core).iter().sum::<f64>();
        let broken: Vec<_> = self
            .cores
            .iter()
            .flat_map(|core| ROWS.iter().map(move |row| (core, row)))
            .filter(|(core, row)| row.must_be_0 && sum(row.figure, core) != 0.0)
            .map(|(core, row)| format!("{} on core {core}: {}", row.title, sum(row.figure, core)))
            .collect();
        (!broken.is_empty()).then(|| Failure::new("a figure that must be 0 is not").because(broken.join("; ")))
    }

    fn of(&self, figure: &str, core: &str) -> &[f64] {
        self.values.get(&(figure.to_owned(), core.to_owned())).map_or(&[], Vec::as_slice)
    }
}

impl Row {
    fn cell(&self, values: &[f64]) -> String {
        let sum: f64 = values.iter().sum();
        match self.shows {
            _ if values.is_empty() => "-".to_owned(),
            Shows::Sum => sum.to_string(),
            Shows::SumIn => format!("{sum} in {}", values.len()),
            Shows::Times => format!("{:.1} / {:.1}", percentile(values, 50), percentile(values, 99)),
        }
    }
}

/// The smallest value that so many in a hundred do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_summed_up_for_each_core() {
        let line = |figure: &str, value: u32, core: &str| {
            format!(r#"{{"figure":"{figure}","value":{value},"core":"{core}","more":true}}"#) + "\n"
        };
        let mut text: String = (1..=200).map(|value| line("verdict_ms", value, "2.19.14")).collect();
        text += &line("late_starts", 0, "2.19.14").repeat(3);
        text += &line("hung", 1, "2.21.5");
        let figures = Figures::parse(&text).unwrap();
        let table = figures.table();
        let row = |title: &str| {
            let row = table.lines().find(|line| line.starts_with(title)).unwrap();
            row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect::<Vec<_>>()
        };
        assert_eq!(row("figures"), ["core 2.19.14", "core 2.21.5"]);
        assert_eq!(row("ms from breaking event to verdict"), ["100.0 / 198.0", "-"]);
        assert_eq!(row("tasks started"), ["0 in 3", "-"]);
        assert_eq!(row("of these hung"), ["-", "1"]);
        let broken = figures.broken().unwrap().to_string();
        assert!(broken.ends_with("of these hung on core 2.21.5: 1"), "{broken}");
        assert!(Figures::parse(&line("late_starts", 0, "x")).unwrap().broken().is_none());
        assert_eq!(Figures::default().table(), "");
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        assert!((percentile(&[1.0, 2.0, 3.0], 50) - 2.0).abs() < f64::EPSILON);
        assert!((percentile(&[1.0, 2.0, 3.0], 99) - 3.0).abs() < f64::EPSILON);
        assert!((percentile(&[7.0], 50) - 7.0).abs() < f64::EPSILON);
    }
}
