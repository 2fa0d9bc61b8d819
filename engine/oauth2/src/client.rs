//! A configured service: its authorization URL, the exchange of a code, and the user behind a token (spec auth §3.1,
//! §9.1). Nothing is cached between logins.

use std::{fmt, time::Duration};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest;
use serde_json::{Map, Value, json};

use super::{
    Error, find, id_token,
    provider::{Answer, Ask, Emails, Header, Provider},
    token::Token,
    user::User,
    view::View,
};
use model::schema::options;
use outbound::{self, Limits, Reach};
use primitives::json;

/// Time for all requests of one step.
const TIME: Duration = Duration::from_secs(30);
const MAX_TOKEN_BYTES: usize = 1 << 20;
const MAX_USER_BYTES: usize = 4 << 20;

/// What stays as it is in a form value.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// A service as a collection has configured it.
#[derive(Clone)]
pub struct Client {
    provider: &'static Provider,
    config: options::Provider,
    http: outbound::Client,
    leeway: f64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("provider", &self.provider.name).finish_non_exhaustive()
    }
}

/// The PKCE challenge of a verifier.
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string().replace(' ', "+")
}

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

/// How a token request proves who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Header,
    Body,
}

impl Client {
    /// `None` for names that are not registered.
    #[must_use]
    pub fn new(http: &outbound::Client, leeway: i64, config: &options::Provider) -> Option<Self> {
        #[allow(clippy::cast_precision_loss, reason = "seconds")]
        let leeway = leeway as f64;
        let http = http.clone();
        Some(Self { provider: find(&config.name)?, config: config.clone(), http, leeway })
    }

    /// The service.
    #[must_use]
    pub fn provider(&self) -> &'static Provider {
        self.provider
    }

    /// Name for people.
    #[must_use]
    pub fn display_name(&self) -> &str {
        match (self.config.display_name.as_str(), self.provider.display_name) {
            ("", "") => self.provider.name,
            ("", default) => default,
            (own, _) => own,
        }
    }

    /// Whether a code is bound to a verifier.
    #[must_use]
    pub fn pkce(&self) -> bool {
        self.config.pkce.unwrap_or(self.provider.pkce)
    }

    fn user_info_url(&self) -> &str {
        configured(&self.config.user_info_url, self.provider.user_info_url)
    }

    fn scopes(&self) -> String {
        let mut scopes = self.provider.scopes.to_vec();
        if let Some((key, scope)) = self.provider.extra_scope {
            let value = self.config.extra.get(key);
            if value.and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
                scopes.push(scope);
            }
        }
        scopes.join(" ")
    }

    /// Where to send the user, up to the redirect URL that the caller appends.
    #[must_use]
    pub fn auth_url(&self, state: &str, challenge: Option<&str>) -> String {
        let scopes = self.scopes();
        let mut query: Vec<(&str, &str)> = vec![
            ("client_id", &self.config.client_id),
            ("response_type", "code"),
            ("state", state),
        ];
        if let Some(challenge) = challenge {
            query.extend([("code_challenge", challenge), ("code_challenge_method", "S256")]);
        }
        if !scopes.is_empty() {
            query.push(("scope", &scopes));
        }
        query.extend(self.provider.auth_params);
        query.sort_unstable();
        let base = configured(&self.config.auth_url, self.provider.auth_url);
        let glue = if base.contains('?') { '&' } else { '?' };
        format!("{base}{glue}{}&redirect_uri=", form(&query))
    }

    /// Exchanges a code for a token.
    ///
    /// # Errors
    /// When the service cannot be reached, refuses or answers nonsense, whatever the way the client proves itself.
    pub async fn exchange(
        &self,
        code: &str,
        redirect_url: &str,
        verifier: &str,
    ) -> Result<Token, Error> {
        let mut pairs = vec![("code", code), ("grant_type", "authorization_code")];
        if !redirect_url.is_empty() {
            pairs.push(("redirect_uri", redirect_url));
        }
        if self.pkce() {
            pairs.push(("code_verifier", verifier));
        }
        self.ask_token(&pairs).await
    }

    /// Basic first, then parameters: which of the two a service wants is not known (spec auth §9.1).
    async fn ask_token(&self, pairs: &[(&str, &str)]) -> Result<Token, Error> {
        match self.ask_token_with(pairs, Proof::Header).await {
            Ok(token) => Ok(token),
            Err(_) => self.ask_token_with(pairs, Proof::Body).await,
        }
    }

    async fn ask_token_with(&self, pairs: &[(&str, &str)], proof: Proof) -> Result<Token, Error> {
        let (id, secret) = (&self.config.client_id, &self.config.client_secret);
        let mut pairs = pairs.to_vec();
        if proof == Proof::Body {
            pairs.push(("client_id", id));
            if !secret.is_empty() {
                pairs.push(("client_secret", secret));
            }
        }
        let url = configured(&self.config.token_url, self.provider.token_url);
        let mut request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if proof == Proof::Header {
            let both = format!("{}:{}", encode(id), encode(secret));
            request =
                request.header(header::AUTHORIZATION, sensitive("Basic", &STANDARD.encode(both))?);
        }
        let request = request.body(form(&pairs).into()).map_err(|_| outbound::Error::Url)?;
        let answer = self.send(request, MAX_TOKEN_BYTES).await?;
        let content_type = answer.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or("");
        Token::read(answer.status().as_u16(), content_type, answer.body())
    }

    /// Checks that the id token was issued for the sign-in that the client began, by the nonce it put into the
    /// authorization URL (OpenID Connect Core §3.1.3.7). The signature is not needed: the token came from the service
    /// itself.
    ///
    /// # Errors
    /// When there is no id token, or one with another nonce.
    pub fn check_nonce(&self, token: &Token, nonce: &str) -> Result<(), Error> {
        let claims = id_token::claims_in_time(token.text("id_token"), self.leeway)?;
        if claims.text("nonce") == nonce {
            Ok(())
        } else {
            Err(Error::Answer("the id_token has another nonce"))
        }
    }

    /// The user behind a token.
    ///
    /// # Errors
    /// As [`Client::exchange`]; when the service does not vouch for the account.
    pub async fn user(&self, token: &Token) -> Result<User, Error> {
        let mut raw = match &self.provider.ask {
            Ask::Get => self.get(token, self.user_info_url()).await?,
            Ask::Graphql(query) => self.graphql(token, query).await?,
            Ask::IdToken(rules) => self.id_claims(token, &rules(&self.config)).await?,
            Ask::GetOrIdToken(rules) if self.user_info_url().is_empty() => {
                self.id_claims(token, &rules(&self.config)).await?
            }
            Ask::GetOrIdToken(_) => self.get(token, self.user_info_url()).await?,
        };
        for key in self.provider.from_token {
            if let Some(value) = token.raw.get(*key) {
                raw.entry(*key).or_insert_with(|| value.clone());
            }
        }
        let raw = Value::Object(raw);
        let answer =
            Answer { info: View::of(&raw), token, extra: &self.config.extra, leeway: self.leeway };
        let mut user = (self.provider.map)(&answer)?;
        if let Some(emails) = self.provider.emails.as_ref().filter(|_| user.email.is_empty()) {
            user.email = self.email(token, emails).await?;
        }
        if let Value::Object(raw) = raw {
            user.raw = raw;
        }
        Ok(user.with_token(token))
    }

    async fn id_claims(
        &self,
        token: &Token,
        rules: &id_token::Rules,
    ) -> Result<Map<String, Value>, Error> {
        let text = token.text("id_token");
        let claims = id_token::check(text, rules, &self.config.client_id, self.leeway)?;
        if !rules.jwks_url.is_empty() {
            let request = Request::get(&rules.jwks_url).body(Bytes::new());
            let request = request.map_err(|_| outbound::Error::Url)?;
            let keys = json_of(&self.send(request, MAX_USER_BYTES).await?)?;
            id_token::verify(text, &keys)?;
        }
        Ok(claims.0)
    }

    async fn get(&self, token: &Token, url: &str) -> Result<Map<String, Value>, Error> {
        object(json_of(&self.ask(token, Method::GET, url, Bytes::new()).await?)?)
    }

    async fn graphql(&self, token: &Token, query: &str) -> Result<Map<String, Value>, Error> {
        let body = json!({ "query": query }).to_string();
        let url = self.user_info_url();
        object(json_of(&self.ask(token, Method::POST, url, body.into()).await?)?)
    }

    async fn email(&self, token: &Token, emails: &Emails) -> Result<String, Error> {
        let url = (emails.url)(self.user_info_url());
        let answer = self.ask(token, Method::GET, &url, Bytes::new()).await?;
        if (emails.none)(answer.status().as_u16()) {
            return Ok(String::new());
        }
        Ok((emails.pick)(View::of(&json_of(&answer)?))?)
    }

    /// One request in the user's name.
    async fn ask(
        &self,
        token: &Token,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, Error> {
        let authorization = if token.is_stale() {
            if token.refresh_token.is_empty() {
                return Err(Error::Answer("the token has expired"));
            }
            let pairs =
                [("grant_type", "refresh_token"), ("refresh_token", token.refresh_token.as_str())];
            self.ask_token(&pairs).await?.authorization()
        } else {
            token.authorization()
        };
        let (kind, secret) = authorization.split_once(' ').unwrap_or(("", &authorization));
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::AUTHORIZATION, sensitive(kind, secret)?)
            .header(header::ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in self.provider.headers {
            let value = match value {
                Header::Fixed(text) => text,
                Header::ClientId => self.config.client_id.as_str(),
            };
            request = request.header(*name, value);
        }
        self.send(request.body(body).map_err(|_| outbound::Error::Url)?, MAX_USER_BYTES).await
    }

    async fn send(
        &self,
        request: Request<Bytes>,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, Error> {
        let limits =
            Limits { reach: Reach::Configured, time: TIME, max_bytes, ..Limits::default() };
        Ok(self.http.send(request, &limits).await?)
    }
}

fn configured<'t>(own: &'t str, default: &'t str) -> &'t str {
    if own.is_empty() { default } else { own }
}

/// A header value that HTTP/2 does not index and `Debug` does not print.
fn sensitive(kind: &str, secret: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("{kind} {secret}"))
        .map_err(|_| Error::Answer("a token cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn json_of(answer: &Response<Bytes>) -> Result<Value, Error> {
    let status = answer.status().as_u16();
    if status >= 400 {
        return Err(Error::Status(status));
    }
    // strictly, as bodies of clients: no key twice, no bytes that are not UTF-8 (spec upstream-0.40 §5.5)
    let text = std::str::from_utf8(answer.body()).ok();
    let value = text.and_then(|text| json::read::whole(text).ok());
    value.ok_or(Error::Answer("the answer is not JSON"))
}

fn object(value: Value) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(Error::Answer("the answer is not an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_strictly() {
        for (body, is_read) in [
            (&br#"{"sub":"a","email":"b"}"#[..], true),
            (br#"{"sub":"a","email":"b","email":"c"}"#, false),
            (b"{\"sub\":\"\xff\"}", false),
            (b"{} {}", false),
            (b"", false),
        ] {
            let answer = Response::new(Bytes::from_static(body));
            assert_eq!(json_of(&answer).is_ok(), is_read, "{body:?}");
        }
    }

    fn client(config: options::Provider) -> Client {
        let http = outbound::Client::new(outbound::ClientOptions::default());
        Client { provider: find(&config.name).expect("known"), config, http, leeway: 300.0 }
    }

    fn named(name: &str) -> options::Provider {
        options::Provider { name: name.into(), client_id: "c d".into(), ..Default::default() }
    }

    #[test]
    fn authorization_urls() {
        let google = client(named("google"));
        assert_eq!(
            google.auth_url("S", Some("C")),
            "https://accounts.google.com/o/oauth2/v2/auth?client_id=c+d&code_challenge=C&code_challenge_method=S256&response_type=code&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.profile+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.email&state=S&redirect_uri="
        );
        let apple = client(named("apple"));
        assert!(apple.auth_url("S", None).contains("&response_mode=form_post&response_type=code"));
        let own = options::Provider { auth_url: "http://a/?x=1".into(), ..named("notion") };
        assert_eq!(
            client(own).auth_url("~*", None),
            "http://a/?x=1&client_id=c+d&response_type=code&state=~%2A&redirect_uri="
        );
        let extra = Map::from_iter([("idTokenEmailClaim".to_owned(), json!("email"))]);
        let microsoft = options::Provider { extra, ..named("microsoft") };
        assert!(client(microsoft).auth_url("", None).contains("scope=User.Read+openid&"));
    }

    #[test]
    fn names_and_pkce() {
        assert_eq!(client(named("vk")).display_name(), "ВКонтакте");
        let own = options::Provider { display_name: "X".into(), pkce: Some(true), ..named("vk") };
        assert_eq!((client(own.clone()).display_name(), client(own).pkce()), ("X", true));
        assert!(!client(named("vk")).pkce() && client(named("google")).pkce());
        // a vector of the specification
        assert_eq!(
            challenge("X6596Eann6anUGs2JCHUIjP4hTOnfDHHd8iBJOXLzfe"),
            "lPnj23NSfXUp518SJLi4SdCHwtaZzuAye_MY5I8ES6g"
        );
        assert_eq!(
            STANDARD.encode(format!("{}:{}", encode("cid+x"), encode("sec ret"))),
            "Y2lkJTJCeDpzZWMrcmV0"
        );
    }
}
