//! The input document.

use playwarden_sdk::{prelude::*, time};
use serde_json::{Map, Value, json};

/// Data of an event beyond this is left out of the document: it would cost more memory than a plugin has.
const MAX_DATA: usize = 1 << 20;

/// What is the same in every document of a run.
#[derive(Debug, Default)]
pub struct Document {
    run: Map<String, Value>,
}

impl Document {
    /// Takes what `lifecycle.start` was told.
    pub fn begin(&mut self, run: &Run) {
        self.begin_with(run.check_mode, run.diff_mode, &run.data);
    }

    fn begin_with(&mut self, check_mode: bool, diff_mode: bool, plan: &str) {
        let plan = serde_json::from_str::<Value>(plan).ok().filter(Value::is_object);
        self.run = Map::from_iter([
            ("check_mode".to_owned(), check_mode.into()),
            ("diff_mode".to_owned(), diff_mode.into()),
            ("plan".to_owned(), plan.unwrap_or_else(|| json!({}))),
        ]);
    }

    /// Returns the document for one question: `what` is its part `event` or `start`.
    #[must_use]
    pub fn of(&self, source: &Source, totals: &Totals, (name, what): (&str, Value)) -> Value {
        let mut document = Map::new();
        document.insert(name.to_owned(), what);
        document.insert("totals".to_owned(), json!({ "run": tally(&totals.run), "play": tally(&totals.play) }));
        document.insert("run".to_owned(), self.run(source));
        Value::Object(document)
    }

    /// Returns the part `run`.
    #[must_use]
    pub fn run(&self, source: &Source) -> Value {
        let mut run = self.run.clone();
        run.insert("id".to_owned(), source.run.clone().into());
        run.insert("job".to_owned(), source.job.clone().into());
        Value::Object(run)
    }

    /// Returns the plan of the run; null where nobody told it.
    #[must_use]
    pub fn plan(&self) -> &Value {
        self.run.get("plan").unwrap_or(&Value::Null)
    }
}

/// Returns the part `event`, with the event's data as the journal has it: it does not depend on `payload`.
#[must_use]
pub fn event(source: &Source, event: &Event) -> (&'static str, Value) {
    let data = journal::data(source, event.counter, "").filter(|text| text.len() <= MAX_DATA);
    ("event", event_with(event, data.as_deref()))
}

/// As [`event`], with the event's data as JSON.
pub(crate) fn event_with(event: &Event, data: Option<&str>) -> Value {
    let data = data.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut parts = moment(event.time_ns);
    parts.extend([("event", event.kind.name().into()), ("counter", event.counter.into())]);
    for (name, mark) in [
        ("ok", Marks::OK),
        ("changed", Marks::CHANGED),
        ("failed", Marks::FAILED),
        ("unreachable", Marks::UNREACHABLE),
        ("skipped", Marks::SKIPPED),
        ("ignored", Marks::IGNORED),
        ("rescued", Marks::RESCUED),
        ("handler", Marks::HANDLER),
        ("check_mode", Marks::CHECK_MODE),
        ("no_log", Marks::NO_LOG),
        ("truncated", Marks::TRUNCATED),
    ] {
        parts.push((name, event.marked(mark).into()));
    }
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let mut optional = vec![
        ("uuid", Some(event.uuid.clone().into())),
        ("play", text(&event.play)),
        ("play_number", event.play_number.map(Value::from)),
        ("task", text(&event.task)),
        ("action", text(&event.action)),
        ("role", text(&event.role)),
        ("host", text(&event.host)),
        ("item", text(&event.item)),
        ("item_number", event.item_number.map(Value::from)),
        ("rc", event.rc.map(Value::from)),
        ("duration_ms", event.duration_ms.map(Value::from)),
        ("message", text(&event.message)),
    ];
    if let Some(Value::Object(mut data)) = data {
        optional.push(("res", data.remove("res")));
        optional.push(("data", Some(Value::Object(data))));
    }
    object(parts, optional)
}

/// Returns documents in which nothing is missing, to try rules on: of an event that failed, and of a start.
#[must_use]
pub fn samples() -> Vec<Value> {
    let name = || Some("sample".to_owned());
    let failed = Event {
        play: name(),
        play_number: Some(1),
        task: name(),
        action: name(),
        role: name(),
        host: name(),
        item: name(),
        item_number: Some(1),
        marks: Marks::all(),
        rc: Some(1),
        duration_ms: Some(1),
        message: name(),
        ..Event::new(1, EventKind::RunnerOnFailed)
    };
    let asked = Start {
        time_ns: 0,
        uuid: String::new(),
        play: "sample".to_owned(),
        play_uuid: String::new(),
        task: "sample".to_owned(),
        task_uuid: String::new(),
        action: "{{ sample }}".to_owned(),
        role: name(),
        host: "sample".to_owned(),
        become_user: name(),
        connection: name(),
        delegate_to: name(),
        tags: vec!["sample".to_owned()],
        check_mode: true,
        no_log: true,
        handler: true,
        args: Some("{}".to_owned()),
        path: name(),
        data: r#"{"groups": ["sample"]}"#.to_owned(),
    };
    let source = Source { run: "sample".to_owned(), job: "sample".to_owned() };
    let failed = ("event", event_with(&failed, Some(r#"{"res": {"msg": "sample"}}"#)));
    let mut document = Document::default();
    document.begin_with(true, true, "{}");
    [failed, start(&asked)].map(|what| document.of(&source, &Totals::default(), what)).into()
}

/// Returns the part `start`.
#[must_use]
pub fn start(start: &Start) -> (&'static str, Value) {
    let mut parts = moment(start.time_ns);
    parts.extend([
        ("host", start.host.clone().into()),
        ("play", start.play.clone().into()),
        ("task", start.task.clone().into()),
        ("action", start.action.clone().into()),
        ("action_is_unknown", start.action_is_unknown().into()),
        ("tags", start.tags.clone().into()),
        ("check_mode", start.check_mode.into()),
        ("no_log", start.no_log.into()),
        ("handler", start.handler.into()),
    ]);
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let optional = vec![
        ("role", text(&start.role)),
        ("become_user", text(&start.become_user)),
        ("connection", text(&start.connection)),
        ("delegate_to", text(&start.delegate_to)),
        ("path", text(&start.path)),
        ("args", start.args.as_deref().and_then(|args| serde_json::from_str(args).ok())),
    ];
    let mut whole = object(parts, optional);
    if let (Value::Object(whole), Ok(Value::Object(further))) = (&mut whole, serde_json::from_str(&start.data)) {
        for (name, value) in further {
            whole.entry(name).or_insert(value);
        }
    }
    ("start", whole)
}

fn moment(ns: u64) -> Vec<(&'static str, Value)> {
    vec![("time", time::rfc3339(ns).into()), ("time_ns", ns.into())]
}

/// What is not known has no key: it is undefined in Rego, and `has()` finds that out in CEL.
fn object(parts: Vec<(&str, Value)>, optional: Vec<(&str, Option<Value>)>) -> Value {
    let known = optional.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    Value::Object(parts.into_iter().chain(known).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn tally(tally: &Tally) -> Value {
    json!({
        "hosts": tally.hosts,
        "hosts_failed": tally.hosts_failed,
        "hosts_unreachable": tally.hosts_unreachable,
        "hosts_changed": tally.hosts_changed,
        "hosts_busy": tally.hosts_busy,
        "ok": tally.ok,
        "changed": tally.changed,
        "failed": tally.failed,
        "unreachable": tally.unreachable,
        "skipped": tally.skipped,
        "rescued": tally.rescued,
        "ignored": tally.ignored,
    })
}
