// Sentences. The English sentence is the key (so code reads as what it shows); other languages are lazy files.
// A test collects every t('…') and fails when a language misses one.
export type Lang = 'en' | 'zh-CN';
const languages: Record<Lang, { name: string; load: () => Promise<Record<string, string>> }> = {
  en: { name: 'English', load: async () => ({}) },
  'zh-CN': { name: '简体中文', load: async () => (await import('./zh-CN')).default },
};
export const languageNames = Object.entries(languages).map(([id, l]) => ({ id: id as Lang, name: l.name }));

class I18n {
  lang = $state<Lang>('en');
  words = $state.raw<Record<string, string>>({});
  async use(lang: Lang): Promise<void> {
    this.words = await languages[lang].load();
    this.lang = lang;
    document.documentElement.lang = lang;
  }
}
export const i18n = new I18n();

export function t(sentence: string, values?: Record<string, string | number>): string {
  const text = i18n.words[sentence] ?? sentence;
  return values ? text.replace(/\{(\w+)\}/g, (all, k: string) => String(values[k] ?? all)) : text;
}

/** The language kept in the browser, else the browser's own when we have it. */
export function startLanguage(): Promise<void> | void {
  let kept: string | null = null;
  try { kept = localStorage.getItem('dash.v1.lang'); } catch { /* storage is off */ }
  const wanted = kept ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en');
  if (wanted === 'zh-CN') return i18n.use('zh-CN').catch(() => undefined);
}
export function chooseLanguage(lang: Lang): void {
  localStorage.setItem('dash.v1.lang', lang);
  void i18n.use(lang);
}
