//! The lab: up and down, restarts, what goes wrong on purpose, and nothing left behind however its
//! process ends.

mod guard;
mod parent;
mod pipeline;
mod servers;

use std::path::Path;
use std::time::Duration;

use hookwatch::lab::Options;

use crate::support::{self, PROGRAM};

/// A folder of a test's own that an ordinary user may use, too.
pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    folder
}

pub(crate) fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

pub(super) fn options(folder: &Path) -> Options {
    let mut environment = support::environment();
    environment.insert("TMPDIR".to_owned(), folder.to_str().unwrap().to_owned());
    Options::servers(PROGRAM, environment)
}

pub(super) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Waits until nothing of a lab is left: no process, no file. There is no event to await: the
/// processes are not ours.
pub(super) async fn nothing_is_left(folder: &Path) {
    for _ in 0..3_000 {
        if is_empty(folder) && support::processes_with(folder).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect();
    panic!("left behind: {files:?} {:?}", support::processes_with(folder));
}
