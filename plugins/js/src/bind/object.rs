//! [`Host`]: the one class of all host objects, whose members are those of its value's [`Type`]; [`Method`]: its functions.

use std::{marker::PhantomData, ops::Deref};

use rquickjs::{
    Atom, Class, Ctx, Object, Result, Value,
    class::{
        ClassKind, JsCell, JsClass, PropertyDescriptor, PropertyName, Readable, Trace, Tracer,
    },
    function::{Constructor, Params},
};

use super::{
    Args, Fail, Global, Make, MapRef, Member, Native, Res, Shared, ToJs, Type, What, throw,
    value::{Own, Val, export},
};
use crate::run::Local;

/// What a host object stands for.
#[derive(Clone)]
pub(crate) enum Host {
    Typed(Shared),
    /// A map: its keys are its properties.
    Map(MapRef),
}

/// A function of the host: bound to its value, so that it can be taken off its object.
#[derive(Clone)]
pub(crate) enum Method {
    Bound(Shared, &'static Member),
    Global(&'static Global),
}

impl<'js> Trace<'js> for Host {
    fn trace<'a>(&self, _: Tracer<'a, 'js>) {}
}
impl<'js> Trace<'js> for Method {
    fn trace<'a>(&self, _: Tracer<'a, 'js>) {}
}

/// A host value, known to be of a type.
pub(crate) struct Held<T>(Shared, PhantomData<T>);

impl<T: 'static> Held<T> {
    pub(crate) fn of(host: Shared) -> Option<Self> {
        host.get::<T>().is_some().then(|| Self(host, PhantomData))
    }
}
impl<T: 'static> Deref for Held<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // looked at when it was made
        self.0.get::<T>().expect("a held value keeps its type")
    }
}

pub(crate) fn shared<T: IntoShared>(value: T) -> Shared {
    value.into_shared()
}
/// What constructors give.
pub(crate) trait IntoShared {
    fn into_shared(self) -> Shared;
}
impl<T: Native> IntoShared for T {
    fn into_shared(self) -> Shared {
        std::sync::Arc::new(self)
    }
}
impl IntoShared for Shared {
    fn into_shared(self) -> Shared {
        self
    }
}

pub(crate) fn table_me<'a, T: 'static>(cx: &Ctx<'_>, me: &'a Shared) -> Result<&'a T> {
    me.get::<T>()
        .ok_or_else(|| rquickjs::Exception::throw_type(cx, "the receiver is of another type"))
}
/// What a member gives: a value of the host or of the context.
pub(crate) trait Out<'js> {
    fn out(self, cx: &Ctx<'js>) -> Result<Value<'js>>;
}
impl<'js, T: ToJs> Out<'js> for T {
    fn out(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        self.to_js(cx)
    }
}
impl<'js> Out<'js> for Own<'js> {
    fn out(self, _: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(self.0)
    }
}
pub(crate) fn table_out<'js, T: Out<'js>>(cx: &Ctx<'js>, out: Res<T>) -> Result<Value<'js>> {
    out.map_err(|fail| throw(cx, fail))?.out(cx)
}

/// A host value as an object.
pub(crate) fn object<'js>(cx: &Ctx<'js>, host: Shared) -> Result<Value<'js>> {
    let Some(address) = host.address() else {
        let proto = Local::of(cx).host_proto.clone();
        return object_with(host, proto);
    };
    let key = (std::ptr::from_ref(host.kind()).addr(), address);
    let local = Local::of(cx);
    if let Some(known) = local.objects.known(key)? {
        return Ok(known);
    }
    let made = object_with(host, local.host_proto.clone())?;
    local.objects.keep(key, &made)?;
    Ok(made)
}
/// The same with a prototype: what `new X()` makes is an `X`.
pub(crate) fn object_with<'js>(host: Shared, proto: Object<'js>) -> Result<Value<'js>> {
    Ok(Class::instance_proto(Host::Typed(host), proto)?.into_value())
}
/// A map whose keys are properties.
pub(crate) fn live_map<'js>(cx: &Ctx<'js>, map: MapRef) -> Result<Value<'js>> {
    let proto = Local::of(cx).host_proto.clone();
    Ok(Class::instance_proto(Host::Map(map), proto)?.into_value())
}

/// A host value that can be called: its nameless member is what it does.
pub(crate) struct Callable(pub(crate) Shared);
impl ToJs for Callable {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        match self.0.kind().member("") {
            Some(member) => read(cx, &self.0, member),
            None => object(cx, self.0),
        }
    }
}

pub(crate) fn host_of_object(object: &Object<'_>) -> Option<Host> {
    Class::<Host>::from_object(object).map(|class| class.borrow().clone())
}
pub(crate) fn host_of(value: &Value<'_>) -> Option<Host> {
    value.as_object().and_then(host_of_object)
}
/// The host value behind an object.
pub(crate) fn as_host(value: &Value<'_>) -> Option<Shared> {
    if let Some(method) = value.as_object().and_then(Class::<Method>::from_object) {
        return match &*method.borrow() {
            Method::Bound(host, member) if member.name.is_empty() => Some(host.clone()),
            _ => None,
        };
    }
    match host_of(value)? {
        Host::Typed(host) => Some(host),
        Host::Map(_) => None,
    }
}

/// Looks a member up in a value's own table, then in those it is made of.
fn member(host: &Shared, name: &str) -> Option<(Shared, &'static Member)> {
    if let Some(member) = host.kind().member(name) {
        return Some((host.clone(), member));
    }
    match (name, host.kind().text, host.kind().json) {
        ("toString", Some(_), _) => return Some((host.clone(), &TEXT)),
        ("toJSON", _, Some(_)) if host.has_json() => {
            return Some((host.clone(), &JSON));
        }
        ("valueOf", ..) if host.kind().value.is_some() => return Some((host.clone(), &VALUE)),
        _ => {}
    }
    member(&(host.kind().base?)(host)?, name)
}

static TEXT: Member = Member {
    name: "toString",
    sign: "(): string",
    doc: "The value as a text.",
    what: What::Call(|cx, me, _| me.kind().text.map(|text| text(me)).unwrap_or_default().to_js(cx)),
};
static VALUE: Member = Member {
    name: "valueOf",
    sign: "(): any",
    doc: "What it stands for.",
    what: What::Call(|cx, me, _| me.kind().value.map_or(Val::Null, |value| value(me)).to_js(cx)),
};
static JSON: Member = Member {
    name: "toJSON",
    sign: "(): any",
    doc: "The value as JSON has it.",
    what: What::Call(|cx, me, _| {
        let text = match me.kind().json.map_or(Val::Null, |json| json(me)) {
            Val::Raw(text) => text,
            value => super::order::text(me.kind().order, &value.into_json()),
        };
        cx.json_parse(text)
    }),
};

fn read<'js>(cx: &Ctx<'js>, host: &Shared, member: &'static Member) -> Result<Value<'js>> {
    match &member.what {
        What::Field(get, _) => get(cx, host),
        What::Call(_) => {
            let method = Method::Bound(host.clone(), member);
            let local = Local::of(cx);
            let made = || -> Result<Value<'js>> {
                Ok(Class::instance_proto(method, local.function_proto.clone())?.into_value())
            };
            if !host.is_namespace() {
                return made();
            }
            // there is one of each for ever
            let key = std::ptr::from_ref(member).addr();
            if let Some(known) = local.functions_of_spaces.borrow().get(&key) {
                return Ok(known.clone());
            }
            let made = made()?;
            local.functions_of_spaces.borrow_mut().insert(key, made.clone());
            Ok(made)
        }
    }
}

impl<'js> JsClass<'js> for Host {
    const NAME: &'static str = "Host";
    const KIND: ClassKind = ClassKind::Exotic;
    type Mutable = Readable;

    fn constructor(_: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        Ok(None)
    }

    fn exotic_get_property(
        this: &JsCell<'js, Self>,
        cx: &Ctx<'js>,
        atom: Atom<'js>,
        _: Value<'js>,
    ) -> Result<Value<'js>> {
        let name = atom.to_string()?;
        let host = this.borrow().clone();
        match &host {
            Self::Typed(host) => {
                if let Some((host, member)) = member(host, &name) {
                    return read(cx, &host, member);
                }
                if let Some(own) = host.dynamic()
                    && let Some(value) = own.read(&name)
                {
                    return match value {
                        Val::List(_) if own.has_live_lists() => live_member(cx, host, name, value),
                        value => value.to_js(cx),
                    };
                }
            }
            Self::Map(map) => {
                let found = map.lock().get(&name).cloned();
                if let Some(value) = found {
                    return value.to_js(cx);
                }
            }
        }
        Local::of(cx).object_proto.clone().get(atom)
    }

    fn exotic_set_property(
        this: &JsCell<'js, Self>,
        cx: &Ctx<'js>,
        atom: Atom<'js>,
        _: Value<'js>,
        value: Value<'js>,
    ) -> Result<bool> {
        // rquickjs 0.14 hands out the engine's own reference here, which the engine drops once more: give it one
        crate::life::owned_once_more(&value);
        let name = atom.to_string()?;
        let host = this.borrow().clone();
        match &host {
            Self::Typed(host) => match member(host, &name) {
                None if wrote(cx, host, &name, &value)? => Ok(true),
                Some((host, Member { what: What::Field(_, Some(set)), .. })) => {
                    set(cx, &host, value)?;
                    Ok(true)
                }
                _ => refused(cx, &format!("Cannot assign to property {name} of a host object")),
            },
            Self::Map(map) => {
                let value = export(cx, &value).map_err(|fail| throw(cx, fail))?;
                map.lock().insert(name, value);
                Ok(true)
            }
        }
    }

    fn exotic_delete_property(
        this: &JsCell<'js, Self>,
        cx: &Ctx<'js>,
        atom: Atom<'js>,
    ) -> Result<bool> {
        let name = atom.to_string()?;
        Ok(match &*this.borrow() {
            Self::Typed(host) if member(host, &name).is_some() => {
                return refused(cx, &format!("Cannot delete property {name} from a Go type"));
            }
            Self::Typed(_) => false,
            Self::Map(map) => {
                map.lock().remove(&name);
                true
            }
        })
    }

    fn exotic_has_property(
        this: &JsCell<'js, Self>,
        cx: &Ctx<'js>,
        atom: Atom<'js>,
    ) -> Result<bool> {
        let name = atom.to_string()?;
        let known = match &*this.borrow() {
            Self::Typed(host) => {
                member(host, &name).is_some()
                    || host.dynamic().is_some_and(|own| own.read(&name).is_some())
            }
            Self::Map(map) => map.lock().contains_key(&name),
        };
        Ok(known || Local::of(cx).object_proto.contains_key(atom)?)
    }

    fn exotic_get_own_property(
        this: &JsCell<'js, Self>,
        cx: &Ctx<'js>,
        atom: Atom<'js>,
    ) -> Result<Option<PropertyDescriptor<'js>>> {
        let name = atom.to_string()?;
        let host = this.borrow().clone();
        let (value, is_fixed) = match &host {
            Self::Typed(host) => match member(host, &name) {
                Some((_, Member { name: "toString" | "toJSON" | "valueOf", .. })) => {
                    return Ok(None);
                }
                Some((host, member)) => (read(cx, &host, member)?, true),
                None => match host.dynamic().and_then(|own| own.read(&name)) {
                    Some(value) => (value.to_js(cx)?, true),
                    None => return Ok(None),
                },
            },
            Self::Map(map) => {
                let found = map.lock().get(&name).cloned();
                let Some(value) = found else { return Ok(None) };
                (value.to_js(cx)?, false)
            }
        };
        Ok(Some(PropertyDescriptor::new_value(value, !is_fixed, true, true)))
    }

    fn exotic_get_own_property_names(
        this: &JsCell<'js, Self>,
        cx: &Ctx<'js>,
    ) -> Result<Vec<PropertyName<'js>>> {
        let mut names = Vec::new();
        match &*this.borrow() {
            Self::Map(map) => names.extend(map.lock().keys().cloned()),
            Self::Typed(host) => all_names(host, &mut names),
        }
        names
            .into_iter()
            .map(|name| {
                Ok(PropertyName { atom: Atom::from_str(cx.clone(), &name)?, is_enumerable: true })
            })
            .collect()
    }
}

/// A change that a host object does not take: an error in strict mode, else nothing happens.
fn refused(cx: &Ctx<'_>, why: &str) -> Result<bool> {
    if Local::of(cx).role.is_strict() {
        return Err(rquickjs::Exception::throw_type(cx, why));
    }
    Ok(true)
}

/// A list that is a member: what is assigned or added reaches the value.
fn live_member<'js>(cx: &Ctx<'js>, host: &Shared, name: String, list: Val) -> Result<Value<'js>> {
    let host = host.clone();
    live_list(cx, list.to_js(cx)?, true, move |_, list| {
        host.dynamic().map_or(Ok(false), |own| own.write(&name, list)).map(|_| ())
    })
}

/// A list whose changes are told: items that are assigned and, if it grows, items that are added.
pub(crate) fn live_list<'js>(
    cx: &Ctx<'js>,
    list: Value<'js>,
    grows: bool,
    write: impl Fn(&Ctx<'js>, Val) -> Res<()> + 'js,
) -> Result<Value<'js>> {
    let write = rquickjs::Function::new(cx.clone(), move |cx: Ctx<'js>, list: Value<'js>| {
        export(&cx, &list).and_then(|list| write(&cx, list)).map_err(|fail| throw(&cx, fail))
    })?;
    Local::of(cx).live_list.clone().call((list, write, grows))
}

/// Writes a member of the value's own.
fn wrote<'js>(cx: &Ctx<'js>, host: &Shared, name: &str, value: &Value<'js>) -> Result<bool> {
    let Some(own) = host.dynamic() else { return Ok(false) };
    let done = export(cx, value).and_then(|value| own.write(name, value));
    done.map_err(|fail| throw(cx, fail))
}

/// Fields first, then methods by name, as the reference lists them; namespaces as they are written.
fn all_names(host: &Shared, names: &mut Vec<String>) {
    let mut methods = Vec::new();
    fields_and_methods(host, names, &mut methods);
    if !host.is_namespace() {
        methods.sort_unstable();
    }
    for method in methods {
        if !names.iter().any(|known| known == method) {
            names.push(method.to_owned());
        }
    }
}
fn fields_and_methods(host: &Shared, fields: &mut Vec<String>, methods: &mut Vec<&'static str>) {
    let kind: &'static Type = host.kind();
    let mut own = host.dynamic().map(|own| own.names()).unwrap_or_default();
    super::order::sort(kind.order, &mut own);
    fields.extend(own);
    for member in kind.members {
        match member.what {
            What::Field(..) if !fields.iter().any(|known| known == member.name) => {
                fields.push(member.name.to_owned());
            }
            What::Field(..) => {}
            What::Call(_) => methods.push(member.name),
        }
    }
    if let Some(base) = kind.base.and_then(|base| base(host)) {
        fields_and_methods(&base, fields, methods);
    }
}

impl<'js> JsClass<'js> for Method {
    const NAME: &'static str = "Method";
    const KIND: ClassKind = ClassKind::Callable;
    type Mutable = Readable;

    fn prototype(cx: &Ctx<'js>) -> Result<Option<Object<'js>>> {
        Ok(Some(rquickjs::Function::prototype(cx.clone())))
    }
    fn constructor(_: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        Ok(None)
    }
    fn call<'a>(this: &JsCell<'js, Self>, params: Params<'a, 'js>) -> Result<Value<'js>> {
        let method = this.borrow().clone();
        let cx = params.ctx().clone();
        match method {
            Self::Bound(host, member) => match &member.what {
                What::Call(call) => call(&cx, &host, &Args(&params)),
                What::Field(get, _) => get(&cx, &host),
            },
            Self::Global(global) => match global.make {
                Make::Function(call) => call(&cx, &Args(&params)),
                Make::Constructor(make) => {
                    let host = make(&cx, &Args(&params))?;
                    // as a constructor, `this` is what `new` was applied to
                    let class =
                        if params.is_constructor() { params.this() } else { params.function() };
                    let proto =
                        class.as_object().map(|class| class.get::<_, Object<'js>>("prototype"));
                    object_with(
                        host,
                        proto.unwrap_or_else(|| Ok(Local::of(&cx).host_proto.clone()))?,
                    )
                }
            },
        }
    }
}

/// Puts functions and constructors on an object, mostly the global one.
pub(crate) fn define(cx: &Ctx<'_>, on: &Object<'_>, globals: &'static [Global]) -> Result<()> {
    for global in globals {
        define_one(cx, on, global)?;
    }
    Ok(())
}

fn define_one(cx: &Ctx<'_>, on: &Object<'_>, global: &'static Global) -> Result<()> {
    // the two contexts are one: invariant lifetimes cannot say so
    let function = Class::instance(on.ctx().clone(), Method::Global(global))?.into_inner();
    if let Make::Constructor(_) = global.make {
        let proto = Object::new(on.ctx().clone())?;
        proto.set("constructor", function.clone())?;
        function.set("prototype", proto)?;
        if let Some(function) = function.as_function() {
            function.set_constructor(true);
        }
    }
    function.prop("name", global.name)?;
    let _ = cx;
    on.prop(global.name, rquickjs::object::Property::from(function).writable().configurable())
}

/// What a callback gives its caller, as the host's method wants it.
pub(crate) fn no_result<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<()> {
    if given.is_undefined() || given.is_null() {
        return Ok(());
    }
    if let Some(error) = as_host(given).and_then(|host| super::errors::to_error(&host)) {
        return Err(Fail::Host(error));
    }
    let shown = super::text(cx, given).unwrap_or_default();
    Err(Fail::Host(pocketbase::Error::other(format!("could not convert {shown} to error"))))
}
