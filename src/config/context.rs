//! Contexts of the NATS CLI: `nats/context/<name>.json` in the configuration folder, and the
//! selected one's name in `nats/context.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::document::{Key, Setting};
use super::paths::Surroundings;
use super::problem::{Origin, Problem, suggest};
use super::schema::NatsSection;
use crate::base::text;

/// Fields that change where or how one connects and that are not supported. Each with a next step.
const UNSUPPORTED: [(&str, &str); 3] = [
    (
        "nsc",
        "write the user's credentials with `nsc generate creds` and name them in `creds`",
    ),
    ("socks_proxy", "connect without the proxy, or through a tunnel"),
    ("windows_cert_store", "name files in `cert` and `key`"),
];

/// The name of the context that the NATS CLI has selected.
pub(super) fn selected(surroundings: &Surroundings<'_>) -> Option<String> {
    let file = surroundings.config_folder()?.join("nats").join("context.txt");
    let name = fs::read_to_string(file).ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads the context `name`, which `asked` names.
pub(super) fn load(name: &str, asked: &Origin, surroundings: &Surroundings<'_>) -> Result<NatsSection, Vec<Problem>> {
    let shown = text::safe(name).into_owned();
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(vec![Problem::new(
            asked,
            format!("`{shown}` is no name of a NATS context"),
        )]);
    }
    let Some(folder) = surroundings
        .config_folder()
        .map(|folder| folder.join("nats").join("context"))
    else {
        let what = format!("cannot look for the NATS context `{shown}`: there is no home folder");
        return Err(vec![Problem::new(asked, what).next("set HOME or XDG_CONFIG_HOME")]);
    };
    let file = folder.join(format!("{name}.json"));
    let source = fs::read_to_string(&file).map_err(|error| {
        let known = names(&folder);
        let what = format!("cannot read the NATS context `{shown}` ({}): {error}", file.display());
        let next = if known.is_empty() {
            "there is no context: `nats context add` makes one, and --nats does without".to_owned()
        } else {
            suggest(name, known.iter().map(String::as_str))
        };
        vec![Problem::new(asked, what).next(next)]
    })?;
    let origin = Origin::Context(name.into(), Arc::from(file.as_path()));
    read(&source, &origin)
}

/// The names of the contexts there are.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path: PathBuf = entry.ok()?.path();
            let is_json = path.extension().is_some_and(|extension| extension == "json");
            is_json.then(|| path.file_stem()?.to_str().map(str::to_owned)).flatten()
        })
        .collect();
    names.sort();
    names
}

fn read(source: &str, origin: &Origin) -> Result<NatsSection, Vec<Problem>> {
    let object = match serde_json::from_str(source) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(vec![Problem::new(origin, "not a JSON object")]),
        Err(error) => return Err(vec![Problem::new(origin, format!("not JSON: {error}"))]),
    };
    let mut fields = Fields {
        object,
        origin,
        problems: Vec::new(),
    };
    let section = NatsSection {
        url: fields
            .string("url")
            .map(|url| Setting::new(vec![url.value], url.origin)),
        user: fields.string("user"),
        password: fields.string("password"),
        creds: fields.string("creds"),
        nkey: fields.string("nkey"),
        user_jwt: fields.string("user_jwt"),
        user_seed: fields.string("user_seed"),
        token: fields.string("token"),
        ca: fields.string("ca"),
        cert: fields.string("cert"),
        key: fields.string("key"),
        tls_first: fields.boolean("tls_first"),
        inbox_prefix: fields.string("inbox_prefix"),
        jetstream_domain: fields.string("jetstream_domain"),
        jetstream_api_prefix: fields.string("jetstream_api_prefix"),
        ..NatsSection::default()
    };
    for (field, next) in UNSUPPORTED {
        if fields.string(field).is_some() {
            let problem = Problem::new(origin, format!("its `{field}` is not supported")).next(next);
            fields.problems.push(problem);
        }
    }
    if fields.problems.is_empty() {
        Ok(section)
    } else {
        Err(fields.problems)
    }
}

/// The fields of a context. Values are never quoted: they may be secrets.
struct Fields<'a> {
    object: Map<String, Value>,
    origin: &'a Origin,
    problems: Vec<Problem>,
}

impl Fields<'_> {
    /// A text; the CLI writes an empty one for what is not set.
    fn string(&mut self, name: &str) -> Key<String> {
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(Setting::new(text.clone(), self.origin.clone())),
            Some(_) => self.wrong(name, "a string"),
        }
    }

    fn boolean(&mut self, name: &str) -> Key<bool> {
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(value)) => Some(Setting::new(*value, self.origin.clone())),
            Some(_) => self.wrong(name, "true or false"),
        }
    }

    fn wrong<T>(&mut self, name: &str, wanted: &str) -> Key<T> {
        let problem = Problem::new(self.origin, format!("`{name}` wants {wanted}"));
        self.problems.push(problem);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin::Context("c".into(), Path::new("/c.json").into())
    }

    #[test]
    fn empty_fields_and_foreign_fields_are_as_good_as_absent() {
        let section = read(
            r#"{"description":"x","url":"nats://a","token":"","user":"","tls_first":false,"color_scheme":"blue","nsc":""}"#,
            &origin(),
        )
        .unwrap();
        assert_eq!(section.url.as_ref().unwrap().value, ["nats://a"]);
        assert!(section.token.is_none() && section.user.is_none());
        assert!(section.login().is_none());
    }

    #[test]
    fn a_wrong_context_is_reported_without_its_values() {
        let problems = read(
            r#"{"token":["hunter2"],"tls_first":"hunter2","nsc":"hunter2"}"#,
            &origin(),
        )
        .unwrap_err();
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert!(shown.iter().all(|text| !text.contains("hunter2")), "{shown:?}");
        assert!(shown[0].ends_with("`token` wants a string"), "{shown:?}");
        assert!(shown[1].ends_with("`tls_first` wants true or false"), "{shown:?}");
        assert!(
            shown[2].contains("`nsc` is not supported → write the user's credentials"),
            "{shown:?}"
        );
        let problems = read("\"hunter2\"", &origin()).unwrap_err();
        assert!(problems[0].to_string().ends_with("not a JSON object"));
        let problems = read("{\n\"url\": hunter2}", &origin()).unwrap_err();
        assert!(
            problems[0].to_string().contains("not JSON: expected value at line 2"),
            "{}",
            problems[0]
        );
    }
}
