//! What holds for every scheme, body and key.

use super::*;

fn any_scheme() -> impl Strategy<Value = Scheme> {
    proptest::sample::select(Scheme::all().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_signed_is_accepted(
        scheme in any_scheme(),
        seed: u64,
        second in 0i64..9_999_999_999,
        id in "[a-zA-Z0-9_-]{1,40}",
        body in proptest::collection::vec(any::<u8>(), 0..600),
        form: bool,
    ) {
        let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut exchange = Exchange::new(&scheme, seed, &body, content_type);
        exchange.id = id;
        exchange.at = Timestamp::from_second(second).unwrap();
        prop_assert_eq!(exchange.verify(&exchange.headers()), Ok(()));
    }

    #[test]
    fn a_flipped_bit_of_the_body_is_rejected(
        scheme in any_scheme(),
        seed: u64,
        body in proptest::collection::vec(any::<u8>(), 1..200),
        at: proptest::sample::Index,
        bit in 0u8..8,
    ) {
        let mut exchange = Exchange::new(&scheme, seed, &body, "application/json");
        let headers = exchange.headers();
        let at = at.index(exchange.body.len());
        exchange.body[at] ^= 1 << bit;
        prop_assert_eq!(exchange.verify(&headers), Err(Rejection::Mismatch));
    }

    #[test]
    fn no_header_text_makes_a_verifier_panic_or_accept(
        scheme in any_scheme(),
        texts in proptest::collection::vec(".{0,80}", 3),
    ) {
        let exchange = Exchange::new(&scheme, 1, b"{}", "application/json");
        let mut headers = exchange.headers();
        for ((_, value), text) in headers.iter_mut().zip(texts) {
            *value = text;
        }
        prop_assert!(exchange.verify(&headers).is_err());
    }
}
