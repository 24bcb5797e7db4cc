//! From what a person asks for to what is fired: template, fields, target, scheme, key.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::error::PlanError;
use super::library::Library;
use super::mix::Entry;
use super::template::{Template, TemplateError};
use crate::base::secret::Redactor;
use crate::base::text;
use crate::config::{Environment, Fire, SecretPlace};

/// Where a signing key comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// An environment variable.
    Variable(String),
    /// A file; its last line end does not count.
    File(PathBuf),
    /// Given as it is, which others may have seen.
    Given(SecretString),
}

impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Variable(ours), Self::Variable(theirs)) => ours == theirs,
            (Self::File(ours), Self::File(theirs)) => ours == theirs,
            (Self::Given(ours), Self::Given(theirs)) => ours.expose_secret() == theirs.expose_secret(),
            _ => false,
        }
    }
}

impl From<&SecretPlace> for SecretSource {
    fn from(place: &SecretPlace) -> Self {
        match place {
            SecretPlace::Variable(name) => Self::Variable(name.clone()),
            SecretPlace::File(path) => Self::File(path.clone()),
        }
    }
}

/// What a person asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    /// The template's name.
    pub template: String,
    /// The URL; `None`: the profile's.
    pub to: Option<String>,
    /// Another scheme than the profile's or the template's.
    pub scheme: Option<String>,
    /// The signing key; `None`: the profile's.
    pub secret: Option<SecretSource>,
    /// Another body than the template's; placeholders are filled in.
    pub body: Option<String>,
    /// `path=value`, in this order.
    pub set: Vec<String>,
}

/// What is fired, and at whom.
#[derive(Clone, Debug)]
pub struct Composed {
    /// The template with its fields set, and its signer.
    pub entry: Entry,
    /// The URL.
    pub url: String,
    /// Knows the key.
    pub redactor: Redactor,
    /// What is allowed but unwise, one line each.
    pub notices: Vec<String>,
}

/// Why nothing can be fired.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Neither asked for nor in the profile.
    #[error("target: none is named → give --to URL, or set fire.url in the profile")]
    NoTarget,
    /// A variable that is not there.
    #[error("variable {0} is not set → export it")]
    NoVariable(String),
    /// A file that cannot be read.
    #[error("read secret {path}: {reason} → check path and rights")]
    SecretFile {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// An assignment that is none.
    #[error("set {0}: there is no = in it → give path=value")]
    Assignment(String),
    /// No such template, or no such place in it.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A key or scheme that does not fit.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Order {
    /// The template with its body and fields set.
    ///
    /// # Errors
    /// When there is no such template, or no such place in it, or the body is not of its kind.
    pub fn template(&self, library: &Library) -> Result<Arc<Template>, OrderError> {
        let mut template = library.get(&self.template)?.clone();
        if let Some(body) = &self.body {
            template = Arc::new(template.edit(body)?);
        }
        for assignment in &self.set {
            let (path, value) = assignment
                .split_once('=')
                .ok_or_else(|| OrderError::Assignment(text::safe(assignment).into_owned()))?;
            template = Arc::new(template.set(path, value)?);
        }
        Ok(template)
    }

    /// The URL and the scheme that this order or the profile names, for a provider.
    #[must_use]
    pub fn directions(&self, fire: &Fire, provider: &str) -> (Option<String>, Option<String>) {
        let configured = || fire.url.as_ref().map(|url| url.replace("{provider}", provider));
        let scheme = self.scheme.as_ref().or_else(|| fire.schemes.get(provider));
        (self.to.clone().or_else(configured), scheme.cloned())
    }

    /// Where the key is that signs it; `None`: nowhere, it is not signed.
    #[must_use]
    pub fn key(&self, fire: &Fire, provider: &str) -> Option<SecretSource> {
        let configured = || fire.secrets.get(provider).map(SecretSource::from);
        self.secret.clone().or_else(configured)
    }

    /// Finds the template, sets its fields and reads the key.
    ///
    /// # Errors
    /// What is wrong with it. A key is never quoted.
    pub fn compose(
        &self,
        library: &Library,
        fire: &Fire,
        known: &Redactor,
        environment: &Environment,
    ) -> Result<Composed, OrderError> {
        let template = self.template(library)?;
        let provider = template.provider().to_string();
        let (url, scheme) = self.directions(fire, &provider);
        let url = url.ok_or(OrderError::NoTarget)?;
        let scheme = scheme.as_deref();
        let mut redactor = known.clone();
        let mut notices = Vec::new();
        let entry = match self.key(fire, &provider) {
            Some(source) => {
                let secret = source.read(environment)?;
                redactor.learn(secret.expose_secret());
                // A receiver may quote a key without its prefix.
                if let Some((_, bare)) = secret.expose_secret().split_once('_') {
                    redactor.learn(bare);
                }
                if matches!(source, SecretSource::Given(_)) {
                    notices.push("a secret on the command line is seen by others → use --secret-env".to_owned());
                }
                Entry::signed(template, scheme, &secret)?
            }
            None => {
                let scheme = scheme.unwrap_or(template.scheme().name());
                notices.push(format!(
                    "not signed, no key is given → name the variable that holds it (--secret-env) to sign as {}",
                    text::safe(scheme)
                ));
                Entry::unsigned(template)
            }
        };
        Ok(Composed {
            entry,
            url,
            redactor,
            notices,
        })
    }
}

impl SecretSource {
    /// The secret.
    ///
    /// # Errors
    /// When the variable is not set, or the file cannot be read.
    pub fn read(&self, environment: &Environment) -> Result<SecretString, OrderError> {
        match self {
            Self::Variable(name) => environment
                .get(name)
                .map(|value| SecretString::from(value.clone()))
                .ok_or_else(|| OrderError::NoVariable(text::safe(name).into_owned())),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|content| SecretString::from(content.trim_end_matches(['\n', '\r'])))
                .map_err(|error| OrderError::SecretFile {
                    path: text::safe(&path.display().to_string()).into_owned(),
                    reason: error.to_string(),
                }),
            Self::Given(secret) => Ok(secret.clone()),
        }
    }
}
