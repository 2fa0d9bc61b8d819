// Every screen: route, title, place in the rail, loader. A new screen is one file and one line here.
import type { Component } from 'svelte';

export interface PageDef { path: string; title: string; icon?: string; rail?: 'top' | 'bottom'; load: () => Promise<{ default: Component }> }

export const pages: PageDef[] = [
  { path: '/collections', title: 'Data', icon: 'data', rail: 'top', load: () => import('../pages/records/Data.svelte') },
  { path: '/logs', title: 'Logs', icon: 'logs', rail: 'top', load: () => import('../pages/logs/Logs.svelte') },
  { path: '/settings', title: 'Settings', icon: 'settings', rail: 'bottom', load: () => import('../pages/settings/Settings.svelte') },
];
export const pageFor = (path: string): PageDef | undefined => pages.find((p) => path === p.path || path.startsWith(`${p.path}/`));
