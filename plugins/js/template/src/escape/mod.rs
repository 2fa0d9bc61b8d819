//! From nodes to nodes that know what escapes them: each template is followed through the context it stands in. A template
//! that is used in several contexts becomes one template for each.

mod attributes;
mod context;
mod entities;
pub(crate) mod escapers;
mod html;
mod json;
mod script;
mod style;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::context::{Context, Delim, Slash, State, UrlPart};
pub(crate) use self::escapers::Escaper;
use crate::{
    Error, Trees,
    ast::{Branch, Command, Kind, Node, Pipe, Term, Tree},
    format::quote,
};

/// Functions of templates that escape by themselves.
const OWN: [&str; 2] = ["html", "urlquery"];

/// What is reachable from `name`, escaped.
pub(crate) fn escape(name: &str, trees: &Trees) -> Result<Trees, Error> {
    let Some(tree) = trees.get(name).cloned() else {
        let message = format!("html/template: {} is an incomplete template", quote(name));
        return Err(Error(message));
    };
    let mut walker =
        Walker { trees, done: Trees::new(), ends: BTreeMap::new(), used: BTreeSet::new() };
    let end = walker.body(&tree, name, &Context::default())?;
    if end.state != State::Text {
        return Err(fail_in(name, &format!("ends in a non-text context: {end}")));
    }
    Ok(walker.done)
}

struct Walker<'a> {
    trees: &'a Trees,
    done: Trees,
    /// The contexts in which templates end, by the names they are used under.
    ends: BTreeMap<String, Context>,
    /// Templates whose assumed end was relied upon.
    used: BTreeSet<String>,
}

/// Where the turns of a loop end early.
#[derive(Default)]
struct Turns {
    breaks: Vec<(Context, usize)>,
    continues: Vec<(Context, usize)>,
}

type Step<T> = Result<T, Error>;

/// What is wrong with a template as a whole.
fn fail_in(name: &str, message: &str) -> Error {
    let colon = if name.is_empty() { "" } else { ":" };
    Error(format!("html/template{colon}{name}: {message}"))
}

/// Where a message points.
fn fail_at<T>(tree: &Tree, at: usize, message: impl AsRef<str>) -> Step<T> {
    let (line, column) = tree.place(at);
    Err(Error(format!("html/template:{}:{line}:{column}: {}", tree.file, message.as_ref())))
}

impl Walker<'_> {
    /// Escapes a template under a name; gives the context it ends in.
    fn body(&mut self, tree: &Arc<Tree>, name: &str, start: &Context) -> Step<Context> {
        let mut assumed = start.clone();
        for _ in 0..2 {
            self.ends.insert(name.to_owned(), assumed.clone());
            self.used.remove(name);
            let mut nodes = Vec::with_capacity(tree.nodes.len());
            let end = stacker::maybe_grow(128 * 1024, 1024 * 1024, || {
                self.nodes(tree, &tree.nodes, start.clone(), &mut None, &mut nodes)
            })?;
            if !self.used.contains(name) || end == assumed {
                self.ends.insert(name.to_owned(), end.clone());
                let tree = Tree { name: name.to_owned(), nodes, ..Tree::clone(tree) };
                self.done.insert(name.to_owned(), Arc::new(tree));
                return Ok(end);
            }
            assumed = end;
        }
        let message = format!("cannot compute output context for template {name}");
        Err(fail_in(&tree.name, &message))
    }

    fn nodes(
        &mut self,
        tree: &Tree,
        nodes: &[Node],
        mut context: Context,
        turns: &mut Option<Turns>,
        into: &mut Vec<Node>,
    ) -> Step<Context> {
        for node in nodes {
            if context.state == State::Dead {
                into.push(node.clone());
                continue;
            }
            match node {
                Node::Text(text) => {
                    let (next, text) = self::text(context, text)
                        .map_err(|message| fail_in(&tree.name, &message))?;
                    context = next;
                    into.push(Node::Text(text));
                }
                Node::Action { pipe, .. } => {
                    let (next, node) = action(tree, context, pipe)?;
                    context = next;
                    into.push(node);
                }
                Node::Branch(branch) => {
                    context = stacker::maybe_grow(128 * 1024, 1024 * 1024, || {
                        self.branch(tree, branch, context, turns, into)
                    })?;
                }
                Node::Template { at, name, pipe } => {
                    let (next, name) = self.template(tree, *at, name, &context)?;
                    context = next;
                    into.push(Node::Template { at: *at, name, pipe: pipe.clone() });
                }
                Node::Break { at } | Node::Continue { at } => {
                    let dead = Context::at(State::Dead, context::Element::None);
                    let left = std::mem::replace(&mut context, dead);
                    if let Some(turns) = turns {
                        match node {
                            Node::Break { .. } => turns.breaks.push((left, *at)),
                            _ => turns.continues.push((left, *at)),
                        }
                    }
                    into.push(node.clone());
                }
            }
        }
        Ok(context)
    }

    fn template(
        &mut self,
        tree: &Tree,
        at: usize,
        name: &str,
        context: &Context,
    ) -> Step<(Context, String)> {
        let mangled = context.mangled(name);
        if let Some(end) = self.ends.get(&mangled) {
            self.used.insert(mangled.clone());
            return Ok((end.clone(), mangled));
        }
        let Some(called) = self.trees.get(name).cloned() else {
            return fail_at(tree, at, format!("no such template {}", quote(name)));
        };
        let end = self.body(&called, &mangled, context)?;
        Ok((end, mangled))
    }

    fn branch(
        &mut self,
        tree: &Tree,
        branch: &Branch,
        context: Context,
        turns: &mut Option<Turns>,
        into: &mut Vec<Node>,
    ) -> Step<Context> {
        let at = branch.pipe.at;
        let word = branch.kind.word();
        let mut then = Vec::with_capacity(branch.then.len());
        let end = if branch.kind == Kind::Range {
            let mut own = Some(Turns::default());
            let mut end = self.nodes(tree, &branch.then, context.clone(), &mut own, &mut then)?;
            end = turns_end(tree, end, own)?;
            if end.state != State::Dead {
                // The body must end where it begins: it may come again.
                let mut again = Some(Turns::default());
                let mut unused = Vec::new();
                let mut second =
                    self.nodes(tree, &branch.then, end.clone(), &mut again, &mut unused)?;
                second = turns_end(tree, second, again)?;
                end = match join(end, second, word) {
                    Ok(end) => end,
                    Err(message) => {
                        let message = format!("on range loop re-entry: {message}");
                        return fail_at(tree, at, message);
                    }
                };
            }
            end
        } else {
            self.nodes(tree, &branch.then, context.clone(), turns, &mut then)?
        };
        let mut otherwise = None;
        let mut other_end = context;
        if let Some(nodes) = &branch.otherwise {
            let mut list = Vec::with_capacity(nodes.len());
            other_end = self.nodes(tree, nodes, other_end, turns, &mut list)?;
            otherwise = Some(list);
        }
        let end = match join(end, other_end, word) {
            Ok(end) => end,
            Err(message) => return fail_at(tree, at, message),
        };
        let (kind, pipe) = (branch.kind, branch.pipe.clone());
        into.push(Node::Branch(Branch { kind, pipe, then, otherwise }));
        Ok(end)
    }
}

/// The context after a turn of a loop, however it ended.
fn turns_end(tree: &Tree, end: Context, turns: Option<Turns>) -> Step<Context> {
    let turns = turns.unwrap_or_default();
    let breaks = turns.breaks.into_iter().map(|context| (context, "break"));
    let continues = turns.continues.into_iter().map(|context| (context, "continue"));
    breaks.chain(continues).try_fold(end, |end, ((context, at), word)| {
        join(end, context, "range").or_else(|message| {
            let message = format!("at range loop {word}: {message}");
            fail_at(tree, at, message)
        })
    })
}

/// The context after two ways that meet.
fn join(a: Context, b: Context, word: &str) -> Result<Context, String> {
    if a.state == State::Dead || a == b {
        return Ok(b);
    }
    if b.state == State::Dead {
        return Ok(a);
    }
    if (Context { url: b.url, ..a.clone() }) == b {
        return Ok(Context { url: UrlPart::Unknown, ..a });
    }
    if (Context { slash: b.slash, ..a.clone() }) == b {
        return Ok(Context { slash: Slash::Unknown, ..a });
    }
    let (later_a, later_b) = (a.clone().before_value(), b.clone().before_value());
    if (later_a != a || later_b != b)
        && let Ok(joined) = join(later_a, later_b, word)
    {
        return Ok(joined);
    }
    Err(format!("{{{{{word}}}}} branches end in different contexts: {a}, {b}"))
}

/// Follows a text, and leaves out of it what has no place in a page.
fn text(mut context: Context, text: &str) -> Result<(Context, String), String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let before = context.clone();
        let (next, n) = html::advance(context, &text[at..])?;
        let piece = &text[at..at + n];
        let opens_comment =
            next.state != before.state && next.state.is_comment() && next.delim == Delim::None;
        match before.state {
            State::Text | State::Rcdata => {
                let tag = if next.state == before.state { None } else { piece.rfind('<') };
                let (plain, tag) = piece.split_at(tag.unwrap_or(piece.len()));
                escape_stray(&mut out, plain);
                if !opens_comment {
                    out.push_str(tag);
                }
            }
            state if state.is_comment() && before.delim == Delim::None => {
                // a comment counts as white space
                match state {
                    State::JsBlockComment
                        if piece.contains(['\n', '\r', '\u{2028}', '\u{2029}']) =>
                    {
                        out.push('\n');
                    }
                    State::JsBlockComment | State::CssBlockComment => out.push(' '),
                    _ => {}
                }
            }
            _ if opens_comment => {
                let sign = match next.state {
                    State::HtmlComment | State::JsHtmlOpen => 4,
                    State::JsHtmlClose => 3,
                    _ => 2,
                };
                out.push_str(&piece[..piece.len().saturating_sub(sign)]);
            }
            state if state.is_script_literal() => out.push_str(&without_tags(piece)),
            _ => out.push_str(piece),
        }
        if n == 0 && next == before {
            return Err(format!("infinite loop from {before} at {}", quote(&text[at..])));
        }
        at += n;
        context = next;
    }
    Ok((context, out))
}

/// A `<` that begins nothing is written so that it cannot begin anything with what follows.
fn escape_stray(out: &mut String, text: &str) {
    for (i, c) in text.char_indices() {
        let doctype = text[i..].get(..9).is_some_and(|t| t.eq_ignore_ascii_case("<!doctype"));
        if c == '<' && !doctype { out.push_str("&lt;") } else { out.push(c) }
    }
}

/// Literals of a script without what would end the script or begin a comment in it.
fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.char_indices() {
        let behind = text[i..].get(1..).unwrap_or_default();
        let tag = ["script", "/script", "!--"].iter().any(|word| {
            behind.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        });
        if c == '<' && tag { out.push_str("\\x3C") } else { out.push(c) }
    }
    out
}

/// An action: what makes its value safe, and where it ends.
fn action(tree: &Tree, context: Context, pipe: &Pipe) -> Step<(Context, Node)> {
    let mut pipe = pipe.clone();
    if !pipe.variables.is_empty() {
        return Ok((context, Node::Action { pipe, escapers: Vec::new() }));
    }
    let mut context = context.before_value();
    let last = pipe.commands.len().saturating_sub(1);
    for (i, command) in pipe.commands.iter().enumerate() {
        let Some(name) = own_name(command) else { continue };
        let unquoted =
            context.state == State::Attr && context.delim == Delim::Space && name == "html";
        if i < last || unquoted {
            let name = quote(name);
            let message = format!("predefined escaper {name} disallowed in template");
            return fail_at(tree, pipe.at, message);
        }
    }
    let mut escapers = match needed(&mut context, &pipe) {
        Ok(escapers) => escapers,
        Err(message) => return fail_at(tree, pipe.at, message),
    };
    if let Some(name) = pipe.commands.last().and_then(own_name) {
        let mut same = false;
        for escaper in &mut escapers {
            if let Some((own, replacement)) = escaper.own()
                && own == name
            {
                (*escaper, same) = (replacement, true);
            }
        }
        if same {
            let alone = pipe.commands.len() == 1;
            if let Some(mut command) = pipe.commands.pop()
                && alone
                && let Some(first) = command.args.first_mut()
            {
                first.kind = Term::Function("print".to_owned());
                pipe.commands.push(command);
            }
        }
    }
    Ok((context, Node::Action { pipe, escapers }))
}

/// The name of the escaping function that a command calls.
fn own_name(command: &Command) -> Option<&'static str> {
    match command.args.first().map(|arg| &arg.kind) {
        Some(Term::Function(name)) => OWN.into_iter().find(|own| own == name),
        _ => None,
    }
}

fn needed(context: &mut Context, pipe: &Pipe) -> Result<Vec<Escaper>, String> {
    let mut escapers = Vec::new();
    match context.state {
        State::Url
        | State::CssDouble
        | State::CssSingle
        | State::CssDoubleUrl
        | State::CssSingleUrl
        | State::CssUrl => {
            let in_string = matches!(context.state, State::CssDouble | State::CssSingle);
            let whole = if in_string { Escaper::CssString } else { Escaper::UrlNormal };
            match context.url {
                UrlPart::None => escapers.extend([Escaper::UrlFilter, whole]),
                UrlPart::PreQuery => escapers.push(whole),
                UrlPart::Query => escapers.push(Escaper::UrlQuery),
                UrlPart::Unknown => {
                    return Err(format!(
                        "{{{{{pipe}}}}} appears in an ambiguous context within a URL"
                    ));
                }
            }
        }
        State::MetaContentUrl => escapers.push(Escaper::UrlFilter),
        State::Js => {
            escapers.push(Escaper::JsValue);
            context.slash = Slash::Division;
        }
        State::JsDouble | State::JsSingle => escapers.push(Escaper::JsString),
        State::JsTemplate => escapers.push(Escaper::JsTemplate),
        State::JsRegexp => escapers.push(Escaper::JsRegexp),
        State::Css => escapers.push(Escaper::CssValue),
        State::Text => escapers.push(Escaper::Html),
        State::Rcdata => escapers.push(Escaper::Rcdata),
        State::Attr | State::MetaContent => {}
        State::AttrName | State::Tag => {
            context.state = State::AttrName;
            escapers.push(Escaper::AttrName);
        }
        State::Srcset => escapers.push(Escaper::Srcset),
        _ => escapers.push(Escaper::Comment),
    }
    match context.delim {
        Delim::None => {}
        Delim::Space => escapers.push(Escaper::AttrUnquoted),
        _ => escapers.push(Escaper::Attr),
    }
    Ok(escapers)
}
