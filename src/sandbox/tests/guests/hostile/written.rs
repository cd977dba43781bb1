//! Components written by hand, which no compiler would make.

use std::time::Duration;

use playwarden_event::Json;
use playwarden_sandbox::{Code, Fault, Grants, Limits, LoadError, Plugin, Problem, Sandbox};

use crate::support::Project;

/// A component that offers `config-check` and does nothing wrong. Each field is what a test puts in its place.
#[derive(Clone, Copy)]
pub(crate) struct Checker<'a> {
    /// Items of the component, before all others.
    pub(crate) outside: &'a str,
    /// What the core module is instantiated with.
    pub(crate) with: &'a str,
    /// Imports of the core module.
    pub(crate) imports: &'a str,
    /// Items of the core module, its memory among them.
    pub(crate) items: &'a str,
    /// Instructions of `schema`, which returns where a string's place and length are: here "{}".
    pub(crate) schema: &'a str,
    /// Instructions of `validate`, which returns where a list's place and length are: here an empty one.
    pub(crate) validate: &'a str,
    /// Instructions of what is called after each.
    pub(crate) after: &'a str,
}

pub(crate) const MEMORY: &str = "(memory (export \"memory\") 1) \
     (data (i32.const 16) \"\\20\\00\\00\\00\\02\\00\\00\\00\") (data (i32.const 32) \"{}\")";

impl Default for Checker<'_> {
    fn default() -> Self {
        let (schema, validate) = ("i32.const 16", "i32.const 0");
        Self { outside: "", with: "", imports: "", items: MEMORY, schema, validate, after: "" }
    }
}

impl Checker<'_> {
    pub(crate) fn text(&self) -> String {
        let Self { outside, with, imports, items, schema, validate, after } = self;
        format!(
            r#"(component {outside}
              (core module $m {imports} {items}
                (func (export "schema") (result i32) {schema})
                (func (export "validate") (result i32) {validate})
                (func (export "after") (param i32) {after}))
              (core instance $i (instantiate $m {with}))
              (func $schema (result string)
                (canon lift (core func $i "schema") (memory (core memory $i "memory")) (post-return (core func $i "after"))))
              (type $severity (enum "warning" "error"))
              (type $problem (record (field "severity" $severity) (field "pointer" string) (field "message" string)))
              (func $validate (result (list $problem))
                (canon lift (core func $i "validate") (memory (core memory $i "memory")) (post-return (core func $i "after"))))
              (component $face
                (type $severity (enum "warning" "error"))
                (import "severity" (type $s (eq $severity)))
                (type $problem (record (field "severity" $s) (field "pointer" string) (field "message" string)))
                (import "problem" (type $p (eq $problem)))
                (import "schema-of" (func $schema (result string)))
                (import "validate-of" (func $validate (result (list $p))))
                (export $es "severity" (type $s))
                (type $ep' (record (field "severity" $es) (field "pointer" string) (field "message" string)))
                (export $ep "problem" (type $ep'))
                (export "schema" (func $schema))
                (export "validate" (func $validate) (func (result (list $ep)))))
              (instance $x (instantiate $face (with "severity" (type $severity)) (with "problem" (type $problem))
                (with "schema-of" (func $schema)) (with "validate-of" (func $validate))))
              (export "playwarden:plugin/config-check@0.1.0" (instance $x)))"#
        )
    }
}

/// Returns a component that offers `lifecycle`, with these instructions and items of its core module. `start` has ten
/// parameters, of which the first two are the id's place and length, and returns where its answer is.
pub(crate) fn starter(items: &str, realloc: &str, start: &str) -> String {
    let record = r#"(record (field "id" string) (field "name" string) (field "workflow" bool) (field "incarnation" u32)
        (field "check-mode" bool) (field "diff-mode" bool) (field "data" string))"#;
    let failure = r#"(record (field "message" string) (field "retry-after-ms" (option u64)))"#;
    format!(
        r#"(component
          (import "playwarden:plugin/log@0.1.0" (instance $log
            (type $l (enum "trace" "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $l)))
            (export "enabled" (func (param "level" $level) (result bool)))))
          (core func $enabled (canon lower (func $log "enabled")))
          (core module $m
            (import "log" "enabled" (func $enabled (param i32) (result i32)))
            {items}
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (func (export "start") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {start})
            (func (export "stop")))
          (core instance $i (instantiate $m (with "log" (instance (export "enabled" (func $enabled))))))
          (type $run {record})
          (type $failure {failure})
          (func $start (param "run" $run) (result (result (error $failure)))
            (canon lift (core func $i "start") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
          (func $stop (canon lift (core func $i "stop")))
          (component $face
            (type $run' {record})
            (import "run" (type $run (eq $run')))
            (type $failure' {failure})
            (import "failure" (type $failure (eq $failure')))
            (import "start-of" (func $start (param "run" $run) (result (result (error $failure)))))
            (import "stop-of" (func $stop))
            (export $er "run" (type $run))
            (export $ef "failure" (type $failure))
            (export "start" (func $start) (func (param "run" $er) (result (result (error $ef)))))
            (export "stop" (func $stop)))
          (instance $x (instantiate $face (with "run" (type $run)) (with "failure" (type $failure))
            (with "start-of" (func $start)) (with "stop-of" (func $stop))))
          (export "playwarden:plugin/lifecycle@0.1.0" (instance $x)))"#
    )
}

/// Where they are tried: a sandbox that has to serve a good one afterwards.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) limits: Limits,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let limits = Limits { call: Duration::from_secs(60), finish: Duration::from_secs(60), ..Limits::default() };
        Self { sandbox: Sandbox::new(None).unwrap(), limits }
    }

    /// One whose guests get so little time.
    pub(crate) fn impatient() -> Self {
        let lab = Self::new();
        Self { limits: Limits { call: Duration::from_millis(200), ..lab.limits }, ..lab }
    }

    pub(crate) async fn bytes(&self, bytes: &[u8]) -> Result<Plugin, LoadError> {
        self.sandbox.load("p", Code::Bytes { bytes }, None, &Grants::default()).await
    }

    pub(crate) async fn load(&self, text: &str) -> Result<Plugin, LoadError> {
        self.bytes(&wat::parse_str(text).unwrap()).await
    }

    /// Returns why a component is not loaded.
    pub(crate) async fn refused(&self, text: &str) -> String {
        self.load(text).await.expect_err(text).kind().to_string()
    }

    pub(crate) async fn schema(&self, checker: Checker<'_>) -> Result<String, Fault> {
        self.load(&checker.text()).await.unwrap().schema(self.limits).await
    }

    pub(crate) async fn check(&self, checker: Checker<'_>) -> Result<Vec<Problem>, Fault> {
        let plugin = self.load(&checker.text()).await.unwrap();
        plugin.check(&Json::default(), self.limits, &Grants::default()).await
    }

    /// Starts what [`starter`] wrote, for a run.
    pub(crate) async fn start(&self, text: &str) -> Result<(), Fault> {
        let plugin = self.load(text).await.unwrap();
        let mut project = Project::new(serde_json::json!({}));
        project.limits = self.limits;
        plugin.start(project.setup(1, std::collections::BTreeMap::new())).await.map(drop)
    }

    /// Asserts that whoever comes next is served as ever.
    pub(crate) async fn still_serves(&self) {
        let generous = Self::new().limits;
        let plugin = self.load(&Checker::default().text()).await.unwrap();
        assert_eq!(plugin.schema(generous).await.as_deref(), Ok("{}"));
        assert_eq!(plugin.check(&Json::default(), generous, &Grants::default()).await, Ok(Vec::new()));
    }
}
