//! The plain text alternative of an HTML body (spec auth §10.2): links as `[text](address)`, list items after `- `, one
//! line per block, no controls, scripts or pictures.
//!
//! Total: HTML that cannot be rendered gives an empty text, and the mail goes out with its HTML alone.

use html2text::{
    Handle, config,
    render::{TaggedLine, TextDecorator},
};

/// Elements that have no meaning as text.
const SKIPPED: [&str; 14] = [
    "style", "script", "iframe", "applet", "object", "svg", "img", "button", "form", "textarea",
    "input", "select", "option", "template",
];
/// Lines are not wrapped by us; quoted-printable does that for the transport.
const WIDTH: usize = 4000;
/// Longer HTML is sent without an alternative.
const MAX_HTML: usize = 1 << 20;

/// The text of an HTML document.
pub(super) fn from_html(html: &str) -> String {
    if html.len() > MAX_HTML {
        return String::new();
    }
    let config = config::with_decorator(Plain::default())
        .raw_mode(true)
        .no_link_wrapping()
        .link_footnotes(false)
        .allow_width_overflow();
    let rendered = config.parse_html(html.as_bytes()).and_then(|dom| {
        prune(&dom.document);
        let tree = config.dom_to_render_tree(&dom)?;
        config.render_to_string(tree, WIDTH)
    });
    tidy(&rendered.unwrap_or_default())
}

/// Takes skipped elements out of the tree.
fn prune(document: &Handle) {
    let mut open = vec![document.clone()];
    while let Some(node) = open.pop() {
        let mut children = node.children.borrow_mut();
        children.retain(|child| {
            child.element_name().is_none_or(|name| !SKIPPED.contains(&name.as_str()))
        });
        open.extend(children.iter().cloned());
    }
}

/// One line per block: no empty lines, no rules, no space at the ends.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines().map(str::trim) {
        if line.chars().all(|c| matches!(c, '─' | '-')) {
            continue;
        }
        if !out.is_empty() {
            out.push_str("\r\n");
        }
        out.push_str(line);
    }
    out
}

/// Spells links and lists; everything else is bare text.
#[derive(Debug, Clone, Default)]
struct Plain {
    links: Vec<String>,
}

type Spelled = (String, ());

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> Spelled {
        self.links.push(url.to_owned());
        ("[".into(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        format!("]({})", self.links.pop().unwrap_or_default())
    }
    fn decorate_em_start(&self) -> Spelled {
        Spelled::default()
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> Spelled {
        Spelled::default()
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> Spelled {
        Spelled::default()
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> Spelled {
        Spelled::default()
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_superscript_start(&self) -> Spelled {
        Spelled::default()
    }
    fn decorate_superscript_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _: &str, _: &str) -> Spelled {
        Spelled::default()
    }
    fn header_prefix(&self, _: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        String::new()
    }
    fn unordered_item_prefix(&self) -> String {
        "- ".into()
    }
    fn ordered_item_prefix(&self, _: i64) -> String {
        "- ".into()
    }
    fn make_subblock_decorator(&self) -> Self {
        Self::default()
    }
    fn finalise(&mut self, _: Vec<String>) -> Vec<TaggedLine<()>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::from_html;

    #[test]
    fn texts() {
        for (html, want) in [
            ("", ""),
            ("plain", "plain"),
            ("<p>Hello,</p>\n<p>a <b>b</b>  c<br/>d</p>", "Hello,\r\na b c\r\nd"),
            (
                "<p><a class=btn href='http://x/_/#/a/t.o.k'>Go</a></p>",
                "[Go](http://x/_/#/a/t.o.k)",
            ),
            ("<ul><li>a</li><li>b &amp; c</li></ul>", "- a\r\n- b & c"),
            (
                "<style>p{}</style><script>x</script><button>no</button><form>no</form><p>yes</p>",
                "yes",
            ),
            ("<p>a</p><hr><p>b</p>", "a\r\nb"),
            ("<b><i>unclosed", "unclosed"),
            ("<table><tr><td>x</td><td>y</td></tr></table>", "x\r\ny"),
        ] {
            assert_eq!(from_html(html), want, "{html}");
        }
        let long = format!("<a href='http://x/{}'>l</a>", "t".repeat(900));
        assert_eq!(from_html(&long).lines().count(), 1);
        assert!(!from_html(&"<div>".repeat(5000)).contains('<'));
    }
}
