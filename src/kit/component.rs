//! From a core module to a component, and what every component says of itself.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::bindings::World;
use crate::steps::BuildError;

/// Puts the world into a module whose compiler has not.
pub(crate) fn embed(world: &World, module: &mut Vec<u8>) -> Result<(), BuildError> {
    embed_component_metadata(module, &world.resolve, world.id, StringEncoding::UTF8, false).map_err(wrong)
}

/// Makes a component of a module that has its world in it, speaks of that as the component model's canonical ABI has it, and of
/// everything else as WASI's first preview.
pub(crate) fn of_module(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(module).map_err(wrong)?;
    encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER).map_err(wrong)?;
    encoder.encode().map_err(wrong)
}

fn wrong(err: anyhow::Error) -> BuildError {
    BuildError::Component { what: "making a component", text: format!("{err:#}") }
}

/// Adds the plugin's version to a component, as a custom section `version`.
pub(crate) fn versioned(mut component: Vec<u8>, version: &str) -> Vec<u8> {
    const NAME: &[u8] = b"version";
    const CUSTOM: u8 = 0;
    let content = [&length(NAME.len()), NAME, version.as_bytes()].concat();
    component.push(CUSTOM);
    component.extend(length(content.len()));
    component.extend(content);
    component
}

/// A number as WebAssembly writes it: seven bits a byte, the lowest first.
fn length(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_custom_section() {
        assert_eq!(versioned(vec![9], "1.2"), [&[9, 0, 11, 7][..], b"version1.2"].concat());
        assert_eq!(length(127), [0x7f]);
        assert_eq!(length(300), [0xac, 0x02]);
    }
}
