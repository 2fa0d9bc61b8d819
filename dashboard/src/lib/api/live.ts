// Events as they happen. One stream per browser, not per tab: one tab holds it (Web Locks), the others hear of it by BroadcastChannel.
// Six connections per host are all that HTTP/1.1 allows; a stream per tab would freeze the seventh.
import { call } from './client';
import { parseJson, type Json, type JsonObject } from './json';
import { apiBase } from './session.svelte';
import type { Rec } from './types';

export interface LiveEvent { action: string; record: Rec }
type Handler = (event: LiveEvent, text: string) => void;
export interface Topic { collection: string; id?: string; query?: Record<string, string> }

/** A topic as the server names it; its options are part of the name. */
export function topicName(t: Topic): string {
  const query = Object.fromEntries(Object.entries(t.query ?? {}).filter(([, v]) => v));
  return `${t.collection}/${t.id || '*'}${Object.keys(query).length ? `?options=${encodeURIComponent(JSON.stringify({ query }))}` : ''}`;
}

/** One connection: opens, subscribes as the caller, comes back by itself. */
export class Stream {
  private source: EventSource | null = null;
  private client = '';
  private wait = 200;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly heard = new Set<string>();
  private sent = '';
  constructor(private readonly topics: () => string[], private readonly onevent: (topic: string, text: string) => void, private readonly o: { token?: () => Promise<string | null>; onstate?: (state: 'open' | 'closed', error?: unknown) => void; onback?: () => void } = {}) {}

  open(): void {
    if (this.source) return;
    const source = new EventSource(`${apiBase}/api/realtime`);
    this.source = source;
    this.heard.clear();
    this.sent = '';
    let connected = false;
    source.addEventListener('PB_CONNECT', (e) => {
      const again = this.client !== '';
      this.client = String((JSON.parse((e as MessageEvent<string>).data) as { clientId?: string }).clientId ?? '');
      connected = true;
      this.wait = 200;
      this.sent = '';
      void this.subscribe().then(() => { if (again) this.o.onback?.(); });
    });
    source.onerror = () => {
      if (this.source !== source) return;
      source.close();
      this.source = null;
      this.o.onstate?.('closed');
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = connected ? 200 : Math.min(2000, this.wait * 2);
    };
  }
  /** After the topics changed. */
  async subscribe(): Promise<void> {
    if (!this.client || !this.source) return;
    const topics = this.topics();
    const key = topics.join('\n');
    if (key === this.sent) return;
    this.sent = key;
    for (const t of topics) if (!this.heard.has(t)) { this.heard.add(t); this.source.addEventListener(t, (e) => this.onevent(t, (e as MessageEvent<string>).data)); }
    try {
      const token = this.o.token ? await this.o.token() : undefined;
      await call('POST', '/api/realtime', { body: { clientId: this.client, subscriptions: topics }, ...(token === undefined ? {} : { token }) });
      this.o.onstate?.('open');
    } catch (e) { this.sent = ''; this.o.onstate?.('closed', e); }
  }
  close(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    this.client = '';
    this.sent = '';
  }
}

type Message = { kind: 'want'; tab: string; topics: string[] } | { kind: 'who' } | { kind: 'event'; topic: string; text: string } | { kind: 'back' };

class Live {
  private readonly tab = Math.random().toString(36).slice(2);
  private readonly mine = new Map<string, Set<Handler>>();
  private readonly others = new Map<string, string[]>();
  private channel: BroadcastChannel | null = null;
  private stream: Stream | null = null;
  private leading = false;
  /** Called when a lost stream is there again: what came meanwhile is not known. */
  readonly back = new Set<() => void>();

  on(topic: string, handler: Handler): () => void {
    this.start();
    const set = this.mine.get(topic) ?? new Set();
    set.add(handler);
    this.mine.set(topic, set);
    this.changed();
    return () => {
      set.delete(handler);
      if (!set.size) this.mine.delete(topic);
      this.changed();
    };
  }
  private start(): void {
    if (this.channel) return;
    const channel = new BroadcastChannel('dash-live');
    this.channel = channel;
    channel.onmessage = (e: MessageEvent<Message>) => this.hear(e.data);
    addEventListener('pagehide', () => this.say({ kind: 'want', tab: this.tab, topics: [] }));
    // whoever holds the lock holds the stream; it passes on when that tab is closed
    void navigator.locks?.request('dash-live', () => { this.leading = true; this.say({ kind: 'who' }); this.changed(); return new Promise(() => undefined); });
  }
  private hear(m: Message): void {
    if (m.kind === 'want') { if (m.topics.length) this.others.set(m.tab, m.topics); else this.others.delete(m.tab); this.follow(); }
    else if (m.kind === 'who') this.say({ kind: 'want', tab: this.tab, topics: [...this.mine.keys()] });
    else if (m.kind === 'event') this.deliver(m.topic, m.text);
    else for (const f of this.back) f();
  }
  private say(m: Message): void { this.channel?.postMessage(m); }
  private changed(): void {
    this.say({ kind: 'want', tab: this.tab, topics: [...this.mine.keys()] });
    this.follow();
  }
  private get topics(): string[] { return [...new Set([...this.mine.keys(), ...[...this.others.values()].flat()])].sort(); }
  private follow(): void {
    if (!this.leading) return;
    if (!this.topics.length) { this.stream?.close(); this.stream = null; return; }
    this.stream ??= new Stream(() => this.topics, (topic, text) => { this.deliver(topic, text); this.say({ kind: 'event', topic, text }); }, { onback: () => { this.say({ kind: 'back' }); for (const f of this.back) f(); } });
    this.stream.open();
    void this.stream.subscribe();
  }
  private deliver(topic: string, text: string): void {
    const handlers = this.mine.get(topic);
    if (!handlers?.size) return;
    const event = readEvent(text);
    if (event) for (const h of handlers) h(event, text);
  }
}
export function readEvent(text: string): LiveEvent | null {
  try { const e = parseJson(text) as JsonObject; return typeof e.action === 'string' && e.record && typeof e.record === 'object' ? { action: e.action, record: e.record as Json as Rec } : null; } catch { return null; }
}
export const live = new Live();
