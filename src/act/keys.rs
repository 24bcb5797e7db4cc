//! Keys of a profile that letters can be signed with anew.

use secrecy::ExposeSecret as _;

use super::fire::{Library, SecretSource};
use super::letters::SignAs;
use crate::base::secret::Redactor;
use crate::base::text;
use crate::config::{Environment, Fire, Profile};
use crate::signature::{Scheme, Signer};

/// The keys of a profile that letters can be signed with: with the scheme that the profile names,
/// else as the provider's templates do.
#[must_use]
pub fn keys(fire: &Fire, library: &Library) -> Vec<SignAs> {
    let scheme = |provider: &String| {
        let usual = || {
            let mut templates = library.templates();
            let template = templates.find(|template| **template.provider() == **provider)?;
            Some(template.scheme().to_string().into())
        };
        fire.schemes
            .get(provider)
            .map(|scheme| scheme.as_str().into())
            .or_else(usual)
    };
    let key = |provider: &String| {
        Some(SignAs {
            provider: provider.as_str().into(),
            scheme: scheme(provider)?,
        })
    };
    fire.secrets.keys().filter_map(key).collect()
}

/// Whether a key signs by the scheme of this name, whatever header it writes to.
#[must_use]
pub fn is_of(sign: &SignAs, scheme: &str) -> bool {
    sign.scheme.parse::<Scheme>().is_ok_and(|known| known.name() == scheme)
}

/// What signs with a key of the profile, which is read now, and a redactor that knows it.
/// `to_gateway`: whether letters go to a URL.
///
/// # Errors
/// Why it cannot. A key is never quoted.
pub fn signer(
    sign: &SignAs,
    to_gateway: bool,
    profile: &Profile,
    environment: &Environment,
) -> Result<(Signer, Redactor), String> {
    let provider = text::safe(&sign.provider);
    let wrong = |error: &dyn std::fmt::Display| format!("sign as {provider}: {error}");
    let place = profile.fire.secrets.get(&*sign.provider);
    let place = place.ok_or_else(|| format!("no key of {provider} is configured → name it in fire.secrets"))?;
    let scheme: Scheme = sign.scheme.parse().map_err(|error| wrong(&error))?;
    if scheme == Scheme::Twilio && !to_gateway {
        return Err("twilio signs the URL that is requested → choose a gateway as the target".to_owned());
    }
    let secret = SecretSource::from(place)
        .read(environment)
        .map_err(|error| wrong(&error))?;
    let signer = Signer::new(&scheme, &secret).map_err(|error| wrong(&error))?;
    let mut redactor = profile.redactor.clone();
    redactor.learn(secret.expose_secret());
    // A receiver may quote a key without its prefix.
    if let Some((_, bare)) = secret.expose_secret().split_once('_') {
        redactor.learn(bare);
    }
    Ok((signer, redactor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretPlace;

    fn profile(provider: &str, scheme: Option<&str>) -> Profile {
        let mut profile = Profile::empty("p");
        let place = SecretPlace::Variable("KEY".to_owned());
        profile.fire.secrets.insert(provider.to_owned(), place);
        let scheme = scheme.map(|scheme| (provider.to_owned(), scheme.to_owned()));
        profile.fire.schemes.extend(scheme);
        profile
    }

    fn sign(provider: &str, scheme: &str) -> SignAs {
        SignAs {
            provider: provider.into(),
            scheme: scheme.into(),
        }
    }

    #[test]
    fn a_key_signs_as_the_profile_says_else_as_its_providers_templates_do() {
        let library = Library::load(None);
        let stripe = keys(&profile("stripe", None).fire, &library);
        assert_eq!(stripe, [sign("stripe", "stripe")]);
        let own = keys(&profile("acme", Some("hmac-sha256-hex:X-Acme")).fire, &library);
        assert_eq!(own, [sign("acme", "hmac-sha256-hex:X-Acme")]);
        assert!(is_of(&own[0], "hmac-sha256-hex") && !is_of(&stripe[0], "hmac-sha256-hex"));
        assert_eq!(keys(&profile("nobody", None).fire, &library), [], "nobody knows how");
    }

    #[test]
    fn what_cannot_sign_says_why_and_quotes_no_key() {
        let twilio = sign("twilio", "twilio");
        let environment = Environment::from([("KEY".to_owned(), "s3cret-of-mine".to_owned())]);
        let ask = |sign: &SignAs, to_gateway, environment: &Environment| {
            signer(sign, to_gateway, &profile(&sign.provider, None), environment)
        };
        assert!(ask(&twilio, true, &environment).is_ok());
        let no_url = ask(&twilio, false, &environment).unwrap_err();
        assert!(no_url.contains("choose a gateway"), "{no_url}");
        let unset = ask(&twilio, true, &Environment::new()).unwrap_err();
        assert!(unset.contains("variable KEY is not set"), "{unset}");
        let bad = ask(&sign("telnyx", "telnyx"), true, &environment).unwrap_err();
        assert!(bad.starts_with("sign as telnyx: ") && !bad.contains("s3cret"), "{bad}");
        let (_, redactor) = ask(&twilio, true, &environment).unwrap();
        assert!(!redactor.clean("it says s3cret-of-mine").contains("s3cret"));
    }
}
