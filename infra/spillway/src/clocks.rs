//! Clocks that can be stepped: a library stands between a process and the time of day, and reads from a file how far off
//! it is. What a process waits by, its monotonic clock, goes on as it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::layout::{make_folder, write_private};
use crate::programs;

/// The file is read again after so many seconds; the library knows whole ones only.
const READ_AGAIN_S: u8 = 1;

/// The one clock of all functions.
pub(crate) const OF_FUNCTIONS: &str = "functions";

/// Where the library notes something for each process.
const SHARED_MEMORY: &str = "/dev/shm";

/// Clocks by the names of those who read them.
#[derive(Debug, Clone)]
pub struct Clocks {
    library: PathBuf,
    folder: PathBuf,
}

impl Clocks {
    /// Clocks that are right, with their files in this folder. The library is installed where it is missing.
    pub fn start(folder: PathBuf) -> Result<Self> {
        programs::ensure_clocks()?;
        let library = library().context("libfaketime is in none of the folders /usr/lib/*/faketime")?;
        make_folder(&folder)?;
        let clocks = Self { library, folder };
        for name in ["redis-1", "redis-2", "redis-3", OF_FUNCTIONS] {
            clocks.step(name, 0)?;
        }
        Ok(clocks)
    }

    /// What a process has to be started with so that it goes by this clock.
    pub(crate) fn environment(&self, name: &str) -> Vec<(String, String)> {
        let variables = [
            // The C library's own malloc comes before jemalloc, which Redis may be linked with: that one asks for the
            // time before it can be asked for memory, and the library needs some to tell it.
            ("LD_PRELOAD", format!("{} libc.so.6", self.library.display())),
            ("FAKETIME_TIMESTAMP_FILE", self.folder.join(name).display().to_string()),
            ("FAKETIME_CACHE_DURATION", READ_AGAIN_S.to_string()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// From a second later on the clock is off by so much: ahead, or behind where it is negative.
    pub fn step(&self, name: &str, milliseconds: i32) -> Result<()> {
        write_private(&self.folder.join(name), &format!("{:+.3}", f64::from(milliseconds) / 1_000.0))
    }
}

impl Drop for Clocks {
    /// Takes away what the library has left in memory of processes that were killed. Each clone may: who lives keeps it.
    fn drop(&mut self) {
        for left in std::fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten() {
            let name = left.file_name().to_string_lossy().into_owned();
            let of = ["faketime_shm_", "sem.faketime_sem_"].iter().find_map(|kind| name.strip_prefix(kind));
            if of.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = std::fs::remove_file(left.path());
            }
        }
    }
}

/// Where Debian has it, whatever the processor.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let libraries = folders.flatten().map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    libraries.into_iter().find(|library| library.exists())
}
