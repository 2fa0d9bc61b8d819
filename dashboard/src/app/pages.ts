// Every screen: route, title, place in the rail, loader. A new screen is one file and one line here.
import type { Component } from 'svelte';

/** `phone`: also in the bottom bar of a phone; the others are in its account menu. */
export interface PageDef { path: string; title: string; icon?: string; rail?: 'top' | 'bottom'; phone?: boolean; /** only where the server tells about itself (A4) */ needs?: 'system'; /** only where that plugin is on; switched off, the address still says how to switch it on */ plugin?: string; load: () => Promise<{ default: Component }> }

export const pages: PageDef[] = [
  { path: '/collections', title: 'Data', icon: 'data', rail: 'top', phone: true, load: () => import('../pages/records/Data.svelte') },
  { path: '/overview', title: 'Schema', icon: 'relation', rail: 'top', load: () => import('../pages/overview/Overview.svelte') },
  { path: '/api', title: 'API', icon: 'json', rail: 'top', load: () => import('../pages/api/Api.svelte') },
  { path: '/logs', title: 'Logs', icon: 'logs', rail: 'top', phone: true, load: () => import('../pages/logs/Logs.svelte') },
  { path: '/realtime', title: 'Realtime', icon: 'realtime', rail: 'top', load: () => import('../pages/realtime/Realtime.svelte') },
  { path: '/metrics', title: 'Metrics', icon: 'chart', rail: 'top', load: () => import('../pages/metrics/Metrics.svelte') },
  { path: '/jobs', title: 'Jobs', icon: 'rows', rail: 'top', plugin: 'jobs', load: () => import('../pages/jobs/Jobs.svelte') },
  { path: '/secrets', title: 'Secrets', icon: 'key', rail: 'top', plugin: 'secrets', load: () => import('../pages/secrets/Secrets.svelte') },
  { path: '/gateway', title: 'Gateway', icon: 'link', rail: 'top', plugin: 'gateway', load: () => import('../pages/gateway/Gateway.svelte') },
  { path: '/processes', title: 'Processes', icon: 'play', rail: 'top', plugin: 'processman', load: () => import('../pages/processes/Processes.svelte') },
  { path: '/analytics', title: 'Analytics', icon: 'eye', rail: 'top', plugin: 'analytics', load: () => import('../pages/analytics/Analytics.svelte') },
  { path: '/system', title: 'System', icon: 'system', rail: 'top', needs: 'system', load: () => import('../pages/system/System.svelte') },
  { path: '/settings', title: 'Settings', icon: 'settings', rail: 'bottom', phone: true, load: () => import('../pages/settings/Settings.svelte') },
];
export const pageFor = (path: string): PageDef | undefined => pages.find((p) => path === p.path || path.startsWith(`${p.path}/`));
