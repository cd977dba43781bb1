//! A folder as an archive.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::zip::Builder;

/// Files that are in the archive and not in the folder, or there instead of the folder's own; by their path.
pub(crate) type Added = BTreeMap<PathBuf, Vec<u8>>;

/// Packs a folder into a file, which is at its beginning afterwards. Symbolic links and modes are kept; pipes, sockets and
/// devices are left out, and so is what `leave_out` says of paths in the folder.
///
/// # Errors
/// When something in it cannot be read, which is named.
pub(crate) fn pack(folder: &Path, added: &Added, leave_out: &dyn Fn(&Path) -> bool) -> io::Result<File> {
    let mut builder = Builder::new(tempfile::tempfile()?);
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        let mut names = Vec::new();
        for entry in named(&folder.join(&inside), fs::read_dir(folder.join(&inside)))? {
            names.push(entry?.file_name());
        }
        names.sort();
        for name in names {
            let inside = inside.join(name);
            if leave_out(&inside) || added.contains_key(&inside) {
                continue;
            }
            let path = folder.join(&inside);
            let data = match fs::symlink_metadata(&path) {
                // It was there a moment ago.
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                data => named(&path, data)?,
            };
            named(&path, add(&mut builder, &path, &inside, &data))?;
            if data.is_dir() {
                open.push(inside);
            }
        }
    }
    for (path, text) in added {
        builder.add(path.as_os_str().as_bytes(), 0o100_600, 0, text.len() as u64, &mut &text[..])?;
    }
    let mut file = builder.finish()?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

fn add(builder: &mut Builder, path: &Path, inside: &Path, data: &Metadata) -> io::Result<()> {
    let name = inside.as_os_str().as_bytes();
    let (mode, modified) = (data.mode(), data.mtime());
    let kind = data.file_type();
    if kind.is_symlink() {
        let target = fs::read_link(path)?;
        let target = target.as_os_str().as_bytes();
        return builder.add(name, mode, modified, target.len() as u64, &mut &*target);
    }
    if kind.is_dir() {
        return builder.add(&[name, b"/"].concat(), mode, modified, 0, &mut io::empty());
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        return Ok(());
    }
    // It may have become a pipe, which would be waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    builder.add(name, mode, modified, data.len(), &mut file)
}

/// Says which path it was.
fn named<T>(path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|err| io::Error::new(err.kind(), format!("`{}` cannot be packed: {err}", path.display())))
}
