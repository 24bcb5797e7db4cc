//! The console's own files: what was kept of the run before, keys, themes.

use std::io;
use std::path::{Path, PathBuf};

use crate::console::glyph::Charset;
use crate::console::kept::Kept;
use crate::console::keymap::Keymap;
use crate::console::theme::colour::Depth;
use crate::console::theme::{Library, Theme, ThemeError};

/// What was kept of the run before. A file that is not there keeps nothing.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load_kept(file: &Path) -> Result<Kept, String> {
    let named = |problem: String| {
        format!(
            "{}: {problem} → it is left out, and written anew at the end",
            file.display()
        )
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Kept::parse(&text).map_err(named),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(named(error.to_string())),
    }
}

/// The keymap of a file. A file that is not there changes nothing. Returns also what was refused.
#[must_use]
pub fn load_keymap(file: &Path) -> (Keymap, Vec<String>) {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let (keymap, errors) = Keymap::with_file(&file.display().to_string(), &text);
            (keymap, errors.iter().map(ToString::to_string).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Keymap::default(), Vec::new()),
        Err(error) => (Keymap::default(), vec![format!("{}: {error}", file.display())]),
    }
}

/// Keeps it. Whoever cannot write there has lost a sort order, not a console.
pub(super) fn save_kept(file: &Path, kept: &Kept) {
    let write = || {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Written aside, then renamed: two consoles that end together leave one whole file.
        let aside = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&aside, kept.text())?;
        std::fs::rename(&aside, file)
    };
    if let Err(error) = write() {
        tracing::warn!(%error, file = %file.display(), "keep the console's choices");
    }
}

/// A user's theme file is refused above this size, bytes.
const LARGEST: u64 = 256 * 1024;

/// Adds the `*.toml` files of a folder to the themes. A folder that does not exist holds none.
/// Returns what was refused and why; the others work.
#[must_use]
pub fn add_user_themes(library: &mut Library, folder: &Path) -> Vec<ThemeError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![unreadable(folder, &error)],
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let size = std::fs::metadata(&path).map(|metadata| metadata.len());
        match size.and_then(|size| {
            if size > LARGEST {
                Err(io::ErrorKind::FileTooLarge.into())
            } else {
                std::fs::read_to_string(&path)
            }
        }) {
            Ok(text) => files.push((path, text)),
            Err(error) => errors.push(unreadable(&path, &error)),
        }
    }
    errors.extend(library.add_files(files.iter().map(|(path, text)| (path.as_path(), text.as_str()))));
    errors
}

fn unreadable(path: &Path, reason: &io::Error) -> ThemeError {
    ThemeError {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        problem: format!("cannot be read: {reason}"),
        nearest: None,
    }
}

/// Every theme for this terminal, in the order of their names.
pub(super) fn resolve(
    library: &Library,
    first: &str,
    depth: Depth,
    charset: Charset,
) -> Result<Vec<Theme>, ThemeError> {
    library.theme(first, depth, charset)?;
    library
        .names()
        .iter()
        .map(|name| library.theme(name, depth, charset))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_themes_of_a_folder_are_added_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
        write("mine.toml", b"inherits = \"dark\"\n");
        write("notes.txt", b"not a theme");
        write("odd.toml", b"\xff\xfe");
        write("vast.toml", &vec![b'#'; 300 * 1024]);
        let mut library = Library::embedded().unwrap();
        let errors = add_user_themes(&mut library, folder.path());
        assert!(library.theme("mine", Depth::True, Charset::Unicode).is_ok());
        let named: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(
            named[0].contains("odd.toml: cannot be read") && named[1].contains("vast.toml: cannot be read"),
            "{named:?}"
        );
        assert!(add_user_themes(&mut library, &folder.path().join("missing")).is_empty());
    }

    #[test]
    fn what_is_kept_is_there_in_the_next_run_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("console.toml");
        assert_eq!(load_kept(&file), Ok(Kept::default()));
        let kept = Kept {
            theme: Some("light".to_owned()),
            ..Kept::default()
        };
        save_kept(&file, &kept);
        assert_eq!(load_kept(&file), Ok(kept));
        std::fs::write(&file, "theme = [").unwrap();
        let error = load_kept(&file).unwrap_err();
        assert!(error.contains("console.toml: line 1: "), "{error}");
    }
}
