//! A private nats-server with JetStream, or a cluster of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Port, answers_ok, ready};
use crate::lab::LabError;
use crate::lab::guard::{Guard, Signal, Start};

/// How long nats-server may take to stop on SIGTERM (measured: 2 ms).
const GRACE: Duration = Duration::from_secs(5);

/// What a nats-server is to be like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may connect.
    pub auth: Auth,
    /// Certificates, for a server that asks for TLS.
    pub tls: Option<Tls>,
    /// Switches JetStream off.
    pub without_jetstream: bool,
    /// Servers in the cluster; 0 and 1 mean a single server without one.
    pub servers: usize,
    /// Further configuration, in the server's own language, for what is not named here.
    pub extra: String,
}

/// Who may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    #[default]
    Open,
    /// One user.
    User {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// Whoever knows the token.
    Token(String),
}

/// Certificate files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority that clients' certificates must come from, if they must have one.
    pub clients: Option<PathBuf>,
}

/// One nats-server of a lab. Its port and its store stay the same over restarts.
#[derive(Debug)]
pub(crate) struct Nats {
    name: String,
    program: PathBuf,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    client: Port,
    monitoring: Port,
    route: Option<Port>,
    auth: Auth,
    tls: bool,
}

impl Nats {
    /// Prepares the servers of `options` inside the lab's folder.
    pub(crate) fn prepare(
        program: &Path,
        environment: &BTreeMap<String, String>,
        folder: &Path,
        options: &Options,
    ) -> Result<Vec<Self>, LabError> {
        let clustered = options.servers > 1;
        let servers = (1..=options.servers.max(1))
            .map(|number| {
                let name = if clustered {
                    format!("nats-{number}")
                } else {
                    "nats".to_owned()
                };
                Ok(Self {
                    folder: folder.join(&name),
                    name,
                    program: program.to_owned(),
                    environment: environment.clone(),
                    client: Port::reserve()?,
                    monitoring: Port::reserve()?,
                    route: clustered.then(Port::reserve).transpose()?,
                    auth: options.auth.clone(),
                    tls: options.tls.is_some(),
                })
            })
            .collect::<Result<Vec<Self>, LabError>>()?;
        let route = |server: &Self| {
            server
                .route
                .as_ref()
                .map(|port| quoted(&format!("nats://{}", port.address())))
        };
        let routes = servers.iter().filter_map(route).collect::<Vec<String>>().join(", ");
        for server in &servers {
            // The configuration holds passwords, the store holds payloads.
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&server.folder)
                .map_err(LabError::file("create", &server.folder))?;
            let file = server.file();
            let text = server.configuration(options, &routes);
            std::fs::write(&file, text).map_err(LabError::file("write", &file))?;
        }
        Ok(servers)
    }

    /// Its name in the lab.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, credentials included.
    pub(crate) fn url(&self) -> String {
        let credentials = match &self.auth {
            Auth::Open => return self.address(),
            Auth::User { user, password } => format!("://{user}:{password}@"),
            Auth::Token(token) => format!("://{token}@"),
        };
        self.address().replacen("://", &credentials, 1)
    }

    /// Its URL without credentials.
    pub(crate) fn address(&self) -> String {
        let scheme = if self.tls { "tls" } else { "nats" };
        format!("{scheme}://{}", self.client.address())
    }

    /// Who may connect.
    pub(crate) fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The URL of its monitoring endpoint.
    pub(crate) fn monitoring_url(&self) -> String {
        format!("http://{}", self.monitoring.address())
    }

    /// Starts it and waits until it takes clients.
    pub(crate) async fn start(&self, guard: &Guard) -> Result<(), LabError> {
        let pid = guard
            .start(Start {
                name: self.name.clone(),
                program: self.program.clone(),
                args: vec!["-c".to_owned(), self.file().display().to_string()],
                env: self.environment.clone(),
                cwd: Some(self.folder.clone()),
                user: None,
                stop: Signal::Term,
                grace: GRACE,
                stage: 1,
                announces: false,
            })
            .await?;
        let ports = self.folder.join(format!("nats-server_{pid}.ports"));
        ready(guard, &self.name, || std::future::ready(is_complete(&ports))).await
    }

    /// Waits until its JetStream takes part in its cluster.
    pub(crate) async fn healthy(&self, guard: &Guard) -> Result<(), LabError> {
        let address = self.monitoring.address();
        ready(guard, &self.name, || answers_ok(&address, "/healthz")).await
    }

    fn file(&self) -> PathBuf {
        self.folder.join("nats.conf")
    }

    fn configuration(&self, options: &Options, routes: &str) -> String {
        let folder = quoted(&self.folder.display().to_string());
        let mut text = format!(
            "server_name: {}\nlisten: \"{}\"\nhttp: \"{}\"\nports_file_dir: {folder}\nlogtime: false\n",
            quoted(&self.name),
            self.client.address(),
            self.monitoring.address()
        );
        if !options.without_jetstream {
            // Stated, because the default is a share of the free space: too little on a full disk.
            text.push_str("jetstream { store_dir: ");
            text.push_str(&folder);
            text.push_str(", max_memory_store: 1GB, max_file_store: 64GB }\n");
        }
        match &options.auth {
            Auth::Open => {}
            Auth::User { user, password } => put(
                &mut text,
                format_args!(
                    "authorization {{ user: {}, password: {} }}\n",
                    quoted(user),
                    quoted(password)
                ),
            ),
            Auth::Token(token) => put(
                &mut text,
                format_args!("authorization {{ token: {} }}\n", quoted(token)),
            ),
        }
        if let Some(tls) = &options.tls {
            let file = |path: &Path| quoted(&path.display().to_string());
            put(
                &mut text,
                format_args!("tls {{ cert_file: {}, key_file: {}", file(&tls.cert), file(&tls.key)),
            );
            if let Some(clients) = &tls.clients {
                put(&mut text, format_args!(", ca_file: {}, verify: true", file(clients)));
            }
            text.push_str(" }\n");
        }
        if let Some(route) = &self.route {
            put(
                &mut text,
                format_args!(
                    "cluster {{ name: lab, listen: \"{}\", routes: [{routes}] }}\n",
                    route.address()
                ),
            );
        }
        text.push_str(&options.extra);
        text.push('\n');
        text
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

/// A string in the server's configuration language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether the server has written its ports file to the end, which it does once it takes clients.
fn is_complete(ports: &Path) -> bool {
    std::fs::read(ports).is_ok_and(|text| serde_json::from_slice::<serde_json::Value>(&text).is_ok())
}
