//! Keys: how they are read, refused and kept from sight.

use super::*;

/// A key that does not fit, the scheme and side it was given for, and what the error says of it.
const UNFIT: &[(&str, bool, &str, &str)] = &[
    ("standard-webhooks", true, "", "it is empty"),
    ("standard-webhooks", true, "   ", "it is empty"),
    ("standard-webhooks", true, "whsec_", "nothing follows whsec_"),
    ("standard-webhooks", true, "whsec_not base64!", "it is not base64"),
    ("standard-webhooks", true, "whsec_AAAA\n", "line break"),
    ("standard-webhooks", false, "whpk_AAAA", "it begins with whpk_"),
    ("svix", true, "whsk_AAAA", "it begins with whsk_"),
    ("standard-webhooks-ed25519", true, "whsec_AAAA", "it begins with whsec_"),
    ("standard-webhooks-ed25519", true, "whpk_AAAA", "it begins with whpk_"),
    ("standard-webhooks-ed25519", true, "whsk_AAAA", "3 bytes where 32 or 64"),
    ("standard-webhooks-ed25519", false, "whsk_AAAA", "it begins with whsk_"),
    (
        "telnyx",
        true,
        "9d61b19deffd5a60ba844af492ec2cc4",
        "24 bytes where 32 or 64",
    ),
    ("telnyx", true, "not a key", "neither hex nor base64"),
    (
        "telnyx",
        false,
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "private seed",
    ),
    ("telnyx", false, "KEY0123456789", "it is not base64"),
    ("telnyx", false, "AAAA", "3 bytes where 32"),
    (
        "telnyx",
        false,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "weak key",
    ),
    ("stripe", true, "sk_live_abc", "API key"),
    ("github", true, "", "it is empty"),
    ("github", true, "secret\n", "line break"),
    ("sendgrid", false, "SG.abc", "neither PEM nor base64"),
    ("sendgrid", false, "AAAA", "no public key"),
    ("sendgrid", true, "AAAA", "no private key"),
    (
        "sendgrid",
        true,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "no private key",
    ),
    (
        "sendgrid",
        true,
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        "no private key",
    ),
];

#[test]
fn an_unfit_key_is_refused_and_the_error_says_why() {
    for (scheme, signing, key, why) in UNFIT {
        let scheme: Scheme = scheme.parse().unwrap();
        let error = if *signing {
            Signer::new(&scheme, &secret(key)).map(|_| ()).unwrap_err()
        } else {
            Verifier::new(&scheme, &secret(key)).map(|_| ()).unwrap_err()
        }
        .to_string();
        assert!(error.contains(why) && error.contains(scheme.name()), "{error}");
        assert!(error.contains(" → "), "{error} names no next step");
        assert!(
            *key == "whsec_" || key.trim().is_empty() || !error.contains(key.trim()),
            "{error} quotes the key"
        );
    }
}

#[test]
fn stripe_takes_the_whole_secret_and_the_others_decode_what_follows_the_prefix() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let sign = |scheme, key| {
        let headers = Signer::new(&scheme, &secret(key)).unwrap().sign(&Message {
            id: "i",
            timestamp: Timestamp::UNIX_EPOCH,
            body: b"{}",
            url: "",
        });
        headers.last().unwrap().1.clone()
    };
    let bare = key.strip_prefix("whsec_").unwrap();
    assert_eq!(sign(Scheme::Svix, key), sign(Scheme::Svix, bare));
    assert_eq!(
        sign(Scheme::StandardWebhooks, key),
        sign(Scheme::StandardWebhooks, bare)
    );
    assert_ne!(sign(Scheme::Stripe, key), sign(Scheme::Stripe, bare));
}

#[test]
fn a_p256_key_is_read_from_every_form_it_comes_in() {
    use p256::pkcs8::EncodePrivateKey as _;
    let key = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let pkcs8 = key.to_pkcs8_pem(p256::pkcs8::LineEnding::LF).unwrap();
    let sec1 = codec::to_base64(&key.to_sec1_der().unwrap());
    for text in [pkcs8.to_string(), pkcs8.trim_end().replace('\n', "\\n"), sec1] {
        assert!(Signer::new(&Scheme::SendGrid, &secret(&text)).is_ok());
    }
}

#[test]
fn no_debug_text_shows_a_key() {
    for scheme in Scheme::all() {
        let pair = SecretPair::generate(&scheme, &mut SmallRng::seed_from_u64(9));
        let signer = Signer::new(&scheme, &pair.signing).unwrap();
        let verifier = Verifier::new(&scheme, &pair.verifying).unwrap();
        let text = format!("{signer:?} {verifier:?} {pair:?}");
        assert!(!text.contains(pair.signing.expose_secret()), "{text}");
        assert!(!text.contains(pair.verifying.expose_secret()), "{text}");
    }
}

#[test]
fn the_same_seed_generates_the_same_pair() {
    for scheme in Scheme::all() {
        let key = |seed| SecretPair::generate(&scheme, &mut SmallRng::seed_from_u64(seed)).signing;
        assert_eq!(key(5).expose_secret(), key(5).expose_secret());
        assert_ne!(key(5).expose_secret(), key(6).expose_secret());
    }
}
