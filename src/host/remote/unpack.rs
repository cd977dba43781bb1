//! An archive that somebody else made, into a folder.
//!
//! **Invariant:** nothing is written outside the folder, whatever the archive says and whatever lies there already: every
//! step of a path is opened from the folder before it, and no symbolic link is followed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens, mkdirat, openat, statat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::zip::{Archive, Entry};

/// The most entries of an archive.
const ENTRIES: u64 = 1_000_000;

/// The longest name of an entry, and the longest target of a link.
const PATH: u64 = 4096;

/// Which symbolic links may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// All: a project may have any.
    Any,
    /// Those that stay in the folder.
    Inside,
}

/// What an archive may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes that it may come to.
    pub(crate) size: u64,
    /// The links that it may make.
    pub(crate) links: Links,
}

/// Why an archive was not unpacked, or not whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It is none, or damaged.
    #[error("the archive is damaged: {0}")]
    Damaged(io::Error),
    /// It comes to more than is allowed.
    #[error("the archive comes to more than {size} bytes; allow more with `--max-size`")]
    TooLarge {
        /// The bound.
        size: u64,
    },
    /// It has too many entries.
    #[error("the archive has {count} entries, more than {ENTRIES}")]
    TooMany {
        /// How many it says.
        count: u64,
    },
    /// A path or a link that leads elsewhere, or something that is neither file nor folder nor link.
    #[error("the archive's entry `{name}` is refused: {why}")]
    Refused {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The disk refused, or the archive broke off.
    #[error("the archive's entry `{name}` cannot be unpacked: {source}")]
    Entry {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// Unpacks an archive into a folder that is there. What lies there stays, unless the archive has the same path.
///
/// # Errors
/// Ends at the first entry that is not right; what came before it is there.
pub(crate) fn unpack(archive: impl Read + Seek, folder: &Path, bounds: Bounds) -> Result<(), UnpackError> {
    let mut archive = Archive::open(archive).map_err(UnpackError::Damaged)?;
    if archive.count() > ENTRIES {
        return Err(UnpackError::TooMany { count: archive.count() });
    }
    let failed = |source: io::Error| UnpackError::Entry { name: ".".to_owned(), source };
    // The folder itself may be a link: whoever named it meant that.
    let root = openat(CWD, folder, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let root = root.map_err(|err| failed(err.into()))?;
    let mut left = bounds.size;
    // Only at the end: a folder that nobody may write into is still to be filled.
    let mut folders = Vec::new();
    while let Some(entry) = archive.next().map_err(UnpackError::Damaged)? {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let refused = |why| UnpackError::Refused { name: name.clone(), why };
        let steps = steps(&entry.name).map_err(refused)?;
        left = left.checked_sub(entry.size).ok_or(UnpackError::TooLarge { size: bounds.size })?;
        let Some((last, before)) = steps.split_last() else { continue };
        let failed = |source: io::Error| UnpackError::Entry { name: name.clone(), source };
        let parent = enter(&root, before).map_err(failed)?;
        match kind(&entry) {
            FileType::Directory => {
                let opened = enter(&parent, &[last]).map_err(failed)?;
                folders.push((opened, entry.mode));
                // So many can be open at once.
                if folders.len() > 200 {
                    settle(&mut folders);
                }
            }
            FileType::Symlink => {
                if entry.size > PATH {
                    return Err(refused("the target of the link is too long"));
                }
                let mut target = Vec::new();
                archive.write(&entry, &mut target).map_err(failed)?;
                if target.is_empty() || target.contains(&0) {
                    return Err(refused("the link leads nowhere"));
                }
                if bounds.links == Links::Inside && !stays(&target, before.len()) {
                    return Err(refused("the link leads out of the folder"));
                }
                make_way(&parent, last).map_err(failed)?;
                symlinkat(&target[..], &parent, *last).map_err(|err| failed(err.into()))?;
            }
            FileType::RegularFile => {
                make_way(&parent, last).map_err(failed)?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
                let file = openat(&parent, *last, flags, Mode::RUSR | Mode::WUSR);
                let mut file = File::from(file.map_err(|err| failed(err.into()))?);
                archive.write(&entry, &mut file).map_err(failed)?;
                finish(&file, &entry).map_err(failed)?;
            }
            _ => return Err(refused("it is neither a file nor a folder nor a link")),
        }
    }
    settle(&mut folders);
    Ok(())
}

/// Gives folders their modes; we can always go on in them.
fn settle(folders: &mut Vec<(OwnedFd, u32)>) {
    for (folder, mode) in folders.drain(..).filter(|(_, mode)| mode & 0o777 != 0) {
        fchmod(&folder, Mode::from_raw_mode((mode & 0o777) | 0o700)).ok();
    }
}

/// What an entry is: its mode says it, or its name.
fn kind(entry: &Entry) -> FileType {
    match FileType::from_raw_mode(entry.mode) {
        _ if entry.name.ends_with(b"/") => FileType::Directory,
        FileType::Unknown if entry.mode >> 12 == 0 => FileType::RegularFile,
        kind => kind,
    }
}

/// The steps of a path, from the folder on; none is the folder itself.
fn steps(name: &[u8]) -> Result<Vec<&std::ffi::OsStr>, &'static str> {
    use std::os::unix::ffi::OsStrExt as _;
    if name.len() as u64 > PATH {
        return Err("its name is too long");
    }
    if name.contains(&0) {
        return Err("its name has a NUL");
    }
    let mut steps = Vec::new();
    for component in Path::new(std::ffi::OsStr::from_bytes(name)).components() {
        match component {
            Component::Normal(step) => steps.push(step),
            Component::CurDir => {}
            Component::ParentDir => return Err("its name has `..`"),
            Component::RootDir | Component::Prefix(_) => return Err("its name is absolute"),
        }
    }
    Ok(steps)
}

/// Whether the target of a link that lies so deep is in the folder. Steps upward come first: behind a name, which can be
/// another link, nobody knows where they lead.
fn stays(target: &[u8], mut depth: usize) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let mut descends = false;
    Path::new(std::ffi::OsStr::from_bytes(target)).components().all(|component| match component {
        Component::Normal(_) => {
            descends = true;
            true
        }
        Component::CurDir => true,
        Component::ParentDir => !descends && depth.checked_sub(1).map(|less| depth = less).is_some(),
        Component::RootDir | Component::Prefix(_) => false,
    })
}

/// Opens a folder below another one, making what is not there.
fn enter(root: &impl AsFd, steps: &[&std::ffi::OsStr]) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let mut at = root.as_fd().try_clone_to_owned()?;
    for step in steps {
        let opened = match openat(&at, *step, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                mkdirat(&at, *step, Mode::RWXU)?;
                openat(&at, *step, flags, Mode::empty())
            }
            opened => opened,
        };
        at = opened.map_err(|err| match err {
            Errno::LOOP | Errno::NOTDIR => {
                io::Error::new(io::ErrorKind::NotADirectory, "something that is no folder stands on its way")
            }
            err => err.into(),
        })?;
    }
    Ok(at)
}

/// Removes what stands at the place of a file or a link. A folder stays, and is an error.
fn make_way(parent: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<()> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(unlinkat(parent, name, AtFlags::empty())?),
        Err(Errno::NOENT) => Ok(()),
        Err(err) => Err(err.into()),
    }
}

/// Gives a file its mode, without what lends rights, and its time.
fn finish(file: &File, entry: &Entry) -> io::Result<()> {
    if entry.mode & 0o777 != 0 {
        fchmod(file, Mode::from_raw_mode(entry.mode & 0o777))?;
    }
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let modified = Timespec { tv_sec: entry.modified, tv_nsec: 0 };
    futimens(file, &Timestamps { last_access: omit, last_modification: modified })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::super::zip::Builder;
    use super::*;

    const BOUNDS: Bounds = Bounds { size: 1 << 20, links: Links::Any };

    /// An archive of entries: name, mode, content.
    fn archive(entries: &[(&str, u32, &str)]) -> File {
        let mut builder = Builder::new(tempfile::tempfile().unwrap());
        for (name, mode, text) in entries {
            builder.add(name.as_bytes(), *mode, 0, text.len() as u64, &mut text.as_bytes()).unwrap();
        }
        builder.finish().unwrap()
    }

    /// Unpacks into `in` of a new folder; nothing may be beside it afterwards.
    fn tried(entries: &[(&str, u32, &str)], bounds: Bounds) -> (tempfile::TempDir, Result<(), String>) {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("in");
        fs::create_dir(&inside).unwrap();
        let came = unpack(archive(entries), &inside, bounds).map_err(|err| err.to_string());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{entries:?}");
        (folder, came)
    }

    #[test]
    fn nothing_is_written_outside() {
        for (name, why) in [("../x", "`..`"), ("a/../../x", "`..`"), ("/tmp/playwarden-x", "absolute"), ("a\0b", "NUL")]
        {
            let said = tried(&[(name, 0o100_644, "x")], BOUNDS).1.unwrap_err();
            assert!(said.contains(why), "{name:?}: {said}");
        }
        for target in ["..", "/tmp", "../in2"] {
            let said = tried(&[("a", 0o120_777, target), ("a/x", 0o100_644, "x")], BOUNDS).1.unwrap_err();
            assert!(said.contains("stands on its way"), "{target}: {said}");
        }
        let said = tried(&[("x", 0o010_644, "")], BOUNDS).1.unwrap_err();
        assert!(said.contains("neither a file"), "{said}");
    }

    #[test]
    fn a_link_that_lies_there_is_replaced_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "old").unwrap();
        symlink(&outside, inside.join("x")).unwrap();
        unpack(archive(&[("x", 0o104_755, "new")]), &inside, BOUNDS).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "old");
        assert_eq!(fs::read_to_string(inside.join("x")).unwrap(), "new");
        let mode = fs::symlink_metadata(inside.join("x")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "nothing that lends rights");
    }

    #[test]
    fn links_stay_inside_where_they_must() {
        let bounds = Bounds { links: Links::Inside, ..BOUNDS };
        for target in ["..", "/etc/passwd", "a/../..", "b/.."] {
            let said = tried(&[("l", 0o120_777, target)], bounds).1.unwrap_err();
            assert!(said.contains("leads out"), "{target}: {said}");
        }
        for (name, target) in [("l", "x"), ("a/l", "../x"), ("a/b/l", "../../c/x")] {
            tried(&[(name, 0o120_777, target)], bounds).1.unwrap();
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_large() {
        let long = "0".repeat(600_000);
        let entries = [("a", 0o100_644, &long[..]), ("b", 0o100_644, &long)];
        let (folder, came) = tried(&entries, BOUNDS);
        assert!(came.unwrap_err().contains("more than 1048576 bytes; allow more with `--max-size`"));
        assert!(folder.path().join("in/a").exists() && !folder.path().join("in/b").exists());
    }

    #[test]
    fn folders_without_rights_are_filled_and_modes_are_kept() {
        let entries = [("a/", 0o040_555, ""), ("a/x", 0o100_750, "x"), ("a/l", 0o120_777, "x"), ("b/c/d", 0, "d")];
        let (folder, came) = tried(&entries, BOUNDS);
        came.unwrap();
        let mode = |path: &str| fs::metadata(folder.path().join("in").join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode("a"), mode("a/x"), mode("b/c/d")], [0o755, 0o750, 0o600]);
        assert_eq!(fs::read_link(folder.path().join("in/a/l")).unwrap(), Path::new("x"));
    }
}
