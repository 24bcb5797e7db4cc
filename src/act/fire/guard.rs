//! What a profile lets be fired, and where.

use super::error::{GuardError, Refusal};
use super::target::host_of;
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::config::{Fire, Profile};

/// Whether something may be fired at `url`. Elsewhere than on this machine, a webhook may do real harm.
///
/// # Errors
/// Why not, or that it has to be confirmed first.
pub fn guard(url: &str, is_load: bool, confirmed: bool, profile: &Profile) -> Result<(), GuardError> {
    let shown = text::safe(&strip_url_credentials(url)).into_owned();
    let host = host_of(url)?;
    if profile.read_only {
        return Err(Refusal::ReadOnly(shown).into());
    }
    if profile.protected && is_load {
        return Err(Refusal::Protected(shown).into());
    }
    if host.is_loopback || confirmed || is_listed(url, &host.name, &profile.fire) {
        return Ok(());
    }
    Err(Refusal::Unconfirmed {
        target: shown,
        host: host.name,
    }
    .into())
}

fn is_listed(url: &str, host: &str, fire: &Fire) -> bool {
    let own = fire.url.as_deref().and_then(|own| host_of(own).ok());
    if own.is_some_and(|own| own.name == host) {
        return true;
    }
    fire.allow.iter().any(|entry| {
        if !entry.contains("://") {
            return entry.eq_ignore_ascii_case(host);
        }
        // A beginning ends where a part of a URL ends: https://a.example is not https://a.example.org.
        let rest = url.strip_prefix(entry.as_str());
        rest.is_some_and(|rest| entry.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?', '#', ':']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(url: Option<&str>, allow: &[&str]) -> Profile {
        let mut profile = Profile::empty("p");
        profile.fire.url = url.map(ToOwned::to_owned);
        profile.fire.allow = allow.iter().map(|entry| (*entry).to_owned()).collect();
        profile
    }

    fn is_free(url: &str, profile: &Profile) -> bool {
        guard(url, false, false, profile).is_ok()
    }

    #[test]
    fn this_machine_and_what_the_profile_lists_need_no_confirmation() {
        let listed = profile(
            Some("https://gw.example/{provider}"),
            &["Hooks.example", "https://a.example/in", "https://b.example"],
        );
        for url in [
            "http://localhost/x",
            "http://[::1]:1/",
            "https://gw.example/telnyx",
            "http://hooks.example:81/",
            "https://a.example/in/1",
            "https://b.example:8443/",
        ] {
            assert!(is_free(url, &listed), "{url}");
        }
        for url in [
            "https://b.example.org/",
            "https://a.example/inside",
            "https://other.example/",
            "http://192.0.2.1/",
        ] {
            assert!(!is_free(url, &listed), "{url}");
            assert!(guard(url, true, true, &listed).is_ok(), "{url} confirmed");
        }
    }

    #[test]
    fn a_protected_profile_takes_no_load_and_a_read_only_one_nothing() {
        let mut guarded = profile(None, &[]);
        guarded.protected = true;
        assert!(guard("http://localhost/", false, false, &guarded).is_ok());
        let error = guard("http://localhost/", true, true, &guarded).unwrap_err();
        assert!(error.to_string().contains("takes no load"), "{error}");
        guarded.read_only = true;
        let error = guard("http://localhost/", false, true, &guarded).unwrap_err();
        assert!(error.to_string().contains("read-only"), "{error}");
    }
}
