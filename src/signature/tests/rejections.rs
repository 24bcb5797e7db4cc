//! What is no longer what was signed is rejected, and why is said.

use super::*;

#[test]
fn a_changed_body_is_rejected() {
    for mut exchange in exchanges() {
        let headers = exchange.headers();
        assert_eq!(exchange.verify(&headers), Ok(()), "{}", exchange.signer.scheme());
        exchange.body.push(b'x');
        assert_eq!(
            exchange.verify(&headers),
            Err(Rejection::Mismatch),
            "{}",
            exchange.signer.scheme()
        );
    }
}

#[test]
fn a_changed_url_is_rejected_where_it_is_signed() {
    for mut exchange in exchanges() {
        let headers = exchange.headers();
        exchange.url.insert("https://example.com/".len(), 'x');
        let expected = match exchange.signer.scheme() {
            Scheme::Twilio => Err(Rejection::Mismatch),
            _ => Ok(()),
        };
        assert_eq!(exchange.verify(&headers), expected);
    }
}

#[test]
fn a_changed_timestamp_is_rejected_where_it_is_signed() {
    for exchange in exchanges() {
        let changed: Vec<_> = exchange
            .headers()
            .into_iter()
            .map(|(name, value)| (name, value.replace("1700000000", "1700000001")))
            .collect();
        let expected = if exchange.signer.scheme().has_timestamp() {
            Err(Rejection::Mismatch)
        } else {
            Ok(())
        };
        assert_eq!(exchange.verify(&changed), expected, "{}", exchange.signer.scheme());
    }
}

#[test]
fn a_changed_id_is_rejected_where_it_is_signed() {
    for exchange in exchanges() {
        let changed: Vec<_> = exchange
            .headers()
            .into_iter()
            .map(|(name, value)| (name, value.replace("msg_1", "msg_2")))
            .collect();
        let signs_id = matches!(
            exchange.signer.scheme(),
            Scheme::StandardWebhooks | Scheme::StandardWebhooksEd25519 | Scheme::Svix
        );
        let expected = if signs_id { Err(Rejection::Mismatch) } else { Ok(()) };
        assert_eq!(exchange.verify(&changed), expected, "{}", exchange.signer.scheme());
    }
}

#[test]
fn a_signature_of_another_key_is_rejected() {
    for scheme in Scheme::all() {
        let ours = Exchange::new(&scheme, 1, b"{}", "application/json");
        let theirs = Exchange::new(&scheme, 2, b"{}", "application/json");
        assert_eq!(ours.verify(&theirs.headers()), Err(Rejection::Mismatch), "{scheme}");
    }
}

#[test]
fn a_missing_header_is_named() {
    for exchange in exchanges() {
        let headers = exchange.headers();
        for left_out in 0..headers.len() {
            let mut headers = headers.clone();
            let (name, _) = headers.remove(left_out);
            match exchange.verify(&headers) {
                Err(Rejection::Missing { header }) => {
                    assert!(header.eq_ignore_ascii_case(&name), "{header} for {name}");
                }
                other => panic!("{}: {other:?} without {name}", exchange.signer.scheme()),
            }
        }
    }
}

#[test]
fn a_timestamp_outside_the_tolerance_is_stale_in_both_directions() {
    for exchange in exchanges().filter(|exchange| exchange.signer.scheme().has_timestamp()) {
        let headers = exchange.headers();
        for (offset, fresh) in [(300, true), (-300, true), (301, false), (-301, false), (86_400, false)] {
            let now = Timestamp::from_second(exchange.at.as_second() + offset).unwrap();
            let expected = if fresh {
                Ok(())
            } else {
                Err(Rejection::Stale {
                    age_s: offset,
                    tolerance_s: 300,
                })
            };
            assert_eq!(exchange.verify_at(&headers, now), expected);
        }
    }
    let stale = |age_s| Rejection::Stale {
        age_s,
        tolerance_s: 300,
    };
    assert_eq!(
        stale(301).to_string(),
        "the timestamp is 301 s old, 300 s are tolerated"
    );
    assert_eq!(
        stale(-400).to_string(),
        "the timestamp is 400 s ahead, 300 s are tolerated"
    );
}

#[test]
fn garbage_in_a_signature_header_is_malformed() {
    let garbage = ["", "x", "v1", "v1,", "sha256=zz", "t=1700000000", "v1,====", "\u{fffd}"];
    for exchange in exchanges() {
        for garbage in garbage {
            let headers: Vec<_> = exchange
                .headers()
                .into_iter()
                .map(|(name, value)| {
                    let keep = name.contains("timestamp") || name.ends_with("-id");
                    let value = if keep { value } else { garbage.to_owned() };
                    (name, value)
                })
                .collect();
            assert!(
                matches!(exchange.verify(&headers), Err(Rejection::Malformed { .. })),
                "{}: {garbage:?} gave {:?}",
                exchange.signer.scheme(),
                exchange.verify(&headers)
            );
        }
    }
}

#[test]
fn a_timestamp_that_is_no_number_is_malformed() {
    for exchange in exchanges().filter(|exchange| exchange.signer.scheme().has_timestamp()) {
        for text in ["", "-1", "+1700000000", "1e9", "99999999999999999999"] {
            let headers: Vec<_> = exchange
                .headers()
                .into_iter()
                .map(|(name, value)| (name, value.replace("1700000000", text)))
                .collect();
            let outcome = exchange.verify(&headers);
            assert!(
                matches!(outcome, Err(Rejection::Malformed { .. })),
                "{}: {text:?} gave {outcome:?}",
                exchange.signer.scheme()
            );
        }
    }
}

#[test]
fn one_of_several_signatures_suffices_while_a_key_is_rotated() {
    let rotated = |scheme: &Scheme, join: &str, header: &str| {
        let ours = Exchange::new(scheme, 1, b"{}", "application/json");
        let theirs = Exchange::new(scheme, 2, b"{}", "application/json");
        let value = |headers: Vec<(String, String)>| headers.into_iter().find(|(name, _)| name == header).unwrap().1;
        let (mine, other) = (value(ours.headers()), value(theirs.headers()));
        for joined in [format!("{mine}{join}{other}"), format!("{other}{join}{mine}")] {
            let mut headers = ours.headers();
            headers.retain(|(name, _)| name != header);
            headers.push((header.to_owned(), joined));
            assert_eq!(ours.verify(&headers), Ok(()), "{scheme}");
        }
    };
    rotated(&Scheme::StandardWebhooks, " ", "webhook-signature");
    rotated(&Scheme::StandardWebhooksEd25519, " ", "webhook-signature");
    rotated(&Scheme::Svix, " ", "svix-signature");
    rotated(&Scheme::Stripe, ",", "stripe-signature");
}

#[test]
fn a_header_of_a_thousand_signatures_is_not_worked_through() {
    let ours = Exchange::new(&Scheme::StandardWebhooksEd25519, 1, b"{}", "application/json");
    let theirs = Exchange::new(&Scheme::StandardWebhooksEd25519, 2, b"{}", "application/json");
    let mut headers = ours.headers();
    let bogus = theirs.headers()[2].1.clone();
    headers[2].1 = format!("{}{}", format!("{bogus} ").repeat(1_000), headers[2].1);
    assert_eq!(ours.verify(&headers), Err(Rejection::Mismatch));
}
