//! What a component names: interfaces of the contract as something else, the host's functions with other types, and what
//! there is not.

use super::written::Lab;
use crate::support::block_on;

const INTERFACES: [(&str, &str); 8] = [
    ("config-check", "schema"),
    ("lifecycle", "start"),
    ("event-handler", "on-events"),
    ("status-handler", "on-status"),
    ("cancel-policy", "evaluate"),
    ("start-policy", "admit"),
    ("tick-policy", "tick"),
    ("finished-callback", "on-finished"),
];

/// A component with a function of no parameters and no result, which is there as `$f`.
fn with_function(items: &str) -> String {
    format!(
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i \"f\"))) {items})"
    )
}

#[test]
fn interfaces_of_the_contract_are_recognized_by_their_types() {
    block_on(async {
        let lab = Lab::new();
        let no_instance = "it is no instance of an interface";
        for (interface, function) in INTERFACES {
            let name = format!("playwarden:plugin/{interface}@0.1.0");
            let missing = format!("there is no `{function}`");
            let other = format!("`{function}` has another type: expected ");
            let value = format!("`{function}` is no function");
            for (items, why) in [
                (format!("(instance $x) (export \"{name}\" (instance $x))"), &*missing),
                (format!("(instance $x (export \"{function}\" (func $f))) (export \"{name}\" (instance $x))"), &other),
                (
                    format!(
                        "(type $t u8) (instance $x (export \"{function}\" (type $t))) (export \"{name}\" (instance $x))"
                    ),
                    &value,
                ),
                (format!("(export \"{name}\" (func $f))"), no_instance),
                (format!("(core module $c) (export \"{name}\" (core module $c))"), no_instance),
                (format!("(type $t (enum \"a\")) (export \"{name}\" (type $t))"), no_instance),
            ] {
                let refused = lab.refused(&with_function(&items)).await;
                let begin = format!("it exports `{name}`, but not as the contract has it: {why}");
                assert!(refused.starts_with(&begin), "{refused}, not {begin}");
            }
            for version in ["@0.2.0", "@1.0.0", "@0.0.1", ""] {
                let items = format!("(instance $x) (export \"playwarden:plugin/{interface}{version}\" (instance $x))");
                let refused = lab.refused(&with_function(&items)).await;
                assert!(refused.contains("but not as the contract has it: its version is "), "{refused}");
            }
        }
        lab.still_serves().await;
    });
}

#[test]
fn what_the_contract_does_not_name_may_be_exported() {
    block_on(async {
        let lab = Lab::new();
        for name in ["playwarden:plugin/of-tomorrow@0.1.7", "mine:own/thing@3.0.0", "thing"] {
            let items = format!("(instance $x (export \"f\" (func $f))) (export \"{name}\" (instance $x))");
            let plugin = lab.load(&with_function(&items)).await.unwrap();
            assert_eq!(plugin.hooks(), playwarden_sandbox::Hooks::default(), "{name}");
        }
    });
}

#[test]
fn what_the_host_does_not_offer_is_not_linked() {
    block_on(async {
        let lab = Lab::new();
        let unit = "(instance (export \"f\" (func)))";
        let (denied, misfit) = ("which was not granted", "its imports do not fit: component imports");
        for (import, ty, why) in [
            ("playwarden:plugin/nothing@0.1.0", unit, denied),
            // Of other versions there is nothing to link.
            ("playwarden:plugin/log@0.2.0", unit, misfit),
            ("playwarden:plugin/log@1.0.0", unit, misfit),
            ("playwarden:plugin/log", unit, misfit),
            // Of this one, nothing of another name or another type.
            ("playwarden:plugin/log@0.1.9", unit, misfit),
            ("playwarden:plugin/log@0.1.0", unit, misfit),
            ("playwarden:plugin/log@0.1.0", "(instance (export \"log\" (func)))", misfit),
            (
                "playwarden:plugin/log@0.1.0",
                "(instance (export \"enabled\" (func (param \"level\" u8) (result bool))))",
                misfit,
            ),
            ("playwarden:plugin/log@0.1.0", "(func)", misfit),
            ("playwarden:plugin/types@0.1.0", "(func)", misfit),
            ("playwarden:plugin/state@0.1.0", "(instance (export \"get\" (type (sub resource))))", misfit),
            ("wasi:io/error@0.2.0", "(instance (export \"error\" (func)))", misfit),
            ("wasi:cli/command@0.2.0", unit, misfit),
            ("wasi:cli/environment@0.2.0", "(instance (export \"get-environment\" (func (result u32))))", misfit),
            ("wasi:filesystem/preopens@0.3.0", unit, misfit),
            ("wasi:http/outgoing-handler@0.2.0", unit, denied),
            ("wasi:nn/graph@0.2.0", unit, denied),
            ("f", "(func)", denied),
            ("m", "(core module)", denied),
            ("t", "(type (sub resource))", denied),
            ("c", "(component)", "root-level component imports are not supported"),
        ] {
            let refused = lab.refused(&format!("(component (import \"{import}\" {ty}))")).await;
            assert!(refused.contains(why), "{import} {ty}: {refused}");
        }
        lab.still_serves().await;
    });
}

#[test]
fn proposals_that_are_not_finished_are_not_there() {
    block_on(async {
        let lab = Lab::new();
        for (text, why) in [
            (
                with_function("(func async (canon lift (core func $i \"f\") async (callback (core func $i \"f\"))))"),
                "async feature",
            ),
            ("(component (type $s (stream u8)) (core func (canon stream.new $s)))".to_owned(), "async feature"),
            ("(component (core func (canon error-context.drop)))".to_owned(), "error-context feature"),
            ("(component (core module (memory 1 1 shared)))".to_owned(), "threads must be enabled"),
            ("(component (core module (memory 1 (pagesize 1))))".to_owned(), "must be enabled"),
            (
                "(component (core module (type $f (func)) (type $c (cont $f))))".to_owned(),
                "stack switching is disabled",
            ),
            (
                "(component (core module (func (param i64 i64) (result i64 i64) \
                   (i64.mul_wide_u (local.get 0) (local.get 1)))))"
                    .to_owned(),
                "not enabled",
            ),
            (
                "(component (core type $f (shared (func (param i32)))) (core func (canon thread.spawn-ref $f)))"
                    .to_owned(),
                "shared-everything-threads proposal",
            ),
        ] {
            let refused = lab.refused(&text).await;
            assert!(refused.starts_with("the component is not valid: ") && refused.contains(why), "{text}: {refused}");
        }
        lab.still_serves().await;
    });
}
