//! Backups that are whole, and such as are not.

use std::path::{Path, PathBuf};

use s3rec_audit::verify;
use s3rec_job::{JobEvent, JobState, OpenedUsers};

use super::archive::{Archive, ArchiveError};
use super::make::Kept;
use super::restore::{Given, RestoreError, restore};
use crate::audit::{Audit, LOG_FILE, earlier_logs};
use crate::config::TlsSettings;
use crate::home::Home;
use crate::journal::Journal;
use crate::pki::CertificateRole;
use crate::store::{RESTORING, Store, StoreError, Table};

const PAD: &[u8] = b"a column of masks that is used once";
const DETAILS: Table = Table("details");

/// A platform with a running job, its stock, two models of the same content, and its backup.
struct Backed {
    home: Home,
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Backed {
    fn new() -> Self {
        let home = Home::new();
        let stock = home.path().join("stocks/job");
        std::fs::create_dir_all(&stock).unwrap();
        std::fs::write(stock.join("key"), PAD).unwrap();
        let models = home.path().join("models");
        std::fs::create_dir_all(&models).unwrap();
        for name in ["a", "b"] {
            std::fs::write(models.join(name), "a model").unwrap();
        }
        std::fs::write(models.join("c.new"), "half a model").unwrap();
        let journal = Journal::open(&home.store).unwrap();
        for (job, state) in [("job", JobState::Running), ("over", JobState::Finished)] {
            let event = |state| JobEvent {
                job: job.into(),
                state,
                ..JobEvent::default()
            };
            journal.record(event(JobState::Proposed)).unwrap();
            journal.record(event(state)).unwrap();
        }
        home.store
            .put(DETAILS, "job", &OpenedUsers::default())
            .unwrap();
        let kept = Kept {
            data_dir: home.path(),
            store: &home.store,
            audit: &home.audit,
            role: CertificateRole::Social,
        };
        let backup = kept.back_up(&[], &[models], "alice").unwrap();
        let (total, mut bytes) = (backup.total_bytes(), Vec::new());
        backup
            .send(|piece| {
                bytes.extend(piece);
                true
            })
            .unwrap();
        assert_eq!(bytes.len() as u64, total);
        let file = home.path().join("backup");
        std::fs::write(&file, &bytes).unwrap();
        Self { home, file, bytes }
    }

    fn tls(&self) -> TlsSettings {
        let keys = self.home.path().join("keys");
        TlsSettings {
            ca: keys.join("ca.pem"),
            certificate: keys.join("social.pem"),
            key: keys.join("social.key"),
            revoked: None,
        }
    }

    fn given(&self) -> Given {
        Given {
            file: self.file.clone(),
            log: None,
            signed_by: None,
        }
    }

    fn restore(&self, given: &Given, into: &str) -> Result<PathBuf, RestoreError> {
        let data_dir = self.home.path().join(into);
        let role = CertificateRole::Social;
        restore(given, &data_dir, role, &self.tls()).map(|_| data_dir)
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(self.home.path().join(LOG_FILE)).unwrap()
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn no_pad_leaves_and_what_is_kept_comes_back_with_its_jobs_ended() {
    let backed = Backed::new();
    assert!(!contains(&backed.bytes, PAD));
    // Once, though two models have it.
    let model = b"a model";
    let times = backed.bytes.windows(model.len());
    assert_eq!(times.filter(|window| window == model).count(), 1);
    assert!(!contains(&backed.bytes, b"half a model"));
    assert!(verify(&backed.log()).is_ok());

    let data_dir = backed.restore(&backed.given(), "new").unwrap();
    for name in ["a", "b"] {
        let read = std::fs::read(data_dir.join("models").join(name)).unwrap();
        assert_eq!(read, model);
    }
    assert!(!data_dir.join("stocks").exists() && !data_dir.join(RESTORING).exists());
    let store = Store::open(&data_dir).unwrap();
    assert_eq!(store.keys(DETAILS).unwrap(), ["job"]);
    let journal = Journal::open(&store).unwrap();
    assert_eq!(journal.state("over"), JobState::Finished);
    assert_eq!(journal.state("job"), JobState::Failed);
    let last = journal.last("job").unwrap();
    assert!(
        last.message
            .starts_with("Not brought over by the backup of 20"),
        "{last:?}"
    );

    // Its log goes on as another one, beside the one that the backup has.
    let earlier = earlier_logs(&data_dir).unwrap();
    let [earlier] = &earlier[..] else {
        panic!("{earlier:?}");
    };
    let kept = std::fs::read(earlier).unwrap();
    assert!(backed.log().starts_with(&kept) && verify(&kept).is_ok());
    let log = verify(&std::fs::read(data_dir.join(LOG_FILE)).unwrap()).unwrap();
    assert_ne!(log.entries[0].1, verify(&kept).unwrap().entries[0].1);
    let ends = log
        .entries
        .iter()
        .filter(|(entry, _)| entry.text("job") == Some("job"));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_backup_is_restored_into_an_empty_directory_alone() {
    let backed = Backed::new();
    backed.restore(&backed.given(), "new").unwrap();
    let refused = backed.restore(&backed.given(), "new").unwrap_err();
    assert!(
        matches!(refused, RestoreError::Occupied { .. }),
        "{refused}"
    );
    // Also one that a restore was cut short in, which no daemon opens.
    let half = backed.home.path().join("half");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join(RESTORING), "").unwrap();
    assert!(backed.restore(&backed.given(), "half").is_err());
    let refused = Store::open(&half).err().unwrap();
    assert!(matches!(refused, StoreError::Restoring { .. }), "{refused}");
}

#[test]
fn a_backup_that_is_cut_off_or_changed_anywhere_leaves_nothing() {
    let backed = Backed::new();
    let refused = |bytes: &[u8]| {
        std::fs::write(&backed.file, bytes).unwrap();
        let refused = backed.restore(&backed.given(), "new").unwrap_err();
        assert!(!backed.home.path().join("new").exists());
        refused
    };
    let whole = &backed.bytes;
    // Every byte of head and the first of the contents, and some of the rest.
    let places = (0..whole.len()).filter(|place| *place < 1500 || place % 97 == 0);
    for place in places {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        let refused = refused(&changed);
        assert!(
            matches!(refused, RestoreError::Archive(_)),
            "{place}: {refused}"
        );
    }
    for length in [0, 7, 15, 18, 100, whole.len() / 2, whole.len() - 1] {
        let refused = refused(&whole[..length]);
        let is_told = matches!(
            refused,
            RestoreError::Archive(ArchiveError::Short { .. } | ArchiveError::Magic { .. })
        );
        assert!(is_told, "{length}: {refused}");
        assert!(refused.to_string().contains("backup"), "{refused}");
    }
    let refused = refused(&[whole.as_slice(), b"x"].concat());
    assert!(
        refused.to_string().contains("behind its last file"),
        "{refused}"
    );
}

#[test]
fn another_platform_another_key_and_another_log_are_refused() {
    let backed = Backed::new();
    let role = CertificateRole::Rating;
    let mut tls = backed.tls();
    let keys = backed.home.path().join("keys");
    (tls.certificate, tls.key) = (keys.join("rating.pem"), keys.join("rating.key"));
    let into = backed.home.path().join("new");
    let refused = restore(&backed.given(), &into, role, &tls).unwrap_err();
    let RestoreError::Archive(ArchiveError::Signer { actual, .. }) = refused else {
        panic!("{refused}");
    };
    // Also where that key is believed it is another platform's.
    let given = Given {
        signed_by: Some(actual),
        ..backed.given()
    };
    let refused = restore(&given, &into, role, &tls).unwrap_err();
    assert!(
        refused.to_string().contains("backup of a social platform"),
        "{refused}"
    );

    let log = backed.home.path().join("log");
    let with_log = |bytes: &[u8]| {
        std::fs::write(&log, bytes).unwrap();
        let given = Given {
            log: Some(log.clone()),
            ..backed.given()
        };
        backed.restore(&given, "new")
    };
    let other = Home::new();
    let others = std::fs::read(other.path().join(LOG_FILE)).unwrap();
    let refused = with_log(&others).unwrap_err();
    assert!(refused.to_string().contains("does not go on"), "{refused}");
    let refused = with_log(&backed.log()[1..]).unwrap_err();
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    assert!(!into.exists());
    // The platform's own, which has the entry of the backup itself.
    let data_dir = with_log(&backed.log()).unwrap();
    let kept = std::fs::read(&earlier_logs(&data_dir).unwrap()[0]).unwrap();
    assert!(contains(&kept, b"a backup was made"));
}

#[test]
fn what_the_earlier_log_counted_is_heard_before_the_new_one() {
    let backed = Backed::new();
    let data_dir = backed.restore(&backed.given(), "new").unwrap();
    let hear = |directory: &Path| {
        let signer = crate::tls::TlsMaterial::load(&backed.tls(), CertificateRole::Social).unwrap();
        let (role, signed) = (CertificateRole::Social, signer.signer().unwrap());
        let audit = Audit::open(directory, role, signer.certificate(), signed).unwrap();
        let mut heard = Vec::new();
        let look = |entry: &s3rec_audit::Entry| {
            heard.push(entry.text("what").unwrap_or_default().to_owned());
            Ok(())
        };
        audit.each(look).unwrap();
        heard
    };
    let heard = hear(&data_dir);
    let place = |what: &str| heard.iter().position(|heard| heard == what);
    assert!(
        place("started") < place("restored from a backup"),
        "{heard:?}"
    );
    assert!(
        heard.iter().filter(|what| *what == "started").count() >= 3,
        "{heard:?}"
    );
}

#[test]
fn names_that_leave_the_directory_are_none_of_a_backup() {
    use super::restore::is_ours;
    for good in [
        "store",
        "audit.log",
        "audit.until-17.log",
        "links/friends",
        "links/.job-1",
    ] {
        assert!(is_ours(good), "{good}");
    }
    for bad in [
        "",
        "/etc/x",
        "../x",
        "links/../x",
        "links/a/b",
        "stocks/key",
        "store.redb",
        ".",
    ] {
        assert!(!is_ours(bad), "{bad}");
    }
}

#[test]
fn a_manifest_is_read_before_anything_else_is() {
    let backed = Backed::new();
    let own = backed.home.audit.public();
    let archive = Archive::open(&backed.file, own, None).unwrap();
    let names: Vec<_> = archive
        .manifest
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["store", "audit.log", "models/a", "models/b"]);
}
