// Builds dist/: relative URLs, hashed names, no inline script (CSP), the same bytes on every machine.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const server = process.env.DASH_SERVER ?? 'http://127.0.0.1:8090';

// Few files for the first screens: what every page needs, what signing in needs, what the data screen needs. The rest is split by import().
const groups = [
  { name: 'core', priority: 3, test: /rolldown|node_modules\/(svelte|esm-env|clsx)\/|vite\/preload|src\/(i18n\/index|app\/router|lib\/api\/session|ui\/Centered)/ },
  { name: 'base', priority: 2, test: /src\/(app\/(App|Toasts|dialogs|theme)|lib\/api\/(client|errors|json|net)|ui\/(Dialog|Icon|icons))/ },
  { name: 'data', priority: 1, test: /src\/(app\/(Shell|capabilities|guard|keys|pages|prefs|settings|shell)|fields\/|lib\/(filter|schema\/(schema|indexes)|format\/(date|size|csv))|pages\/(records\/(Data|Records|SideList|list|columns|live|cells|ColumnMenu|Views|Bulk|Report|writes)|record\/(Drawer|MainTab|Conflict|form|cascade))|ui\/(Grid|FilterBar|Combo|Menu|Text|Num|Switch|Field|Tabs|popup)\b)/ },
];

export default defineConfig({
  base: './',
  plugins: [svelte({ compilerOptions: { discloseVersion: false } })],
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'], // they know light-dark()
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 600,
    cssCodeSplit: false,
    rollupOptions: { output: { advancedChunks: { includeDependenciesRecursively: false, groups }, entryFileNames: 'assets/[name]-[hash].js', chunkFileNames: 'assets/[name]-[hash].js', assetFileNames: 'assets/[name]-[hash][extname]' } },
  },
  server: { proxy: { '/api': server } },
  test: { environment: 'node' },
});
