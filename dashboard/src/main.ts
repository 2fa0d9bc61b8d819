// Start: language, then the smallest piece that the address needs. Confirm pages never load the shell.
import { mount, type Component } from 'svelte';
import './styles/base.css';
import { startLanguage } from './i18n/index.svelte';
import { session } from './lib/api/session.svelte';
import { router, parseHash } from './app/router.svelte';

async function start(): Promise<void> {
  await startLanguage();
  router.start();
  const { path } = parseHash(location.hash);
  // a signed-in start needs all of it: ask for it at once, not one after the other
  if (session.valid && !path.startsWith('/auth/')) { void import('./app/Shell.svelte'); if (path === '/' || path === '/collections') void import('./pages/records/Data.svelte'); }
  const App = path.startsWith('/auth/') ? (await import('./pages/confirm/Confirm.svelte')).default : (await import('./app/App.svelte')).default;
  const target = document.getElementById('app');
  if (target) mount(App as Component, { target });
}
void start();
