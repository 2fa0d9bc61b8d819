//! Where in a document a byte stands, as far as escaping asks.

use std::fmt;

/// The context of a place in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) state: State,
    pub(crate) delim: Delim,
    pub(crate) url: UrlPart,
    pub(crate) slash: Slash,
    /// Open braces of each `${` that is open.
    pub(crate) braces: Vec<usize>,
    pub(crate) attr: Attr,
    pub(crate) element: Element,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($variant,)*
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)*
                })
            }
        }
    };
}

names! {
    /// What is being read. The texts are Go's names, for messages.
    State:
    Text = "stateText",
    Tag = "stateTag",
    AttrName = "stateAttrName",
    AfterName = "stateAfterName",
    BeforeValue = "stateBeforeValue",
    HtmlComment = "stateHTMLCmt",
    Rcdata = "stateRCDATA",
    Attr = "stateAttr",
    Url = "stateURL",
    Srcset = "stateSrcset",
    Js = "stateJS",
    JsDouble = "stateJSDqStr",
    JsSingle = "stateJSSqStr",
    JsTemplate = "stateJSTmplLit",
    JsRegexp = "stateJSRegexp",
    JsBlockComment = "stateJSBlockCmt",
    JsLineComment = "stateJSLineCmt",
    JsHtmlOpen = "stateJSHTMLOpenCmt",
    JsHtmlClose = "stateJSHTMLCloseCmt",
    Css = "stateCSS",
    CssDouble = "stateCSSDqStr",
    CssSingle = "stateCSSSqStr",
    CssDoubleUrl = "stateCSSDqURL",
    CssSingleUrl = "stateCSSSqURL",
    CssUrl = "stateCSSURL",
    CssBlockComment = "stateCSSBlockCmt",
    CssLineComment = "stateCSSLineCmt",
    MetaContent = "stateMetaContent",
    MetaContentUrl = "stateMetaContentURL",
    Dead = "stateDead",
}
names! {
    /// What ends the value of an attribute.
    Delim:
    None = "delimNone",
    Double = "delimDoubleQuote",
    Single = "delimSingleQuote",
    Space = "delimSpaceOrTagEnd",
}
names! {
    /// The part of an address.
    UrlPart:
    None = "urlPartNone",
    PreQuery = "urlPartPreQuery",
    Query = "urlPartQueryOrFrag",
    Unknown = "urlPartUnknown",
}
names! {
    /// What a slash would begin in a script.
    Slash:
    Regexp = "jsCtxRegexp",
    Division = "jsCtxDivOp",
    Unknown = "jsCtxUnknown",
}
names! {
    /// What kind of attribute a name is of.
    Attr:
    None = "attrNone",
    Script = "attrScript",
    ScriptType = "attrScriptType",
    Style = "attrStyle",
    Url = "attrURL",
    Srcset = "attrSrcset",
    MetaContent = "attrMetaContent",
}
names! {
    /// Elements whose content is not markup.
    Element:
    None = "elementNone",
    Script = "elementScript",
    Style = "elementStyle",
    Textarea = "elementTextarea",
    Title = "elementTitle",
    Meta = "elementMeta",
}

impl Default for Context {
    fn default() -> Self {
        Self {
            state: State::Text,
            delim: Delim::None,
            url: UrlPart::None,
            slash: Slash::Regexp,
            braces: Vec::new(),
            attr: Attr::None,
            element: Element::None,
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let braces: Vec<String> = self.braces.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{{{} {} {} {} [{}] {} {} <nil>}}",
            self.state,
            self.delim,
            self.url,
            self.slash,
            braces.join(" "),
            self.attr,
            self.element
        )
    }
}

impl Context {
    pub(crate) fn at(state: State, element: Element) -> Self {
        Self { state, element, ..Self::default() }
    }

    /// The same, where a value rather than text follows: a name or the beginning of an attribute's value.
    pub(crate) fn before_value(mut self) -> Self {
        match self.state {
            State::Tag => self.state = State::AttrName,
            State::BeforeValue => {
                (self.state, self.delim) = (self.attr.first_state(), Delim::Space);
                self.attr = Attr::None;
            }
            State::AfterName => (self.state, self.attr) = (State::AttrName, Attr::None),
            _ => {}
        }
        self
    }

    /// The name of a template when it is used here.
    pub(crate) fn mangled(&self, name: &str) -> String {
        if *self == Self::default() {
            return name.to_owned();
        }
        let mut out = format!("{name}$htmltemplate_{}", self.state);
        let mut add = |is_default: bool, text: String| {
            if !is_default {
                out.push('_');
                out.push_str(&text);
            }
        };
        add(self.delim == Delim::None, self.delim.to_string());
        add(self.url == UrlPart::None, self.url.to_string());
        add(self.slash == Slash::Regexp, self.slash.to_string());
        add(self.braces.is_empty(), format!("jsBraceDepth({:?})", self.braces));
        add(self.attr == Attr::None, self.attr.to_string());
        add(self.element == Element::None, self.element.to_string());
        out
    }
}

impl Attr {
    /// How the value of such an attribute begins.
    pub(crate) fn first_state(self) -> State {
        match self {
            Self::None | Self::ScriptType => State::Attr,
            Self::Script => State::Js,
            Self::Style => State::Css,
            Self::Url => State::Url,
            Self::Srcset => State::Srcset,
            Self::MetaContent => State::MetaContent,
        }
    }
}

impl State {
    pub(crate) fn is_comment(self) -> bool {
        matches!(
            self,
            Self::HtmlComment
                | Self::JsBlockComment
                | Self::JsLineComment
                | Self::JsHtmlOpen
                | Self::JsHtmlClose
                | Self::CssBlockComment
                | Self::CssLineComment
        )
    }
    /// True inside of literals of a script.
    pub(crate) fn is_script_literal(self) -> bool {
        matches!(self, Self::JsDouble | Self::JsSingle | Self::JsTemplate | Self::JsRegexp)
    }
    /// True inside of a tag.
    pub(crate) fn is_in_tag(self) -> bool {
        matches!(
            self,
            Self::Tag | Self::AttrName | Self::AfterName | Self::BeforeValue | Self::Attr
        )
    }
}

impl Element {
    pub(crate) fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "script" => Self::Script,
            "style" => Self::Style,
            "textarea" => Self::Textarea,
            "title" => Self::Title,
            "meta" => Self::Meta,
            _ => Self::None,
        }
    }
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Style => "style",
            Self::Textarea => "textarea",
            Self::Title => "title",
            Self::None | Self::Meta => "",
        }
    }
    /// What its content is.
    pub(crate) fn content(self) -> State {
        match self {
            Self::None | Self::Meta => State::Text,
            Self::Script => State::Js,
            Self::Style => State::Css,
            Self::Textarea | Self::Title => State::Rcdata,
        }
    }
}
