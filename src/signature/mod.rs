//! Webhook signatures, every scheme in both directions. Reader and writer of a scheme live in one file.
