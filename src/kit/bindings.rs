//! The world that a project offers, and the code that a language's compiler needs for it.

use std::fs;
use std::path::Path;

use wit_bindgen_core::Files;
use wit_parser::{Resolve, UnresolvedPackageGroup, WorldId, WorldKey};

use crate::project::Project;
use crate::steps::BuildError;

/// The project's `wit/`, with the world that it offers.
pub(crate) struct World {
    pub(crate) resolve: Resolve,
    pub(crate) id: WorldId,
}

impl World {
    pub(crate) fn read(project: &Project) -> Result<Self, BuildError> {
        let wrong = |err: anyhow::Error| {
            let mut text = format!("{err:#}");
            if text.contains("interface '") && text.contains("not found in package 'playwarden:plugin") {
                text = format!("{text}; hooks of the contract are {}", crate::project::hooks().join(", "));
            }
            BuildError::Component { what: "reading `wit/`", text }
        };
        // Of what cannot be read this one tells the place.
        UnresolvedPackageGroup::parse_dir(project.folder.join("wit"))
            .map_err(|err| BuildError::Component { what: "reading `wit/`", text: err.to_string() })?;
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(project.folder.join("wit")).map_err(wrong)?;
        let id = resolve.select_world(&[package], Some(&project.world)).map_err(wrong)?;
        Ok(Self { resolve, id })
    }

    /// The interfaces of the contract that it exports.
    pub(crate) fn exports(&self) -> Vec<String> {
        let keys = self.resolve.worlds[self.id].exports.keys();
        let names = keys.filter_map(|key| match key {
            WorldKey::Interface(id) => self.resolve.interfaces[*id].name.clone(),
            WorldKey::Name(_) => None,
        });
        names.collect()
    }

    /// Writes `NAME.c`, `NAME.h`, and `NAME_component_type.o`, which has the world; named like it.
    pub(crate) fn for_c(self, folder: &Path) -> Result<(), BuildError> {
        self.generate(wit_bindgen_c::Opts::default().build(), folder)
    }

    /// Writes packages for Go.
    pub(crate) fn for_go(self, folder: &Path) -> Result<(), BuildError> {
        // As go.mod of the template knows it.
        let pkg_name = Some("project/build/gen".to_owned());
        self.generate(wit_bindgen_go::Opts { pkg_name, ..Default::default() }.build(), folder)
    }

    fn generate(
        mut self,
        mut generator: Box<dyn wit_bindgen_core::WorldGenerator>,
        folder: &Path,
    ) -> Result<(), BuildError> {
        let wrong =
            |err: anyhow::Error| BuildError::Component { what: "generating bindings", text: format!("{err:#}") };
        let mut files = Files::default();
        generator.generate(&mut self.resolve, self.id, &mut files).map_err(wrong)?;
        for (name, bytes) in files.iter() {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            let made = fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes));
            made.map_err(|err| BuildError::Io(path.clone(), err))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::project::create;

    #[test]
    fn what_cannot_be_read_says_where() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), "p", Language::C).unwrap();
        let path = folder.path().join("wit/plugin.wit");
        let text = fs::read_to_string(&path).unwrap().replace("config-check@0.1.0;", "config-check@0.1.0");
        fs::write(&path, text).unwrap();
        let Err(err) = World::read(&Project::read(folder.path()).unwrap()) else { panic!("it is not valid") };
        let text = err.to_string();
        assert!(text.contains("expected ';'") && text.contains("plugin.wit:7:3"), "{text}");
    }
}
