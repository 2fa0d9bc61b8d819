//! `:excerpt(max, ellipsis)`: the first characters of the text of an HTML document.
//!
//! A tolerant tokenizer drives the walk of the spec directly; no tree is kept.
//! Source: spec records-files-realtime-batch §1.6.

/// Elements whose content is not text.
const EXCLUDED: &[&str] = &[
    "head", "style", "script", "iframe", "embed", "applet", "object", "svg", "img", "picture",
    "dialog", "template", "button", "form", "textarea", "input", "select", "option",
];
/// Elements that do not separate words.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdo", "big", "br", "button", "cite", "code", "em", "i", "label",
    "q", "small", "span", "strong", "strike", "sub", "sup", "time",
];
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];
/// Elements whose content is text up to their end tag.
const RAW: &[&str] = &[
    "script",
    "style",
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "xmp",
    "textarea",
    "title",
    "plaintext",
];
/// Elements that belong to the head while the body has not begun.
const HEAD: &[&str] = &[
    "base", "basefont", "bgsound", "link", "meta", "title", "noscript", "noframes", "style",
    "script", "template",
];
/// Start tags that end an open paragraph.
const ENDS_P: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "search",
    "section",
    "summary",
    "table",
    "ul",
    "li",
    "dd",
    "dt",
];

/// The excerpt of an HTML text.
#[must_use]
pub(crate) fn excerpt(html: &str, max: usize, ellipsis: bool) -> String {
    let mut walk =
        Walk { out: String::new(), prev_space: false, max, open: Vec::new(), in_body: false };
    walk.block_edge(); // html and body are blocks
    walk.run(html);
    let text = walk.out.trim();
    if text.len() <= max {
        return text.to_owned();
    }
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((cut, _)) => {
            let mut short = text[..cut].trim().to_owned();
            if ellipsis {
                short.push_str("...");
            }
            short
        }
    }
}

struct Walk {
    out: String,
    prev_space: bool,
    max: usize,
    open: Vec<Open>,
    in_body: bool,
}

struct Open {
    name: String,
    block: bool,
    /// Its content is not visited.
    skip: bool,
    /// It was itself not visited.
    hidden: bool,
}

impl Walk {
    fn run(&mut self, html: &str) {
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            if at > 0 {
                self.text(&rest[..at]);
            }
            let tail = &rest[at..];
            rest = match self.markup(tail) {
                Some(used) => &tail[used..],
                None => {
                    self.text("<");
                    &tail[1..]
                }
            };
        }
        self.text(rest);
        while !self.open.is_empty() {
            self.pop();
        }
    }

    /// Consumes a tag or comment; `None` when the `<` is text.
    fn markup(&mut self, tail: &str) -> Option<usize> {
        let bytes = tail.as_bytes();
        match bytes.get(1)? {
            b'!' if tail.starts_with("<!--") => {
                Some(tail[4..].find("-->").map_or(tail.len(), |n| 4 + n + 3))
            }
            b'!' | b'?' => Some(tail.find('>').map_or(tail.len(), |n| n + 1)),
            b'/' => match bytes.get(2) {
                Some(c) if c.is_ascii_alphabetic() => {
                    let (name, used, _) = tag(&tail[2..]);
                    self.end(&name);
                    Some(2 + used)
                }
                _ => Some(tail.find('>').map_or(tail.len(), |n| n + 1)),
            },
            c if c.is_ascii_alphabetic() => {
                let (name, used, closed) = tag(&tail[1..]);
                let mut used = 1 + used;
                self.start(&name, closed);
                if RAW.contains(&name.as_str()) {
                    let content = &tail[used..];
                    let len = raw_len(content, &name);
                    self.text(&content[..len]);
                    used += len;
                }
                Some(used)
            }
            _ => None,
        }
    }

    fn skipping(&self) -> bool {
        self.open.last().is_some_and(|open| open.skip)
    }

    fn start(&mut self, name: &str, self_closed: bool) {
        if matches!(name, "html" | "body" | "head") {
            if name == "head" && !self.in_body {
                self.push("head", true);
            } else if name == "body" {
                self.close_head();
                self.in_body = true;
            }
            return;
        }
        if !self.in_body {
            if HEAD.contains(&name) {
                self.push(name, true);
                if VOID.contains(&name) {
                    self.pop();
                }
                return;
            }
            self.close_head();
            self.in_body = true;
        }
        if ENDS_P.contains(&name) && self.open.last().is_some_and(|open| open.name == "p") {
            self.pop();
        }
        let closes_same = matches!(name, "li" | "option" | "td" | "th" | "tr" | "dd" | "dt");
        if closes_same && self.open.last().is_some_and(|open| open.name == name) {
            self.pop();
        }
        self.push(name, EXCLUDED.contains(&name));
        let foreign = self.open.iter().any(|open| open.name == "svg" || open.name == "math");
        if VOID.contains(&name) || (self_closed && foreign) {
            self.pop();
        }
    }

    fn push(&mut self, name: &str, excluded: bool) {
        let hidden = excluded || self.skipping();
        let block = !INLINE.contains(&name);
        if !hidden && block {
            self.block_edge();
        }
        let skip = hidden || self.out.len() > self.max + 2;
        self.open.push(Open { name: name.to_owned(), block, skip, hidden });
    }

    fn pop(&mut self) {
        if let Some(open) = self.open.pop()
            && open.block
            && !open.hidden
        {
            self.block_edge();
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "html" | "body" => return,
            "br" => return self.start("br", false),
            "head" => return self.close_head(),
            _ => {}
        }
        if self.open.iter().any(|open| open.name == name) {
            while let Some(open) = self.open.last() {
                let done = open.name == name;
                self.pop();
                if done {
                    break;
                }
            }
        } else if name == "p" {
            self.start("p", false);
            self.pop();
        }
    }

    fn close_head(&mut self) {
        if self.open.first().is_some_and(|open| open.name == "head") {
            self.open.clear();
        }
    }

    fn block_edge(&mut self) {
        if !self.prev_space {
            self.out.push(' ');
            self.prev_space = true;
        }
    }

    fn text(&mut self, raw: &str) {
        if raw.is_empty() || self.open.last().is_some_and(|open| open.skip && open.name != "head") {
            return;
        }
        if !self.in_body {
            if raw.trim_matches(is_space).is_empty() {
                return;
            }
            self.close_head();
            self.in_body = true;
        }
        let text = unescape(raw);
        let before = self.out.len();
        let mut in_space = false;
        for c in text.chars() {
            if is_space(c) {
                in_space = true;
                continue;
            }
            if std::mem::take(&mut in_space) && !(self.prev_space && self.out.len() == before) {
                self.out.push(' ');
            }
            self.out.push(c);
        }
        if in_space && !(self.prev_space && self.out.len() == before) {
            self.out.push(' ');
        }
        if self.out.len() > before {
            self.prev_space = self.out.ends_with(' ');
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

/// Reads a tag from its name on: lower-case name, bytes used including `>`, whether it ends in `/>`.
fn tag(text: &str) -> (String, usize, bool) {
    let bytes = text.as_bytes();
    let end = bytes
        .iter()
        .position(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'))
        .unwrap_or(bytes.len());
    let name = text[..end].to_ascii_lowercase();
    let (mut at, mut quote, mut before_value) = (end, None, false);
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(q), b) if q == *b => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if before_value => quote = Some(*byte),
            (None, b'>') => return (name, at + 1, at > end && bytes[at - 1] == b'/'),
            (None, _) => {}
        }
        before_value = *byte == b'=' || (before_value && byte.is_ascii_whitespace());
        at += 1;
    }
    (name, bytes.len(), false)
}

fn raw_len(content: &str, name: &str) -> usize {
    let bytes = content.as_bytes();
    let mut at = 0;
    while let Some(n) = content[at..].find("</") {
        let start = at + n;
        let after = start + 2;
        let fits = bytes
            .get(after..after + name.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(name.as_bytes()));
        let ended = bytes
            .get(after + name.len())
            .is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'));
        if fits && ended {
            return start;
        }
        at = after;
    }
    content.len()
}

/// The entities people write; others stay as they are.
const ENTITIES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("hellip", "…"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("bull", "•"),
    ("middot", "·"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("sect", "§"),
    ("para", "¶"),
    ("deg", "°"),
    ("plusmn", "±"),
    ("times", "×"),
    ("divide", "÷"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("frac34", "¾"),
    ("sup2", "²"),
    ("sup3", "³"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("agrave", "à"),
    ("aacute", "á"),
    ("ccedil", "ç"),
    ("ntilde", "ñ"),
    ("oacute", "ó"),
    ("iacute", "í"),
    ("uacute", "ú"),
    ("aring", "å"),
    ("oslash", "ø"),
    ("aelig", "æ"),
    ("larr", "←"),
    ("rarr", "→"),
    ("uarr", "↑"),
    ("darr", "↓"),
    ("infin", "∞"),
    ("ne", "≠"),
    ("le", "≤"),
    ("ge", "≥"),
    ("shy", "\u{ad}"),
    ("ensp", "\u{2002}"),
    ("emsp", "\u{2003}"),
    ("thinsp", "\u{2009}"),
    ("zwj", "\u{200d}"),
];

fn unescape(raw: &str) -> std::borrow::Cow<'_, str> {
    if !raw.contains('&') {
        return raw.into();
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        match entity(tail) {
            Some((text, used)) => {
                out.push_str(&text);
                rest = &tail[used..];
            }
            None => {
                out.push('&');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out.into()
}

fn entity(tail: &str) -> Option<(String, usize)> {
    if let Some(number) = tail.strip_prefix('#') {
        let (digits, radix, prefix) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16, 2),
            None => (number, 10, 1),
        };
        let len = digits.bytes().take_while(|b| (*b as char).is_digit(radix)).count();
        let code = u32::from_str_radix(&digits[..len], radix).ok()?;
        let c = char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{fffd}');
        let used = prefix + len + usize::from(digits[len..].starts_with(';'));
        return Some((c.to_string(), used));
    }
    let len = tail.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let text = ENTITIES.iter().find(|(name, _)| *name == &tail[..len])?.1;
    let closed = tail[len..].starts_with(';');
    let short = matches!(&tail[..len], "amp" | "lt" | "gt" | "quot" | "nbsp" | "copy" | "reg");
    (closed || short).then(|| (text.to_owned(), len + usize::from(closed)))
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn vectors() {
        let p = "<p>аб</p><p>вг</p>";
        for (html, max, ellipsis, want) in [
            (p, 2, true, "аб"),
            (p, 3, true, "аб"),
            (p, 4, true, "аб в..."),
            (p, 5, true, "аб вг"),
            ("a<br>b<i>c</i>", 10, false, "abc"),
            ("  plain   text ", 100, true, "plain text"),
            ("<head><title>t</title></head><p>x</p>", 10, false, "x"),
            ("<style>a{}</style>hello <script>if (a<b) {}</script><b>w</b>", 100, false, "hello w"),
            ("a < b &amp;&lt;c&#62; &unknown;", 100, false, "a < b &<c> &unknown;"),
            ("<!-- c --><div>one<div>two</div>three</div>", 100, false, "one two three"),
            ("<p>one<p>two", 100, false, "one two"),
            ("abcdef", 3, true, "abc..."),
            ("", 3, true, ""),
            ("<a title='>'>x</a", 9, true, "x"),
            ("<img src=x onerror=y>k<select><option>n</select>m", 9, true, "km"),
        ] {
            assert_eq!(excerpt(html, max, ellipsis), want, "{html} {max}");
        }
    }
}
