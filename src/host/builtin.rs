//! The plugins that are carried with the program: the shipped examples, as components. A built-in has no more rights than
//! any other plugin.

include!(concat!(env!("OUT_DIR"), "/builtins.rs"));

/// Returns the component of a built-in plugin; none when there is none of that name, or when this program was built
/// before the plugins were.
pub(crate) fn get(name: &str) -> Option<&'static [u8]> {
    BUILTINS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}
