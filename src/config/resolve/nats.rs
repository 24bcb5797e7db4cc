//! NATS: the servers, the login, TLS, the API's prefix.

use secrecy::{ExposeSecret as _, SecretString};

use super::secrets::{SecretKeys, learn};
use super::{Resolver, pick};
use crate::base::text::UNKNOWN;
use crate::config::document::{Key, Setting};
use crate::config::endpoint::{Login, http, nats_servers};
use crate::config::link::{NatsAuth, NatsLink, Tls};
use crate::config::problem::{Origin, Problem};
use crate::config::schema::NatsSection;

/// Where a NATS server is when nobody says where: what the CLI assumes too.
const LOCAL: &str = "nats://127.0.0.1:4222";

impl Resolver<'_> {
    /// The connection that the sections describe, or none when they say nothing.
    pub(super) fn nats(&mut self, links: &[NatsSection]) -> Option<NatsLink> {
        if !links.iter().any(NatsSection::is_set) {
            self.show("nats.url", UNKNOWN, &Origin::Default);
            return None;
        }
        let url = pick(links, |link| &link.url).unwrap_or(Setting::new(vec![LOCAL.to_owned()], Origin::Default));
        let servers = match nats_servers(&url.value) {
            Ok(servers) => servers,
            Err(bad) => {
                self.bad_url("nats.url", &url.origin, &bad);
                return None;
            }
        };
        self.show("nats.url", servers.urls.join(", "), &url.origin);
        let auth = self.nats_auth(links, &url.origin, servers.login);
        let (ca, cert, key) = (
            pick(links, |link| &link.ca),
            pick(links, |link| &link.cert),
            pick(links, |link| &link.key),
        );
        let tls = self.tls("nats.", ca.as_ref(), cert.as_ref(), key.as_ref());
        let tls_first = self.switch("nats.tls_first", pick(links, |link| &link.tls_first), false);
        let inbox_prefix = pick(links, |link| &link.inbox_prefix);
        if let Some(prefix) = &inbox_prefix {
            self.subject("nats.inbox_prefix", prefix);
        }
        self.show_key("nats.inbox_prefix", inbox_prefix.as_ref());
        let api_prefix = self.api_prefix(links);
        let monitoring = self.monitoring(pick(links, |link| &link.monitoring));
        Some(NatsLink {
            servers: servers.urls,
            auth,
            tls,
            tls_first,
            inbox_prefix: inbox_prefix.map(|prefix| prefix.value.trim_end_matches('.').to_owned()),
            api_prefix,
            monitoring,
        })
    }

    /// The login, taken whole from the first section that has one; credentials in the chosen URL
    /// belong to the section that the URL is from.
    fn nats_auth(&mut self, links: &[NatsSection], url: &Origin, in_url: Option<Login>) -> NatsAuth {
        let from = links.iter().find(|link| {
            link.login().is_some() || (in_url.is_some() && link.url.as_ref().is_some_and(|u| u.origin == *url))
        });
        let Some(link) = from else {
            self.show("nats.login", "none", &Origin::Default);
            return NatsAuth::default();
        };
        let in_url = in_url.filter(|_| link.url.as_ref().is_some_and(|u| u.origin == *url));
        let mut auth = NatsAuth::default();
        let mut told = Vec::new();
        let mut origin = link.login().cloned().unwrap_or_else(|| url.clone());
        self.nats_token(link, &mut auth, &mut told);
        match in_url {
            Some(Login::Password(user, password)) => {
                learn(&mut self.redactor, password.expose_secret());
                self.warn_of_inline("password", url);
                told.insert(0, format!("user `{user}`, password in the URL"));
                auth.user = Some((user, password));
                origin = url.clone();
            }
            Some(Login::Token(token)) => {
                learn(&mut self.redactor, token.expose_secret());
                self.warn_of_inline("token", url);
                told.insert(0, "token in the URL".to_owned());
                auth.token = Some(token);
                origin = url.clone();
            }
            None => {}
        }
        if auth.user.is_none()
            && let Some((words, at)) = self.nats_identity(link, &mut auth)
        {
            told.insert(0, words);
            origin = at;
        }
        if told.is_empty() {
            told.push("none".to_owned());
        }
        self.show("nats.login", told.join("; "), &origin);
        auth
    }

    fn nats_token(&mut self, link: &NatsSection, auth: &mut NatsAuth, told: &mut Vec<String>) {
        let keys = SecretKeys {
            name: "token",
            inline: &link.token,
            variable: &link.token_env,
            file: &link.token_file,
        };
        if let Some(found) = self.secret(keys) {
            told.push(format!("token {}", found.told));
            auth.token = Some(found.secret);
        }
    }

    /// Precedence of the NATS CLI: user, credentials, nkey, JWT.
    fn nats_identity(&mut self, link: &NatsSection, auth: &mut NatsAuth) -> Option<(String, Origin)> {
        let password = self.secret(SecretKeys {
            name: "password",
            inline: &link.password,
            variable: &link.password_env,
            file: &link.password_file,
        });
        if let Some(user) = &link.user {
            let told = password
                .as_ref()
                .map_or("no password".to_owned(), |found| format!("password {}", found.told));
            let password = password.map_or_else(|| SecretString::from(""), |found| found.secret);
            auth.user = Some((user.value.clone(), password));
            return Some((format!("user `{}`, {told}", user.value), user.origin.clone()));
        }
        if let Some(found) = password {
            let problem = Problem::new(&found.origin, "a password for NATS is given, but no user");
            self.problem(problem.next("give the user, or name a token instead"));
            return None;
        }
        if let Some(creds) = &link.creds {
            auth.credentials = Some(self.credentials(creds)?);
            return Some((format!("credentials {}", creds.value), creds.origin.clone()));
        }
        if let Some(nkey) = &link.nkey {
            auth.nkey = Some(self.nkey(nkey)?);
            return Some((format!("nkey {}", nkey.value), nkey.origin.clone()));
        }
        self.jwt(link, auth)
    }

    fn jwt(&mut self, link: &NatsSection, auth: &mut NatsAuth) -> Option<(String, Origin)> {
        let jwt_keys = SecretKeys {
            name: "user_jwt",
            inline: &link.user_jwt,
            variable: &link.user_jwt_env,
            file: &link.user_jwt_file,
        };
        let seed_keys = SecretKeys {
            name: "user_seed",
            inline: &link.user_seed,
            variable: &link.user_seed_env,
            file: &link.user_seed_file,
        };
        if jwt_keys.is_given() != seed_keys.is_given()
            && let Some(origin) = link.login()
        {
            let what = "user_jwt and user_seed go together, and one of them is missing";
            self.problem(Problem::new(origin, what));
        }
        let (jwt, seed) = (self.secret(jwt_keys), self.secret(seed_keys));
        let (jwt, seed) = jwt.zip(seed)?;
        let told = format!("JWT {}, seed {}", jwt.told, seed.told);
        auth.jwt = Some((jwt.secret, seed.secret));
        Some((told, jwt.origin))
    }

    /// The text of a `.creds` file.
    fn credentials(&mut self, creds: &Setting<String>) -> Option<SecretString> {
        let found = self.file_secret("creds", creds)?;
        let text = found.secret.expose_secret();
        let complete = ["BEGIN NATS USER JWT", "BEGIN USER NKEY SEED"]
            .iter()
            .all(|frame| text.contains(frame));
        if !complete {
            let what = format!(
                "`{}` is no NATS credentials file: it lacks the JWT or the seed",
                creds.value
            );
            self.problem(Problem::new(&creds.origin, what).next("write one with `nsc generate creds`"));
            return None;
        }
        Some(found.secret)
    }

    /// The seed in an nkey file, which may have comments and frames around it.
    fn nkey(&mut self, nkey: &Setting<String>) -> Option<SecretString> {
        let found = self.file_secret("nkey", nkey)?;
        let seed = found.secret.expose_secret().lines().map(str::trim).find(|line| {
            line.starts_with("SU")
                && line.len() >= 56
                && line.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        });
        if let Some(seed) = seed {
            Some(SecretString::from(seed))
        } else {
            let what = format!("`{}` holds no seed of a user nkey (SU…)", nkey.value);
            self.problem(Problem::new(&nkey.origin, what).next("name the file that `nk -gen user` has written"));
            None
        }
    }

    /// Certificates; each must be readable, and a certificate needs its key.
    pub(super) fn tls(
        &mut self,
        prefix: &str,
        ca: Option<&Setting<String>>,
        cert: Option<&Setting<String>>,
        key: Option<&Setting<String>>,
    ) -> Tls {
        match (cert, key) {
            (Some(one), None) | (None, Some(one)) => {
                let what = format!("{prefix}cert and {prefix}key go together, and one of them is missing");
                self.problem(Problem::new(&one.origin, what));
            }
            _ => {}
        }
        let mut file = |name: &str, setting: Option<&Setting<String>>| {
            let setting = setting?;
            let path = self.readable(&format!("{prefix}{name}"), setting)?;
            self.show(format!("{prefix}{name}"), path.display().to_string(), &setting.origin);
            Some(path)
        };
        Tls {
            ca: file("ca", ca),
            cert: file("cert", cert),
            key: file("key", key),
        }
    }

    fn api_prefix(&mut self, links: &[NatsSection]) -> String {
        let domain = pick(links, |link| &link.jetstream_domain);
        let prefix = pick(links, |link| &link.jetstream_api_prefix);
        let (value, origin) = match (domain, prefix) {
            (Some(domain), Some(_)) => {
                let what = "jetstream_domain and jetstream_api_prefix exclude each other";
                self.problem(Problem::new(&domain.origin, what).next("keep one of them"));
                return String::new();
            }
            (Some(domain), None) => {
                self.subject("nats.jetstream_domain", &domain);
                (format!("$JS.{}.API", domain.value), domain.origin)
            }
            (None, Some(prefix)) => {
                self.subject("nats.jetstream_api_prefix", &prefix);
                (prefix.value.trim_end_matches('.').to_owned(), prefix.origin)
            }
            (None, None) => ("$JS.API".to_owned(), Origin::Default),
        };
        self.show("nats.api_prefix", value.clone(), &origin);
        value
    }

    fn monitoring(&mut self, setting: Key<String>) -> Option<String> {
        let Some(setting) = setting else {
            self.show("nats.monitoring", UNKNOWN, &Origin::Default);
            return None;
        };
        match http(&setting.value, "") {
            Ok(endpoint) if endpoint.login.is_some() => {
                let what = "nats.monitoring has credentials, but a NATS monitoring port takes none";
                self.problem(Problem::new(&setting.origin, what).next("leave them out"));
                None
            }
            Ok(endpoint) => {
                let url = endpoint.url.trim_end_matches('/').to_owned();
                self.show("nats.monitoring", url.clone(), &setting.origin);
                Some(url)
            }
            Err(bad) => {
                self.bad_url("nats.monitoring", &setting.origin, &bad);
                None
            }
        }
    }

    /// Refuses what cannot be (part of) a subject that is published to.
    fn subject(&mut self, key: &str, setting: &Setting<String>) {
        let tokens = setting.value.trim_end_matches('.').split('.');
        let mut tokens = tokens.map(|token| !token.is_empty() && !token.contains(['*', '>']) && !has_blank(token));
        if !tokens.all(|fine| fine) {
            let what = format!("`{key}` is no NATS subject: tokens parted by dots, without blanks, * and >");
            self.problem(Problem::new(&setting.origin, what));
        }
    }
}

/// Whether a text holds a blank or a control character.
pub(super) fn has_blank(text: &str) -> bool {
    text.chars().any(|c| c.is_whitespace() || c.is_control())
}
