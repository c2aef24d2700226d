//! Rules of this repository that decay when nobody looks at them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use edge::{PROBLEMS, SETTINGS};

pub(crate) fn root() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().unwrap()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Folders of all crates, relative to the root.
fn crates() -> Vec<PathBuf> {
    let mut crates = vec![PathBuf::from("infra/spillway")];
    for parent in ["functions", "shared"] {
        for entry in std::fs::read_dir(root().join(parent)).unwrap() {
            crates.push(Path::new(parent).join(entry.unwrap().file_name()));
        }
    }
    crates.sort();
    crates
}

/// Files of a folder with this ending, relative to the root.
pub(crate) fn files(folder: impl AsRef<Path>, ending: &str) -> Vec<PathBuf> {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == ending))
        .map(|entry| folder.join(entry.file_name()))
        .collect();
    files.sort();
    files
}

fn sources() -> Vec<PathBuf> {
    let mut sources = files("tests", "rs");
    sources.extend(files("tests/examples", "rs"));
    sources.extend(files("tests/examples/cold_start", "rs"));
    sources.extend(files("shared/sentinel/tests", "rs"));
    sources.extend(files("shared/sentinel/examples", "rs"));
    for folder in crates() {
        sources.extend(files(folder.join("src"), "rs"));
    }
    sources
}

pub(crate) fn names_of(folder: &str) -> BTreeSet<String> {
    let folders = crates().into_iter().filter(|path| path.starts_with(folder));
    folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_source_file_says_what_lives_in_it_and_is_short() {
    for path in sources() {
        let text = read(&path);
        assert!(text.starts_with("//! "), "{} has no module doc", path.display());
        assert!(text.lines().count() <= 450, "{} is too long for one purpose", path.display());
    }
    for path in files("shared/sale/src", "lua") {
        assert!(read(&path).starts_with("-- "), "{} does not say what it does", path.display());
    }
}

#[test]
fn source_folders_are_flat_and_every_file_in_them_is_used() {
    for folder in crates() {
        let source = folder.join("src");
        for entry in std::fs::read_dir(root().join(&source)).unwrap() {
            assert!(entry.unwrap().path().is_file(), "{} is not flat", source.display());
        }
        let mut roots = String::new();
        for file in ["lib.rs", "main.rs"].map(|file| source.join(file)) {
            roots += &std::fs::read_to_string(root().join(file)).unwrap_or_default();
        }
        for file in files(&source, "rs") {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let is_used = ["lib", "main"].contains(&stem) || roots.contains(&format!("mod {stem};"));
            assert!(is_used, "{} belongs to no crate", file.display());
        }
        for script in files(&source, "lua") {
            let is_used = files(&source, "rs").iter().any(|file| {
                let name = script.file_name().unwrap().to_str().unwrap();
                read(file).contains(&format!("\"{name}\""))
            });
            assert!(is_used, "{} is used by nobody", script.display());
        }
    }
}

#[test]
fn nothing_is_left_for_later_and_no_module_has_a_name_that_hides_its_purpose() {
    for path in sources().iter().filter(|path| !path.ends_with("tidy.rs")) {
        let text = read(path);
        for word in ["TODO", "FIXME", "XXX ", "todo!(", "unimplemented!("] {
            assert!(!text.contains(word), "{} in {}", word, path.display());
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for word in ["util", "helper", "common", "manager", "handler", "service", "misc"] {
            assert!(!stem.contains(word), "{} hides what is in it", path.display());
        }
    }
}

/// What each crate of ours may depend on, of ours and of the AWS SDK.
#[test]
fn dependencies_point_one_way() {
    let ours: BTreeSet<_> =
        names_of("shared").into_iter().chain(names_of("functions")).chain(["spillway".to_owned()]).collect();
    let with_ledger = ["api", "edge", "sale", "ledger"];
    let without = ["api", "edge", "sale"];
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("sentinel", &[][..]),
        ("sale", &["sentinel"]),
        ("api", &["sale"]),
        ("ledger", &["api", "sale"]),
        ("fetch", &[]),
        ("edge", &["api", "fetch", "sale", "sentinel"]),
        ("languages", &["sale"]),
        ("forms", &["edge", "languages", "sale"]),
        ("session", &["api", "edge", "forms", "sale"]),
        ("page", &["api", "edge", "forms", "languages", "sale"]),
        ("queue", &["api", "edge", "forms", "sale"]),
        ("reserve", &["api", "edge", "forms", "sale"]),
        ("confirm", &["api", "edge", "forms", "ledger", "sale"]),
        ("admin", &with_ledger),
        ("sweep", &with_ledger),
        ("monitor", &without),
        ("rotate", &["edge", "fetch"]),
        ("spillway", &["api", "edge", "fetch", "languages", "ledger", "sale", "sentinel"]),
    ]);
    for folder in crates() {
        let manifest: toml::Table = read(folder.join("Cargo.toml")).parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap();
        assert_eq!(folder.file_name().unwrap().to_str(), Some(name), "a folder is named like its crate");
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} has no rule here"));
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            let is_ours = ours.contains(dependency);
            assert!(!is_ours || allowed.contains(&dependency.as_str()), "{name} must not know {dependency}");
            // To sign a request takes two small crates, not the SDK.
            let is_signing =
                name == "fetch" && ["aws-sigv4", "aws-credential-types"].contains(&dependency.as_str());
            let may_link = !dependency.starts_with("aws-") || name == "ledger" || is_signing;
            assert!(may_link, "{name} must not link {dependency}");
        }
    }
}

/// `'WORD'` and `"WORD"` of at least three capitals.
fn words(text: &str, quote: char) -> BTreeSet<String> {
    let is_word = |part: &&str| part.len() >= 3 && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    text.split(quote).skip(1).step_by(2).filter(is_word).map(str::to_owned).collect()
}

/// Files of which scripts are put together, and which name keys.
pub(crate) const SHARED_BY_SCRIPTS: [&str; 2] = ["prelude", "queue"];

/// What a script can answer: the words that begin an answer.
fn answered(script: &str) -> BTreeSet<String> {
    let heads = [
        "return {'",
        "return nil, {'",
        "return answer('",
        "tell({'",
        "tell(answer('",
        "local answer = {'",
        "fault or {'",
    ];
    let code = script.lines().filter(|line| !line.trim_start().starts_with("--"));
    let mut found = BTreeSet::new();
    for line in code {
        for head in heads {
            for (at, _) in line.match_indices(head) {
                found.extend(words(&line[at + head.len() - 1..], '\'').into_iter().take(1));
            }
        }
    }
    found
}

#[test]
fn every_word_that_a_script_answers_is_an_outcome_and_the_other_way_round() {
    let prelude = ["SALE_NOT_FOUND".to_owned()];
    for path in files("shared/sale/src", "lua") {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if SHARED_BY_SCRIPTS.contains(&stem) {
            continue;
        }
        let script = read(&path);
        let mut expected: BTreeSet<String> = answered(&script);
        // These two make the sale that the others miss.
        expected.extend(prelude.iter().filter(|_| !["open", "seed"].contains(&stem)).cloned());
        // An error, whichever script answers it.
        expected.remove("UNSEEDED");
        let code = read(path.with_extension("rs"));
        let arms = code.lines().filter(|line| line.contains("=>"));
        let known: BTreeSet<String> = arms.flat_map(|line| words(line, '"')).collect();
        assert_eq!(known, expected, "{stem}.rs against {stem}.lua");
        let head: String = script.lines().take_while(|line| line.starts_with("--")).collect();
        for word in &expected {
            assert!(head.contains(word.as_str()), "{stem}.lua does not document {word}");
        }
    }
}

#[test]
fn redis_keys_are_named_in_what_scripts_share_and_nowhere_else() {
    for path in sources().into_iter().chain(files("shared/sale/src", "lua")) {
        let is_shared = |stem: &&str| path.ends_with(format!("{stem}.lua"));
        let is_exempt = SHARED_BY_SCRIPTS.iter().any(is_shared) || path.starts_with("tests");
        let text = read(&path);
        for key in [
            "':sku",
            "':returned",
            "':withdrawn",
            "':sold",
            "':holds",
            "':r:",
            "':p:",
            "':b:",
            "':un",
            "':queue",
            "':lobby",
            "':t:",
        ] {
            assert!(is_exempt || !text.contains(key), "{} names the key {key}", path.display());
        }
    }
}

#[test]
fn every_setting_and_every_problem_is_documented() {
    let architecture = read("ARCHITECTURE.md");
    for setting in SETTINGS {
        let row = format!("| `{}` | {} |", setting.name, setting.meaning);
        assert!(architecture.contains(&row), "ARCHITECTURE.md lacks the row {row}");
    }
    for problem in PROBLEMS {
        let row = format!("| {} | `{}` | {} |", problem.status, problem.slug, problem.title);
        assert!(architecture.contains(&row), "ARCHITECTURE.md lacks the row {row}");
    }
}

/// Every path in back quotes that names something of this repository.
#[test]
fn what_the_documents_name_exists() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(document);
        let top = ["functions/", "shared/", "infra/", "tests/", ".ci/", ".github/"];
        for path in
            text.split('`').skip(1).step_by(2).filter(|name| top.iter().any(|top| name.starts_with(top)))
        {
            let path = path.split([' ', ':', '#']).next().unwrap().trim_end_matches("/…");
            assert!(path.contains('*') || root().join(path).exists(), "{document} names {path}");
        }
        for folder in crates() {
            let name = format!("{}", folder.display());
            let is_mapped = document != "ARCHITECTURE.md" || text.contains(&name);
            assert!(is_mapped, "the code map lacks {name}");
        }
    }
}
