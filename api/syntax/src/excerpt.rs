//! `:excerpt(max, ellipsis)`: the first characters of the text of an HTML document.
//!
//! html5ever parses the document as browsers do; here is what the walk over its tree keeps.
//! Source: spec records-files-realtime-batch §1.6.

use std::{borrow::Cow, cell::RefCell, rc::Rc};

use html5ever::{
    Attribute, QualName,
    interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
    parse_document,
    tendril::{StrTendril, TendrilSink as _},
};

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
/// The excerpt of an HTML text.
#[must_use]
pub fn excerpt(html: &str, max: usize, ellipsis: bool) -> String {
    let tree = parse_document(Tree::default(), html5ever::ParseOpts::default()).one(html);
    let mut walk = Walk { out: String::new(), prev_space: false, max };
    walk.run(&tree);
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
}

/// What the walk does next; a stack of them stands for the recursion, which documents could make too deep.
enum Step {
    Visit(usize),
    BlockEdge,
}

impl Walk {
    fn run(&mut self, nodes: &[Node]) {
        let mut steps = vec![Step::Visit(DOCUMENT)];
        while let Some(step) = steps.pop() {
            match step {
                Step::BlockEdge => self.block_edge(),
                Step::Visit(id) => self.visit(nodes, id, &mut steps),
            }
        }
    }

    fn visit(&mut self, nodes: &[Node], id: usize, steps: &mut Vec<Step>) {
        let name = match &nodes[id].data {
            Data::Text(text) => return self.text(text),
            Data::Silent => return,
            Data::Document => "",
            Data::Element(name) => &name.local,
        };
        if EXCLUDED.contains(&name) {
            return;
        }
        let is_block = id != DOCUMENT && !INLINE.contains(&name);
        if is_block {
            self.block_edge();
            steps.push(Step::BlockEdge);
        }
        if self.out.len() <= self.max + 2 {
            steps.extend(nodes[id].children.iter().rev().map(|child| Step::Visit(*child)));
        }
    }

    fn block_edge(&mut self) {
        if !self.prev_space {
            self.out.push(' ');
            self.prev_space = true;
        }
    }

    fn text(&mut self, text: &str) {
        let before = self.out.len();
        let mut in_space = false;
        for c in text.chars() {
            if matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ') {
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

const DOCUMENT: usize = 0;

struct Node {
    parent: Option<usize>,
    children: Vec<usize>,
    data: Data,
}

enum Data {
    Document,
    Element(Rc<QualName>),
    Text(String),
    /// Comments, and the contents of templates, which are no children.
    Silent,
}

/// A node as the parser holds it; elements carry their name.
#[derive(Clone)]
struct Handle(usize, Option<Rc<QualName>>);

/// The tree that the parser builds: nodes by number, the document first.
struct Tree(RefCell<Vec<Node>>);

impl Default for Tree {
    fn default() -> Self {
        let document = Node { parent: None, children: Vec::new(), data: Data::Document };
        Self(RefCell::new(vec![document]))
    }
}

impl Tree {
    fn add(&self, data: Data) -> Handle {
        let name = match &data {
            Data::Element(name) => Some(name.clone()),
            _ => None,
        };
        let mut nodes = self.0.borrow_mut();
        nodes.push(Node { parent: None, children: Vec::new(), data });
        Handle(nodes.len() - 1, name)
    }

    fn detach(&self, id: usize) {
        let mut nodes = self.0.borrow_mut();
        if let Some(parent) = nodes[id].parent.take() {
            nodes[parent].children.retain(|child| *child != id);
        }
    }

    /// Puts a node or text among the children of `parent`, before the child at `at`; texts that meet become one.
    fn insert(&self, parent: usize, at: usize, child: NodeOrText<Handle>) {
        let id = match child {
            NodeOrText::AppendNode(Handle(id, _)) => {
                self.detach(id);
                id
            }
            NodeOrText::AppendText(text) => {
                let mut nodes = self.0.borrow_mut();
                let before = at.checked_sub(1).map(|at| nodes[parent].children[at]);
                if let Some(Data::Text(before)) = before.map(|id| &mut nodes[id].data) {
                    before.push_str(&text);
                    return;
                }
                drop(nodes);
                self.add(Data::Text(text.to_string())).0
            }
        };
        let mut nodes = self.0.borrow_mut();
        nodes[id].parent = Some(parent);
        let at = at.min(nodes[parent].children.len());
        nodes[parent].children.insert(at, id);
    }
}

impl TreeSink for Tree {
    type Handle = Handle;
    type Output = Vec<Node>;
    type ElemName<'a> = &'a QualName;

    fn finish(self) -> Vec<Node> {
        self.0.into_inner()
    }
    fn parse_error(&self, _: Cow<'static, str>) {}
    fn get_document(&self) -> Handle {
        Handle(DOCUMENT, None)
    }
    fn elem_name<'a>(&'a self, target: &'a Handle) -> &'a QualName {
        target.1.as_deref().expect("the parser asks elements only")
    }
    fn create_element(&self, name: QualName, _: Vec<Attribute>, _: ElementFlags) -> Handle {
        self.add(Data::Element(Rc::new(name)))
    }
    fn create_comment(&self, _: StrTendril) -> Handle {
        self.add(Data::Silent)
    }
    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.add(Data::Silent)
    }
    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        let end = self.0.borrow()[parent.0].children.len();
        self.insert(parent.0, end, child);
    }
    fn append_based_on_parent_node(
        &self,
        element: &Handle,
        prev_element: &Handle,
        child: NodeOrText<Handle>,
    ) {
        let has_parent = self.0.borrow()[element.0].parent.is_some();
        if has_parent {
            self.append_before_sibling(element, child);
        } else {
            self.append(prev_element, child);
        }
    }
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn get_template_contents(&self, _: &Handle) -> Handle {
        self.add(Data::Silent)
    }
    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        x.0 == y.0
    }
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn append_before_sibling(&self, sibling: &Handle, new_node: NodeOrText<Handle>) {
        if let NodeOrText::AppendNode(node) = &new_node {
            self.detach(node.0);
        }
        let place = {
            let nodes = self.0.borrow();
            let parent = nodes[sibling.0].parent;
            parent.and_then(|parent| {
                let at = nodes[parent].children.iter().position(|child| *child == sibling.0)?;
                Some((parent, at))
            })
        };
        if let Some((parent, at)) = place {
            self.insert(parent, at, new_node);
        }
    }
    fn add_attrs_if_missing(&self, _: &Handle, _: Vec<Attribute>) {}
    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.0);
    }
    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        let mut nodes = self.0.borrow_mut();
        let children = std::mem::take(&mut nodes[node.0].children);
        for child in &children {
            nodes[*child].parent = Some(new_parent.0);
        }
        nodes[new_parent.0].children.extend(children);
    }
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
            ("&Aacute;&zeta;&#x80;&notit;&nbsp", 9, true, "Áζ€¬it;"),
            ("<table>a<td>b</table>", 9, true, "a b"),
            ("<p><b>x<p>y</b>z", 9, true, "x yz"),
            ("<noscript>n</noscript><template>t</template>o", 9, true, "o"),
            ("<img src=x onerror=y>k<select><option>n</select>m", 9, true, "km"),
        ] {
            assert_eq!(excerpt(html, max, ellipsis), want, "{html} {max}");
        }
    }
}
