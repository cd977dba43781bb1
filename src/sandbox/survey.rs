//! What can be read of a component without running it.

use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload, ProducersSectionReader};

/// The package of the contract.
const CONTRACT: &str = "playwarden:plugin/";

/// What a component says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
    /// The version that it states.
    pub version: Option<String>,
    /// What it imports, sorted: `wasi:clocks/wall-clock@0.2.6`.
    pub imports: Vec<String>,
    /// What it exports, sorted.
    pub exports: Vec<String>,
    /// Bytes of memory that it needs to begin with.
    pub memory: u64,
    /// What it was made with: the field of the producers section, the name, the version.
    pub producers: Vec<(String, String, String)>,
}

impl Survey {
    /// Reads a component's sections. Of what is no component, or damaged, as much as can be read.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut survey = Self { sha256, size: bytes.len() as u64, ..Self::default() };
        let mut depth = 0_u32;
        let mut inside = None;
        for payload in Parser::new(0).parse_all(bytes) {
            // What is wrong with it the compiler says.
            let Ok(payload) = payload else { break };
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    survey.imports.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    survey.exports.extend(section.into_iter().flatten().map(|export| export.name.name.to_owned()));
                }
                Payload::MemorySection(section) => {
                    let sizes = section.into_iter().flatten().map(|memory| memory.initial.saturating_mul(64 << 10));
                    survey.memory = sizes.fold(survey.memory, u64::saturating_add);
                }
                Payload::CustomSection(section) if section.name() == "version" => {
                    let version = version(section.data());
                    match version {
                        Some(version) if depth == 0 && survey.version.is_none() => survey.version = Some(version),
                        version => inside = inside.or(version),
                    }
                }
                Payload::CustomSection(section) if section.name() == "producers" => {
                    let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
                    survey.producers.extend(producers(reader).unwrap_or_default());
                }
                _ => {}
            }
        }
        survey.version = survey.version.or(inside);
        for list in [&mut survey.imports, &mut survey.exports] {
            list.sort();
            list.dedup();
        }
        survey.producers.sort();
        survey.producers.dedup();
        survey
    }

    /// Returns the interfaces of the contract that it exports, without package and version.
    pub fn offers(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().filter_map(|name| name.strip_prefix(CONTRACT)?.split('@').next())
    }

    /// Returns the versions of the contract that it names.
    #[must_use]
    pub fn contract(&self) -> Vec<&str> {
        let names = self.imports.iter().chain(&self.exports);
        let mut versions: Vec<_> = names.filter_map(|name| name.strip_prefix(CONTRACT)?.split_once('@')).collect();
        versions.sort_by_key(|(_, version)| *version);
        versions.dedup_by_key(|(_, version)| *version);
        versions.into_iter().map(|(_, version)| version).collect()
    }
}

/// A custom section `version`, as tools for components write it into a component, and compilers into a module.
fn version(data: &[u8]) -> Option<String> {
    const LONGEST: usize = 64;
    let text = std::str::from_utf8(data).ok()?;
    (text.len() <= LONGEST && !text.contains(char::is_control)).then(|| text.to_owned())
}

fn producers(reader: wasmparser::BinaryReader<'_>) -> Option<Vec<(String, String, String)>> {
    let mut found = Vec::new();
    for field in ProducersSectionReader::new(reader).ok()? {
        let field = field.ok()?;
        for value in field.values {
            let value = value.ok()?;
            found.push((field.name.to_owned(), value.name.to_owned(), value.version.to_owned()));
        }
    }
    Some(found)
}
