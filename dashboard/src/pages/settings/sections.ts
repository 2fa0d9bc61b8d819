// The sections of the settings: a new one is one file and one line.
import type { Component } from 'svelte';

export interface Section { id: string; title: string; group: 'System' | 'Access' | 'Data' | 'Dashboard'; /** only where that plugin is on */ plugin?: string; load: () => Promise<{ default: Component }> }
export const sections: Section[] = [
  { id: 'application', title: 'Application', group: 'System', load: () => import('./Application.svelte') },
  { id: 'mail', title: 'Mail', group: 'System', load: () => import('./Mail.svelte') },
  { id: 'storage', title: 'File storage', group: 'System', load: () => import('./Storage.svelte') },
  { id: 'backups', title: 'Backups', group: 'System', load: () => import('./Backups.svelte') },
  { id: 'crons', title: 'Scheduled jobs', group: 'System', load: () => import('./Crons.svelte') },
  { id: 'logs', title: 'Logs', group: 'System', load: () => import('./LogSettings.svelte') },
  { id: 'rate-limits', title: 'Rate limits', group: 'Access', load: () => import('./RateLimits.svelte') },
  { id: 'proxy', title: 'Proxy', group: 'Access', load: () => import('./Proxy.svelte') },
  { id: 'superuser-ips', title: 'Superuser addresses', group: 'Access', load: () => import('./SuperuserIps.svelte') },
  { id: 'tof', title: 'TOF sign-in', group: 'Access', plugin: 'tof', load: () => import('./Tof.svelte') },
  { id: 'batch', title: 'Batch requests', group: 'Access', load: () => import('./Batch.svelte') },
  { id: 'export-collections', title: 'Export collections', group: 'Data', load: () => import('./ExportCollections.svelte') },
  { id: 'import-collections', title: 'Import collections', group: 'Data', load: () => import('./ImportCollections.svelte') },
  { id: 'sql', title: 'SQL console', group: 'Data', load: () => import('./Sql.svelte') },
  { id: 'appearance', title: 'Appearance', group: 'Dashboard', load: () => import('./Appearance.svelte') },
  { id: 'shortcuts', title: 'Keys', group: 'Dashboard', load: () => import('./Shortcuts.svelte') },
];
