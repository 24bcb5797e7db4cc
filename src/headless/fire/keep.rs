//! `hookwatch fire --save-from`: a letter or sample as a template.

use std::io::Write;
use std::path::Path;

use super::{CommandError, FireContext, outcome};
use crate::act::fire::{Captured, Library, save as write};
use crate::headless::exit::DONE;

/// Makes a template called `name` of the first line of `file` and tells where it is. Returns the
/// exit code.
pub fn save(file: &Path, name: &str, context: &FireContext, out: &mut impl Write, err: &mut impl Write) -> u8 {
    outcome(keep(file, name, context, out), err)
}

fn keep(file: &Path, name: &str, context: &FireContext, out: &mut impl Write) -> Result<u8, CommandError> {
    let refused = |reason: String| CommandError::Refused(reason);
    let name_of_file = crate::base::text::safe(&file.display().to_string()).into_owned();
    let text = std::fs::read_to_string(file)
        .map_err(|error| refused(format!("read {name_of_file}: {error} → check path and rights")))?;
    let folder = context
        .templates
        .as_deref()
        .ok_or_else(|| refused("there is no folder for templates → set HOME or XDG_CONFIG_HOME".to_owned()))?;
    // A file is one object over several lines, or an object a line.
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let captured = Captured::parse(&name_of_file, &text).or_else(|_| Captured::parse(&name_of_file, first))?;
    let source = captured.template(name, &Library::load(context.templates.as_deref()))?;
    let path = write(folder, name, &source)?;
    writeln!(out, "{}", path.display())?;
    Ok(DONE)
}
