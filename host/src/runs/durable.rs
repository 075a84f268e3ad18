//! Writes that survive a crash: whole or not at all.
//!
//! Every step of such a write is a failpoint: in builds with debug assertions, tests stop the
//! process dead at each of them in turn and show that a resumed run ends as if nothing happened.

use crate::{Error, Result};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::Path,
};
use tinsmith_plugin_api::failpoint;

/// Replaces `path` by `bytes`, atomically: temporary file, fsync, rename, fsync of the folder.
/// The folder must exist.
///
/// # Errors
/// `failed` that names the path; then `path` is as it was and nothing else remains.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = folder_of(path);
    let write = || -> std::io::Result<()> {
        failpoint!("replace:begin");
        let prefix = temporary_for(path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(open_to(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        failpoint!("replace:written");
        file.as_file().sync_all()?;
        failpoint!("replace:synced");
        file.persist(path).map_err(|e| e.error)?;
        failpoint!("replace:renamed");
        sync_folder(folder)
    };
    write().map_err(|e| Error::io("write", path, &e))?;
    failpoint!("replace:done");
    Ok(())
}

/// What a new file or folder allows before the user's umask: temporary ones are private otherwise, and
/// what they become would be too.
#[cfg(unix)]
pub fn open_to(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// How the names of temporary files for `path` begin: a later process tells by it whose they were.
pub fn temporary_for(path: &Path) -> std::ffi::OsString {
    let mut prefix = std::ffi::OsString::from(".tmp-");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}

/// Removes the files and folders in `folder` whose names are `temporary`; with `deep` also those in
/// folders below it. An absent folder is clean.
///
/// # Errors
/// `failed` that names what cannot be removed.
pub fn sweep(folder: &Path, deep: bool, temporary: &dyn Fn(&[u8]) -> bool) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io("read", folder, &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("read", folder, &e))?;
        let (path, kind) = (entry.path(), entry.file_type());
        let is_folder = kind.is_ok_and(|kind| kind.is_dir());
        if temporary(entry.file_name().as_encoded_bytes()) {
            let gone = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.map_err(|e| Error::io("remove", &path, &e))?;
        } else if is_folder && deep {
            sweep(&path, deep, temporary)?;
        }
    }
    Ok(())
}

/// Puts the folder `staged` in the place of `dest`. What stood there is at `staged` afterwards, or
/// nothing. On Linux there is no instant without either; elsewhere there is one between two renames, and a crash
/// within it leaves both folders under temporary names.
///
/// # Errors
/// What the system answers; then `dest` is as it was.
pub fn replace_folder(staged: &Path, dest: &Path) -> std::io::Result<()> {
    if !dest.exists() {
        return fs::rename(staged, dest);
    }
    if exchange(staged, dest)? {
        return Ok(());
    }
    let mut aside = staged.as_os_str().to_owned();
    aside.push("-old");
    fs::rename(dest, &aside)?;
    fs::rename(staged, dest).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = fs::rename(&aside, dest);
    })?;
    fs::rename(&aside, staged)
}

/// Whether the two could be exchanged: not every system can, nor every file system.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> std::io::Result<bool> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<bool> {
    Ok(false)
}

/// Adds one line to a journal. A torn last line, left by a crash, is cut off first. The line is in
/// the hands of the system afterwards, which a killed process cannot take back; `sync` also brings it to
/// the disk.
///
/// # Errors
/// `failed` that names the path; then the journal is as it was, or ends in a torn line.
pub fn append_line(path: &Path, line: &str, sync: bool) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let new = !path.exists();
        let mut file =
            OpenOptions::new().create(true).read(true).truncate(false).write(true).open(path)?;
        let end = whole_lines(&mut file)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        failpoint!("append:begin");
        // Two writes so that a test can tear the line; readers tolerate that.
        let (head, tail) = line.as_bytes().split_at(line.len() / 2);
        if cfg!(debug_assertions) {
            file.write_all(head)?;
            failpoint!("append:torn");
            file.write_all(&[tail, b"\n"].concat())?;
        } else {
            file.write_all(&[line.as_bytes(), b"\n"].concat())?;
        }
        if sync {
            file.sync_data()?;
        }
        if new {
            sync_folder(folder_of(path))?;
        }
        failpoint!("append:done");
        Ok(())
    };
    write().map_err(|e| Error::io("write", path, &e))
}

/// Length of the file up to and including its last newline.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let len = file.seek(SeekFrom::End(0))?;
    let mut end = len;
    let mut block = [0_u8; 4096];
    while end > 0 {
        let from = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|b| *b == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// Creates a folder and those above it.
///
/// # Errors
/// `failed` that names the path.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("create the folder", path, &e))
}

/// Brings the names of a folder to the disk.
///
/// # Errors
/// What the system answers.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        append_line(&path, "{\"a\":1}", false).unwrap();
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"{\"b\":").unwrap();
        append_line(&path, "{\"c\":3}", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
    }

    #[test]
    fn a_file_that_is_one_long_torn_line_becomes_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        fs::write(&path, vec![b'x'; 10_000]).unwrap();
        append_line(&path, "{}", false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (plain, ours) = (dir.path().join("plain"), dir.path().join("ours"));
        fs::write(&plain, "").unwrap();
        replace(&ours, b"").unwrap();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn replace_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(&dir.path().join("no/such/folder"), b"").is_err());
    }
}
