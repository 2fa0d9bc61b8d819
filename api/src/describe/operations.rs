//! Every endpoint of the API in one table: what the OpenAPI document says of it. A test compares the table with the routes,
//! so that a new route without a row here does not pass.

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Everybody,
    SignedIn,
    Superusers,
    /// The rule of that name decides.
    Rule(&'static str),
}

/// For which collections a path with `{collection}` is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    /// Not: the path keeps its parameter.
    Never,
    All,
    /// All but views.
    Writable,
    Auth,
}

/// One endpoint. Names of schemas are those of `schemas.json`; with `@` they are those of the collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    /// As in the route table.
    pub(crate) route: &'static str,
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) each: Each,
    pub(crate) query: &'static [&'static str],
    /// The schema of the body.
    pub(crate) body: Option<&'static str>,
    /// Files may be sent along, as a form.
    pub(crate) form: bool,
    /// The schema of the answer; `None` for 204.
    pub(crate) answer: Option<&'static str>,
    /// Of an answer that is no JSON.
    pub(crate) content_type: Option<&'static str>,
}

const fn op(route: &'static str, id: &'static str, tag: &'static str, summary: &'static str) -> Op {
    Op {
        route,
        id,
        tag,
        summary,
        access: Access::Superusers,
        each: Each::Never,
        query: &[],
        body: None,
        form: false,
        answer: None,
        content_type: None,
    }
}

impl Op {
    const fn by(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
    const fn each(mut self, each: Each) -> Self {
        self.each = each;
        self
    }
    const fn query(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }
    const fn takes(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }
    const fn form(mut self) -> Self {
        self.form = true;
        self
    }
    const fn gives(mut self, schema: &'static str) -> Self {
        self.answer = Some(schema);
        self
    }
    const fn as_type(mut self, content_type: &'static str) -> Self {
        self.content_type = Some(content_type);
        self
    }
}

use Access::{Everybody, Rule, SignedIn};
use Each::{All, Auth, Writable};

const PAGED: &[&str] = &["page", "perPage", "sort", "filter", "skipTotal", "fields"];
const LISTED: &[&str] = &["page", "perPage", "sort", "filter", "expand", "fields", "skipTotal"];
const SHOWN: &[&str] = &["expand", "fields"];

/// The table.
pub(crate) const OPERATIONS: &[Op] = &[
    op("GET /api/health", "health", "Server", "Whether the server is well")
        .by(Everybody)
        .gives("Health"),
    op("GET /api/metrics", "metrics", "Server", "Figures for Prometheus")
        .gives("Text")
        .as_type("text/plain"),
    op("GET /api/settings", "showSettings", "Settings", "All settings")
        .query(&["fields"])
        .gives("Settings"),
    op("PATCH /api/settings", "changeSettings", "Settings", "Change settings")
        .takes("Settings")
        .gives("Settings"),
    op(
        "POST /api/settings/apple/generate-client-secret",
        "makeAppleSecret",
        "Settings",
        "Make a client secret for Apple",
    )
    .takes("Any")
    .gives("Any"),
    op("POST /api/settings/test/email", "testMail", "Settings", "Send a test mail").takes("Any"),
    op("POST /api/settings/test/s3", "testStorage", "Settings", "Test a storage").takes("Any"),
    op("POST /api/sql", "runSql", "SQL", "Run statements").takes("SqlQuery").gives("SqlAnswer"),
    op(
        "POST /api/collections/meta/oauth2-discover",
        "discoverOAuth2",
        "Collections",
        "What an OpenID service says of itself",
    )
    .takes("Any")
    .gives("Any"),
    op(
        "POST /api/collections/{collection}/oauth2-test",
        "testOAuth2",
        "Collections",
        "What a login with a code of a service would do",
    )
    .takes("Any")
    .gives("Any"),
    op("DELETE /api/sql/{id}", "cancelSql", "SQL", "End a statement that runs under an id"),
    op("GET /api/crons", "listCrons", "Crons", "The jobs that run at times").gives("Crons"),
    op("POST /api/crons/{id}", "runCron", "Crons", "Start a job now"),
    op("GET /api/logs", "listLogs", "Logs", "Entries of the activity log")
        .query(PAGED)
        .gives("LogList"),
    op("DELETE /api/logs", "clearLogs", "Logs", "Empty the activity log"),
    op("GET /api/logs/stats", "countLogs", "Logs", "Entries per hour")
        .query(&["filter"])
        .gives("LogHours"),
    op("GET /api/logs/{id}", "viewLog", "Logs", "One entry").query(&["fields"]).gives("LogEntry"),
    op(
        "POST /api/logs/explain",
        "explainLogs",
        "Logs",
        "How a filter of the log runs, or where it is wrong",
    )
    .takes("ExplainQuestion")
    .gives("Explained"),
    op("GET /api/backups", "listBackups", "Backups", "All backups").gives("Backups"),
    op("POST /api/backups", "createBackup", "Backups", "Make a backup").takes("BackupName"),
    op("POST /api/backups/upload", "uploadBackup", "Backups", "Upload a backup")
        .takes("Upload")
        .form(),
    op(
        "GET /api/backups/{key}",
        "downloadBackup",
        "Backups",
        "Download a backup, with a file token",
    )
    .by(Everybody)
    .query(&["token"])
    .gives("Binary")
    .as_type("application/zip"),
    op("DELETE /api/backups/{key}", "deleteBackup", "Backups", "Delete a backup"),
    op(
        "POST /api/backups/{key}/restore",
        "restoreBackup",
        "Backups",
        "Restore a backup; the server starts again",
    ),
    op("GET /api/collections", "listCollections", "Collections", "All collections")
        .query(PAGED)
        .gives("CollectionList"),
    op("POST /api/collections", "createCollection", "Collections", "A new collection")
        .takes("Collection")
        .gives("Collection"),
    op("GET /api/collections/{collection}", "viewCollection", "Collections", "One collection")
        .query(&["fields"])
        .gives("Collection"),
    op(
        "PATCH /api/collections/{collection}",
        "changeCollection",
        "Collections",
        "Change a collection",
    )
    .takes("Collection")
    .gives("Collection"),
    op(
        "DELETE /api/collections/{collection}",
        "deleteCollection",
        "Collections",
        "Delete a collection with its records",
    ),
    op(
        "DELETE /api/collections/{collection}/truncate",
        "truncateCollection",
        "Collections",
        "Delete all records",
    ),
    op(
        "PUT /api/collections/import",
        "importCollections",
        "Collections",
        "Replace or add many collections",
    )
    .takes("Import"),
    op(
        "GET /api/collections/meta/scaffolds",
        "scaffolds",
        "Collections",
        "New collections of each type",
    )
    .gives("Any"),
    op(
        "GET /api/collections/meta/oauth2-providers",
        "listProviders",
        "Collections",
        "Known OAuth2 services",
    )
    .gives("Providers"),
    op(
        "POST /api/collections/meta/dry-run-view",
        "tryView",
        "Collections",
        "What a view would hold",
    )
    .takes("SqlQuery")
    .gives("Any"),
    op(
        "POST /api/collections/meta/explain",
        "explainCollections",
        "Collections",
        "How a filter of collections runs, or where it is wrong",
    )
    .takes("ExplainQuestion")
    .gives("Explained"),
    op(
        "POST /api/collections/{collection}/explain",
        "explain",
        "Rules",
        "How a rule, filter or sort runs, or where it is wrong",
    )
    .takes("ExplainQuestion")
    .gives("Explained"),
    op(
        "POST /api/collections/{collection}/try",
        "tryRule",
        "Rules",
        "What somebody else would be answered, and why",
    )
    .takes("Trial")
    .gives("Verdict"),
    op("GET /api/openapi.json", "openapi", "Descriptions", "This document")
        .query(&["collections"])
        .gives("Any"),
    op("GET /api/types", "types", "Descriptions", "Types of all records for a language")
        .query(&["lang", "collections"])
        .gives("Text")
        .as_type("text/plain"),
    op("GET /api/collections/{collection}/records", "list", "Records", "A page of records")
        .by(Rule("listRule"))
        .each(All)
        .query(LISTED)
        .gives("@List"),
    op("GET /api/collections/{collection}/records/{id}", "view", "Records", "One record")
        .by(Rule("viewRule"))
        .each(All)
        .query(SHOWN)
        .gives("@"),
    op("POST /api/collections/{collection}/records", "create", "Records", "A new record")
        .by(Rule("createRule"))
        .each(Writable)
        .query(SHOWN)
        .takes("@Create")
        .form()
        .gives("@"),
    op("PATCH /api/collections/{collection}/records/{id}", "update", "Records", "Change a record")
        .by(Rule("updateRule"))
        .each(Writable)
        .query(SHOWN)
        .takes("@Update")
        .form()
        .gives("@"),
    op("DELETE /api/collections/{collection}/records/{id}", "delete", "Records", "Delete a record")
        .by(Rule("deleteRule"))
        .each(Writable),
    op("POST /api/batch", "batch", "Records", "Several writes, all or none")
        .by(Everybody)
        .takes("Batch")
        .gives("BatchAnswers"),
    op(
        "GET /api/collections/{collection}/auth-methods",
        "authMethodsOf",
        "Auth",
        "Ways to sign in",
    )
    .by(Everybody)
    .each(Auth)
    .query(&["fields"])
    .gives("AuthMethods"),
    op(
        "POST /api/collections/{collection}/auth-with-password",
        "passwordAuthOf",
        "Auth",
        "Sign in with a password",
    )
    .by(Everybody)
    .each(Auth)
    .query(SHOWN)
    .takes("PasswordLogin")
    .gives("@Auth"),
    op(
        "POST /api/collections/{collection}/auth-with-oauth2",
        "oauth2AuthOf",
        "Auth",
        "Sign in with another service",
    )
    .by(Everybody)
    .each(Auth)
    .query(SHOWN)
    .takes("OAuth2Login")
    .gives("@Auth"),
    op(
        "POST /api/collections/{collection}/request-otp",
        "requestOtpOf",
        "Auth",
        "Send a one-time password",
    )
    .by(Everybody)
    .each(Auth)
    .takes("Email")
    .gives("OtpId"),
    op(
        "POST /api/collections/{collection}/auth-with-otp",
        "otpAuthOf",
        "Auth",
        "Sign in with a one-time password",
    )
    .by(Everybody)
    .each(Auth)
    .query(SHOWN)
    .takes("OtpLogin")
    .gives("@Auth"),
    op(
        "POST /api/collections/{collection}/auth-refresh",
        "refreshAuthOf",
        "Auth",
        "A new token for the same record",
    )
    .by(SignedIn)
    .each(Auth)
    .query(SHOWN)
    .gives("@Auth"),
    op(
        "POST /api/collections/{collection}/impersonate/{id}",
        "impersonate",
        "Auth",
        "A token of somebody else",
    )
    .each(Auth)
    .takes("Impersonation")
    .gives("@Auth"),
    op(
        "POST /api/collections/{collection}/request-verification",
        "requestVerificationOf",
        "Auth",
        "Send a mail that verifies an address",
    )
    .by(Everybody)
    .each(Auth)
    .takes("Email"),
    op(
        "POST /api/collections/{collection}/confirm-verification",
        "confirmVerificationOf",
        "Auth",
        "Verify an address",
    )
    .by(Everybody)
    .each(Auth)
    .takes("Token"),
    op(
        "POST /api/collections/{collection}/request-password-reset",
        "requestPasswordResetOf",
        "Auth",
        "Send a mail that resets a password",
    )
    .by(Everybody)
    .each(Auth)
    .takes("Email"),
    op(
        "POST /api/collections/{collection}/confirm-password-reset",
        "confirmPasswordResetOf",
        "Auth",
        "Set a forgotten password",
    )
    .by(Everybody)
    .each(Auth)
    .takes("PasswordReset"),
    op(
        "POST /api/collections/{collection}/request-email-change",
        "requestEmailChangeOf",
        "Auth",
        "Send a mail that changes an address",
    )
    .by(SignedIn)
    .each(Auth)
    .takes("NewEmail"),
    op(
        "POST /api/collections/{collection}/confirm-email-change",
        "confirmEmailChangeOf",
        "Auth",
        "Change an address",
    )
    .by(Everybody)
    .each(Auth)
    .takes("EmailChange"),
    op(
        "GET /api/oauth2-redirect",
        "oauth2Redirect",
        "Auth",
        "Where services send browsers back to",
    )
    .by(Everybody)
    .gives("Redirect"),
    op(
        "POST /api/oauth2-redirect",
        "oauth2RedirectPost",
        "Auth",
        "The same for services that post",
    )
    .by(Everybody)
    .gives("Redirect"),
    op("GET /api/realtime", "listen", "Realtime", "The stream of events")
        .by(Everybody)
        .gives("Text")
        .as_type("text/event-stream"),
    op("POST /api/realtime", "subscribe", "Realtime", "What a stream tells of")
        .by(Everybody)
        .takes("Subscriptions"),
    op("POST /api/files/token", "fileToken", "Files", "A short-lived token for protected files")
        .by(SignedIn)
        .gives("Token"),
    op("GET /api/files/{collection}/{recordId}/{filename}", "file", "Files", "A file of a record")
        .by(Everybody)
        .query(&["thumb", "token", "download"])
        .gives("Binary")
        .as_type("application/octet-stream"),
    op(
        "GET /api/dashboard/state",
        "dashboardState",
        "Dashboard",
        "What the dashboard keeps for you and for all",
    )
    .gives("State"),
    op(
        "PATCH /api/dashboard/state",
        "changeDashboardState",
        "Dashboard",
        "Set members of it; null removes",
    )
    .takes("State")
    .gives("State"),
    op(
        "POST /api/dashboard/invite",
        "inviteSuperuser",
        "Dashboard",
        "Another superuser, who sets a password through a mail",
    )
    .takes("Email")
    .gives("Any"),
    op("GET /api/logs/top", "topLogs", "Logs", "The latest requests, grouped")
        .query(&["by", "filter"])
        .gives("Any"),
    op(
        "POST /api/collections/meta/dry-run",
        "tryCollection",
        "Collections",
        "What saving a collection would change and break",
    )
    .takes("Any")
    .gives("Any"),
    op(
        "GET /api/collections/{collection}/history",
        "historySwitch",
        "History",
        "Whether changes are kept",
    )
    .gives("Any"),
    op(
        "PATCH /api/collections/{collection}/history",
        "switchHistory",
        "History",
        "Keep changes, or no longer",
    )
    .takes("Any")
    .gives("Any"),
    op(
        "GET /api/collections/{collection}/records/{id}/history",
        "history",
        "History",
        "The changes of a record",
    )
    .gives("Any"),
    op(
        "POST /api/collections/{collection}/records/{id}/history/{entry}",
        "restoreRecord",
        "History",
        "Make a record what it was before a change",
    )
    .gives("Any"),
    op("GET /api/system/migrations", "migrations", "Server", "The migrations that were applied")
        .gives("Any"),
    op("GET /api/system", "system", "Server", "What this server is and can do").gives("Any"),
    op(
        "GET /api/collections/meta/stats",
        "statistics",
        "Collections",
        "Rows and bytes of all collections",
    )
    .gives("Any"),
    op(
        "GET /api/collections/meta/filter-language",
        "filterLanguage",
        "Rules",
        "Operators, macros, functions and modifiers",
    )
    .gives("Any"),
    op("GET /api/realtime/clients", "listClients", "Realtime", "Who listens to what").gives("Any"),
    op("POST /api/collections/{collection}/bulk", "bulk", "Bulk", "Change or delete many records")
        .takes("Bulk")
        .gives("BulkReport"),
    op(
        "POST /api/collections/{collection}/import",
        "importRecords",
        "Bulk",
        "Create or change records from NDJSON or a JSON list",
    )
    .query(&["mode", "match", "dryRun"])
    .takes("Any")
    .gives("Text")
    .as_type("application/x-ndjson"),
    op(
        "GET /api/collections/{collection}/export",
        "exportRecords",
        "Bulk",
        "All matching records in pieces",
    )
    .query(&["format", "filter", "sort", "fields", "guard"])
    .gives("Text")
    .as_type("text/csv"),
];
