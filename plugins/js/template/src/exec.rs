//! From nodes and data to output.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{
    Error, Trees,
    ast::{Arg, Branch, Command, Kind, Node, Pipe, Term, Tree},
    format::quote,
    funcs::{Function, LAZY},
    value::Value,
};

/// How deep templates may call each other. Go goes to 100,000, which takes a gigabyte.
const MAX_DEPTH: usize = 5_000;
/// Stack that one level needs, and what is taken when it runs short.
const STACK: (usize, usize) = (128 * 1024, 4 * 1024 * 1024);

pub(crate) fn run(
    trees: &Trees,
    functions: &BTreeMap<String, Function>,
    name: &str,
    data: &Value,
) -> Result<String, Error> {
    let Some(tree) = trees.get(name).cloned() else {
        let message = format!("html/template: {} is an incomplete template", quote(name));
        return Err(Error(message));
    };
    let root = Found { value: Some(data.clone()), boxed: false };
    let mut state = State {
        trees,
        functions,
        tree,
        out: String::new(),
        variables: vec![("$".to_owned(), root.clone())],
        depth: 0,
    };
    let nodes = state.tree.clone();
    state.nodes(&nodes.nodes, &root)?;
    Ok(state.out)
}

const LEN_OF_NOTHING: &str = "error calling len: reflect: call of reflect.Value.Type on zero Value";

/// A value on its way: none where a map has no such key, and whether it came out of a map or list, whose elements are of
/// any type; Go's messages tell the difference.
#[derive(Debug, Clone)]
struct Found {
    value: Option<Value>,
    boxed: bool,
}

impl Found {
    fn new(value: Value) -> Self {
        Self { value: Some(value), boxed: false }
    }
    fn missing() -> Self {
        Self { value: None, boxed: false }
    }
    fn into_value(self) -> Value {
        self.value.unwrap_or_default()
    }
    fn type_name(&self) -> String {
        match &self.value {
            _ if self.boxed => "interface {}".into(),
            Some(value) => value.type_name(),
            None => "<nil>".into(),
        }
    }
}

/// Where the next node goes on.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct State<'a> {
    trees: &'a Trees,
    functions: &'a BTreeMap<String, Function>,
    tree: Arc<Tree>,
    out: String,
    variables: Vec<(String, Found)>,
    depth: usize,
}

type Step<T> = Result<T, Error>;

impl State<'_> {
    fn fail<T>(
        &self,
        at: usize,
        what: &dyn std::fmt::Display,
        message: impl AsRef<str>,
    ) -> Step<T> {
        let (line, column) = self.tree.place(at);
        let (file, name) = (&self.tree.file, &self.tree.name);
        Err(Error(format!(
            "template: {file}:{line}:{column}: executing {} at <{what}>: {}",
            quote(name),
            message.as_ref()
        )))
    }

    /// What is wrong with the value of a pipeline: points at what was evaluated last.
    fn fail_last<T>(&self, pipe: &Pipe, message: impl AsRef<str>) -> Step<T> {
        match pipe.commands.last().and_then(|command| command.args.last()) {
            Some(arg) => self.fail(arg.at, &arg.kind, message),
            None => self.fail(pipe.at, pipe, message),
        }
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Found) -> Step<Flow> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::On
                }
                Node::Action { pipe, escapers, .. } => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        let mut value = value.into_value();
                        for escaper in escapers {
                            value = Value::from(escaper.apply(&value));
                        }
                        self.out.push_str(value.as_text().unwrap_or_default());
                    }
                    Flow::On
                }
                Node::Branch(branch) => self.branch(branch, dot)?,
                Node::Template { at, name, pipe, .. } => {
                    self.template(*at, node, name, pipe.as_ref(), dot)?;
                    Flow::On
                }
                Node::Break { .. } => Flow::Break,
                Node::Continue { .. } => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn branch(&mut self, branch: &Branch, dot: &Found) -> Step<Flow> {
        let mark = self.variables.len();
        let flow = stacker::maybe_grow(STACK.0, STACK.1, || match branch.kind {
            Kind::Range => self.range(branch, dot),
            _ => {
                let value = self.pipe(&branch.pipe, dot)?;
                let inner = if branch.kind == Kind::With { &value } else { dot };
                match &branch.otherwise {
                    _ if value.value.as_ref().is_some_and(Value::is_true) => {
                        self.nodes(&branch.then, inner)
                    }
                    Some(nodes) => self.nodes(nodes, dot),
                    None => Ok(Flow::On),
                }
            }
        });
        self.variables.truncate(mark);
        flow
    }

    fn range(&mut self, branch: &Branch, dot: &Found) -> Step<Flow> {
        let over = self.pipe(&branch.pipe, dot)?.into_value();
        let mark = self.variables.len();
        let declared = branch.pipe.variables.len();
        let mut any = false;
        for (key, item) in self.items(branch, &over)? {
            any = true;
            let vars = &branch.pipe.variables;
            let values = if declared == 1 { vec![&item] } else { vec![&key, &item] };
            if branch.pipe.assigns {
                for (name, value) in vars.iter().zip(values) {
                    self.set(name, value.clone());
                }
            } else {
                for (i, value) in values.into_iter().take(declared).enumerate() {
                    let at = mark - declared + i;
                    self.variables[at].1 = value.clone();
                }
            }
            let flow = self.nodes(&branch.then, &item)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        match &branch.otherwise {
            Some(nodes) if !any => self.nodes(nodes, dot),
            _ => Ok(Flow::On),
        }
    }

    /// What a loop visits: keys and items.
    fn items<'v>(
        &self,
        branch: &Branch,
        over: &'v Value,
    ) -> Step<Box<dyn Iterator<Item = (Found, Found)> + 'v>> {
        let numbered = |i: usize| Found::new(Value::Plain(i64::try_from(i).unwrap_or(i64::MAX)));
        let boxed = |value: &Value| Found { value: Some(value.clone()), boxed: true };
        Ok(match over {
            Value::Nil => Box::new(std::iter::empty()),
            Value::List(list) => {
                Box::new(list.iter().enumerate().map(move |(i, item)| (numbered(i), boxed(item))))
            }
            Value::Bytes(bytes) => {
                Box::new(bytes.iter().enumerate().map(move |(i, byte)| {
                    (numbered(i), Found::new(Value::Plain(i64::from(*byte))))
                }))
            }
            Value::Map(map) => Box::new(
                map.iter().map(move |(key, item)| (Found::new(key.as_str().into()), boxed(item))),
            ),
            Value::Int(_) | Value::Plain(_) | Value::Rune(_) if branch.pipe.variables.len() > 1 => {
                let shown = crate::format::plain(over);
                let message = format!("can't use {shown} to iterate over more than one variable");
                return self.fail_last(&branch.pipe, message);
            }
            Value::Int(n) => {
                Box::new((0..*n).map(|i| (Found::new(Value::Int(i)), Found::new(Value::Int(i)))))
            }
            Value::Plain(n) => Box::new(
                (0..*n).map(|i| (Found::new(Value::Plain(i)), Found::new(Value::Plain(i)))),
            ),
            Value::Rune(n) => {
                Box::new((0..*n).map(|i| (Found::new(Value::Rune(i)), Found::new(Value::Rune(i)))))
            }
            other => {
                let message = format!("range can't iterate over {}", crate::format::plain(other));
                return self.fail_last(&branch.pipe, message);
            }
        })
    }

    fn template(
        &mut self,
        at: usize,
        node: &Node,
        name: &str,
        pipe: Option<&Pipe>,
        dot: &Found,
    ) -> Step<()> {
        let Some(tree) = self.trees.get(name).cloned() else {
            return self.fail(at, node, format!("template {} not defined", quote(name)));
        };
        if self.depth == MAX_DEPTH {
            let message = format!("exceeded maximum template depth ({MAX_DEPTH})");
            return self.fail(at, node, message);
        }
        let dot = match pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Found::new(Value::Nil),
        };
        let outer = std::mem::replace(&mut self.tree, tree.clone());
        let variables = std::mem::replace(&mut self.variables, vec![("$".to_owned(), dot.clone())]);
        self.depth += 1;
        let done = stacker::maybe_grow(STACK.0, STACK.1, || self.nodes(&tree.nodes, &dot));
        self.depth -= 1;
        self.variables = variables;
        self.tree = outer;
        done.map(|_| ())
    }

    /// Sets a variable; false if there is none.
    fn set(&mut self, name: &str, value: Found) -> bool {
        let slot = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        slot.map(|slot| slot.1 = value).is_some()
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Found) -> Step<Found> {
        let mut value = None;
        for command in &pipe.commands {
            let mut found = self.command(command, dot, value)?;
            found.boxed = false;
            value = Some(found);
        }
        let value = value.unwrap_or_else(Found::missing);
        for name in &pipe.variables {
            if pipe.assigns {
                if !self.set(name, value.clone()) {
                    return self.fail_last(pipe, format!("undefined variable: {name}"));
                }
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, dot: &Found, last: Option<Found>) -> Step<Found> {
        let Some((first, args)) = command.args.split_first() else { return Ok(Found::missing()) };
        match &first.kind {
            Term::Field(names) => return self.fields(first, dot, dot, names, args, last),
            Term::Variable(names) => {
                let value = self.variable(&names[0]);
                if names.len() > 1 {
                    return self.fields(first, dot, &value, &names[1..], args, last);
                }
                self.no_function(first, args, last.as_ref())?;
                return Ok(value);
            }
            Term::Chain(inner, names) => {
                let value = self.chained(inner, dot)?;
                return self.fields(first, dot, &value, names, args, last);
            }
            Term::Function(name) => {
                return self.function(first, command, name, args, dot, last);
            }
            Term::Pipe(pipe) => {
                self.no_function(first, args, last.as_ref())?;
                return self.pipe(pipe, dot);
            }
            _ => self.no_function(first, args, last.as_ref())?,
        }
        if let Term::Nil = first.kind {
            return self.fail(first.at, &first.kind, "nil is not a command");
        }
        self.argument(first, dot)
    }

    fn no_function(&self, first: &Arg, args: &[Arg], last: Option<&Found>) -> Step<()> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        let message = format!("can't give argument to non-function {}", first.kind);
        self.fail(first.at, &first.kind, message)
    }

    fn chained(&mut self, inner: &Arg, dot: &Found) -> Step<Found> {
        let mut value = self.argument(inner, dot)?;
        value.boxed = false;
        Ok(value)
    }

    fn variable(&self, name: &str) -> Found {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map_or_else(Found::missing, |(_, value)| value.clone())
    }

    /// The value of one argument.
    fn argument(&mut self, arg: &Arg, dot: &Found) -> Step<Found> {
        Ok(match &arg.kind {
            Term::Nil => Found::new(Value::Nil),
            Term::Dot => dot.clone(),
            Term::Bool(b) => Found::new(Value::Bool(*b)),
            Term::Number { value, .. } | Term::Text { value, .. } => Found::new(value.clone()),
            Term::Field(names) => self.fields(arg, dot, dot, names, &[], None)?,
            Term::Variable(names) => {
                let value = self.variable(&names[0]);
                match names.get(1..) {
                    Some(rest) if !rest.is_empty() => {
                        self.fields(arg, dot, &value, rest, &[], None)?
                    }
                    _ => value,
                }
            }
            Term::Chain(inner, names) => {
                let value = self.chained(inner, dot)?;
                self.fields(arg, dot, &value, names, &[], None)?
            }
            Term::Function(name) => {
                let command = Command { args: vec![arg.clone()] };
                self.function(arg, &command, name, &[], dot, None)?
            }
            Term::Pipe(pipe) => stacker::maybe_grow(STACK.0, STACK.1, || self.pipe(pipe, dot))?,
        })
    }

    /// Fields of a value, one after another; the last one may be a method that takes arguments.
    fn fields(
        &mut self,
        node: &Arg,
        dot: &Found,
        of: &Found,
        names: &[String],
        args: &[Arg],
        last: Option<Found>,
    ) -> Step<Found> {
        let Some((end, before)) = names.split_last() else { return Ok(of.clone()) };
        let mut value = Cow::Borrowed(of);
        for name in before {
            value = Cow::Owned(self.field(node, &value, name, None)?);
        }
        let mut given = Vec::new();
        for arg in args {
            given.push(self.argument(arg, dot)?.into_value());
        }
        given.extend(last.map(Found::into_value));
        self.field(node, &value, end, (!given.is_empty()).then_some(given.as_slice()))
    }

    fn field(&self, node: &Arg, of: &Found, name: &str, args: Option<&[Value]>) -> Step<Found> {
        let fail = |message: String| self.fail(node.at, &node.kind, message);
        let unknown = || format!("can't evaluate field {name} in type {}", of.type_name());
        let with_args = || format!("{name} has arguments but cannot be invoked as function");
        match &of.value {
            None => Ok(Found::missing()),
            Some(Value::Map(map)) => match args {
                Some(_) => fail(format!("{name} is not a method but has arguments")),
                None => Ok(map.get(name).map_or_else(Found::missing, |value| Found {
                    value: Some(value.clone()),
                    boxed: true,
                })),
            },
            Some(Value::Host(host)) => {
                match host.call(name, args.unwrap_or_default()) {
                    Some(Ok(value)) => return Ok(Found::new(value)),
                    Some(Err(message)) => {
                        return fail(if message.starts_with("wrong number of args") {
                            message
                        } else {
                            format!("error calling {name}: {message}")
                        });
                    }
                    None => {}
                }
                match host.field(name) {
                    Some(_) if args.is_some() => fail(with_args()),
                    Some(value) => Ok(Found::new(value)),
                    None => fail(unknown()),
                }
            }
            Some(Value::Nil) if of.boxed => {
                fail(format!("nil pointer evaluating interface {{}}.{name}"))
            }
            Some(Value::Nil) => Ok(Found::missing()),
            Some(_) => fail(unknown()),
        }
    }

    fn function(
        &mut self,
        node: &Arg,
        command: &Command,
        name: &str,
        args: &[Arg],
        dot: &Found,
        last: Option<Found>,
    ) -> Step<Found> {
        let Some(function) = self.functions.get(name).cloned() else {
            let message = format!("{} is not a defined function", quote(name));
            return self.fail(node.at, &node.kind, message);
        };
        let n = args.len() + usize::from(last.is_some());
        let wrong = if function.variadic { n < function.least } else { n != function.least };
        if wrong {
            let least = if function.variadic { "at least " } else { "" };
            let want = function.least;
            let message = format!("wrong number of args for {name}: want {least}{want} got {n}");
            return self.fail(node.at, &node.kind, message);
        }
        if LAZY.contains(&name) {
            return self.lazy(name == "or", args, dot, last);
        }
        let mut given = Vec::with_capacity(n);
        for (i, arg) in args.iter().enumerate() {
            let found = self.argument(arg, dot)?;
            if name == "len" && !found.boxed && matches!(found.value, None | Some(Value::Nil)) {
                return self.fail(node.at, command, LEN_OF_NOTHING);
            }
            given.push(self.checked(&function, i, found, arg.at, &arg.kind)?);
        }
        if let Some(last) = last {
            if name == "len" && matches!(last.value, None | Some(Value::Nil)) {
                return self.fail(node.at, command, LEN_OF_NOTHING);
            }
            given.push(self.checked(&function, n - 1, last, node.at, &node.kind)?);
        }
        match (function.call)(&given) {
            Ok(value) => Ok(Found::new(value)),
            Err(message) => {
                let message = match args.first() {
                    Some(first) if name == "call" => {
                        let named = format!("non-function {} of", first.kind);
                        message.replacen("non-function of", &named, 1)
                    }
                    _ => message,
                };
                self.fail(node.at, command, format!("error calling {name}: {message}"))
            }
        }
    }

    fn checked(
        &self,
        function: &Function,
        i: usize,
        found: Found,
        at: usize,
        what: &Term,
    ) -> Step<Value> {
        if i >= function.texts {
            return Ok(found.into_value());
        }
        match &found.value {
            Some(Value::String(_)) => Ok(found.into_value()),
            Some(Value::Nil) if matches!(what, Term::Nil) => {
                self.fail(at, what, "cannot assign nil to string")
            }
            Some(_) if matches!(what, Term::Number { .. } | Term::Bool(_)) => {
                self.fail(at, what, format!("expected string; found {what}"))
            }
            None => self.fail(at, what, "invalid value; expected string"),
            Some(Value::Nil) if !found.boxed => {
                self.fail(at, what, "invalid value; expected string")
            }
            Some(other) => {
                let name = match other {
                    Value::Nil => "interface {}".to_owned(),
                    other => other.type_name(),
                };
                self.fail(at, what, format!("wrong type for value; expected string; got {name}"))
            }
        }
    }

    /// `and`, `or`: the first argument that decides, or the last one.
    fn lazy(&mut self, or: bool, args: &[Arg], dot: &Found, last: Option<Found>) -> Step<Found> {
        let mut value = Found::missing();
        for arg in args {
            value = self.argument(arg, dot)?;
            if value.value.as_ref().is_some_and(Value::is_true) == or {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}
