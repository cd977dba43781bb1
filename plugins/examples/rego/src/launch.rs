//! The input of the rule that is asked once, about the launch: the names are those of AAP's policy enforcement.

use playwarden_sdk::time;
use serde_json::{Map, Value, json};

/// Makes the input of a run's plan, as it stands in run.json. What is not known there is undefined.
pub(crate) fn input(run: Value, plan: &Value, now_ns: u64) -> Value {
    let root = plan["root"].as_str().unwrap_or_default();
    let job = plan["job"].as_str().or_else(|| run["job"].as_str()).unwrap_or_default().to_owned();
    let kind = if plan["check"] == true { "check" } else { "run" };
    let mut input = Map::new();
    let mut put = |name: &str, value: Value| drop(input.insert(name.to_owned(), value));
    put("name", job.clone().into());
    put("created", time::rfc3339(now_ns).into());
    put("job_template", json!({ "name": job, "job_type": kind }));
    put("job_type", kind.into());
    put("job_type_name", "job".into());
    put("limit", plan["limit"].as_str().unwrap_or_default().into());
    put("job_tags", texts(&plan["tags"]).join(",").into());
    put("skip_tags", texts(&plan["skip_tags"]).join(",").into());
    put("forks", plan["forks"].as_u64().unwrap_or(0).into());
    put("verbosity", plan["verbosity"].as_u64().unwrap_or(0).into());
    put("diff_mode", (plan["diff"] == true).into());
    let (known, unknown) = extra_vars(plan);
    put("extra_vars", known.into());
    put("extra_vars_unknown", unknown.into());
    if let Some(user) = plan["user"].as_str() {
        put("created_by", json!({ "username": user }));
        put("launched_by", json!({ "name": user, "type": "user" }));
    }
    let work = &plan["work"]["playbook"];
    if let Some(playbook) = work["path"].as_str().or_else(|| work["name"].as_str()) {
        put("playbook", relative(playbook, root).into());
    }
    let inventories = texts(&plan["inventory"]);
    if !inventories.is_empty() {
        let names: Vec<&str> = inventories.iter().map(|path| relative(path, root)).collect();
        put("inventory", json!({ "name": names.join(",") }));
    }
    if let Some(image) = plan["ansible"]["container"]["image"].as_str() {
        put("execution_environment", json!({ "name": image, "image": image }));
    }
    put("run", run);
    Value::Object(input)
}

/// Returns the extra variables, later ones over earlier ones as Ansible has it, and what of them is in files or in a form that is
/// not read here.
fn extra_vars(plan: &Value) -> (Map<String, Value>, Vec<Value>) {
    let (mut known, mut unknown) = (Map::new(), Vec::new());
    let handed = &plan["handed"];
    let one = [&handed["extra_vars"], &plan["extra_vars"]].into_iter();
    let lists = [&handed["extra_vars_files"], &plan["more_extra_vars"]];
    for given in one.chain(lists.into_iter().filter_map(Value::as_array).flatten()) {
        match given {
            Value::Null => {}
            Value::Object(variables) => known.extend(variables.clone()),
            Value::String(text) => match variables_of(text) {
                Some(variables) => known.extend(variables),
                None => unknown.push(given.clone()),
            },
            other => unknown.push(other.clone()),
        }
    }
    (known, unknown)
}

/// Reads what stands behind `-e`: JSON, or words `name=value`, whose values are texts.
fn variables_of(text: &str) -> Option<Map<String, Value>> {
    if let Ok(Value::Object(variables)) = serde_json::from_str(text) {
        return Some(variables);
    }
    // Quotes and templates would need Ansible's own reading, `@` names a file, and other forms are YAML.
    if text.contains(['\'', '"', '\\']) || text.trim_start().starts_with(['@', '{', '[']) {
        return None;
    }
    let variable = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.into()));
    text.split_whitespace().map(variable).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns a path as runner.toml would name it.
fn relative<'a>(path: &'a str, root: &str) -> &'a str {
    let inside = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    inside.filter(|_| !root.is_empty()).unwrap_or(path)
}
