//! An S3 server of the tests' own: moto, of the Python that `S3REC_PYTHON` names.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::processes::wait_until;
use s3rec_testkit::addresses::free_port;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct S3 {
    child: Child,
    python: std::ffi::OsString,
    /// Of 127.0.0.1.
    pub port: u16,
}

/// Puts a file, or takes one.
const CLIENT: &str = "
import sys, boto3
verb, endpoint, bucket, key, file = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=endpoint, region_name='us-east-1',
                  aws_access_key_id='a', aws_secret_access_key='b')
if verb == 'make':
    s3.create_bucket(Bucket=bucket)
elif verb == 'put':
    s3.upload_file(file, bucket, key)
elif verb == 'get':
    s3.download_file(bucket, key, file)
else:
    print('\\n'.join(one['Key'] for one in s3.list_objects_v2(Bucket=bucket).get('Contents', [])))
";

impl S3 {
    /// A fresh server, or `None` with a loud word where moto is missing. CI must not miss it.
    #[must_use]
    pub fn start() -> Option<Self> {
        let python = std::env::var_os("S3REC_PYTHON").unwrap_or_else(|| "python3".into());
        let has = Command::new(&python)
            .args(["-c", "import boto3, moto.server"])
            .output();
        if !has.is_ok_and(|has| has.status.success()) {
            let missing = "there is no S3 server: let S3REC_PYTHON name a Python with moto[server]";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        }
        let port = free_port();
        let child = Command::new(&python)
            .args([
                "-m",
                "moto.server",
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            python,
            port,
        };
        wait_until("moto answers", Duration::from_secs(60), || server.answers());
        Some(server)
    }

    fn answers(&self) -> bool {
        let asked = || -> std::io::Result<usize> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            stream.read(&mut [0; 16])
        };
        asked().is_ok_and(|read| read > 0)
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a command needs to know of it, through `port`.
    #[must_use]
    pub fn environment_at(port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "a".into()),
            ("AWS_SECRET_ACCESS_KEY", "b".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ]
    }

    /// What a command needs to know of it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        Self::environment_at(self.port)
    }

    fn client(&self, verb: &str, bucket: &str, key: &str, file: &Path) -> String {
        let ran = Command::new(&self.python)
            .args(["-c", CLIENT, verb, &self.endpoint(), bucket, key])
            .arg(file)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{verb} {bucket}/{key}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Makes a bucket.
    pub fn make(&self, bucket: &str) {
        self.client("make", bucket, "", Path::new(""));
    }

    /// Puts a file into a bucket.
    pub fn put(&self, bucket: &str, key: &str, file: &Path) {
        self.client("put", bucket, key, file);
    }

    /// Takes an object out of a bucket into a file.
    pub fn get(&self, bucket: &str, key: &str, file: &Path) {
        self.client("get", bucket, key, file);
    }

    /// The keys in a bucket.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.client("list", bucket, "", Path::new(""));
        listed
            .lines()
            .map(str::to_owned)
            .filter(|key| !key.is_empty())
            .collect()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
