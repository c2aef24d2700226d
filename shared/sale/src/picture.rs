//! The picture of a sale: where it is, in a form that can stand in a page and in its security policy as it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of an address.
const BYTES_MAX: usize = 500;

/// Address of a picture: a path of the shop's own origin, such as `/pictures/record.webp`, or an https address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Picture(String);

/// The text is no address of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a path such as /pictures/record.webp or an https address, of at most 500 letters, digits and -._~/%?&=+"
)]
pub struct InvalidPicture;

impl Picture {
    /// Parses a path or an https address of plain characters.
    pub fn parse(text: &str) -> Result<Self, InvalidPicture> {
        let path = match text.strip_prefix("https://") {
            Some(rest) => {
                let (host, path) = rest.split_once('/').ok_or(InvalidPicture)?;
                if !is_host(host) {
                    return Err(InvalidPicture);
                }
                path
            }
            None => text.strip_prefix('/').ok_or(InvalidPicture)?,
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%?&=+".contains(&byte);
        // With two slashes a path would be another site's.
        let is_good = !path.is_empty() && !path.starts_with('/') && path.bytes().all(is_plain);
        if is_good && text.len() <= BYTES_MAX { Ok(Self(text.to_owned())) } else { Err(InvalidPicture) }
    }

    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port, where it is of another origin than the shop's.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        let scheme = "https://";
        let end = self.0.strip_prefix(scheme)?.find('/')? + scheme.len();
        Some(&self.0[..end])
    }
}

/// A name or an address, and maybe a port.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    is_name && port.parse::<u16>().is_ok()
}

impl TryFrom<String> for Picture {
    type Error = InvalidPicture;

    fn try_from(text: String) -> Result<Self, InvalidPicture> {
        Self::parse(&text)
    }
}

impl From<Picture> for String {
    fn from(picture: Picture) -> Self {
        picture.0
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_of_the_shop_or_of_an_https_origin_and_says_nothing_else_to_a_policy() {
        let origin = |text: &str| Picture::parse(text).unwrap().origin().map(str::to_owned);
        assert_eq!(origin("/pictures/record.webp"), None);
        assert_eq!(origin("https://cdn.example/a/b.jpg?w=1280").as_deref(), Some("https://cdn.example"));
        assert_eq!(origin("https://cdn.example:8443/a").as_deref(), Some("https://cdn.example:8443"));
        for text in [
            "",
            "/",
            "//evil.example/a",
            "record.webp",
            "http://cdn.example/a",
            "https://cdn.example",
            "https:///a",
            "https://cdn.example//a",
            "https://a@b/c",
            "https://cdn.example;script-src *;/a",
            "https://cdn.example:port/a",
            "/a b",
            "/a\"onerror=",
            "/ä",
            "javascript:alert(1)",
            "data:image/png,",
        ] {
            assert_eq!(Picture::parse(text), Err(InvalidPicture), "{text}");
        }
        assert!(Picture::parse(&format!("/{}", "a".repeat(499))).is_ok());
        assert!(Picture::parse(&format!("/{}", "a".repeat(500))).is_err());
    }
}
