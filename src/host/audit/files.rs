//! The digest of a file, or of all files of a folder, which `sha256sum` can repeat.
//!
//! For a folder it is the SHA-256 of what `sha256sum` prints of each file, sorted by the bytes of its path, which begins with
//! `./`. A symbolic link is not followed: its digest is that of its target's path.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::hex;

/// A larger folder is no project: somebody's home, or a disk.
const MOST_FILES: usize = 100_000;
const MOST_BYTES: u64 = 1 << 30;

/// What digests came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// In hexadecimal digits.
    pub(crate) sha256: String,
    /// How many files it is of.
    pub(crate) count: u64,
}

/// Returns the digest of a file or folder, but of nothing `without`, of no history of git, no virtual environment of Python and
/// no compiled Python.
///
/// # Errors
/// When something cannot be read, or it is too much to be a project.
pub(crate) fn digest(path: &Path, without: &[PathBuf]) -> io::Result<Files> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(Files { sha256: file(path)?, count: 1 });
    }
    let mut found = Found { root: path, without, paths: Vec::new(), bytes: 0 };
    found.folder(path)?;
    let mut paths = found.paths;
    // A path's own order compares its parts.
    paths.sort_by(|one, other| one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes()));
    let mut hash = Sha256::new();
    for path in &paths {
        let full = found.root.join(path);
        let digest = match fs::symlink_metadata(&full).map_err(|err| at(&full, &err))?.is_symlink() {
            true => hex(&Sha256::digest(fs::read_link(&full).map_err(|err| at(&full, &err))?.as_os_str().as_bytes())),
            false => file(&full).map_err(|err| at(&full, &err))?,
        };
        hash.update(line(&digest, path));
    }
    Ok(Files { sha256: hex(&hash.finalize()), count: paths.len() as u64 })
}

struct Found<'a> {
    root: &'a Path,
    without: &'a [PathBuf],
    paths: Vec<PathBuf>,
    bytes: u64,
}

impl Found<'_> {
    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder).map_err(|err| at(folder, &err))? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path).map_err(|err| at(&path, &err))?;
            if self.without.contains(&path) {
                continue;
            }
            if kind.is_dir() {
                let name = path.file_name().unwrap_or_default();
                if name != ".git" && name != "__pycache__" && !path.join("pyvenv.cfg").exists() {
                    self.folder(&path)?;
                }
            } else if kind.is_file() || kind.is_symlink() {
                self.bytes += kind.len();
                self.paths.push(path.strip_prefix(self.root).unwrap_or(&path).to_owned());
            }
            if self.paths.len() > MOST_FILES || self.bytes > MOST_BYTES {
                let text = format!("more than {MOST_FILES} files or {} GiB", MOST_BYTES >> 30);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
        }
        Ok(())
    }
}

fn at(path: &Path, err: &io::Error) -> io::Error {
    io::Error::new(err.kind(), format!("{}: {err}", path.display()))
}

fn file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// As `sha256sum` writes it: a name that a line could not hold is escaped, which a backslash before the digest says.
fn line(digest: &str, path: &Path) -> Vec<u8> {
    let name = path.as_os_str().as_bytes();
    let mut escaped = Vec::new();
    for byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    let mark: &[u8] = if escaped == name { b"" } else { b"\\" };
    [mark, digest.as_bytes(), b"  ./", &escaped, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn sha256sum_comes_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["site.yml", "a/b", "a-b", "a/é", "back\\slash", "new\nline", ".hidden", "a.git/x"] {
            write(name, name);
        }
        let sum = "cd \"$0\" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum";
        let output = Command::new("sh").args(["-c", sum]).arg(folder.path()).output().unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        let whole = digest(folder.path(), &[]).unwrap();
        assert_eq!((whole.sha256.as_str(), whole.count), (expected.split(' ').next().unwrap(), 8));

        // What is no part of a project changes nothing.
        write(".git/HEAD", "x");
        write("filter_plugins/__pycache__/x.pyc", "x");
        write("venv/pyvenv.cfg", "x");
        write("artifacts/x", "x");
        let same = digest(folder.path(), &[folder.path().join("artifacts")]).unwrap();
        assert_eq!(same, whole);
        // A link does, by where it leads.
        symlink("/nowhere", folder.path().join("link")).unwrap();
        let linked = digest(folder.path(), &[folder.path().join("artifacts")]).unwrap();
        assert_eq!(linked.count, 9);
        assert_ne!(linked.sha256, whole.sha256);
        let one = digest(&folder.path().join("site.yml"), &[]).unwrap();
        assert_eq!(one, Files { sha256: hex(&Sha256::digest("site.yml")), count: 1 });
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let err = digest(Path::new("/nowhere/at/all"), &[]).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::NotFound);
    }
}
