//! Where settings come from: a preset by name, or a file that `s3rec tune` wrote.

use std::path::Path;

use clap::Args;
use s3rec_model::Preset;

use super::PresetChoice;

/// A settings file, read while the command line is.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingsFile(pub Preset);

/// Settings that are evaluated or searched around.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsArgs {
    /// Settings found by search on a published set; published unless given.
    #[arg(long, value_enum)]
    pub preset: Option<PresetChoice>,
    /// Settings as s3rec tune --out wrote them.
    #[arg(long, value_name = "FILE", conflicts_with = "preset", value_parser = settings_file)]
    pub settings: Option<SettingsFile>,
}

impl SettingsArgs {
    /// The file's settings, the preset's, or `otherwise`.
    #[must_use]
    pub fn load(&self, otherwise: PresetChoice) -> Preset {
        match &self.settings {
            Some(file) => file.0.clone(),
            None => self.preset.unwrap_or(otherwise).load(),
        }
    }
}

/// Reads a settings file.
pub(super) fn settings_file(path: &str) -> Result<SettingsFile, String> {
    let text = std::fs::read_to_string(Path::new(path)).map_err(|error| error.to_string())?;
    let preset: Preset = toml::from_str(&text).map_err(|error| error.to_string())?;
    preset.validate().map_err(|error| error.to_string())?;
    Ok(SettingsFile(preset))
}

/// Reads a settings file for a training with another platform's links.
pub(super) fn social_settings_file(path: &str) -> Result<SettingsFile, String> {
    let file = settings_file(path)?;
    if file.0.settings.is_social() {
        return Ok(file);
    }
    Err(
        "these settings use no links, because the search gained nothing from them: there is nothing \
         to train together; name a preset to try all the same"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(preset: &Preset) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("settings.toml");
        std::fs::write(&path, toml::to_string(preset).unwrap()).unwrap();
        let path = path.display().to_string();
        (directory, path)
    }

    #[test]
    fn what_was_written_is_read() {
        for preset in Preset::all() {
            let (_directory, path) = written(&preset);
            assert_eq!(settings_file(&path).unwrap().0, preset);
            assert_eq!(social_settings_file(&path).unwrap().0, preset);
        }
    }

    #[test]
    fn settings_without_links_are_nothing_to_propose() {
        let preset = Preset::named("ciao").unwrap();
        let preset = Preset {
            settings: preset.no_social.clone(),
            ..preset
        };
        let (_directory, path) = written(&preset);
        assert!(settings_file(&path).is_ok());
        let refused = social_settings_file(&path).unwrap_err();
        assert!(refused.contains("no links"), "{refused}");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused_by_field() {
        let mut preset = Preset::named("ciao").unwrap();
        preset.no_social.user_decay = -1.0;
        let (_directory, path) = written(&preset);
        assert!(settings_file(&path).unwrap_err().contains("user_decay"));
        let (_directory, path) = written(&Preset::named("ciao").unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("surplus = 1\n{text}")).unwrap();
        assert!(settings_file(&path).unwrap_err().contains("surplus"));
        assert!(settings_file("/no/such/file").is_err());
    }
}
