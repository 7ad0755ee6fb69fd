//! Keys for S3 where the AWS tools keep them: `~/.aws/credentials`, by profile.

use std::io::ErrorKind;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::error::{SourceError, Trouble};

/// Who we are.
pub(super) struct Profile {
    pub(super) key: Zeroizing<String>,
    pub(super) secret: Zeroizing<String>,
    pub(super) token: Option<Zeroizing<String>>,
    pub(super) region: Option<String>,
}

/// The profile that `AWS_PROFILE` names, else `default`; none where there is no file, or no such
/// profile was asked for.
///
/// # Errors
/// [`Trouble::Credentials`] for a profile that was asked for and is not there, or holds no keys.
pub(super) fn read(
    place: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Profile>, SourceError> {
    let named = environment("AWS_PROFILE");
    let file = environment("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let at_home = || Some(PathBuf::from(environment("HOME")?).join(".aws/credentials"));
    let Some(file) = file.or_else(at_home) else {
        return Ok(None);
    };
    let refused = |what: String| {
        let what = format!("{}: {what}", file.display());
        let remedy = "write aws_access_key_id and aws_secret_access_key below its [NAME], or set \
                      AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        SourceError::new(place, Trouble::Credentials, what, remedy)
    };
    let lines = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => return Ok(None),
        read => Zeroizing::new(read.map_err(|error| refused(error.to_string()))?),
    };
    let name = named.as_deref().unwrap_or("default");
    match (of_lines(&lines, name), &named) {
        (Some(profile), _) => Ok(Some(profile)),
        (None, None) => Ok(None),
        (None, Some(name)) => Err(refused(format!("there are no keys of a profile {name:?}"))),
    }
}

fn of_lines(lines: &str, name: &str) -> Option<Profile> {
    let heading = format!("[{name}]");
    let lines = lines.lines().map(str::trim);
    let below = lines.skip_while(|line| *line != heading).skip(1);
    let (mut key, mut secret, mut token, mut region) = (None, None, None, None);
    for line in below.take_while(|line| !line.starts_with('[')) {
        let Some((setting, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match setting.trim() {
            "aws_access_key_id" => key = Some(Zeroizing::new(value.to_owned())),
            "aws_secret_access_key" => secret = Some(Zeroizing::new(value.to_owned())),
            "aws_session_token" => token = Some(Zeroizing::new(value.to_owned())),
            "region" => region = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(Profile {
        key: key?,
        secret: secret?,
        token,
        region,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "[other]\naws_access_key_id = O\n\n[default]\naws_access_key_id = A\n\
                         # a word\naws_secret_access_key=B=\nregion = eu-west-1\n[last]\n";

    #[test]
    fn keys_are_those_of_the_profile() {
        let found = of_lines(LINES, "default").unwrap();
        assert_eq!((found.key.as_str(), found.secret.as_str()), ("A", "B="));
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
        assert!(found.token.is_none());
        assert!(of_lines(LINES, "other").is_none(), "half a key");
        assert!(of_lines(LINES, "nobody").is_none());
    }

    #[test]
    fn a_profile_that_is_asked_for_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        std::fs::write(&file, LINES).unwrap();
        let with = |profile: Option<&str>, file: &std::path::Path| {
            let file = file.display().to_string();
            let profile = profile.map(str::to_owned);
            read("s3://b/k", &move |name| match name {
                "AWS_PROFILE" => profile.clone(),
                "AWS_SHARED_CREDENTIALS_FILE" => Some(file.clone()),
                _ => None,
            })
        };
        assert!(with(None, &file).unwrap().is_some());
        assert!(
            with(None, &folder.path().join("nothing"))
                .unwrap()
                .is_none()
        );
        for path in [file, folder.path().join("nothing")] {
            let said = with(Some("nobody"), &path).map(drop).unwrap_err();
            assert_eq!(said.trouble, Trouble::Credentials);
        }
    }
}
