//! Postgres: the URL, its password, the limits of our own connections.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::secrets::{SecretKeys, learn};
use super::{Resolver, pick};
use crate::base::text::UNKNOWN;
use crate::config::document::Setting;
use crate::config::duration::format_duration;
use crate::config::endpoint::Postgres;
use crate::config::link::PostgresLink;
use crate::config::problem::{Origin, Problem};
use crate::config::schema::{PostgresSection, ProfileSection};

/// A console's statement that runs longer hurts more than it helps.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// One connection for the counters, one for health, one to spare.
const POOL: u32 = 3;

/// More connections than this are taken away from the pipeline.
const POOL_LIMIT: u32 = 20;

impl Resolver<'_> {
    /// The connection, or none when nobody names one.
    pub(super) fn postgres(&mut self, layers: &[ProfileSection]) -> Option<PostgresLink> {
        let Some((mut url, origin)) = self.postgres_url(layers) else {
            self.show("postgres.url", UNKNOWN, &Origin::Default);
            return None;
        };
        let mut login = if url.password().is_some() {
            Some("password in the URL".to_owned())
        } else {
            self.postgres_password(layers, &mut url)
        };
        let completed = url.complete(self.surroundings.environment);
        if let Some(password) = url.password() {
            learn(&mut self.redactor, &password);
        }
        if let Err(bad) = url.check() {
            // What stood in the URL was fine, so it is what the variables added.
            self.bad_url("postgres.url", &Origin::Variable("PG*".into()), &bad);
        }
        self.show("postgres.url", url.place(), &origin);
        for variable in completed {
            if variable == "PGPASSWORD" {
                login = Some("password from $PGPASSWORD".to_owned());
            } else {
                let value = self.surroundings.variable(variable).unwrap_or_default();
                let key = format!("postgres.{}", variable.to_lowercase());
                self.show(key, value, &Origin::Variable(variable.into()));
            }
        }
        let user = url
            .user()
            .map_or("user of the system".to_owned(), |user| format!("user `{user}`"));
        let login = login.unwrap_or_else(|| "no password but from ~/.pgpass".to_owned());
        self.show("postgres.login", format!("{user}, {login}"), &origin);
        let statement_timeout = pick(layers, |layer| &layer.postgres.statement_timeout)
            .unwrap_or(Setting::new(STATEMENT_TIMEOUT, Origin::Default));
        // Postgres counts in milliseconds, and 0 is no limit.
        self.at_least(
            "postgres.statement_timeout",
            &statement_timeout,
            Duration::from_millis(10),
        );
        self.show(
            "postgres.statement_timeout",
            format_duration(statement_timeout.value),
            &statement_timeout.origin,
        );
        let pool = pick(layers, |layer| &layer.postgres.pool).unwrap_or(Setting::new(POOL, Origin::Default));
        if !(1..=POOL_LIMIT).contains(&pool.value) {
            let what = format!("postgres.pool wants 1 to {POOL_LIMIT} connections");
            self.problem(Problem::new(&pool.origin, what));
        }
        self.show("postgres.pool", pool.value.to_string(), &pool.origin);
        Some(PostgresLink {
            url: url.url(),
            shown: url.shown(),
            statement_timeout: statement_timeout.value,
            pool: pool.value,
        })
    }

    /// The URL of the first layer that has one; failing that, what the `PG*` variables describe.
    fn postgres_url(&mut self, layers: &[ProfileSection]) -> Option<(Postgres, Origin)> {
        let says = |section: &PostgresSection| section.url.is_some() || section.url_env.is_some();
        let Some(section) = layers
            .iter()
            .map(|layer| &*layer.postgres)
            .find(|section| says(section))
        else {
            let described = Postgres::of_environment(self.surroundings.environment)?;
            return Some((described, Origin::Variable("PG*".into())));
        };
        let (text, origin) = match (&section.url, &section.url_env) {
            (Some(_), Some(other)) => {
                let problem = Problem::new(&other.origin, "postgres.url and postgres.url_env exclude each other");
                self.problem(problem.next("keep one of them"));
                return None;
            }
            (Some(url), None) => (url.value.clone(), url.origin.clone()),
            (None, Some(variable)) => {
                let value = self.named_variable("postgres.url_env", variable)?;
                (value, Origin::Variable(variable.value.as_str().into()))
            }
            (None, None) => return None,
        };
        match Postgres::parse(&text) {
            Ok(url) => {
                if url.password().is_some() {
                    self.warn_of_inline("password", &origin);
                }
                Some((url, origin))
            }
            Err(bad) => {
                self.bad_url("postgres.url", &origin, &bad);
                None
            }
        }
    }

    fn named_variable(&mut self, key: &str, setting: &Setting<String>) -> Option<String> {
        let value = self.surroundings.variable(&setting.value).map(str::to_owned);
        if value.is_none() {
            let what = format!("the variable `{}` that {key} names is not set", setting.value);
            self.problem(Problem::new(&setting.origin, what).next("set it before the start"));
        }
        value
    }

    /// Puts in the password that a section gives; says where it is from.
    fn postgres_password(&mut self, layers: &[ProfileSection], url: &mut Postgres) -> Option<String> {
        let found = layers.iter().find_map(|layer| {
            let keys = SecretKeys {
                name: "password",
                inline: &layer.postgres.password,
                variable: &layer.postgres.password_env,
                file: &layer.postgres.password_file,
            };
            keys.is_given().then(|| self.secret(keys))
        })??;
        url.set_password(found.secret.expose_secret());
        Some(format!("password {}", found.told))
    }
}
