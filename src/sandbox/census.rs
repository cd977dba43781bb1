//! Whether a component is one that can be compiled at all, found by reading it.
//!
//! wasmtime unfolds a component when it compiles it: each instance of a component inside of it by itself. One of a thousand
//! bytes that has twenty levels, each of which instantiates the next one twice, becomes a million; thirty levels are more
//! than any machine has room for.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef, Parser,
    Payload,
};

/// So many instances a component may unfold to. At work it may have some hundreds at most.
const MOST_INSTANCES: u64 = 4096;

/// So deep components may be inside of each other. Tools need three levels, composed ones a few more.
const MOST_LEVELS: usize = 64;

/// Returns why a component is not given to the compiler.
pub(crate) fn refused(bytes: &[u8]) -> Option<String> {
    match instances(bytes) {
        Ok(count) if count <= MOST_INSTANCES => None,
        Ok(count) => Some(format!("it is put together of {count} instances, and at most {MOST_INSTANCES} are taken")),
        Err(Uncounted::Deep) => {
            Some(format!("it has components inside of each other more than {MOST_LEVELS} levels deep"))
        }
        Err(Uncounted::Handed) => Some(
            "it instantiates components that it is handed, so that nobody can tell how large it becomes".to_owned(),
        ),
    }
}

/// Why instances cannot be counted.
#[derive(Debug, PartialEq, Eq)]
enum Uncounted {
    Deep,
    /// Components are handed from one to another, which no tool for components does.
    Handed,
}

/// A component that is being read.
#[derive(Default)]
struct Level {
    /// So many instances each of its components makes; none for what somebody hands to it.
    components: Vec<Option<u64>>,
    instances: u64,
}

/// Counts the instances, of components and of core modules, that instantiating a component makes. Of what is no component, or
/// damaged, as far as it can be read: what is wrong with it the compiler says.
fn instances(bytes: &[u8]) -> Result<u64, Uncounted> {
    let mut levels: Vec<Level> = Vec::new();
    let mut level = Level::default();
    let mut modules = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ModuleSection { .. } => modules += 1,
            Payload::ComponentSection { .. } if levels.len() == MOST_LEVELS => return Err(Uncounted::Deep),
            Payload::ComponentSection { .. } => levels.push(std::mem::take(&mut level)),
            Payload::End(_) if modules > 0 => modules -= 1,
            Payload::End(_) => {
                let Some(outer) = levels.pop() else { break };
                let ended = std::mem::replace(&mut level, outer);
                level.components.push(Some(ended.instances));
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.into_iter().flatten() {
                    let known = match alias {
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => None,
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                            let outer = levels.iter().rev().nth((count as usize).wrapping_sub(1)).unwrap_or(&level);
                            outer.known(index)
                        }
                        _ => continue,
                    };
                    level.components.push(known);
                }
            }
            other => level.add(other)?,
        }
    }
    Ok(level.instances)
}

impl Level {
    fn known(&self, component: u32) -> Option<u64> {
        // What there is not, the compiler refuses.
        self.components.get(component as usize).copied().unwrap_or(Some(0))
    }

    /// Takes what is said of the component alone.
    fn add(&mut self, payload: Payload<'_>) -> Result<(), Uncounted> {
        match payload {
            Payload::ComponentImportSection(section) => {
                let imports = section.into_iter().flatten();
                let components = imports.filter(|import| matches!(import.ty, ComponentTypeRef::Component(_)));
                self.components.extend(components.map(|_| None));
            }
            Payload::ComponentExportSection(section) => {
                for export in section.into_iter().flatten() {
                    // An export is one more of its kind.
                    if export.kind == ComponentExternalKind::Component {
                        self.components.push(self.known(export.index));
                    }
                }
            }
            Payload::InstanceSection(section) => {
                self.instances = self.instances.saturating_add(section.count().into());
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.into_iter().flatten() {
                    let inside = match instance {
                        ComponentInstance::Instantiate { component_index, .. } => {
                            self.known(component_index).ok_or(Uncounted::Handed)?
                        }
                        ComponentInstance::FromExports(_) => 0,
                    };
                    self.instances = self.instances.saturating_add(inside).saturating_add(1);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Result<u64, Uncounted> {
        instances(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn every_instance_of_an_inner_component_counts_with_what_it_makes() {
        assert_eq!(count("(component)"), Ok(0));
        assert_eq!(count("(component (core module $m) (core instance (instantiate $m)))"), Ok(1));
        let inner = "(component $c (core module $m) (core instance (instantiate $m)))";
        assert_eq!(count(&format!("(component {inner})")), Ok(0));
        assert_eq!(
            count(&format!("(component {inner} (instance (instantiate $c)) (instance (instantiate $c)))")),
            Ok(4)
        );
        // By another name.
        assert_eq!(count(&format!("(component {inner} (component (instance (instantiate $c))))")), Ok(0));
        let there = "(component $d (alias outer 1 $c (component $e)) (instance (instantiate $e)))";
        assert_eq!(count(&format!("(component {inner} {there} (instance (instantiate $d)))")), Ok(3));
    }

    #[test]
    fn doubling_is_seen_for_what_it_is() {
        let deep = (1..60).fold("(component $c0)".to_owned(), |text, n| {
            let below = n - 1;
            let twice = format!("(instance (instantiate $c{below}))").repeat(2);
            format!("(component $c{n} {text} {twice})")
        });
        assert_eq!(count(&format!("(component {deep} (instance (instantiate $c59)))")), Ok((1 << 60) - 1));
    }

    #[test]
    fn depth_has_an_end() {
        let deep = |levels| format!("{}{}", "(component ".repeat(levels + 1), ")".repeat(levels + 1));
        assert_eq!(count(&deep(MOST_LEVELS)), Ok(0));
        assert_eq!(count(&deep(MOST_LEVELS + 1)), Err(Uncounted::Deep));
    }

    #[test]
    fn who_instantiates_what_it_is_handed_cannot_be_counted() {
        let inner = "(component $c (import \"c\" (component $d)) (instance (instantiate $d)))";
        assert_eq!(count(&format!("(component {inner})")), Err(Uncounted::Handed));
        // Handing it on alone makes nothing.
        let inner = "(component $c (import \"c\" (component $d)) (export \"d\" (component $d)))";
        assert_eq!(count(&format!("(component {inner})")), Ok(0));
        let out = "(component $a) (component $c (import \"c\" (component $d)) (export \"d\" (component $d))) \
                   (instance $i (instantiate $c (with \"c\" (component $a)))) (alias export $i \"d\" (component $e)) \
                   (instance (instantiate $e))";
        assert_eq!(count(&format!("(component {out})")), Err(Uncounted::Handed));
    }
}
