// OAuth2 providers that need more than a client id and secret: one line each. All others use the generic form.
export interface Extra { key: string; label: string; placeholder?: string; values?: string[] }
export interface ProviderForm { urls?: ('authURL' | 'tokenURL' | 'userInfoURL')[]; required?: boolean; name?: boolean; extras?: Extra[]; apple?: boolean; /** names its addresses itself, by OpenID */ discover?: boolean; note?: string }

const oidc: ProviderForm = { discover: true, urls: ['authURL', 'tokenURL', 'userInfoURL'], required: true, name: true, extras: [{ key: 'jwksURL', label: 'JWKS address, when the user comes from the id_token', placeholder: 'https://example.com/jwks.json' }, { key: 'issuers', label: 'Issuers, separated by commas' }] };
export const providerForms: Record<string, ProviderForm> = {
  apple: { apple: true },
  microsoft: { urls: ['authURL', 'tokenURL'], note: 'Both addresses contain the tenant.', extras: [{ key: 'idTokenEmailClaim', label: 'Where the e-mail comes from', values: ['', 'email', 'email_and_xms_edov', 'verified_primary_email', 'any_verified'] }] },
  lark: { urls: ['authURL', 'tokenURL', 'userInfoURL'] },
  gitlab: { urls: ['authURL', 'tokenURL', 'userInfoURL'], note: 'Only for an own installation.' },
  gitea: { urls: ['authURL', 'tokenURL', 'userInfoURL'], note: 'Only for an own installation.' },
  mailcow: { urls: ['authURL', 'tokenURL', 'userInfoURL'], required: true },
  oidc, oidc2: oidc, oidc3: oidc,
};
