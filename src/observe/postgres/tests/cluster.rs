//! A private Postgres server: started on a free port, stopped and removed when dropped.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::config::PostgresLink;

/// One cluster for all tests that run at the same time and need nothing special of it.
static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

pub(super) struct Cluster {
    folder: TempDir,
    server: Option<Child>,
    pub(super) port: u16,
}

/// Postgres refuses to run as root.
fn unprivileged(command: &mut Command, folder: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let fields: Vec<&str> = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then(|| fields.collect()))?;
        Some((fields[1].parse().unwrap(), fields[2].parse().unwrap()))
    };
    let (uid, gid) = ids("postgres").or_else(|| ids("nobody")).expect("an unprivileged user");
    chown(folder, Some(uid), Some(gid)).unwrap();
    command.uid(uid).gid(gid);
}

fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|path| path.exists())
        .max();
    newest.unwrap_or_else(|| name.into())
}

impl Cluster {
    pub(super) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start(""));
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// A server of its own, with these lines added to its configuration.
    pub(super) fn start(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut initdb = Command::new(program("initdb"));
        unprivileged(&mut initdb, folder.path());
        let done = initdb
            .current_dir(folder.path())
            .args([
                "-D",
                "data",
                "-U",
                "test",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-instructions",
            ])
            .output()
            .expect("initdb: apt-get install postgresql");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // Members of `trusted` get in; others only where a line names them.
        let access = "local all all reject\nhost all test,unknown,no_login,crowd,+trusted all trust\nhost all rejected all reject\n\
                      host all with_password all scram-sha-256\nhostssl all tls_only all trust\n";
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
        let settings = data.join("postgresql.conf");
        let rules = std::fs::read_to_string(&settings).unwrap();
        let fast =
            "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\nmax_connections = 50\n";
        std::fs::write(&settings, format!("{rules}\n{fast}{configuration}\n")).unwrap();
        let mut cluster = Self {
            folder,
            server: None,
            port: 0,
        };
        cluster.launch();
        cluster
    }

    /// A file in the server's folder that only the server may read.
    pub(super) fn private_file(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join("data").join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        unprivileged(&mut Command::new("true"), &path);
        path
    }

    /// Starts the server, on the port that it had before if it had one.
    pub(super) fn launch(&mut self) {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for _ in 0..20 {
            let port = if self.port == 0 { free() } else { self.port };
            let mut command = Command::new(program("postgres"));
            unprivileged(&mut command, self.folder.path());
            let mut server = command
                .current_dir(self.folder.path())
                .args([
                    "-D",
                    "data",
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "unix_socket_directories=",
                    "-c",
                    "log_min_messages=log",
                ])
                .args(["-c", &format!("port={port}")])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut log = BufReader::new(server.stderr.take().unwrap())
                .lines()
                .map_while(Result::ok);
            if log.any(|line| line.contains("ready to accept connections")) {
                // The log is read on, or the server would stop when the pipe is full.
                std::thread::spawn(move || log.for_each(drop));
                (self.server, self.port) = (Some(server), port);
                return;
            }
            // Somebody else took the port.
            server.wait().unwrap();
        }
        panic!("no Postgres server came up");
    }

    fn pid(&self) -> Option<i32> {
        self.server.as_ref().map(|server| i32::try_from(server.id()).unwrap())
    }

    /// Sends a signal to the server and all its processes.
    pub(super) fn signal_all(&self, signal: Signal) {
        let Some(server) = self.pid() else { return };
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        for pid in children.chain([server]).filter_map(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Stops the server; sessions are cut.
    pub(super) fn stop(&mut self) {
        self.signal_all(Signal::CONT);
        self.signal(Signal::INT);
        if let Some(mut server) = self.server.take() {
            server.wait().unwrap();
        }
    }

    pub(super) fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn link(&self, user: &str, database: &str) -> PostgresLink {
        link(&self.url(user, database))
    }

    /// A session of the superuser.
    pub(super) async fn admin(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url("test", database)).await.unwrap()
    }

    /// A new database with the schema, and a role of the same name that may read it.
    pub(super) async fn database(&self, name: &str) -> PgConnection {
        let mut admin = self.admin("postgres").await;
        let group = "DO $$BEGIN CREATE ROLE trusted; EXCEPTION WHEN duplicate_object OR unique_violation THEN END$$";
        run(&mut admin, group).await;
        run(&mut admin, &format!("CREATE ROLE {name} LOGIN IN ROLE trusted")).await;
        run(&mut admin, &format!("CREATE DATABASE {name} STRATEGY file_copy")).await;
        let mut admin = self.admin(name).await;
        run(&mut admin, include_str!("../../../../tests/data/postgres/schema.sql")).await;
        run(
            &mut admin,
            "REVOKE ALL ON SCHEMA public FROM public; GRANT USAGE ON SCHEMA public TO public",
        )
        .await;
        run(
            &mut admin,
            &format!("GRANT SELECT ON webhook_counters, webhook_workers TO {name}"),
        )
        .await;
        admin
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(super) fn link(url: &str) -> PostgresLink {
    PostgresLink {
        url: url.to_owned().into(),
        shown: "postgres://db".to_owned(),
        statement_timeout: Duration::from_secs(2),
        pool: 3,
    }
}

/// Runs statements that must succeed.
pub(super) async fn run(session: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(session).await.unwrap();
}
