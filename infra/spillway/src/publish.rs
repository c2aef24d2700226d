//! `cargo spillway publish`: the page of a sale as files, the same bytes that the shop serves, for a CDN that asks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use languages::LANGUAGES;
use reqwest::StatusCode;
use sale::SaleId;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::output::{show, unless_reader_left};
use crate::progress::say;
use crate::shop::ShopAddress;

/// What a web server or a CDN says of itself and of one answer; all other headers belong to the file.
const NOT_OF_THE_FILE: [&str; 9] = [
    "age",
    "connection",
    "content-length",
    "date",
    "etag",
    "server",
    "transfer-encoding",
    "vary",
    "x-request-id",
];

/// For one small file.
const COPY_TIMEOUT: Duration = Duration::from_mins(1);

/// Where it is said with which headers each file is to be served.
const HEADERS: &str = "headers.json";

/// Write the page of a sale as files, for any CDN.
#[derive(Debug, Args)]
pub struct PublishArguments {
    #[command(flatten)]
    shop: ShopAddress,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The sale.
    sale: SaleId,
    /// A folder, or `s3://BUCKET[/PREFIX]`, which the AWS command line writes to.
    place: String,
}

struct File {
    headers: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

#[derive(Serialize)]
struct Published {
    place: String,
    /// Bytes of each file, by its path.
    files: BTreeMap<String, usize>,
}

impl PublishArguments {
    /// Writes the files, and prints what was written.
    pub async fn run(self) -> Result<()> {
        unless_reader_left(self.act().await)
    }

    async fn act(self) -> Result<()> {
        let (url, http) = self.shop.public()?;
        let files = Shop { url, http }.files(&self.sale).await?;
        match self.place.strip_prefix("s3://") {
            Some(_) => copy_to_bucket(self.place.trim_end_matches('/'), &files).await?,
            None => write_to_folder(Path::new(&self.place), &files)?,
        }
        let sizes = files.into_iter().map(|(path, file)| (path, file.bytes.len())).collect();
        show(self.json, &Published { place: self.place, files: sizes }, words)
    }
}

struct Shop {
    url: String,
    http: reqwest::Client,
}

impl Shop {
    /// Every file of the page, by its path without the leading slash.
    async fn files(&self, sale: &SaleId) -> Result<BTreeMap<String, File>> {
        let mut files = BTreeMap::new();
        let mut assets = BTreeSet::new();
        for language in &LANGUAGES {
            let path = format!("sales/{sale}/{}", language.tag);
            let page = self.file(&path).await?.with_context(|| format!("there is no sale {sale}"))?;
            assets.extend(assets_of(&String::from_utf8_lossy(&page.bytes)));
            files.insert(path, page);
        }
        for path in assets {
            let asset = self.file(&path).await?.with_context(|| format!("{path} is missing"))?;
            files.insert(path, asset);
        }
        let opening = format!("sales/{sale}/opening.ics");
        // A sale that opens by hand has none.
        if let Some(calendar) = self.file(&opening).await? {
            files.insert(opening, calendar);
        }
        Ok(files)
    }

    /// The file of this path; nothing where the shop has none.
    async fn file(&self, path: &str) -> Result<Option<File>> {
        let address = format!("{}/{path}", self.url);
        let answer = self.http.get(&address).send().await.context("the shop does not answer")?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => bail!("{address} answers {status}"),
        }
        let of_the_file =
            answer.headers().iter().filter(|(name, _)| !NOT_OF_THE_FILE.contains(&name.as_str()));
        let headers = of_the_file
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok(Some(File { headers, bytes: answer.bytes().await?.to_vec() }))
    }
}

/// The page's own files: `assets/` and a name of letters, digits, hyphens and dots.
fn assets_of(page: &str) -> BTreeSet<String> {
    let names = page.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next());
    let is_name =
        |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    names.filter(is_name).map(|name| format!("assets/{name}")).collect()
}

fn write_to_folder(folder: &Path, files: &BTreeMap<String, File>) -> Result<()> {
    let write = |path: PathBuf, bytes: &[u8]| {
        let parent = path.parent().unwrap_or(folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, bytes));
        written.with_context(|| format!("cannot write {}", path.display()))
    };
    for (path, file) in files {
        write(folder.join(path), &file.bytes)?;
    }
    let headers: BTreeMap<_, _> = files.iter().map(|(path, file)| (path, &file.headers)).collect();
    write(folder.join(HEADERS), serde_json::to_string_pretty(&headers)?.as_bytes())
}

/// The bucket keeps type and caching of a file; what else a browser is told with it, the CDN adds.
async fn copy_to_bucket(bucket: &str, files: &BTreeMap<String, File>) -> Result<()> {
    for (path, file) in files {
        say(&format!("copying {path}"));
        let header = |name: &str| file.headers.get(name).map(String::as_str).unwrap_or_default();
        let place = format!("{bucket}/{path}");
        let mut command = Command::new("aws");
        command.args(["s3", "cp", "-", &place, "--only-show-errors"]);
        command.args(["--content-type", header("content-type"), "--cache-control", header("cache-control")]);
        let started = command.stdin(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child =
            started.context("the AWS command line is needed for s3://, and does not run: install awscli")?;
        let mut input = child.stdin.take().context("aws takes no input")?;
        input.write_all(&file.bytes).await.context("aws does not take the file")?;
        drop(input);
        let ended = tokio::time::timeout(COPY_TIMEOUT, child.wait()).await.context("aws takes too long")?;
        ensure!(ended?.success(), "aws could not write {place}");
    }
    Ok(())
}

fn words(published: &Published) -> String {
    let Published { place, files } = published;
    let mut lines: Vec<_> = files.iter().map(|(path, bytes)| format!("  {path}  {bytes} bytes")).collect();
    lines.insert(0, format!("The page is in {place}:"));
    lines.push(if place.starts_with("s3://") {
        "Let the CDN add the other headers of the page: its policy, above all.".to_owned()
    } else {
        format!("{HEADERS} says with which headers each is to be served.")
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_files_are_taken_from_a_page() {
        let page = r#"<link href="/assets/sale.0a.css"><a data-now="/assets/icon-now.svg"><b x="/assets/../x" y="/assets/a/b">"#;
        assert_eq!(
            assets_of(page),
            BTreeSet::from(["assets/icon-now.svg".to_owned(), "assets/sale.0a.css".to_owned()])
        );
    }
}
