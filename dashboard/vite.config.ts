// Builds dist/: relative URLs, hashed names, no inline script (CSP), the same bytes on every machine.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const server = process.env.DASH_SERVER ?? 'http://127.0.0.1:8090';

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
    rollupOptions: { output: { entryFileNames: 'assets/[name]-[hash].js', chunkFileNames: 'assets/[name]-[hash].js', assetFileNames: 'assets/[name]-[hash][extname]' } },
  },
  server: { proxy: { '/api': server } },
  test: { environment: 'node' },
});
