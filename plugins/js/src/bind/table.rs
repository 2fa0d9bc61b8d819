//! [`Type`] and [`Global`]: tables of what JavaScript may touch, and the macros that write them.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use rquickjs::{Ctx, Result, Value};

use super::{Args, Val};

/// A value of the host that JavaScript may hold.
pub(crate) trait Native: Any + Send + Sync {
    /// Its table.
    fn kind(&self) -> &'static Type;
    /// For finding out what it is.
    fn any(&self) -> &dyn Any;
    /// What it stands for: two values of a type with one address are the same object to a script.
    fn address(&self) -> Option<usize> {
        None
    }
    /// Whether it is nothing but its table.
    fn is_namespace(&self) -> bool {
        false
    }
    /// Whether `JSON.stringify` takes the type's JSON; else it takes the members.
    fn has_json(&self) -> bool {
        self.dynamic().is_none_or(Dynamic::has_json)
    }
    /// Its JSON for the library, where that is another one.
    fn library_json(&self) -> Option<serde_json::Value> {
        None
    }
    /// Its members that are not in the table.
    fn dynamic(&self) -> Option<&dyn Dynamic> {
        None
    }
}

/// A Rust type whose values all have the same table.
pub(crate) trait Tabled {
    fn table() -> &'static Type;
}

/// Members that each value has of its own.
pub(crate) trait Dynamic {
    fn names(&self) -> Vec<String>;
    /// Whether `JSON.stringify` takes the type's JSON; else it takes the members.
    fn has_json(&self) -> bool {
        true
    }
    /// Whether lists that are read are those of the value: items that are assigned or added reach it.
    fn has_live_lists(&self) -> bool {
        true
    }
    fn read(&self, name: &str) -> Option<Val>;
    /// False if there is no such member.
    fn write(&self, name: &str, value: Val) -> super::Res<bool>;
}

/// A shared host value.
pub(crate) type Shared = Arc<dyn Native>;

impl dyn Native {
    /// The value behind it, if it is of that type.
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.any().downcast_ref()
    }
}

pub(crate) type Get = for<'js> fn(&Ctx<'js>, &Shared) -> Result<Value<'js>>;
pub(crate) type Set = for<'js> fn(&Ctx<'js>, &Shared, Value<'js>) -> Result<()>;
pub(crate) type Call = for<'js> fn(&Ctx<'js>, &Shared, &Args<'_, 'js>) -> Result<Value<'js>>;

/// What a member does.
pub(crate) enum What {
    Field(Get, Option<Set>),
    Call(Call),
}

/// A member of a host type.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// In TypeScript: `(key: string): string`, or the type of a field.
    pub(crate) sign: &'static str,
    /// One sentence.
    pub(crate) doc: &'static str,
    pub(crate) what: What,
}

/// A host type or a namespace.
pub(crate) struct Type {
    /// The name in TypeScript.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) doc: &'static str,
    pub(crate) members: &'static [Member],
    /// What its further members are those of: `e.json` of hooks is that of the request.
    pub(crate) base: Option<fn(&Shared) -> Option<Shared>>,
    /// `String(value)`.
    pub(crate) text: Option<fn(&Shared) -> String>,
    /// `JSON.stringify(value)` and `e.json`.
    pub(crate) json: Option<fn(&Shared) -> Val>,
    /// `value == 1`, `value + 1`: what it stands for.
    pub(crate) value: Option<fn(&Shared) -> Val>,
    /// The order of the members that each value has of its own.
    pub(crate) order: super::order::Order,
    pub(crate) index: OnceLock<HashMap<&'static str, usize>>,
}

impl Type {
    /// The member of that name.
    pub(crate) fn member(&'static self, name: &str) -> Option<&'static Member> {
        let index = self.index.get_or_init(|| {
            self.members.iter().enumerate().map(|(at, member)| (member.name, at)).collect()
        });
        index.get(name).map(|at| &self.members[*at])
    }
}

/// A global function or constructor.
pub(crate) struct Global {
    pub(crate) name: &'static str,
    pub(crate) sign: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) make: Make,
}

/// What calling a [`Global`] does.
pub(crate) enum Make {
    /// An ordinary function.
    Function(for<'js> fn(&Ctx<'js>, &Args<'_, 'js>) -> Result<Value<'js>>),
    /// A constructor, which may be called without `new`.
    Constructor(for<'js> fn(&Ctx<'js>, &Args<'_, 'js>) -> Result<Shared>),
}

/// Gives a type its table: `native!(Record = RECORD)`.
macro_rules! native {
    ($($ty:ty = $table:path),* $(,)?) => {$( $crate::bind::native!(@impl $ty, $table, {}); )*};
    (@impl $ty:ty, $table:path, { $($own:item)* }) => {
        impl $crate::bind::Tabled for $ty {
            fn table() -> &'static $crate::bind::Type {
                &$table
            }
        }
        impl $crate::bind::Native for $ty {
            fn kind(&self) -> &'static $crate::bind::Type {
                &$table
            }
            fn any(&self) -> &dyn std::any::Any {
                self
            }
            $($own)*
        }
    };
}

/// The same for types that scripts see no members of in JSON.
macro_rules! native_bare {
    ($($ty:ty = $table:path),* $(,)?) => {$(
        $crate::bind::native!(@impl $ty, $table, {
            fn has_json(&self) -> bool {
                false
            }
        });
    )*};
}

/// The same for types whose values are equal to scripts if they stand for the same: `native_at!(Record = RECORD, |r| r.address())`.
macro_rules! native_at {
    ($ty:ty = $table:path, |$me:ident| $address:expr) => {
        $crate::bind::native!(@impl $ty, $table, {
            fn address(&self) -> Option<usize> {
                let $me = self;
                $address
            }
        });
    };
}

/// Writes the table of a type.
///
/// ```text
/// table! {
///     pub(crate) static FILE: File = "filesystem.File", "A file." {
///         prop "name": "string", "Its name." => |cx, f| f.name().to_owned();
///         prop "size": "number", "Its size." => |cx, f| f.size(), set |cx, f, v| f.resize(int(cx, &v)?);
///         fn "asMap" "(): object" "Name and size." => |cx, f, a| f.map();
///     }
///     text |f| f.name(); json |f| Val::from(f.name());
/// }
/// ```
/// Bodies may use `?` on anything that becomes a [`Fail`](super::Fail); what they give is turned into JavaScript by
/// [`ToJs`](super::ToJs). `$me` is the host value, `a` the arguments.
macro_rules! table {
    (
        $(#[$meta:meta])*
        $vis:vis static $table:ident: $ty:ty = $js:literal, $doc:literal {
            $($tag:ident $name:literal $(:)? $sign:literal $(,)? $mdoc:literal
                => |$cx:ident, $me:ident $(, $a:ident)?| $body:expr
                $(, set |$scx:ident, $sme:ident, $sv:ident| $sbody:expr)?;)*
        }
        $(base |$bme:ident| $base:expr;)?
        $(text |$tme:ident| $text:expr;)?
        $(json |$jme:ident| $json:expr;)?
        $(value |$vme:ident| $value:expr;)?
        $(order $order:expr;)?
    ) => {
        $(#[$meta])*
        $vis static $table: $crate::bind::Type = $crate::bind::Type {
            name: $js,
            doc: $doc,
            members: &[$($crate::bind::Member {
                name: $name,
                sign: $sign,
                doc: $mdoc,
                what: $crate::bind::table!(
                    @what $ty; $cx $me $($a)?; $body $(; |$scx, $sme, $sv| $sbody)?
                ),
            }),*],
            base: $crate::bind::table!(@base $ty; $(|$bme| $base)?),
            text: $crate::bind::table!(@text $ty; $(|$tme| $text)?),
            json: $crate::bind::table!(@json $ty; $(|$jme| $json)?),
            value: $crate::bind::table!(@json $ty; $(|$vme| $value)?),
            order: $crate::bind::table!(@order $($order)?),
            index: std::sync::OnceLock::new(),
        };
    };
    (@what $ty:ty; $cx:ident $me:ident $a:ident; $body:expr) => {
        $crate::bind::What::Call(|cx, me, args| {
            #[allow(unused_variables)]
            let ($cx, $me, $a) = (cx, $crate::bind::table_me::<$ty>(cx, me)?, args);
            #[allow(clippy::redundant_closure_call)]
            let out = (|| -> $crate::bind::Res<_> { Ok($body) })();
            $crate::bind::table_out(cx, out)
        })
    };
    (@what $ty:ty; $cx:ident $me:ident; $body:expr $(; |$scx:ident, $sme:ident, $sv:ident| $sbody:expr)?) => {
        $crate::bind::What::Field(
            |cx, me| {
                #[allow(unused_variables)]
                let ($cx, $me) = (cx, $crate::bind::table_me::<$ty>(cx, me)?);
                #[allow(clippy::redundant_closure_call)]
                let out = (|| -> $crate::bind::Res<_> { Ok($body) })();
                $crate::bind::table_out(cx, out)
            },
            $crate::bind::table!(@set $ty; $(|$scx, $sme, $sv| $sbody)?),
        )
    };
    (@set $ty:ty;) => { None };
    (@set $ty:ty; |$cx:ident, $me:ident, $v:ident| $body:expr) => {
        Some(|cx, me, value| {
            #[allow(unused_variables)]
            let ($cx, $me, $v) = (cx, $crate::bind::table_me::<$ty>(cx, me)?, value);
            #[allow(clippy::redundant_closure_call, clippy::unit_arg)]
            let done = (|| -> $crate::bind::Res<()> { $body; Ok(()) })();
            done.map_err(|fail| $crate::bind::throw(cx, fail))
        })
    };
    (@order) => { &[] };
    (@order $order:expr) => { $order };
    (@base $ty:ty;) => { None };
    (@base $ty:ty; |$me:ident| $body:expr) => { Some(|me| { let $me = me.get::<$ty>()?; $body }) };
    (@text $ty:ty;) => { None };
    (@text $ty:ty; |$me:ident| $body:expr) => {
        Some(|me| me.get::<$ty>().map(|$me: &$ty| -> String { $body }).unwrap_or_default())
    };
    (@json $ty:ty;) => { None };
    (@json $ty:ty; |$me:ident| $body:expr) => {
        Some(|me| me.get::<$ty>().map_or($crate::bind::Val::Null, |$me: &$ty| -> $crate::bind::Val { let _ = $me; $body }))
    };
}

/// Writes a table of global functions (`fn`) and constructors (`new`).
macro_rules! globals {
    (
        $(#[$meta:meta])*
        $vis:vis static $table:ident {
            $($tag:ident $name:literal $sign:literal $doc:literal => |$cx:ident, $a:ident| $body:expr;)*
        }
    ) => {
        $(#[$meta])*
        $vis static $table: &[$crate::bind::Global] = &[$($crate::bind::Global {
            name: $name,
            sign: $sign,
            doc: $doc,
            make: $crate::bind::globals!(@make $tag; |$cx, $a| $body),
        }),*];
    };
    (@make fn; |$cx:ident, $a:ident| $body:expr) => {
        $crate::bind::Make::Function(|cx, args| {
            #[allow(unused_variables)]
            let ($cx, $a) = (cx, args);
            #[allow(clippy::redundant_closure_call)]
            let out = (|| -> $crate::bind::Res<_> { Ok($body) })();
            $crate::bind::table_out(cx, out)
        })
    };
    (@make new; |$cx:ident, $a:ident| $body:expr) => {
        $crate::bind::Make::Constructor(|cx, args| {
            #[allow(unused_variables)]
            let ($cx, $a) = (cx, args);
            #[allow(clippy::redundant_closure_call)]
            let out = (|| -> $crate::bind::Res<_> { Ok($crate::bind::shared($body)) })();
            out.map_err(|fail| $crate::bind::throw(cx, fail))
        })
    };
}

pub(crate) use {globals, native, native_at, native_bare, table};
