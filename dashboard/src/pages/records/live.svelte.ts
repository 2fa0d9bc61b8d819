// What a live list does with events: changed rows in place, new ones counted, deleted ones greyed. A row being edited is left alone.
import type { LiveEvent, Topic } from '../../lib/api/live';
import { equalJson } from '../../lib/api/json';
import type { Rec } from '../../lib/api/types';
export type { Topic } from '../../lib/api/live';

export class LiveRows {
  /** records that came since the list was read */
  fresh = $state(0);
  gone = $state.raw(new Set<string>());
  constructor(private readonly edited: (id: string) => boolean, private readonly replace: (r: Rec) => void, private readonly flash: (keys: string[]) => void, private readonly reload: () => void) {}

  seen(): void { this.fresh = 0; this.gone = new Set(); }
  /** Until the returned function is called. */
  listen(topic: Topic, rowOf: (id: string) => Rec | undefined): () => void {
    this.seen();
    let off: (() => void) | null = null, ended = false;
    // the stream's code is loaded with the first live list
    void import('../../lib/api/live').then(({ live, topicName }) => {
      if (ended) return;
      const stop = live.on(topicName(topic), (e) => this.hear(e, rowOf));
      // what happened while the stream was away is not known
      const again = () => this.reload();
      live.back.add(again);
      off = () => { stop(); live.back.delete(again); };
    });
    return () => { ended = true; off?.(); this.seen(); };
  }
  private hear(e: LiveEvent, rowOf: (id: string) => Rec | undefined): void {
    const row = rowOf(e.record.id);
    if (e.action === 'create') { if (!row) this.fresh++; return; }
    if (!row || this.edited(e.record.id)) return;
    if (e.action === 'delete') { this.gone = new Set([...this.gone, e.record.id]); return; }
    const changed = Object.keys(e.record).filter((k) => k !== 'expand' && k !== 'updated' && !equalJson(row[k], e.record[k]));
    this.replace(e.record);
    if (changed.length) this.flash(changed.map((k) => `${e.record.id}/${k}`));
  }
}
