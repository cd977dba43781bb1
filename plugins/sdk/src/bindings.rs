//! What is generated from the contract in `wit/`; the only place where guests in Rust generate from it.
//!
//! A WIT world cannot say "optional", and a component must offer exactly what its world exports. So each hook has a
//! world of its own here, of one line, and with it a macro that exports this hook alone. A component that calls several
//! of them has the union of their worlds. The shapes are generated once, in [`playwarden::plugin::types`], and shared.

wit_bindgen::generate!({
    path: "../../wit",
    world: "imports",
    generate_unused_types: true,
    additional_derives: [PartialEq],
    additional_type_attributes: {
        "playwarden:plugin/types@0.1.0/tally": [#[derive(Default)]],
        "playwarden:plugin/types@0.1.0/totals": [#[derive(Default)]],
    },
});

/// Hook by hook: a module named like it, with its world and an `export!` of its own.
macro_rules! hooks {
    ($($module:ident: $world:literal = $wit:literal, $with:tt;)+) => {
        $(pub mod $module {
            wit_bindgen::generate!({
                inline: $wit,
                path: "../../wit",
                world: $world,
                with: $with,
                additional_derives: [PartialEq],
                pub_export_macro: true,
            });
        })+
    };
}

hooks! {
    config_check: "only-config-check" = "
        package playwarden:hook-config-check;
        world only-config-check { export playwarden:plugin/config-check@0.1.0; }
    ", {};
    lifecycle: "only-lifecycle" = "
        package playwarden:hook-lifecycle;
        world only-lifecycle { export playwarden:plugin/lifecycle@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
    event_handler: "only-event-handler" = "
        package playwarden:hook-event-handler;
        world only-event-handler { export playwarden:plugin/event-handler@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
    status_handler: "only-status-handler" = "
        package playwarden:hook-status-handler;
        world only-status-handler { export playwarden:plugin/status-handler@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
    cancel_policy: "only-cancel-policy" = "
        package playwarden:hook-cancel-policy;
        world only-cancel-policy { export playwarden:plugin/cancel-policy@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
    start_policy: "only-start-policy" = "
        package playwarden:hook-start-policy;
        world only-start-policy { export playwarden:plugin/start-policy@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
    tick_policy: "only-tick-policy" = "
        package playwarden:hook-tick-policy;
        world only-tick-policy { export playwarden:plugin/tick-policy@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
    finished_callback: "only-finished-callback" = "
        package playwarden:hook-finished-callback;
        world only-finished-callback { export playwarden:plugin/finished-callback@0.1.0; }
    ", { "playwarden:plugin/types@0.1.0": crate::bindings::playwarden::plugin::types };
}
