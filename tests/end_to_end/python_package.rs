//! The Python package of `deploy/python`, from its sources and with the programs under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use s3rec_tests::binaries::Program;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A Python that has `module`, or `None` with a word why not.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn python(module: &str) -> Option<Command> {
    let Some(python) = std::env::var_os("S3REC_PYTHON") else {
        eprintln!("SKIPPED: S3REC_PYTHON names no Python");
        return None;
    };
    let has = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .output()
        .unwrap();
    if !has.status.success() {
        eprintln!("SKIPPED: the Python of S3REC_PYTHON has no {module}");
        return None;
    }
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", deploy().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("S3REC_PROGRAMS", Program::Command.path().parent().unwrap());
    Some(command)
}

fn succeeded(output: &Output) -> String {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (told, complained) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{told}{complained}");
    told
}

#[test]
fn the_package_leads_from_data_to_a_verdict() {
    let Some(mut python) = python("grpc_status") else {
        return;
    };
    python
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/package.py"))
        .args(["ratings.tsv", "links.tsv"].map(|file| deploy().join("samples").join(file)));
    let told = succeeded(&python.output().unwrap());
    assert!(told.ends_with("ok 6\n"), "{told}");
}

/// The tutorial as its reader runs it; what it shows is asserted by its own cells.
#[test]
fn the_notebook_runs_on_the_sample_data() {
    let Some(mut python) = python("nbclient, ipykernel, grpc_status, pandas") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let run = "import sys, nbformat, nbclient\n\
               book = nbformat.read(sys.argv[1], 4)\n\
               nbclient.NotebookClient(book, timeout=300, kernel_name='python3').execute()\n\
               print('ran', sum(cell.cell_type == 'code' for cell in book.cells))";
    python
        .args(["-c", run])
        .arg(deploy().join("python/from_data_to_verdict.ipynb"))
        .env("IPYTHONDIR", out.path())
        .env("JUPYTER_RUNTIME_DIR", out.path())
        .current_dir(deploy().join("python"));
    let told = succeeded(&python.output().unwrap());
    assert!(told.starts_with("ran "), "{told}");
}
