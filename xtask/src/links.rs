//! Links of the documentation: each page, picture and heading that one of our pages points to is there.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// What is wrong with the links of a page.
pub(crate) fn check(root: &Path, page: &Path, shown: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(page)?;
    let folder = page.parent().unwrap_or(root);
    let mut faults = Vec::new();
    for target in targets(&text) {
        let (place, heading) = target.split_once('#').unwrap_or((target, ""));
        let file = if place.is_empty() { page.to_owned() } else { folder.join(place) };
        if !file.exists() {
            faults.push(format!("{shown}: the link to `{target}` leads nowhere"));
        } else if !heading.is_empty() && !headings(&fs::read_to_string(&file)?).iter().any(|known| known == heading) {
            faults.push(format!("{shown}: `{place}` has no heading `#{heading}`"));
        }
    }
    Ok(faults)
}

/// Where links of a page lead within the project; code is not looked at.
fn targets(text: &str) -> Vec<&str> {
    let (mut found, mut fenced) = (Vec::new(), false);
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced || line.starts_with("    ") {
            continue;
        }
        for prose in line.split('`').step_by(2) {
            found.extend(prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    found.retain(|target| !target.contains("://") && !target.starts_with("mailto:"));
    found
}

/// Headings as links name them: lower case, hyphens for blanks, no punctuation.
fn headings(text: &str) -> Vec<String> {
    let words = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let name = |words: &str| {
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    words.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code_and_headings_as_links_name_them() {
        let page = "See [this](a.md#two-words) and ![that](b.png), [out](https://example.com), `[no](c.md)`.\n\
                    ```\n[no](d.md)\n```\n    [no](e.md)\n";
        assert_eq!(targets(page), ["a.md#two-words", "b.png"]);
        assert_eq!(headings("# No answer, then?\ntext\n## Two words"), ["no-answer-then", "two-words"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let root = crate::command::root();
        let page = root.join("docs/README.md");
        assert_eq!(check(&root, &page, "docs/README.md").unwrap(), Vec::<String>::new());
        let folder = std::env::temp_dir().join(format!("platen-links-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let page = folder.join("x.md");
        fs::write(&page, "# One\n[here](#one) [gone](y.md) [lost](x.md#two)\n").unwrap();
        let faults = check(&folder, &page, "x.md").unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(faults, ["x.md: the link to `y.md` leads nowhere", "x.md: `x.md` has no heading `#two`"]);
    }
}
