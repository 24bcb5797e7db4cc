//! A nats-server of the test's own: loopback, temporary folder, ended with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::config::{NatsAuth, NatsLink};

/// JetStream without a word about logins.
pub(super) const JETSTREAM: &str = "jetstream { store_dir: DIR }";

pub(super) struct Server {
    child: Child,
    pub(super) dir: TempDir,
    pub(super) port: u16,
}

impl Server {
    /// Starts a server with `config` besides its address; `DIR` stands for its folder.
    pub(super) async fn start(config: &str) -> Self {
        Self::start_at(config, free_port()).await
    }

    pub(super) async fn start_at(config: &str, port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shown = dir.path().display().to_string();
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\n{}\n",
            config.replace("DIR", &format!("{shown:?}"))
        );
        std::fs::write(dir.path().join("server.conf"), text).unwrap();
        let mut server = Self {
            child: spawn(dir.path()),
            dir,
            port,
        };
        server.ready().await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(super) fn link(&self) -> NatsLink {
        link(&self.url())
    }

    /// A client with every right, to set up what is then watched.
    pub(super) async fn admin(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        if signal == Signal::STOP {
            // It may answer until it has really stopped.
            waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        }
    }

    /// Ends it; its folder stays.
    pub(super) fn stop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port and folder.
    pub(super) async fn start_again(&mut self) {
        self.child = spawn(self.dir.path());
        self.ready().await;
    }

    async fn ready(&mut self) {
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("nats-server ended with {status}:\n{log}");
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nats-server did not open its port within 5 s");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    Command::new(program())
        .arg("-c")
        .arg(dir.join("server.conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("nats-server cannot be started ({error}): apt-get install nats-server"))
}

fn program() -> PathBuf {
    [
        "/usr/sbin/nats-server",
        "/usr/local/bin/nats-server",
        "/usr/bin/nats-server",
    ]
    .iter()
    .map(PathBuf::from)
    .find(|path| path.exists())
    .unwrap_or_else(|| PathBuf::from("nats-server"))
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(super) fn link(url: &str) -> NatsLink {
    NatsLink::to(vec![url.to_owned()])
}

pub(super) fn user(name: &str, password: &str) -> NatsAuth {
    NatsAuth {
        user: Some((name.to_owned(), SecretString::from(password.to_owned()))),
        ..NatsAuth::default()
    }
}

/// A file of the tests' data.
pub(super) fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/jetstream")
        .join(name)
}
