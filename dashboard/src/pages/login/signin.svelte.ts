// Password, then — when the server asks for it — the code. Steps and calls; the two places that show them have no logic.
import { t } from '../../i18n/index.svelte';
import { get, post } from '../../lib/api/client';
import { ApiError, messageOf } from '../../lib/api/errors';
import type { Stored } from '../../lib/api/session.svelte';

interface Methods { password: { enabled: boolean; identityFields: string[] }; otp: { enabled: boolean; duration: number }; mfa: { enabled: boolean; duration: number } }
const base = '/api/collections/_superusers';
const guest = { token: null };

export class SignIn {
  step = $state<'password' | 'email' | 'code'>('password');
  identity = $state('');
  password = $state('');
  code = $state('');
  otpId = $state('');
  error = $state('');
  notice = $state('');
  busy = $state(false);
  codeUntil = $state(0);
  methods = $state.raw<Methods | null>(null);
  private mfaId = '';

  constructor(private readonly done: (s: Stored) => void) {
    get<Methods>(`${base}/auth-methods`, {}, guest).then((m) => { this.methods = m; }, () => undefined);
  }
  get steps(): boolean { return this.methods?.mfa.enabled === true; }
  get emailOnly(): boolean { return (this.methods?.password.identityFields ?? ['email']).join() === 'email'; }

  async submit(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = '';
    try {
      if (this.step === 'password') await this.withPassword();
      else if (this.step === 'email') await this.sendCode();
      else await this.withCode();
    } catch (e) { this.error = messageOf(e); } finally { this.busy = false; }
  }
  private async withPassword(): Promise<void> {
    this.notice = '';
    try {
      this.done(await post<Stored>(`${base}/auth-with-password`, { identity: this.identity.trim(), password: this.password }, guest));
    } catch (e) {
      if (!(e instanceof ApiError)) throw e;
      if (e.status === 401 && e.data.mfaId) {
        this.mfaId = String(e.data.mfaId);
        if (this.emailOnly) await this.sendCode();
        else this.step = 'email';
      } else if (e.status === 400) this.error = t('Wrong e-mail or password.');
      else throw e;
    }
  }
  async sendCode(): Promise<void> {
    this.step = 'code';
    this.code = this.otpId = '';
    const r = await post<{ otpId: string }>(`${base}/request-otp`, { email: this.identity.trim() }, guest);
    // who meanwhile typed the id of a code that he has keeps it
    if (!this.otpId) this.otpId = r.otpId;
    this.codeUntil = Date.now() + (this.methods?.otp.duration ?? 180) * 1000;
    this.notice = t('A code was sent to {email}.', { email: this.identity.trim() });
  }
  private async withCode(): Promise<void> {
    try {
      this.done(await post<Stored>(`${base}/auth-with-otp`, { otpId: this.otpId.trim(), password: this.code.trim(), ...(this.mfaId ? { mfaId: this.mfaId } : {}) }, guest));
    } catch (e) {
      if (e instanceof ApiError && e.status === 400 && /mfa/i.test(`${JSON.stringify(e.data)}${e.message}`)) {
        this.mfaId = '';
        this.step = 'password';
        this.error = t('The sign-in took too long and has expired: please start again.');
      } else if (e instanceof ApiError && e.status === 400) this.error = t('This code is wrong or no longer valid.');
      else throw e;
    }
  }
}
