//! Compares what two runs left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::case::Case;
use super::closed::{AD_HOC_DATA, AD_HOC_EVENTS, AD_HOC_ID, ARTIFACTS, ENVELOPE, OWN_EVENTS, Rule, is_ours, is_stale};
use super::evidence::Evidence;
use super::found::{Column, Found};
use super::lines;
use super::normal;

/// Events that are only text.
const TEXTS: [&str; 6] = ["verbose", "debug", "deprecated", "warning", "system_warning", "error"];

/// How Playwarden ends when it refuses to run something.
const USAGE: i32 = 2;

/// Events in their order.
type Events<'e> = Vec<&'e Value>;

/// Compares everything of two runs of a case.
pub(super) fn compare(case: &Case, theirs: &Evidence, ours: &Evidence) -> Found {
    let mut found = Found::default();
    for (whose, evidence) in [("ansible-runner", theirs), ("Playwarden", ours)] {
        if evidence.exit.is_none() {
            found.add(Column::Rc, format!("{whose} did not end"));
        }
    }
    // What both refuse shows nothing, unless that is what the case is about.
    if theirs.rc.is_none() != case.asked.refused {
        let does = if case.asked.refused { "runs" } else { "refuses" };
        found.add(Column::Rc, format!("ansible-runner {does} the case: `refused` of its `case.toml` is wrong"));
    }
    theirs.unreadable.iter().for_each(|_| found.explain(Rule::StrictJson));
    if case.asked.refused_here.is_some() {
        let refused = ours.exit == Some(USAGE) && ours.runs.is_empty() && ours.events.is_empty();
        if refused {
            found.of_case += 1;
        } else {
            found.add(Column::Rc, "Playwarden runs it: `refused-here` is wrong");
        }
        return found;
    }
    let their_events: Events<'_> = theirs.events.iter().map(|(_, event)| event).collect();
    let is_ad_hoc = their_events.iter().any(|event| event.get(AD_HOC_ID).is_some());
    let (own, our_events): (Events<'_>, Events<'_>) =
        ours.events.iter().map(|(_, event)| event).partition(|event| OWN_EVENTS.contains(&name(event)));
    own.iter().for_each(|_| found.explain(Rule::HostsOwnEvents));

    let our_events = if is_ad_hoc { without_play(our_events, &mut found) } else { our_events };
    let their_events = without_stderr(&their_events, ours, &mut found);
    counts(&their_events, &our_events, &mut found);
    sequence(case, &their_events, &our_events, &mut found);
    stats(&their_events, &our_events, &mut found);
    equal(Column::Rc, "file `rc`", theirs.rc.as_ref(), ours.rc.as_ref(), &mut found);
    equal(Column::Rc, "exit code", theirs.exit.as_ref(), ours.exit.as_ref(), &mut found);
    equal(Column::Status, "file `status`", theirs.status.as_ref(), ours.status.as_ref(), &mut found);
    stdout(case, theirs, ours, &mut found);
    artifacts(theirs, ours, &mut found);
    command(theirs, ours, &mut found);
    events(case, &their_events, &our_events, ours.stderr.as_deref().unwrap_or_default(), &mut found);
    found
}

/// Notes what is not equal, ansible-runner's first.
fn equal<T: PartialEq + std::fmt::Debug>(
    column: Column,
    what: &str,
    theirs: Option<&T>,
    ours: Option<&T>,
    found: &mut Found,
) {
    let shown = |value: Option<&T>| value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"));
    if theirs != ours {
        found.add(column, format!("{what}: {} | {}", shown(theirs), shown(ours)));
    }
}

fn name(event: &Value) -> &str {
    event["event"].as_str().unwrap_or_default()
}

fn host(event: &Value) -> &str {
    event["event_data"]["host"].as_str().unwrap_or_default()
}

fn task(event: &Value) -> &str {
    if is_stale(name(event), "task") {
        return "";
    }
    event["event_data"]["task"].as_str().unwrap_or_default()
}

/// How often a background task is looked at is a matter of moments: *polls*.
fn is_poll(event: &Value) -> bool {
    name(event) == "runner_on_async_poll"
}

/// Whether it says nothing but the hint.
fn is_hint(event: &Value) -> bool {
    let message = normal::HINT.trim_start_matches("[WARNING]: ");
    let begins = |text: &Value, with: &str| text.as_str().is_some_and(|text| text.starts_with(with));
    begins(&event["stdout"], normal::HINT) || begins(&event["event_data"]["message"], message)
}

/// Theirs without loose lines that ours has in standard error, where they are in the same order.
fn without_stderr<'e>(theirs: &[&'e Value], ours: &Evidence, found: &mut Found) -> Events<'e> {
    let stderr = normal::text(ours.stderr.as_deref().unwrap_or_default());
    let mut left = stderr.lines();
    let mut kept = theirs.to_vec();
    kept.retain(|event| {
        let text = normal::text(event["stdout"].as_str().unwrap_or_default());
        let mut rest = left.clone();
        if name(event) != "verbose" || event["event_data"].is_object() || !rest.any(|line| line == text) {
            return true;
        }
        left = rest;
        found.explain(Rule::StderrApart);
        false
    });
    kept
}

/// Ours without what announces the play and the task of an ad hoc command.
fn without_play<'e>(mut ours: Events<'e>, found: &mut Found) -> Events<'e> {
    ours.retain(|event| {
        let announces = AD_HOC_EVENTS.contains(&name(event));
        if announces {
            found.explain(Rule::AdHoc);
        }
        !announces
    });
    ours
}

fn counts(theirs: &[&Value], ours: &[&Value], found: &mut Found) {
    let count = |events: &[&Value]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for event in events.iter().filter(|event| !is_hint(event)) {
            let count = counts.entry(name(event).to_owned()).or_default();
            *count = if is_poll(event) { 1 } else { *count + 1 };
        }
        counts
    };
    let (theirs, ours) = (count(theirs), count(ours));
    let names: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for name in names {
        let of = |counts: &BTreeMap<String, usize>| counts.get(name).copied().unwrap_or_default();
        if of(&theirs) != of(&ours) {
            found.add(Column::Counts, format!("{name}: {} | {}", of(&theirs), of(&ours)));
        }
    }
}

/// What came of each host in which order, and what came of none.
fn sequence(case: &Case, theirs: &[&Value], ours: &[&Value], found: &mut Found) {
    let order = |events: &[&Value]| {
        let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in events.iter().filter(|event| !TEXTS.contains(&name(event)) && !is_poll(event)) {
            // Whichever task ansible-runner began last is said to be that of an event without a host.
            let is_sure = !case.asked.any_order || !host(event).is_empty() || name(event).ends_with("_start");
            let task = if is_sure { task(event) } else { "any" };
            hosts.entry(host(event).to_owned()).or_default().push(format!("{} {task:?}", name(event)));
        }
        if case.asked.any_order {
            hosts.values_mut().for_each(|events| events.sort());
        }
        hosts
    };
    let (theirs, ours) = (order(theirs), order(ours));
    let none = Vec::new();
    for host in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
        let (theirs, ours) = (theirs.get(host).unwrap_or(&none), ours.get(host).unwrap_or(&none));
        if let Some(place) = (0..theirs.len().max(ours.len())).find(|&place| theirs.get(place) != ours.get(place)) {
            let at = |events: &[String]| events.get(place).map_or("nothing", String::as_str).to_owned();
            let whose = if host.is_empty() { "of no host" } else { host };
            found.add(Column::Sequence, format!("{whose}, place {}: {} | {}", place + 1, at(theirs), at(ours)));
        }
    }
}

fn stats(theirs: &[&Value], ours: &[&Value], found: &mut Found) {
    let stats = |events: &[&Value]| -> Vec<Map<String, Value>> {
        let all = events.iter().filter(|event| name(event) == "playbook_on_stats");
        let data = all.filter_map(|event| event["event_data"].as_object().cloned());
        data.map(|mut data| {
            data.retain(|key, _| !["playbook_uuid", "uuid"].contains(&key.as_str()));
            data
        })
        .collect()
    };
    let (theirs, ours) = (stats(theirs), stats(ours));
    equal(Column::Stats, "how many", Some(&theirs.len()), Some(&ours.len()), found);
    for (theirs, ours) in theirs.iter().zip(&ours) {
        for key in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let plain = |data: &Map<String, Value>| data.get(key).map(normal::value);
            equal(Column::Stats, key, plain(theirs).as_ref(), plain(ours).as_ref(), found);
        }
    }
}

/// A terminal shows standard output and error as one; ours are two.
fn stdout(case: &Case, theirs: &Evidence, ours: &Evidence, found: &mut Found) {
    let text = |text: &Option<String>| normal::text(text.as_deref().unwrap_or_default());
    if theirs.stdout.is_some() != ours.stdout.is_some() {
        equal(Column::Stdout, "file `stdout`", theirs.stdout.as_ref(), ours.stdout.as_ref(), found);
    }
    let (theirs, out, err) = (text(&theirs.stdout), text(&ours.stdout), text(&ours.stderr));
    let [theirs, out, err] = [&theirs, &out, &err].map(|text| told(case, text));
    if !err.is_empty() {
        found.explain(Rule::StderrApart);
    }
    let both = [out.clone(), err.clone()].concat();
    let lines = lines::difference(&theirs, &both);
    if lines.iter().any(|line| line != "+") {
        found.add(Column::Stdout, format!("lines\n{}", lines.join("\n")));
    } else if !lines.is_empty() {
        let filled = |lines: &[&str]| -> Vec<String> {
            lines.iter().filter(|line| !line.is_empty()).map(|line| (*line).to_owned()).collect()
        };
        if case.asked.any_order || lines::is_merged(&filled(&theirs), &filled(&out), &filled(&err)) {
            found.explain(Rule::EmptyLines);
        } else {
            found.add(Column::Stdout, "the same lines in another order");
        }
    } else if !case.asked.any_order && !lines::is_merged(&theirs, &out, &err) {
        found.add(Column::Stdout, "the same lines in another order");
    }
}

/// The lines of a text. Where hosts come in any order, without the ones that say which task was shown last: *titles*.
fn told<'t>(case: &Case, text: &'t str) -> Vec<&'t str> {
    let is_title = |line: &&str| {
        line.is_empty() || ["TASK [", "RUNNING HANDLER [", "included: "].iter().any(|title| line.starts_with(title))
    };
    let lines = text.lines().filter(|line| !line.starts_with(normal::HINT));
    lines.filter(|line| !case.asked.any_order || !is_title(line)).collect()
}

fn artifacts(theirs: &Evidence, ours: &Evidence, found: &mut Found) {
    for (name, mode) in &theirs.artifacts {
        match ours.artifacts.get(name) {
            None => found.add(Column::Artifacts, format!("{name} is missing")),
            Some(ours) if ours & mode == *ours && ours != mode => found.explain(Rule::StricterMode),
            Some(ours) if ours != mode => found.add(Column::Artifacts, format!("mode of {name}: {mode:o} | {ours:o}")),
            Some(_) => {}
        }
    }
    for name in ours.artifacts.keys().filter(|name| !theirs.artifacts.contains_key(*name)) {
        if ARTIFACTS.contains(&name.split('/').next().unwrap_or_default()) {
            found.explain(Rule::MoreArtifacts);
        } else {
            found.add(Column::Artifacts, format!("{name} is there, with ansible-runner not"));
        }
    }
    let modes = |evidence: &Evidence| evidence.event_modes.iter().map(|mode| format!("{mode:o}")).collect::<Vec<_>>();
    equal(Column::Artifacts, "modes in job_events", Some(&modes(theirs)), Some(&modes(ours)), found);
    equal(Column::Artifacts, "runs", Some(&theirs.runs), Some(&ours.runs), found);
    let (written, left): (BTreeSet<_>, BTreeSet<_>) =
        theirs.left.difference(&ours.left).cloned().partition(|file| file.starts_with("env/"));
    written.iter().for_each(|_| found.explain(Rule::NothingWritten));
    let more: BTreeSet<_> = ours.left.difference(&theirs.left).cloned().collect();
    equal(Column::Artifacts, "left elsewhere", Some(&left), Some(&more), found);
    equal(Column::Artifacts, "removed", Some(&theirs.gone), Some(&ours.gone), found);
    for (whose, evidence) in [("ansible-runner", theirs), ("Playwarden", ours)] {
        for (name, event) in &evidence.events {
            let expected = format!("{}-{}.json", event["counter"], event["uuid"].as_str().unwrap_or_default());
            if *name != expected {
                found.add(Column::Artifacts, format!("{whose}: job_events/{name} should be {expected}"));
            }
        }
    }
}

/// The words of the command are the same, in the same order. Its environment is the caller's, with all secrets in it, and
/// ansible-runner's own settings: nothing that a reader could rely on.
fn command(theirs: &Evidence, ours: &Evidence, found: &mut Found) {
    let part = |evidence: &Evidence, key: &str| {
        let command = evidence.command.as_ref()?;
        Some(normal::command(&command[key], command["cwd"].as_str().unwrap_or_default()).to_string())
    };
    for key in ["command", "cwd"] {
        let (theirs, ours) = (part(theirs, key), part(ours, key));
        equal(Column::Artifacts, &format!("`{key}` of command"), theirs.as_ref(), ours.as_ref(), found);
    }
}

/// What Playwarden promises and ansible-runner does not hold: lines that end with LF, JSON that every parser takes,
/// numbers without a gap, lines without an overlap, no uuid twice.
pub(super) fn promises(ours: &Evidence, found: &mut Found) {
    if ours.stdout.as_ref().is_some_and(|text| text.contains("\r\n")) {
        found.add(Column::Stdout, "ours has lines that end with CRLF");
    }
    for name in &ours.unreadable {
        found.add(Column::Artifacts, format!("job_events/{name} is not JSON"));
    }
    let (mut line, mut uuids) = (0, BTreeSet::new());
    for (index, (_, event)) in ours.events.iter().enumerate() {
        if event["counter"] != index + 1 {
            found.add(Column::Events, format!("event {} has the number {}", index + 1, event["counter"]));
            break;
        }
        if event["start_line"] != line {
            found
                .add(Column::Events, format!("event {} begins in line {}, not {line}", index + 1, event["start_line"]));
        }
        line = event["end_line"].as_u64().unwrap_or_default();
        if !uuids.insert(event["uuid"].as_str().unwrap_or_default()) {
            found.add(Column::Events, format!("event {} has a uuid that was there already", index + 1));
        }
    }
}

/// Each event of theirs with the one of ours: the same host, name and task, and as many before it.
fn events(case: &Case, theirs: &[&Value], ours: &[&Value], stderr: &str, found: &mut Found) {
    let stderr = normal::text(stderr);
    let key = |event: &Value| {
        let data = &event["event_data"];
        let item = data["res"].get("item").map(|item| normal::value(item).to_string());
        let path = data["task_path"].as_str().unwrap_or_default().to_owned();
        (host(event).to_owned(), name(event).to_owned(), task(event).to_owned(), path, item)
    };
    let mut left: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
    for event in ours.iter().rev() {
        left.entry(key(event)).or_default().push(event);
    }
    for event in theirs.iter().filter(|event| !TEXTS.contains(&name(event))) {
        // One that is missing stands in the counts and in the sequence.
        if let Some(ours) = left.get_mut(&key(event)).and_then(Vec::pop) {
            one(case, event, ours, &stderr, found);
        }
    }
}

/// Everything that ansible-runner has in an event is in ours, with the same value.
fn one(case: &Case, theirs: &Value, ours: &Value, stderr: &str, found: &mut Found) {
    let place = name(theirs);
    let none = Map::new();
    let entries = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (envelope, our_envelope) = (entries(theirs), entries(ours));
    for (key, value) in &envelope {
        match (key.as_str(), our_envelope.get(key)) {
            (AD_HOC_ID, None) => found.explain(Rule::AdHoc),
            (_, None) => found.add(Column::Events, format!("{place}: `{key}` is missing")),
            ("uuid" | "parent_uuid", Some(ours_has)) => {
                let (value, ours_has) = (normal::uuid(value, theirs), normal::uuid(ours_has, ours));
                // The task itself, or the one that it takes for the task of an event without one.
                if key == "parent_uuid" && value == "task_uuid" && ours_has == "play_uuid" {
                    let is_start = place == "playbook_on_task_start";
                    if is_start || is_stale(place, "task") {
                        found.explain(if is_start { Rule::RepeatedParent } else { Rule::StaleTask });
                        continue;
                    }
                }
                equal(Column::Events, &format!("{place}: {key}"), Some(&value), Some(&ours_has), found);
            }
            // Where a line begins depends on which host was quicker; how many there are does not.
            ("counter" | "start_line" | "end_line" | "event_data", Some(_)) => {}
            ("stdout", Some(ours_has)) => printed(case, place, value, ours_has, stderr, found),
            (_, Some(ours_has)) => {
                let (value, ours_has) = (normal::entry(key, value), normal::entry(key, ours_has));
                differing(&format!("{place}: {key}"), &value, &ours_has, found);
            }
        }
    }
    for key in our_envelope.keys().filter(|key| !envelope.contains_key(*key)) {
        if ENVELOPE.contains(&key.as_str()) {
            found.explain(Rule::MoreInEnvelope);
        } else {
            found.add(Column::Events, format!("{place}: `{key}` is there, with ansible-runner not"));
        }
    }
    let data = theirs["event_data"].as_object().unwrap_or(&none);
    let our_data = ours["event_data"].as_object().unwrap_or(&none);
    for (key, value) in data {
        match (key.as_str(), our_data.get(key)) {
            (_, None) if is_stale(place, key) => found.explain(Rule::StaleTask),
            ("resolved_action", Some(_)) if value.is_null() => found.explain(Rule::Resolved),
            ("res", Some(_)) if value.as_object().is_some_and(Map::is_empty) => found.explain(Rule::WholeResult),
            (_, None) => found.add(Column::Events, format!("{place}: event_data.{key} is missing, theirs is {value}")),
            ("uuid" | "task_uuid" | "play_uuid" | "playbook_uuid", Some(ours_has)) => {
                let (value, ours_has) = (normal::uuid(value, theirs), normal::uuid(ours_has, ours));
                equal(Column::Events, &format!("{place}: event_data.{key}"), Some(&value), Some(&ours_has), found);
            }
            (_, Some(ours_has)) => {
                let (value, ours_has) = (normal::entry(key, value), normal::entry(key, ours_has));
                differing(&format!("{place}: event_data.{key}"), &value, &ours_has, found);
            }
        }
    }
    for key in our_data.keys().filter(|key| !data.contains_key(*key)) {
        if is_ours(place, key) {
            found.explain(Rule::MoreInEventData);
        } else if theirs.get(AD_HOC_ID).is_some() && AD_HOC_DATA.contains(&key.as_str()) {
            found.explain(Rule::AdHoc);
        } else {
            found.add(Column::Events, format!("{place}: event_data.{key} is there, with ansible-runner not"));
        }
    }
}

/// Walks down to what differs.
fn differing(place: &str, theirs: &Value, ours: &Value, found: &mut Found) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for key in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
                let place = format!("{place}.{key}");
                match (theirs.get(key), ours.get(key)) {
                    (Some(theirs), Some(ours)) => differing(&place, theirs, ours, found),
                    (theirs, ours) => unequal(&place, theirs, ours, found),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            theirs.iter().zip(ours).for_each(|(theirs, ours)| differing(&format!("{place}[]"), theirs, ours, found));
        }
        _ if theirs != ours => unequal(place, Some(theirs), Some(ours), found),
        _ => {}
    }
}

fn unequal(place: &str, theirs: Option<&Value>, ours: Option<&Value>, found: &mut Found) {
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    found.add(Column::Events, format!("{place}: {} | {}", shown(theirs), shown(ours)));
}

/// The text of an event. Theirs may have lines in it that ours has in standard error.
fn printed(case: &Case, place: &str, theirs: &Value, ours: &Value, stderr: &str, found: &mut Found) {
    let text = |value: &Value| normal::text(value.as_str().unwrap_or_default());
    let (theirs, ours) = (text(theirs), text(ours));
    let (lines, our_lines, of_stderr) = (told(case, &theirs), told(case, &ours), told(case, stderr));
    if lines == our_lines {
        return;
    }
    let is_apart = (0..of_stderr.len()).any(|start| {
        let count = lines.len().saturating_sub(our_lines.len());
        let end = start + count;
        count > 0 && end <= of_stderr.len() && lines::is_merged(&lines, &our_lines, &of_stderr[start..end])
    });
    if is_apart {
        found.explain(Rule::StderrApart);
    } else {
        found.add(Column::Events, format!("{place}: stdout\n{}", lines::difference(&lines, &our_lines).join("\n")));
    }
}
