//! Servers for the tests: one nats-server and one Postgres for the whole test process, started
//! when the first test asks for them, gone when the process ends. A test that stops or breaks
//! a server takes a lab of its own.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use hookwatch::act::fire::Limit;
use hookwatch::config::Environment;
use hookwatch::lab::{Lab, Options, Traffic};
use tokio::sync::OnceCell;

/// The hookwatch executable.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_hookwatch");

static SHARED: OnceCell<Lab> = OnceCell::const_new();

/// Chooses the TLS provider, as main does. Every test that builds a client with TLS begins with it.
pub(crate) fn choose_tls() {
    // An error says that another test was faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The environment of this process.
pub(crate) fn environment() -> Environment {
    std::env::vars().collect()
}

/// The shared servers: no pipeline, nobody stops them.
pub(crate) async fn servers() -> &'static Lab {
    SHARED
        .get_or_init(async || {
            Lab::up(Options::servers(PROGRAM, environment()))
                .await
                .expect("the shared servers")
        })
        .await
}

/// A name that no other test of this process has: for streams, subjects and databases.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{prefix}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A connection to the shared nats-server.
pub(crate) async fn nats() -> async_nats::Client {
    servers().await.connect().await.expect("the shared nats-server")
}

/// The URL of a fresh database in the shared Postgres.
pub(crate) async fn database() -> String {
    let lab = servers().await;
    let name = unique("test");
    lab.create_database(&name).await.expect("a fresh database");
    lab.postgres_url(&name).expect("the shared Postgres")
}

/// Every process that has `mark` in its command line, its environment or its working
/// directory. Give a lab a TMPDIR of its own and this finds whatever belongs to it.
pub(crate) fn processes_with(mark: &Path) -> Vec<(u32, String)> {
    let mark = mark.to_str().unwrap();
    let holds = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(mark);
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let file = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let folder = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let marked = holds(file("cmdline")) || holds(file("environ")) || folder.starts_with(mark);
        if marked && pid != own {
            let command = String::from_utf8_lossy(&file("cmdline")).replace('\0', " ");
            found.push((pid, command));
        }
    }
    found
}

/// Traffic at a steady rate, webhooks a second.
pub(crate) fn traffic(rate: f64) -> Traffic {
    Traffic {
        rate,
        ..Traffic::default()
    }
}

/// So many webhooks, however long it takes.
pub(crate) fn count(count: u64) -> Limit {
    Limit {
        count: Some(count),
        duration: None,
    }
}
