//! An `aws` of a test's own, for scripts that call it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Puts this script into the folder; gives the search path on which it is found, and all else that a script needs.
pub(crate) fn fake_aws(folder: &Path, script: &str) -> String {
    std::fs::create_dir_all(folder).unwrap();
    let program = folder.join("aws");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin", folder.display())
}
