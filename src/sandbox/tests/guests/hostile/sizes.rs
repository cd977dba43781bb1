//! Too much of everything.

use playwarden_sandbox::FaultKind;

use super::written::{Checker, Lab, MEMORY};
use crate::support::block_on;

fn many(count: usize, item: &str) -> String {
    (0..count).map(|number| item.replace('N', &number.to_string())).collect()
}

#[test]
fn what_needs_more_than_it_may_have_is_not_begun() {
    block_on(async {
        let lab = Lab::new();
        let modules = format!("(core module $e) {}", many(300, "(core instance (instantiate $e))"));
        let components = format!(
            "(component $e (core module $e) (core instance (instantiate $e))) {}",
            many(300, "(instance (instantiate $e))")
        );
        let with = |items: &str| format!("{MEMORY} {items}");
        let memory = (FaultKind::Memory, "needed more memory than its 64 MiB");
        for (items, outside, (kind, why)) in [
            ("(memory (export \"memory\") 65536)".to_owned(), "", memory),
            ("(memory (export \"memory\") 1025)".to_owned(), "", memory),
            (with("(memory i64 0x1000000000000)"), "", memory),
            (with("(table 9000000 funcref)"), "", memory),
            (with(&many(17, "(memory 1)")), "", (FaultKind::Trap, "memory count too high at 18")),
            (with(&many(65, "(table 1 funcref)")), "", (FaultKind::Trap, "table count too high at 65")),
            (MEMORY.to_owned(), &modules, (FaultKind::Trap, "instance count too high at 257")),
            (MEMORY.to_owned(), &components, (FaultKind::Trap, "instance count too high at 257")),
        ] {
            let fault = lab.schema(Checker { items: &items, outside, ..Checker::default() }).await.unwrap_err();
            assert_eq!(fault.call, "instantiate");
            assert!(fault.kind == kind && fault.text.contains(why), "{items} {outside}: {fault:?}");
        }
        lab.still_serves().await;
    });
}

#[test]
fn who_takes_memory_until_it_is_refused_and_goes_on_is_served() {
    block_on(async {
        let lab = Lab::new();
        let schema = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (i32.const 16)";
        assert_eq!(lab.schema(Checker { schema, ..Checker::default() }).await.as_deref(), Ok("{}"));
        let items = format!("{MEMORY} (table $t 1 externref)");
        let schema = "(loop $l (br_if $l (i32.ne (table.grow $t (ref.null extern) (i32.const 10000)) (i32.const -1)))) \
                      (i32.const 16)";
        assert_eq!(lab.schema(Checker { schema, items: &items, ..Checker::default() }).await.as_deref(), Ok("{}"));
        lab.still_serves().await;
    });
}

#[test]
fn what_a_collector_keeps_is_paid_from_the_same_memory() {
    block_on(async {
        let lab = Lab::impatient();
        let items = format!(
            "{MEMORY} (type $a (array (mut i64))) (type $l (struct (field (ref null $l)) (field (ref null $a)))) \
             (global $g (mut (ref null $l)) (ref.null $l))"
        );
        let array = "(array.new_default $a (i32.const 100000))";
        let keeps = format!("(loop $l (global.set $g (struct.new $l (global.get $g) {array})) (br $l)) unreachable");
        let drops = format!("(loop $l (drop {array}) (br $l)) unreachable");
        let generous = Lab::new();
        let fault = generous.schema(Checker { schema: &keeps, items: &items, ..Checker::default() }).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Memory, "needed more memory than its 64 MiB"));
        // What nobody holds any more is there again.
        let fault = lab.schema(Checker { schema: &drops, items: &items, ..Checker::default() }).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout);
        lab.still_serves().await;
    });
}

#[test]
fn handles_that_the_host_keeps_for_a_guest_have_an_end() {
    block_on(async {
        let lab = Lab::new();
        let outside = "(type $r (resource (rep i32))) (core func $new (canon resource.new $r))";
        let imports = "(import \"r\" \"new\" (func $new (param i32) (result i32)))";
        let with = "(with \"r\" (instance (export \"new\" (func $new))))";
        let schema = "(loop $l (drop (call $new (i32.const 1))) (br $l)) unreachable";
        let checker = Checker { schema, outside, imports, with, ..Checker::default() };
        let fault = lab.schema(checker).await.unwrap_err();
        assert!(fault.kind == FaultKind::Trap && fault.text.contains("handle limit exceeded"), "{fault:?}");
        lab.still_serves().await;
    });
}

/// A name of a function in C++ that is a pair of pairs of pairs, and has 2^60 words when it is written out.
fn name_that_doubles() -> String {
    let digit = |number: usize| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % 36]);
    let high = |number: usize| if number < 36 { String::new() } else { digit(number / 36).to_string() };
    let place = |number: usize| format!("S{}{}_", high(number), digit(number));
    let levels: String = (1..61).map(|level| format!("S0_I{0}{0}E", place(level))).collect();
    format!("_Z1fI4pairIiiE{levels}EvT_")
}

#[test]
fn names_of_functions_are_not_written_out_without_end() {
    block_on(async {
        let lab = Lab::impatient();
        let outside = "(type $r (resource (rep i32))) (core func $new (canon resource.new $r))";
        let imports = "(import \"r\" \"new\" (func $new (param i32) (result i32)))";
        let with = "(with \"r\" (instance (export \"new\" (func $new))))";
        // Ended by the host, by a trap, by its deadline.
        let forever = format!("_Z1fIDT{}L_1E", "dl".repeat(400));
        for (body, why) in [
            ("(loop $l (drop (call $new (i32.const 1))) (br $l))", "handle limit exceeded"),
            ("unreachable", "gave up"),
            ("(loop $l (br $l))", "took longer than"),
        ] {
            for name in [&name_that_doubles(), &forever] {
                let items = format!("{MEMORY} (func $f (@name \"{name}\") {body})");
                let schema = "(call $f) unreachable";
                let checker = Checker { schema, items: &items, outside, imports, with, ..Checker::default() };
                let text = lab.schema(checker).await.unwrap_err().text;
                assert!(text.contains(why) && text.ends_with(", in `f`"), "{text}");
            }
        }
        let items = format!("{MEMORY} (func $f (@name \"a\\1b[2Jb\") unreachable)");
        let fault = lab.schema(Checker { schema: "(call $f) unreachable", items: &items, ..Checker::default() }).await;
        assert!(fault.unwrap_err().text.ends_with(", in `a [2Jb`"));
        lab.still_serves().await;
    });
}

/// Components in components, each of which instantiates the next one twice.
fn doubled(levels: usize, innermost: &str) -> String {
    let deep = (1..levels).fold(format!("(component $c0 {innermost})"), |text, level| {
        let twice = format!("(instance (instantiate $c{}))", level - 1).repeat(2);
        format!("(component $c{level} {text} {twice})")
    });
    format!("(component {deep} (instance (instantiate $c{})))", levels - 1)
}

#[test]
fn a_small_component_that_unfolds_without_measure_is_not_compiled() {
    block_on(async {
        let lab = Lab::new();
        // Of 1.6 KB; each of these would need more memory than there is.
        for (innermost, unfolded) in
            [("", (1_u64 << 30) - 1), ("(core module $m) (core instance (instantiate $m))", (3 << 29) - 1)]
        {
            let refused = lab.refused(&doubled(30, innermost)).await;
            let why = format!("it is put together of {unfolded} instances, and at most 4096 are taken");
            assert_eq!(refused, why);
        }
        // What is not much is made.
        drop(lab.load(&doubled(8, "")).await.unwrap());
        let handed =
            "(component $c (import \"c\" (component $d)) (instance (instantiate $d)) (instance (instantiate $d)))";
        let refused = lab.refused(&format!("(component {handed})")).await;
        assert!(refused.contains("components that it is handed"), "{refused}");
        lab.still_serves().await;
    });
}

#[test]
fn names_lists_and_nests_without_measure_are_refused() {
    block_on(async {
        let lab = Lab::new();
        let lists: String = (1..2000).map(|n| format!("(type $t{n} (list $t{}))", n - 1)).collect();
        let tuples: String = (1..40).map(|n| format!("(type $t{n} (tuple $t{p} $t{p} $t{p}))", p = n - 1)).collect();
        for (text, why) in [
            (format!("(component (type $t0 u8) {lists})"), "type nesting is too deep"),
            (format!("(component (type $t0 (tuple u8 u8)) {tuples})"), "type size exceeds the limit"),
            (
                format!("(component (type $t u8) (export \"{}\" (type $t)))", "a".repeat(1 << 20)),
                "string size out of bounds",
            ),
            (format!("(component (core module (func {})))", many(60_000, "(local i64)")), "too many locals"),
            (format!("(component {})", many(2_000, "(core module)")), "modules count exceeds limit of 1000"),
            (
                format!(
                    "(component (core module (func (param i32) (block (br_table {} (local.get 0))))))",
                    many(500_000, "0 ")
                ),
                "exceeds the implementation limit",
            ),
        ] {
            let refused = lab.refused(&text).await;
            assert!(refused.starts_with("the component is not valid: ") && refused.contains(why), "{refused}");
        }
        // A message stays one that can be read.
        let refused = lab.refused(&format!("(component {})", many(10_000, "(import \"a-N\" (func))"))).await;
        assert!(refused.ends_with("`a-10`, `a-11` and 9988 more, which were not granted"), "{refused}");
        // Much of what is cheap is taken.
        for text in [
            format!("(component (type $t u8) {})", many(10_000, "(export \"a-N\" (type $t))")),
            format!("(component (core module (func {} {})))", "(block ".repeat(20_000), ")".repeat(20_000)),
            format!("(component {})", many(100_000, "(type u8)")),
        ] {
            drop(lab.load(&text).await.unwrap());
        }
        lab.still_serves().await;
    });
}

#[test]
fn a_hundred_thousand_components_in_each_other_harm_nobody() {
    block_on(async {
        let lab = Lab::new();
        // As bytes: who writes text has a limit of its own. Each level is a header, and a section with the next one.
        let (header, levels) = (b"\0asm\x0d\0\x01\0", 100_000);
        let mut bytes = Vec::new();
        for level in 0..levels {
            let mut length = header.len() + (header.len() + 6) * (levels - 1 - level);
            bytes.extend(header);
            bytes.push(4);
            for place in 0..5 {
                bytes.push((length & 0x7f) as u8 | if place < 4 { 0x80 } else { 0 });
                length >>= 7;
            }
        }
        bytes.extend(header);
        let _survey = playwarden_sandbox::Survey::of(&bytes);
        let refused = lab.bytes(&bytes).await.unwrap_err();
        assert_eq!(refused.kind().to_string(), "it has components inside of each other more than 64 levels deep");
        lab.still_serves().await;
    });
}
