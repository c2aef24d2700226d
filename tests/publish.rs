//! The page as files, for a CDN that asks nobody.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;

use crate::commands::{command_on, spillway_on};
use crate::fake_aws::fake_aws;
use crate::shop::{open_sale, send, units};

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("{name}-{:016x}", rand::random::<u64>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_published_as_the_bytes_that_the_shop_serves_with_their_headers() {
    let shop = open_sale(units(5)).await;
    let folder = scratch("published");
    let place = folder.to_str().unwrap();
    let run = spillway_on(&shop.running, &["publish", "--json", shop.sale.as_str(), place]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let published: Value = serde_json::from_str(&run.out).unwrap();
    let files = published["files"].as_object().unwrap();
    assert_eq!(files.len(), 5 + 5 + 1, "languages, files of the page, reminder: {files:?}");
    let headers: Value =
        serde_json::from_slice(&std::fs::read(folder.join("headers.json")).unwrap()).unwrap();
    for (path, bytes) in files {
        let served = send(shop.request(Method::GET, &format!("/{path}"))).await;
        assert_eq!(std::fs::read_to_string(folder.join(path)).unwrap(), served.text, "{path}");
        assert_eq!(served.text.len() as u64, bytes.as_u64().unwrap());
        for name in ["content-type", "cache-control", "content-security-policy"] {
            assert_eq!(
                headers[path][name].as_str().unwrap_or_default(),
                served.header(name),
                "{path} {name}"
            );
        }
    }
    let page = std::fs::read_to_string(folder.join(format!("sales/{}/ja", shop.sale))).unwrap();
    assert!(files.keys().filter(|path| path.starts_with("assets/")).all(|path| page.contains(path.as_str())));
    std::fs::remove_dir_all(&folder).unwrap();
    let nowhere = spillway_on(&shop.running, &["publish", "nowhere-at-all", place]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.err.contains("there is no sale nowhere-at-all"), "{}", nowhere.err);
    assert!(!PathBuf::from(place).exists(), "nothing is written where there is nothing to publish");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_copied_to_a_bucket_with_type_and_caching_of_each_file() {
    let shop = open_sale(units(5)).await;
    let folder = scratch("bucket");
    let script = "#!/bin/sh\ncat >/dev/null\nprintf '%s ' \"$@\" >>\"$(dirname \"$0\")/called\"\necho >>\"$(dirname \"$0\")/called\"\n";
    let run = |script| {
        let mut command =
            command_on(&shop.running, &["publish", shop.sale.as_str(), "s3://shop-pages/live/"]);
        command.env("PATH", fake_aws(&folder, script)).output().unwrap()
    };
    let output = run(script);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let called = std::fs::read_to_string(folder.join("called")).unwrap();
    assert_eq!(called.lines().count(), 11, "{called}");
    let page = format!(
        "s3 cp - s3://shop-pages/live/sales/{}/en --only-show-errors --content-type text/html; charset=utf-8 \
         --cache-control public, max-age=0, s-maxage=5,",
        shop.sale
    );
    assert!(called.lines().any(|line| line.starts_with(&page)), "{called}");
    let failed = run("#!/bin/sh\ncat >/dev/null\nexit 1\n");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("aws could not write s3://shop-pages/live/"));
    std::fs::remove_dir_all(folder).unwrap();
}
