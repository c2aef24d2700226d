//! A disk so small that it can be filled: memory, mounted on a folder. Linux lets root do that, and hardly anybody else.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::layout::make_folder;

/// Several times what a data node of chaos writes before it rewrites its append-only file, for which it needs room, too.
const SIZE: &str = "size=256m,mode=700";
const CHUNK_BYTES: usize = 1024 * 1024;
const FILLER: &str = "filler";

/// A mounted disk; dropping it takes it away, with all that is on it.
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Puts one on this folder, which is made where it is missing.
    pub(crate) fn mount(folder: &Path) -> Result<Self> {
        make_folder(folder)?;
        let mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "spillway"]).arg(folder))?;
        let told = String::from_utf8_lossy(&mounted.stderr);
        ensure!(
            mounted.status.success(),
            "no small disk can be mounted, which root may do on Linux: {}",
            told.trim()
        );
        Ok(Self { folder: folder.to_owned() })
    }

    /// Takes one away that an earlier process may have left.
    pub(crate) fn unmount(folder: &Path) {
        // It fails where there is none, which is so for the most part.
        let _ = run(Command::new("umount").arg("--lazy").arg(folder));
    }

    /// Whether it is on this folder.
    pub(crate) fn is_on(&self, folder: &Path) -> bool {
        self.folder == folder
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) -> Result<()> {
        let zeros = vec![0; CHUNK_BYTES];
        let mut filler = File::create(self.folder.join(FILLER)).context("the disk cannot be filled")?;
        loop {
            match filler.write_all(&zeros) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("the disk cannot be filled"),
            }
        }
    }

    /// Makes room again.
    pub(crate) fn make_room(&self) -> Result<()> {
        std::fs::remove_file(self.folder.join(FILLER)).context("the disk cannot be emptied")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Self::unmount(&self.folder);
    }
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("{} cannot be run", command.get_program().display()))
}
