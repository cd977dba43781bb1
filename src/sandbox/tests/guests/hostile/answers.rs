//! What a guest answers and how it takes what it is told: places outside of its memory, lengths that cannot be, functions
//! that do not come back.

use playwarden_sandbox::FaultKind;

use super::written::{Checker, Lab, MEMORY, starter};
use crate::support::block_on;

const LOOP: &str = "(loop $l (br $l)) unreachable";

/// A memory with these bytes at 16, where answers are.
fn answer(words: [u32; 2]) -> String {
    let bytes: String = words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect();
    format!("(memory (export \"memory\") 1) (data (i32.const 16) \"{bytes}\")")
}

#[test]
fn what_is_written_by_hand_works_where_nothing_is_wrong() {
    block_on(async {
        let lab = Lab::new();
        lab.still_serves().await;
        lab.start(&starter(MEMORY, "i32.const 1024", "i32.const 0")).await.unwrap();
    });
}

#[test]
fn an_answer_outside_of_its_memory_is_a_fault() {
    block_on(async {
        let lab = Lab::new();
        let outside = "pointer/length out of bounds of memory";
        for (schema, items, why) in [
            ("i32.const 65533", MEMORY.to_owned(), "return pointer not aligned"),
            ("i32.const -4", MEMORY.to_owned(), "pointer out of bounds of memory"),
            ("i32.const 17", MEMORY.to_owned(), "return pointer not aligned"),
            ("i32.const 16", answer([65530, 7]), outside),
            ("i32.const 16", answer([u32::MAX, 1]), outside),
            ("i32.const 16", answer([1, u32::MAX]), outside),
            ("i32.const 16", answer([u32::MAX, u32::MAX]), outside),
        ] {
            let fault = lab.schema(Checker { schema, items: &items, ..Checker::default() }).await.unwrap_err();
            assert!(fault.kind == FaultKind::Trap && fault.text.contains(why), "{schema} {items}: {fault:?}");
            let validate = schema;
            let fault = lab.check(Checker { validate, items: &items, ..Checker::default() }).await.unwrap_err();
            assert!(fault.kind == FaultKind::Trap && fault.text.contains(why), "{schema} {items}: {fault:?}");
        }
        lab.still_serves().await;
    });
}

#[test]
fn text_that_is_none_and_a_case_that_there_is_not_are_faults() {
    block_on(async {
        let lab = Lab::new();
        let items = format!("{MEMORY} (data (i32.const 32) \"\\ff\\fe\")");
        let fault = lab.schema(Checker { items: &items, ..Checker::default() }).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.text.as_str()),
            (FaultKind::Trap, "invalid utf-8 sequence of 1 bytes from index 0")
        );
        // A list of one, whose severity is the seventh.
        let items = format!("{} (data (i32.const 64) \"\\07\")", answer([64, 1]));
        let checker = Checker { items: &items, validate: "i32.const 16", ..Checker::default() };
        let fault = lab.check(checker).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Trap, "unexpected discriminant: 7"));
        lab.still_serves().await;
    });
}

#[test]
fn a_list_that_names_the_same_text_again_and_again_does_not_fill_the_hosts_memory() {
    block_on(async {
        let lab = Lab::new();
        // 60 MiB; three million problems of 20 bytes, each with the same megabyte as its message.
        let items = "(memory (export \"memory\") 960)";
        let validate = "(local $at i32) (local.set $at (i32.const 1048576)) (loop $l \
            (i32.store (i32.add (local.get $at) (i32.const 16)) (i32.const 1048576)) \
            (local.set $at (i32.add (local.get $at) (i32.const 20))) \
            (br_if $l (i32.lt_u (local.get $at) (i32.const 61048576)))) \
            (i32.store (i32.const 16) (i32.const 1048576)) (i32.store (i32.const 20) (i32.const 3000000)) \
            (i32.const 16)";
        let fault = lab.check(Checker { items, validate, ..Checker::default() }).await.unwrap_err();
        assert!(fault.text.contains("too much data is being copied"), "{fault:?}");
        lab.still_serves().await;
    });
}

#[test]
fn who_does_not_come_back_costs_its_time() {
    block_on(async {
        let lab = Lab::impatient();
        let checkers = [
            (Checker { schema: LOOP, validate: LOOP, ..Checker::default() }, "took longer than 200ms"),
            (Checker { after: LOOP, ..Checker::default() }, "took longer than 200ms"),
            (
                Checker { items: &format!("{MEMORY} (func $s (loop $l (br $l))) (start $s)"), ..Checker::default() },
                "took longer than 200ms, in `s`",
            ),
        ];
        for (checker, text) in checkers {
            let fault = lab.schema(checker).await.unwrap_err();
            assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Timeout, text));
            assert_eq!(lab.check(checker).await.unwrap_err().kind, FaultKind::Timeout);
        }
        for (realloc, start) in [(LOOP, "unreachable"), ("i32.const 1024", LOOP)] {
            let fault = lab.start(&starter(MEMORY, realloc, start)).await.unwrap_err();
            assert_eq!((fault.kind, fault.call), (FaultKind::Timeout, "lifecycle.start"));
        }
        lab.still_serves().await;
    });
}

#[test]
fn who_calls_itself_without_end_uses_up_its_stack() {
    block_on(async {
        let lab = Lab::new();
        let items = format!(
            "{MEMORY} (func $f (param i64 i64) (result i64) (i64.add (local.get 0) (call $f (local.get 1) (local.get 0))))"
        );
        let schema = "(drop (call $f (i64.const 1) (i64.const 2))) (i32.const 16)";
        let fault = lab.schema(Checker { items: &items, schema, ..Checker::default() }).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Trap, "used up its stack, in `f`"));
        let items = format!("{items} (func $s (drop (call $f (i64.const 1) (i64.const 2)))) (start $s)");
        let fault = lab.schema(Checker { items: &items, ..Checker::default() }).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Trap, "used up its stack, in `f`"));
        let items = format!("{MEMORY} (func $f (call $f)) (table 1 funcref) (elem (i32.const 0) $f)");
        let after = "(call $f)";
        let fault = lab.schema(Checker { items: &items, after, ..Checker::default() }).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Trap, "used up its stack, in `f`"));
        lab.still_serves().await;
    });
}

#[test]
fn what_gives_no_place_for_what_it_is_told_is_a_fault() {
    block_on(async {
        let lab = Lab::new();
        for (realloc, why) in [
            ("i32.const -16", "realloc return: beyond end of memory"),
            ("i32.const 65535", "realloc return: beyond end of memory"),
            ("unreachable", "gave up"),
            // Nor can it ask the host while the host asks it.
            ("(call $enabled (i32.const 1))", "cannot leave component instance"),
        ] {
            let fault = lab.start(&starter(MEMORY, realloc, "i32.const 0")).await.unwrap_err();
            assert!(fault.kind == FaultKind::Trap && fault.text.contains(why), "{realloc}: {fault:?}");
        }
        lab.still_serves().await;
    });
}
