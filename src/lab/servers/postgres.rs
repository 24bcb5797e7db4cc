//! A private Postgres.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::locate::PostgresPrograms;
use super::{Port, ready};
use crate::lab::LabError;
use crate::lab::guard::{Guard, GuardError, Signal, Start};

/// The role that everybody connects as. It may create databases and roles and see all sessions,
/// and is no superuser: a superuser runs programs as whoever started the lab, and the port is
/// open to everybody on this machine.
pub const USER: &str = "hookwatch";

/// The superuser, who comes in through the socket in the closed folder alone.
const SUPERUSER: &str = "postgres";

/// How long Postgres may take to stop on SIGINT (measured: 9 ms) before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// The longest path of a folder for a Unix socket, everywhere: 104 bytes on macOS, less the
/// socket's own name.
const LONGEST_SOCKET_FOLDER: usize = 88;

/// What a Postgres is to be like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether a commit reaches the disk before it is confirmed. Benches want it; a lab that
    /// is thrown away does not.
    pub durable: bool,
    /// The password of [`USER`]; without one, everybody on this machine may connect.
    pub password: Option<String>,
    /// Further settings, name and value.
    pub settings: Vec<(String, String)>,
}

/// The Postgres of a lab. Its port and its data stay the same over restarts.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PostgresPrograms,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    port: Port,
    user: Option<(u32, u32)>,
    options: Options,
}

impl Postgres {
    /// Makes its folder inside the lab's folder and gives it to the user that Postgres runs as.
    pub(crate) fn prepare(
        programs: PostgresPrograms,
        environment: &BTreeMap<String, String>,
        folder: &Path,
        options: &Options,
    ) -> Result<Self, LabError> {
        let folder = folder.join("postgres");
        if folder.as_os_str().len() > LONGEST_SOCKET_FOLDER {
            return Err(LabError::LongPath(folder));
        }
        std::fs::create_dir(&folder).map_err(LabError::file("create", &folder))?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))
            .map_err(LabError::file("set the permissions of", &folder))?;
        let user = if rustix::process::geteuid().is_root() {
            let user = unprivileged_user()?;
            is_open_to_all(&folder, &user)?;
            std::os::unix::fs::chown(&folder, Some(user.uid), Some(user.gid))
                .map_err(LabError::file("change the owner of", &folder))?;
            Some((user.uid, user.gid))
        } else {
            None
        };
        Ok(Self {
            programs,
            environment: environment.clone(),
            folder,
            port: Port::reserve()?,
            user,
            options: options.clone(),
        })
    }

    /// The URL of one of its databases, password included.
    pub(crate) fn url(&self, database: &str) -> String {
        let password = self.options.password.as_ref().map(|password| format!(":{password}"));
        format!(
            "postgres://{USER}{}@{}/{database}",
            password.unwrap_or_default(),
            self.port.address()
        )
    }

    /// Makes the cluster, starts it, and creates the role.
    pub(crate) async fn first_start(&self, guard: &Guard) -> Result<(), LabError> {
        self.initialise(guard).await?;
        let file = self.folder.join("data/pg_hba.conf");
        let method = if self.options.password.is_some() {
            "scram-sha-256"
        } else {
            "trust"
        };
        let rules = format!(
            "local all all trust\nhost all {SUPERUSER} 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 {method}\n"
        );
        std::fs::write(&file, rules).map_err(LabError::file("write", &file))?;
        self.start(guard).await?;
        self.create_role().await
    }

    async fn create_role(&self) -> Result<(), LabError> {
        let failed = |error: sqlx::Error| LabError::server("create the lab's role in Postgres", &error);
        let superuser = PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .port(self.port.number())
            .username(SUPERUSER)
            .database("postgres");
        let password = self.options.password.as_ref();
        let password = password.map(|password| format!("PASSWORD '{}'", password.replace('\'', "''")));
        let statement = format!(
            "CREATE ROLE {USER} LOGIN CREATEDB CREATEROLE {}; \
             GRANT pg_monitor, pg_signal_backend TO {USER} WITH ADMIN OPTION; \
             ALTER DATABASE postgres OWNER TO {USER}",
            password.unwrap_or_default()
        );
        let mut connection = superuser.connect().await.map_err(failed)?;
        // Made of constants and a quoted password.
        connection
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement)))
            .await
            .map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    async fn initialise(&self, guard: &Guard) -> Result<(), LabError> {
        let args: Vec<String> = [
            "-D",
            "data",
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ]
        .map(str::to_owned)
        .into();
        let name = "initdb";
        guard.start(self.process(name, &self.programs.initdb, args)).await?;
        let exit = guard.exited(name).await?;
        if exit.code == Some(0) {
            return Ok(());
        }
        Err(GuardError::Ended {
            name: name.to_owned(),
            exit,
        }
        .into())
    }

    /// Starts it and waits until it takes connections.
    pub(crate) async fn start(&self, guard: &Guard) -> Result<(), LabError> {
        let onoff = if self.options.durable { "on" } else { "off" };
        let mut args = vec!["-D".to_owned(), "data".to_owned()];
        let settings = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", self.port.number().to_string()),
            ("unix_socket_directories", self.folder.display().to_string()),
            ("unix_socket_permissions", "0700".to_owned()),
            ("fsync", onoff.to_owned()),
            ("synchronous_commit", onoff.to_owned()),
            ("full_page_writes", onoff.to_owned()),
            ("max_connections", "200".to_owned()),
            // Statements hold payloads.
            ("log_min_error_statement", "panic".to_owned()),
        ];
        let further = self
            .options
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in settings.into_iter().chain(further) {
            args.push("-c".to_owned());
            args.push(format!("{name}={value}"));
        }
        let pid = guard.start(self.process(NAME, &self.programs.postgres, args)).await?;
        let state = self.folder.join("data/postmaster.pid");
        ready(guard, NAME, || std::future::ready(is_ready(&state, pid))).await
    }

    fn process(&self, name: &str, program: &Path, args: Vec<String>) -> Start {
        Start {
            name: name.to_owned(),
            program: program.to_owned(),
            args,
            env: self.environment.clone(),
            cwd: Some(self.folder.clone()),
            user: self.user,
            // SIGTERM would wait for open sessions for ever.
            stop: Signal::Int,
            grace: GRACE,
            stage: 0,
            announces: false,
        }
    }
}

/// Its name in the lab.
pub(crate) const NAME: &str = "postgres";

/// Whether `postmaster.pid` says that the server with this process id takes connections. Its
/// eighth line is what `pg_ctl` waits for, too.
fn is_ready(state: &Path, pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(state) else {
        return false;
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.first().and_then(|line| line.parse().ok()) == Some(pid) && lines.get(7) == Some(&"ready")
}

#[derive(Debug, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

fn unprivileged_user() -> Result<User, LabError> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    find_user(&users, "postgres")
        .or_else(|| find_user(&users, "nobody"))
        .ok_or(LabError::NoUser)
}

fn find_user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        let uid: u32 = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (found && uid != 0).then(|| User {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

/// Another user reaches the folder only when every folder above it lets all through.
fn is_open_to_all(folder: &Path, user: &User) -> Result<(), LabError> {
    for above in folder.ancestors().skip(1) {
        let mode = above
            .metadata()
            .map_err(LabError::file("read", above))?
            .permissions()
            .mode();
        if mode & 0o001 == 0 {
            return Err(LabError::Closed {
                user: user.name.clone(),
                folder: above.to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n";

    #[test]
    fn users_are_found_by_their_whole_name_and_root_never() {
        let nobody = find_user(USERS, "nobody").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert_eq!(find_user(USERS, "postgres"), None);
        assert_eq!(find_user(USERS, "root"), None);
        assert_eq!(find_user(USERS, "no"), None);
    }

    #[test]
    fn postgres_is_ready_when_its_own_state_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("postmaster.pid");
        assert!(!is_ready(&state, 7), "no file yet");
        let file = |status| format!("7\n/data\n1700000000\n5432\n/tmp\n127.0.0.1\n  123  456\n{status}");
        std::fs::write(&state, file("starting")).unwrap();
        assert!(!is_ready(&state, 7));
        std::fs::write(&state, file("ready   \n")).unwrap();
        assert!(is_ready(&state, 7));
        assert!(!is_ready(&state, 8), "another server's file");
    }

    #[test]
    fn a_folder_that_others_cannot_enter_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let user = User {
            name: "postgres".to_owned(),
            uid: 101,
            gid: 104,
        };
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        assert!(is_open_to_all(&inner, &user).is_ok());
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let error = is_open_to_all(&inner, &user).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
        assert!(error.contains("set TMPDIR"), "{error}");
    }
}
