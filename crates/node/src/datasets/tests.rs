//! Data sets of lines of text, which need no reader.

use s3rec_job::JobEvent;
use s3rec_job::JobId;

use super::*;
use crate::home::Home;

struct Lines;

impl Content for Lines {
    const FOLDER: &'static str = "lines";
    const ROWS: &'static str = "lines";
    const PARTS: &'static [&'static str] = &[];
    type Data = Vec<String>;
    /// Any message will do: the number of lines is its round.
    type Imported = JobEvent;

    fn read(files: &Files, _: &FileHeader, _: u64) -> Result<Vec<String>, Unread> {
        let path = files.main();
        let text = std::fs::read_to_string(path).map_err(|error| storage(path, &error))?;
        Ok(text.lines().map(String::from).collect())
    }

    fn commit(lines: &Vec<String>, commitment: &mut Commitment) -> Result<(), Fault> {
        let mut lines = lines.clone();
        lines.sort_unstable();
        lines
            .iter()
            .for_each(|line| commitment.row(&[line.as_bytes()]));
        Ok(())
    }

    fn imported(lines: &Vec<String>, _: &FileHeader) -> JobEvent {
        JobEvent {
            round: u32::try_from(lines.len()).unwrap(),
            ..JobEvent::default()
        }
    }

    fn sizes(imported: &JobEvent) -> (u64, u64) {
        (0, imported.round.into())
    }
}

struct Lined {
    home: Home,
    datasets: Datasets<Lines>,
}

impl Lined {
    fn new() -> Self {
        let home = Home::new();
        let (store, audit) = (&home.store, &home.audit);
        let datasets = Datasets::open(home.path(), store, audit, 1 << 20, |_| true).unwrap();
        Self { home, datasets }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("lines")
    }

    /// Imports a text, as if it had been received.
    fn import(&self, dataset: &str, text: &str) -> Result<(), Fault> {
        let header = FileHeader {
            dataset: dataset.into(),
            file_name: "lines.txt".into(),
            ..FileHeader::default()
        };
        std::fs::create_dir_all(self.folder()).unwrap();
        let spooled = Spooled::for_tests(header, &self.folder().join(".spool-test"), text)?;
        let salt = versions::salt()?;
        let data = read::<Lines>(spooled.path(), &spooled.header, 1 << 20)?;
        let commitment = commit::<Lines>(&salt, &data)?;
        let imported = Lines::imported(&data, &spooled.header);
        self.datasets
            .keep(spooled, &imported, salt, commitment, "somebody")
    }

    /// Gives a new job its copy, which stays.
    fn job(&self, dataset: &str) -> String {
        let job = JobId::random();
        let dataset = self.datasets.choose(dataset).unwrap();
        self.datasets.copy(&dataset, job).unwrap().keep();
        job.to_string()
    }

    fn hidden(&self) -> usize {
        let entries = std::fs::read_dir(self.folder()).unwrap();
        let hidden = entries.filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with('.')
        });
        hidden.count()
    }
}

#[tokio::test]
async fn a_jobs_copy_is_what_was_committed_to_whatever_is_imported_later() {
    let home = Lined::new();
    home.import("mine", "b\na\n").unwrap();
    let job = home.job("");
    let committed = home.datasets.version_for(&job).unwrap();

    // Under its data set's name, under the name that P0's copies once had, and the present one.
    home.import("mine", "c\n").unwrap();
    home.import(&format!("job-{job}"), "d\n").unwrap();
    let refused = home.import(&format!(".job-{job}"), "e\n").unwrap_err();
    assert_eq!(refused.reason, Reason::InvalidRequest);
    assert_eq!(home.datasets.load(&job).await.unwrap(), ["b", "a"]);
    assert_eq!(home.datasets.version_for(&job).unwrap(), committed);
    let digest = blake3::hash(b"b\na\n").to_hex().to_string();
    assert_eq!(home.datasets.digest_for(&job).unwrap(), digest);

    // Whoever changes the file changes nothing that is trained on.
    let own = home.folder().join(format!(".job-{job}"));
    std::fs::write(&own, "b\na\nx\n").unwrap();
    let refused = home.datasets.load(&job).await.unwrap_err();
    assert_eq!(refused.reason, Reason::StorageFailed, "{refused}");
    assert!(refused.message.contains("not those that were imported"));
    // The order of the rows is no part of what was committed to.
    std::fs::write(&own, "a\nb\n").unwrap();
    assert_eq!(home.datasets.load(&job).await.unwrap(), ["a", "b"]);
    std::fs::remove_file(&own).unwrap();
    assert!(home.datasets.load(&job).await.is_err());
}

#[test]
fn a_copy_that_is_not_kept_or_is_released_leaves_nothing() {
    let home = Lined::new();
    home.import("mine", "a\n").unwrap();
    let (name, job) = (home.datasets.choose("mine").unwrap(), JobId::random());
    drop(home.datasets.copy(&name, job).unwrap());
    assert_eq!(home.hidden(), 0);
    let nothing = home.datasets.version_for(&job.to_string()).unwrap_err();
    assert_eq!(nothing.reason, Reason::NotFound);

    let kept = home.job("mine");
    assert_eq!(home.hidden(), 1);
    assert_eq!(
        home.datasets.jobs_with(&name).unwrap(),
        *std::slice::from_ref(&kept)
    );
    home.datasets.release(&kept);
    home.datasets.release(&kept);
    assert_eq!(home.hidden(), 0);
    assert!(home.datasets.jobs_with(&name).unwrap().is_empty());
    // Not a job's name, and no way out of the folder.
    home.datasets.release("../mine");
    assert!(home.folder().join("mine").exists());
}

#[test]
fn a_start_sweeps_the_copies_of_jobs_that_are_no_more() {
    let home = Lined::new();
    home.import("mine", "a\n").unwrap();
    let (live, dead) = (home.job("mine"), home.job("mine"));
    // Linked when the daemon was killed, before anything was noted of it.
    let orphan = home.folder().join(format!(".job-{}", JobId::random()));
    std::fs::write(&orphan, "a\n").unwrap();
    assert_eq!(home.hidden(), 3);
    let is_live = |job: &str| job == live;
    let (path, store, audit) = (home.home.path(), &home.home.store, &home.home.audit);
    let again = Datasets::<Lines>::open(path, store, audit, 1, is_live).unwrap();
    assert_eq!(home.hidden(), 1);
    assert!(again.version_for(&live).is_ok());
    assert!(again.version_for(&dead).is_err());
    assert!(home.folder().join("mine").exists());
}

#[test]
fn a_name_may_be_left_out_where_there_is_one_data_set() {
    let home = Lined::new();
    let refused = |name: &str| home.datasets.choose(name).unwrap_err().reason;
    assert_eq!(refused(""), Reason::NotFound);
    home.import("one", "a\n").unwrap();
    assert_eq!(home.datasets.choose("").unwrap().as_str(), "one");
    home.import("two", "a\n").unwrap();
    assert_eq!(refused(""), Reason::InvalidRequest);
    assert_eq!(refused("three"), Reason::NotFound);
    assert_eq!(refused("../../one"), Reason::InvalidRequest);
    assert_eq!(home.datasets.choose("two").unwrap().as_str(), "two");
}

#[test]
fn a_deleted_data_set_is_gone_and_its_lineage_is_not() {
    let home = Lined::new();
    home.import("mine", "a\nb\n").unwrap();
    home.import("other", "c\n").unwrap();
    let listed = home.datasets.list().unwrap();
    let sizes: Vec<_> = listed
        .iter()
        .map(|one| (one.rows, one.bytes, one.version))
        .collect();
    assert_eq!(sizes, [(2, 4, 1), (1, 2, 1)]);
    let job = home.job("mine");
    let shown = home.datasets.show("mine").unwrap();
    assert_eq!(
        (shown.imported.round, shown.dataset.jobs),
        (2, vec![job.clone()])
    );
    assert_eq!(shown.header.file_name, "lines.txt");

    let refused = home.datasets.delete("mine", "somebody").unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState);
    assert!(refused.message.contains(&job), "{refused}");
    for (name, reason) in [
        ("", Reason::InvalidRequest),
        ("../mine", Reason::InvalidRequest),
        ("nothing", Reason::NotFound),
    ] {
        let refused = home.datasets.delete(name, "somebody").unwrap_err();
        assert_eq!(refused.reason, reason, "{name}");
    }
    home.datasets.release(&job);
    home.datasets.delete("mine", "somebody").unwrap();
    assert!(!home.folder().join("mine").exists());
    assert_eq!(home.datasets.choose("").unwrap().as_str(), "other");
    assert_eq!(versions::of(&home.home.store, "mine").unwrap(), None);

    // What was disclosed of it counts for what is imported under its name, or as its successor.
    let lineage = listed[0].lineage.clone();
    home.import("mine", "z\n").unwrap();
    let again = home.datasets.show("mine").unwrap().dataset;
    assert_eq!((again.lineage, again.version), (lineage, 2));
}

#[tokio::test]
async fn copies_of_an_earlier_version_are_taken_over_or_go() {
    let home = Lined::new();
    home.import("mine", "a\n").unwrap();
    let header: FileHeader = home
        .home
        .store
        .get(Tables::MAIN.headers, "mine")
        .unwrap()
        .unwrap();
    let jobs = [(); 3].map(|()| JobId::random().to_string());
    let [served, over, taken] = &jobs;
    for job in &jobs {
        let key = format!("job/{job}");
        home.home
            .store
            .put(Tables::MAIN.headers, &key, &header)
            .unwrap();
        std::fs::write(home.folder().join(format!("job-{job}")), "a\n").unwrap();
    }
    // Somebody imported under the name of a job's copy: the file is the data set now.
    home.import(&format!("job-{taken}"), "other\n").unwrap();
    let (path, store, audit) = (home.home.path(), &home.home.store, &home.home.audit);
    let needed = |job: &str| job == served || job == taken;
    let again = Datasets::<Lines>::open(path, store, audit, 1 << 20, needed).unwrap();
    assert_eq!(again.load(served).await.unwrap(), ["a"]);
    assert!(again.load(over).await.is_err() && again.load(taken).await.is_err());
    assert!(!home.folder().join(format!("job-{over}")).exists());
    assert!(home.folder().join(format!("job-{taken}")).exists());
    assert_eq!(home.hidden(), 1);
    assert_eq!(store.keys(Tables::MAIN.headers).unwrap().len(), 2);
}
