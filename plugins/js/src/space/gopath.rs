//! Paths as Go's `path/filepath` has them on Unix. Pure but for [`glob`].

/// The shortest path that means the same.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

pub(crate) fn join(parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).skip_while(|p| p.is_empty()).collect();
    if parts.is_empty() { String::new() } else { clean(&parts.join("/")) }
}

pub(crate) fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/".to_owned();
    }
    trimmed.rsplit('/').next().unwrap_or_default().to_owned()
}

pub(crate) fn dir(path: &str) -> String {
    clean(split(path).0)
}

/// The directory with its slash, and the file.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |at| at + 1))
}

pub(crate) fn ext(path: &str) -> &str {
    let file = split(path).1;
    file.rfind('.').map_or("", |at| &file[at..])
}

pub(crate) fn rel(from: &str, to: &str) -> Result<String, String> {
    let (base, target) = (clean(from), clean(to));
    if base == target {
        return Ok(".".to_owned());
    }
    let empty = |path: String| if path == "." { String::new() } else { path };
    let (base, target) = (empty(base), empty(target));
    let fail = || Err(format!("Rel: can't make {to} relative to {from}"));
    if base.starts_with('/') != target.starts_with('/') {
        return fail();
    }
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (base, target) = (parts(&base), parts(&target));
    let same = base.iter().zip(&target).take_while(|(a, b)| a == b).count();
    if base[same..].iter().any(|part| part == "..") {
        return fail();
    }
    let up = base[same..].iter().map(|_| "..".to_owned());
    Ok(up.chain(target[same..].iter().cloned()).collect::<Vec<_>>().join("/"))
}

/// What is wrong with a pattern.
pub(crate) const BAD_PATTERN: &str = "syntax error in pattern";

/// Whether a whole name matches a pattern: `*`, `?`, `[a-z]`, `\x`; a slash only matches itself.
pub(crate) fn matches(pattern: &str, name: &str) -> Result<bool, &'static str> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    checked(&pattern)?;
    Ok(matched(&pattern, &name))
}

/// Whether every part of a pattern is complete.
fn checked(mut pattern: &[char]) -> Result<(), &'static str> {
    while let Some((first, rest)) = pattern.split_first() {
        pattern = match first {
            '\\' => rest.get(1..).ok_or(BAD_PATTERN)?,
            '[' => set(rest, None).ok_or(BAD_PATTERN)?.1,
            _ => rest,
        };
    }
    Ok(())
}

fn matched(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match (first, name.split_first()) {
        ('*', _) => {
            let most = name.iter().position(|c| *c == '/').unwrap_or(name.len());
            (0..=most).any(|n| matched(rest, &name[n..]))
        }
        (_, None) => false,
        ('?', Some((c, left))) => *c != '/' && matched(rest, left),
        ('[', Some((c, left))) => match set(rest, Some(*c)) {
            Some((true, rest)) => *c != '/' && matched(rest, left),
            _ => false,
        },
        ('\\', Some((c, left))) => rest.first() == Some(c) && matched(&rest[1..], left),
        (want, Some((c, left))) => want == c && matched(rest, left),
    }
}

/// Whether a letter is in the set that begins behind `[`, and what follows the set; nothing if it does not end.
fn set(mut pattern: &[char], letter: Option<char>) -> Option<(bool, &[char])> {
    let negated = pattern.first() == Some(&'^');
    if negated {
        pattern = &pattern[1..];
    }
    let mut found = false;
    let mut any = false;
    loop {
        match pattern.split_first()? {
            (']', rest) if any => return Some((found != negated, rest)),
            _ => {
                let (low, rest) = member(pattern)?;
                let (high, rest) = match rest.split_first()? {
                    ('-', rest) => member(rest)?,
                    _ => (low, rest),
                };
                found |= letter.is_some_and(|c| low <= c && c <= high);
                any = true;
                pattern = rest;
            }
        }
    }
}

fn member(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern.split_first()? {
        ('-' | ']', _) => None,
        ('\\', rest) => rest.split_first().map(|(c, rest)| (*c, rest)),
        (c, rest) => Some((*c, rest)),
    }
}

/// The files that match a pattern, sorted.
pub(crate) fn glob(pattern: &str) -> Result<Vec<String>, &'static str> {
    checked(&pattern.chars().collect::<Vec<_>>())?;
    let is_magic = |part: &str| part.contains(['*', '?', '[', '\\']);
    if !is_magic(pattern) {
        let there = std::fs::symlink_metadata(pattern).is_ok();
        return Ok(if there { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let (folder, file) = split(pattern);
    let folder = match folder.trim_end_matches('/') {
        "" if folder.starts_with('/') => "/",
        "" => ".",
        other => other,
    };
    let folders = if is_magic(folder) { glob(folder)? } else { vec![folder.to_owned()] };
    let mut found = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        for name in names {
            if matches(file, &name)? {
                found.push(join(&[folder.clone(), name]));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_has_them() {
        for (path, want) in [
            ("", "."),
            ("a//b/../c/.", "a/c"),
            ("/../a", "/a"),
            ("../a", "../a"),
            ("/", "/"),
            ("a/..", "."),
        ] {
            assert_eq!(clean(path), want, "{path}");
        }
        let texts = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        for (parts, want) in [
            (&["a", "", "../b"][..], "b"),
            (&[], ""),
            (&["", ""], ""),
            (&["/a", "b"], "/a/b"),
            (&["", "a"], "a"),
        ] {
            assert_eq!(join(&texts(parts)), want);
        }
        for (path, b, d, e) in [
            ("", ".", ".", ""),
            ("/", "/", "/", ""),
            ("/a/b.tar.gz", "b.tar.gz", "/a", ".gz"),
            ("a/", "a", "a", ""),
            ("x", "x", ".", ""),
        ] {
            assert_eq!((base(path).as_str(), dir(path).as_str(), ext(path)), (b, d, e), "{path}");
        }
        for (from, to, want) in
            [("/a", "/a/b/c", "b/c"), ("/a/b", "/a/c", "../c"), ("a", "a", "."), ("", "a", "a")]
        {
            assert_eq!(rel(from, to).ok().as_deref(), Some(want));
        }
        assert_eq!(rel("a", "/b"), Err("Rel: can't make /b relative to a".into()));
        for (pattern, name, want) in [
            ("*.txt", "a.txt", Ok(true)),
            ("*.txt", "a/b.txt", Ok(false)),
            ("a?c", "abc", Ok(true)),
            ("[a-c]x", "bx", Ok(true)),
            ("[^a-c]x", "bx", Ok(false)),
            ("a\\*", "a*", Ok(true)),
            ("[", "a", Err(BAD_PATTERN)),
            ("[]a]", "]", Err(BAD_PATTERN)),
            ("a*b*c", "axxbyyc", Ok(true)),
            ("a\\", "a", Err(BAD_PATTERN)),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
