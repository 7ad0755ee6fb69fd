//! The first words on a connection, behind the handshake that says whose key it is.

use serde::{Deserialize, Serialize};

/// Of this conversation; members of another do not work together.
pub(crate) const VERSION: u32 = 1;

/// Who calls, and for which session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// Of the program, for whoever reads an error.
    pub(crate) program: String,
    /// Fresh for each attempt of the coordinator's.
    pub(crate) session: [u8; 16],
    /// Of the members, in their order.
    pub(crate) members: [u8; 32],
    /// The caller's index among them.
    pub(crate) from: u32,
}

impl Hello {
    pub(crate) fn new(session: [u8; 16], members: [u8; 32], from: usize) -> Self {
        Self {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").into(),
            session,
            members,
            from: u32::try_from(from).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Infallible in truth: plain fields into memory. An empty message is refused at once.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// What is wrong with the words of the member whose certificate was presented, if anything.
    pub(crate) fn read(bytes: &[u8], own: &[u8; 32], presented: usize) -> Result<Self, String> {
        let (hello, rest): (Self, _) = postcard::take_from_bytes(bytes)
            .map_err(|_| "the first words do not read; is it of another version?".to_owned())?;
        if hello.version != VERSION || !rest.is_empty() {
            return Err(format!(
                "the caller's version ({}) speaks another conversation than ours ({})",
                s3rec_wire::status::echo(&hello.program),
                env!("CARGO_PKG_VERSION")
            ));
        }
        if hello.members != *own {
            return Err(
                "the caller's file of workers has other members than ours; they must be the same \
                 everywhere but for [this]"
                    .into(),
            );
        }
        if usize::try_from(hello.from) != Ok(presented) {
            return Err("the caller gives itself out as another member than its key says".into());
        }
        Ok(hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_another_member_version_or_list_are_refused() {
        let hello = Hello::new([1; 16], [2; 32], 3);
        let read = |hello: &Hello| Hello::read(&hello.to_bytes(), &[2; 32], 3);
        assert_eq!(read(&hello), Ok(hello.clone()));
        for (other, expected) in [
            (
                Hello {
                    version: 2,
                    ..hello.clone()
                },
                "another conversation",
            ),
            (
                Hello {
                    members: [3; 32],
                    ..hello.clone()
                },
                "other members",
            ),
            (
                Hello {
                    from: 2,
                    ..hello.clone()
                },
                "another member than its key says",
            ),
        ] {
            let refused = read(&other).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        let bytes = hello.to_bytes();
        assert!(Hello::read(&bytes[..bytes.len() - 1], &[2; 32], 3).is_err());
        assert!(Hello::read(&[&bytes[..], &[0]].concat(), &[2; 32], 3).is_err());
        assert!(Hello::read(&[], &[2; 32], 3).is_err());
    }
}
