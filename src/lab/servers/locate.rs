//! Where the server programs are, and how to get them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::Environment;
use crate::lab::LabError;
use crate::lab::error::Missing;

/// Folders beside PATH where systems keep servers; `*` stands for any name, the highest first.
const NATS_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin"];
const POSTGRES_FOLDERS: [&str; 5] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
];

/// A package manager, its command, and its packages of nats-server and Postgres.
type Manager = (&'static str, &'static str, Option<&'static str>, &'static str);

const MANAGERS: [Manager; 6] = [
    ("apt-get", "apt-get install", Some("nats-server"), "postgresql"),
    ("brew", "brew install", Some("nats-server"), "postgresql@17"),
    ("dnf", "dnf install", None, "postgresql-server"),
    ("pacman", "pacman -S", Some("nats-server"), "postgresql"),
    ("apk", "apk add", Some("nats-server"), "postgresql"),
    ("zypper", "zypper install", None, "postgresql-server"),
];

/// Where nats-server and Postgres are looked for: the PATH of `environment` first.
#[derive(Clone, Debug)]
pub(crate) struct Locator {
    path: Vec<PathBuf>,
    root: PathBuf,
}

/// The folder with `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PostgresPrograms {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
}

impl Locator {
    pub(crate) fn new(environment: &Environment) -> Self {
        let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
        Self {
            path: std::env::split_paths(path)
                .filter(|folder| folder.is_absolute())
                .collect(),
            root: PathBuf::from("/"),
        }
    }

    pub(crate) fn nats_server(&self) -> Result<PathBuf, LabError> {
        self.folders(&NATS_FOLDERS)
            .map(|folder| folder.join("nats-server"))
            .find(|program| is_executable(program))
            .ok_or_else(|| self.missing("nats-server"))
    }

    /// Both programs from one folder, so that they are of one version. Links are followed:
    /// they may lead from a folder of PATH to the folder where both are.
    pub(crate) fn postgres(&self) -> Result<PostgresPrograms, LabError> {
        self.folders(&POSTGRES_FOLDERS)
            .map(|folder| folder.join("initdb"))
            .filter(|program| is_executable(program))
            .filter_map(|program| program.canonicalize().ok())
            .map(|initdb| PostgresPrograms {
                postgres: initdb.with_file_name("postgres"),
                initdb,
            })
            .find(|programs| is_executable(&programs.postgres))
            .ok_or_else(|| self.missing("postgres"))
    }

    fn folders<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = PathBuf> + 'a {
        self.path
            .iter()
            .cloned()
            .chain(known.iter().flat_map(|pattern| self.matching(pattern)))
    }

    /// The folders that match a pattern with at most one `*`, highest version first.
    fn matching(&self, pattern: &str) -> Vec<PathBuf> {
        let pattern = pattern.trim_start_matches('/');
        let Some((before, after)) = pattern.split_once('*') else {
            return vec![self.root.join(pattern)];
        };
        let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
        let parent = self.root.join(parent);
        let mut names: Vec<String> = std::fs::read_dir(&parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse((version(name), name.clone())));
        let after = after.trim_start_matches('/');
        names.into_iter().map(|name| parent.join(name).join(after)).collect()
    }

    fn missing(&self, program: &'static str) -> LabError {
        let (nats, page) = if program == "nats-server" {
            (true, "https://github.com/nats-io/nats-server/releases")
        } else {
            (false, "https://www.postgresql.org/download/")
        };
        let install = MANAGERS
            .iter()
            .find(|(manager, ..)| self.has(manager))
            .and_then(|(manager, command, nats_package, postgres_package)| {
                let package = if nats { (*nats_package)? } else { postgres_package };
                let plain = *manager == "brew" || rustix::process::geteuid().is_root();
                let sudo = if plain { "" } else { "sudo " };
                Some(format!("install it with `{sudo}{command} {package}`"))
            })
            .unwrap_or_else(|| format!("get it from {page}"));
        Missing { program, install }.into()
    }

    fn has(&self, manager: &str) -> bool {
        let usual = ["usr/bin", "opt/homebrew/bin", "usr/local/bin", "sbin"].map(|folder| self.root.join(folder));
        self.path
            .iter()
            .chain(&usual)
            .any(|folder| is_executable(&folder.join(manager)))
    }
}

/// The first number in a name: 15 in `postgresql@15`.
fn version(name: &str) -> u32 {
    let digits: String = name
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn locator(root: &Path, path: &[&str]) -> Locator {
        Locator {
            path: path.iter().map(|folder| root.join(folder)).collect(),
            root: root.to_owned(),
        }
    }

    #[test]
    fn path_comes_before_the_usual_folders() {
        let root = tempfile::tempdir().unwrap();
        program(&root.path().join("usr/sbin/nats-server"));
        program(&root.path().join("mine/nats-server"));
        let found = locator(root.path(), &["mine"]).nats_server().unwrap();
        assert_eq!(found, root.path().join("mine/nats-server"));
        let found = locator(root.path(), &["empty"]).nats_server().unwrap();
        assert_eq!(found, root.path().join("usr/sbin/nats-server"));
    }

    #[test]
    fn the_newest_postgres_with_both_programs_is_taken() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "17"] {
            program(&root.path().join(format!("usr/lib/postgresql/{version}/bin/initdb")));
        }
        for version in ["9.6", "15"] {
            program(&root.path().join(format!("usr/lib/postgresql/{version}/bin/postgres")));
        }
        let found = locator(root.path(), &[]).postgres().unwrap();
        assert!(found.initdb.ends_with("usr/lib/postgresql/15/bin/initdb"), "{found:?}");
        assert!(
            found.postgres.ends_with("usr/lib/postgresql/15/bin/postgres"),
            "{found:?}"
        );
    }

    #[test]
    fn a_link_on_path_leads_to_the_folder_with_both_programs() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().join("usr/lib/postgresql/15/bin");
        program(&real.join("initdb"));
        program(&real.join("postgres"));
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(real.join("initdb"), root.path().join("bin/initdb")).unwrap();
        let found = locator(root.path(), &["bin"]).postgres().unwrap();
        assert_eq!(found.postgres, real.canonicalize().unwrap().join("postgres"));
    }

    #[test]
    fn a_missing_server_is_named_with_the_command_that_installs_it() {
        let root = tempfile::tempdir().unwrap();
        program(&root.path().join("usr/bin/apt-get"));
        let error = locator(root.path(), &[]).nats_server().unwrap_err().to_string();
        assert!(error.starts_with("nats-server is not installed"), "{error}");
        assert!(error.contains("apt-get install nats-server`"), "{error}");
        let error = locator(root.path(), &[]).postgres().unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql`"), "{error}");
        let bare = tempfile::tempdir().unwrap();
        let error = locator(bare.path(), &[]).postgres().unwrap_err().to_string();
        assert!(error.contains("https://www.postgresql.org/download/"), "{error}");
    }
}
