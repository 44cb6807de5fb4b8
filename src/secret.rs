//! Text that is used and never shown: the licence, or a token.

use std::fmt;

/// A secret. It has no `Display`, and `Debug` does not show it, so that it gets into no message by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes this text for a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who has to be given it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_handed_out_but_not_shown() {
        let secret = Secret::new("x0000-test-0000");
        assert_eq!(secret.expose(), "x0000-test-0000");
        assert_eq!(secret, secret.clone());
        assert_ne!(secret, Secret::new("x0000-test-0001"));
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[secret] Some(\n    [secret],\n)");
    }
}
