use super::*;

fn keeps_what_it_is_given(storage: &dyn StockStorage) {
    assert!(storage.load().unwrap().is_none());
    storage.save(b"first").unwrap();
    storage.save(b"second, longer").unwrap();
    assert_eq!(storage.load().unwrap().unwrap(), b"second, longer");
    storage.write_at(Bulk::Shares, 5, b"abc").unwrap();
    storage.write_at(Bulk::Shares, 2, b"xy").unwrap();
    let mut read = [9; 4];
    storage.read_at(Bulk::Shares, 2, &mut read).unwrap();
    assert_eq!(&read, b"xy\0a");
    assert!(storage.read_at(Bulk::Shares, 6, &mut [0; 3]).is_err());
    assert!(storage.read_at(Bulk::Upload, 0, &mut [0; 1]).is_err());
    storage.discard(Bulk::Shares).unwrap();
    assert!(storage.read_at(Bulk::Shares, 2, &mut read).is_err());
}

#[test]
fn memory_and_directory_keep_one_contract() {
    keeps_what_it_is_given(&MemoryStorage::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stock");
    let opened = DirectoryStorage::open(&path).unwrap();
    keeps_what_it_is_given(&opened);
    let second = DirectoryStorage::open(&path);
    assert!(matches!(second, Err(error) if error.kind() == io::ErrorKind::WouldBlock));
    assert!(DirectoryStorage::peek(&path).unwrap().is_some());
    drop(opened);
    let reopened = DirectoryStorage::open(&path).unwrap();
    assert_eq!(reopened.load().unwrap().unwrap(), b"second, longer");
    DirectoryStorage::erase(&path).unwrap();
    assert!(!path.exists());
}

/// What can still be read of a secret through a hard link, as an undelete would.
#[test]
fn nothing_secret_is_left_where_it_was_replaced_or_erased() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stock");
    let storage = DirectoryStorage::open(&path).unwrap();
    let secret = b"a key that decrypts everything".repeat(5000);
    let linked = |name: &str, at: &str| {
        let link = directory.path().join(at);
        fs::hard_link(path.join(name), &link).unwrap();
        link
    };
    let is_gone = |link: &Path| {
        let left = fs::read(link).unwrap();
        left.len() == secret.len() && left.iter().all(|byte| *byte == 0)
    };
    storage.save(&secret).unwrap();
    let replaced = linked("record", "replaced");
    storage.save(&secret).unwrap();
    assert!(is_gone(&replaced));
    assert_eq!(storage.load().unwrap().unwrap(), secret);

    for bulk in Bulk::ALL {
        storage.write_at(bulk, 0, &secret).unwrap();
    }
    replace(&path, "progress", &secret).unwrap();
    // Cut short before its rename.
    fs::write(path.join("agreed.next"), &secret).unwrap();
    let names = ["record", "progress", "agreed.next", "shares"];
    let erased = names.map(|name| linked(name, name));
    DirectoryStorage::erase(&path).unwrap();
    assert!(!path.exists());
    for link in erased {
        assert!(is_gone(&link), "{}", link.display());
    }
}

/// A record that cannot be read is no missing record: a new stock would be made over it.
#[test]
fn a_record_that_cannot_be_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stock");
    assert!(DirectoryStorage::peek(&path).unwrap().is_none());
    fs::create_dir_all(path.join("record")).unwrap();
    assert!(DirectoryStorage::peek(&path).is_err());
    assert!(DirectoryStorage::open(&path).unwrap().load().is_err());
}

#[test]
fn nobody_else_reads_a_stock() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stock");
    let storage = DirectoryStorage::open(&path).unwrap();
    storage.write_at(Bulk::Shares, 0, b"share").unwrap();
    storage.save(b"record").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > Bulk::ALL.len());
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_snapshot_is_a_backup() {
    let storage = MemoryStorage::default();
    storage.save(b"before").unwrap();
    let backup = storage.snapshot();
    storage.save(b"after").unwrap();
    assert_eq!(backup.load().unwrap().unwrap(), b"before");
}

#[test]
fn emptying_spares_what_is_named_and_what_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for name in ["kept", "secret", "other"] {
        fs::write(path.join(name), name).unwrap();
    }
    fs::create_dir(path.join("folder")).unwrap();
    fs::write(path.join("folder/file"), "of others").unwrap();
    DirectoryStorage::empty(path, &["kept"]).unwrap();
    assert_eq!(fs::read(path.join("kept")).unwrap(), b"kept");
    assert_eq!(fs::read(path.join("folder/file")).unwrap(), b"of others");
    assert_eq!(fs::read_dir(path).unwrap().count(), 2);
}

/// A secret that cannot be overwritten is not replaced without a word.
#[test]
fn what_cannot_be_opened_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (path, name) = (directory.path(), "secret");
    std::os::unix::fs::symlink(path.join(name), path.join(name)).unwrap();
    assert!(replace(path, name, b"new").is_err());
    assert!(path.join(name).is_symlink());
    fs::remove_file(path.join(name)).unwrap();
    replace(path, name, b"new").unwrap();
    assert_eq!(fs::read(path.join(name)).unwrap(), b"new");
}
