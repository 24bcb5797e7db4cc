//! All templates: those within the binary, and a folder of the user's own that override them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use include_dir::{Dir, include_dir};

use super::template::{Template, TemplateError};
use crate::base::text;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/act/fire/templates");

/// Templates by name.
type Templates = BTreeMap<Arc<str>, Arc<Template>>;

/// Those within the binary, read when somebody first asks for a template: most consoles fire
/// nothing. A test reads each of them.
static WITHIN: LazyLock<Templates> = LazyLock::new(|| {
    let parsed = EMBEDDED.files().filter_map(|file| {
        let name = file.path().display().to_string();
        Template::parse(&name, file.contents_utf8()?).ok()
    });
    parsed
        .map(|template| (template.name().clone(), Arc::new(template)))
        .collect()
});

/// Files larger than this are no templates.
const LARGEST: u64 = 1 << 20;

/// All templates: those within the binary, and those of the user's folder.
#[derive(Clone, Debug, Default)]
pub struct Library {
    own: Templates,
    broken: Vec<TemplateError>,
}

impl Library {
    /// The templates within the binary, and those of `folder` in their place where names are
    /// equal. A file that cannot be used hurts no other: see [`Library::broken`]. A folder that
    /// does not exist is an empty one.
    #[must_use]
    pub fn load(folder: Option<&Path>) -> Self {
        let mut library = Self::default();
        if let Some(folder) = folder {
            library.add_folder(folder);
        }
        library
    }

    fn add_folder(&mut self, folder: &Path) {
        let shown = folder.display().to_string();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                return self.broken.push(unreadable(&shown, &error));
            }
        };
        let mut files: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        for path in files {
            let shown = path.display().to_string();
            match read(&path, &shown).and_then(|source| Template::parse(&shown, &source)) {
                Ok(template) => {
                    self.own.insert(template.name().clone(), Arc::new(template));
                }
                Err(error) => self.broken.push(error),
            }
        }
    }

    /// Every template, by name.
    pub fn templates(&self) -> impl Iterator<Item = &Arc<Template>> {
        let mut all: BTreeMap<_, _> = WITHIN.iter().collect();
        all.extend(&self.own);
        all.into_values()
    }

    /// Whether the template of that name is the user's own, not one of those within the binary.
    #[must_use]
    pub fn is_own(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    /// What could not be read.
    #[must_use]
    pub fn broken(&self) -> &[TemplateError] {
        &self.broken
    }

    /// The template of a name, or the only one of a provider.
    ///
    /// # Errors
    /// When there is none, with the nearest name or a file that could not be read.
    pub fn get(&self, name: &str) -> Result<&Arc<Template>, TemplateError> {
        if let Some(template) = self.own.get(name).or_else(|| WITHIN.get(name)) {
            return Ok(template);
        }
        let mut of_provider = self.templates().filter(|template| &**template.provider() == name);
        match (of_provider.next(), of_provider.next()) {
            (Some(only), None) => return Ok(only),
            (Some(_), Some(_)) => {
                return Err(TemplateError::new(
                    name,
                    None,
                    "that provider has several",
                    format!("name one of {}", self.names_of(name).join(", ")),
                ));
            }
            _ => {}
        }
        // The file's own name: the folder's says nothing.
        let is_of = |error: &&TemplateError| {
            let stem = Path::new(&error.template).file_stem();
            stem.is_some_and(|stem| stem.to_string_lossy().contains(name))
        };
        if let Some(broken) = self.broken.iter().find(is_of) {
            return Err(broken.clone());
        }
        let nearest = self
            .templates()
            .map(|known| (strsim::jaro_winkler(known.name(), name), known.name()))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let next = nearest.map_or_else(
            || "list them with fire --list".to_owned(),
            |(_, known)| format!("did you mean {known}?"),
        );
        let shown = text::cut(name, 80);
        Err(TemplateError::new(&shown, None, "there is no such template", next))
    }

    fn names_of(&self, provider: &str) -> Vec<&str> {
        self.templates()
            .filter(|template| &**template.provider() == provider)
            .map(|template| &**template.name())
            .collect()
    }
}

/// A template's file.
///
/// # Errors
/// When it cannot be read.
fn read(path: &Path, shown: &str) -> Result<String, TemplateError> {
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(shown, &error))?
        .len();
    if size > LARGEST {
        return Err(TemplateError::new(
            shown,
            None,
            format!("it has {}", text::bytes(size)),
            "a template has at most 1 MiB",
        ));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(shown, &error))
}

fn unreadable(shown: &str, error: &std::io::Error) -> TemplateError {
    TemplateError::new(
        shown,
        None,
        format!("it cannot be read: {error}"),
        "check its rights and encoding",
    )
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::act::fire::template::BodyKind;
    use crate::base::time::Timestamp;

    const EXPECTED: [&str; 17] = [
        "generic",
        "github.ping",
        "github.push",
        "resend.email.bounced",
        "resend.email.complained",
        "resend.email.delivered",
        "resend.email.sent",
        "sendgrid.events",
        "shopify.orders/create",
        "slack.event_callback",
        "standard-webhooks.contact.created",
        "stripe.charge.failed",
        "stripe.payment_intent.succeeded",
        "telnyx.message.finalized",
        "telnyx.message.received",
        "telnyx.message.sent",
        "twilio.status_callback",
    ];

    #[test]
    fn every_embedded_template_is_usable() {
        let library = Library::load(None);
        assert_eq!(library.broken(), []);
        let names: Vec<_> = library
            .templates()
            .map(|template| template.name().to_string())
            .collect();
        assert_eq!(names, EXPECTED);
    }

    #[test]
    fn every_embedded_webhook_says_its_event_and_its_id() {
        for template in Library::load(None).templates() {
            let webhook = template.render(41, Timestamp::UNIX_EPOCH, &mut SmallRng::seed_from_u64(4));
            let everything = format!("{:?} {}", webhook.headers, webhook.body);
            let scheme = template.scheme().name();
            // Their webhooks have no field for it: a form of statuses, an array of events.
            let has_event = !["twilio", "sendgrid"].contains(&scheme);
            assert!(
                !has_event || everything.contains(&**template.event()),
                "{template}: {everything}"
            );
            // These carry it in the headers of the signature.
            let signs_id = ["svix", "standard-webhooks"].contains(&scheme);
            assert!(signs_id || everything.contains(&webhook.id), "{template}: {everything}");
            if template.kind() == BodyKind::Object {
                let value: serde_json::Value = serde_json::from_str(&webhook.body).unwrap();
                match &**template.provider() {
                    "telnyx" => assert_eq!(value["data"]["id"], webhook.id),
                    "stripe" | "generic" => assert_eq!(value["id"], webhook.id),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_folder_overrides_by_name_and_a_broken_file_hurts_no_other() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("mine.toml"),
            "provider='github'\nevent='ping'\nscheme='github'\nbody='{\"mine\": true}'\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("broken.toml"), "provider='x'\nbody='{{nope}}'\n").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no template").unwrap();
        let library = Library::load(Some(folder.path()));
        assert_eq!(library.templates().count(), EXPECTED.len());
        let ping = library.get("github.ping").unwrap();
        let webhook = ping.render(0, Timestamp::UNIX_EPOCH, &mut SmallRng::seed_from_u64(0));
        assert_eq!(webhook.body, r#"{"mine":true}"#);
        assert_eq!(library.broken().len(), 1);
        assert!(library.broken()[0].template.ends_with("broken.toml"));
        assert!(library.get("broken").unwrap_err().template.ends_with("broken.toml"));
        assert_eq!(Library::load(Some(Path::new("/does/not/exist"))).broken(), []);
    }

    #[test]
    fn a_name_that_is_none_leads_to_the_nearest() {
        let library = Library::load(None);
        let error = |name| library.get(name).unwrap_err().to_string();
        assert!(error("telnyx.mesage.sent").contains("did you mean telnyx.message.sent?"));
        assert!(error("nothing-alike").contains("fire --list"));
        assert!(error("github").contains("github.ping, github.push"));
        assert_eq!(&**library.get("slack").unwrap().name(), "slack.event_callback");
    }
}
