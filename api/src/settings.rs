//! What the pipeline reads of the settings.

/// The settings that concern HTTP.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub superuser_ips: Vec<String>,
    pub trusted_proxy: TrustedProxy,
    pub rate_limits: RateLimits,
    pub logs: Logs,
    pub batch: Batch,
}
#[derive(Debug, Clone, Default)]
pub struct TrustedProxy {
    pub headers: Vec<String>,
    pub use_leftmost_ip: bool,
}
#[derive(Debug, Clone, Default)]
pub struct RateLimits {
    pub rules: Vec<RateLimitRule>,
    pub excluded_ips: Vec<String>,
    pub enabled: bool,
}
#[derive(Debug, Clone, Default)]
pub struct RateLimitRule {
    pub label: String,
    pub audience: String,
    pub duration: i64,
    pub max_requests: i64,
}
#[derive(Debug, Clone, Default)]
pub struct Logs {
    pub log_ip: bool,
    pub log_auth_id: bool,
}
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub enabled: bool,
    pub max_requests: i64,
    pub timeout: i64,
    pub max_body_size: i64,
}
