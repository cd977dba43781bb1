//! Puts the callback where Ansible finds it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use playwarden_event::Json;

/// The callback plugin, carried in the program. It serves ansible-core 2.14 to 2.21.
const CALLBACK: &str = include_str!("callback/playwarden_callback.py");

const PLUGINS: &str = "ANSIBLE_CALLBACK_PLUGINS";
const LOAD: &str = "ANSIBLE_LOAD_CALLBACK_PLUGINS";

/// How Ansible is started in a container.
const START_SCRIPT: &str = include_str!("start.sh");

/// The names of what that needs: the script itself, the socket, and the pipes for interrupts and for who has begun.
pub(crate) const START: &str = "start";
pub(crate) const SOCKET: &str = "events";
pub(crate) const INTERRUPTS: &str = "interrupts";
pub(crate) const BEGUN: &str = "begun";

/// The callback in a private folder of one run.
#[derive(Debug)]
pub(crate) struct Installed {
    folder: PathBuf,
    spill: PathBuf,
}

impl Installed {
    /// Writes the callback into a folder that nobody else can write. What no host takes, it writes into the file `spill`.
    pub(crate) fn into(private: &Path, spill: PathBuf) -> io::Result<Self> {
        let folder = private.join("callback");
        if folder.as_os_str().as_encoded_bytes().contains(&b':') {
            let text = format!("`{}` has a colon, which Ansible cannot have in its callback path", folder.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        fs::create_dir(&folder)?;
        fs::write(folder.join("playwarden_callback.py"), CALLBACK)?;
        Ok(Self { folder, spill })
    }

    /// Writes it, and the script that starts Ansible and says where everything is, into a folder for a container.
    pub(crate) fn into_shared(shared: &Path) -> io::Result<()> {
        Self::into(shared, PathBuf::new())?;
        fs::write(shared.join(START), START_SCRIPT)
    }

    /// Returns what Ansible needs in its environment. `path` is the callback path that is in effect without us: setting
    /// the variable replaces it, so it is carried on behind our folder, and everything the user configured still runs.
    /// The callback puts back what is `inherited`, so that what a play starts finds the user's own values.
    pub(crate) fn environment(
        &self,
        path: &str,
        socket: i32,
        inherited: &BTreeMap<OsString, OsString>,
    ) -> Vec<(OsString, OsString)> {
        let mut folders = self.folder.clone().into_os_string();
        if !path.is_empty() {
            folders.push(":");
            folders.push(path);
        }
        let set = |name: &str, value: &OsStr| (OsString::from(name), value.to_owned());
        let names = [PLUGINS, LOAD];
        let before: BTreeMap<_, _> = names
            .into_iter()
            .map(|name| (name, inherited.get(OsStr::new(name)).map(|value| value.to_string_lossy())))
            .collect();
        vec![
            set(PLUGINS, &folders),
            // Without it `ansible` loads no callback but the one for standard output.
            set(LOAD, OsStr::new("1")),
            set("PLAYWARDEN_INHERITED", OsStr::new(Json::of(&before).text())),
            set("PLAYWARDEN_FD", OsStr::new(&socket.to_string())),
            set("PLAYWARDEN_SPILL", self.spill.as_os_str()),
        ]
    }
}
